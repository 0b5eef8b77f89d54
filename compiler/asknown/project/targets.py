"""Reads the targets of a profile, and checks their keys and values."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from pathlib import Path

from asknown.errors import AsknownError, Where, did_you_mean
from asknown.project.nodes import Target
from asknown.project.options import (
    IN_MEMORY,
    ClickHouseOptions,
    DuckDBOptions,
    Options,
    PostgresOptions,
    SparkOptions,
    UnreadOptions,
)
from asknown.project.reader import Reader, as_mapping, wrong_type
from asknown.project.values import Mapping, Scalar, Value, to_plain

ONLINE = "online"
"""The key of an output that says where the target's own online table lies. It is no option of the engine."""
_MEMORY = re.compile(r"\d+(\.\d+)?\s*([KMGT](i?B)?|%)", re.IGNORECASE)
_SQLITE = "SQLite is the online store, set under 'online:'; the embedded warehouse is DuckDB: type: duckdb"
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # md:name or s3://…; one letter is a drive
_ANY_SETTING = r".+"
_SETTING = r"[a-z_][a-z_0-9.]*"


def read_target(name: str, value: Value, root: Path, at: Where) -> Target[Options]:
    """The target called ``name``, checked. Its environment variables have been looked up."""
    who = f"target '{name}'"
    given = as_mapping(value, who)
    kind = _read_type(given, who)
    if kind in WRITTEN:
        values = {key: to_plain(entry.value) for key, entry in given.entries.items() if key != "type"}
        return Target(name, UnreadOptions(kind, values), at)
    options, read = _READ[kind]
    return Target(name, read(Reader(value, who, option_keys(options)), root), at)


def option_keys(options: type[Options]) -> tuple[str, ...]:
    """The keys that a target with these options may have."""
    return ("type", ONLINE, *(key.name for key in fields(options)))


def _read_duckdb(reader: Reader, root: Path) -> DuckDBOptions:
    return DuckDBOptions(
        path=_place(reader, "path", root) or IN_MEMORY,
        threads=reader.integer("threads", least=1),
        memory_limit=_memory(reader, "memory_limit"),
        temp_directory=_folder(reader, "temp_directory", root),
        settings=_settings(reader, _ANY_SETTING),
    )


def _read_postgres(reader: Reader, root: Path) -> PostgresOptions:
    return PostgresOptions(
        dsn=_text(reader, "dsn"),
        host=_text(reader, "host"),
        port=reader.integer("port", least=1),
        user=_text(reader, "user"),
        password=_text(reader, "password"),
        dbname=_text(reader, "dbname"),
        connect_timeout=reader.integer("connect_timeout", least=1),
        sslmode=_text(reader, "sslmode"),
        sslrootcert=_text(reader, "sslrootcert"),
        sslcert=_text(reader, "sslcert"),
        sslkey=_text(reader, "sslkey"),
        schema=_text(reader, "schema"),
        role=_text(reader, "role"),
        settings=_settings(reader, _SETTING),
    )


def _read_clickhouse(reader: Reader, root: Path) -> ClickHouseOptions:
    return ClickHouseOptions(
        path=_place(reader, "path", root),
        dsn=_text(reader, "dsn"),
        host=_text(reader, "host"),
        port=reader.integer("port", least=1),
        user=_text(reader, "user"),
        password=_text(reader, "password"),
        database=_text(reader, "database"),
        secure=_truth(reader, "secure"),
        verify=_truth(reader, "verify"),
        ca_cert=_text(reader, "ca_cert"),
        connect_timeout=reader.integer("connect_timeout", least=1),
        send_receive_timeout=reader.integer("send_receive_timeout", least=1),
        settings=_settings(reader, _SETTING),
    )


def _read_spark(reader: Reader, root: Path) -> SparkOptions:
    return SparkOptions(
        remote=_text(reader, "remote"),
        master=_text(reader, "master"),
        catalog=_text(reader, "catalog"),
        schema=_text(reader, "schema"),
        warehouse=_place(reader, "warehouse", root),
        settings=_settings(reader, _ANY_SETTING),
    )


_READ: dict[str, tuple[type[Options], Callable[[Reader, Path], Options]]] = {
    "clickhouse": (ClickHouseOptions, _read_clickhouse),
    "duckdb": (DuckDBOptions, _read_duckdb),
    "postgres": (PostgresOptions, _read_postgres),
    "spark": (SparkOptions, _read_spark),
}
WRITTEN = ("bigquery", "databricks", "redshift", "snowflake", "trino")
"""The types of targets that asknown writes SQL for and does not run."""
TYPES = (*sorted((*_READ, *WRITTEN)),)
"""The types that a target may have."""


def split_online(output: Mapping) -> tuple[Mapping, Value | None]:
    """(the output without its key ``online``, the value of that key; None where it has none)."""
    entries = dict(output.entries)
    own = entries.pop(ONLINE, None)
    empty = own is None or (isinstance(own.value, Scalar) and own.value.value is None)
    return Mapping(entries, output.at), None if own is None or empty else own.value


def _read_type(given: Mapping, who: str) -> str:
    entry = given.entries.get("type")
    if entry is None:
        raise AsknownError("missing-key", f"{who} lacks 'type'", at=given.at, hint="type: duckdb")
    value = entry.value
    if not isinstance(value, Scalar) or not isinstance(value.value, str):
        raise wrong_type(f"'type' of {who}", "text", value)
    if value.value in TYPES:
        return value.value
    # A value from the environment is never shown.
    said = "the environment gives it" if value.untyped else f"it says '{value.value}'"
    if value.value == "sqlite":
        hint = _SQLITE
    else:
        hint = did_you_mean("" if value.untyped else value.value, TYPES, what="types")
    raise AsknownError("wrong-type", f"'type' of {who} is none that asknown knows: {said}", at=value.at, hint=hint)


def _place(reader: Reader, key: str, root: Path) -> str | None:
    """An absolute path, an address, or ``:memory:``."""
    path = _text(reader, key)
    return path if path is None or path == IN_MEMORY or is_address(path) else str(below(root, path))


def _folder(reader: Reader, key: str, root: Path) -> str | None:
    return str(below(root, reader.text(key))) if reader.value(key) else None


def _text(reader: Reader, key: str) -> str | None:
    return reader.text(key) if reader.value(key) else None


def _truth(reader: Reader, key: str) -> bool | None:
    value = reader.value(key)
    if isinstance(value, Scalar) and value.untyped and value.text.strip() in ("true", "false"):
        return value.text.strip() == "true"
    return None if value is None else reader.truth(key)


def _memory(reader: Reader, key: str) -> str | None:
    limit = _text(reader, key)
    if limit is not None and not _MEMORY.fullmatch(limit.strip()):
        raise AsknownError(
            "wrong-type",
            f"'{key}' of {reader.what} must be a number and a unit",
            at=reader.place(key),
            hint=f"{key}: 4GB (units: KB, MB, GB, TB, KiB, MiB, GiB, TiB)",
        )
    return limit


def _settings(reader: Reader, name_pattern: str) -> dict[str, str]:
    """The settings of a session, as texts. Their names must match the pattern."""
    settings: dict[str, str] = {}
    given = reader.mapping("settings")
    for name, entry in given.entries.items() if given is not None else ():
        value = entry.value
        if not isinstance(value, Scalar) or value.value is None:
            raise wrong_type(f"the setting '{name}' of {reader.what}", "text", value)
        if not re.fullmatch(name_pattern, name):
            raise AsknownError("wrong-type", f"'{name}' is no name of a setting, in {reader.what}", at=entry.at)
        settings[name] = str(value.value).lower() if isinstance(value.value, bool) else value.text
    return settings


def is_address(path: str) -> bool:
    """Whether the path of a DuckDB target is an address, as in md:name, and no file."""
    return _ADDRESS.match(path) is not None


def below(root: Path, path: str) -> Path:
    """The path from the project's folder, where ``~`` is the user's."""
    expanded = Path(path)
    if expanded.parts[:1] == ("~",):
        expanded = Path.home().joinpath(*expanded.parts[1:])
    return root / expanded
