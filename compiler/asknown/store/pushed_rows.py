"""Runs the SQL of views over pushed rows: each view's own query on DuckDB, with the rows in place of the source."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asknown.emit.load import event_columns, kept_columns
from asknown.emit.pushed import ROWS, landing_copy
from asknown.engines.engine import open_engine
from asknown.errors import AsknownError
from asknown.model.nodes import FeatureView
from asknown.project.nodes import ColumnDoc, Project, SourceTable
from asknown.project.options import IN_MEMORY, DuckDBOptions
from asknown.project.push import SEQUENCE
from asknown.types import SqlType, parse_type

if TYPE_CHECKING:
    import pyarrow as pa

    from asknown.engines.duckdb import DuckDB


class RowEngine:
    """A DuckDB in memory, with one thread, that runs queries over a few rows."""

    def __init__(self, project: Project) -> None:
        target = project.profile.target
        if not isinstance(target.options, DuckDBOptions):
            raise AsknownError(
                "push-source",
                f"rows are pushed into projects on DuckDB, and the target '{target.name}' is {target.type}",
                hint="choose a target of type duckdb: --target NAME",
            )
        options = replace(target.options, path=IN_MEMORY, threads=1)
        engine: Any = open_engine(replace(target, options=options), project.settings.root)
        self._engine: DuckDB = engine

    def query(self, table: SourceTable, sql: str, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
        """The result of ``sql`` over pushed rows of ``table``, which the SQL calls ``ROWS``."""
        found = self.run(sql, as_table(table, rows))
        assert found is not None
        return found

    def run(self, sql: str, data: pa.Table) -> pa.Table | None:
        """The result of ``sql``, if it is a query, over a table that it calls ``ROWS``."""
        return self._engine.rows_over(sql, ROWS, data)

    def close(self) -> None:
        """Closes the engine."""
        self._engine.close()


def check_types(engine: RowEngine, view: FeatureView, table: SourceTable, sql: str) -> None:
    """Raises ``push-source`` where the view's SQL gives other types over pushed rows than over files."""
    found = {name: parse_type(str(kind)) for name, kind, *_ in _described(engine, table, sql)}
    for column in dict.fromkeys([*kept_columns(view), *event_columns(view)]):
        if found[column.name] != column.type:
            raise AsknownError(
                "push-source",
                f"'{column.name}' of '{view.name}' is {column.type} over files, "
                f"and {found[column.name]} over pushed rows",
                at=table.at,
            )


def _described(engine: RowEngine, table: SourceTable, sql: str) -> list[tuple[Any, ...]]:
    described = engine.query(table, f"DESCRIBE {sql}", [])
    return list(zip(*described.to_pydict().values(), strict=True))


def row_type(table: SourceTable) -> SqlType:
    """The type of a pushed row without its arrival, as a struct."""
    assert table.push is not None
    columns = [column for column in table.columns if column.name != table.push.known_at]
    fields = tuple((column.name, parse_type(str(column.data_type))) for column in columns)
    return SqlType("STRUCT", "struct", fields=fields)


def as_table(table: SourceTable, rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows of a source as an Arrow table. Some values are text there, which the queries cast."""
    import pyarrow as pa

    kinds = [(column, parse_type(str(column.data_type))) for column in table.columns]
    arrays = [_array(column, kind, rows) for column, kind in kinds]
    return pa.table(arrays, names=[column.name for column in table.columns])


def _array(column: ColumnDoc, kind: SqlType, rows: Sequence[Mapping[str, Any]]) -> pa.Array:
    import pyarrow as pa

    values = [row[column.name] for row in rows]
    if _travels_as_text(kind.element or kind):
        values = _texts(values)
    return pa.array(values, type=_arrow_type(kind))


def _travels_as_text(kind: SqlType) -> bool:
    """Whether values of this type are text in Arrow, because no type there holds all of them."""
    return kind.kind == "uuid" or kind.is_wide


def _texts(values: list[Any]) -> list[Any]:
    return [
        None if v is None else [None if item is None else str(item) for item in v] if isinstance(v, list) else str(v)
        for v in values
    ]


def _arrow_type(kind: SqlType) -> pa.DataType:
    """The Arrow type that pushed values of a column travel in."""
    import pyarrow as pa

    match kind.kind:
        case "boolean":
            return pa.bool_()
        case "integer":
            return pa.string() if kind.is_wide else pa.int64()
        case "float":
            return pa.float64()
        case "decimal":
            return pa.decimal128(kind.precision, kind.scale)
        case "date":
            return pa.date32()
        case "timestamp":
            return pa.timestamp("us")
        case "timestamptz":
            return pa.timestamp("us", tz="UTC")
        case "list":
            assert kind.element is not None
            return pa.list_(_arrow_type(kind.element))
        case _:
            return pa.string()


def land(
    engine: RowEngine, table: SourceTable, rows: Sequence[Mapping[str, Any]], numbers: Sequence[int], path: Path
) -> None:
    """Writes rows of ``table`` with their ``numbers`` to a Parquet file at ``path``."""
    import pyarrow as pa

    data = as_table(table, rows).append_column(SEQUENCE, pa.array(numbers, pa.int64()))
    engine.run(landing_copy(table, path), data)
