"""What each feature must be, by plain loops over the rows that a card has. Imports nothing of asknown.

``rows`` are the rows of one card that are visible at ``t``, in the order of time; of ties, in the order of NULLs first
and then the values of what a feature is about.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from statistics import median as middle
from typing import Any
from zoneinfo import ZoneInfo

Row = dict[str, Any]
Loop = Callable[[list[Row], datetime], Any]


def days(number: float) -> timedelta:
    return timedelta(days=number)


EVER = days(36_500)


def inside(
    rows: list[Row], t: datetime, length: timedelta, delay: timedelta = timedelta(0), closed: str = "both"
) -> list[Row]:
    """The rows of a window."""
    low, high = t - delay - length, t - delay
    return [
        row for row in rows
        if (low < row["ts"] if closed == "right" else low <= row["ts"])
        and (row["ts"] < high if closed == "left" else row["ts"] <= high)
    ]  # fmt: skip


def began(t: datetime, unit: str, zone: str = "UTC") -> datetime:
    """When the hour, day, … of ``t`` began, as the clocks of a zone show it: found by going back minute by minute."""
    own = ZoneInfo(zone)

    def shown(at: datetime) -> tuple[int, ...]:
        local = at.replace(tzinfo=UTC).astimezone(own)
        year, week, _ = local.isocalendar()
        return {
            "hour": (local.year, local.month, local.day, local.hour), "day": (local.year, local.month, local.day),
            "week": (year, week), "month": (local.year, local.month),
            "quarter": (local.year, (local.month - 1) // 3), "year": (local.year,),
        }[unit]  # fmt: skip

    step, begin = timedelta(hours=6), t.replace(second=0, microsecond=0)
    while shown(begin - step) == shown(t):
        begin -= step
    while shown(begin - timedelta(minutes=1)) == shown(t):
        begin -= timedelta(minutes=1)
    return begin


def this(rows: list[Row], t: datetime, unit: str, zone: str = "UTC") -> list[Row]:
    """The rows of this hour, day, …, up to now."""
    return [row for row in rows if began(t, unit, zone) <= row["ts"] <= t]


def previous(rows: list[Row], t: datetime, unit: str, zone: str = "UTC") -> list[Row]:
    """The rows of the whole hour, day, … before this one."""
    end = began(t, unit, zone)
    return [row for row in rows if began(end - timedelta(microseconds=1), unit, zone) <= row["ts"] < end]


def ordered(rows: list[Row], column: str, known: bool = False) -> list[Any]:
    """The values of a column that are not NULL, in the order of time, ties by value."""
    there = [row for row in rows if row[column] is not None]
    return [r[column] for r in sorted(there, key=lambda r: (r["ts"], r["known"] if known else 0, r[column]))]


def values(rows: list[Row], column: str) -> list[Any]:
    return [row[column] for row in rows if row[column] is not None]


def newest(rows: list[Row], column: str) -> Any:
    """The value of the newest row; of tied rows, the greatest, and NULL is the least."""
    if not rows:
        return None
    last = max(row["ts"] for row in rows)
    tied = values([row for row in rows if row["ts"] == last], column)
    return max(tied) if tied else None


def mean(numbers: list[Any]) -> float | None:
    """The mean, rounded once."""
    return float(sum(map(Fraction, numbers)) / len(numbers)) if numbers else None


def total(rows: list[Row], column: str) -> Any:
    """The sum of whole numbers."""
    return sum(values(rows, column)) if values(rows, column) else None


def added(numbers: list[float]) -> float | None:
    return math.fsum(numbers) + 0.0 if numbers else None


def decayed(pairs: list[tuple[datetime, float | None]], t: datetime, half: timedelta) -> float | None:
    """The sum of values that lose half of their weight in each half life, in periods of 32 of them."""
    micro = timedelta(microseconds=1)
    length, period = half // micro, 32 * (half // micro)

    def at(moment: datetime) -> tuple[int, int]:
        return divmod((moment - datetime(1970, 1, 1)) // micro, period)

    number, since = at(t)
    parts = []
    for back in (0, 1):
        own = [(at(ts)[1], x) for ts, x in pairs if at(ts)[0] == number - back and x is not None]
        total = added([x * 2.0 ** (place / length) for place, x in own])
        if total is not None:
            parts.append(total * 2.0 ** (-(since + back * period) / length))
    return parts[0] + parts[1] if len(parts) == 2 else next(iter(parts), None)


def flags(rows: list[Row], met: Callable[[Row], bool | None]) -> list[bool]:
    """Whether each row meets a condition; of ties, those that do not first."""
    marked = sorted((row["ts"], met(row) is True) for row in rows)
    return [flag for _, flag in marked]


def streak(marks: list[bool]) -> int:
    run = 0
    for flag in reversed(marks):
        if not flag:
            break
        run += 1
    return run


def longest(marks: list[bool]) -> int:
    best = run = 0
    for flag in marks:
        run = run + 1 if flag else 0
        best = max(best, run)
    return best


def since(marks: list[bool]) -> int | None:
    for back, flag in enumerate(reversed(marks)):
        if flag:
            return back
    return None


def drawdown(numbers: list[float]) -> float | None:
    if not numbers:
        return None
    peak, fall = numbers[0], 0.0
    for number in numbers:
        fall = max(fall, peak - number)
        peak = max(peak, number)
    return fall


def session(rows: list[Row], gap: timedelta) -> Row | None:
    times = sorted(row["ts"] for row in rows)
    if not times:
        return None
    start = len(times) - 1
    while start and times[start] - times[start - 1] <= gap:
        start -= 1
    return {"start": times[start], "newest": times[-1], "n": len(times) - start}


def last_distinct(found: list[Any], k: int) -> list[Any] | None:
    kept: list[Any] = []
    for value in reversed(found):
        if value not in kept:
            kept.append(value)
    return kept[:k][::-1] or None


def most_frequent(found: list[Any], k: int) -> list[Any] | None:
    return [value for value, _ in sorted(Counter(found).items(), key=lambda pair: (-pair[1], pair[0]))[:k]] or None


def histogram(found: list[Any]) -> list[Row] | None:
    return [{"key": value, "value": count} for value, count in sorted(Counter(found).items())] or None


def entropy(found: list[Any]) -> float:
    shares = [count / len(found) for count in Counter(found).values()]
    return -math.fsum(share * math.log2(share) for share in shares)


def deviation(numbers: list[float]) -> float | None:
    if len(numbers) < 2:
        return None
    about = mean(numbers)
    assert about is not None
    return math.sqrt(math.fsum((x - about) ** 2 for x in numbers) / (len(numbers) - 1))


def median(numbers: list[Any]) -> float | None:
    return float(middle(numbers)) if numbers else None


def over(above: Any, below: Any) -> float | None:
    """A quotient; NULL of NULL, and by 0."""
    return None if above is None or not below else above / below


def gaps(rows: list[Row]) -> list[Row]:
    """The rows with the seconds since the row before, in the order of time."""
    ordered_rows = sorted(rows, key=lambda row: row["ts"])
    pairs = zip([None, *ordered_rows], ordered_rows, strict=False)
    return [{**row, "gap": None if b is None else (row["ts"] - b["ts"]).total_seconds()} for b, row in pairs]


def slope(pairs: list[tuple[Any, Any]]) -> float | None:
    """The slope of y by x over pairs (y, x) that have both."""
    whole = [(Fraction(y), Fraction(x)) for y, x in pairs if y is not None and x is not None]
    if not whole:
        return None
    y, x = (sum(pair[place] for pair in whole) / len(whole) for place in (0, 1))
    spread = sum((b - x) ** 2 for _, b in whole)
    return float(sum((a - y) * (b - x) for a, b in whole) / spread) if spread else None


def skewness(found: list[Any]) -> float | None:
    """The skewness of a sample."""
    numbers = [Fraction(value) for value in found]
    n = len(numbers)
    if n < 3:
        return None
    mean = sum(numbers) / n
    two, three = (sum((value - mean) ** power for value in numbers) / n for power in (2, 3))
    return math.sqrt(n * (n - 1)) / (n - 2) * float(three) / float(two) ** 1.5 if two else None
