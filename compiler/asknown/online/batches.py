"""Reads rows of a view, Arrow batches or :class:`asknown.online.pushes.ValueRows`, in the stored form of :mod:`codec`.

A value that the table cannot keep exactly (a year outside 1 to 9999, infinity as a time, 24:00:00) is an error that
names it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import reduce
from itertools import compress
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from asknown.durations import DAY
from asknown.errors import AsknownError
from asknown.instants import EPOCH, to_microseconds
from asknown.online.codec import json_encoder, spell_instant, stored_value
from asknown.online.nodes import OnlineView
from asknown.online.pushes import ValueRows
from asknown.types import Column, Kind, SqlType

Encode = Callable[[Any, SqlType], list[Any]]

CHUNK = 2_000  # rows that are Python values at one time: few enough to stay in the processor's cache

# The least and the greatest that Arrow's integer may be, and a spelling for messages.
_BOUNDS: dict[Kind, tuple[int, int, Callable[[int], str]]] = {
    "date": (
        (date.min - EPOCH.date()).days,
        (date.max - EPOCH.date()).days,
        lambda v: f"a date {v} days from 1970-01-01",
    ),
    "time": (0, DAY - 1, lambda v: f"the time {timedelta(microseconds=v)} after midnight"),
    "timestamp": (
        to_microseconds(datetime.min),
        to_microseconds(datetime.max),
        lambda v: ("-infinity" if v < 0 else "infinity") if abs(v) == 2**63 - 1 else f"a time {v} µs from 1970-01-01",
    ),
}
_BOUNDS["timestamptz"] = _BOUNDS["timestamp"]


@dataclass(frozen=True)
class StoredRows:
    """Rows, as the cells of each of the view's columns in their order, and how many were seen.

    Not among them are those ``skipped``, which had no key or no time, and those of the ``future``, whose event time or
    known-at lies after the load's watermark: they are not visible yet (rule 2), and would block their keys until then.
    """

    seen: int
    skipped: int
    future: int
    columns: Sequence[Sequence[Any]]

    @property
    def values(self) -> Iterator[tuple[Any, ...]]:
        """The rows, each a tuple of its cells."""
        return zip(*self.columns, strict=True)


def read_rows(view: OnlineView, batches: Iterable[Any], watermark: datetime) -> Iterator[StoredRows]:
    """The rows of the batches, a chunk at a time, with values in the stored form."""
    visible = _visible_times(view)
    limit = spell_instant(watermark)
    for seen, kept in _complete_rows(view, batches):
        columns = {c.name: _encode(kept.column(c.name), c, view.name) for c in view.columns}
        early = _not_after(limit, [columns[name] for name in visible])
        yield _rows(seen, kept.num_rows, list(columns.values()), early)


def read_events(
    view: OnlineView, hidden: Sequence[Column], batches: Iterable[Any], watermark: datetime
) -> Iterator[StoredRows]:
    """The events of the batches, a chunk at a time: keys, times as microseconds since 1970, then hidden columns."""
    visible = _visible_times(view)
    times = [Column(name, view.type_of(name)) for name in view.times]
    limit = to_microseconds(watermark.replace(tzinfo=None))
    for seen, kept in _complete_rows(view, batches):
        instants = {c.name: _encode(kept.column(c.name), c, view.name, _encode_instant) for c in times}
        early = _not_after(limit, [instants[name] for name in visible])
        keys = [_encode(kept.column(c.name), c, view.name) for c in view.keys]
        others = [_encode(kept.column(c.name), c, view.name) for c in hidden]
        yield _rows(seen, kept.num_rows, [*keys, *instants.values(), *others], early)


@dataclass(frozen=True)
class AheadRows:
    """Rows dated ahead, as a load brings them: keys, times as microseconds with ``visible_at`` first, columns.

    ``beyond`` rows become visible too late to be kept, the first of them at ``first_beyond`` (microseconds).
    """

    values: list[tuple[Any, ...]]
    beyond: int
    first_beyond: int | None


def read_ahead(
    view: OnlineView, columns: Sequence[Column], batches: Iterable[Any], watermark: int, last: int
) -> Iterator[AheadRows]:
    """The rows of the batches that become visible after ``watermark`` and up to ``last``, a chunk at a time."""
    visible = _visible_times(view)
    times = [Column(name, view.type_of(name)) for name in view.times]
    for _, kept in _complete_rows(view, batches):
        instants = {c.name: _encode(kept.column(c.name), c, view.name, _encode_instant) for c in times}
        visible_at = list(map(max, *(instants[name] for name in visible))) if len(visible) > 1 else instants[visible[0]]
        keys = [_encode(kept.column(c.name), c, view.name) for c in view.keys]
        others = [_encode(kept.column(c.name), c, view.name) for c in columns]
        rows = zip(*keys, visible_at, *instants.values(), *others, strict=True)
        late = [moment for moment in visible_at if moment > last]
        inside = [watermark < moment <= last for moment in visible_at]
        yield AheadRows(list(compress(rows, inside)), len(late), min(late, default=None))


def _rows(seen: int, complete: int, columns: Sequence[Sequence[Any]], early: list[bool] | None) -> StoredRows:
    """The chunk's rows, without those that are not ``early``."""
    if early is None:
        return StoredRows(seen, seen - complete, 0, columns)
    kept = [list(compress(cells, early)) for cells in columns]
    return StoredRows(seen, seen - complete, early.count(False), kept)


def _not_after(limit: Any, times: Sequence[Sequence[Any]]) -> list[bool] | None:
    """Whether each row has none of its times after the limit; None where all rows are so."""
    if all(max(column, default=limit) <= limit for column in times):
        return None
    return [max(row) <= limit for row in zip(*times, strict=True)]


def _visible_times(view: OnlineView) -> tuple[str, ...]:
    """The times without which, or before which, a row is not visible (rule 2)."""
    return tuple(dict.fromkeys(t for t in (view.event_time, view.known_at) if t is not None))


def _complete_rows(view: OnlineView, batches: Iterable[Any]) -> Iterator[tuple[int, Any]]:
    """Chunks of the batches: how many rows one has, and those of them that can ever match."""
    required = tuple(dict.fromkeys((*(c.name for c in view.keys), *_visible_times(view))))
    for batch in batches:
        for start in range(0, batch.num_rows, CHUNK):
            chunk = batch.slice(start, CHUNK)
            yield chunk.num_rows, _drop_nulls(chunk, required)


def _drop_nulls(batch: Any, required: Sequence[str]) -> Any:
    if isinstance(batch, ValueRows):
        return batch.with_all_of(required)
    masks = [batch.column(name).is_valid() for name in required if batch.column(name).null_count]
    return batch.filter(reduce(pc.and_, masks)) if masks else batch


def _encode(array: Any, column: Column, view: str, encode: Encode | None = None) -> list[Any]:
    """The stored values of one column, as ``encode`` or the column's type has them."""
    if isinstance(array, list):
        store = _instant_of if encode is _encode_instant else stored_value(column.type)
        return array if store is None else [None if value is None else store(value) for value in array]
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    try:
        _check_bounds(array, column.type)
        return (encode or _ENCODE[column.type.kind])(array, column.type)
    except pa.ArrowInvalid as error:
        reason = str(error)
    except _OutOfBoundsError as error:
        reason = str(error)
    raise AsknownError(
        "unsupported-type",
        f"column '{column.name}' of '{view}' holds a value that the online table cannot keep exactly: {reason}",
        hint="leave such rows out in the model, or put NULL there; times run from year 1 to year 9999",
    )


class _OutOfBoundsError(Exception):
    """A time that has no exact spelling."""


def _check_bounds(array: Any, kind: SqlType) -> None:
    if kind.kind == "list" and kind.element is not None:
        _check_bounds(array.flatten(), kind.element)
    elif kind.kind == "struct":
        for field, (_, inner) in zip(array.flatten(), kind.fields, strict=True):
            _check_bounds(field, inner)
    elif kind.kind in _BOUNDS:
        low, high, spell = _BOUNDS[kind.kind]
        least, greatest = pc.min_max(_as_integers(array, kind)).as_py().values()
        for value in (least, greatest):
            if value is not None and not low <= value <= high:
                raise _OutOfBoundsError(spell(value))


def _as_integers(array: Any, kind: SqlType) -> Any:
    """Times as the integers Arrow keeps: days of a date, microseconds of the others. Losing digits is an error."""
    if kind.kind == "date":
        return array.cast(pa.date32()).cast(pa.int32())
    return array.cast(_arrow_time(array.type, kind)).cast(pa.int64())


def _arrow_time(given: Any, kind: SqlType) -> Any:
    if kind.kind == "time":
        return pa.time64("us")
    return pa.timestamp("us", tz=given.tz if pa.types.is_timestamp(given) else None)


def _encode_boolean(array: Any, _: SqlType) -> list[Any]:
    return list(array.cast(pa.int8()).to_pylist())


def _encode_integer(array: Any, kind: SqlType) -> list[Any]:
    if not kind.is_wide:
        return list(array.cast(pa.int64()).to_pylist())
    if _is_text(array.type):
        return [None if v is None else str(int(v)) for v in array.to_pylist()]
    return list(array.cast(pa.string()).to_pylist())


def _encode_float(array: Any, _: SqlType) -> list[Any]:
    doubles = array.cast(pa.float64())
    nan = pc.is_nan(doubles)
    values: list[Any] = doubles.to_pylist()
    if not pc.any(nan).as_py():
        return values
    return ["NaN" if is_nan else v for v, is_nan in zip(values, nan.to_pylist(), strict=True)]


def _encode_decimal(array: Any, kind: SqlType) -> list[Any]:
    exact = array.cast(pa.decimal128(kind.precision, kind.scale))
    if kind.scale <= 6:
        return list(exact.cast(pa.string()).to_pylist())
    # Arrow spells small numbers with an exponent.
    return [None if v is None else format(v, "f") for v in exact.to_pylist()]


def _encode_text(array: Any, _: SqlType) -> list[Any]:
    return list(array.to_pylist())


def _encode_uuid(array: Any, _: SqlType) -> list[Any]:
    return [None if v is None else str(v) for v in array.to_pylist()]


def _encode_date(array: Any, _: SqlType) -> list[Any]:
    return list(array.cast(pa.date32()).cast(pa.string()).to_pylist())


def _encode_time(array: Any, kind: SqlType) -> list[Any]:
    exact = array.cast(_arrow_time(array.type, kind))
    if kind.kind != "time":
        exact = exact.cast(pa.int64()).cast(pa.timestamp("us"))  # the same instant, without its zone
    return list(exact.cast(pa.string()).to_pylist())


def _encode_instant(array: Any, kind: SqlType) -> list[Any]:
    """Microseconds since 1970 in UTC; a date is its midnight."""
    integers = _as_integers(array, kind).cast(pa.int64())
    return list((pc.multiply(integers, DAY) if kind.kind == "date" else integers).to_pylist())


def _instant_of(value: date) -> int:
    """The same of one date or datetime."""
    moment = value if isinstance(value, datetime) else datetime(value.year, value.month, value.day)
    return to_microseconds(moment.replace(tzinfo=None))


def _encode_nested(array: Any, kind: SqlType) -> list[Any]:
    encode = json_encoder(kind)
    return [None if v is None else encode(v) for v in array.to_pylist()]


def _is_text(kind: Any) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_string_view(kind))


_ENCODE: dict[Kind, Encode] = {
    "boolean": _encode_boolean,
    "integer": _encode_integer,
    "float": _encode_float,
    "decimal": _encode_decimal,
    "text": _encode_text,
    "blob": _encode_text,
    "uuid": _encode_uuid,
    "date": _encode_date,
    "time": _encode_time,
    "timestamp": _encode_time,
    "timestamptz": _encode_time,
    "list": _encode_nested,
    "struct": _encode_nested,
}
