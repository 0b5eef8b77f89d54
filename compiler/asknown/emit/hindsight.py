"""Counts what ``known_at`` hides: the spine rows whose answer would come from a row that was not known yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from asknown.emit.as_of import AsOf, Bounds
from asknown.emit.compile import moments_of, spine_ctes
from asknown.emit.sql import Names, all_of, col, table
from asknown.emit.statement import Cte, Statement
from asknown.plan.nodes import Plan


def compile_hindsight(plan: Plan, models: Sequence[Cte], taken: Sequence[str]) -> Statement:
    """One number, for a plan of one step: spine rows at which the newest row by event time is not visible yet."""
    (step,) = plan.steps
    names = Names([*taken, *(cte.name for cte in models)])
    inside = Names([*(c.name for c in plan.spine.columns), *(c.name for c in step.view.columns)])
    ctes, spine, t = spine_ctes(plan.spine, names, inside)
    bounds = Bounds(plan.spine.earliest, plan.spine.latest)
    seen = AsOf(step.view, step.label, names, bounds)
    blind = AsOf(replace(step.view, known_at=None), f"{step.label}__hindsight", names, bounds)
    moments = seen.name("moments")
    ctes.append(Cte(moments, moments_of(step, seen, spine, t), keep=True))
    ctes += seen.match(moments, step.match)
    known = ctes[-1].name
    ctes += blind.match(moments, step.match)
    every = ctes[-1].name

    s, h, k = inside.fresh("s"), inside.fresh("h"), inside.fresh("k")
    query = exp.select(exp.Count(this=exp.Star())).from_(table(spine, s))
    on = [col(a.name, s).eq(col(b, h)) for a, b in zip(step.keys, seen.keys, strict=True)]
    query = query.join(table(every, h), on=all_of([*on, col(t, s).eq(col(blind.t, h))]))
    same = [col(b, k).eq(col(b, h)) for b in seen.keys]
    query = query.join(
        table(known, k), on=all_of([*same, col(seen.t, k).eq(col(blind.t, h))]), join_type="left"
    )
    differs = exp.NullSafeNEQ(this=col(blind.event_time, h), expression=col(seen.event_time, k))
    return Statement((*models, *ctes), query.where(differs))
