"""Profiles of columns: counts, NULLs, extremes, quantiles and the most frequent values."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

QUANTILES = tuple(place / 10 for place in range(11))
MOST = 10
"""The number of most frequent values that a profile has."""


@dataclass(frozen=True)
class ColumnProfile:
    """The profile of one column over ``rows`` rows.

    ``nans`` counts NaN, which is no NULL. ``distinct`` counts different values without NULL. ``quantiles`` are the
    values at 0 %, 10 %, … 100 % of a column that has an order and no text; else there are none. ``mean`` is None
    unless the column has numbers. ``top`` has the most frequent values with their counts. ``statuses`` counts the
    column's statuses, where there are any.
    """

    name: str
    type: str
    rows: int
    nulls: int
    nans: int
    distinct: int
    least: Any
    greatest: Any
    mean: float | None
    quantiles: tuple[Any, ...]
    top: tuple[tuple[Any, int], ...]
    statuses: tuple[tuple[str, int], ...] = ()


def profile_table(
    table: pa.Table, columns: Sequence[str], statuses: dict[str, str] | None = None
) -> list[ColumnProfile]:
    """The profiles of some columns of a table. ``statuses`` maps a column to the column of its statuses."""
    found = []
    for name in columns:
        status = (statuses or {}).get(name)
        counted = () if status is None else tuple(sorted(counts_of(table.column(status)).items()))
        found.append(_profile(name, table.column(name), counted))
    return found


def _profile(name: str, column: pa.ChunkedArray, statuses: tuple[tuple[str, int], ...]) -> ColumnProfile:
    kind = column.type
    values = comparable(column)
    valid = pc.drop_null(values)
    nans = int(pc.sum(pc.is_nan(valid)).as_py() or 0) if pa.types.is_floating(valid.type) else 0
    if nans:
        valid = valid.filter(pc.invert(pc.is_nan(valid)))
    counts = counts_of(valid)
    ordered = not (pa.types.is_nested(kind) or pa.types.is_binary(kind)) and len(valid) > 0
    extremes = pc.min_max(valid).as_py() if ordered and not pa.types.is_boolean(kind) else {"min": None, "max": None}
    top = sorted(counts.items(), key=lambda pair: (-pair[1], str(pair[0])))[:MOST]
    return ColumnProfile(
        name,
        str(kind),
        len(column),
        column.null_count,
        nans,
        len(counts) + (nans > 0),
        extremes["min"],
        extremes["max"],
        _mean(valid),
        _quantiles(valid) if ordered else (),
        tuple(top),
        statuses,
    )


def comparable(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """The column, with lists, structs and blobs as text, and decimals as doubles: forms that have an order."""
    kind = column.type
    if pa.types.is_decimal(kind):
        return column.cast(pa.float64())
    if pa.types.is_nested(kind) or pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        texts = [None if value is None else repr(value) for value in column.to_pylist()]
        return pa.chunked_array([pa.array(texts, pa.string())])
    if pa.types.is_dictionary(kind):
        return column.cast(kind.value_type)
    return column


def counts_of(column: pa.ChunkedArray) -> dict[Any, int]:
    """How often each value of a column occurs, without NULL. Zero and negative zero are one value."""
    if len(column) == column.null_count:
        return {}
    found: dict[Any, int] = {}
    for pair in pc.value_counts(column).to_pylist():
        if pair["values"] is not None:
            found[pair["values"]] = found.get(pair["values"], 0) + pair["counts"]
    return found


def is_number(kind: pa.DataType) -> bool:
    """Whether a type has numbers."""
    return bool(pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind))


def _mean(valid: pa.ChunkedArray) -> float | None:
    if not is_number(valid.type) or not len(valid):
        return None
    mean = pc.mean(valid.cast(pa.float64(), safe=False)).as_py()
    return float(mean) if mean is not None and not math.isnan(mean) else None


def _quantiles(valid: pa.ChunkedArray) -> tuple[Any, ...]:
    if is_number(valid.type):
        return tuple(pc.quantile(valid, q=list(QUANTILES), interpolation="lower").to_pylist())
    if pa.types.is_temporal(valid.type) and not pa.types.is_time(valid.type):
        ordered = valid.take(pc.sort_indices(valid))
        return tuple(ordered[int(q * (len(ordered) - 1))].as_py() for q in QUANTILES)
    return ()
