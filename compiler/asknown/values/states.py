"""Partial states of aggregates, which stand for many values of a window, so that a read needs few of the values.

A state is a count and a few stand-ins for the values: for a sum, doubles with the same exact sum; for an extreme, the
extreme. An aggregate over stand-ins and further values equals the aggregate over all values, exactly and rounded once.
The standard library only: the reader imports this.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from asknown.types import Kind, SqlType
from asknown.values.aggregates import finalizer
from asknown.values.sums import Values, float_parts, mean_decimals, mean_floats, mean_integers

Merge = Callable[[Values, int], Any]
"""Takes values, stand-ins among them, and the number of values they stand for; returns the aggregate."""

_KINDS: frozenset[Kind] = frozenset({"boolean", "integer", "float", "decimal", "text"})


@dataclass(frozen=True)
class State:
    """The values that a state summarizes, and how. Calls that share one differ only in frame, or are sum and avg."""

    family: str
    value: str | None
    condition: str | None


def keeps_state(family: str, kind: SqlType | None) -> bool:
    """Whether values of this type have states of this family."""
    if kind is not None and not packs(kind):
        return False
    return family == "count" or (kind is not None and kind.kind in _KINDS and not kind.is_enum)


def packs(kind: SqlType) -> bool:
    """Whether tiles can hold values of this type. They are JSON, which has no bytes."""
    return kind.kind != "blob"


def condense(family: str, kind: SqlType | None, values: Values) -> list[Any]:
    """The stand-ins for these values. Raises OverflowError if the sum is too large for any doubles."""
    if family == "count" or kind is None or not values:
        return []
    if family == "sum" and kind.kind == "float":
        return _condense_floats(values)
    return [finalizer(family, kind)(values)]


def merger(name: str, kind: SqlType | None) -> Merge:
    """The function that computes an aggregate from values and stand-ins. ``name`` is that of its finalizer."""
    if name == "count" or kind is None:
        return lambda values, count: count
    if name == "avg":
        return {"float": mean_floats, "decimal": mean_decimals}.get(kind.kind, mean_integers)
    finalize = finalizer(name, kind)
    return lambda values, count: finalize(values)


def spell(value: Any) -> Any:
    """A stand-in as it is written in JSON."""
    return str(value) if isinstance(value, Decimal) else value


def reader_of(kind: SqlType | None) -> Callable[[Any], Any] | None:
    """The function that reads a stand-in from JSON; None if no conversion is needed."""
    return Decimal if kind is not None and kind.kind == "decimal" else None


def _condense_floats(values: Values) -> list[float]:
    """Doubles whose exact sum is that of the values."""
    try:
        first, *others = float_parts(values)
    except ValueError:
        return [math.nan]
    return [first + 0.0, *others]
