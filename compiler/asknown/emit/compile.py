"""Compiles a plan into one statement: the models it needs, a step for each view, and the spine joined back."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from asknown.emit.as_of import AsOf, Bounds, latest
from asknown.emit.sql import Names, all_of, col, ident, instant, named, table
from asknown.emit.statement import Cte, Statement
from asknown.model.nodes import Column
from asknown.plan.nodes import AsOfJoin, LoadPlan, Plan, Spine

HEADER = "Written by asknown. Session: time zone UTC."


def compile_training(plan: Plan, models: Sequence[Cte], taken: Sequence[str]) -> Statement:
    """The training query of ``plan``: every spine row once, in order, then the features in the order asked for.

    ``models`` are the CTEs that the views and the spine stand on; ``taken`` are all names that a user gave to things
    that a query can name.
    """
    names = Names([*taken, *(cte.name for cte in models)])
    inside = Names([c.name for c in plan.spine.columns] + [f.output for _, f in plan.outputs])
    row = inside.fresh("row")
    given, spine, t = spine_ctes(plan.spine, names, inside, row=row)
    ctes = [*models, *given]
    bounds = Bounds(plan.spine.earliest, plan.spine.latest)
    s = inside.fresh("s")
    query = exp.select(*[col(column.name, s) for column in plan.spine.columns]).from_(table(spine, s))
    aliases = []
    for step in plan.steps:
        as_of = AsOf(step.view, step.label, names, bounds)
        moments = as_of.name("moments")
        ctes.append(Cte(moments, moments_of(step, as_of, spine, t), keep=True, comment=_headline(step)))
        ctes += as_of.match(moments, step.match)
        ctes += as_of.fetch(ctes[-1].name, _columns(step))
        alias = inside.fresh(step.label)
        aliases.append(alias)
        same = [col(k.name, s).eq(col(v, alias)) for k, v in zip(step.keys, as_of.keys, strict=True)]
        query = query.join(
            table(ctes[-1].name, alias), on=all_of([*same, col(t, s).eq(col(as_of.t, alias))]), join_type="left"
        )
    query = query.select(*[named(col(f.column.name, aliases[i]), f.output) for i, f in plan.outputs])
    return Statement(tuple(ctes), query.order_by(col(row, s)), comment=HEADER)


def compile_load(plan: LoadPlan, models: Sequence[Cte], taken: Sequence[str]) -> Statement:
    """The query of a load: one row for each entity, all of the view's columns, ordered by key."""
    view = plan.view
    names = Names([*taken, *(cte.name for cte in models)])
    ctes, _ = latest(view, names, plan.at)
    rows = ctes[-1].name
    query = exp.select(*[ident(c.name) for c in view.columns]).from_(table(rows))
    if view.keys:
        query = query.order_by(*[exp.Ordered(this=exp.column(ident(k.name)), nulls_first=False) for k in view.keys])
    return Statement((*models, *ctes), query, comment=HEADER)


def spine_ctes(spine: Spine, names: Names, inside: Names, *, row: str | None = None) -> tuple[list[Cte], str, str]:
    """The spine as it was given, and the same with its canonical instants (and row numbers), computed once.

    Gives the CTEs, the name of the last, and the name of its instants.
    """
    given, numbered, t = names.fresh("given"), names.fresh("spine"), inside.fresh("t")
    when = instant(col(spine.instant.name, given), spine.instant.type)
    columns = [named(when, t), exp.Column(this=exp.Star(), table=ident(given))]
    if row is not None:
        columns.insert(0, named(exp.Window(this=exp.RowNumber()), row))
    query = exp.select(*columns).from_(table(given))
    return [
        Cte(given, spine.sql),
        Cte(numbered, query, keep=True, comment="the spine, in its own order"),
    ], numbered, t  # fmt: skip


def moments_of(step: AsOfJoin, as_of: AsOf, spine: str, t: str) -> exp.Select:
    """The distinct moments of a step: keys under the view's names, and the instant; none of them NULL."""
    columns = [named(exp.column(ident(key.name)), name) for key, name in zip(step.keys, as_of.keys, strict=True)]
    asked = [exp.column(ident(key.name)) for key in step.keys] + [exp.column(ident(t))]
    present = [exp.Not(this=exp.Is(this=column, expression=exp.null())) for column in asked]
    query = exp.select(*columns, named(exp.column(ident(t)), as_of.t)).from_(table(spine)).where(*present)
    return query.distinct()


def _columns(step: AsOfJoin) -> list[Column]:
    seen: list[Column] = []
    for feature in step.features:
        if feature.column not in seen:
            seen.append(feature.column)
    return sorted(seen, key=step.view.features.index)


def _headline(step: AsOfJoin) -> str:
    keys = ", ".join(k.name for k in step.view.keys) or "no key"
    return f"{step.label}: as of each moment, by {keys}"
