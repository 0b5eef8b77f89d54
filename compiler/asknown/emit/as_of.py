"""The as-of join: for each moment, the features of the newest visible row (DESIGN section 3, rules 2 and 3).

First the match, on keys and times alone: the greatest event time that is visible at each moment. Then the fetch: the
rows at that event time, of which the total order leaves one. So nothing big is sorted, feature columns are read for
matched rows only, and two rows never compete by their physical order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import assert_never

from sqlglot import exp

from asknown.durations import spell
from asknown.emit.sql import (
    Names,
    all_of,
    at_instant,
    at_instant_of,
    col,
    ident,
    instant,
    interval,
    named,
    order_terms,
    subquery,
    table,
)
from asknown.emit.statement import Cte
from asknown.model.nodes import Column, FeatureView
from asknown.plan.nodes import Match


@dataclass(frozen=True)
class Bounds:
    """Instants that no moment lies outside of, where they are known."""

    earliest: datetime | None = None
    latest: datetime | None = None


class AsOf:
    """Writes the CTEs of one as-of join. The names it uses inside are none of the view's own.

    ``moments`` is the CTE that holds the moments: a column for each of the view's keys, under the view's names, and
    the instant under the name ``self.t``.
    """

    def __init__(self, view: FeatureView, label: str, names: Names, bounds: Bounds) -> None:
        inside = Names([c.name for c in view.columns])
        self.view = view
        self.names = names
        self.bounds = bounds
        self.label = label
        self.t = inside.fresh("t")
        self.event_time = inside.fresh("event_time")
        self.known_at = inside.fresh("known_at")
        self.created_at = inside.fresh("created_at")
        self.bucket = inside.fresh("bucket")
        self.place = inside.fresh("place")
        self.m = inside.fresh("m")
        self.v = inside.fresh("v")
        self.asked = inside.fresh("asked")
        self.keys = [key.name for key in view.keys]

    def name(self, part: str) -> str:
        return self.names.fresh(f"{self.label}__{part}")

    # -- match: keys and times alone ---------------------------------------------------------------------------

    def match(self, moments: str, how: Match) -> list[Cte]:
        """CTEs of which the last gives (keys, t, event_time): one row for each moment that has a visible row."""
        match how.form:
            case "range":
                return [Cte(self.name("match"), self._by_range(moments), keep=None, comment=how.reason)]
            case "asof":
                return [Cte(self.name("match"), self._by_sort(table(moments, self.m)), comment=how.reason)]
            case "cascade":
                return self._by_buckets(moments, how)
        assert_never(how.form)

    def _by_range(self, moments: str) -> exp.Select:
        return self._newest(table(moments, self.m), self._events(), self._same_keys())

    def _by_buckets(self, moments: str, how: Match) -> list[Cte]:
        near, far, match = self.name("near"), self.name("far"), self.name("match")
        buckets = exp.Array(expressions=[
            _bucket(col(self.t, self.m), how.width),
            exp.Sub(this=_bucket(col(self.t, self.m), how.width), expression=exp.Literal.number(1)),
        ])  # fmt: skip
        asked = exp.select(
            *self._key_columns(self.m),
            col(self.t, self.m),
            named(exp.Explode(this=buckets), self.bucket),
        ).from_(table(moments, self.m))
        reach = 2 * how.width
        events = self._events(reach=min(reach, self.view.ttl) if self.view.ttl else reach, width=how.width)
        same = [*self._same_keys(), col(self.bucket, self.m).eq(col(self.bucket, self.v))]
        rest = (
            exp.select(*map(ident, self.keys), ident(self.t))
            .from_(table(moments))
            .join(table(near), using=[ident(n) for n in (*self.keys, self.t)], join_type="anti")
        )
        columns = [ident(name) for name in (*self.keys, self.t, self.event_time)]
        both = exp.union(
            exp.select(*columns).from_(table(near)),
            exp.select(*[c.copy() for c in columns]).from_(table(far)),
            distinct=False,
        )
        return [
            Cte(near, self._newest(subquery(asked, self.m), events, same), keep=True, comment=how.reason),
            Cte(far, self._by_sort(subquery(rest, self.m), remaining=rest), comment="moments that found nothing near"),
            Cte(match, both),
        ]

    def _by_sort(self, moments: exp.Expr, remaining: exp.Select | None = None) -> exp.Select:
        # Rows that tie in the ASOF key hold the same event time, so it does not matter which one the engine picks.
        events = self._events(running=True, only=remaining if remaining is not None else moments)
        visible = self.known_at if self.view.known_at else self.event_time
        on = [*self._same_keys(), col(self.t, self.m) >= col(visible, self.v)]
        query = (
            exp.select(*self._key_columns(self.m), col(self.t, self.m), col(self.event_time, self.v))
            .from_(moments)
            .join(subquery(events, self.v), on=all_of(on), join_type="asof")
        )
        return query.where(self._in_age()) if self.view.ttl else query

    def _newest(self, moments: exp.Expr, events: exp.Select, same: Sequence[exp.Expr]) -> exp.Select:
        on = [*same, col(self.event_time, self.v) <= col(self.t, self.m)]
        if self.view.ttl:
            on.append(self._in_age())
        if self.view.known_at:
            on.append(col(self.known_at, self.v) <= col(self.t, self.m))
        newest = exp.Max(this=col(self.event_time, self.v))
        return (
            exp.select(*self._key_columns(self.m), col(self.t, self.m), named(newest, self.event_time))
            .from_(moments)
            .join(subquery(events, self.v), on=all_of(on))
            .group_by(*self._key_columns(self.m), col(self.t, self.m))
        )

    def _events(
        self, *, reach: int | None = None, width: int = 0, running: bool = False, only: exp.Expr | None = None
    ) -> exp.Select:
        """The view's keys and times, within the time that any moment can see."""
        view, v = self.view, self.v
        when = instant(col(view.event_time.name, v), view.event_time.type)
        columns = [*self._key_columns(v)]
        conditions = self._visible_somewhere(reach)
        if not running or view.known_at is None:
            columns.append(named(when, self.event_time))
            if running:
                conditions.append(exp.Not(this=exp.Is(this=when.copy(), expression=exp.null())))
            elif view.known_at is not None:
                columns.append(named(self._known(v), self.known_at))
        else:
            # Ordered by when they became visible, rows carry the greatest event time so far: one sort answers both.
            visible = exp.Greatest(this=when.copy(), expressions=[self._known(v)], ignore_nulls=True)
            columns.append(named(self._running_maximum(when, visible), self.event_time))
            columns.append(named(visible.copy(), self.known_at))
            conditions += [
                exp.Not(this=exp.Is(this=x, expression=exp.null())) for x in (when.copy(), self._known(v))
            ]  # fmt: skip
        if width:
            columns.append(named(_bucket(when.copy(), width), self.bucket))
        query = exp.select(*columns).from_(table(view.name, v))
        if only is not None and self.keys:
            keys = subquery(_keys_of(only, self.keys, self.m), self.asked)
            query = query.join(
                keys,
                on=all_of([col(k, v).eq(col(k, keys.alias)) for k in self.keys]),
                join_type="semi",
            )
        return query.where(*conditions) if conditions else query

    def _running_maximum(self, when: exp.Expr, visible: exp.Expr) -> exp.Window:
        return exp.Window(
            this=exp.Max(this=when.copy()),
            partition_by=[*self._key_columns(self.v)] or None,
            order=exp.Order(expressions=[exp.Ordered(this=visible.copy(), nulls_first=False)]),
            spec=exp.WindowSpec(
                kind="RANGE", start="UNBOUNDED", start_side="PRECEDING", end="CURRENT ROW"
            ),  # peers included
        )

    # -- fetch: the matched rows' columns ----------------------------------------------------------------------

    def fetch(self, match: str, wanted: Sequence[Column]) -> list[Cte]:
        """CTEs of which the last gives (keys, t, the wanted columns): the one row that rule 3 chooses."""
        last = max((self.view.features.index(c) for c in wanted if c in self.view.features), default=-1)
        before = [c for c in self.view.features[: last + 1] if c not in wanted]
        if not before:
            return [Cte(self.name("rows"), self._chosen(match, wanted, self.view.features[: last + 1]))]
        return self._fetch_few(match, wanted)

    def _fetch_few(self, match: str, wanted: Sequence[Column]) -> list[Cte]:
        # Columns that were not asked for break ties too; they are read for the tied moments only.
        best, rows = self.name("best"), self.name("rows")
        last = max(self.view.features.index(c) for c in wanted if c in self.view.features)
        alone = exp.column(ident(self.place)).eq(exp.Literal.number(1))
        tied = exp.column(ident(self.place)) > exp.Literal.number(1)
        names = [ident(n) for n in (*self.keys, self.t, *(c.name for c in wanted))]
        union = exp.union(
            self._matched(best, wanted, alone),
            exp.select(*names).from_(
                subquery(self._chosen(best, wanted, self.view.features[: last + 1], tied), self.names.fresh("tied"))
            ),
            distinct=False,
        )
        comment = "of rows that tie in every time, the select's columns decide"
        return [Cte(best, self._best(match), keep=True), Cte(rows, union, comment=comment)]

    def _best(self, match: str) -> exp.Select:
        """(keys, t, the three times, how many rows share them) of each moment's winner."""
        times = [self.event_time]
        columns = [*self._key_columns(self.m), col(self.t, self.m), col(self.event_time, self.m)]
        for name, column in ((self.known_at, self.view.known_at), (self.created_at, self.view.created_at)):
            if column is not None:
                columns.append(named(instant(col(column.name, self.v), column.type), name))
                times.append(name)
        peers = exp.Window(
            this=exp.Count(this=exp.Star()),
            partition_by=[*self._key_columns(self.m), col(self.t, self.m), *self._tie_times()],
        )
        first = self._first(self._time_order())
        query = exp.select(*columns, named(peers, self.place))
        return self._joined(query, match).qualify(first)

    def _matched(self, best: str, wanted: Sequence[Column], condition: exp.Expr) -> exp.Select:
        query = exp.select(*self._key_columns(self.m), col(self.t, self.m), *[col(c.name, self.v) for c in wanted])
        return self._joined(query, subquery(exp.select("*").from_(table(best)).where(condition), self.m), exact=True)

    def _chosen(
        self, match: str, wanted: Sequence[Column], deciding: Sequence[Column], condition: exp.Expr | None = None
    ) -> exp.Select:
        query = exp.select(*self._key_columns(self.m), col(self.t, self.m), *[col(c.name, self.v) for c in wanted])
        source: str | exp.Expr = match
        if condition is not None:
            source = subquery(exp.select("*").from_(table(match)).where(condition), self.m)
        order = self._time_order() if condition is None else []
        for column in deciding:
            order += order_terms(column, col(column.name, self.v))
        joined = self._joined(query, source, exact=condition is not None)
        return joined.qualify(self._first(order)) if order else joined

    def _joined(self, query: exp.Select, match: str | exp.Expr, *, exact: bool = False) -> exp.Select:
        """The matched moments joined with the rows at their event time that are visible (or are the ``exact`` ones)."""
        view = self.view
        when = instant(col(view.event_time.name, self.v), view.event_time.type)
        on = [*self._same_keys(), col(self.event_time, self.m).eq(when)]
        if exact:
            for name, column in ((self.known_at, view.known_at), (self.created_at, view.created_at)):
                if column is not None:
                    value = instant(col(column.name, self.v), column.type)
                    on.append(exp.NullSafeEQ(this=col(name, self.m), expression=value))
        elif view.known_at is not None:
            on.append(self._known(self.v) <= col(self.t, self.m))
        source = table(match, self.m) if isinstance(match, str) else match
        query = query.from_(source).join(table(view.name, self.v), on=all_of(on))
        conditions = self._visible_somewhere(None)
        return query.where(*conditions) if conditions else query

    def _first(self, order: Sequence[exp.Expr]) -> exp.Expr:
        number = exp.Window(
            this=exp.RowNumber(),
            partition_by=[*self._key_columns(self.m), col(self.t, self.m)],
            order=exp.Order(expressions=list(order)) if order else None,
        )
        return number.eq(exp.Literal.number(1))

    def _tie_times(self) -> list[exp.Expr]:
        return [
            instant(col(c.name, self.v), c.type) for c in (self.view.known_at, self.view.created_at) if c is not None
        ]

    def _time_order(self) -> list[exp.Expr]:
        return [exp.Ordered(this=value, desc=True, nulls_first=False) for value in self._tie_times()]

    # -- conditions --------------------------------------------------------------------------------------------

    def _key_columns(self, alias: str) -> list[exp.Expr]:
        return [col(key, alias) for key in self.keys]

    def _same_keys(self) -> list[exp.Expr]:
        return [col(key, self.m).eq(col(key, self.v)) for key in self.keys]

    def _known(self, alias: str) -> exp.Expr:
        assert self.view.known_at is not None
        return instant(col(self.view.known_at.name, alias), self.view.known_at.type)

    def _in_age(self) -> exp.Expr:
        oldest = exp.Sub(this=col(self.t, self.m), expression=interval(self.view.ttl))
        return col(self.event_time, self.v) >= oldest

    def _visible_somewhere(self, reach: int | None) -> list[exp.Expr]:
        """Constants that let the engine skip what no moment can see. ``reach`` narrows how far back one looks."""
        view = self.view
        column = col(view.event_time.name, self.v)
        conditions: list[exp.Expr] = []
        back = reach or view.ttl
        if self.bounds.earliest is not None and back and (oldest := _earlier(self.bounds.earliest, back)):
            conditions.append(column.copy() >= at_instant_of(oldest, view.event_time.type))
        if self.bounds.latest is not None:
            conditions.append(column <= at_instant_of(self.bounds.latest, view.event_time.type))
        return conditions


def latest(view: FeatureView, names: Names, at: datetime) -> tuple[list[Cte], AsOf]:
    """The CTEs of a load: each entity's newest row visible at ``at``, with no spine to join.

    The rows are those of an as-of join on the spine "every entity, at that instant"; since each entity asks once, the
    match is one aggregate over the view.
    """
    step = AsOf(view, view.name, names, Bounds(None, at))
    v = step.v
    when = instant(col(view.event_time.name, v), view.event_time.type)
    conditions = [when <= at_instant(at)]
    conditions += [exp.Not(this=exp.Is(this=col(key, v), expression=exp.null())) for key in step.keys]
    if view.known_at is not None:
        conditions.append(step._known(v) <= at_instant(at))
    query = exp.select(
        *step._key_columns(v), named(at_instant(at), step.t), named(exp.Max(this=when.copy()), step.event_time)
    )
    query = query.from_(table(view.name, v)).where(*conditions)
    if step.keys:
        query = query.group_by(*step._key_columns(v))
    match = step.name("match")
    fetched = step.fetch(match, [c for c in view.columns if c not in view.keys])
    return [Cte(match, query, comment=f"each entity's newest row, ttl {_ttl(view)}"), *fetched], step


def _ttl(view: FeatureView) -> str:
    return spell(view.ttl) if view.ttl else "none"


def _bucket(when: exp.Expr, width: int) -> exp.Expr:
    return exp.IntDiv(this=exp.Anonymous(this="epoch_us", expressions=[when]), expression=exp.Literal.number(width))


def _earlier(moment: datetime, length: int) -> datetime | None:
    try:
        return moment - timedelta(microseconds=length)
    except OverflowError:
        return None


def _keys_of(moments: exp.Expr, keys: Sequence[str], alias: str) -> exp.Select:
    """``select the keys`` of a table or query of moments."""
    if isinstance(moments, exp.Table):
        return exp.select(*map(ident, keys)).from_(exp.Table(this=moments.this.copy()))
    return exp.select(*map(ident, keys)).from_(exp.Subquery(this=moments.copy(), alias=exp.TableAlias(this=ident(alias))))
