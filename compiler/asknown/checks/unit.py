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
    left = list(found)
    missing = []
    for wanted in expected:
        fits = (i for i, row in enumerate(left) if all(same(v, row[name], approx) for name, v in wanted.items()))
        place = next(fits, None)
        if place is None:
            missing.append(wanted)
        else:
            left.pop(place)
    lines = [f"expected, and not there: {shown_row(row)}" for row in missing]
    return lines + [f"there, and not expected: {shown_row(row)}" for row in left]


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
