"""What every result must be: section 3 of the design by plain loops over rows.

This file imports nothing of asknown and nothing but the standard library, so that it can be wrong only by itself.
A row is a dict of Python values, NULL is None. Speed does not matter here; reading it in five minutes does.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

Row = Mapping[str, Any]

PRESENT, NULL_VALUE, NOT_FOUND, OUTSIDE_MAX_AGE = "PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE"


@dataclass(frozen=True)
class View:
    """A feature view: the columns that are its key and its times, its ttl in microseconds (0: none), its features.

    ``features`` are all the feature columns in select order, because they break ties whether or not they are asked for.
    """

    name: str
    keys: tuple[str, ...]
    event_time: str
    features: tuple[str, ...]
    known_at: str | None = None
    created_at: str | None = None
    ttl: int = 0


@dataclass(frozen=True)
class Request:
    """Features asked of one view: ``{feature: its name in the result}``, over the view's ``rows``.

    ``keys`` maps a key column of the view to the spine's column, where the two have different names.
    """

    view: View
    rows: Sequence[Row]
    features: Mapping[str, str]
    keys: Mapping[str, str] | None = None


# --- rule 1: time -----------------------------------------------------------------------------------------------


def microseconds(value: date | datetime) -> int:
    """An instant as whole microseconds in UTC (rule 1). Naive means UTC; a date is its midnight."""
    if not isinstance(value, datetime):
        value = datetime(value.year, value.month, value.day)
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return (value - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


# --- rule 2: what can be seen -----------------------------------------------------------------------------------


def visible(row: Row, t: datetime, view: View) -> bool:
    """Whether ``row`` had happened and was known at ``t`` (rule 2). A NULL time is never visible."""
    event_time = row[view.event_time]
    if event_time is None or microseconds(event_time) > microseconds(t):
        return False
    if view.known_at is not None:
        known_at = row[view.known_at]
        if known_at is None or microseconds(known_at) > microseconds(t):
            return False
    return True  # created_at never hides a row


def in_age(row: Row, t: datetime, view: View) -> bool:
    """Whether ``row`` is not older than the view's ttl at ``t``, both ends included (rule 3)."""
    return view.ttl == 0 or microseconds(row[view.event_time]) + view.ttl >= microseconds(t)


# --- rules 6 and 8: keys ----------------------------------------------------------------------------------------


def same_key(row: Row, key: Sequence[Any], view: View) -> bool:
    """Whether ``row`` belongs to ``key``. NULL matches nothing (rule 6), True is not 1 (rule 8)."""
    for column, wanted in zip(view.keys, key, strict=True):
        have = row[column]
        if have is None or wanted is None:
            return False
        if isinstance(have, bool) != isinstance(wanted, bool) or have != wanted:
            return False
    return True


# --- rule 3: the total order ------------------------------------------------------------------------------------


def ordered(value: Any) -> tuple[Any, ...]:
    """A value as something Python compares in the order of rule 3: NULL below every value, NaN above every number.

    Text compares by its UTF-8 bytes; lists element by element, where a NULL *inside* a list is above every value.
    """
    if value is None:
        return (0,)
    return (1, _comparable(value))


def _comparable(value: Any) -> Any:
    match value:
        case bool() | int() | Decimal():
            return value
        case float():
            return (1, 0.0) if math.isnan(value) else (0, value)
        case str():
            return value.encode()
        case date():  # datetime is a date too
            return microseconds(value)
        case list():
            return [(1, 0) if item is None else (0, _comparable(item)) for item in value]
    raise TypeError(f"the oracle does not order {type(value).__name__}")


def signs(value: Any) -> Any:
    """The signs of the zeros in a value: the engine's order calls -0.0 and 0.0 equal, but they are two values."""
    if isinstance(value, list):
        return [signs(item) for item in value]
    return math.copysign(1.0, value) if isinstance(value, float) and value == 0 else 0.0


def place(row: Row, view: View) -> tuple[Any, ...]:
    """Where ``row`` stands in the total order of rule 3: by its times, then by its features in select order.

    Of two values that are equal but for the sign of a zero, the one with -0.0 is the lower. So two rows have the same
    place only if they have the same features, and it does not matter which of them is taken.
    """
    times = [view.event_time, view.known_at, view.created_at]
    return (
        [ordered(row[column]) for column in times if column is not None],
        [(ordered(row[column]), signs(row[column])) for column in view.features],
    )


def newest(rows: Iterable[Row], view: View) -> Row | None:
    """The greatest row in the total order of rule 3, or None where there is no row."""
    return max(rows, key=lambda row: place(row, view), default=None)


def as_of(rows: Iterable[Row], key: Sequence[Any], t: datetime | None, view: View) -> Row | None:
    """The row that answers for ``key`` at ``t`` (rule 3), or None. A NULL instant has no answer (rule 6)."""
    if t is None:
        return None
    return newest((r for r in rows if same_key(r, key, view) and visible(r, t, view) and in_age(r, t, view)), view)


# --- rule 6: the training set -----------------------------------------------------------------------------------


def training_set(
    spine_rows: Sequence[Row], requests: Sequence[Request], timestamp: str = "event_timestamp"
) -> list[dict[str, Any]]:
    """Every spine row once, in the input order, with its own columns and then the features asked for (rule 6)."""
    result = []
    for spine_row in spine_rows:
        out = dict(spine_row)
        for request in requests:
            renamed = request.keys or {}
            key = [spine_row[renamed.get(column, column)] for column in request.view.keys]
            row = as_of(request.rows, key, spine_row[timestamp], request.view)
            for feature, name in request.features.items():
                out[name] = None if row is None else row[feature]
        result.append(out)
    return result


# --- rules 9 and 10: the online table ---------------------------------------------------------------------------


def loaded(loads: Iterable[tuple[Sequence[Row], datetime]], view: View) -> list[Row]:
    """The rows that one or more loads brought in, each load being (the rows there then, its watermark) (rule 10).

    The online table answers with the newest of them, so neither the order of the loads nor a repeated one matters.
    """
    return [row for rows, watermark in loads for row in rows if visible(row, watermark, view)]


def online(
    rows: Sequence[Row], key: Sequence[Any], t: datetime, watermark: datetime, view: View
) -> dict[str, tuple[Any, str, datetime | None]]:
    """What the online table, loaded at ``watermark``, answers for ``key`` at ``t``: value, status, event time.

    One triple for each feature of the view. By the parity law (rule 9) the value is the training set's at ``t`` over
    the rows visible at the watermark; the status says why a value is missing.
    """
    if microseconds(t) < microseconds(watermark):
        raise ValueError("a read before the watermark has no answer (rule 9)")
    row = newest((r for r in rows if same_key(r, key, view) and visible(r, watermark, view)), view)
    if row is None:
        return dict.fromkeys(view.features, (None, NOT_FOUND, None))
    event_time = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=microseconds(row[view.event_time]))
    if not in_age(row, t, view):
        return dict.fromkeys(view.features, (None, OUTSIDE_MAX_AGE, event_time))
    return {
        feature: (row[feature], NULL_VALUE if row[feature] is None else PRESENT, event_time)
        for feature in view.features
    }
