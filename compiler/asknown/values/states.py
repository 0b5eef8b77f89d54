"""States: what stands for many values of a window, so that most of them need not be read again.

A state is the number of the values and a few values that stand in for them: for a sum, doubles whose exact sum is the
same; for an extreme, the extreme. Put beside further values they give the aggregate of all, exactly and rounded once.
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
"""From values, stand-ins among them, and the number of all values that they are, to the aggregate."""

_KINDS: frozenset[Kind] = frozenset({"boolean", "integer", "float", "decimal", "text"})


@dataclass(frozen=True)
class State:
    """Which values, and what is kept of them. Calls of one state differ in their frames, or are sum and avg."""

    family: str
    value: str | None
    condition: str | None


def keeps_state(family: str, kind: SqlType | None) -> bool:
    """Whether values of this type have states of this family."""
    if kind is not None and not packs(kind):
        return False
    return family == "count" or (kind is not None and kind.kind in _KINDS and not kind.is_enum)


def packs(kind: SqlType) -> bool:
    """Whether values of this type are in the tiles: JSON has no bytes."""
    return kind.kind != "blob"


def condense(family: str, kind: SqlType | None, values: Values) -> list[Any]:
    """The values that stand in for these. OverflowError where no doubles can, because their sum is too large."""
    if family == "count" or kind is None or not values:
        return []
    if family == "sum" and kind.kind == "float":
        return _condense_floats(values)
    return [finalizer(family, kind)(values)]


def merger(name: str, kind: SqlType | None) -> Merge:
    """The function that finishes an aggregate, named by its finalizer, from stand-ins of some values."""
    if name == "count" or kind is None:
        return lambda values, count: count
    if name == "avg":
        return {"float": mean_floats, "decimal": mean_decimals}.get(kind.kind, mean_integers)
    finalize = finalizer(name, kind)
    return lambda values, count: finalize(values)


def spell(value: Any) -> Any:
    """A stand-in as JSON keeps it."""
    return str(value) if isinstance(value, Decimal) else value


def reader_of(kind: SqlType | None) -> Callable[[Any], Any] | None:
    """The function from a spelled stand-in back to the value, or None where they are the same."""
    return Decimal if kind is not None and kind.kind == "decimal" else None


def _condense_floats(values: Values) -> list[float]:
    """Doubles whose exact sum is that of the values."""
    try:
        first, *others = float_parts(values)
    except ValueError:
        return [math.nan]
    return [first + 0.0, *others]
