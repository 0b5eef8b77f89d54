"""Compares two values of one type as the engine does, for rows that tie in every time (rule 3).

SQLite orders the stored form of most types as the engine does: whole numbers by value, text by its UTF-8 bytes, times
by their fixed format. The other types are decoded and compared here.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from functools import cmp_to_key
from math import copysign, isnan
from typing import Any

from asknown.types import Kind, SqlType

Compare = Callable[[Any, Any], int]
Key = Callable[[Any], Any]

_NESTED: frozenset[Kind] = frozenset({"list", "struct", "other"})


def comparison(kind: SqlType) -> Compare:
    """A comparison of two decoded values, neither None. It returns a number below, equal to or above 0."""
    if kind.kind == "list" and kind.element is not None:
        element = _null_greatest(comparison(kind.element))
        return lambda left, right: _compare_all(element, left, right)
    if kind.kind == "struct":
        parts = [(name, _null_greatest(comparison(t))) for name, t in kind.fields]
        return lambda left, right: next((c for n, f in parts if (c := f(left[n], right[n]))), 0)
    if kind.kind == "float":
        return _compare_floats
    if kind.kind == "text":
        return _enum_comparison(kind) if kind.is_enum else _compare_text
    if kind.kind == "uuid":
        return lambda left, right: _compare(left.int, right.int)
    return _compare


def sort_key(kind: SqlType) -> Key | None:
    """The sort key that gives the engine's order and ignores the sign of zero; None if Python's order is the same."""
    if kind.kind == "float":
        return _float_key
    if kind.kind in _NESTED or kind.is_enum:
        return cmp_to_key(comparison(kind))
    return None


def sorter(kind: SqlType) -> Callable[[Iterable[Any]], list[Any]]:
    """The function that sorts values of this type as :func:`sort_key` says. It compares floats without a key."""
    if kind.kind == "float":
        return _sort_floats
    key = sort_key(kind)
    return lambda values: sorted(values, key=key)


def _sort_floats(values: Iterable[float]) -> list[float]:
    numbers: list[float] = []
    not_numbers: list[float] = []
    for value in values:
        (numbers if value == value else not_numbers).append(value)  # noqa: PLR0124
    numbers.sort()
    return numbers + not_numbers


def total_key(kind: SqlType) -> Key | None:
    """The sort key of the total order, in which no two different values tie."""
    return cmp_to_key(comparison(kind)) if kind.kind == "float" else sort_key(kind)


def _float_key(value: float) -> tuple[bool, float]:
    return (True, 0.0) if value != value else (False, value)  # noqa: PLR0124


def _compare(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)


def _compare_text(left: str, right: str) -> int:
    return _compare(left.encode(), right.encode())


def _compare_floats(left: float, right: float) -> int:
    """Compares numbers by value. -0.0 equals 0.0; NaN equals itself and is the greatest."""
    if isnan(left) or isnan(right):
        return isnan(left) - isnan(right)
    return _compare(left, right)


def signs_last(compare: Compare) -> Compare:
    """As ``compare``, but if two values differ only in the sign of zero, the negative one is less."""

    def compare_to_the_bit(left: Any, right: Any) -> int:
        return compare(left, right) or _compare(_signs(left), _signs(right))

    return compare_to_the_bit


def _signs(value: Any) -> list[float]:
    match value:
        case float():
            return [0.0 if isnan(value) else copysign(1.0, value)]
        case list():
            return [sign for element in value for sign in _signs(element)]
        case dict():
            return [sign for element in value.values() for sign in _signs(element)]
    return []


def _compare_all(element: Compare, left: list[Any], right: list[Any]) -> int:
    for pair in zip(left, right, strict=False):
        if order := element(*pair):
            return order
    return _compare(len(left), len(right))


def _null_greatest(compare: Compare) -> Compare:
    """Compares with NULL as the greatest value, as the engine does inside lists and structs, though not in columns."""

    def compare_nullable(left: Any, right: Any) -> int:
        if left is None or right is None:
            return (left is None) - (right is None)
        return compare(left, right)

    return compare_nullable


def _enum_comparison(kind: SqlType) -> Compare:
    """Compares members of an ENUM by the order in which they were declared."""
    members = [m.replace("''", "'") for m in re.findall(r"'((?:[^']|'')*)'", kind.name)]
    rank = {member: place for place, member in enumerate(members)}
    return lambda left, right: _compare(rank.get(left, -1), rank.get(right, -1))
