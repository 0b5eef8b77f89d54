"""Compiles a plan into one statement: the CTEs of models, of the spine and of each step, and the final SELECT."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import assert_never

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.asof.fetch import fetch_rows
from asknown.emit.asof.match import match_moments
from asknown.emit.asof.scope import AsOfScope
from asknown.emit.elements import Elements, elements_cte, gathered_cte
from asknown.emit.identifiers import Names
from asknown.emit.keys import key_value
from asknown.emit.models import ViewRows
from asknown.emit.snippets import cast, snippet
from asknown.emit.sql import all_of, col, earlier, ident, instant, is_finer, named, not_null, table
from asknown.emit.statement import Cte, Statement
from asknown.emit.step_values import ValueWriter
from asknown.emit.translate.rewrite import place_of_column
from asknown.emit.windows.windows import window_ctes
from asknown.plan.nodes import (
    AsOfJoin,
    Derived,
    Extended,
    Gathered,
    Output,
    Plan,
    Spine,
    Status,
    Step,
    TrailingWindow,
    Unnested,
)
from asknown.types import Column

HEADER = "Written by asknown. Session: time zone UTC."


def compile_training(plan: Plan, models: Sequence[Cte], reserved_names: Sequence[str], dialect: Dialect) -> Statement:
    """The training query of ``plan``: every spine row once, in order, with the features in the order of the request.

    The final SELECT joins the CTEs of the steps to the spine::

        SELECT s.shop, s.at, prices.price AS price FROM spine AS s
        LEFT JOIN prices__rows AS prices ON s.shop = prices.shop AND s.t = prices.t ORDER BY s.row

    ``models`` are the CTEs that the views and the spine read. ``reserved_names`` are all names that a user gave to
    things that a query can name.
    """
    columns = (
        [c.name for c in (*plan.spine.columns, *_added(plan))]
        + [o.name for o in plan.outputs]
        + [s.name for s in plan.statuses]
    )
    # ClickHouse takes the table in given.x for a column called given.
    names = Names([*reserved_names, *(cte.name for cte in models), *columns])
    inside = Names(columns)
    ordered = plan.spine.relation.ordered
    row = inside.fresh("row") if ordered or any(isinstance(step, Unnested) for step in plan.steps) else None
    spines, spine, t = spine_ctes(plan.spine, names, inside, dialect, row=row)
    joins = _Joins(plan, names, inside, dialect, spine=spine, row=row, t=t)
    for place, step in enumerate(plan.steps):
        joins.add(place, step)
    query = joins.query.select(*_outputs(plan, joins.writer, dialect), copy=False)
    query = query.order_by(col(row, joins.s), copy=False) if ordered and row is not None else query
    return Statement((*models, *spines, *joins.ctes), query, comment=HEADER)


def _added(plan: Plan) -> Iterator[Column]:
    """The columns that steps add beside the spine's."""
    for step in plan.steps:
        match step:
            case Extended(columns) | Gathered(_, columns):
                yield from (column for column, _ in columns)
            case Unnested():
                yield step.element


class _Joins:
    """The CTEs of the steps so far, and the query that joins them to the spine, whose alias is ``s``.

    ``row`` and ``t`` are the names of the spine's row numbers and instants.
    """

    def __init__(
        self, plan: Plan, names: Names, inside: Names, dialect: Dialect, *, spine: str, row: str | None, t: str
    ) -> None:
        self._plan = plan
        self._names = names
        self._inside = inside
        self._dialect = dialect
        self._spine = spine
        self._row = row
        self._t = t
        self._rows = ViewRows(names, dialect, plan.columns_read)
        self._moments: dict[tuple[str, tuple[Column, ...]], tuple[AsOfScope, str]] = {}
        self._given = [column.name for column in plan.spine.columns]
        self._elements: Elements | None = None
        self.s = inside.fresh("s")
        self.ctes: list[Cte] = []
        self.query = exp.select(*[col(name, self.s) for name in self._given]).from_(table(spine, self.s))
        self.writer = ValueWriter(plan, {}, {}, self.s, col(t, self.s), dialect)

    def add(self, place: int, step: Step) -> None:
        """Adds one step, which stands at a place of the plan."""
        match step:
            case Derived():
                pass  # the final SELECT has it
            case Extended():
                self._extend(step)
            case Unnested():
                self._unnest(step)
            case Gathered():
                self._gather(place, step)
            case AsOfJoin() | TrailingWindow():
                self._join(place, step)
            case _:
                assert_never(step)

    def _join(self, place: int, join: AsOfJoin | TrailingWindow) -> None:
        self.ctes += self._rows.of(join.view)
        if (join.label, join.keys) not in self._moments:
            source, bounds = self._rows.name(join.view), self._plan.spine.bounds
            scope = AsOfScope(join.view, join.label, source, names=self._names, bounds=bounds, dialect=self._dialect)
            self.ctes.append(moments_cte(join, scope, self._spine, self._t))
            self._moments[join.label, join.keys] = scope, self.ctes[-1].name
        scope, asking = self._moments[join.label, join.keys]
        self.ctes += _step_ctes(join, scope, asking)
        alias = self._inside.fresh(join.label if isinstance(join, AsOfJoin) else f"{join.label}_windows")
        self.writer.joined[place] = alias, scope
        keys = zip(join.keys, join.view.keys, strict=True)
        on = [key_value(self._dialect, k, v, col(k.name, self.s)).eq(col(v.name, alias)) for k, v in keys]
        on.append(self.writer.t.copy().eq(col(scope.t, alias)))
        found = table(self.ctes[-1].name, alias)
        self.query = self.query.join(found, on=all_of(on), join_type="left", copy=False)

    def _extend(self, step: Extended) -> None:
        kept = [*([] if self._row is None else [self._row]), self._t, *self._given]
        self.ctes.append(_extended(step, self.query, self._names, kept, self.writer))
        self._given += [column.name for column, _ in step.columns]
        self._spine = self.ctes[-1].name
        self.query.set("from_", exp.From(this=table(self._spine, self.s)))

    def _unnest(self, step: Unnested) -> None:
        """Goes on with a query over the elements of lists."""
        assert self._row is not None
        self._elements = Elements(step, self.query, self._spine, self.s, self._row, self._inside.fresh("place"))
        self.ctes.append(elements_cte(self._elements, self._names, self._t, self._dialect))
        self._spine = self.ctes[-1].name
        self.query = exp.select().from_(table(self._spine, self.s))

    def _gather(self, place: int, step: Gathered) -> None:
        """Joins the lists of what was found for the elements to the query over the spine's rows, and goes on there."""
        elements = self._elements
        assert elements is not None
        values = [(column.name, self.writer.value(value)) for column, value in step.columns]
        self.ctes.append(gathered_cte(elements, self.query, values, self._names, self._dialect))
        alias = self._inside.fresh(f"{step.unnested.label}_lists")
        self.writer.gathered[place] = alias
        on = col(elements.row, self.s).eq(col(elements.row, alias))
        found = table(self.ctes[-1].name, alias)
        self.query = elements.outer.join(found, on=on, join_type="left", copy=False)
        self._spine, self._elements = elements.spine, None


def _outputs(plan: Plan, writer: ValueWriter, dialect: Dialect) -> Iterator[exp.Expr]:
    """The features in the order of the request, each followed by its status if that is wanted."""
    known = not_null(writer.t)
    statuses = {status.of.name: status for status in plan.statuses}
    for output in plan.outputs:
        value = _output(output, plan, writer, known, dialect)
        yield named(value, output.name)
        if output.name in statuses:
            status = statuses[output.name]
            yield named(_status(status, plan, value, writer), status.name)


def _extended(step: Extended, query: exp.Select, names: Names, kept: Sequence[str], writer: ValueWriter) -> Cte:
    """The spine's columns ``kept`` and those that a step adds, with values of the steps that are joined so far."""
    rows = query.copy()
    added = [named(writer.value(value), column.name) for column, value in step.columns]
    rows.set("expressions", [*(named(col(name, writer.s), name) for name in kept), *added])
    shown = ", ".join(column.name for column, _ in step.columns)
    return Cte(names.fresh("looked_up"), rows, materialized=True, comment=f"the spine, with what to look up: {shown}")


def _step_ctes(join: AsOfJoin | TrailingWindow, scope: AsOfScope, moments: str) -> list[Cte]:
    match join:
        case AsOfJoin():
            *before, match = match_moments(scope, moments, join.match)
            fetched = fetch_rows(scope, match.name, join.columns, many_ties=join.match.many_ties)
            return [*before, replace(match, materialized=True if len(fetched) > 1 else None), *fetched]
        case TrailingWindow():
            return window_ctes(scope, moments, join)
    assert_never(join)


def _output(output: Output, plan: Plan, writer: ValueWriter, known: exp.Expr, dialect: Dialect) -> exp.Expr:
    """A column of the result, in the type of the model's SQL."""
    match plan.steps[output.step]:
        case Derived() as derived:
            model = derived.model
            # A NULL instant gives NULL, not the aggregate over no rows.
            value = writer.derived(derived, known.copy())
        case AsOfJoin() as join:
            model = join.view.model
            value = col(output.column.name, writer.joined[output.step][0])
            if model.dialect == dialect.sqlglot:
                return value
        case Gathered() as gathered:
            return writer.listed(output.step, output.column.name, gathered.unnested.key)
        case TrailingWindow() | Extended() | Unnested():
            raise AssertionError(f"'{output.name}' reads a step that gives no feature")
    return cast(dialect, value, output.column.type, at=place_of_column(model, output.column.name))


def _status(status: Status, plan: Plan, value: exp.Expr, writer: ValueWriter) -> exp.Expr:
    """The status of an output whose value is ``value``, as an online read gives it (rule 9)."""
    missing = exp.Is(this=value.copy(), expression=exp.null())
    cases = [exp.If(this=missing, true=exp.Literal.string("NULL_VALUE"))]
    if status.newest is not None:
        dialect, moment = writer.dialect, status.newest.column
        newest = col(moment.name, writer.joined[status.newest.step][0])
        absent = exp.Is(this=newest, expression=exp.null())
        step = plan.steps[status.of.step]
        assert isinstance(step, AsOfJoin)
        if step.view.ttl is not None:
            young = instant(dialect, newest.copy(), moment.type) >= earlier(dialect, writer.t.copy(), step.view.ttl)
            cases.insert(0, exp.If(this=exp.not_(young), true=exp.Literal.string("OUTSIDE_MAX_AGE")))
        cases.insert(0, exp.If(this=absent, true=exp.Literal.string("NOT_FOUND")))
    return exp.Case(ifs=cases, default=exp.Literal.string("PRESENT"))


def spine_ctes(
    spine: Spine, names: Names, inside: Names, dialect: Dialect, *, row: str | None = None
) -> tuple[list[Cte], str, str]:
    """The spine's relation, and the same with canonical instants (and row numbers), computed once.

    Gives the CTEs, the name of the last, and the name of its instants.
    """
    raw, numbered, t = names.fresh("given"), names.fresh("spine"), inside.fresh("t")
    given = col(spine.instant.name, raw)
    when = instant(dialect, given, spine.instant.type)
    if (
        spine.instant.type.kind == "text"
        and spine.bounds.rows is None
        and {"raise", "matches"} <= dialect.snippets.keys()
    ):
        problem = exp.Literal.string("an instant of the spine is not a whole microsecond")
        exact = snippet(dialect, "raise", condition=is_finer(dialect, given.copy()), message=problem)
        when = exp.case().when(exact, when)  # nobody looked at these texts before
    columns = [named(when, t), exp.Column(this=exp.Star(), table=ident(raw))]
    numbered_by = spine.relation.row
    if numbered_by is not None:
        columns[1:] = [col(column.name, raw) for column in spine.columns]
    if row is not None:
        number = snippet(dialect, "row_number") if numbered_by is None else col(numbered_by, raw)
        columns.insert(0, named(number, row))
    query = exp.select(*columns).from_(table(raw))
    ctes = [
        Cte(raw, spine.relation.sql),
        Cte(numbered, query, materialized=True, comment="the spine, with its instant in UTC"),
    ]
    return ctes, numbered, t


def moments_cte(join: AsOfJoin | TrailingWindow, scope: AsOfScope, spine: str, t: str) -> Cte:
    """The distinct moments of a step: its keys under the view's names, and the instant. None of them is NULL.

    ``SELECT DISTINCT shop_id AS shop, t FROM spine WHERE NOT shop_id IS NULL AND NOT t IS NULL``
    """
    given = zip(join.keys, join.view.keys, strict=True)
    key_columns = [key_value(scope.dialect, k, v, exp.column(ident(k.name))) for k, v in given]
    instants = exp.column(ident(t))
    columns = [named(key, name) for key, name in zip(key_columns, scope.keys, strict=True)]
    query = exp.select(*columns, named(instants, scope.t)).from_(table(spine))
    query = query.where(*[not_null(column.copy()) for column in (*key_columns, instants)]).distinct()
    keys = ", ".join(scope.keys) or "no key"
    return Cte(
        scope.name("moments"), query, materialized=True, comment=f"{join.label}: the distinct moments, by {keys}"
    )
