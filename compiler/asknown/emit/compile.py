"""Compiles a plan into one statement: the models it needs, a step for each view, and the spine joined back."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from asknown.emit.fetch import fetch_rows
from asknown.emit.match import match_entities, match_moments
from asknown.emit.sql import Names, all_of, col, given, ident, instant, named, table
from asknown.emit.statement import Cte, Statement
from asknown.emit.step import Bounds, Step
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
    spines, spine, t = spine_ctes(plan.spine, names, inside, row=row)
    ctes = [*models, *spines]
    s = inside.fresh("s")
    query = exp.select(*[col(column.name, s) for column in plan.spine.columns]).from_(table(spine, s))
    aliases = []
    for join in plan.steps:
        step = Step(join.view, join.label, names, Bounds(plan.spine.earliest, plan.spine.latest))
        ctes += step_ctes(join, step, spine, t)
        aliases.append(inside.fresh(join.label))
        rows = table(ctes[-1].name, aliases[-1])
        on = [col(k.name, s).eq(col(v, aliases[-1])) for k, v in zip(join.keys, step.keys, strict=True)]
        query = query.join(rows, on=all_of([*on, col(t, s).eq(col(step.t, aliases[-1]))]), join_type="left")
    query = query.select(*[named(col(f.column.name, aliases[i]), f.output) for i, f in plan.outputs])
    return Statement(tuple(ctes), query.order_by(col(row, s)), comment=HEADER)


def step_ctes(join: AsOfJoin, step: Step, spine: str, t: str) -> list[Cte]:
    """The CTEs of one as-of join: its moments, their match, and the rows fetched for them."""
    moments = moments_cte(join, step, spine, t)
    match = match_moments(step, moments.name, join.match)
    asked = {feature.column for feature in join.features}
    wanted = [column for column in join.view.features if column in asked]
    return [moments, *match, *fetch_rows(step, match[-1].name, wanted)]


def compile_load(plan: LoadPlan, models: Sequence[Cte], taken: Sequence[str]) -> Statement:
    """The query of a load: one row for each entity, all of the view's columns, ordered by key."""
    view = plan.view
    names = Names([*taken, *(cte.name for cte in models)])
    step = Step(view, view.name, names, Bounds(None, plan.at))
    match = match_entities(step, plan.at)
    fetched = fetch_rows(step, match.name, [column for column in view.columns if column not in view.keys])
    rows = fetched[-1].name
    query = exp.select(*[ident(c.name) for c in view.columns]).from_(table(rows))
    if view.keys:
        query = query.order_by(*[exp.Ordered(this=exp.column(ident(k.name)), nulls_first=False) for k in view.keys])
    return Statement((*models, match, *fetched), query, comment=HEADER)


def spine_ctes(spine: Spine, names: Names, inside: Names, *, row: str | None = None) -> tuple[list[Cte], str, str]:
    """The spine as it was given, and the same with its canonical instants (and row numbers), computed once.

    Gives the CTEs, the name of the last, and the name of its instants.
    """
    raw, numbered, t = names.fresh("given"), names.fresh("spine"), inside.fresh("t")
    when = instant(col(spine.instant.name, raw), spine.instant.type)
    columns = [named(when, t), exp.Column(this=exp.Star(), table=ident(raw))]
    if row is not None:
        columns.insert(0, named(exp.Window(this=exp.RowNumber()), row))
    query = exp.select(*columns).from_(table(raw))
    ctes = [Cte(raw, spine.sql), Cte(numbered, query, keep=True, comment="the spine, in its own order")]
    return ctes, numbered, t


def moments_cte(join: AsOfJoin, step: Step, spine: str, t: str) -> Cte:
    """The distinct moments of a step: keys under the view's names, and the instant; none of them NULL."""
    asked = [exp.column(ident(key.name)) for key in join.keys]
    instants = exp.column(ident(t))
    columns = [named(key, name) for key, name in zip(asked, step.keys, strict=True)]
    query = exp.select(*columns, named(instants, step.t)).from_(table(spine))
    query = query.where(*[given(column.copy()) for column in (*asked, instants)]).distinct()
    keys = ", ".join(step.keys) or "no key"
    return Cte(step.name("moments"), query, keep=True, comment=f"{join.label}: as of each moment, by {keys}")
