"""Puts the target's names into the identifiers of sources: ``{{ target.schema }}.orders`` differs by target."""

from __future__ import annotations

import re
from dataclasses import replace

from asknown.errors import AsknownError, Where
from asknown.project.nodes import SourceTable, Target
from asknown.project.options import ClickHouseOptions, DuckDBOptions, Options, PostgresOptions, SparkOptions

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMED = re.compile(r"\{\{\s*target\.(name|schema|database)\s*\}\}")
_BRACES = re.compile(r"\{\{|\{%")
HINT = "{{ target.name }}, {{ target.schema }} and {{ target.database }} may stand in it"


def quote_part(part: str) -> str:
    """One part of an identifier, with quotes if it needs them and has none. Braces wait for the target."""
    is_quoted = len(part) > 1 and part[0] == part[-1] and part[0] in '"`'
    if _PLAIN.fullmatch(part) or is_quoted or _BRACES.search(part):
        return part
    return '"' + part.replace('"', '""') + '"'


def of_target(table: SourceTable, target: Target[Options]) -> SourceTable:
    """The table with the target's names in its identifier. ``written`` keeps the identifier as it is in the file."""
    if table.identifier is None or not _BRACES.search(table.identifier):
        return table
    return replace(table, identifier=_resolve(table.identifier, target, table.at), written=table.identifier)


def _resolve(text: str, target: Target[Options], at: Where) -> str:
    names = _names_of(target)

    def put(found: re.Match[str]) -> str:
        value = names[found[1]]
        if value is None:
            raise AsknownError(
                "undefined",
                f"target '{target.name}' has no '{found[1]}', which the source's '{found[0]}' stands for",
                at=at,
                hint=f"give the target in profiles.yml a '{_option(found[1], target)}', or write {{{{ target.name }}}}",
            )
        whole = (found.start() == 0 or text[found.start() - 1] == ".") and text[found.end() : found.end() + 1] in "."
        return quote_part(value) if whole else value

    resolved = _NAMED.sub(put, text)
    if _BRACES.search(resolved):
        raise AsknownError("undefined", f"'{text}' has braces that mean nothing in a source", at=at, hint=HINT)
    return resolved


def _option(name: str, target: Target[Options]) -> str:
    if name != "database":
        return "database" if target.type == "clickhouse" else name
    return {"postgres": "dbname", "spark": "catalog"}.get(target.type, name)


def _names_of(target: Target[Options]) -> dict[str, str | None]:
    """The values of ``target.name``, ``target.schema`` and ``target.database``."""
    schema: str | None
    database: str | None
    match target.options:
        case PostgresOptions() as options:
            schema, database = options.schema or "public", options.dbname
        case ClickHouseOptions() as options:
            schema = database = options.database
        case SparkOptions() as options:
            schema, database = options.schema, options.catalog
        case DuckDBOptions():
            schema, database = "main", None
        case options:
            given = {key: options.values.get(key) for key in ("schema", "database")}
            schema, database = (None if value is None else str(value) for value in given.values())
    return {"name": target.name, "schema": schema, "database": database}
