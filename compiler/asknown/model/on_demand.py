"""Reads an on-demand view: one select of row expressions over ``request``, each with its tree for the reader (rule 12).

The expressions are rewritten so that each column is a plain column of the request, under the request's spelling. A name
that is no column of the request may be an earlier item's, whose expression then stands in its place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from sqlglot import exp

from asknown.errors import AsknownError, Where, did_you_mean
from asknown.model.expressions.types import NotPortableError
from asknown.model.expressions.write import portable
from asknown.model.nodes import InputColumn, KeyColumn, Model, OnDemandItem, RequestColumn
from asknown.model.windows import check_lambdas, place_of
from asknown.render.nodes import REQUEST
from asknown.types import Column

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_CLAUSES = {
    "with_": "a CTE",
    "joins": "a JOIN",
    "laterals": "a LATERAL",
    "where": "WHERE",
    "group": "GROUP BY",
    "having": "HAVING",
    "qualify": "QUALIFY",
    "windows": "WINDOW",
    "distinct": "DISTINCT",
    "order": "ORDER BY",
    "limit": "LIMIT",
    "offset": "OFFSET",
    "sample": "a sample",
}


def request_place(model: Model) -> Where:
    """The line of the template that calls ``request()``."""
    call = model.rendered.request
    return model.rendered.template_place(call.line if call is not None else model.rendered.config_line or 1)


def check_select(model: Model) -> exp.Select:
    """The view's select. Raises ``bad-model`` for anything but ``select … from {{ request(…) }}``."""
    tree = model.tree
    if model.rendered.request is None or model.rendered.refs or model.rendered.sources:
        raise _bad(
            model,
            "reads a model or a source"
            if model.rendered.refs or model.rendered.sources
            else "does not read the request",
            "write: from {{ request('view', …) }}, and put what reads rows into a feature view that it names",
        )
    if not isinstance(tree, exp.Select):
        raise _bad(model, "is a union", "write one select; choose between values by case … end")
    for name, spelled in _CLAUSES.items():
        if tree.args.get(name):
            raise _bad(model, f"has {spelled}", "there is one row; choose between values by case … end")
    source = tree.args.get("from_")
    relation = None if source is None else source.this
    plain = isinstance(relation, exp.Table) and relation.name.casefold() == REQUEST and not relation.db
    if not plain:
        raise _bad(model, "reads something beside the request", "write: from {{ request('view', …) }}")
    return tree


def read_items(model: Model, columns: Sequence[RequestColumn]) -> list[tuple[str, exp.Expr]]:
    """Each item's name and expression over plain columns of the request, in select order.

    Raises ``bad-model`` for what is no row expression or has no name, and for a column that the request does not have.
    """
    tree = check_select(model)
    relation = tree.args["from_"].this
    resolve = _Resolver(model, relation.alias_or_name, {column.name.casefold(): column for column in columns})
    items: list[tuple[str, exp.Expr]] = []
    for item in tree.selects:
        if item.is_star:
            raise _bad(model, "selects *", "name what it computes, one item a feature", near=item)
        name = item.alias_or_name
        if not name:
            raise _bad(model, f"has an item without a name: {item.sql('duckdb')}", "write: … as some_name", near=item)
        value = item.this if isinstance(item, exp.Alias) else item
        _refuse_rows(model, name, value)
        _refuse_taken(model, name, columns, item)
        check_lambdas(model, value, [column.name for column in columns])
        expression = resolve.expression(value)
        items.append((name, expression))
        resolve.earlier[name.casefold()] = expression
    return items


def portable_item(
    model: Model, name: str, expression: exp.Expr, result: Column, columns: Sequence[Column]
) -> OnDemandItem:
    """The item with its tree. Raises ``not-online`` with the reason if the reader cannot compute it to the bit."""
    types = {column.name: column.type for column in columns}
    try:
        tree = portable(expression, (), types, result.type)
    except NotPortableError as reason:
        raise AsknownError(
            "not-online",
            f"feature '{name}' of on-demand view '{model.name}' would not be the same in serving: {reason}",
            at=place_of(model, _item(model, name)),
            hint="write it another way; docs/on-demand.md lists what an on-demand view can say",
        ) from None
    names = dict.fromkeys(node.name for node in expression.find_all(exp.Column, bfs=False))
    return OnDemandItem(name, expression, tuple(names), tree)


def _refuse_rows(model: Model, name: str, value: exp.Expr) -> None:
    """Refuses what needs more than one row."""
    instead = (
        "put it into a feature view, as in: avg(x) over {{ last('7 days') }}, and name that feature in request(); "
        "over a list that rows_of made, write {{ sum_of('rows_30d', 'row_.x') }}"
    )
    for node in value.walk():
        what = (
            "a subquery" if isinstance(node, exp.Query)
            else "a window" if isinstance(node, exp.Window)
            else "an aggregate" if isinstance(node, exp.AggFunc)
            else None
        )  # fmt: skip
        if what is not None:
            raise _bad(model, f"has {what} in '{name}', but a request is one row", instead, near=node)


def _refuse_taken(model: Model, name: str, columns: Sequence[RequestColumn], item: exp.Expr) -> None:
    """Refuses a feature that would have the name of something that the request brings."""
    for column in columns:
        if column.name.casefold() == name.casefold() and isinstance(column.origin, KeyColumn | InputColumn):
            what = "a key" if isinstance(column.origin, KeyColumn) else "an input"
            raise AsknownError(
                "name-clash",
                f"feature '{name}' of on-demand view '{model.name}' has the name of {what} that the request brings",
                at=place_of(model, item),
                hint=f"leave it out, or give it another name: … as {name}_…",
            )


class _Resolver:
    """Rewrites expressions over the relation called ``relation`` into ones over plain columns of the request."""

    def __init__(self, model: Model, relation: str, columns: Mapping[str, RequestColumn]) -> None:
        self._model = model
        self._relation = relation.casefold()
        self._columns = columns
        self.earlier: dict[str, exp.Expr] = {}

    def expression(self, value: exp.Expr) -> exp.Expr:
        return value.copy().transform(self._put)

    def _put(self, node: exp.Expr) -> exp.Expr:
        if not isinstance(node, exp.Column) or isinstance(node.this, exp.Star):
            return node
        qualifier, name = node.table.casefold(), node.name.casefold()
        if qualifier in ("", self._relation) and not node.args.get("db"):
            found = self._find(name)
            if found is not None:
                return found
        elif not node.args.get("db") and (struct := self._find(qualifier)) is not None:
            return exp.Dot(this=struct, expression=exp.to_identifier(node.name, quoted=True))
        known = [column.name for column in self._columns.values()]
        raise AsknownError(
            "bad-model",
            f"on-demand view '{self._model.name}' has no column '{node.sql('duckdb')}' in its request",
            at=place_of(self._model, node),
            hint=f"{did_you_mean(node.name, known, what='columns')}; or name it in request('view:feature'), "
            f"or in config(inputs={{'{node.name}': 'double'}}) if the request brings it",
        )

    def _find(self, name: str) -> exp.Expr | None:
        column = self._columns.get(name)
        if column is not None:
            return exp.column(exp.to_identifier(column.name, quoted=_PLAIN.fullmatch(column.name) is None))
        found = self.earlier.get(name)
        return None if found is None else exp.paren(found)


def _item(model: Model, name: str) -> exp.Expr:
    return next(item for item in model.tree.selects if item.alias_or_name == name)


def _bad(model: Model, what: str, hint: str, *, near: exp.Expr | None = None) -> AsknownError:
    at = request_place(model) if near is None else place_of(model, near)
    return AsknownError("bad-model", f"on-demand view '{model.name}' {what}", at=at, hint=hint)
