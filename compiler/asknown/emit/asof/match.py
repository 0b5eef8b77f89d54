"""First half of an as-of join: finds the greatest visible event time of each moment (rules 2 and 3).

It reads keys and times alone, so that no feature column is carried through it. Each form gives the same rows: (keys,
t, event_time), one for each moment that sees any row.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import assert_never

from sqlglot import exp

from asknown.emit.asof.scope import AsOfScope
from asknown.emit.sql import (
    all_of,
    at_instant,
    col,
    earlier,
    ident,
    microseconds,
    named,
    not_null,
    offsets,
    subquery,
    table,
    whole_division,
)
from asknown.emit.statement import Cte
from asknown.plan.nodes import Match


def match_moments(scope: AsOfScope, moments: str, how: Match) -> list[Cte]:
    """The CTEs of a match. The last one has its rows. ``moments`` is the name of the CTE of the moments."""
    match how.form:
        case "range":
            query = _newest(scope, table(moments, scope.m), _events(scope), scope.same_keys())
            return [Cte(scope.name("match"), query, comment=how.reason)]
        case "asof":
            query = _last_before(scope, table(moments, scope.m), table(moments))
            return [Cte(scope.name("match"), query, comment=how.reason)]
        case "cascade":
            return _cascade(scope, moments, how)
        case "union":
            return [Cte(scope.name("match"), _running(scope, moments), comment=how.reason)]
    assert_never(how.form)


def match_entities(scope: AsOfScope, at: datetime) -> Cte:
    """The match of a load, whose spine is every entity at one instant ``at``.

    Each key has one moment, so grouping by key is enough::

        SELECT v.k, TIMESTAMP '2024-01-01' AS t, MAX(v.ts) AS event_time
        FROM view AS v WHERE v.ts <= TIMESTAMP '2024-01-01' AND NOT v.k IS NULL GROUP BY v.k
    """
    view, now = scope.view, at_instant(scope.dialect, at)
    conditions = [scope.when() <= now, *(not_null(key) for key in scope.keys_of(scope.v))]
    if view.known_at is not None:
        conditions.append(scope.known() <= now.copy())
    query = (
        exp.select(
            *scope.keys_of(scope.v), named(now.copy(), scope.t), named(exp.Max(this=scope.when()), scope.event_time)
        )
        .from_(table(scope.source, scope.v))
        .where(*conditions)
    )
    if scope.keys:
        query = query.group_by(*scope.keys_of(scope.v))
    return Cte(scope.name("match"), query, comment=f"each entity's newest row, as known at {at} UTC")


def _newest(scope: AsOfScope, moments: exp.Expr, events: exp.Select, same: Sequence[exp.Expr]) -> exp.Select:
    """Joins the moments with the rows under the conditions ``same`` and takes the greatest visible event time.

    ::

        SELECT m.k, m.t, MAX(v.event_time) AS event_time FROM moments AS m
        JOIN (SELECT v.k, v.ts AS event_time FROM view AS v) AS v ON m.k = v.k AND v.event_time <= m.t
        GROUP BY m.k, m.t
    """
    on = [*same, col(scope.event_time, scope.v) <= col(scope.t, scope.m), *scope.in_age()]
    if scope.view.known_at is not None:
        on.append(col(scope.known_at, scope.v) <= col(scope.t, scope.m))
    return (
        exp.select(*scope.moment(), named(exp.Max(this=col(scope.event_time, scope.v)), scope.event_time))
        .from_(moments)
        .join(subquery(events, scope.v), on=all_of(on))
        .group_by(*scope.moment())
    )


def _cascade(scope: AsOfScope, moments: str, how: Match) -> list[Cte]:
    """Looks into each moment's bucket of time and the bucket before it, then into wider buckets.

    Only moments that found nothing go on to the wider buckets. A row in a near bucket is newer than every row further
    back, so the order of looking changes the cost and not the result.
    """
    columns: list[int | str | exp.Expr] = [ident(name) for name in (*scope.keys, scope.t)]
    ctes: list[Cte] = []
    found: list[exp.Expr] = []
    comment = how.reason
    for place, width in enumerate(how.widths):
        newest = _in_two_buckets(scope, moments, width)
        if width == scope.view.ttl:  # two buckets of the ttl's length hold every row within the ttl
            break
        nth = f"_{place + 1}" if place else ""
        near, left = scope.name(f"near{nth}"), scope.name(f"left{nth}")
        rest = exp.select(*columns).from_(table(moments)).join(table(near), using=columns, join_type="anti")
        ctes += [
            Cte(near, newest, materialized=True, comment=comment),
            Cte(left, rest, materialized=True, comment="moments without a row in the nearer buckets"),
        ]
        found.append(exp.select(*columns, ident(scope.event_time)).from_(table(near)))
        moments, comment = left, ""
    else:
        joins = "asof" in scope.dialect.plans.forms
        newest = _last_before(scope, table(moments, scope.m), table(moments)) if joins else _running(scope, moments)
    if not found:
        return [Cte(scope.name("match"), newest, comment=comment)]
    far = scope.name("far")
    found.append(exp.select(*columns, ident(scope.event_time)).from_(table(far)))
    return [*ctes, Cte(far, newest), Cte(scope.name("match"), exp.union(*found, distinct=False))]


def _in_two_buckets(scope: AsOfScope, moments: str, width: int) -> exp.Select:
    """The newest visible row in each moment's bucket of time and the bucket before it."""
    looking = in_each_bucket(scope, width, 2, table(moments, scope.m), scope.moment())
    same = [*scope.same_keys(), col(scope.bucket, scope.m).eq(col(scope.bucket, scope.v))]
    return _newest(scope, subquery(looking, scope.m), _events(scope, width=width), same)


def _last_before(scope: AsOfScope, moments: exp.Expr, asking: exp.Expr) -> exp.Select:
    """The engine's own as-of join, in one sort of the rows with the moments' keys.

    Rows that tie in it have the same event time, so it does not matter which one the engine takes. ::

        SELECT m.k, m.t, v.event_time FROM moments AS m ASOF JOIN rows AS v ON m.k = v.k AND m.t >= v.event_time
    """
    visible = scope.event_time if scope.view.known_at is None else scope.known_at
    seen = col(scope.t, scope.m) >= col(visible, scope.v)
    query = exp.select(*scope.moment(), col(scope.event_time, scope.v)).from_(moments)
    rows = subquery(_events_in_sight(scope, asking), scope.v)
    if scope.dialect.plans.matches_outside_on:
        on = all_of(scope.same_keys()) if scope.keys else None
        query.append("joins", exp.Join(this=rows, method="ASOF", match_condition=seen, on=on))
        return query.where(not_null(col(scope.event_time, scope.v)), *scope.in_age())
    return query.join(rows, on=all_of([*scope.same_keys(), seen]), join_type="asof").where(*scope.in_age())


def _events(scope: AsOfScope, *, width: int = 0) -> exp.Select:
    """The rows' keys and times, within the range that any moment can see; with their bucket if there is a ``width``."""
    columns = [*scope.keys_of(scope.v), named(scope.when(), scope.event_time)]
    if scope.view.known_at is not None:
        columns.append(named(scope.known(), scope.known_at))
    if width:
        columns.append(named(bucket_of(scope, scope.when(), width), scope.bucket))
    return exp.select(*columns).from_(table(scope.source, scope.v)).where(*scope.in_reach(2 * width if width else None))


def _running(scope: AsOfScope, moments: str) -> exp.Select:
    """Sorts the rows and moments of each key by time; a running maximum gives each moment the event time before it.

    Every engine with window functions can do this. At one instant, ``place`` puts rows (0) before moments (1)::

        SELECT k, t, place, MAX(event_time) OVER (PARTITION BY k ORDER BY t, place ROWS UNBOUNDED PRECEDING)
        FROM (SELECT k, event_time AS t, 0 AS place, event_time FROM rows
              UNION ALL SELECT k, t, 1 AS place, NULL AS event_time FROM moments)
    """
    place = scope.inner("place")
    rows = _in_sight(scope)
    if scope.dialect.plans.scans_for_keys:
        rows = scope.of_keys(rows, exp.select(*map(ident, scope.keys)).from_(table(moments)))
    seen = scope.event_time if scope.view.known_at is None else scope.known_at
    names = [ident(name) for name in scope.keys]
    before = exp.select(
        *[name.copy() for name in names],
        named(exp.column(ident(seen)), scope.t),
        named(exp.Literal.number(0), place),
        named(exp.column(ident(scope.event_time)), scope.event_time),
    ).from_(subquery(rows, scope.v))
    nothing = exp.Null()
    asking = exp.select(
        *scope.keys_of(scope.m),
        col(scope.t, scope.m),
        named(exp.Literal.number(1), place),
        named(nothing, scope.event_time),
    ).from_(table(moments, scope.m))
    greatest = exp.Window(
        this=exp.Max(this=exp.column(ident(scope.event_time))),
        partition_by=[name.copy() for name in names],
        order=exp.Order(expressions=[_ascending(ident(scope.t)), _ascending(ident(place))]),
        spec=exp.WindowSpec(kind="ROWS", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW"),
    )
    both = exp.union(before, asking, distinct=False)
    newest = exp.select(
        *[name.copy() for name in names], ident(scope.t), ident(place), named(greatest, scope.event_time)
    ).from_(subquery(both, scope.asked))
    answered = [col(place, scope.v).eq(exp.Literal.number(1)), not_null(col(scope.event_time, scope.v))]
    if scope.view.ttl is not None:
        answered.append(col(scope.event_time, scope.v) >= earlier(scope.dialect, col(scope.t, scope.v), scope.view.ttl))
    return (
        exp.select(*scope.keys_of(scope.v), col(scope.t, scope.v), col(scope.event_time, scope.v))
        .from_(subquery(newest, scope.v))
        .where(*answered)
    )


def _in_sight(scope: AsOfScope) -> exp.Select:
    """The rows' keys and event times. With ``known_at``, also the instant at which a row became visible.

    That instant is the later of the two times, and is called ``known_at``.
    """
    when = scope.when()
    conditions = [*scope.in_reach(), not_null(when)]
    columns = [*scope.keys_of(scope.v), named(when.copy(), scope.event_time)]
    if scope.view.known_at is not None:
        conditions.append(not_null(scope.known()))
        columns.append(
            named(exp.Greatest(this=when.copy(), expressions=[scope.known()], ignore_nulls=True), scope.known_at)
        )
    return exp.select(*columns).from_(table(scope.source, scope.v)).where(*conditions)


def _ascending(value: exp.Expr) -> exp.Ordered:
    return exp.Ordered(this=value, nulls_first=False)


def _events_in_sight(scope: AsOfScope, asking: exp.Expr) -> exp.Select:
    """The rows with the moments' keys, ready for one as-of join by the instant at which they became visible.

    With ``known_at``, each row has the greatest event time of all rows that became visible by then. So the last row
    that a moment can see has the answer.
    """
    when = scope.when()
    conditions = [*scope.in_reach(), not_null(when)]
    columns = [*scope.keys_of(scope.v)]
    if scope.view.known_at is None:
        columns.append(named(when, scope.event_time))
    else:
        in_sight = exp.Greatest(this=when, expressions=[scope.known()], ignore_nulls=True)
        greatest = exp.Window(
            this=exp.Max(this=when.copy()),
            partition_by=scope.keys_of(scope.v),
            order=exp.Order(expressions=[_ascending(in_sight.copy())]),
            spec=exp.WindowSpec(kind="RANGE", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW"),
        )
        columns += [named(greatest, scope.event_time), named(in_sight, scope.known_at)]
        conditions.append(not_null(scope.known()))
    keys = exp.select(*map(ident, scope.keys)).from_(asking)
    return scope.of_keys(exp.select(*columns).from_(table(scope.source, scope.v)), keys).where(*conditions)


def in_each_bucket(
    scope: AsOfScope, width: int, count: int, asking: exp.Expr, columns: Sequence[exp.Expr]
) -> exp.Select:
    """``columns`` of the moments, ``count`` times: with their bucket of time and with each bucket before it."""
    back = scope.inner("back")
    own = bucket_of(scope, col(scope.t, scope.m), width)
    bucket = exp.Sub(this=own, expression=col(back, scope.inner("buckets")))
    numbers = offsets(scope.dialect, count, back, scope.inner("buckets"))
    return exp.select(*columns, named(bucket, scope.bucket)).from_(asking).join(numbers, join_type="cross")


def bucket_of(scope: AsOfScope, when: exp.Expr, width: int) -> exp.Expr:
    """The number of the bucket that an instant lies in; buckets are ``width`` microseconds long."""
    return whole_division(scope.dialect, microseconds(scope.dialect, when), exp.Literal.number(width))
