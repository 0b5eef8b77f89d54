"""Compares what a unit test expects with what came out, value by value."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

Row = Mapping[str, Any]


def differences(end: str, expected: Sequence[Row], found: Sequence[Row], approx: float | None) -> list[str]:
    """One line for each expected value that ``end`` does not have; the rows of both stand in the same order."""
    if len(expected) != len(found):
        return [f"{end}: {len(found)} rows, expected {len(expected)}"]
    return [
        f"{end}: row {number}: {name} is {shown(row[name])}, expected {shown(value)}"
        for number, (wanted, row) in enumerate(zip(expected, found, strict=True), start=1)
        for name, value in wanted.items()
        if not same(value, row[name], approx)
    ]


def unordered_differences(expected: Sequence[Row], found: Sequence[Row], approx: float | None) -> list[str]:
    """As :func:`differences`, of rows that may come in any order: those of a model."""
    places, left = _matches(expected, found, approx)
    missing = [row for row, place in zip(expected, places, strict=True) if place is None]
    lines = [f"expected, and not there: {shown_row(row)}" for row in missing]
    return lines + [f"there, and not expected: {shown_row(found[place])}" for place in left]


def matched(expected: Sequence[Row], found: Sequence[Row], approx: float | None) -> list[Row]:
    """The rows that were found, each in the place of the expected row that it is; the others fill up the gaps."""
    places, left = _matches(expected, found, approx)
    rest = iter(left)
    filled = [next(rest, None) if place is None else place for place in places]
    return [found[place] for place in (*filled, *rest) if place is not None]


def _matches(
    expected: Sequence[Row], found: Sequence[Row], approx: float | None
) -> tuple[list[int | None], Sequence[int]]:
    """(the place in ``found`` of each expected row, None where it is not there; the places that are left)."""
    left = list(range(len(found)))
    places: list[int | None] = []
    for wanted in expected:
        fits = (i for i in left if all(same(v, found[i][name], approx) for name, v in wanted.items()))
        place = next(fits, None)
        if place is not None:
            left.remove(place)
        places.append(place)
    return places, left


def is_vacuous(expected: Sequence[Row]) -> bool:
    """Whether a result in which every feature is NULL would be as expected, too."""
    return all(value is None for row in expected for value in row.values())


def same(expected: Any, found: Any, approx: float | None) -> bool:
    """Whether two values are not distinct. NULL is NULL and NaN is NaN; lists and structs compare by their parts."""
    expected, found = plain(expected), plain(found)
    match expected, found:
        case float(), float():
            if math.isnan(expected) or math.isnan(found):
                return math.isnan(expected) and math.isnan(found)
            return expected == found or (approx is not None and math.isclose(expected, found, rel_tol=approx))
        case list(), list():
            return len(expected) == len(found) and all(map(lambda a, b: same(a, b, approx), expected, found))
        case dict(), dict():
            return expected.keys() == found.keys() and all(same(v, found[k], approx) for k, v in expected.items())
    return type(expected) is type(found) and bool(expected == found)


def plain(value: Any) -> Any:
    """A value without what differs between the ends: an instant is naive, in UTC."""
    if isinstance(value, datetime) and value.tzinfo is not None:
        return value.astimezone(UTC).replace(tzinfo=None)
    return list(value) if isinstance(value, tuple) else value


def shown(value: Any) -> str:
    """A value for people."""
    value = plain(value)
    return "NULL" if value is None else repr(value) if isinstance(value, str | float) else str(value)


def shown_row(row: Row) -> str:
    return ", ".join(f"{name}: {shown(value)}" for name, value in row.items())
