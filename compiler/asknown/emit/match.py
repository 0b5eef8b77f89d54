"""The match: for each moment, the greatest event time that is visible (DESIGN section 3, rules 2 and 3).

On keys and times alone, so that no feature column is carried through it. Each form gives the same rows: (keys, t,
event_time), one for each moment that sees anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from sqlglot import exp

from asknown.emit.sql import all_of, at_instant, col, given, ident, named, subquery, table
from asknown.emit.statement import Cte
from asknown.emit.step import Step
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
    assert_never(how.form)


def match_entities(step: Step, at: datetime) -> Cte:
    """The match of a load: the spine "every entity, at one instant" asks each key once, so grouping is enough."""
    view = step.view
    conditions = [step.when() <= at_instant(at), *(given(key) for key in step.keys_of(step.v))]
    if view.known_at is not None:
        conditions.append(step.known() <= at_instant(at))
    query = (
        exp.select(
            *step.keys_of(step.v), named(at_instant(at), step.t), named(exp.Max(this=step.when()), step.event_time)
        )
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
    """Looks into each moment's own bucket of time and the one before it, then elsewhere for what found nothing there.

    A row found near is newer than any that lies farther back, so the order of looking decides nothing but the cost.
    """
    looking = two_buckets(step, moments, how.width)
    same = [*step.same_keys(), col(step.bucket, step.m).eq(col(step.bucket, step.v))]
    newest = _newest(step, subquery(looking, step.m), _events(step, width=how.width), same)
    if step.view.ttl and how.width >= step.view.ttl:  # nothing that is in age lies elsewhere
        return [Cte(step.name("match"), newest, comment=how.reason)]

    near, left, far, match = (step.name(part) for part in ("near", "left", "far", "match"))
    columns: list[int | str | exp.Expr] = [ident(name) for name in (*step.keys, step.t)]
    rest = exp.select(*columns).from_(table(moments)).join(table(near), using=columns, join_type="anti")
    found = [*columns, ident(step.event_time)]
    both = exp.union(exp.select(*found).from_(table(near)), exp.select(*found).from_(table(far)), distinct=False)
    return [
        Cte(near, newest, keep=True, comment=how.reason),
        Cte(left, rest, keep=True, comment="moments that found nothing near"),
        Cte(far, _last_before(step, table(left, step.m), table(left))),
        Cte(match, both),
    ]


def _last_before(step: Step, moments: exp.Expr, asking: exp.Expr) -> exp.Select:
    """One sort of the rows of the keys that ask. Rows that tie here hold the same event time, so none is wrong."""
    visible = step.event_time if step.view.known_at is None else step.known_at
    on = [*step.same_keys(), col(step.t, step.m) >= col(visible, step.v)]
    return (
        exp.select(*step.moment(), col(step.event_time, step.v))
        .from_(moments)
        .join(subquery(_events_in_sight(step, asking), step.v), on=all_of(on), join_type="asof")
        .where(*step.in_age())
    )


def _events(step: Step, *, width: int = 0) -> exp.Select:
    """The view's keys and times, and buckets of ``width``, within the time that any moment can see."""
    columns = [*step.keys_of(step.v), named(step.when(), step.event_time)]
    if step.view.known_at is not None:
        columns.append(named(step.known(), step.known_at))
    if width:
        columns.append(named(bucket_of(step.when(), width), step.bucket))
    return exp.select(*columns).from_(table(step.source, step.v)).where(*step.in_reach(2 * width))


def _events_in_sight(step: Step, asking: exp.Expr) -> exp.Select:
    """The rows of the keys that ask, ready for one as-of join by the instant they came into sight.

    With ``known_at``, a row comes into sight when both its times have passed. In that order rows carry the greatest
    event time so far, peers included, so the last row in sight answers for all before it.
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
            order=exp.Order(expressions=[exp.Ordered(this=in_sight.copy(), nulls_first=False)]),
            spec=exp.WindowSpec(kind="RANGE", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW"),
        )
        columns += [named(greatest, step.event_time), named(in_sight, step.known_at)]
        conditions.append(given(step.known()))
    query = exp.select(*columns).from_(table(step.source, step.v))
    if step.keys:
        keys = subquery(exp.select(*map(ident, step.keys)).from_(asking), step.asked)
        same = [col(key, step.v).eq(col(key, step.asked)) for key in step.keys]
        query = query.join(keys, on=all_of(same), join_type="semi")
    return query.where(*conditions)


def two_buckets(step: Step, moments: str, width: int) -> exp.Select:
    """Each moment twice: with its own bucket of time, and with the one before it."""
    own = bucket_of(col(step.t, step.m), width)
    buckets = exp.Array(expressions=[own, exp.Sub(this=own.copy(), expression=exp.Literal.number(1))])
    return exp.select(*step.moment(), named(exp.Explode(this=buckets), step.bucket)).from_(table(moments, step.m))


def bucket_of(when: exp.Expr, width: int) -> exp.Expr:
    """The number of the bucket of ``width`` microseconds that an instant lies in."""
    micros = exp.Anonymous(this="epoch_us", expressions=[when])
    return exp.IntDiv(this=micros, expression=exp.Literal.number(width))
