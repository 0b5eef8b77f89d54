"""Writes data tests as SQL in the dialect of the models: counts over one scan, and the rows that fail."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlglot import exp, parse_one
from sqlglot.errors import SqlglotError

from asknown.emit.sql import ident
from asknown.errors import AsknownError
from asknown.project.tests import DataTest

TESTED = "tested"
"""The name of the CTE that has the rows."""
ROWS = "rows_tested"
NEWEST = "newest"


def counts_query(tests: Sequence[DataTest], others: Sequence[str | None], relation: str, dialect: str) -> str:
    """The query of one row: the number of rows, and for each test how many are tested, and how many fail.

    ``relation`` is the query of the rows; ``others`` names what the tests of relationships refer to.
    """
    items: list[exp.Expr] = [exp.alias_(exp.Count(this=exp.Star()), ROWS)]
    for number, (test, other) in enumerate(zip(tests, others, strict=True)):
        where = _parsed(test, test.where, dialect)
        items.append(exp.alias_(_count(where), f"of_{number}"))
        items.append(exp.alias_(_failing(test, other, where, dialect), f"failing_{number}"))
    return _over(exp.select(*items), relation, dialect)


def failures_query(test: DataTest, other: str | None, relation: str, dialect: str) -> str | None:
    """The query of the rows that fail; None for a test that is about no single row."""
    where = _parsed(test, test.where, dialect)
    if test.kind == "row_count":
        return None
    if test.kind == "unique":
        keys = [exp.column(ident(name)) for name in key_of(test)]
        known = exp.and_(*[key.copy().is_(exp.null()).not_() for key in keys], *([where] if where is not None else []))
        repeated = exp.select(*keys).from_(TESTED).where(known).group_by(*[key.copy() for key in keys])
        repeated = repeated.having(exp.GT(this=exp.Count(this=exp.Star()), expression=exp.Literal.number(1)))
        condition: exp.Expr = exp.In(
            this=keys[0].copy() if len(keys) == 1 else exp.Tuple(expressions=[key.copy() for key in keys]),
            query=exp.Subquery(this=repeated),
        )
        condition = exp.and_(condition, where.copy()) if where is not None else condition
    else:
        condition = _both(_condition(test, other, dialect), where)
    return _over(exp.select("*").where(condition), relation, dialect)


def rows_query(relation: str, dialect: str) -> str:
    """The query that counts the rows of a singular test: its failures."""
    return _over(exp.select(exp.alias_(exp.Count(this=exp.Star()), ROWS)), relation, dialect)


def newest_query(times: Sequence[str], now: str, relation: str, dialect: str) -> str:
    """The query of the greatest of the first of these ``times``, over the rows whose times are all past at ``now``."""
    instant = exp.cast(exp.Literal.string(now), "timestamp")
    columns = [exp.column(ident(name)) for name in times]
    seen = [exp.LTE(this=exp.cast(c.copy(), "timestamp"), expression=instant.copy()) for c in columns]
    return _over(exp.select(exp.alias_(exp.Max(this=columns[0]), NEWEST)).where(*seen), relation, dialect)


def key_of(test: DataTest) -> list[str]:
    """The columns that are unique together."""
    return [str(name) for name in test.arguments.get("columns") or [test.column]]


def _over(select: exp.Select, relation: str, dialect: str) -> str:
    body = parse_one(relation, dialect=dialect)
    assert isinstance(body, exp.Query)
    return select.from_(TESTED).with_(TESTED, as_=body).sql(dialect, pretty=True)


def _count(condition: exp.Expr | None) -> exp.Expr:
    count = exp.Count(this=exp.Star())
    return count if condition is None else exp.Filter(this=count, expression=exp.Where(this=condition.copy()))


def _failing(test: DataTest, other: str | None, where: exp.Expr | None, dialect: str) -> exp.Expr:
    """The number of rows that fail; of a test of the number of rows, that number."""
    if test.kind == "row_count":
        return _count(where)
    if test.kind != "unique":
        return _count(_both(_condition(test, other, dialect), where))
    keys = [exp.column(ident(name)) for name in key_of(test)]
    known = exp.and_(
        *[key.copy().is_(exp.null()).not_() for key in keys], *([where.copy()] if where is not None else [])
    )
    one = keys[0] if len(keys) == 1 else exp.Tuple(expressions=keys)
    different = exp.Count(this=exp.Distinct(expressions=[one]))
    return exp.Sub(this=_count(known), expression=exp.Filter(this=different, expression=exp.Where(this=known.copy())))


def _condition(test: DataTest, other: str | None, dialect: str) -> exp.Expr:
    """The condition of a row that fails. A row whose value is NULL fails ``not_null`` alone."""
    column = exp.column(ident(test.column)) if test.column is not None else exp.null()
    match test.kind:
        case "not_null":
            return column.is_(exp.null())
        case "accepted_values":
            values = [_literal(value) for value in test.arguments["values"]]
            return exp.not_(exp.In(this=column, expressions=values))
        case "range":
            least, most = test.arguments.get("min"), test.arguments.get("max")
            bounds: list[exp.Expr] = []
            bounds += [exp.LT(this=column, expression=_literal(least))] if least is not None else []
            bounds += [exp.GT(this=column.copy(), expression=_literal(most))] if most is not None else []
            return exp.or_(*bounds)
        case "relationships":
            assert other is not None
            field = exp.column(ident(test.arguments["field"]))
            there = exp.select(field).from_(exp.Table(this=ident(other))).where(field.copy().is_(exp.null()).not_())
            return exp.not_(exp.In(this=column, query=exp.Subquery(this=there)))
        case "expression":
            told = _parsed(test, test.arguments["expression"], dialect)
            assert told is not None
            return exp.not_(exp.Paren(this=told))
    raise ValueError(test.kind)


def _both(condition: exp.Expr, where: exp.Expr | None) -> exp.Expr:
    return condition if where is None else exp.and_(condition, where.copy())


def _literal(value: Any) -> exp.Expr:
    return exp.convert(value)


def _parsed(test: DataTest, text: str | None, dialect: str) -> exp.Expr | None:
    if text is None:
        return None
    try:
        return exp.Paren(this=parse_one(text, dialect=dialect))
    except SqlglotError as error:
        first = str(error).partition("\n")[0]
        raise AsknownError("sql-syntax", f"the data test's SQL does not parse: {first}", at=test.at) from None
