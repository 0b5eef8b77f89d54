"""Computes aggregates that depend on the order of the values, from parts of a window that follow each other.

The reader imports this module, so it needs the standard library alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from asknown.types import SqlType
from asknown.values.order import sort_key
from asknown.values.sums import Values

Pick = Callable[[Values], Sequence[int] | None]
"""Takes values in order; returns the places of those that still matter, whatever comes before or after them, in order.
None where all of them may matter."""

# ---------------------------------------------------------------- runs of a condition


@dataclass(frozen=True)
class Runs:
    """The runs of true among truth values in order.

    ``rows`` counts them all, ``leading`` and ``trailing`` the true ones at either end, ``longest`` those of the longest
    run, and ``after`` the rows after the last true one; None where none is true.
    """

    rows: int = 0
    leading: int = 0
    trailing: int = 0
    longest: int = 0
    after: int | None = None

    def then(self, newer: Runs) -> Runs:
        """The runs of these rows and newer ones."""
        after = None if self.after is None else self.after + newer.rows
        return Runs(
            self.rows + newer.rows,
            self.leading if self.leading < self.rows else self.rows + newer.leading,
            newer.trailing if newer.trailing < newer.rows else newer.rows + self.trailing,
            max(self.longest, newer.longest, self.trailing + newer.leading),
            after if newer.after is None else newer.after,
        )


def runs_of(flags: Values) -> Runs:
    """The runs of these truth values."""
    ends = [place for place, flag in enumerate(flags) if not flag]
    if not ends:
        count = len(flags)
        return Runs(count, count, count, count, 0 if count else None)
    lengths = [end - begin - 1 for begin, end in zip([-1, *ends], [*ends, len(flags)], strict=True)]
    after = next((place for place, flag in enumerate(reversed(flags)) if flag), None)
    return Runs(len(flags), lengths[0], lengths[-1], max(lengths), after)


FINISH_RUNS: dict[str, Callable[[Runs], int | None]] = {
    "streak": lambda runs: runs.trailing,
    "longest_streak": lambda runs: runs.longest,
    "since": lambda runs: runs.after,
}
"""The aggregates that are computed from runs."""

# ---------------------------------------------------------------- the last session


@dataclass(frozen=True)
class Session:
    """The last session among times in order: it began at ``start`` and has so many ``rows``.

    ``first`` and ``last`` are the first and the last of all the times.
    """

    first: datetime
    last: datetime
    start: datetime
    rows: int
    whole: bool  # whether all the times are of the session

    def then(self, newer: Session, gap: timedelta) -> Session:
        """The last session of these times and newer ones."""
        if not newer.whole or newer.first - self.last > gap:
            return Session(self.first, newer.last, newer.start, newer.rows, whole=False)
        return Session(self.first, newer.last, self.start, self.rows + newer.rows, self.whole)


def session_of(times: Values, gap: timedelta) -> Session | None:
    """The last session of these times, of which each comes at most ``gap`` after the one before; None of no times."""
    if not times:
        return None
    begin = len(times) - 1
    while begin and times[begin] - times[begin - 1] <= gap:
        begin -= 1
    return Session(times[0], times[-1], times[begin], len(times) - begin, whole=not begin)


def finish_session(session: Session | None) -> dict[str, Any] | None:
    """The struct that a model has of a session."""
    return None if session is None else {"start": session.start, "newest": session.last, "n": session.rows}


# ---------------------------------------------------------------- aggregates that a few of the values decide


def place_of_extreme(order: SqlType, *, greatest: bool) -> Callable[[Values], int]:
    """The function that finds the place of the pair (value, order) with the extreme order; the last of equal ones."""
    key = sort_key(order)

    def find(pairs: Values) -> int:
        by = [y for _, y in pairs] if key is None else [key(y) for _, y in pairs]
        return len(by) - 1 - by[::-1].index(max(by) if greatest else min(by))

    return find


def places_of_extremes(kind: SqlType, most: int, *, greatest: bool) -> Callable[[Values], list[int]]:
    """The function that finds the places of the extreme values, most extreme first; of equal ones the last is first."""
    key = sort_key(kind)

    def find(values: Values) -> list[int]:
        by = values if key is None else [key(value) for value in values]
        backwards = range(len(by) - 1, -1, -1)
        return sorted(backwards, key=by.__getitem__, reverse=greatest)[:most]

    return find


def drawdown(values: Values) -> float | None:
    """The greatest fall from a value to a later one; 0.0 where none is less than one before it."""
    if not values:
        return None
    peak, fall = values[0], 0.0
    for value in values[1:]:
        fall = _greater(fall, peak - value)
        peak = _greater(peak, value)
    return fall


def _greater(one: float, other: float) -> float:
    """The greater of two numbers; NaN is the greatest."""
    return other if other != other or other > one else one  # noqa: PLR0124


def last_distinct(values: Values, most: int) -> list[Any] | None:
    """The values that occurred last, each once, the newest last."""
    return [values[place] for place in _last_occurrences(values, most)] or None


def _last_occurrences(values: Values, most: int) -> list[int]:
    """The places where the last ``most`` different values occurred last."""
    seen: set[Any] = set()
    places = []
    for place in range(len(values) - 1, -1, -1):
        value = values[place]
        if value != value:  # noqa: PLR0124
            value = math.nan  # all NaNs are this one
        if value not in seen:
            seen.add(value)
            places.append(place)
            if len(places) == most:
                break
    return places[::-1]


def _of_falls(values: Values) -> list[int] | None:
    """The peak and the low of the greatest fall, the greatest and the least value. None where one is not finite."""
    if not all(map(math.isfinite, values)):
        return None
    if not values:
        return []
    peak, fall, found = 0, 0.0, (0, 0)
    for place in range(1, len(values)):
        if values[peak] - values[place] > fall:
            fall, found = values[peak] - values[place], (peak, place)
        if values[place] > values[peak]:
            peak = place
    return sorted({*found, peak, values.index(min(values))})


def picker(family: str, order: SqlType | None, number: int) -> Pick:
    """The function that picks the values that can still matter to an aggregate of this family.

    ``number`` is how many values it returns, ``order`` the type of the column that decides: the second of two.
    """
    match family:
        case "first":
            return lambda values: range(min(1, len(values)))
        case "last":
            return lambda values: range(max(0, len(values) - 1), len(values))
        case "first_k":
            return lambda values: range(min(number, len(values)))
        case "last_k":
            return lambda values: range(max(0, len(values) - number), len(values))
        case "last_distinct":
            return lambda values: _last_occurrences(values, number)
        case "drawdown":
            return _of_falls
    assert order is not None, f"{family} has a column that decides"
    if family in ("max_k", "min_k"):
        extremes = places_of_extremes(order, number, greatest=family == "max_k")
        return lambda values: sorted(extremes(values))
    if family in ("arg_max_k", "arg_min_k"):
        extremes = places_of_extremes(order, number, greatest=family == "arg_max_k")
        return lambda pairs: sorted(extremes([y for _, y in pairs]))
    find = place_of_extreme(order, greatest=family == "arg_max")
    return lambda pairs: [find(pairs)] if pairs else []
