"""Inspects the files of a source or a spine, and decides how they are read without changing a value (rule 7).

Parquet files that are read together are matched by column names, each column in the widest exact type. Text files are
in :mod:`text_files`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from asknown.engines.arrow_schema import PERIOD, find_durations
from asknown.engines.file_forms import check_folder
from asknown.engines.json_files import inspect_json
from asknown.engines.text_files import QueryRunner, TextFile, arguments_sql, inspect_text
from asknown.errors import AsknownError, Where
from asknown.project.nodes import FileRead, SourceTable
from asknown.types import SqlType, parse_type

_TEXT = (".csv", ".csv.gz", ".csv.zst", ".tsv", ".tsv.gz")
_JSON = (".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
_PARQUET = (".parquet", ".parq")
_NANOSECONDS = ("TIMESTAMP_NS", "TIMESTAMPTZ_NS", "TIMESTAMP_NS WITH TIME ZONE")
_DIGITS = 38  # of a decimal
_EXACT = 2**53  # doubles hold every integer up to this one


def inspect_source(engine: QueryRunner, table: SourceTable) -> tuple[str, FileRead | None]:
    """The path that a source's files are read from, and how. A folder means all Parquet files below it."""
    assert table.path is not None
    declared = {column.name: column.data_type for column in table.columns if column.data_type}
    try:
        found = _inspect(engine, table.path, dict(table.options), declared, table.at)
        if table.push is not None:
            _check_complete(engine, found[0], declared, table.at)
        return found
    except AsknownError as error:
        message = f"source '{table.source}.{table.name}': {error.message}"
        raise AsknownError(error.code, message, at=error.at or table.at, hint=error.hint) from None


def inspect_file(engine: QueryRunner, path: str) -> tuple[str, FileRead | None]:
    """The path that a spine's file is read from, and how. A spine declares no types: its SQL may say them."""
    try:
        return _inspect(engine, path, {}, {}, None)
    except AsknownError as error:
        if error.code != "file-value" or not re.search(r"options:|columns:", error.hint or ""):
            raise
        query = f"select … from {_as_text(path)}"
        hint = f'correct the file, or give SQL that says what its texts mean: --spine "{query}"'
        raise AsknownError(error.code, error.message, hint=hint) from None


def _as_text(path: str) -> str:
    """The SQL that reads a file without a guess about the types of its columns."""
    if path.casefold().endswith(_JSON):
        return f"read_json({_literal(path)}, columns={{name: 'varchar', …}})"
    if path.casefold().endswith(_TEXT):
        return f"read_csv({_literal(path)}, all_varchar=true)"
    return f"read_parquet({_literal(path)}, …)"


def _inspect(
    engine: QueryRunner, path: str, options: Mapping[str, Any], declared: Mapping[str, str], at: Where | None
) -> tuple[str, FileRead | None]:
    if not re.search(r"\.\w+$", path.rstrip("/").rpartition("/")[2]) and not re.search(r"[*?\[]", path):
        path = _of_folder(engine, path.rstrip("/"), at)
    folded = path.casefold()
    if folded.endswith(_TEXT):
        return path, inspect_text(engine, TextFile(path, options, declared, at))
    if folded.endswith(_PARQUET):
        return path, inspect_parquet(engine, path, options, declared, at)
    if folded.endswith(_JSON):
        return path, inspect_json(engine, path, options, declared, at)
    return path, None


def _of_folder(engine: QueryRunner, folder: str, at: Where | None) -> str:
    """The pattern of the Parquet files in a folder and below it."""
    if "://" not in folder:
        check_folder(folder, [str(file) for (file,) in engine.rows(f"FROM GLOB({_literal(folder + '/**')})")], at)
    return f"{folder}/**/*.parquet"


def inspect_parquet(
    engine: QueryRunner, path: str, options: Mapping[str, Any], declared: Mapping[str, str], at: Where | None
) -> FileRead:
    """How the files are read.

    Raises ``file-value`` where a column's types in several files have no exact common type, for numbers of more digits
    than DuckDB keeps, and where a folder's name and a file both bring a column.
    """
    query = f"SELECT file_name, name, duckdb_type, precision, num_children FROM PARQUET_SCHEMA({_literal(path)})"
    rows = engine.rows(query)
    files = list(dict.fromkeys(str(row[0]) for row in rows))
    for file, name, _, precision, _ in rows:
        if precision is not None and precision > 38:
            raise AsknownError(
                "file-value",
                f"{file}: column '{name}' has numbers of {precision} digits, and DuckDB keeps at most 38",
                at=at,
                hint="write it with at most 38 digits, or as text",
            )
    leaves = list(_leaves(rows))
    _check_names(leaves, at)
    arguments: dict[str, Any] = dict(options)
    hive = _hive(files)
    flat = {leaf.path[0].casefold() for leaf in leaves}
    if hive and options.get("hive_partitioning", True):
        for name in hive:
            if name.casefold() in flat:
                raise AsknownError(
                    "file-value",
                    f"'{name}' is a column of the files and a folder's name: {name}={hive[name][0]}",
                    at=at,
                    hint="declare options: {hive_partitioning: false} to read the files' own column",
                )
        arguments["hive_partitioning"] = True
    if len(files) > 1:
        arguments.setdefault("union_by_name", True)
        if arguments["union_by_name"]:
            _check_union(engine, leaves, at)
    described = engine.rows(f"DESCRIBE SELECT * FROM READ_PARQUET({_literal(path)}{arguments_sql(arguments)})")
    texts = {name.casefold() for name, kind in declared.items() if parse_type(kind).kind == "text"}
    casts: list[tuple[str, str, str | None]] = [
        (str(name), "VARCHAR", None) if name.casefold() in texts else (str(name), "TIMESTAMP", "nanoseconds")
        for name, kind, *_ in described
        if kind in _NANOSECONDS
    ]
    durations = _durations(engine, path, leaves, declared, at)
    casts += [
        (str(name), "INTERVAL", f"duration.{durations[name.casefold()]}")
        for name, kind, *_ in described
        if kind == "BIGINT" and name.casefold() in durations
    ]
    return FileRead("read_parquet", tuple(sorted(arguments.items())), tuple(casts))


def _durations(
    engine: QueryRunner, path: str, leaves: Sequence[_Leaf], declared: Mapping[str, str], at: Where | None
) -> dict[str, str]:
    """The units of the columns that hold durations, by name. A column whose type is declared is left out.

    Raises ``file-value`` for durations inside of lists and structs, for periods, and where files disagree.
    """
    query = f"SELECT file_name, value FROM PARQUET_KV_METADATA({_literal(path)}) WHERE key = 'ARROW:schema'"
    rows = engine.rows(query)
    schemas = {value: find_durations(value) for value in {value for _, value in rows}}
    stored = {str(file): schemas[value] for file, value in rows}
    plain = {name.casefold() for name in declared}
    units: dict[str, dict[str, str]] = {}  # by the column's name: by the unit, a file
    for file, found in stored.items():
        for parts, unit in found.items():
            column, name = parts[0].casefold(), ".".join(parts)
            if column in plain:
                continue
            if unit == PERIOD or len(parts) > 1:
                what = "periods" if unit == PERIOD else "durations inside of a list or struct"
                raise AsknownError(
                    "file-value",
                    f"{file}: column '{name}' has {what}, which Parquet keeps as plain integers",
                    at=at,
                    hint="write it as instants: df[name].dt.to_timestamp()"
                    if unit == PERIOD
                    else "write it as a number of seconds",
                )
            units.setdefault(column, {}).setdefault(unit, file)
    for leaf in leaves:
        column = leaf.path[0].casefold()
        if column in units and column not in {parts[0].casefold() for parts in stored.get(leaf.file, {})}:
            units[column].setdefault(leaf.kind, leaf.file)
    for column, files in units.items():
        if len(files) > 1:
            (first, one), (second, other), *_ = files.items()
            raise AsknownError(
                "file-value",
                f"column '{column}' has durations in the unit {first} in {one}, and {second} in {other}",
                at=at,
                hint="write all files in one unit",
            )
    return {column: next(iter(files)) for column, files in units.items()}


def _check_complete(engine: QueryRunner, path: str, columns: Mapping[str, str], at: Where | None) -> None:
    """Refuses files that lack a column of a source that takes pushes: read by name, it would be NULL without a word."""
    query = (
        f"SELECT file_name, list(lower(name)) FROM PARQUET_SCHEMA({_literal(path)}) GROUP BY file_name "
        "ORDER BY file_name"
    )
    for file, names in engine.rows(query):
        for column in columns:
            if column.casefold() not in names:
                raise AsknownError(
                    "push-source",
                    f"{file} has no column '{column}'",
                    at=at,
                    hint="files beside landed rows need all columns of the source, also that of the arrival",
                )


def _hive(files: Sequence[str]) -> dict[str, list[str]]:
    """The columns that the files' folders name, with their values: ``day=2024-01-01/…``."""
    found: dict[str, list[str]] = {}
    for file in files:
        for folder in file.split("/")[:-1]:
            name, equals, value = folder.partition("=")
            if equals and name:
                found.setdefault(name, []).append(value)
    return {name: values for name, values in found.items() if len(values) == len(files)}


@dataclass(frozen=True)
class _Leaf:
    """A column of a Parquet file, or a part of one, as ``("address", "zip")``. ``kind`` is DuckDB's type."""

    file: str
    path: tuple[str, ...]
    kind: str


def _leaves(rows: Sequence[tuple[Any, ...]]) -> Iterator[_Leaf]:
    """The leaves of the trees that PARQUET_SCHEMA lists, each file's root and its descendants one after the other."""
    open_: list[tuple[str, int]] = []  # the names above, and how many of their children are still to come
    current = None
    for file, name, kind, _, children in rows:
        if file != current:
            current, open_ = file, [(str(name), int(children or 0))]
            continue
        while open_ and open_[-1][1] == 0:
            open_.pop()
        if not open_:
            continue
        parent, left = open_.pop()
        open_.append((parent, left - 1))
        path = (*(above for above, _ in open_[1:]), str(name))
        if children:
            open_.append((str(name), int(children)))
        elif kind is not None:
            yield _Leaf(str(file), path, str(kind))


def _check_names(leaves: Sequence[_Leaf], at: Where | None) -> None:
    """Refuses a file with two columns of one name, of which DuckDB calls one otherwise."""
    seen: dict[tuple[str, str], _Leaf] = {}
    for leaf in leaves:
        other = seen.setdefault((leaf.file, leaf.path[0].casefold()), leaf)
        if other.path[0] != leaf.path[0] or (other is not leaf and other.path == leaf.path):
            raise AsknownError(
                "file-value",
                f"{leaf.file} has the columns '{other.path[0]}' and '{leaf.path[0]}', which are one name in SQL",
                at=at,
                hint="rename one of them in the file",
            )


def _check_union(engine: QueryRunner, leaves: Sequence[_Leaf], at: Where | None) -> None:
    """Refuses a column whose types in the files have no common type that keeps all values."""
    types: dict[tuple[str, ...], dict[str, list[str]]] = {}
    spelled: dict[tuple[str, ...], str] = {}
    for leaf in leaves:
        folded = tuple(part.casefold() for part in leaf.path)
        spelled.setdefault(folded, ".".join(leaf.path))
        if leaf.kind.strip('"') != "NULL":
            types.setdefault(folded, {}).setdefault(leaf.kind, []).append(leaf.file)
    for path, kinds in types.items():
        name = spelled[path]
        parsed = {kind: parse_type(kind) for kind in kinds}
        if len(kinds) > 1 and (reason := _why_not_exact(engine, name if len(path) == 1 else None, parsed, kinds)):
            first, second, *_ = kinds
            raise AsknownError(
                "file-value",
                f"column '{name}' is {first} in {kinds[first][0]} and {second} in {kinds[second][0]}: {reason}",
                at=at,
                hint="write the files in one type, or read them as two sources and cast in a model",
            )


def _why_not_exact(
    engine: QueryRunner, name: str | None, types: Mapping[str, SqlType], files: Mapping[str, Sequence[str]]
) -> str | None:
    """Why the types of a column, or of a part of one (``name`` is None), have no exact common type; None if they do."""
    kinds = {kind.kind for kind in types.values()}
    if kinds <= {"integer"} or kinds <= {"float"}:
        return None
    if kinds <= {"integer", "decimal"}:
        places = max(kind.scale for kind in types.values())
        digits = max(_whole_digits(kind) for kind in types.values())
        return None if digits + places <= _DIGITS else f"they need {digits + places} digits, and DuckDB keeps {_DIGITS}"
    if kinds <= {"integer", "float"} and name is not None:
        whole = [file for kind, parsed in types.items() if parsed.kind == "integer" for file in files[kind]]
        listed = ", ".join(map(_literal, whole))
        column = '"' + name.replace('"', '""') + '"'
        query = f"SELECT MAX(ABS(CAST({column} AS HUGEINT))) FROM READ_PARQUET([{listed}], union_by_name=true)"
        ((greatest,),) = engine.rows(query)
        if greatest is not None and greatest > _EXACT:
            return f"a float cannot hold the integer {greatest} exactly"
        return None
    naive = all(kind.kind in ("date", "timestamp") or kind.name == "TIMESTAMP_NS" for kind in types.values())
    if naive or len(kinds) == 1 == len({parsed.name for parsed in types.values()}):
        return None
    return "no type holds both exactly"


def _whole_digits(kind: SqlType) -> int:
    """The digits that a number of this type may have before the point."""
    return kind.precision - kind.scale if kind.kind == "decimal" else len(str(kind.bounds[1]))


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
