"""Counts what ``known_at`` hides: the spine rows whose answer would come from a row that was not known yet."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.asof.match import match_moments
from asknown.emit.asof.scope import Bounds, Step
from asknown.emit.compile import moments_cte, spine_ctes
from asknown.emit.identifiers import Names
from asknown.emit.sql import all_of, col, same_or_null, table
from asknown.emit.statement import Cte, Statement
from asknown.emit.view_rows import ViewRows
from asknown.plan.nodes import AsOfJoin, Plan


def compile_hindsight(plan: Plan, models: Sequence[Cte], taken: Sequence[str], dialect: Dialect) -> Statement:
    """One number, for a plan of one step: spine rows at which the newest row by event time is not visible yet."""
    (join,) = plan.steps
    assert isinstance(join, AsOfJoin)
    names = Names([*taken, *(cte.name for cte in models)])
    inside = Names([*(c.name for c in plan.spine.columns), *(c.name for c in join.view.columns)])
    spines, spine, t = spine_ctes(plan.spine, names, inside, dialect)
    bounds = Bounds(plan.spine.earliest, plan.spine.latest)
    rows = ViewRows(names, dialect)
    events = rows.of(join.view)
    source = rows.name(join.view)
    seen = Step(join.view, join.label, source, names=names, bounds=bounds, dialect=dialect)
    blind = Step(
        replace(join.view, known_at=None),
        f"{join.label}__hindsight",
        source,
        names=names,
        bounds=bounds,
        dialect=dialect,
    )
    moments = moments_cte(join, seen, spine, t)
    known = match_moments(seen, moments.name, join.match)
    every = match_moments(blind, moments.name, join.match)

    s, h, k = inside.fresh("s"), inside.fresh("h"), inside.fresh("k")
    on = [col(key.name, s).eq(col(name, h)) for key, name in zip(join.keys, seen.keys, strict=True)]
    same = [col(name, k).eq(col(name, h)) for name in seen.keys]
    differs = exp.not_(same_or_null(dialect, col(blind.event_time, h), col(seen.event_time, k)))
    query = (
        exp.select(exp.Count(this=exp.Star()))
        .from_(table(spine, s))
        .join(table(every[-1].name, h), on=all_of([*on, col(t, s).eq(col(blind.t, h))]))
        .join(table(known[-1].name, k), on=all_of([*same, col(seen.t, k).eq(col(blind.t, h))]), join_type="left")
        .where(differs)
    )
    return Statement((*models, *events, *spines, moments, *known, *every), query)
