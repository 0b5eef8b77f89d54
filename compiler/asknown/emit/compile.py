"""Compiles a plan into one statement: the models it needs, a step for each view, and the spine joined back."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import assert_never

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.asof.fetch import fetch_rows
from asknown.emit.asof.match import match_moments
from asknown.emit.asof.scope import Step
from asknown.emit.identifiers import Names
from asknown.emit.models import ViewRows
from asknown.emit.snippets import cast, say
from asknown.emit.sql import all_of, col, given, ident, instant, named, table
from asknown.emit.statement import Cte, Statement
from asknown.emit.translate.define import define
from asknown.emit.translate.rewrite import place_of_column, rewrite
from asknown.emit.windows.windows import window_ctes
from asknown.model.nodes import Column, FeatureView, WindowCall
from asknown.plan.nodes import AsOfJoin, Output, Plan, Spine, TrailingWindow
from asknown.types import SqlType, parse_type

HEADER = "Written by asknown. Session: time zone UTC."


def compile_training(plan: Plan, models: Sequence[Cte], taken: Sequence[str], dialect: Dialect) -> Statement:
    """The training query of ``plan``: every spine row once, in order, then the features in the order asked for.

    ``models`` are the CTEs that the views and the spine stand on; ``taken`` are all names that a user gave to things
    that a query can name.
    """
    names = Names([*taken, *(cte.name for cte in models)])
    inside = Names([c.name for c in plan.spine.columns] + [output.name for output in plan.outputs])
    row = inside.fresh("row")
    spines, spine, t = spine_ctes(plan.spine, names, inside, dialect, row=row)
    rows = ViewRows(names, dialect)
    ctes = [*models, *spines]
    s = inside.fresh("s")
    query = exp.select(*[col(column.name, s) for column in plan.spine.columns]).from_(table(spine, s))
    joined: list[tuple[str, Step]] = []
    moments: dict[tuple[str, tuple[Column, ...]], tuple[Step, str]] = {}
    for join in plan.steps:
        ctes += rows.of(join.view)
        if (join.label, join.keys) not in moments:
            source = rows.name(join.view)
            step = Step(join.view, join.label, source, names=names, bounds=plan.spine.bounds, dialect=dialect)
            ctes.append(moments_cte(join, step, spine, t))
            moments[join.label, join.keys] = step, ctes[-1].name
        step, asking = moments[join.label, join.keys]
        ctes += _step_ctes(join, step, asking)
        alias = inside.fresh(join.label if isinstance(join, AsOfJoin) else f"{join.label}_windows")
        joined.append((alias, step))
        on = [col(k.name, s).eq(col(v, alias)) for k, v in zip(join.keys, step.keys, strict=True)]
        on.append(col(t, s).eq(col(step.t, alias)))
        query = query.join(table(ctes[-1].name, alias), on=all_of(on), join_type="left")
    known = given(col(t, s))
    query = query.select(*[named(_output(output, joined, known, dialect), output.name) for output in plan.outputs])
    return Statement(tuple(ctes), query.order_by(col(row, s)), comment=HEADER)


def _step_ctes(join: AsOfJoin | TrailingWindow, step: Step, moments: str) -> list[Cte]:
    match join:
        case AsOfJoin():
            *before, match = match_moments(step, moments, join.match)
            fetched = fetch_rows(step, match.name, join.columns, many_ties=join.match.many_ties)
            return [*before, replace(match, keep=True if len(fetched) > 1 else None), *fetched]
        case TrailingWindow():
            return window_ctes(step, moments, join)
    assert_never(join)


def _output(output: Output, joined: Sequence[tuple[str, Step]], known: exp.Expr, dialect: Dialect) -> exp.Expr:
    """A result column: what was fetched, or the item's expression over windows and what was fetched."""
    if output.item is None or output.item.expression is None:
        assert output.as_of is not None
        fetched = col(output.column.name, joined[output.as_of][0])
        model = joined[output.as_of][1].view.model
        if model.dialect == dialect.sqlglot:
            return fetched
        return cast(dialect, fetched, output.column.type, at=place_of_column(model, output.column.name))

    def put(node: exp.Expr) -> exp.Expr:
        if isinstance(node, exp.Parameter):
            return _window_value(output, int(node.name), joined)
        if isinstance(node, exp.Column) and output.as_of is not None:
            return col(spelled.get(node.name.casefold(), node.name), joined[output.as_of][0])
        return node

    view = joined[next(iter(output.windows.values()))][1].view
    types = {column.name.casefold(): column.type for column in view.columns}
    spelled = {column.name.casefold(): column.name for column in view.columns}
    types |= {
        f"@{place}": kind for place, call in enumerate(output.calls) if (kind := _kind_of(call, view)) is not None
    }
    expression = output.item.expression.copy()
    if view.model.dialect == dialect.sqlglot and view.lifted is not None and view.lifted.call_types:
        by_name = {column.name: column.type for column in view.columns}
        expression = define(expression, dialect, view.lifted.call_types, by_name)
    expression = rewrite(expression, dialect, view.model, types)
    # An instant that is not given gives NULL, not the answer over no rows.
    value = exp.Case(ifs=[exp.If(this=known.copy(), true=expression.transform(put))])
    return cast(dialect, value, output.column.type, at=place_of_column(view.model, output.column.name))


def _kind_of(call: WindowCall, view: FeatureView) -> SqlType | None:
    """A type of the kind that a window's value has, where that is plain."""
    value = None if call.value is None else view.column(call.value).type
    match call.aggregate.state:
        case "count":
            return parse_type("BIGINT")
        case "flags":
            return parse_type("BOOLEAN")
        case "sum" if call.aggregate.name == "avg":
            return parse_type("DOUBLE")
        case "sum" if value is not None and value.kind == "boolean":
            return parse_type("BIGINT")
        case "sum" | "extreme":
            return value
    return value if call.aggregate.name in ("first", "last", "arg_min", "arg_max", "quantile_disc") else None


def _window_value(output: Output, place: int, joined: Sequence[tuple[str, Step]]) -> exp.Expr:
    alias, step = joined[output.windows[place]]
    value: exp.Expr = col(step.call(place), alias)
    empty = output.calls[place].aggregate.empty
    return value if empty is None else exp.Coalesce(this=value, expressions=[exp.Literal.number(empty)])


def spine_ctes(
    spine: Spine, names: Names, inside: Names, dialect: Dialect, *, row: str | None = None
) -> tuple[list[Cte], str, str]:
    """The spine as it was given, and the same with its canonical instants (and row numbers), computed once.

    Gives the CTEs, the name of the last, and the name of its instants.
    """
    raw, numbered, t = names.fresh("given"), names.fresh("spine"), inside.fresh("t")
    when = instant(dialect, col(spine.instant.name, raw), spine.instant.type)
    columns = [named(when, t), exp.Column(this=exp.Star(), table=ident(raw))]
    numbered_by = spine.relation.row
    if numbered_by is not None:
        columns[1:] = [col(column.name, raw) for column in spine.columns]
    if row is not None:
        number = say(dialect, "row_number") if numbered_by is None else col(numbered_by, raw)
        columns.insert(0, named(number, row))
    query = exp.select(*columns).from_(table(raw))
    ctes = [Cte(raw, spine.relation.sql), Cte(numbered, query, keep=True, comment="the spine, in its own order")]
    return ctes, numbered, t


def moments_cte(join: AsOfJoin | TrailingWindow, step: Step, spine: str, t: str) -> Cte:
    """The distinct moments of a step: keys under the view's names, and the instant; none of them NULL."""
    asked = [exp.column(ident(key.name)) for key in join.keys]
    instants = exp.column(ident(t))
    columns = [named(key, name) for key, name in zip(asked, step.keys, strict=True)]
    query = exp.select(*columns, named(instants, step.t)).from_(table(spine))
    query = query.where(*[given(column.copy()) for column in (*asked, instants)]).distinct()
    keys = ", ".join(step.keys) or "no key"
    return Cte(step.name("moments"), query, keep=True, comment=f"{join.label}: as of each moment, by {keys}")
