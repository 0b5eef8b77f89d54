"""Reads training sets and logs from files, to profile and compare them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.dataset

from asknown.emit.models import file_query
from asknown.engines.engine import open_engine
from asknown.engines.input_files import inspect_file
from asknown.errors import AsknownError, Where, did_you_mean
from asknown.plan.statuses import SUFFIX
from asknown.project.nodes import Target
from asknown.project.options import DuckDBOptions
from asknown.store.spine import INSTANT


def read_sample(path: str | Path) -> pa.Table:
    """The rows of a Parquet or CSV file, or of a folder of Parquet files. Raises ``no-data``."""
    path = Path(path)
    if not path.exists():
        raise AsknownError("no-data", f"{path} does not exist", hint="name a Parquet or CSV file, or a folder of them")
    if path.is_dir():
        try:
            return pyarrow.dataset.dataset(path, format="parquet", partitioning="hive").to_table()
        except (pa.ArrowException, OSError) as error:
            reason = str(error).partition("\n")[0]
            raise AsknownError(
                "no-data", f"{path} cannot be read: {reason}", hint="it must be a folder of Parquet files"
            ) from None
    return _read_file(path)


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
