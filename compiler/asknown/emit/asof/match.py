"""The match: for each moment, the greatest event time that is visible (rules 2 and 3).

On keys and times alone, so that no feature column is carried through it. Each form gives the same rows: (keys, t,
event_time), one for each moment that sees anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from sqlglot import exp

from asknown.emit.asof.scope import Step
from asknown.emit.sql import (
    all_of,
    at_instant,
    col,
    earlier,
    given,
    ident,
    microseconds,
    named,
    offsets,
    subquery,
    table,
    whole_division,
)
from asknown.emit.statement import Cte
from asknown.plan.nodes import Match


def match_moments(step: Step, moments: str, how: Match) -> list[Cte]:
    """The CTEs of a match, the last of which holds its rows. ``moments`` is the CTE of the moments."""
    match how.form:
        case "range":
            query = _newest(step, table(moments, step.m), _events(step), step.same_keys())
            return [Cte(step.name("match"), query, comment=how.reason)]
        case "asof":
            query = _last_before(step, table(moments, step.m), table(moments))
            return [Cte(step.name("match"), query, comment=how.reason)]
        case "cascade":
            return _cascade(step, moments, how)
        case "union":
            return [Cte(step.name("match"), _running(step, moments), comment=how.reason)]
    assert_never(how.form)


def match_entities(step: Step, at: datetime) -> Cte:
    """The match of a load: the spine "every entity, at one instant" asks each key once, so grouping is enough."""
    view, now = step.view, at_instant(step.dialect, at)
    conditions = [step.when() <= now, *(given(key) for key in step.keys_of(step.v))]
    if view.known_at is not None:
        conditions.append(step.known() <= now.copy())
    query = (
        exp.select(*step.keys_of(step.v), named(now.copy(), step.t), named(exp.Max(this=step.when()), step.event_time))
        .from_(table(step.source, step.v))
        .where(*conditions)
    )
    if step.keys:
        query = query.group_by(*step.keys_of(step.v))
    return Cte(step.name("match"), query, comment=f"each entity's newest row, as known at {at} UTC")


def _newest(step: Step, moments: exp.Expr, events: exp.Select, same: Sequence[exp.Expr]) -> exp.Select:
    """Joins the moments with all rows of the ``same`` keys (and bucket) and takes the greatest visible event time."""
    on = [*same, col(step.event_time, step.v) <= col(step.t, step.m), *step.in_age()]
    if step.view.known_at is not None:
        on.append(col(step.known_at, step.v) <= col(step.t, step.m))
    return (
        exp.select(*step.moment(), named(exp.Max(this=col(step.event_time, step.v)), step.event_time))
        .from_(moments)
        .join(subquery(events, step.v), on=all_of(on))
        .group_by(*step.moment())
    )


def _cascade(step: Step, moments: str, how: Match) -> list[Cte]:
    """Looks into each moment's own bucket of time and the one before it, then into wider ones for what found nothing.

    A row found near is newer than any that lies farther back, so the order of looking decides nothing but the cost.
    """
    columns: list[int | str | exp.Expr] = [ident(name) for name in (*step.keys, step.t)]
    ctes: list[Cte] = []
    found: list[exp.Expr] = []
    comment = how.reason
    for place, width in enumerate(how.widths):
        newest = _in_two_buckets(step, moments, width)
        if width == step.view.ttl:  # nothing that is in age lies elsewhere
            break
        nth = f"_{place + 1}" if place else ""
        near, left = step.name(f"near{nth}"), step.name(f"left{nth}")
        rest = exp.select(*columns).from_(table(moments)).join(table(near), using=columns, join_type="anti")
        ctes += [
            Cte(near, newest, keep=True, comment=comment),
            Cte(left, rest, keep=True, comment="moments that found nothing near"),
        ]
        found.append(exp.select(*columns, ident(step.event_time)).from_(table(near)))
        moments, comment = left, ""
    else:
        joins = "asof" in step.dialect.plans.forms
        newest = _last_before(step, table(moments, step.m), table(moments)) if joins else _running(step, moments)
    if not found:
        return [Cte(step.name("match"), newest, comment=comment)]
    far = step.name("far")
    found.append(exp.select(*columns, ident(step.event_time)).from_(table(far)))
    return [*ctes, Cte(far, newest), Cte(step.name("match"), exp.union(*found, distinct=False))]


def _in_two_buckets(step: Step, moments: str, width: int) -> exp.Select:
    """The newest row in each moment's own bucket of time and the one before it."""
    looking = in_each_bucket(step, width, 2, table(moments, step.m), step.moment())
    same = [*step.same_keys(), col(step.bucket, step.m).eq(col(step.bucket, step.v))]
    return _newest(step, subquery(looking, step.m), _events(step, width=width), same)


def _last_before(step: Step, moments: exp.Expr, asking: exp.Expr) -> exp.Select:
    """One sort of the rows of the keys that ask. Rows that tie here hold the same event time, so none is wrong."""
    visible = step.event_time if step.view.known_at is None else step.known_at
    seen = col(step.t, step.m) >= col(visible, step.v)
    query = exp.select(*step.moment(), col(step.event_time, step.v)).from_(moments)
    rows = subquery(_events_in_sight(step, asking), step.v)
    if step.dialect.plans.matches_outside_on:
        on = all_of(step.same_keys()) if step.keys else None
        query.append("joins", exp.Join(this=rows, method="ASOF", match_condition=seen, on=on))
        return query.where(given(col(step.event_time, step.v)), *step.in_age())
    return query.join(rows, on=all_of([*step.same_keys(), seen]), join_type="asof").where(*step.in_age())


def _events(step: Step, *, width: int = 0) -> exp.Select:
    """The view's keys and times, and buckets of ``width``, within the time that any moment can see."""
    columns = [*step.keys_of(step.v), named(step.when(), step.event_time)]
    if step.view.known_at is not None:
        columns.append(named(step.known(), step.known_at))
    if width:
        columns.append(named(bucket_of(step, step.when(), width), step.bucket))
    return exp.select(*columns).from_(table(step.source, step.v)).where(*step.in_reach(2 * width if width else None))


def _running(step: Step, moments: str) -> exp.Select:
    """Rows and moments of a key in one order of time; each moment takes the greatest event time that came before it.

    What any engine with window functions can do, in one sort. A row at the moment's own instant stands before it.
    """
    place = step.inner("place")
    rows = _in_sight(step)
    if step.dialect.plans.scans_for_keys:
        rows = step.of_keys(rows, exp.select(*map(ident, step.keys)).from_(table(moments)))
    seen = step.event_time if step.view.known_at is None else step.known_at
    names = [ident(name) for name in step.keys]
    before = exp.select(
        *[name.copy() for name in names],
        named(exp.column(ident(seen)), step.t),
        named(exp.Literal.number(0), place),
        named(exp.column(ident(step.event_time)), step.event_time),
    ).from_(subquery(rows, step.v))
    nothing = exp.Null()
    asking = exp.select(
        *step.keys_of(step.m), col(step.t, step.m), named(exp.Literal.number(1), place), named(nothing, step.event_time)
    ).from_(table(moments, step.m))
    greatest = exp.Window(
        this=exp.Max(this=exp.column(ident(step.event_time))),
        partition_by=[name.copy() for name in names],
        order=exp.Order(expressions=[_ascending(ident(step.t)), _ascending(ident(place))]),
        spec=exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW"),
    )
    both = exp.union(before, asking, distinct=False)
    newest = exp.select(
        *[name.copy() for name in names], ident(step.t), ident(place), named(greatest, step.event_time)
    ).from_(subquery(both, step.asked))
    answered = [col(place, step.v).eq(exp.Literal.number(1)), given(col(step.event_time, step.v))]
    if step.view.ttl is not None:
        answered.append(col(step.event_time, step.v) >= earlier(step.dialect, col(step.t, step.v), step.view.ttl))
    return (
        exp.select(*step.keys_of(step.v), col(step.t, step.v), col(step.event_time, step.v))
        .from_(subquery(newest, step.v))
        .where(*answered)
    )


def _in_sight(step: Step) -> exp.Select:
    """(keys, event_time, known_at where the view has it): the rows, with the instant at which they came into sight.

    With ``known_at``, that is when both its times have passed.
    """
    when = step.when()
    conditions = [*step.in_reach(), given(when)]
    columns = [*step.keys_of(step.v), named(when.copy(), step.event_time)]
    if step.view.known_at is not None:
        conditions.append(given(step.known()))
        columns.append(
            named(exp.Greatest(this=when.copy(), expressions=[step.known()], ignore_nulls=True), step.known_at)
        )
    return exp.select(*columns).from_(table(step.source, step.v)).where(*conditions)


def _ascending(value: exp.Expr) -> exp.Ordered:
    return exp.Ordered(this=value, nulls_first=False)


def _events_in_sight(step: Step, asking: exp.Expr) -> exp.Select:
    """The rows of the keys that ask, ready for one as-of join by the instant they came into sight.

    With ``known_at``, in that order rows carry the greatest event time so far, peers included, so the last row in
    sight answers for all before it.
    """
    when = step.when()
    conditions = [*step.in_reach(), given(when)]
    columns = [*step.keys_of(step.v)]
    if step.view.known_at is None:
        columns.append(named(when, step.event_time))
    else:
        in_sight = exp.Greatest(this=when, expressions=[step.known()], ignore_nulls=True)
        greatest = exp.Window(
            this=exp.Max(this=when.copy()),
            partition_by=step.keys_of(step.v),
            order=exp.Order(expressions=[_ascending(in_sight.copy())]),
            spec=exp.WindowSpec(kind="RANGE", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW"),
        )
        columns += [named(greatest, step.event_time), named(in_sight, step.known_at)]
        conditions.append(given(step.known()))
    keys = exp.select(*map(ident, step.keys)).from_(asking)
    return step.of_keys(exp.select(*columns).from_(table(step.source, step.v)), keys).where(*conditions)


def in_each_bucket(step: Step, width: int, count: int, asking: exp.Expr, columns: Sequence[exp.Expr]) -> exp.Select:
    """``columns`` of those who ask, ``count`` times: with their own bucket of time, and with each one before it."""
    back = step.inner("back")
    own = bucket_of(step, col(step.t, step.m), width)
    bucket = exp.Sub(this=own, expression=col(back, step.inner("buckets")))
    numbers = offsets(step.dialect, count, back, step.inner("buckets"))
    return exp.select(*columns, named(bucket, step.bucket)).from_(asking).join(numbers, join_type="cross")


def bucket_of(step: Step, when: exp.Expr, width: int) -> exp.Expr:
    """The number of the bucket of ``width`` microseconds that an instant lies in."""
    return whole_division(step.dialect, microseconds(step.dialect, when), exp.Literal.number(width))
