"""Reads sources, the files and tables that models read, and the descriptions of their columns."""

from __future__ import annotations

import re

from asknown.errors import AsknownError, Where, did_you_mean
from asknown.project.file_options import read_options
from asknown.project.nodes import ColumnDoc, SourceTable
from asknown.project.reader import Names, Reader
from asknown.project.values import Value

_SOURCE = ("name", "description", "database", "schema", "tables")
_TABLE = ("name", "path", "identifier", "timezone", "static", "description", "columns", "options")
_COLUMN = ("name", "description", "data_type", "tests", "data_tests")
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# Files of the tz database that are not time zones.
_NO_ZONES = frozenset({"localtime", "posixrules", "Factory"})


def read_source(value: Value) -> list[SourceTable]:
    """The tables of one item of ``sources:``."""
    source = Reader(value, "a source", _SOURCE)
    name = source.text("name", hint="name: …")
    if source.value("tables") is None:
        raise AsknownError("missing-key", f"source '{name}' lacks 'tables'", at=source.at, hint="tables: [{name: …}]")
    schema = [part for part in (source.optional_text("database"), source.optional_text("schema")) if part]
    return [_read_table(item, name, schema, source.optional_text("description")) for item in source.items("tables")]


def _read_table(value: Value, source: str, schema: list[str], description: str | None) -> SourceTable:
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
        _check_zone(zone, reader.place("timezone"))
    options = read_options(reader, f"table '{name}' of source '{source}'", path)
    return SourceTable(
        source=source,
        name=name,
        path=path,
        identifier=identifier,
        timezone=zone,
        description=reader.optional_text("description") or description or "",
        columns=read_columns(reader),
        options=options,
        at=reader.place("name"),
        static=reader.truth("static"),
    )


def _qualify(schema: list[str], name: str, identifier: str | None) -> str | None:
    """The table's identifier, with its source's schema unless it names one itself."""
    if not schema or (identifier is not None and "." in identifier):
        return identifier
    return ".".join(_quote(part) for part in (*schema, identifier or name))


def _quote(part: str) -> str:
    """One part of an identifier, with quotes if it needs them and has none."""
    if _PLAIN.fullmatch(part) or (len(part) > 1 and part[0] == part[-1] and part[0] in '"`'):
        return part
    return '"' + part.replace('"', '""') + '"'


def _check_zone(zone: str, at: Where) -> None:
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
    """The descriptions of the owner's columns, from ``columns:``. Their tests are accepted and not kept."""
    columns = []
    names = Names()
    for item in owner.items("columns"):
        reader = Reader(item, "a column", _COLUMN)
        name = reader.text("name", hint="name: …")
        names.register("column", name, reader.place("name"))
        reader.items("tests")
        reader.items("data_tests")
        columns.append(
            ColumnDoc(
                name=name,
                description=reader.optional_text("description") or "",
                data_type=reader.optional_text("data_type"),
                at=reader.place("name"),
            )
        )
    return tuple(columns)
