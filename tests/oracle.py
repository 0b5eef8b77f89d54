"""What every result must be: section 3 of the design by plain loops over rows.

This file and those beside it import nothing of asknown and nothing but the standard library, so that they can be wrong
only by themselves.
A row is a dict of Python values, NULL is None. Speed does not matter here; reading it in five minutes does.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from fractions import Fraction
from typing import Any

from oracle_calendar import Period, bounds
from oracle_moments import MOMENTS, OVER_PAIRS, moment, over_pairs
from oracle_values import OVER_VALUES, QUANTILES, instant, microseconds, ordered, rank, signs, without_sign

Row = Mapping[str, Any]

PRESENT, NULL_VALUE, NOT_FOUND, OUTSIDE_MAX_AGE = "PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE"


@dataclass(frozen=True)
class Window:
    """An aggregate over the rows of the last ``length`` microseconds (rule 4).

    ``value`` is the column that it takes (None: ``count(*)``), ``order`` the second column of arg_min and arg_max,
    ``fraction`` the quantile's, ``separator`` string_agg's, ``number`` the k of last_k and its like, ``where`` the
    FILTER: rows for which it does not give True are left out. ``closed`` says which ends belong to the window ("both",
    "left", "right"); ``delay`` shifts both ends back. A ``period`` stands in place of all of these.
    """

    aggregate: str
    value: str | None
    length: int
    closed: str = "both"
    delay: int = 0
    order: str | None = None
    fraction: Fraction = Fraction(1, 2)
    separator: str = ","
    number: int = 1
    where: Callable[[Row], bool | None] | None = None
    period: Period | None = None


@dataclass(frozen=True)
class WindowFeature:
    """A feature over windows. Each is computed by itself, and ``combine`` makes the feature of their values.

    It also gets the as-of row ({} where there is none), because an item may mix both. Without it the feature is the
    value of its only window.
    """

    windows: tuple[Window, ...]
    combine: Callable[[Sequence[Any], Row], Any] | None = None


@dataclass(frozen=True)
class View:
    """A feature view: the columns that are its key and its times, its ttl in microseconds (0: none), its features.

    ``features`` are all the as-of columns in select order, because they break ties whether or not they are asked for;
    an item that mixes windows and columns stands for its columns. ``windows`` are the features over windows, by name.
    """

    name: str
    keys: tuple[str, ...]
    event_time: str
    features: tuple[str, ...]
    known_at: str | None = None
    created_at: str | None = None
    ttl: int = 0
    windows: Mapping[str, WindowFeature] = field(default_factory=dict)


@dataclass(frozen=True)
class Request:
    """Features asked of one view: ``{feature: its name in the result}``, over the view's ``rows``.

    ``keys`` maps a key column of the view to the spine's column, where the two have different names.
    """

    view: View
    rows: Sequence[Row]
    features: Mapping[str, str]
    keys: Mapping[str, str] | None = None


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


def place(row: Row, view: View) -> tuple[Any, ...]:
    """Where ``row`` stands in the total order of rule 3: by its times, then by its features in select order.

    Of two values that are equal but for the sign of a zero, the one with -0.0 is the lower. So two rows have the same
    place only if they have the same features, and it does not matter which of them is taken.
    """
    return (in_time(row, view), [(ordered(row[column]), signs(row[column])) for column in view.features])


def in_time(row: Row, view: View) -> list[Any]:
    """Where ``row`` stands by its times alone: (event_time, known_at, created_at), NULLs lowest."""
    times = [view.event_time, view.known_at, view.created_at]
    return [ordered(row[column]) for column in times if column is not None]


def newest(rows: Iterable[Row], view: View) -> Row | None:
    """The greatest row in the total order of rule 3, or None where there is no row."""
    return max(rows, key=lambda row: place(row, view), default=None)


def as_of(rows: Iterable[Row], key: Sequence[Any], t: datetime | None, view: View) -> Row | None:
    """The row that answers for ``key`` at ``t`` (rule 3), or None. A NULL instant has no answer (rule 6)."""
    if t is None:
        return None
    return newest((r for r in rows if same_key(r, key, view) and visible(r, t, view) and in_age(r, t, view)), view)


# --- rule 4: trailing windows -----------------------------------------------------------------------------------


def in_frame(row: Row, t: datetime, window: Window, view: View) -> bool:
    """Whether the event time of ``row`` lies in the frame that ends at ``t``, or ``delay`` before it (rule 4)."""
    event_time = microseconds(row[view.event_time])
    if window.period is not None:
        first, last = bounds(window.period, t)
        return first <= event_time <= last
    end = microseconds(t) - window.delay
    start = end - window.length
    after_start = start < event_time if window.closed == "right" else start <= event_time
    before_end = event_time < end if window.closed == "left" else event_time <= end
    return after_start and before_end


def rows_in(window: Window, rows: Iterable[Row], key: Sequence[Any], t: datetime, view: View) -> list[Row]:
    """The rows of ``key`` that are visible at ``t`` and in the frame. The ttl does not matter here (rule 4)."""
    return [r for r in rows if same_key(r, key, view) and visible(r, t, view) and in_frame(r, t, window, view)]


def window_value(window: Window, rows: Iterable[Row], key: Sequence[Any], t: datetime, view: View) -> Any:
    """The aggregate over the rows in the window: those that meet the FILTER, without NULLs (rule 4)."""
    seen = [r for r in rows_in(window, rows, key, t, view) if window.where is None or window.where(r) is True]
    needed = [column for column in (window.value, window.order) if column is not None]
    seen = [r for r in seen if all(r[column] is not None for column in needed)]
    return aggregate(window, seen, view)


def window_feature(
    feature: WindowFeature, rows: Sequence[Row], key: Sequence[Any], t: datetime | None, view: View
) -> Any:
    """The feature for ``key`` at ``t``: NULL at a NULL instant; a NULL or unknown key has empty windows (rule 6)."""
    if t is None:
        return None
    values = [window_value(window, rows, key, t, view) for window in feature.windows]
    if feature.combine is None:
        (value,) = values
        return value
    return feature.combine(values, as_of(rows, key, t, view) or {})


def aggregate(window: Window, rows: Sequence[Row], view: View) -> Any:
    """The aggregate over ``rows``, none of which has a NULL in its columns. Over no rows only a count is not NULL."""
    values = [] if window.value is None else [row[window.value] for row in rows]
    if window.aggregate in COUNTED:
        return COUNTED[window.aggregate](equal_values(values), window.number)
    match window.aggregate:
        case "count":
            return len(rows)
        case "count_distinct":
            return len({ordered(value) for value in values})  # NaN is NaN, -0.0 is 0.0
        case "count_if":
            return sum(values)
        case _ if not rows:
            return None
        case "quantile_cont" | "quantile_disc":
            return QUANTILES[window.aggregate](values, window.fraction)
        case name if name in IN_ORDER:
            listed = [row[window.value] for row in sorted(rows, key=lambda row: turn(row, window, view))]
            return IN_ORDER[window.aggregate](listed, window)
        case "arg_min_k" | "arg_max_k":
            return extremes_by(window, rows, view)
        case "arg_min" | "arg_max":  # of rows that tie, the last one
            extreme = (min if window.aggregate == "arg_min" else max)(ordered(row[window.order]) for row in rows)
            tied = [row for row in rows if ordered(row[window.order]) == extreme]
            return max(tied, key=lambda row: turn(row, window, view))[window.value]
        case _:
            return over_values(window, rows, values)


def extremes_by(window: Window, rows: Sequence[Row], view: View) -> list[Any]:
    """The values of the rows where another column is extreme; of rows that tie, the last one is first."""
    last_first = sorted(rows, key=lambda row: turn(row, window, view), reverse=True)
    greatest = window.aggregate == "arg_max_k"
    by_order = sorted(last_first, key=lambda row: ordered(row[window.order]), reverse=greatest)
    return [row[window.value] for row in by_order][: window.number]


def over_values(window: Window, rows: Sequence[Row], values: Sequence[Any]) -> Any:
    """An aggregate to which the order of rows does not matter; there is at least one."""
    if window.aggregate in OVER_PAIRS:
        return over_pairs(window.aggregate, [(row[window.value], row[window.order]) for row in rows])
    if window.aggregate in MOMENTS:
        return moment(window.aggregate, values)
    if window.aggregate in ("min_k", "max_k"):
        by_value = sorted(values, key=ordered, reverse=window.aggregate == "max_k")
        return [without_sign(value) for value in by_value][: window.number]
    return OVER_VALUES[window.aggregate](values)


IN_ORDER: dict[str, Callable[[list[Any], Window], Any]] = {
    "first": lambda listed, _: listed[0],
    "last": lambda listed, _: listed[-1],
    "list": lambda listed, _: listed,
    "first_k": lambda listed, window: listed[: window.number],
    "last_k": lambda listed, window: listed[-window.number :],
    "string_agg": lambda listed, window: window.separator.join(listed),
}
"""Aggregates of the values of rows in order; there is at least one."""


def equal_values(values: Sequence[Any]) -> list[list[Any]]:
    """The groups of equal values, least first: NaN is NaN, and zeros have no sign."""
    groups: dict[Any, list[Any]] = {}
    for value in sorted(values, key=ordered):
        groups.setdefault(ordered(value), []).append(without_sign(value))
    return list(groups.values())


def entropy(counts: Sequence[int]) -> float:
    """The entropy of frequencies, in bits."""
    shares = [count / sum(counts) for count in counts]
    return math.fsum(-share * math.log2(share) for share in shares)


COUNTED: dict[str, Callable[[Sequence[Sequence[Any]], int], Any]] = {
    "list_distinct": lambda groups, number: [group[0] for group in groups] or None,
    "mode": lambda groups, number: (
        max(groups, key=len)[0] if groups else None
    ),  # the first of the largest: the least value
    "histogram": lambda groups, number: [{"key": group[0], "value": len(group)} for group in groups] or None,
    "top_k": lambda groups, number: [group[0] for group in sorted(groups, key=len, reverse=True)[:number]] or None,
    "entropy": lambda groups, number: entropy([len(group) for group in groups]),
}
"""Aggregates of groups of equal values."""


def turn(row: Row, window: Window, view: View) -> tuple[Any, Any]:
    """Where ``row`` stands among the rows of a window: by its times, then by the value that is taken."""
    return in_time(row, view), rank(row[window.value])


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
                if feature in request.view.windows:
                    trailing = request.view.windows[feature]
                    out[name] = window_feature(trailing, request.rows, key, spine_row[timestamp], request.view)
                else:
                    out[name] = None if row is None else row[feature]
        result.append(out)
    return result


# --- rules 9 and 10: the online table ---------------------------------------------------------------------------


MAX_AHEAD = 400 * 86_400_000_000  # microseconds after its watermark up to which a load keeps rows to come


def visible_at(row: Row, view: View) -> int | None:
    """From when on ``row`` is visible, in microseconds; None for a row that never is (rule 2)."""
    times = [row[name] for name in (view.event_time, view.known_at) if name is not None]
    return None if None in times else max(map(microseconds, times))


def beyond(rows: Iterable[Row], watermark: datetime, view: View, max_ahead: int = MAX_AHEAD) -> int | None:
    """The first instant (microseconds) at which a row counts that a load cannot keep; None where it keeps all."""
    moments = (visible_at(row, view) for row in rows if all(row[key] is not None for key in view.keys))
    last = microseconds(watermark) + max_ahead
    return min((moment for moment in moments if moment is not None and moment > last), default=None)


def online(
    rows: Sequence[Row], key: Sequence[Any], t: datetime, watermark: datetime, view: View
) -> dict[str, tuple[Any, str, datetime | None]]:
    """What the online table, loaded at ``watermark`` from these rows, answers for ``key`` at ``t``.

    For each feature of the view its value, status and event time. By the parity law (rule 9) the value is the training
    set's at ``t``, rows that become visible after the watermark included; the status says why a value is missing. At
    and after :func:`beyond` there is no answer.
    """
    if microseconds(t) < microseconds(watermark):
        raise ValueError("a read before the watermark has no answer (rule 9)")
    row = newest((r for r in rows if same_key(r, key, view) and visible(r, t, view)), view)
    return as_of_online(row, t, view) | windows_online(rows, key, t, view)


def as_of_online(row: Row | None, t: datetime, view: View) -> dict[str, tuple[Any, str, datetime | None]]:
    """The as-of features at ``t`` of an entity whose newest visible row is ``row``."""
    if row is None:
        return dict.fromkeys(view.features, (None, NOT_FOUND, None))
    event_time = instant(microseconds(row[view.event_time]))
    if not in_age(row, t, view):
        return dict.fromkeys(view.features, (None, OUTSIDE_MAX_AGE, event_time))
    return {
        feature: (row[feature], NULL_VALUE if row[feature] is None else PRESENT, event_time)
        for feature in view.features
    }


def windows_online(
    rows: Sequence[Row], key: Sequence[Any], t: datetime, view: View
) -> dict[str, tuple[Any, str, datetime | None]]:
    """The features over windows at ``t``: there for every key, because an empty window has a value too (rule 4).

    The event time is the newest one in any of the feature's frames.
    """
    found = {}
    for name, feature in view.windows.items():
        value = window_feature(feature, rows, key, t, view)
        inside = [row for window in feature.windows for row in rows_in(window, rows, key, t, view)]
        newest_event = max((microseconds(row[view.event_time]) for row in inside), default=None)
        status = NULL_VALUE if value is None else PRESENT
        found[name] = (value, status, None if newest_event is None else instant(newest_event))
    return found
