"""Functions of lists in expressions, as DuckDB has them. Positions count from 1, and negative ones from the end.

A function that an author writes, ``lambda x_: …``, arrives here as a Python function of the values of its parameters.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from asknown.types import SqlType
from asknown.values.aggregates import finalizer
from asknown.values.errors import EvaluationError
from asknown.values.order import sorter
from asknown.values.sums import sum_decimals, sum_floats, sum_integers

LARGEST_ADDED = 2.0**960
"""Doubles in a list are added if they are smaller. No sum of them is beyond a double, whatever the order."""

List = list[Any]
Function = Callable[..., Any]


def element(values: List, place: int) -> Any:
    """The element at a place; NULL where there is none."""
    if place > 0:
        return values[place - 1] if place <= len(values) else None
    return values[place] if place < 0 and -place <= len(values) else None


def part(values: List, first: int, last: int) -> List:
    """The elements from one place to another, both included."""
    start = max(first + len(values) + 1 if first < 0 else first, 1)
    end = last + len(values) + 1 if last < 0 else last
    return values[start - 1 : max(end, 0)]


def joined(values: List, more: List) -> List:
    """The elements of two lists."""
    return [*values, *more]


def flattened(lists: List) -> List:
    """The elements of lists in a list, of which NULLs are left out."""
    return [value for values in lists if values is not None for value in values]


def reverse(values: List) -> List:
    """The elements from the last to the first."""
    return values[::-1]


def position(kind: SqlType) -> Function:
    """The function that finds the first place of a value in lists of this type. It finds NULL too."""
    assert kind.element is not None
    ranked = _ranked(kind.element)

    def find(parts: List) -> int | None:
        values, value = parts
        if values is None:
            return None
        sought = ranked(value)
        return next((place for place, other in enumerate(values, start=1) if ranked(other) == sought), None)

    return find


def _ranked(kind: SqlType) -> Function:
    """A function from a value to one that Python compares as the engine compares the value."""
    if kind.kind != "float":
        return lambda value: value
    return lambda value: "nan" if value is not None and value != value else value  # noqa: PLR0124


def sort(kind: SqlType) -> Function:
    """The function that sorts lists of this type: ascending, NULLs last, zeros without a sign."""
    assert kind.element is not None
    ordered = sorter(kind.element)
    is_float = kind.element.kind == "float"

    def ascending(values: List) -> List:
        there = ordered(value for value in values if value is not None)
        return [*(value + 0.0 if is_float else value for value in there), *[None] * (len(values) - len(there))]

    return ascending


def extreme(name: str, kind: SqlType) -> Function:
    """The function that finds the ``min`` or ``max`` in lists of this type; NULLs are left out."""
    finish = finalizer(name, kind.element)
    return lambda values: finish([value for value in values if value is not None])


def total(kind: SqlType, result: SqlType) -> Function:
    """The function that adds the elements of lists of this type: whole numbers or decimals."""
    assert kind.element is not None
    add: Function = sum_decimals if kind.element.kind == "decimal" else sum_integers
    most = 10 ** (result.precision - result.scale) if result.kind == "decimal" else result.bounds[1] + 1

    def added(values: List) -> Any:
        found = add([value for value in values if value is not None])
        if found is not None and not -most < found < most:
            raise EvaluationError(f"the sum of a list is out of the range of {result}")
        return found

    return added


def total_of_doubles(values: List) -> float | None:
    """The exact sum of doubles, rounded once (rule 5); NULLs are left out."""
    there = [value for value in values if value is not None]
    if any(math.isfinite(value) and abs(value) >= LARGEST_ADDED for value in there):
        raise EvaluationError("list_sum() of a double from 2^960 on")
    return sum_floats(there)


def transformed(values: List, function: Function) -> List:
    """The function's value for each element."""
    return [function(value) for value in values]


def transformed_by_place(values: List, function: Function) -> List:
    """The function's value for each element and its place."""
    return [function(value, place) for place, value in enumerate(values, start=1)]


def filtered(values: List, function: Function) -> List:
    """The elements of which the function is true."""
    return [value for value in values if function(value)]


def filtered_by_place(values: List, function: Function) -> List:
    """The elements of which, with their places, the function is true."""
    return [value for place, value in enumerate(values, start=1) if function(value, place)]


def reduced(values: List, function: Function) -> Any:
    """The elements combined from the left; of no elements, an error."""
    if not values:
        raise EvaluationError("list_reduce() of an empty list without a start value")
    found = values[0]
    for value in values[1:]:
        found = function(found, value)
    return found


def reduced_from(parts: List) -> Any:
    """The elements combined from the left with a start value, which is the last part and may be NULL."""
    values, function, found = parts
    if values is None:
        return None
    for value in values:
        found = function(found, value)
    return found


def struct(parts: List) -> dict[str, Any]:
    """The struct of the parts, which are the fields' names and values in turn."""
    return dict(zip(parts[::2], parts[1::2], strict=True))
