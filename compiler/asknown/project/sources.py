"""Reads sources (the files and tables that models read), the options of their files, and descriptions of columns."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from asknown.durations import microseconds
from asknown.errors import AsknownError, Where, did_you_mean
from asknown.project.data_tests import read_data_tests
from asknown.project.freshness import read_freshness
from asknown.project.governance import read_not_null
from asknown.project.nodes import ColumnDoc, SourceTable
from asknown.project.push import read_push, with_arrival
from asknown.project.reader import Names, Reader, as_text
from asknown.project.target_names import quote_part
from asknown.project.values import Sequence, Value

_SOURCE = ("name", "description", "database", "schema", "loaded_at_field", "tables")
_TABLE = (
    *("name", "path", "identifier", "timezone", "static", "loaded_at_field", "unique", "cadence"),
    *("description", "columns", "options", "push", "tests", "data_tests", "freshness"),
)
_COLUMN = ("name", "description", "data_type", "label", "known_at", "constraints", "tests", "data_tests")
# Files of the tz database that are not time zones.
_NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})


def read_source(value: Value) -> list[SourceTable]:
    """The tables of one item of ``sources:``."""
    source = Reader(value, "a source", _SOURCE)
    name = source.text("name", hint="name: …")
    if source.value("tables") is None:
        raise AsknownError("missing-key", f"source '{name}' lacks 'tables'", at=source.at, hint="tables: [{name: …}]")
    schema = [part for part in (source.optional_text("database"), source.optional_text("schema")) if part]
    shared = (source.optional_text("description"), source.optional_text("loaded_at_field"))
    return [_read_table(item, name, schema, *shared) for item in source.items("tables")]


def _read_table(
    value: Value, source: str, schema: list[str], description: str | None, loaded_at_field: str | None
) -> SourceTable:
    """One table. The ``description`` and the ``loaded_at_field`` of its source hold where it has none of its own."""
    reader = Reader(value, f"a table of source '{source}'", _TABLE)
    name = reader.text("name", hint="name: …")
    path = reader.text("path") if reader.value("path") else None
    identifier = reader.text("identifier") if reader.value("identifier") else None
    if path and identifier:
        raise AsknownError(
            "wrong-type",
            f"table '{name}' of source '{source}' has both 'path' and 'identifier', and can have only one",
            at=reader.place("identifier"),
            hint="remove one of them",
        )
    if path is None:
        identifier = _qualify(schema, name, identifier)
    if path is None and identifier is None:
        raise AsknownError(
            "missing-key",
            f"table '{name}' of source '{source}' does not say what it reads",
            at=reader.place("name"),
            hint=f"path: data/{name}.parquet for files, or identifier: schema.{name} for a table of the target",
        )
    zone = reader.optional_text("timezone")
    if zone is not None:
        check_zone(zone, reader.place("timezone"))
    what = f"table '{name}' of source '{source}'"
    options, columns = read_options(reader, what, path), read_columns(reader)
    push = read_push(reader, what, path=path, timezone=zone, columns=columns)
    if push is not None:
        options = tuple({**dict(options), "union_by_name": True}.items())  # only landed files have a number
        columns = with_arrival(columns, push)
    arrival = None if push is None else push.known_at
    return SourceTable(
        source=source,
        name=name,
        path=path,
        identifier=identifier,
        timezone=zone,
        description=reader.optional_text("description") or description or "",
        columns=columns,
        options=options,
        at=reader.place("name"),
        static=reader.truth("static"),
        loaded_at_field=reader.optional_text("loaded_at_field") or arrival or loaded_at_field,
        unique=read_unique(reader),
        cadence=read_duration(reader, "cadence"),
        data_tests=read_data_tests(reader),
        freshness=read_freshness(reader),
        push=push,
    )


def read_unique(reader: Reader) -> tuple[tuple[str, ...], ...]:
    """The keys in ``unique``: a list of lists of columns. A column alone stands for a key of one column."""
    keys = []
    for item in reader.items("unique"):
        columns = item.items if isinstance(item, Sequence) else (item,)
        if not columns:
            raise AsknownError(
                "wrong-type", f"a key in 'unique' of {reader.what} is empty", at=item.at, hint="unique: [[id, ts]]"
            )
        keys.append(tuple(as_text(column, f"a column in 'unique' of {reader.what}") for column in columns))
    return tuple(keys)


def read_duration(reader: Reader, key: str) -> int | None:
    """The duration of ``key`` in microseconds, or None."""
    text = reader.optional_text(key)
    if text is None:
        return None
    length = microseconds(text, at=reader.place(key))
    if length <= 0:
        raise AsknownError("bad-duration", f"'{key}' of {reader.what} must be longer than 0", at=reader.place(key))
    return length


def _qualify(schema: list[str], name: str, identifier: str | None) -> str | None:
    """The table's identifier, with its source's schema unless it names one itself."""
    if not schema or (identifier is not None and "." in _without_braces(identifier)):
        return identifier
    return ".".join(quote_part(part) for part in (*schema, identifier or name))


def _without_braces(identifier: str) -> str:
    return re.sub(r"\{\{.*?\}\}", "", identifier)


def check_zone(zone: str, at: Where) -> None:
    """Raises ``wrong-type`` if the tz database is there and has no such zone."""
    from zoneinfo import ZoneInfo, available_timezones

    try:
        ZoneInfo(zone)
        known = zone not in _NO_ZONES and not zone.startswith(("posix/", "right/"))
    except (KeyError, ValueError, OSError):  # unknown, no path inside the database, or a folder of it
        known = False
    if known:
        return
    zones = available_timezones()
    if zones:  # without the tz database, no zone can be checked
        raise AsknownError(
            "wrong-type",
            f"'{zone}' is not an IANA time zone",
            at=at,
            hint=did_you_mean(zone, zones, what="time zones"),
        )


def read_columns(owner: Reader) -> tuple[ColumnDoc, ...]:
    """The descriptions of the owner's columns, from ``columns:``, with their tests."""
    columns = []
    names = Names()
    for item in owner.items("columns"):
        reader = Reader(item, "a column", _COLUMN)
        name = reader.text("name", hint="name: …")
        names.register("column", name, reader.place("name"))
        columns.append(
            ColumnDoc(
                name=name,
                description=reader.optional_text("description") or "",
                data_type=reader.optional_text("data_type"),
                at=reader.place("name"),
                not_null=read_not_null(reader),
                label=reader.truth("label"),
                known_at=reader.optional_text("known_at"),
                data_tests=read_data_tests(reader, name),
            )
        )
    return tuple(columns)


# The options of files, by their names in the project: the name that DuckDB's reader uses, and the kind of value.
_TEXT_OPTIONS = {
    "delimiter": ("delim", "text"),
    "quote": ("quote", "text"),
    "escape": ("escape", "text"),
    "header": ("header", "truth"),
    "skip": ("skip", "number"),
    "nulls": ("nullstr", "texts"),
    "dateformat": ("dateformat", "text"),
    "timestampformat": ("timestampformat", "text"),
    "decimal_separator": ("decimal_separator", "separator"),
    "encoding": ("encoding", "text"),
}
_FILE_OPTIONS = {"union_by_name": ("union_by_name", "truth"), "hive_partitioning": ("hive_partitioning", "truth")}
OPTIONS = (*_TEXT_OPTIONS, *_FILE_OPTIONS)


def read_options(reader: Reader, what: str, path: str | None) -> tuple[tuple[str, Any], ...]:
    """The declared ``options`` of files, under the names that DuckDB's reader uses."""
    value = reader.value("options")
    if value is None:
        return ()
    if path is None:
        raise AsknownError("unknown-key", f"{what} has 'options', and no 'path'", at=reader.place("options"))
    options = Reader(value, f"'options' of {what}", OPTIONS)
    known = {**_TEXT_OPTIONS, **_FILE_OPTIONS}
    read: list[tuple[str, Any]] = []
    for key, (name, kind) in known.items():
        if options.value(key) is None:
            continue
        if key in _TEXT_OPTIONS and not _is_text(path):
            raise AsknownError(
                "unknown-key",
                f"'{key}' of {what} is an option of text files, which {path} is not",
                at=options.place(key),
                hint=f"options of all files: {', '.join(_FILE_OPTIONS)}",
            )
        read.append((name, _OPTION[kind](options, key)))
    return tuple(read)


def _texts(reader: Reader, key: str) -> Any:
    if isinstance(reader.value(key), Sequence):
        return tuple(as_text(item, f"an item of '{key}'") for item in reader.items(key))
    return reader.text(key)


def _separator(reader: Reader, key: str) -> Any:
    value = reader.text(key)
    if value not in (",", "."):
        raise AsknownError(
            "wrong-type", f"'{key}' is {value!r}", at=reader.place(key), hint="write ',' as in 7,9, or '.' as in 7.9"
        )
    return value


_OPTION: dict[str, Callable[[Reader, str], Any]] = {
    "text": lambda reader, key: reader.optional_text(key),
    "truth": lambda reader, key: reader.truth(key),
    "number": lambda reader, key: reader.integer(key, least=0),
    "texts": _texts,
    "separator": _separator,
}


def _is_text(path: str) -> bool:
    folded = path.casefold()
    return any(f"{ending}{packed}" in folded[-8:] for ending in (".csv", ".tsv") for packed in ("", ".gz", ".zst"))
