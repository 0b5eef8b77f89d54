"""Aggregates that a dialect writes inside of something else: FILTER and OVER move in to where the aggregate is."""

from __future__ import annotations

from sqlglot import exp

Around = exp.Filter | exp.Window | exp.IgnoreNulls
"""What stands around an aggregate and belongs to it."""


def move_inside(around: Around, shell: exp.Expr) -> exp.Expr:
    """The shell of an aggregate, with what stood around it around each aggregate in it.

    ``avg(x) over w``, where an average is ``cast(avg(x) as double)``, is ``cast(avg(x) over w as double)``.
    """
    if isinstance(around, exp.IgnoreNulls):  # a dialect's own spelling of any_value() says what becomes of them
        return shell.copy()
    holder, moved_in = exp.Paren(this=shell.copy()), False
    for aggregate in list(holder.find_all(exp.AggFunc)):
        if aggregate.find_ancestor(exp.AggFunc) is not None:
            continue
        inner: exp.Expr = aggregate
        while isinstance(inner.parent, exp.Filter | exp.WithinGroup) and inner.arg_key == "this":
            inner = inner.parent
        inner.replace(_around(around, inner))
        moved_in = True
    if not moved_in:  # sqlglot does not know the aggregate that it has become
        return _around(around, shell)
    moved: exp.Expr = holder.this
    return moved


def _around(around: Around, inner: exp.Expr) -> exp.Expr:
    if isinstance(around, exp.Filter) and isinstance(inner, exp.Filter):
        both = exp.and_(inner.expression.this.copy(), around.expression.this.copy(), copy=False)
        return exp.Filter(this=inner.this.copy(), expression=exp.Where(this=both))
    put = around.copy()
    put.set("this", inner.copy())
    return put
