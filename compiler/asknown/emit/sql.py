"""Small words for building SQL trees, and names that nothing a user names can collide with."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.words import fill, say
from asknown.model.nodes import Column

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")


class Names:
    """Gives names that are not taken yet. Letter case does not tell names apart."""

    def __init__(self, taken: Iterable[str]) -> None:
        self._taken = {name.casefold() for name in taken}

    def fresh(self, wish: str) -> str:
        """``wish``, with as many underscores behind it as it takes; taken from now on."""
        while wish.casefold() in self._taken:
            wish += "_"
        self._taken.add(wish.casefold())
        return wish

    def take(self, names: Iterable[str]) -> None:
        self._taken.update(name.casefold() for name in names)


def ident(name: str) -> exp.Identifier:
    """The identifier ``name``, quoted where it is no plain lower-case word (the dialect quotes its own keywords)."""
    return exp.Identifier(this=name, quoted=not is_plain_name(name))


def is_plain_name(name: str) -> bool:
    """Whether a name is a word in lower case."""
    return _PLAIN.match(name) is not None


def col(name: str, table: str) -> exp.Column:
    return exp.Column(this=ident(name), table=ident(table))


def named(value: exp.Expr, name: str) -> exp.Expr:
    """``value as name``; a column that already has the name stays as it is."""
    if isinstance(value, exp.Column) and value.name == name:
        return value
    return exp.Alias(this=value, alias=ident(name))


def table(name: str, alias: str | None = None) -> exp.Table:
    node = exp.Table(this=ident(name))
    if alias is not None:
        node.set("alias", exp.TableAlias(this=ident(alias)))
    return node


def subquery(query: exp.Query, alias: str) -> exp.Subquery:
    return exp.Subquery(this=query, alias=exp.TableAlias(this=ident(alias)))


def settle_names(query: exp.Expr) -> exp.Expr:
    """The query with names that mean the same to an engine that has rules of its own.

    Every column that a select gives has its name said: ``s.k`` of a join would come out as just that. A table that has
    an alias, and whose own name is said too, becomes a subquery: there that name would mean the alias.
    """
    settled = query.copy()
    for select in settled.find_all(exp.Select):
        columns = [
            exp.Alias(this=item.copy(), alias=item.this.copy())
            if isinstance(item, exp.Column) and item.table and not item.is_star
            else item
            for item in select.expressions
        ]
        select.set("expressions", columns)
    said = {column.table for column in settled.find_all(exp.Column)}
    for relation in list(settled.find_all(exp.Table)):
        if relation.alias and relation.name in said and relation.alias != relation.name:
            bare = relation.copy()
            bare.set("alias", None)
            relation.replace(exp.Subquery(this=exp.select("*").from_(bare), alias=relation.args["alias"].copy()))
    return settled


def all_of(conditions: Sequence[exp.Expr]) -> exp.Expr:
    return exp.and_(*conditions, copy=False) if conditions else exp.true()


def same_or_null(dialect: Dialect, left: exp.Expr, right: exp.Expr) -> exp.Expr:
    """Whether two values are one, or both NULL."""
    if "null_safe_equal" in dialect.words:
        return say(dialect, "null_safe_equal", x=left, y=right)
    return exp.NullSafeEQ(this=left, expression=right)


def given(value: exp.Expr) -> exp.Expr:
    """``value is not null``."""
    return exp.Not(this=exp.Is(this=value, expression=exp.null()))


def offsets(dialect: Dialect, count: int, name: str, alias: str) -> exp.Expr:
    """A table of the numbers from 0 below ``count``."""
    numbers = [exp.Literal.number(number) for number in range(count)]
    if dialect.values_name_columns:
        rows = [exp.Tuple(expressions=[number]) for number in numbers]
        return exp.Values(expressions=rows, alias=exp.TableAlias(this=ident(alias), columns=[ident(name)]))
    return subquery(exp.union(*[exp.select(named(number, name)) for number in numbers], distinct=False), alias)


def order_terms(dialect: Dialect, column: Column, value: exp.Expr, *, descending: bool = True) -> list[exp.Expr]:
    """Sort terms, NULLs lowest, under which two values tie only if they are the same to the bit."""
    terms = dialect.order.get(column.type.kind, (":x",))
    return [
        exp.Ordered(this=fill(dialect, term, x=value), desc=descending, nulls_first=not descending) for term in terms
    ]
