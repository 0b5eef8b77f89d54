"""Rules on floats: sums that follow the order of rows, and comparisons by equality."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from asknown.lint.nodes import Found, Subject
from asknown.lint.order import Ordered
from asknown.lint.paths import selects_of
from asknown.model.lineage import Computed, Origin, Stored
from asknown.model.nodes import Model

_DEEPEST = 12
_ARITHMETIC = (exp.Add, exp.Sub, exp.Mul, exp.Neg, exp.Paren, exp.Coalesce, exp.Abs, exp.Round, exp.Greatest, exp.Least)
_PASSED_ON = (exp.Sum, exp.Max, exp.Min, exp.First, exp.Last, exp.Filter, exp.Window)
_SUMS = (exp.Sum, exp.Avg)


def adds_floats(subject: Subject) -> Iterator[Found]:
    """Sums and averages of floats that the engine makes, in the order in which it reads the rows."""
    for select in selects_of(subject.model.tree):
        for call in select.find_all(*_SUMS):
            if call.find_ancestor(exp.Select) is not select or not _is_float(call.this, select, subject.model, subject):
                continue
            window = call.find_ancestor(exp.Window, exp.Select)
            if isinstance(window, exp.Window) and Ordered(window, select, subject).is_lifted:
                continue
            yield Found(
                subject.says(
                    f"'{subject.model.name}' adds floats, whose sum follows the order of rows: "
                    f"{call.sql(subject.model.dialect)}"
                ),
                subject.places.near(call),
                "cast to decimal first, as in sum(x::decimal(18, 6)), or write a trailing window in the view, which "
                "adds exactly",
            )


def compares_floats(subject: Subject) -> Iterator[Found]:
    """Floats that are compared by equality."""
    hint = "compare integers or decimals, or a range: abs(a.x - b.x) < 0.001"
    for select in selects_of(subject.model.tree):
        for equal in select.find_all(exp.EQ, exp.NEQ):
            if equal.find_ancestor(exp.Select) is not select or isinstance(equal.right, exp.Subquery):
                continue
            sides = (equal.left, equal.right)
            if any(side.find(exp.Column) and _is_float(side, select, subject.model, subject) for side in sides):
                text = equal.sql(subject.model.dialect)
                message = f"'{subject.model.name}' compares floats by equality: {text}"
                yield Found(subject.says(message), subject.places.near(equal), hint)
        for join in select.args.get("joins") or []:
            for name in join.args.get("using") or []:
                if _is_float(exp.column(name.name), select, subject.model, subject):
                    message = f"'{subject.model.name}' joins on a float: {name.name}"
                    yield Found(subject.says(message), subject.places.near(name), hint)


def _is_float(value: exp.Expr, select: exp.Select, model: Model, subject: Subject, depth: int = 0) -> bool:
    """Whether an expression is surely a float."""
    if depth > _DEEPEST:
        return False

    def inner(part: exp.Expr) -> bool:
        return _is_float(part, select, model, subject, depth + 1)

    match value:
        case exp.Cast():
            return value.to.is_type("double", "float")
        case exp.Column():
            return any(
                _is_float_origin(origin, subject, depth) for origin in subject.lineage.of_column(value, select, model)
            )
        case exp.Div():
            return not (value.left.find(exp.Interval) or value.right.find(exp.Interval))
        case exp.Avg():
            return True
        case exp.Case():
            parts = [branch.args["true"] for branch in value.args.get("ifs") or []]
            return any(map(inner, [*parts, *filter(None, [value.args.get("default")])]))
    if isinstance(value, _PASSED_ON):
        return inner(value.this)
    return isinstance(value, _ARITHMETIC) and any(inner(part) for part in value.iter_expressions())


def _is_float_origin(origin: Origin, subject: Subject, depth: int) -> bool:
    match origin:
        case Stored():
            return origin.type is not None and origin.type.kind == "float"
        case Computed():
            return _is_float(origin.expression, origin.select, origin.model, subject, depth + 1)
