"""Reads a query that computes row by row as expressions over the columns of the one relation that it reads.

Python can then compute its rows without the engine. Each column and condition becomes one tree, as
``values.expressions`` has them, over the relation's columns; what a later query does not read is left out. A query with
anything that Python might compute differently is refused, and the engine runs it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from sqlglot import exp, parse_one

from asknown.model.expressions.loose import Later, loosely_defined
from asknown.model.expressions.types import NULL, NotPortableError, Part, convert_exactly
from asknown.model.expressions.write import Tree, TreeWriter
from asknown.types import Column, SqlType

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*")
_MOST_OPERATIONS = 2_000  # in one tree: columns that are written into each other may grow without bound
_CLAUSES = {"expressions", "from_", "with_", "where"}


@dataclass(frozen=True)
class RowProgram:
    """A query as trees: a row is kept where all ``conditions`` are true, and then has ``values``, in the order asked.

    ``columns`` are the columns of the relation that the trees read.
    """

    columns: tuple[str, ...]
    conditions: tuple[Tree, ...]
    values: tuple[Tree, ...]


def read_program(sql: str, relation: str, columns: Mapping[str, SqlType], results: Sequence[Column]) -> RowProgram:
    """The ``results`` of a query in DuckDB's SQL, which reads ``relation`` with its ``columns``, as trees.

    Raises :class:`NotPortableError` with the reason why only the engine can compute them.
    """
    base = _Rows({name.casefold(): _Named(name, _leaf(name, kind)) for name, kind in columns.items()}, ())
    rows = _read(parse_one(sql, read="duckdb"), {relation.casefold(): base})
    values = []
    for column in results:
        found = rows.columns.get(column.name.casefold())
        if found is None:
            raise NotPortableError(f"the query has no column {column.name}")
        values.append(convert_exactly(found.part, column.type).tree)
    return RowProgram(tuple(columns), rows.conditions, tuple(values))


@dataclass(frozen=True)
class _Named:
    name: str
    part: Part


@dataclass(frozen=True)
class _Rows:
    """A relation: its columns by their names in lower case, and the conditions of its rows, over the first relation."""

    columns: Mapping[str, _Named]
    conditions: tuple[Tree, ...]


def _leaf(name: str, kind: SqlType) -> Part:
    return Part(("column", kind.name, name), kind)


def _read(query: exp.Expr, known: Mapping[str, _Rows]) -> _Rows:
    """The rows of a query that reads ``known`` relations."""
    if not isinstance(query, exp.Select):
        raise NotPortableError(f"{type(query).__name__} is not a select")
    for name, clause in query.args.items():
        if clause and name not in _CLAUSES:
            raise NotPortableError(f"{name.rstrip('_').upper()} is not supported")
    inner = dict(known)
    with_clause = query.args.get("with_")
    if with_clause is not None and with_clause.args.get("recursive"):
        raise NotPortableError("WITH RECURSIVE is not supported")
    for cte in with_clause.expressions if with_clause else ():
        if cte.args["alias"].columns:
            raise NotPortableError("a CTE with names for its columns is not supported")
        inner[cte.alias.casefold()] = _read(cte.this, inner)
    source, alias = _source(query, inner)
    select = _Select(source, alias)
    values: dict[str, _Named] = {}
    for item in query.expressions:
        for named in select.items(item):
            if named.name.casefold() in values:
                raise NotPortableError(f"two columns are called {named.name}")
            values[named.name.casefold()] = named
            select.earlier.setdefault(named.name.casefold(), named)
    where = query.args.get("where")
    conditions = () if where is None else (select.condition(where.this),)
    return _Rows(values, (*source.conditions, *conditions))


def _source(query: exp.Select, known: Mapping[str, _Rows]) -> tuple[_Rows, str]:
    """The relation that a select reads, and what its columns may be qualified with."""
    source = query.args.get("from_")
    relation = None if source is None else source.this
    extras = {name for name, value in relation.args.items() if value} if relation is not None else set()
    alias = None if relation is None else relation.args.get("alias")
    if alias is None or not alias.columns:
        if isinstance(relation, exp.Subquery) and extras <= {"this", "alias"}:
            return _read(relation.this, known), relation.alias.casefold()
        if isinstance(relation, exp.Table) and extras <= {"this", "alias"} and relation.name.casefold() in known:
            return known[relation.name.casefold()], relation.alias_or_name.casefold()
    raise NotPortableError("the select reads something else than one relation")


@dataclass
class _Select:
    """One select over a relation. ``earlier`` are the items so far, which later ones may name."""

    source: _Rows
    alias: str
    earlier: dict[str, _Named] = field(default_factory=dict)

    def items(self, item: exp.Expr) -> Iterator[_Named]:
        """The columns that an item of the select gives."""
        if not item.is_star:
            name = item.alias_or_name
            if not name:
                raise NotPortableError(f"{item.sql('duckdb')} has no name")
            yield _Named(name, self._part(item.this if isinstance(item, exp.Alias) else item))
            return
        star = item.this if isinstance(item, exp.Column) else item
        qualified = isinstance(item, exp.Column) and item.table.casefold() != self.alias
        if qualified or not isinstance(star, exp.Star) or star.args.get("rename"):
            raise NotPortableError(f"{item.sql('duckdb')} is not supported")
        left_out = {name.name.casefold() for name in star.args.get("except_") or ()}
        replaced = {new.alias.casefold(): new.this for new in star.args.get("replace") or ()}
        for key, named in self.source.columns.items():
            if key not in left_out:
                yield _Named(named.name, self._part(replaced[key])) if key in replaced else named

    def condition(self, node: exp.Expr) -> Tree:
        """A condition as a tree over the first relation."""
        return self._written(node, condition=True).tree

    def _part(self, node: exp.Expr) -> Part:
        part = self._written(node, condition=False).settled()
        if part.type is NULL:
            raise NotPortableError(f"{node.sql('duckdb')} has no type")
        return part

    def _written(self, node: exp.Expr, *, condition: bool) -> Part:
        """The node as a part over the first relation."""
        for function in node.find_all(exp.Lambda):
            for parameter in function.expressions:
                if self._find(parameter.name) is not None or parameter.name.casefold() == self.alias:
                    raise NotPortableError(f"the parameter {parameter.name} is the name of a column, too")
        resolved = node.copy().transform(self._resolve)
        types = {named.name: named.part.type for named in self._all()}
        loose = [one for one in loosely_defined(resolved, (), types) if not isinstance(one, Later)]
        if loose:
            raise NotPortableError(f"engines differ about {loose[0].node.sql('duckdb')}")
        writer = TreeWriter((), types)
        part = writer.condition(resolved) if condition else writer.part(resolved)
        inside = {named.name: named.part.tree for named in self._all()}
        tree = _put(part.tree, inside)
        if _size(tree) > _MOST_OPERATIONS:
            raise NotPortableError("the expression is too long")
        return Part(tree, part.type)

    def _resolve(self, node: exp.Expr) -> exp.Expr:
        """A column of the relation, or an earlier item, under its plain name; a field of one; all else as it is."""
        if not isinstance(node, exp.Column):
            return node
        qualifier = node.table.casefold()
        if isinstance(node.this, exp.Star) or node.args.get("db"):
            raise NotPortableError(f"{node.sql('duckdb')} is not supported")
        if qualifier in ("", self.alias) and (found := self._find(node.name, items=not qualifier)) is not None:
            return _column(found)
        if qualifier and qualifier != self.alias and (struct := self._find(qualifier)) is not None:
            return exp.Dot(this=_column(struct), expression=exp.to_identifier(node.name, quoted=True))
        raise NotPortableError(f"{node.sql('duckdb')} is not a column of the relation")

    def _find(self, name: str, *, items: bool = True) -> _Named | None:
        found = self.source.columns.get(name.casefold())
        return found or (self.earlier.get(name.casefold()) if items else None)

    def _all(self) -> Iterator[_Named]:
        """Every column that an expression may read; of two with one name the relation's, which is the last here."""
        yield from (named for key, named in self.earlier.items() if key not in self.source.columns)
        yield from self.source.columns.values()


def _column(named: _Named) -> exp.Column:
    return exp.column(exp.to_identifier(named.name, quoted=_PLAIN.fullmatch(named.name) is None))


def _put(tree: Tree, inside: Mapping[str, Tree]) -> Tree:
    """The tree with the trees of columns in their place."""
    operation, kind, *parts = tree
    if operation == "column":
        return inside[parts[0]]
    if operation == "literal":
        return tree
    return (operation, kind, *(_put(part, inside) if isinstance(part, tuple) else part for part in parts))


def _size(tree: Tree) -> int:
    return 1 + sum(_size(part) for part in tree[2:] if isinstance(part, tuple))
