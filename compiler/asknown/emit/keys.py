"""Writes the spine's keys as values of the view's keys: a float that is a whole number becomes an integer (rule 8)."""

from __future__ import annotations

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.snippets import cast
from asknown.types import Column, floats_for_integers, parse_type

_BIGINT = parse_type("BIGINT")


def key_value(dialect: Dialect, given: Column, key: Column, value: exp.Expr) -> exp.Expr:
    """``value`` of the spine's column ``given``, to be compared with ``key``.

    A float that an integer key cannot be is NULL, which matches nothing: ``CASE WHEN ABS(id) < 2^53 AND id = FLOOR(id)
    THEN CAST(id AS BIGINT) END``. NaN is among them; it is how pandas spells a missing integer.
    """
    if not floats_for_integers(given.type, key.type):
        return value
    whole = exp.and_(_within(given, value), value.copy().eq(exp.Floor(this=value.copy())))
    return exp.Case(ifs=[exp.If(this=whole, true=cast(dialect, value.copy(), _BIGINT))])


def changes(given: Column, value: exp.Expr) -> exp.Expr:
    """The condition that ``value``, a float given for an integer key, is neither NaN nor surely a whole number."""
    fraction = exp.and_(_within(given, value), value.copy().neq(exp.Floor(this=value.copy())))
    text = exp.Lower(this=exp.cast(value.copy(), "VARCHAR", dialect="duckdb"))
    beyond = exp.and_(exp.not_(_within(given, value)), text.neq(exp.Literal.string("nan")))
    return exp.or_(exp.paren(fraction), exp.paren(beyond))


def _within(given: Column, value: exp.Expr) -> exp.Expr:
    """The condition that the float's type tells the whole numbers around ``value`` apart. NaN is not within."""
    most = exp.Literal.number(f"{2**given.type.exact_bits}.0")
    return exp.LT(this=exp.Abs(this=value.copy()), expression=most)
