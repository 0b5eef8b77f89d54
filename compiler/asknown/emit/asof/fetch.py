"""The fetch: of the rows at each moment's event time, the one that rule 3's total order leaves, and its columns.

Ties are broken by ``known_at``, ``created_at``, then the feature columns in select order, so the answer never follows
physical order, threads or plan.

Which row wins depends on the keys and the event time alone where the view has no ``known_at``; so the winners are
settled once for each of these, however many moments share them. With ``known_at`` it depends on the moment too; where
many rows tie, the greatest ``known_at`` in sight is matched first, and then decides with the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlglot import exp

from asknown.emit.asof.scope import Step
from asknown.emit.snippets import say
from asknown.emit.sql import all_of, col, ident, named, order_terms, same_or_null, subquery, table
from asknown.emit.statement import Cte
from asknown.model.nodes import Column


@dataclass(frozen=True)
class _Contest:
    """What one row is to be chosen for: the distinct ``columns`` of a CTE, among which is the event time.

    ``times`` are the columns that the row must have itself.
    """

    relation: str
    columns: tuple[str, ...]
    times: tuple[str, ...]


def fetch_rows(
    step: Step, match: str, wanted: Sequence[Column], *, many_ties: bool = False, once: bool = False
) -> list[Cte]:
    """The CTEs that bring the ``wanted`` columns, the last of which has (keys, t, wanted), one row a moment.

    ``match`` is the CTE of the match; ``many_ties`` says that many rows share keys and event time; ``once`` that each
    key asks once only, as in a load.
    """
    moment = (*step.keys, step.t)
    if once or (step.view.known_at is not None and not many_ties):
        contest = _Contest(match, (*moment, step.event_time), (step.event_time,))
        return _choose(step, contest, wanted, moment, step.name("rows"))
    ctes = []
    times: tuple[str, ...] = (step.event_time,)
    if step.view.known_at is not None:
        ctes.append(_match_known_at(step, match))
        match, times = ctes[-1].name, (step.event_time, step.known_at)
    distinct = (*step.keys, *times)
    asked = exp.select(*map(ident, distinct)).from_(table(match)).distinct()
    ctes.append(Cte(step.name("asked"), asked, keep=True, comment="what the moments have in common"))
    winners = _choose(step, _Contest(ctes[-1].name, distinct, times), wanted, distinct, step.name("winners"))
    on = [col(name, step.m).eq(col(name, step.v)) for name in distinct]
    rows = (
        exp.select(*step.moment(), *[col(column.name, step.v) for column in wanted])
        .from_(table(match, step.m))
        .join(table(winners[-1].name, step.v), on=all_of(on))
    )
    return [*ctes, *winners, Cte(step.name("rows"), rows)]


def _match_known_at(step: Step, match: str) -> Cte:
    """(keys, t, event_time, known_at): the greatest ``known_at`` in sight at each moment, at its event time."""
    known = named(step.known(), step.known_at)
    tied = exp.select(*step.keys_of(step.v), named(step.when(), step.event_time), known)
    same = [col(key, step.v).eq(col(key, step.asked)) for key in step.keys]
    same.append(step.when().eq(col(step.event_time, step.asked)))
    tied = tied.from_(table(step.source, step.v)).join(table(match, step.asked), on=all_of(same), join_type="semi")
    on = [*step.same_keys(), col(step.event_time, step.m).eq(col(step.event_time, step.v))]
    on.append(col(step.t, step.m) >= col(step.known_at, step.v))
    query = (
        exp.select(*step.moment(), col(step.event_time, step.m), col(step.known_at, step.v))
        .from_(table(match, step.m))
        .join(subquery(tied.where(*step.in_reach()), step.v), on=all_of(on), join_type="asof")
    )
    return Cte(step.name("known"), query, keep=True, comment="of rows that tie, the one known last")


def _choose(step: Step, contest: _Contest, wanted: Sequence[Column], shown: Sequence[str], name: str) -> list[Cte]:
    """The CTEs of which the last, called ``name``, gives (``shown``, wanted) of each contest's one row."""
    fetched = step.view.fetched
    last = max((place for place, column in enumerate(fetched) if column in wanted), default=-1)
    deciding = fetched[: last + 1]  # rows that tie in all of these are the same in what is wanted
    columns = [*(col(part, step.m) for part in shown), *(col(column.name, step.v) for column in wanted)]
    if all(column in wanted for column in deciding):
        order = [*_by_times(step), *_by_columns(step, deciding)]
        query = _with_rows(step, exp.select(*columns), table(contest.relation, step.m), contest.times)
        return [Cte(name, query.qualify(_is_first(step, contest, order)))]
    best = step.name("best")
    alone = _of_best(step, best, exp.select(*columns), tied=False)
    tied = _of_best(step, best, exp.select(*[c.copy() for c in columns]), tied=True)
    tied = tied.qualify(_is_first(step, contest, _by_columns(step, deciding)))
    names = [ident(part) for part in (*shown, *(column.name for column in wanted))]
    union = exp.union(alone, exp.select(*names).from_(subquery(tied, step.m)), distinct=False)
    comment = "where rows tie in every time, the select's columns decide"
    return [Cte(best, _best(step, contest), keep=True), Cte(name, union, comment=comment)]


def _best(step: Step, contest: _Contest) -> exp.Select:
    """Each contest's winning times, and how many rows have them: for few columns of many, the others are not read."""
    own = [col(name, step.m) for name in contest.columns]
    later = [(name, value) for name, value in step.later_times() if name not in contest.columns]
    peers = exp.Window(this=exp.Count(this=exp.Star()), partition_by=[*(c.copy() for c in own), *(v for _, v in later)])
    columns = [*own, *(named(value.copy(), name) for name, value in later), named(peers, step.ties)]
    query = _with_rows(step, exp.select(*columns), table(contest.relation, step.m), contest.times)
    return query.qualify(_is_first(step, contest, _by_times(step)))


def _of_best(step: Step, best: str, query: exp.Select, *, tied: bool) -> exp.Select:
    """The rows that have the winning times, where several do (``tied``) or only one."""
    one = exp.Literal.number(1)
    ties = exp.column(ident(step.ties))
    moments = exp.select("*").from_(table(best)).where(ties > one if tied else ties.eq(one))
    times = [step.event_time, *(name for name, _ in step.later_times())]
    return _with_rows(step, query, subquery(moments, step.m), times)


def _with_rows(step: Step, query: exp.Select, asking: exp.Expr, times: Sequence[str]) -> exp.Select:
    """``query`` over those who ask and the view's rows that have these ``times`` of theirs, and were known by then."""
    own = {step.event_time: step.when(), **dict(step.later_times())}
    on = [*step.same_keys(), col(step.event_time, step.m).eq(own[step.event_time])]
    on += [same_or_null(step.dialect, col(t, step.m), own[t]) for t in times if t != step.event_time]
    if step.view.known_at is not None and step.known_at not in times:
        on.append(step.known() <= col(step.t, step.m))
    return query.from_(asking).join(table(step.source, step.v), on=all_of(on)).where(*step.in_reach())


def _by_times(step: Step) -> list[exp.Expr]:
    return [exp.Ordered(this=value, desc=True, nulls_first=False) for _, value in step.later_times()]


def _by_columns(step: Step, columns: Sequence[Column]) -> list[exp.Expr]:
    return [term for column in columns for term in order_terms(step.dialect, column, col(column.name, step.v))]


def _is_first(step: Step, contest: _Contest, order: Sequence[exp.Expr]) -> exp.Expr:
    if not order and "any_order" in step.dialect.words:  # it numbers no rows without
        order = [exp.Ordered(this=say(step.dialect, "any_order"))]
    ordered = exp.Order(expressions=list(order)) if order else None
    partition = [col(name, step.m) for name in contest.columns]
    return exp.Window(this=exp.RowNumber(), partition_by=partition, order=ordered).eq(exp.Literal.number(1))
