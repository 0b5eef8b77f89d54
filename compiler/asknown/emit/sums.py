"""How sums and averages are taken over the rows of a pass: exactly, to be rounded once (DESIGN section 3, rule 5)."""

from __future__ import annotations

from sqlglot import exp

from asknown.dialects.dialect import ExactSums
from asknown.emit.asof.scope import Step
from asknown.emit.passes import Columns, Part, Reduce, aggregate_word
from asknown.emit.rounding import Unrounded
from asknown.emit.snippets import cast, fill, say
from asknown.emit.sql import col
from asknown.model.nodes import Column
from asknown.types import parse_type

_DOUBLE = parse_type("DOUBLE")


def read_sum(
    step: Step, rows: Columns, value: Column, conditions: list[exp.Expr], reduce: Reduce, *, average: bool
) -> exp.Expr | Unrounded:
    """The sum or average of a column: its value, or what it has to be rounded from."""
    x = rows.column(value.name)
    exact = step.dialect.exact_sums
    whole = value.type.kind != "float"
    if whole and not average:
        return reduce.take(aggregate_word(step, "sum", value), conditions, x=x)
    count = reduce.take("count", conditions, x=x) if average else None
    if exact is None and average and f"avg.{value.type.kind}" in step.dialect.aggregates:
        return reduce.take(f"avg.{value.type.kind}", conditions, x=x)
    if exact is None:
        total = reduce.take(aggregate_word(step, "sum", value), conditions, x=x)
        return total if count is None else _ratio(step, value, total, count)
    if whole:
        digits, scale = _digits(step, value, exact)
        total = reduce.take(_part_sum(step), conditions, x=rows.computed(f"{value.name}{exact.wholes}", digits))
        return Unrounded({exact.wholes: total}, count, scale)
    cut = _by_parts if exact.grade is None else _by_grades
    parts, special, misfit = cut(step, rows, value, conditions, reduce)
    return Unrounded(parts, count, 0, special, misfit)


_Cut = tuple[dict[str, exp.Expr], exp.Expr, exp.Expr]
"""The sums of the parts; the sum of NaNs and infinities; whether a number could not be added exactly."""


def _by_grades(step: Step, rows: Columns, value: Column, conditions: list[exp.Expr], reduce: Reduce) -> _Cut:
    """One whole number for each float, added up apart by their grades; the sums of the grades are cut into parts."""
    dialect, exact = step.dialect, step.dialect.exact_sums
    assert exact is not None and exact.grade is not None
    own = col(value.name, step.v)
    x = own if value.type == _DOUBLE else cast(dialect, own, _DOUBLE)
    wish = f"{value.name}g"
    graded = fill(dialect, exact.graded, x=x.copy(), grade=col(step.inner(wish), step.v))
    digits, grade = rows.apart(wish, fill(dialect, exact.grade, x=x), f"{value.name}w", graded)
    of_part = {"x": ":x", **exact.parts}
    parts = {
        part: reduce.add(_part_sum(step), conditions, digits, grade, Part(text, exact.ranges[part]))
        for part, text in of_part.items()
    }
    odd = parts.pop("x")
    return parts, fill(dialect, exact.special, x=odd), fill(dialect, exact.misfit, x=odd)


def _by_parts(step: Step, rows: Columns, value: Column, conditions: list[exp.Expr], reduce: Reduce) -> _Cut:
    """Each float cut into parts, which are added up beside each other."""
    exact = step.dialect.exact_sums
    assert exact is not None
    wide = cast(step.dialect, col(value.name, step.v), _DOUBLE)
    parts = {}
    for part, text in exact.parts.items():
        within = fill(step.dialect, exact.ranges.get(part, exact.fits), x=wide)
        piece = exp.Case(ifs=[exp.If(this=within, true=fill(step.dialect, text, x=wide))])
        parts[part] = reduce.take(_part_sum(step), conditions, x=rows.computed(f"{value.name}{part}", piece))
    # NaN and infinities have no parts: where they occur, their own sum is the result.
    odd = say(step.dialect, "is_odd_float", x=wide)
    own = exp.Case(ifs=[exp.If(this=odd, true=wide.copy())])
    special = reduce.take(aggregate_word(step, "sum", value), conditions, x=rows.computed(f"{value.name}x", own))
    fits = fill(step.dialect, exact.fits, x=wide)
    beyond = exp.and_(exp.not_(odd.copy()), exp.not_(exp.paren(fits)), copy=False)
    guard = exp.Case(ifs=[exp.If(this=beyond, true=exp.true())])  # NULL where all is well, which costs nothing
    misfit = reduce.take("bool_or", conditions, x=rows.computed(f"{value.name}d", guard))
    return parts, special, misfit


def _ratio(step: Step, value: Column, total: exp.Expr, count: exp.Expr) -> exp.Expr:
    """An average of whole numbers, or of a decimal's digits: exact while they are below 2^53."""
    if value.type.kind == "decimal" and value.type.scale:
        tens = exp.Literal.number(10**value.type.scale)
        total, count = exp.Mul(this=total, expression=tens), exp.Mul(this=count, expression=tens.copy())
    return say(step.dialect, "ratio", x=total, y=count)


def _digits(step: Step, value: Column, exact: ExactSums) -> tuple[exp.Expr, int]:
    """A whole number, or a decimal as one: (its digits, how many of them lie behind the point)."""
    x = col(value.name, step.v)
    scale = value.type.scale if value.type.kind == "decimal" else 0
    if not scale:
        digits = fill(step.dialect, exact.whole, x=x)
    elif value.type.precision + scale <= 38:
        digits = fill(step.dialect, exact.digits, x=x, power=exp.Literal.number(10**scale))
    else:  # a product of more than 38 digits would overflow; the digits themselves do not
        digits = fill(step.dialect, exact.long_digits, x=x)
    return digits, scale


def _part_sum(step: Step) -> str:
    return "sum.part" if "sum.part" in step.dialect.aggregates else "sum"
