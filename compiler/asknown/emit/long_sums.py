"""Exact sums of any size turned into floats, each in a row of its own (DESIGN section 3, rule 5).

So the stages, of which there are many, are written once however many sums there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from sqlglot import exp

from asknown.dialects.dialect import ExactSums, Stage
from asknown.emit.asof.scope import Step
from asknown.emit.exact_sum import ExactSum, column, exact_sums
from asknown.emit.snippets import fill
from asknown.emit.sql import col, given, ident, named, subquery, table
from asknown.emit.statement import Cte


def round_long(step: Step, sums: Mapping[int, ExactSum], parts: str) -> list[Cte]:
    """The CTEs that round sums of ``parts`` that are not short.

    The last has (keys, t, the value of each sum as that of its call) for each moment that has any.
    """
    rows = Cte(step.name("unrounded"), _in_rows(step, sums, parts), comment="exact sums, each in a row of its own")
    query = exp.select(exp.Star()).from_(table(rows.name))
    for stage in _stages(exact_sums(step.dialect), sums.values()):
        query = _project(step, query, stage)
    query = _project(step, query, {"value": exact_sums(step.dialect).value})
    number, value = column(step.inner("sum")), column(step.inner("value"))
    moment: list[exp.Expr] = [ident(name) for name in (*step.keys, step.t)]
    columns = []
    for place in sums:
        here = exp.Where(this=number.eq(exp.Literal.number(place)))
        columns.append(named(exp.Filter(this=exp.Max(this=value.copy()), expression=here), step.call(place)))
    rounded = exp.select(*moment, *columns).from_(subquery(query, "sums"), copy=False)
    rounded = rounded.group_by(*[m.copy() for m in moment], copy=False)
    return [rows, Cte(step.name("sums"), rounded, comment="and rounded once")]


def _stages(exact: ExactSums, sums: Iterable[ExactSum]) -> list[Stage]:
    """The stages that do for every one of the sums."""
    stages = [*exact.before]
    if any(one.count is not None for one in sums):
        stages += exact.divide
    for _ in range(0, max(one.scale for one in sums), exact.tens):
        stages += exact.scale
    return [*stages, *exact.after]


def _in_rows(step: Step, sums: Mapping[int, ExactSum], parts: str) -> exp.Query:
    """Each sum in a row: (keys, t, the call's place, the parts, n, m)."""
    exact = exact_sums(step.dialect)
    selects = []
    for place, one in sums.items():
        columns = [named(exp.Literal.number(place), step.inner("sum"))]
        totals = {part: col(name, step.v) for part, name in one.parts.items()}
        nothing = _whole(step, exp.null())
        columns += [named(totals.get(part, nothing.copy()), step.inner(part)) for part in exact.parts]
        count = exp.Literal.number(1) if one.count is None else col(one.count, step.v)
        columns.append(named(_whole(step, count), step.inner("n")))
        columns.append(named(_whole(step, exp.Literal.number(one.scale)), step.inner("m")))
        query = exp.select(*step.keys_of(step.v), col(step.t, step.v), *columns).from_(table(parts, step.v))
        if one.may_be_short(step.dialect):
            selects.append(query.where(exp.not_(exp.paren(one.is_short(step.dialect)))))
        else:
            selects.append(query.where(exp.or_(*[given(total.copy()) for total in totals.values()])))
    return selects[0] if len(selects) == 1 else exp.union(*selects, distinct=False, copy=False)


def _project(step: Step, query: exp.Query, stage: Stage) -> exp.Select:
    places = {name: column(step.inner(name)) for name in _columns(exact_sums(step.dialect))}
    columns = [named(fill(step.dialect, text, **places), step.inner(name)) for name, text in stage.items()]
    kept: list[exp.Expr] = [ident(name) for name in (*step.keys, step.t, step.inner("sum"))]
    return exp.select(*kept, *columns).from_(subquery(query, "sums"), copy=False)


def _whole(step: Step, value: exp.Expr) -> exp.Expr:
    return fill(step.dialect, exact_sums(step.dialect).whole, x=value)


def _columns(exact: ExactSums) -> set[str]:
    """What the stages call their columns."""
    stages = (*exact.before, *exact.divide, *exact.scale, *exact.after)
    return {*exact.parts, "n", "m", *(name for stage in stages for name in stage)}
