"""Targets and the online table, as a profile describes them: which keys there are, and what they may say."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

from asknown.durations import microseconds
from asknown.errors import AsknownError, Where, did_you_mean
from asknown.project.nodes import OnlineTarget, Settings, Target
from asknown.project.reader import Reader, as_mapping, wrong_type
from asknown.project.values import Mapping, Scalar, Value, to_plain

TYPES = (
    "bigquery",
    "clickhouse",
    "databricks",
    "duckdb",
    "postgres",
    "redshift",
    "snowflake",
    "spark",
    "trino",
)
"""The types that a target may have. The options of some are checked here; the others' engines check theirs."""

_Option: TypeAlias = Callable[[Reader, str, Path], Any]

ONLINE = "online"
"""The key of an output that says where the target's own online table lies. It is no option of the engine."""

IN_MEMORY = ":memory:"
ONLINE_FILE = "online.db"
_MEMORY = re.compile(r"\d+(\.\d+)?\s*([KMGT](i?B)?|%)", re.IGNORECASE)
_SQLITE = "SQLite is the online store, set under 'online:'; the embedded warehouse is DuckDB: type: duckdb"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # md:name or s3://…; one letter is a drive


def read_target(name: str, value: Value, root: Path, at: Where) -> Target:
    """The target called ``name``, checked. Its environment variables have been looked up."""
    who = f"target '{name}'"
    given = as_mapping(value, who)
    kind = _read_type(given, who)
    if kind == "duckdb":
        options = _read_options(Reader(value, who, ("type", ONLINE, *_DUCKDB)), _DUCKDB, root)
    elif kind == "postgres":
        options = _read_options(Reader(value, who, ("type", ONLINE, *_POSTGRES)), _POSTGRES, root)
    else:
        options = {key: to_plain(entry.value) for key, entry in given.entries.items() if key != "type"}
    return Target(name, kind, options, at)


def _read_options(reader: Reader, known: dict[str, _Option], root: Path) -> dict[str, Any]:
    read = {key: option(reader, key, root) for key, option in known.items()}
    return {key: found for key, found in read.items() if found is not None}


def split_online(output: Mapping) -> tuple[Mapping, Value | None]:
    """(the output without its key ``online``, the value of that key; None where it has none)."""
    entries = dict(output.entries)
    own = entries.pop(ONLINE, None)
    empty = own is None or (isinstance(own.value, Scalar) and own.value.value is None)
    return Mapping(entries, output.at), None if own is None or empty else own.value


def read_online(value: Value, settings: Settings, target: str) -> OnlineTarget:
    """The online table of a target, checked: an SQLite file, ``online.db`` in the project unless it says otherwise."""
    reader = Reader(value, "'online'", ("type", "path", "max_skew"))
    if (reader.optional_text("type") or "sqlite") != "sqlite":
        raise AsknownError(
            "wrong-type",
            "'type' of 'online' can only be sqlite",
            at=reader.place("type"),
            hint=f"type: sqlite, path: {ONLINE_FILE}",
        )
    path = reader.text("path") if reader.value("path") else ONLINE_FILE
    if path == IN_MEMORY:
        raise AsknownError(
            "wrong-type",
            "the online table must be a file: one process writes it and others read it",
            at=reader.place("path"),
            hint=f"path: {ONLINE_FILE}",
        )
    skew = reader.optional_text("max_skew")
    max_skew = 0 if skew is None else microseconds(skew, at=reader.place("max_skew"))
    return OnlineTarget(_below(settings.root, path), settings.name, target, max_skew)


def _read_type(given: Mapping, who: str) -> str:
    entry = given.entries.get("type")
    if entry is None:
        raise AsknownError("missing-key", f"{who} lacks 'type'", at=given.at, hint="type: duckdb")
    value = entry.value
    if not isinstance(value, Scalar) or not isinstance(value.value, str):
        raise wrong_type(f"'type' of {who}", "text", value)
    if value.value in TYPES:
        return value.value
    # What came out of the environment is not repeated.
    said = "the environment gives it" if value.untyped else f"it says '{value.value}'"
    if value.value == "sqlite":
        hint = _SQLITE
    else:
        hint = did_you_mean("" if value.untyped else value.value, TYPES, what="types")
    raise AsknownError("wrong-type", f"'type' of {who} is none that asknown knows: {said}", at=value.at, hint=hint)


def _file(reader: Reader, key: str, root: Path) -> str:
    path = reader.text(key) if reader.value(key) else IN_MEMORY
    return path if path == IN_MEMORY or _ADDRESS.match(path) else str(_below(root, path))


def _folder(reader: Reader, key: str, root: Path) -> str | None:
    return str(_below(root, reader.text(key))) if reader.value(key) else None


def _text(reader: Reader, key: str, root: Path) -> str | None:
    return reader.text(key) if reader.value(key) else None


def _count(reader: Reader, key: str, root: Path) -> int | None:
    return reader.integer(key, least=1)


def _memory(reader: Reader, key: str, root: Path) -> str | None:
    limit = reader.text(key) if reader.value(key) else None
    if limit is not None and not _MEMORY.fullmatch(limit.strip()):
        raise AsknownError(
            "wrong-type",
            f"'{key}' of {reader.what} must be a number and a unit",
            at=reader.place(key),
            hint=f"{key}: 4GB (units: KB, MB, GB, TB, KiB, MiB, GiB, TiB)",
        )
    return limit


def _settings(reader: Reader, key: str, root: Path) -> dict[str, str] | None:
    given = reader.mapping(key)
    if given is None:
        return None
    settings: dict[str, str] = {}
    for name, entry in given.entries.items():
        if not isinstance(entry.value, Scalar) or entry.value.value is None:
            raise wrong_type(f"the setting '{name}' of {reader.what}", "text", entry.value)
        settings[name] = entry.value.text
    return settings


_DUCKDB: dict[str, _Option] = {
    "path": _file,
    "threads": _count,
    "memory_limit": _memory,
    "temp_directory": _folder,
    "settings": _settings,
}
_POSTGRES: dict[str, _Option] = {
    **dict.fromkeys(("dsn", "host"), _text),
    "port": _count,
    **dict.fromkeys(("user", "password", "dbname"), _text),
    "connect_timeout": _count,
    **dict.fromkeys(("sslmode", "sslrootcert", "sslcert", "sslkey", "schema", "role"), _text),
    "settings": _settings,
}


def _below(root: Path, path: str) -> Path:
    expanded = Path(path)
    if expanded.parts[:1] == ("~",):
        expanded = Path.home().joinpath(*expanded.parts[1:])
    return root / expanded
