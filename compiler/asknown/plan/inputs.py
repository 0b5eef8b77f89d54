"""Inputs of on-demand views among the spine's columns: which column, and whether its values convert (rule 8)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from asknown.errors import AsknownError, did_you_mean
from asknown.plan.nodes import AsOfJoin, Derived, Extended, Plan, Spine, SpineValue, TrailingWindow
from asknown.types import Column, Kind, SqlType

Conversion = Literal["same", "widens", "checked"]
"""How values become those of another type: as they are; without any loss; or without one if each value allows it."""

_MOST_EXACT = 15  # digits of a decimal that a double surely tells apart


def conversion(given: SqlType, wanted: SqlType) -> Conversion | None:
    """How values of the type ``given`` become values of the type ``wanted``; None if they never do."""
    if given == wanted:
        return "same"
    if given.name.strip('"') == "NULL":
        return "widens"
    choose = _CONVERSIONS.get((given.kind, wanted.kind))
    return None if choose is None else choose(given, wanted)


def _fits(given: SqlType, wanted: SqlType) -> Conversion:
    (low, high), (least, most) = _range(given), _range(wanted)
    return "widens" if least <= low and high <= most and given.scale <= wanted.scale else "checked"


def _range(kind: SqlType) -> tuple[int, int]:
    """The least and the greatest whole number of an integer or decimal type."""
    most: int = 10 ** (kind.precision - kind.scale) - 1
    return kind.bounds if kind.kind == "integer" else (-most, most)


def _lists(given: SqlType, wanted: SqlType) -> Conversion | None:
    assert given.element is not None
    assert wanted.element is not None
    inside = conversion(given.element, wanted.element)
    return inside if inside in ("same", "widens") else None


_CONVERSIONS: dict[tuple[Kind, Kind], Callable[[SqlType, SqlType], Conversion | None]] = {
    ("integer", "integer"): _fits,
    ("integer", "decimal"): _fits,
    ("decimal", "decimal"): _fits,
    ("integer", "float"): lambda given, _: "widens" if given.bits <= 32 else "checked",
    ("float", "integer"): lambda *_: "checked",
    ("decimal", "integer"): lambda *_: "checked",
    ("decimal", "float"): lambda given, _: "checked" if given.precision <= _MOST_EXACT else None,
    ("float", "float"): lambda given, wanted: "widens" if given.bits <= wanted.bits else None,
    ("date", "timestamp"): lambda *_: "widens",
    ("timestamptz", "timestamp"): lambda *_: "widens",
    ("list", "list"): _lists,
}


def spine_input(spine: Spine, view: str, wanted: Column) -> SpineValue:
    """The spine's column that is an input of the on-demand view ``view``. Raises ``request-input`` if there is none."""
    exact = {column.name: column for column in spine.columns}
    folded = {column.name.casefold(): column for column in spine.columns}
    column = exact.get(wanted.name) or folded.get(wanted.name.casefold())
    if column is None:
        raise AsknownError(
            "request-input",
            f"the spine has no column '{wanted.name}', an input ({wanted.type}) of on-demand view '{view}'",
            hint=f"add it to the spine; {did_you_mean(wanted.name, exact, what='its columns')}",
        )
    if spine.bounds.rows != 0 and conversion(column.type, wanted.type) is None:  # an empty CSV has no types
        raise AsknownError(
            "request-input",
            f"the spine's '{column.name}' is {column.type}, and the input of on-demand view '{view}' is {wanted.type}",
            hint=f"cast the spine's column to {wanted.type}",
        )
    return SpineValue(column, wanted.type)


def unread_columns(plan: Plan) -> list[str]:
    """The names of the spine's columns that no step reads, if on-demand features read some; else none.

    One of them may be a misspelt input that a feature has stopped reading.
    """
    on_demand = [step for step in plan.steps if isinstance(step, Derived) and step.feature is not None]
    inputs = {
        value.column.name for step in on_demand for value in step.inputs.values() if isinstance(value, SpineValue)
    }
    extended = [value for step in plan.steps if isinstance(step, Extended) for _, value in step.columns]
    inputs |= {value.column.name for value in extended if isinstance(value, SpineValue)}
    keys = {key.name for step in plan.steps if isinstance(step, AsOfJoin | TrailingWindow) for key in step.keys}
    read = inputs | keys | {plan.spine.instant.name}
    return [column.name for column in plan.spine.columns if column.name not in read] if inputs else []
