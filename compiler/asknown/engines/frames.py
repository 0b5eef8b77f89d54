"""Data frames in and out: pandas, polars and Arrow as Arrow tables, and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import pyarrow as pa

from asknown.errors import AsknownError


def to_arrow(data: Any) -> pa.Table:
    """The Arrow table of a pandas or polars frame, an Arrow table, batch or reader, or rows as dicts.

    Raises ``spine`` for anything else, and for columns whose values are not of one type.
    """
    try:
        table = _convert(data)
    except (pa.ArrowInvalid, pa.ArrowTypeError, pa.ArrowNotImplementedError) as error:
        first = str(error).splitlines()[0]
        raise AsknownError(
            "spine", f"the spine does not convert to Arrow: {first}", hint="give each column values of one type"
        ) from None
    if table.num_columns == 0:
        raise AsknownError("spine", "the spine has no columns", hint="it needs the entities' keys and an instant")
    return _whole_microseconds(table)


def _convert(data: Any) -> pa.Table:
    match data:
        case pa.Table():
            return data
        case pa.RecordBatch():
            return pa.Table.from_batches([data])
        case pa.RecordBatchReader():
            return data.read_all()
        case Mapping():
            return pa.table(dict(data))
        case list() | tuple() if data and all(isinstance(row, Mapping) for row in data):
            return _of_rows(data)
    return _of_frame(data)


def _of_rows(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    names = dict.fromkeys(name for row in rows for name in row)
    _refuse_mixed_zones({name: [row.get(name) for row in rows] for name in names})
    return pa.Table.from_pylist([{name: row.get(name) for name in names} for row in rows])


def _of_frame(data: Any) -> pa.Table:
    library = type(data).__module__.partition(".")[0]
    if library == "pandas":
        _refuse_mixed_zones({str(name): data[name] for name in data.columns if data[name].dtype == object})
        return pa.Table.from_pandas(data, preserve_index=False)
    if library == "polars":
        return (data.collect() if type(data).__name__ == "LazyFrame" else data).to_arrow()
    if hasattr(data, "__arrow_c_stream__"):
        return pa.table(data)
    raise AsknownError(
        "spine",
        f"a spine cannot be {_article(type(data).__name__)}",
        hint="give a pandas or polars frame, an Arrow table, a Parquet or CSV path, SQL text, or a model's name",
    )


def _refuse_mixed_zones(columns: Mapping[str, Any]) -> None:
    # Arrow would take the ones without a zone for UTC without a word.
    for name, values in columns.items():
        aware = [value.tzinfo is not None for value in values if isinstance(value, datetime)]
        if aware and any(aware) != all(aware):
            raise AsknownError(
                "spine-time",
                f"the spine's column '{name}' mixes timestamps with a time zone ({sum(aware)}) "
                f"and without ({len(aware) - sum(aware)})",
                hint="make all of them aware, or all of them naive (then they are UTC)",
            )


def _whole_microseconds(table: pa.Table) -> pa.Table:
    """Timestamps in nanoseconds as microseconds where nothing is lost; the others stay, for the planner to refuse."""
    for place, field in enumerate(table.schema):
        if pa.types.is_timestamp(field.type) and field.type.unit == "ns":
            try:
                column = table.column(place).cast(pa.timestamp("us", field.type.tz), safe=True)
            except pa.ArrowInvalid:
                continue
            table = table.set_column(place, field.name, column)
    return table


def to_pandas(table: pa.Table) -> Any:
    """The table as a pandas frame; whole numbers and booleans with missing values stay what they are."""
    try:
        import pandas as pd
    except ImportError:
        raise AsknownError("missing-extra", "pandas is not installed", hint="pip install 'asknown[pandas]'") from None
    frame = table.to_pandas()
    for name in table.column_names:
        column = table.column(name)
        whole = pa.types.is_integer(column.type) or pa.types.is_boolean(column.type)
        if whole and column.null_count:
            dtype = "boolean" if pa.types.is_boolean(column.type) else _nullable(column.type)
            frame[name] = pd.array(column.to_pylist(), dtype=dtype)
    return frame


def to_polars(table: pa.Table) -> Any:
    """The table as a polars frame."""
    try:
        import polars as pl
    except ImportError:
        raise AsknownError("missing-extra", "polars is not installed", hint="pip install 'asknown[polars]'") from None
    return pl.from_arrow(table)


def _nullable(kind: pa.DataType) -> str:
    name = str(kind)
    return ("UI" if name.startswith("u") else "I") + name.removeprefix("u")[1:]


def _article(name: str) -> str:
    return f"an {name}" if name[:1].lower() in "aeiou" else f"a {name}"
