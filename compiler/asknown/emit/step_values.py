"""Writes the values of a plan's steps as expressions of the query that joins the steps to the spine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import assert_never

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.asof.scope import AsOfScope
from asknown.emit.elements import gathered_list
from asknown.emit.feature_types import fits
from asknown.emit.snippets import cast, snippet
from asknown.emit.sql import all_of, col, instant, not_null
from asknown.emit.translate.define import define
from asknown.emit.translate.items import rewrite_item
from asknown.model.nodes import FeatureView, WindowCall
from asknown.plan.nodes import (
    Derived,
    DerivedValue,
    Fetched,
    Listed,
    LookedUp,
    Plan,
    SpineInstant,
    SpineValue,
    Value,
    WindowValue,
)
from asknown.types import Column, SqlType, parse_type

Joined = dict[int, tuple[str, AsOfScope]]
"""By a step's place in the plan: the alias of its CTE in the final SELECT, and its scope."""

_TIMESTAMP = parse_type("TIMESTAMP")


@dataclass(frozen=True)
class ValueWriter:
    """Writes the expressions of derived steps, over the columns of the CTEs that are joined to the spine ``s``.

    ``gathered`` has, by a step's place in the plan, the alias of a CTE of lists. ``t`` is the spine's instant in its
    canonical form.
    """

    plan: Plan
    joined: Joined
    gathered: dict[int, str]
    s: str
    t: exp.Expr
    dialect: Dialect

    def derived(self, derived: Derived, *conditions: exp.Expr) -> exp.Expr:
        """The expression of a derived step; NULL where one of the ``conditions`` does not hold."""
        value, feature = self._expression(derived), derived.narrowed
        fitting = None if feature is None else fits(self.dialect, value, feature, derived.model)
        checked = [*conditions, *([] if fitting is None else [fitting])]
        return exp.Case(ifs=[exp.If(this=all_of(checked), true=value)]) if checked else value

    def _expression(self, derived: Derived) -> exp.Expr:
        dialect, model = self.dialect, derived.model
        kinds = {name: self._kind(value) for name, value in derived.inputs.items()}
        types = {name.casefold(): kind for name, kind in kinds.items() if kind is not None}
        expression = derived.expression.copy()
        if model.dialect == dialect.sqlglot and (derived.call_types or derived.feature is not None):
            by_name = {name: kind for name, kind in kinds.items() if kind is not None and not name.startswith("@")}
            expression = define(expression, dialect, derived.call_types, by_name)
        feature = None if derived.feature is None else derived.feature.name
        expression = rewrite_item(expression, dialect, model, types, feature)
        inputs = {name.casefold(): value for name, value in derived.inputs.items()}

        def put(node: exp.Expr) -> exp.Expr:
            name = f"@{node.name}" if isinstance(node, exp.Parameter) else node.name.casefold()
            value = inputs.get(name) if isinstance(node, exp.Parameter | exp.Column) else None
            return node if value is None else self.value(value)

        return expression.transform(put)

    def value(self, value: Value) -> exp.Expr:
        """A value that an expression reads: a column of a CTE or of the spine, or another derived expression."""
        match value:
            case Fetched():
                return col(value.column.name, self.joined[value.step][0])
            case WindowValue():
                alias, scope = self.joined[value.step]
                result: exp.Expr = col(scope.call(value.place), alias)
                empty = value.call.aggregate.empty
                return result if empty is None else exp.Coalesce(this=result, expressions=[exp.Literal.number(empty)])
            case SpineValue(column, kind):
                given = col(column.name, self.s)
                if column.type == kind:
                    return given
                if column.type.kind == "timestamptz":
                    return exp.paren(instant(self.dialect, given, column.type))
                return cast(self.dialect, given, kind)
            case SpineInstant():
                timestamp = self.dialect.clock == "timestamp"
                return self.t.copy() if timestamp else snippet(self.dialect, "from_microseconds", x=self.t.copy())
            case LookedUp(inner_value, keys, _):
                there = all_of([not_null(col(key.name, self.s)) for key in keys])
                return exp.paren(exp.Case(ifs=[exp.If(this=there, true=self.value(inner_value))]))
            case Listed(step, column, key):
                return self.listed(step, column.name, key)
            case DerivedValue(step, kind):
                inner = self.plan.steps[step]
                assert isinstance(inner, Derived)
                written = self.derived(inner)
                native = inner.model.dialect == self.dialect.sqlglot and inner.narrowed is None
                return exp.paren(written) if native else cast(self.dialect, written, kind)
        assert_never(value)

    def listed(self, step: int, column: str, key: Column) -> exp.Expr:
        """The values that a lookup by the lists ``key`` found, as a list in each row of the spine."""
        return gathered_list(column, self.gathered[step], col(key.name, self.s), self.dialect)

    def _kind(self, value: Value) -> SqlType | None:
        """A type of the kind that a value has, where that is plain."""
        match value:
            case Fetched(_, column):
                return column.type
            case Listed(_, column, _):
                return column.type
            case LookedUp(inner, _, _):
                return self._kind(inner)
            case WindowValue():
                return _kind_of(value.call, self.joined[value.step][1].view)
            case SpineValue(_, kind) | DerivedValue(_, kind):
                return kind
            case SpineInstant():
                return _TIMESTAMP
        assert_never(value)


def _kind_of(call: WindowCall, view: FeatureView) -> SqlType | None:
    """A type of the kind that a window's value has, where that is plain."""
    return call.aggregate.result_type(None if call.value is None else view.column(call.value).type)
