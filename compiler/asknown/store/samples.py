"""Reads training sets and logs from files, to profile and compare them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.dataset

from asknown.emit.models import file_query
from asknown.engines.engine import open_engine
from asknown.engines.input_files import inspect_file
from asknown.errors import AsknownError, Where, did_you_mean
from asknown.online.served_log import OWN, is_log, log_files, read_facts
from asknown.plan.statuses import SUFFIX
from asknown.project.nodes import Target
from asknown.project.options import DuckDBOptions
from asknown.store.logged import Torn, read_lines
from asknown.store.spine import INSTANT

LINES = (".jsonl", ".ndjson")
"""The endings of the log of an ``OnlineReader``."""


def read_sample(path: str | Path) -> pa.Table:
    """The rows of a Parquet or CSV file, of a folder of Parquet files, or of a log of reads. Raises ``no-data``.

    Of a log these are the keys, inputs, features and statuses.
    """
    path = Path(path)
    if not path.exists():
        raise AsknownError("no-data", f"{path} does not exist", hint="name a Parquet or CSV file, or a folder of them")
    if path.is_dir():
        return _read_folder(path)
    return _read_lines(path) if path.suffix in LINES else _read_file(path)


def read_logged(path: str | Path) -> tuple[pa.Table, list[str]]:
    """The rows of a log of reads, and the names of its features. Raises ``no-data`` for anything else."""
    path = Path(path)
    table = read_sample(path)
    features = [name for name in table.schema.names if name + SUFFIX in table.schema.names]
    if not (is_log(path) if path.is_dir() else path.suffix in LINES) or not features:
        raise AsknownError(
            "no-data", f"{path} is no log of reads", hint="name a folder of asknown serve's log, or a file reads.jsonl"
        )
    return table, features


def _read_folder(path: Path) -> pa.Table:
    try:
        table = pyarrow.dataset.dataset(path, format="parquet", partitioning="hive").to_table()
    except (pa.ArrowException, OSError) as error:
        reason = str(error).partition("\n")[0]
        raise AsknownError(
            "no-data", f"{path} cannot be read: {reason}", hint="it must be a folder of Parquet files"
        ) from None
    if not is_log(path):
        return table
    hidden = {name for file in log_files(path) for name in (read_facts(file) or {}).get("hidden", ())}
    return table.select([name for name in table.schema.names if name not in (*OWN, *hidden)])


def _read_lines(path: Path) -> pa.Table:
    """The rows of the log of an ``OnlineReader``."""
    columns: dict[str, list[Any]] = {}
    rows = 0
    for line in read_lines(path, Torn()):
        given = {name: value for name, value in line["given"].items() if name not in line["hidden"]}
        statuses = {name + SUFFIX: status for name, status in line["statuses"].items()}
        for name, value in {**given, **line["values"], **statuses}.items():
            column = columns.setdefault(name, [None] * rows)
            column.append(value)
        rows += 1
        for column in columns.values():
            column.extend([None] * (rows - len(column)))
    if not rows:
        raise AsknownError("no-data", f"{path} has no reads", hint="name another file")
    return pa.table({name: _array(values) for name, values in columns.items()})


def _array(values: list[Any]) -> pa.Array:
    """A column of JSON. Numbers that JSON cannot hold are text there; values of several kinds become text."""
    there = [value for value in values if value is not None and value not in ("NaN", "Infinity", "-Infinity")]
    if any(isinstance(value, float) for value in there):
        values = [float(value) if isinstance(value, int | str) else value for value in values]
    try:
        return pa.array(values)
    except (pa.ArrowException, ValueError):
        return pa.array([None if value is None else json.dumps(value) for value in values], pa.string())


def _read_file(path: Path) -> pa.Table:
    """The rows of a file, in the types that a spine in it would have."""
    engine = open_engine(Target("samples", DuckDBOptions(), Where("")), Path.cwd())
    try:
        found, read = inspect_file(engine, str(path.resolve()))
        return engine.stream(file_query(found, engine.dialect, read)).read_all()
    except AsknownError as error:
        raise AsknownError("no-data", f"{path} cannot be read: {error.message}", hint=error.hint) from None
    finally:
        engine.close()


def choose_features(tables: Sequence[pa.Table], named: Sequence[str] | None) -> list[str]:
    """The columns ``named``, which every table must have; else all that they share but instants and statuses."""
    shared = [name for name in tables[0].schema.names if all(name in table.schema.names for table in tables)]
    if named is None:
        chosen = [name for name in shared if not name.endswith(SUFFIX) and name.casefold() != INSTANT]
        if not chosen:
            raise AsknownError("no-data", "there is no column to look at", hint="both files need columns of one name")
        return chosen
    for name in named:
        if name not in shared:
            where = "the file has" if len(tables) == 1 else "both files have"
            raise AsknownError(
                "unknown-feature",
                f"no column '{name}' is what {where}",
                hint=did_you_mean(name, shared, what="columns"),
            )
    return list(named)


def differences_of_columns(first: pa.Table, second: pa.Table, whole: bool) -> list[str]:
    """Notes on columns of two types, and, if ``whole`` tables were compared, on those that one table lacks."""
    notes = []
    if whole:
        for name, one, other in (("A", first, second), ("B", second, first)):
            alone = [column for column in one.schema.names if column not in other.schema.names]
            if alone:
                notes.append(f"not compared, because only {name} has them: {', '.join(alone)}")
    for name in first.schema.names:
        if name in second.schema.names and first.schema.field(name).type != second.schema.field(name).type:
            kinds = (first.schema.field(name).type, second.schema.field(name).type)
            notes.append(f"'{name}' is {kinds[0]} in A and {kinds[1]} in B")
    return notes


def statuses_of(table: pa.Table, features: Sequence[str]) -> dict[str, str]:
    """The column of statuses of each feature that has one."""
    return {name: name + SUFFIX for name in features if name + SUFFIX in table.schema.names}
