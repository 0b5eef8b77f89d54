"""Turns Arrow batches into rows of Python values, and each value into text."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from asknown.engines.json_values import as_json

if TYPE_CHECKING:
    import pyarrow as pa


def as_text(value: Any) -> str:
    """The text of a value other than None, as SQL reads it back: ``true``, ``2013-01-31 23:59:59``."""
    match value:
        case str():
            return value
        case bool():
            return "true" if value else "false"
        case datetime():
            return value.isoformat(" ")
        case timedelta():
            return str(value)
        case tuple():
            return ", ".join(as_text(inner) for inner in value)
        case list() | dict():
            return json.dumps(as_json(value), ensure_ascii=False)
        case float() | int():
            return repr(value)
    return str(as_json(value))


def is_number(value: Any) -> bool:
    """Whether the value is a number, which tables align on the right."""
    return isinstance(value, int | float | Decimal) and not isinstance(value, bool)


def rows_of(batches: Iterable[pa.RecordBatch]) -> Iterator[tuple[Any, ...]]:
    """The rows, one by one."""
    for batch in batches:
        yield from zip(*(_python_values(column) for column in batch.columns), strict=True)


def _python_values(column: pa.Array) -> list[Any]:
    try:
        return list(column.to_pylist())
    except (ValueError, OverflowError):
        # Python has no type for an instant finer than a microsecond or before the year 1, so it becomes text.
        return [_INFINITE.get(text, text) for text in column.cast("string").to_pylist()]


_INFINITE = {f"<value out of range: {sign}{2**bits - 1}>": f"{sign}infinity" for bits in (31, 63) for sign in ("", "-")}
"""How Arrow writes the infinite dates and instants of DuckDB and Postgres, and how these do."""
