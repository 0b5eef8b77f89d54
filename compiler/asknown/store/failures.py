"""Finds the on-demand feature and the row of the spine for which a training query stopped (rule 12).

An engine says what it could not compute, and not where. The query runs once more without the on-demand features, and
the reader's evaluator computes them row by row up to the first that fails.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from asknown.errors import AsknownError
from asknown.instants import read_instant
from asknown.plan.nodes import (
    Derived,
    DerivedValue,
    Fetched,
    Listed,
    LookedUp,
    Output,
    Plan,
    SpineInstant,
    SpineValue,
    Value,
)
from asknown.types import Column, SqlType
from asknown.values.errors import EvaluationError

if TYPE_CHECKING:
    import pyarrow as pa

_LONGEST = 60  # characters of a value in a message


def is_on_demand(plan: Plan) -> bool:
    """Whether a plan computes on-demand features."""
    return any(isinstance(step, Derived) and step.feature is not None for step in plan.steps)


def explain_failure(error: AsknownError, plan: Plan, run: Callable[[Plan], pa.RecordBatchReader]) -> AsknownError:
    """The error that names feature, row and values; ``error`` itself if no on-demand feature is the cause."""
    leaves = _Leaves(plan)
    features = [(place, step) for place, step in enumerate(plan.steps) if _is_feature(step)]
    row = 0
    for batch in run(replace(plan, outputs=tuple(leaves.outputs.values()), statuses=())):
        for given in batch.to_pylist():
            row += 1
            if given[plan.spine.instant.name] is None:
                continue
            for place, step in features:
                assert isinstance(step, Derived)
                try:
                    leaves.compute(place, given)
                except EvaluationError as reason:
                    assert step.feature is not None
                    shown = ", ".join(f"{n} = {_show(v)}" for n, v in leaves.values(step, given).items())
                    return AsknownError(
                        "engine",
                        f"feature '{step.model.name}:{step.feature.name}' cannot be computed for row {row} of the "
                        f"spine: {reason}, where {shown}",
                        hint="guard it in the model: try_cast, nullif(x, 0), a wider type; a case is no guard, because "
                        "the engine may compute the other branch",
                    )
    return error


def _with_sources(value: Value) -> Iterator[Value]:
    for source in value.sources if isinstance(value, LookedUp) else ():
        yield from _with_sources(source)
    yield value


def _is_feature(step: object) -> bool:
    return isinstance(step, Derived) and step.feature is not None and step.tree is not None


class _Leaves:
    """The values that the on-demand features of a plan read, as outputs of a query without these features."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        taken = {column.name.casefold() for column in plan.spine.columns}
        self.outputs: dict[int | tuple[int, str], Output] = {}
        for value in self._read():
            name = f"_leaf_{len(self.outputs)}"
            while name in taken:
                name = f"_{name}"
            match value.value if isinstance(value, LookedUp) else value:
                case Fetched(step, column) | Listed(step, column, _):
                    self.outputs.setdefault((step, column.name), Output(name, column, step))
                case DerivedValue(step, kind):
                    self.outputs.setdefault(step, Output(name, Column(name, kind), step))

    def _read(self) -> Iterator[Value]:
        for step in self._plan.steps:
            if isinstance(step, Derived) and step.feature is not None:
                for value in step.inputs.values():
                    if not (isinstance(value, DerivedValue) and _is_feature(self._plan.steps[value.step])):
                        yield from _with_sources(value)

    def compute(self, place: int, row: Mapping[str, Any]) -> Any:
        """The value of an on-demand feature in a row of the query."""
        from asknown.values.expressions import compile_expression  # for failures alone

        step = self._plan.steps[place]
        assert isinstance(step, Derived)
        return compile_expression(step.tree, {})((), self.values(step, row))

    def values(self, step: Derived, row: Mapping[str, Any]) -> dict[str, Any]:
        """The values that a feature reads, by name."""
        return {name: self._value(value, row) for name, value in step.inputs.items()}

    def _value(self, value: Value, row: Mapping[str, Any]) -> Any:
        match value:
            case Fetched(step, column) | Listed(step, column, _):
                return _as_value(row[self.outputs[step, column.name].name], column.type)
            case LookedUp(inner, _, sources):
                missing = any(self._value(source, row) is None for source in sources)
                return None if missing else self._value(inner, row)
            case DerivedValue(step, _) if _is_feature(self._plan.steps[step]):
                return self.compute(step, row)
            case DerivedValue(step, kind):
                return _as_value(row[self.outputs[step].name], kind)
            case SpineValue(column, kind):
                return _as_value(row[column.name], kind)
            case SpineInstant():
                return read_instant(row[self._plan.spine.instant.name], "the spine's instant")
        raise AssertionError(f"no on-demand feature reads {value}")


_CONVERSIONS: Mapping[str, Callable[[Any], Any]] = {"integer": int, "float": float, "decimal": Decimal}


def _as_value(value: Any, kind: SqlType) -> Any:
    """A value of the result as one of its type: Arrow has wide integers as decimals, the spine narrower types."""
    if value is None:
        return None
    if kind.kind == "list" and kind.element is not None:
        return [_as_value(one, kind.element) for one in value]
    if kind.kind == "timestamp" and isinstance(value, date) and not isinstance(value, datetime):
        return datetime(value.year, value.month, value.day)
    if kind.kind == "timestamp" and isinstance(value, datetime):
        return read_instant(value, "an input")
    convert = _CONVERSIONS.get(kind.kind)
    return value if convert is None else convert(value)


def _show(value: Any) -> str:
    shown = "NULL" if value is None else str(value) if isinstance(value, date | Decimal) else repr(value)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
