"""Compiles a plan into one statement: the CTEs of models, of the spine and of each step, and the final SELECT."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import assert_never

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.asof.fetch import fetch_rows
from asknown.emit.asof.match import match_moments
from asknown.emit.asof.scope import AsOfScope
from asknown.emit.feature_types import fits
from asknown.emit.identifiers import Names
from asknown.emit.keys import key_value
from asknown.emit.models import ViewRows
from asknown.emit.snippets import cast, snippet
from asknown.emit.sql import all_of, col, earlier, ident, instant, is_finer, named, not_null, table
from asknown.emit.statement import Cte, Statement
from asknown.emit.translate.define import define
from asknown.emit.translate.items import rewrite_item
from asknown.emit.translate.rewrite import place_of_column
from asknown.emit.windows.windows import window_ctes
from asknown.model.nodes import FeatureView, WindowCall
from asknown.plan.nodes import (
    AsOfJoin,
    Derived,
    DerivedValue,
    Extended,
    Fetched,
    LookedUp,
    Output,
    Plan,
    Spine,
    SpineInstant,
    SpineValue,
    Status,
    TrailingWindow,
    Value,
    WindowValue,
)
from asknown.types import Column, SqlType, parse_type

HEADER = "Written by asknown. Session: time zone UTC."

_TIMESTAMP = parse_type("TIMESTAMP")

_Joined = Mapping[int, tuple[str, AsOfScope]]
"""By a step's place in the plan: the alias of its CTE in the final SELECT, and its scope."""


def compile_training(plan: Plan, models: Sequence[Cte], reserved_names: Sequence[str], dialect: Dialect) -> Statement:
    """The training query of ``plan``: every spine row once, in order, with the features in the order of the request.

    The final SELECT joins the CTEs of the steps to the spine::

        SELECT s.shop, s.at, prices.price AS price FROM spine AS s
        LEFT JOIN prices__rows AS prices ON s.shop = prices.shop AND s.t = prices.t ORDER BY s.row

    ``models`` are the CTEs that the views and the spine read. ``reserved_names`` are all names that a user gave to
    things that a query can name.
    """
    extended = [column for step in plan.steps if isinstance(step, Extended) for column, _ in step.columns]
    columns = (
        [c.name for c in (*plan.spine.columns, *extended)]
        + [o.name for o in plan.outputs]
        + [s.name for s in plan.statuses]
    )
    # ClickHouse takes the table in given.x for a column called given.
    names = Names([*reserved_names, *(cte.name for cte in models), *columns])
    inside = Names(columns)
    row = inside.fresh("row") if plan.spine.relation.ordered else None
    spines, spine, t = spine_ctes(plan.spine, names, inside, dialect, row=row)
    rows = ViewRows(names, dialect, plan.columns_read)
    ctes = [*models, *spines]
    s = inside.fresh("s")
    query = exp.select(*[col(column.name, s) for column in plan.spine.columns]).from_(table(spine, s))
    joined: dict[int, tuple[str, AsOfScope]] = {}
    given = [column.name for column in plan.spine.columns]
    writer = _Writer(plan, joined, s, col(t, s), dialect)
    moments: dict[tuple[str, tuple[Column, ...]], tuple[AsOfScope, str]] = {}
    for place, join in enumerate(plan.steps):
        if isinstance(join, Derived):
            continue
        if isinstance(join, Extended):
            kept = [*([] if row is None else [row]), t, *given]
            ctes.append(_extended(join, query, names, kept, writer))
            given += [column.name for column, _ in join.columns]
            spine = ctes[-1].name
            query.set("from_", exp.From(this=table(spine, s)))
            continue
        ctes += rows.of(join.view)
        if (join.label, join.keys) not in moments:
            source = rows.name(join.view)
            scope = AsOfScope(join.view, join.label, source, names=names, bounds=plan.spine.bounds, dialect=dialect)
            ctes.append(moments_cte(join, scope, spine, t))
            moments[join.label, join.keys] = scope, ctes[-1].name
        scope, asking = moments[join.label, join.keys]
        ctes += _step_ctes(join, scope, asking)
        alias = inside.fresh(join.label if isinstance(join, AsOfJoin) else f"{join.label}_windows")
        joined[place] = alias, scope
        keys = zip(join.keys, join.view.keys, strict=True)
        on = [key_value(dialect, k, v, col(k.name, s)).eq(col(v.name, alias)) for k, v in keys]
        on.append(col(t, s).eq(col(scope.t, alias)))
        query = query.join(table(ctes[-1].name, alias), on=all_of(on), join_type="left", copy=False)
    query = query.select(*_outputs(plan, writer, dialect), copy=False)
    query = query if row is None else query.order_by(col(row, s), copy=False)
    return Statement(tuple(ctes), query, comment=HEADER)


def _outputs(plan: Plan, writer: _Writer, dialect: Dialect) -> Iterator[exp.Expr]:
    """The features in the order of the request, each followed by its status if that is wanted."""
    known = not_null(writer.t)
    statuses = {status.of.name: status for status in plan.statuses}
    for output in plan.outputs:
        value = _output(output, plan, writer, known, dialect)
        yield named(value, output.name)
        if output.name in statuses:
            status = statuses[output.name]
            yield named(_status(status, plan, value, writer), status.name)


def _extended(step: Extended, query: exp.Select, names: Names, kept: Sequence[str], writer: _Writer) -> Cte:
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


def _output(output: Output, plan: Plan, writer: _Writer, known: exp.Expr, dialect: Dialect) -> exp.Expr:
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
        case TrailingWindow() | Extended():
            raise AssertionError(f"'{output.name}' reads a step that gives no feature")
    return cast(dialect, value, output.column.type, at=place_of_column(model, output.column.name))


def _status(status: Status, plan: Plan, value: exp.Expr, writer: _Writer) -> exp.Expr:
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


@dataclass(frozen=True)
class _Writer:
    """Writes the expressions of derived steps, over the columns of the CTEs that are joined to the spine ``s``.

    ``t`` is the spine's instant in its canonical form.
    """

    plan: Plan
    joined: _Joined
    s: str
    t: exp.Expr
    dialect: Dialect

    def derived(self, derived: Derived, *conditions: exp.Expr) -> exp.Expr:
        """The expression of a derived step; NULL where one of the ``conditions`` does not hold."""
        value, feature = self._expression(derived), derived.narrowed
        fitting = None if feature is None else fits(self.dialect, value, feature, derived.model)
        checked = [*conditions, *([] if fitting is None else [fitting])]
        return exp.Case(ifs=[exp.If(this=all_of(checked), true=value)]) if checked else value

    def _expression(self, derived: Derived) -> exp.Expr:
        dialect, model = self.dialect, derived.model
        kinds = {name: self._kind(value) for name, value in derived.inputs.items()}
        types = {name.casefold(): kind for name, kind in kinds.items() if kind is not None}
        expression = derived.expression.copy()
        if model.dialect == dialect.sqlglot and (derived.call_types or derived.feature is not None):
            by_name = {name: kind for name, kind in kinds.items() if kind is not None and not name.startswith("@")}
            expression = define(expression, dialect, derived.call_types, by_name)
        feature = None if derived.feature is None else derived.feature.name
        expression = rewrite_item(expression, dialect, model, types, feature)
        inputs = {name.casefold(): value for name, value in derived.inputs.items()}

        def put(node: exp.Expr) -> exp.Expr:
            name = f"@{node.name}" if isinstance(node, exp.Parameter) else node.name.casefold()
            value = inputs.get(name) if isinstance(node, exp.Parameter | exp.Column) else None
            return node if value is None else self.value(value)

        return expression.transform(put)

    def value(self, value: Value) -> exp.Expr:
        """A value that an expression reads: a column of a CTE or of the spine, or another derived expression."""
        match value:
            case Fetched():
                return col(value.column.name, self.joined[value.step][0])
            case WindowValue():
                alias, scope = self.joined[value.step]
                result: exp.Expr = col(scope.call(value.place), alias)
                empty = value.call.aggregate.empty
                return result if empty is None else exp.Coalesce(this=result, expressions=[exp.Literal.number(empty)])
            case SpineValue(column, kind):
                given = col(column.name, self.s)
                if column.type == kind:
                    return given
                if column.type.kind == "timestamptz":
                    return exp.paren(instant(self.dialect, given, column.type))
                return cast(self.dialect, given, kind)
            case SpineInstant():
                timestamp = self.dialect.clock == "timestamp"
                return self.t.copy() if timestamp else snippet(self.dialect, "from_microseconds", x=self.t.copy())
            case LookedUp(inner_value, keys, _):
                there = all_of([not_null(col(key.name, self.s)) for key in keys])
                return exp.paren(exp.Case(ifs=[exp.If(this=there, true=self.value(inner_value))]))
            case DerivedValue(step, kind):
                inner = self.plan.steps[step]
                assert isinstance(inner, Derived)
                written = self.derived(inner)
                native = inner.model.dialect == self.dialect.sqlglot and inner.narrowed is None
                return exp.paren(written) if native else cast(self.dialect, written, kind)
        assert_never(value)

    def _kind(self, value: Value) -> SqlType | None:
        """A type of the kind that a value has, where that is plain."""
        match value:
            case Fetched(_, column):
                return column.type
            case LookedUp(inner, _, _):
                return self._kind(inner)
            case WindowValue():
                return _kind_of(value.call, self.joined[value.step][1].view)
            case SpineValue(_, kind) | DerivedValue(_, kind):
                return kind
            case SpineInstant():
                return _TIMESTAMP
        assert_never(value)


def _kind_of(call: WindowCall, view: FeatureView) -> SqlType | None:
    """A type of the kind that a window's value has, where that is plain."""
    return call.aggregate.result_type(None if call.value is None else view.column(call.value).type)


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
