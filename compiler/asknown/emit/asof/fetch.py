"""Second half of an as-of join: breaks ties among the rows at the matched event time, then reads their columns.

Ties are broken by ``known_at``, ``created_at``, then the feature columns in select order (rule 3). So the answer does
not depend on physical order, threads or plan.

Without ``known_at``, the winning row depends on the keys and the event time alone. The winner is then found once for
each pair of these, however many moments share it. With ``known_at`` it depends on the moment too. If many rows tie,
the greatest visible ``known_at`` is matched first, and joins the keys and the event time.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from asknown.emit.asof.scope import AsOfScope
from asknown.emit.snippets import snippet
from asknown.emit.sql import all_of, col, ident, named, order_terms, same_or_null, subquery, table
from asknown.emit.statement import Cte
from asknown.types import Column


@dataclass(frozen=True)
class _Contest:
    """A choice of one row for each distinct value of ``columns`` in the CTE ``relation``.

    ``times`` are those of the columns that the row itself must have; the event time is one.
    """

    relation: str
    columns: tuple[str, ...]
    times: tuple[str, ...]


def fetch_rows(
    scope: AsOfScope, match: str, outputs: Sequence[Column], *, many_ties: bool = False, once: bool = False
) -> list[Cte]:
    """The CTEs that fetch ``outputs``. The last has (keys, t, outputs), one row for each moment.

    ``match`` is the CTE of the match. ``many_ties``: many rows share keys and event time. ``once``: each key has one
    moment only, as in a load. Without ``known_at``, the CTEs are::

        asked    SELECT DISTINCT k, event_time FROM match
        winners  SELECT m.k, m.event_time, v.price FROM asked AS m JOIN view AS v ON m.k = v.k AND m.event_time = v.ts
                 QUALIFY ROW_NUMBER() OVER (PARTITION BY m.k, m.event_time ORDER BY v.price DESC) = 1
        rows     SELECT m.k, m.t, v.price FROM match AS m JOIN winners AS v ON m.k = v.k AND m.event_time = v.event_time
    """
    moment = (*scope.keys, scope.t)
    if once or (scope.view.known_at is not None and not many_ties):
        contest = _Contest(match, (*moment, scope.event_time), (scope.event_time,))
        return _choose(scope, contest, outputs, moment, scope.name("rows"))
    ctes = []
    times: tuple[str, ...] = (scope.event_time,)
    if scope.view.known_at is not None:
        ctes.append(_match_known_at(scope, match))
        match, times = ctes[-1].name, (scope.event_time, scope.known_at)
    distinct = (*scope.keys, *times)
    asked = exp.select(*map(ident, distinct)).from_(table(match)).distinct()
    ctes.append(Cte(scope.name("asked"), asked, materialized=True, comment="each key and event time once"))
    winners = _choose(scope, _Contest(ctes[-1].name, distinct, times), outputs, distinct, scope.name("winners"))
    on = [col(name, scope.m).eq(col(name, scope.v)) for name in distinct]
    rows = (
        exp.select(*scope.moment(), *[col(column.name, scope.v) for column in outputs])
        .from_(table(match, scope.m))
        .join(table(winners[-1].name, scope.v), on=all_of(on))
    )
    return [*ctes, *winners, Cte(scope.name("rows"), rows)]


def _match_known_at(scope: AsOfScope, match: str) -> Cte:
    """The CTE of (keys, t, event_time, known_at): the greatest visible ``known_at`` at each moment's event time."""
    known = named(scope.known(), scope.known_at)
    tied = exp.select(*scope.keys_of(scope.v), named(scope.when(), scope.event_time), known)
    same = [col(key, scope.v).eq(col(key, scope.asked)) for key in scope.keys]
    same.append(scope.when().eq(col(scope.event_time, scope.asked)))
    tied = tied.from_(table(scope.source, scope.v)).join(table(match, scope.asked), on=all_of(same), join_type="semi")
    on = [*scope.same_keys(), col(scope.event_time, scope.m).eq(col(scope.event_time, scope.v))]
    on.append(col(scope.t, scope.m) >= col(scope.known_at, scope.v))
    query = (
        exp.select(*scope.moment(), col(scope.event_time, scope.m), col(scope.known_at, scope.v))
        .from_(table(match, scope.m))
        .join(subquery(tied.where(*scope.in_reach()), scope.v), on=all_of(on), join_type="asof")
    )
    return Cte(
        scope.name("known"), query, materialized=True, comment="among rows of one event time, the newest known_at"
    )


def _choose(
    scope: AsOfScope, contest: _Contest, outputs: Sequence[Column], shown: Sequence[str], name: str
) -> list[Cte]:
    """The CTEs that choose one row for each contest. The last, called ``name``, has (``shown``, ``outputs``)."""
    fetched = scope.view.fetched
    last = max((place for place, column in enumerate(fetched) if column in outputs), default=-1)
    deciding = fetched[: last + 1]  # rows that tie in all of these have the same outputs
    columns = [*(col(part, scope.m) for part in shown), *(col(column.name, scope.v) for column in outputs)]
    if all(column in outputs for column in deciding):
        order = [*_by_times(scope), *_by_columns(scope, deciding)]
        query = _with_rows(scope, exp.select(*columns), table(contest.relation, scope.m), contest.times)
        return [Cte(name, query.qualify(_is_first(scope, contest, order), copy=False))]
    best = scope.name("best")
    alone = _of_best(scope, best, exp.select(*columns), tied=False)
    tied = _of_best(scope, best, exp.select(*[c.copy() for c in columns]), tied=True)
    tied = tied.qualify(_is_first(scope, contest, _by_columns(scope, deciding)))
    names = [ident(part) for part in (*shown, *(column.name for column in outputs))]
    union = exp.union(alone, exp.select(*names).from_(subquery(tied, scope.m)), distinct=False)
    comment = "ties in every time are broken by the select's columns"
    return [Cte(best, _best(scope, contest), materialized=True), Cte(name, union, comment=comment)]


def _best(scope: AsOfScope, contest: _Contest) -> exp.Select:
    """The winning times of each contest, and the number of rows that have them.

    If few of many columns are fetched, the other columns are then read for tied rows alone.
    """
    own = [col(name, scope.m) for name in contest.columns]
    later = [(name, value) for name, value in scope.later_times() if name not in contest.columns]
    peers = exp.Window(this=exp.Count(this=exp.Star()), partition_by=[*(c.copy() for c in own), *(v for _, v in later)])
    columns = [*own, *(named(value.copy(), name) for name, value in later), named(peers, scope.ties)]
    query = _with_rows(scope, exp.select(*columns), table(contest.relation, scope.m), contest.times)
    return query.qualify(_is_first(scope, contest, _by_times(scope)))


def _of_best(scope: AsOfScope, best: str, query: exp.Select, *, tied: bool) -> exp.Select:
    """The rows with the winning times: of contests where several rows have them (``tied``), or of the others."""
    one = exp.Literal.number(1)
    ties = exp.column(ident(scope.ties))
    moments = exp.select("*").from_(table(best)).where(ties > one if tied else ties.eq(one))
    times = [scope.event_time, *(name for name, _ in scope.later_times())]
    return _with_rows(scope, query, subquery(moments, scope.m), times)


def _with_rows(scope: AsOfScope, query: exp.Select, asking: exp.Expr, times: Sequence[str]) -> exp.Select:
    """Completes ``query``: FROM ``asking``, joined with the rows that have its ``times`` and were known by ``t``."""
    own = {scope.event_time: scope.when(), **dict(scope.later_times())}
    on = [*scope.same_keys(), col(scope.event_time, scope.m).eq(own[scope.event_time])]
    on += [same_or_null(scope.dialect, col(t, scope.m), own[t]) for t in times if t != scope.event_time]
    if scope.view.known_at is not None and scope.known_at not in times:
        on.append(scope.known() <= col(scope.t, scope.m))
    query = query.from_(asking, copy=False).join(table(scope.source, scope.v), on=all_of(on), copy=False)
    return query.where(*scope.in_reach(), copy=False)


def _by_times(scope: AsOfScope) -> list[exp.Expr]:
    return [exp.Ordered(this=value, desc=True, nulls_first=False) for _, value in scope.later_times()]


def _by_columns(scope: AsOfScope, columns: Sequence[Column]) -> list[exp.Expr]:
    return [term for column in columns for term in order_terms(scope.dialect, column, col(column.name, scope.v))]


def _is_first(scope: AsOfScope, contest: _Contest, order: Sequence[exp.Expr]) -> exp.Expr:
    if not order and "any_order" in scope.dialect.snippets:  # it numbers no rows without
        order = [exp.Ordered(this=snippet(scope.dialect, "any_order"))]
    ordered = exp.Order(expressions=list(order)) if order else None
    partition = [col(name, scope.m) for name in contest.columns]
    return exp.Window(this=exp.RowNumber(), partition_by=partition, order=ordered).eq(exp.Literal.number(1))
