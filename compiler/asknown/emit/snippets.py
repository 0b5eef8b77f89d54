"""Builds trees from a dialect's snippets: pieces of its own SQL, with trees in the places of their values."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from sqlglot import exp, parse_one

from asknown.dialects.dialect import Dialect
from asknown.errors import AsknownError, Where
from asknown.types import SqlType

# A colon means something else in some dialects, so a place is parsed as a column of a marked name.
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
    """The tree of ``text``, SQL of the dialect in which ``:name`` stands for each of ``values``.

    A list fills its place with several expressions: terms of an order, or arguments of a function. A place of a type
    takes a type.

    >>> from asknown.dialects.duckdb import DUCKDB
    >>> instantiate(DUCKDB, ":x // :y", x=parse_one("a + b"), y=parse_one("7")).sql("duckdb")
    '(a + b) // 7'
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
        mark = kind.name if isinstance(kind, exp.Identifier) else str(kind or "")
        if mark.startswith(_MARK):
            to = values[mark.removeprefix(_MARK)]
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
            # In ORDER BY, sqlglot wraps the place in a node of its own.
            place = node.parent if isinstance(node.parent, exp.Ordered) else node
            assert place is not None
            place.replace([item.copy() for item in value])
    return tree


def cast(dialect: Dialect, value: exp.Expr, kind: SqlType, *, at: Where | None = None) -> exp.Expr:
    """``value`` cast to the dialect's type for ``kind``. Raises ``not-in-dialect`` if it cannot keep such values."""
    if kind.kind in dialect.relations.unkept:
        raise unsupported(dialect, f"feature of type {kind}: {dialect.relations.unkept[kind.kind]}", at=at)
    name = f"cast.{kind.kind}"
    if name in dialect.snippets:
        return snippet(dialect, name, x=value, type=exp.Literal.string(dialect.types.get(kind.name, kind.name)))
    spelled = dialect.types.get(kind.name) or dialect.types.get(kind.kind)
    if spelled is not None:
        return exp.Cast(this=value, to=exp.DataType.build(spelled, dialect=dialect.sqlglot))
    return exp.cast(value, kind.name, dialect="duckdb")


def unsupported(dialect: Dialect, what: str, *, hint: str | None = None, at: Where | None = None) -> AsknownError:
    """The error ``not-in-dialect``, for something that a dialect has no exact SQL for."""
    return AsknownError(
        "not-in-dialect",
        f"{dialect.name} has no exact {what}",
        at=at,
        hint=hint
        or "leave the feature out for this target, or use another target: docs/dialects.md lists what each supports",
    )


@lru_cache(maxsize=1024)
def _parsed(dialect: str, text: str) -> exp.Expr:
    tree = parse_one(_PLACE.sub(rf"{_MARK}\1", text), read=dialect)
    for node in tree.walk():  # positions in this text have no use, and are half of the cost of a copy
        node._meta = {name: fact for name, fact in node.meta.items() if name not in _POSITION} or None
    return tree


def _guarded(value: exp.Expr, place: exp.Expr) -> exp.Expr:
    """The value, in parentheses if an operator around its place could bind tighter."""
    loose = isinstance(value, exp.Binary | exp.Unary | exp.Between | exp.Is | exp.AtTimeZone)
    loose = loose and not isinstance(value, exp.Dot | exp.Paren)
    around = isinstance(place.parent, exp.Binary | exp.Unary | exp.Between | exp.AtTimeZone | exp.Bracket)
    return exp.Paren(this=value) if loose and around else value
