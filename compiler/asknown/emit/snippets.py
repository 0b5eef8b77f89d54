"""Builds trees from a dialect's snippets: pieces of its own SQL, with trees in the places of their values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from sqlglot import exp, parse_one

from asknown.dialects.dialect import Dialect
from asknown.errors import AsknownError, Where
from asknown.types import SqlType

# A colon means something else in some dialects, so a place is read as a name.
_PLACE = re.compile(r"(?<!:):([a-z_]+)")
_MARK = "_asknown_place_"
_POSITION = ("line", "col", "start", "end")


def snippet(dialect: Dialect, name: str, /, **values: exp.Expr) -> exp.Expr:
    """The snippet of this name as a tree, with ``values`` in its places.

    Raises ``not-in-dialect`` if the dialect has no such snippet.
    """
    text = dialect.snippets.get(name)
    if text is None:
        raise unsupported(dialect, f"'{name.replace('_', ' ').replace('.', ' of a ')}'")
    return instantiate(dialect, text, **values)


def instantiate(dialect: Dialect, text: str, /, **values: exp.Expr | Sequence[exp.Expr]) -> exp.Expr:
    """The expression that ``text`` spells in the dialect, with ``:name`` standing for each of ``values``.

    A list stands for several: terms of an order, arguments of a function. A type may stand in the place of a type.
    """
    tree = _parsed(dialect.sqlglot, text).copy()
    nodes = list(tree.walk())
    for function in nodes:
        if isinstance(function, exp.Anonymous) and function.name in dialect.aggregates.aggregating:
            aggregate = exp.AnonymousAggFunc(this=function.name, expressions=function.expressions)
            tree = aggregate if function is tree else tree
            function.replace(aggregate)
    for named in nodes:
        kind = named.args.get("kind") if isinstance(named, exp.DataType) else None
        if isinstance(kind, exp.Identifier) and kind.name.startswith(_MARK):
            to = values[kind.name.removeprefix(_MARK)]
            assert isinstance(to, exp.Expr)
            named.replace(to.copy())
    for node in nodes:
        if not isinstance(node, exp.Column) or not node.name.startswith(_MARK):
            continue
        value = values[node.name.removeprefix(_MARK)]
        if isinstance(value, exp.Expr):
            put = _guarded(value.copy(), node)
            if node is tree:
                return put
            node.replace(put)
        else:
            # An ordered place is wrapped once more than a plain one.
            place = node.parent if isinstance(node.parent, exp.Ordered) else node
            assert place is not None
            place.replace([item.copy() for item in value])
    return tree


def cast(dialect: Dialect, value: exp.Expr, kind: SqlType, *, at: Where | None = None) -> exp.Expr:
    """``value`` in the dialect's type for ``kind``. Raises ``not-in-dialect`` where it keeps none such."""
    if kind.kind in dialect.relations.unkept:
        raise unsupported(dialect, f"feature of type {kind}: {dialect.relations.unkept[kind.kind]}", at=at)
    for name in (f"cast.{kind.kind}", "cast"):
        if name in dialect.snippets:
            return snippet(dialect, name, x=value, type=exp.Literal.string(dialect.types.get(kind.name, kind.name)))
    spelled = dialect.types.get(kind.name) or dialect.types.get(kind.kind)
    if spelled is not None:
        return exp.Cast(this=value, to=exp.DataType.build(spelled, dialect=dialect.sqlglot))
    return exp.cast(value, kind.name, dialect="duckdb")


def unsupported(dialect: Dialect, what: str, *, hint: str | None = None, at: Where | None = None) -> AsknownError:
    """The error for something that a dialect cannot say."""
    return AsknownError(
        "not-in-dialect",
        f"{dialect.name} has no exact {what}",
        at=at,
        hint=hint or "leave the feature out for this target, or run it on another: docs/dialects.md says what each can",
    )


@lru_cache(maxsize=1024)
def _parsed(dialect: str, text: str) -> exp.Expr:
    tree = parse_one(_PLACE.sub(rf"{_MARK}\1", text), read=dialect)
    for node in tree.walk():  # places in this text say nothing later, and are half of what a copy would cost
        node._meta = {name: fact for name, fact in node.meta.items() if name not in _POSITION} or None
    return tree


def _guarded(value: exp.Expr, place: exp.Expr) -> exp.Expr:
    """The value in parentheses where it would otherwise be torn apart by what stands around it."""
    loose = isinstance(value, exp.Binary | exp.Unary | exp.Between | exp.Is | exp.AtTimeZone)
    loose = loose and not isinstance(value, exp.Dot | exp.Paren)
    around = isinstance(place.parent, exp.Binary | exp.Unary | exp.Between | exp.AtTimeZone | exp.Bracket)
    return exp.Paren(this=value) if loose and around else value
