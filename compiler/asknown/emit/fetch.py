"""The fetch: of the rows at each moment's event time, the one that rule 3's total order leaves, and its columns.

Ties are broken by ``known_at``, ``created_at``, then the feature columns in select order, so the answer never follows
physical order, threads or plan.
"""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from asknown.emit.sql import all_of, col, ident, named, order_terms, subquery, table
from asknown.emit.statement import Cte
from asknown.emit.step import Step
from asknown.model.nodes import Column


def fetch_rows(step: Step, match: str, wanted: Sequence[Column]) -> list[Cte]:
    """The CTEs that bring the ``wanted`` columns, the last of which has (keys, t, wanted), one row a moment.

    ``match`` is the CTE of the match.
    """
    fetched = step.view.fetched
    last = max((place for place, column in enumerate(fetched) if column in wanted), default=-1)
    deciding = fetched[: last + 1]  # rows that tie in all of these are the same in what is wanted
    if all(column in wanted for column in deciding):
        order = [*_by_times(step), *_by_columns(step, deciding)]
        query = _at_event_time(step, _select(step, wanted), table(match, step.m))
        return [Cte(step.name("rows"), query.qualify(_is_first(step, order)))]
    return _fetch_narrow(step, match, wanted, deciding)


def _fetch_narrow(step: Step, match: str, wanted: Sequence[Column], deciding: Sequence[Column]) -> list[Cte]:
    """For few columns of many: the others are read only for moments whose rows tie in every time."""
    best, rows = step.name("best"), step.name("rows")
    times = [*step.moment(), col(step.event_time, step.m)]
    times += [named(value, name) for name, value in step.later_times()]
    peers = exp.Window(
        this=exp.Count(this=exp.Star()), partition_by=[*step.moment(), *(value for _, value in step.later_times())]
    )
    winners = _at_event_time(step, exp.select(*times, named(peers, step.ties)), table(match, step.m))
    winners = winners.qualify(_is_first(step, _by_times(step)))

    one = exp.Literal.number(1)
    ties = exp.column(ident(step.ties))
    alone = _at_all_times(step, _select(step, wanted), best, ties.eq(one))
    tied = _at_all_times(step, _select(step, wanted), best, ties.copy() > one.copy())
    tied = tied.qualify(_is_first(step, _by_columns(step, deciding)))
    columns = [ident(name) for name in (*step.keys, step.t, *(column.name for column in wanted))]
    union = exp.union(alone, exp.select(*columns).from_(subquery(tied, step.m)), distinct=False)
    return [
        Cte(best, winners, keep=True),
        Cte(rows, union, comment="where rows tie in every time, the select's columns decide"),
    ]


def _select(step: Step, wanted: Sequence[Column]) -> exp.Select:
    return exp.select(*step.moment(), *[col(column.name, step.v) for column in wanted])


def _at_event_time(step: Step, query: exp.Select, moments: exp.Expr) -> exp.Select:
    """The view's rows at each moment's event time that are visible at it."""
    on = [*step.same_keys(), col(step.event_time, step.m).eq(step.when())]
    if step.view.known_at is not None:
        on.append(step.known() <= col(step.t, step.m))
    return query.from_(moments).join(table(step.source, step.v), on=all_of(on)).where(*step.in_reach())


def _at_all_times(step: Step, query: exp.Select, best: str, condition: exp.Expr) -> exp.Select:
    """The view's rows that have all the times of the best one, for the moments that meet ``condition``."""
    moments = subquery(exp.select("*").from_(table(best)).where(condition), step.m)
    on = [*step.same_keys(), col(step.event_time, step.m).eq(step.when())]
    on += [exp.NullSafeEQ(this=col(name, step.m), expression=value) for name, value in step.later_times()]
    return query.from_(moments).join(table(step.source, step.v), on=all_of(on)).where(*step.in_reach())


def _by_times(step: Step) -> list[exp.Expr]:
    return [exp.Ordered(this=value, desc=True, nulls_first=False) for _, value in step.later_times()]


def _by_columns(step: Step, columns: Sequence[Column]) -> list[exp.Expr]:
    return [term for column in columns for term in order_terms(column, col(column.name, step.v))]


def _is_first(step: Step, order: Sequence[exp.Expr]) -> exp.Expr:
    ordered = exp.Order(expressions=list(order)) if order else None
    number = exp.Window(this=exp.RowNumber(), partition_by=step.moment(), order=ordered)
    return number.eq(exp.Literal.number(1))
