"""Finds where a column of a query comes from: through CTEs, subqueries, unions and the models below."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass

from sqlglot import exp

from asknown.model.nodes import Model
from asknown.types import SqlType

Columns = Mapping[str, SqlType]
Known = Callable[[str], Columns | None]
"""The columns of a relation, by the name that stands in the SQL, or None where they are not known."""


@dataclass(frozen=True)
class Stored:
    """A column of a source's table, or of a table that the SQL names itself."""

    relation: str
    column: str  # in lower case
    type: SqlType | None


@dataclass(frozen=True)
class Computed:
    """An expression that is more than a column, and the select and model that it stands in."""

    expression: exp.Expr
    select: exp.Select
    model: Model


Origin = Stored | Computed
Relation = tuple[str, exp.Expr]
"""A name that columns may be qualified by, and the table or subquery that it stands for."""


class Lineage:
    """Follows columns through a closure of models. ``known`` gives the columns of sources and models.

    The columns in ``ends``, each with its model's name, in lower case, are not followed: they count as stored.
    """

    def __init__(
        self, closure: Mapping[str, Model], known: Known, ends: Collection[tuple[str, str]] = frozenset()
    ) -> None:
        self._models = {name.casefold(): model for name, model in closure.items()}
        self._known = known
        self._ends = ends

    def of_output(self, model: Model, name: str) -> list[Origin]:
        """Where the output column ``name`` of a model comes from."""
        return list(self._outputs(model.tree, name.casefold(), model, frozenset()))

    def of_column(self, column: exp.Column, select: exp.Select, model: Model) -> list[Origin]:
        """Where a column that ``select`` reads comes from; an empty list where that cannot be told."""
        return list(self._column(column, select, model, frozenset()))

    def relations_of(self, column: exp.Column, select: exp.Select, model: Model) -> list[Relation]:
        """The relations of ``select`` that a column is read from; an empty list where that cannot be told."""
        name, table = column.name.casefold(), column.table.casefold()
        named = [one for one in relations(select) if not table or one[0].casefold() == table]
        if len(named) == 1:
            return named
        return [one for one in named if any(True for _ in self._read(one[1], name, select, model, frozenset()))]

    def query_of(self, relation: exp.Expr, select: exp.Select, model: Model) -> tuple[exp.Expr, Model] | None:
        """The query that a relation of ``select`` stands for and the model it is in; None for a source's table."""
        if isinstance(relation, exp.Subquery):
            return relation.this, model
        if not isinstance(relation, exp.Table) or not isinstance(relation.this, exp.Identifier):
            return None
        cte = find_cte(relation, select)
        if cte is not None:
            return cte, model
        below = None if relation.db else self._models.get(relation.name.casefold())
        return (below.tree, below) if below is not None and below is not model else None

    def tables(self, query: exp.Expr, model: Model) -> set[str]:
        """The sources and other tables that a query reads, below its CTEs, subqueries and models."""
        return set(self._tables(query, model, frozenset()))

    def _outputs(self, query: exp.Expr, name: str, model: Model, seen: frozenset[tuple[int, str]]) -> Iterator[Origin]:
        if (id(query), name) in seen:  # a recursive CTE
            return
        seen = seen | {(id(query), name)}
        if isinstance(query, exp.Subquery):
            yield from self._outputs(query.this, name, model, seen)
        elif isinstance(query, exp.SetOperation):
            for branch, own in branches(query, name):
                yield from self._outputs(branch, own, model, seen)
        elif isinstance(query, exp.Select):
            yield from self._items(query, name, model, seen)

    def _items(self, select: exp.Select, name: str, model: Model, seen: frozenset[tuple[int, str]]) -> Iterator[Origin]:
        for item in select.expressions:
            if item.alias_or_name.casefold() == name and not item.is_star:
                yield from self._expression(item.unalias(), select, model, seen)
                return
        for star in select.expressions:
            if not star.is_star:
                continue
            inner = star.this if isinstance(star, exp.Column) else star
            for replaced in inner.args.get("replace") or []:
                if replaced.alias_or_name.casefold() == name:
                    yield from self._expression(replaced.unalias(), select, model, seen)
                    return
            renamed = _renamed(inner)
            if name not in _left_out(inner):
                table = star.table if isinstance(star, exp.Column) else ""
                below = next((old for old, new in renamed.items() if new.casefold() == name), name)
                yield from self._column(exp.column(below, table or None), select, model, seen)

    def _expression(
        self, expression: exp.Expr, select: exp.Select, model: Model, seen: frozenset[tuple[int, str]]
    ) -> Iterator[Origin]:
        if isinstance(expression, exp.Paren):
            yield from self._expression(expression.this, select, model, seen)
        elif isinstance(expression, exp.Column) and not expression.is_star:
            yield from self._column(expression, select, model, seen)
        else:
            yield Computed(expression, select, model)

    def _column(
        self, column: exp.Column, select: exp.Select, model: Model, seen: frozenset[tuple[int, str]]
    ) -> Iterator[Origin]:
        name, table, found = column.name.casefold(), column.table.casefold(), False
        for alias, relation in relations(select):
            if table and alias.casefold() != table:
                continue
            for origin in self._read(relation, name, select, model, seen):
                found = True
                yield origin
        if not found and not table:  # an item of the same select, by its alias
            for item in select.expressions:
                if isinstance(item, exp.Alias) and item.alias.casefold() == name and item.this is not column:
                    here = (id(select), f"alias {name}")
                    if here not in seen:
                        yield from self._expression(item.this, select, model, seen | {here})

    def _read(
        self, relation: exp.Expr, name: str, select: exp.Select, model: Model, seen: frozenset[tuple[int, str]]
    ) -> Iterator[Origin]:
        if isinstance(relation, exp.Subquery):
            yield from self._outputs(relation.this, name, model, seen)
            return
        if not isinstance(relation, exp.Table) or not isinstance(relation.this, exp.Identifier):
            return
        cte = find_cte(relation, select)
        if cte is not None:
            yield from self._outputs(cte, name, model, seen)
            return
        known = None if relation.db else self._known(relation.name)
        if known is not None and name not in {column.casefold() for column in known}:
            return
        below = None if relation.db else self._models.get(relation.name.casefold())
        if below is not None and below is not model and (relation.name.casefold(), name) not in self._ends:
            yield from self._outputs(below.tree, name, below, seen)
            return
        kind = next((kind for column, kind in (known or {}).items() if column.casefold() == name), None)
        yield Stored(_full_name(relation), name, kind)

    def _tables(self, query: exp.Expr, model: Model, seen: frozenset[int]) -> Iterator[str]:
        if id(query) in seen:
            return
        seen = seen | {id(query)}
        for table in query.find_all(exp.Table):
            if not isinstance(table.this, exp.Identifier):
                if isinstance(table.this, exp.Func) and not _is_generated(table.this):
                    yield table.this.sql()
                continue
            cte = find_cte(table, table)
            below = None if table.db else self._models.get(table.name.casefold())
            if cte is not None:
                yield from self._tables(cte, model, seen)
            elif below is not None and below is not model:
                yield from self._tables(below.tree, below, seen)
            else:
                yield _full_name(table)

    def names(self, query: exp.Expr, model: Model) -> list[str] | None:
        """The names of a query's columns, stars expanded; None where they cannot be told."""
        return self._names(query, model, frozenset())

    def _names(self, query: exp.Expr, model: Model, seen: frozenset[int]) -> list[str] | None:
        if id(query) in seen:
            return None
        seen = seen | {id(query)}
        if isinstance(query, exp.Subquery):
            return self._names(query.this, model, seen)
        if isinstance(query, exp.SetOperation):
            left = self._names(query.left, model, seen)
            if left is None or not query.args.get("by_name"):
                return left
            right = self._names(query.right, model, seen)
            there = {name.casefold() for name in left}
            return None if right is None else left + [name for name in right if name.casefold() not in there]
        if not isinstance(query, exp.Select):
            return None
        names: list[str] = []
        for item in query.expressions:
            if not item.is_star:
                names.append(item.alias_or_name)
                continue
            table = item.table if isinstance(item, exp.Column) else ""
            read = self.read_names(query, model, table, seen)
            if read is None:
                return None
            inner = item.this if isinstance(item, exp.Column) else item
            left_out, renamed = _left_out(inner) - _renamed(inner).keys(), _renamed(inner)
            names += [renamed.get(name.casefold(), name) for _, name in read if name.casefold() not in left_out]
        return names

    def read_names(
        self, select: exp.Select, model: Model, table: str = "", seen: frozenset[int] = frozenset()
    ) -> list[tuple[str, str]] | None:
        """(relation, column) of all that a select could read, or of what ``table`` has; None where it is not known."""
        found: list[tuple[str, str]] = []
        for alias, relation in relations(select):
            if table and alias.casefold() != table.casefold():
                continue
            names: list[str] | None = None
            if isinstance(relation, exp.Subquery):
                names = self._names(relation.this, model, seen)
            elif isinstance(relation, exp.Table) and isinstance(relation.this, exp.Identifier):
                cte = find_cte(relation, select)
                if cte is not None:
                    names = self._names(cte, model, seen)
                elif not relation.db:
                    known = self._known(relation.name)
                    names = None if known is None else list(known)
            if names is None:
                return None
            found += [(alias, name) for name in names]
        return found


def relations(select: exp.Select) -> list[Relation]:
    """The relations that a select reads, in its FROM and its joins."""
    found: list[Relation] = []
    start = select.args.get("from_")
    parts = [start.this] if start is not None else []
    parts += [join.this for join in select.args.get("joins") or []]
    while parts:
        part = parts.pop(0)
        if isinstance(part, exp.Subquery) and isinstance(part.this, exp.Table):
            part = part.this  # joins in parentheses
        found.append((part.alias_or_name, part))
        parts[:0] = [join.this for join in part.args.get("joins") or []]
    return found


def _renamed(star: exp.Expr) -> dict[str, str]:
    """The columns that a star renames: new names by old ones in lower case."""
    return {item.this.name.casefold(): item.alias for item in star.args.get("rename") or []}


def _left_out(star: exp.Expr) -> set[str]:
    """The names that a star does not give: those that it excludes, and those that it renames."""
    return {item.name.casefold() for item in star.args.get("except_") or []} | _renamed(star).keys()


def find_cte(table: exp.Table, inside: exp.Expr) -> exp.Expr | None:
    """The query of the CTE that a table names, or None where it is no CTE."""
    if table.db:
        return None
    scope: exp.Expr | None = inside
    while scope is not None:
        with_ = scope.args.get("with_")
        if with_ is None:
            scope = scope.parent
            continue
        for cte in with_.expressions:
            if cte.alias_or_name.casefold() == table.name.casefold():
                query = cte.this
                # Inside itself, a CTE that is not recursive means a table of that name.
                if with_.args.get("recursive") or not any(above is query for above in _above(table)):
                    return query if isinstance(query, exp.Expr) else None
        scope = scope.parent
    return None


def _above(node: exp.Expr) -> Iterator[exp.Expr]:
    above: exp.Expr | None = node
    while above is not None:
        yield above
        above = above.parent


def branches(query: exp.SetOperation, name: str) -> Iterator[tuple[exp.Expr, str]]:
    """The sides of a union, and what each calls the column that the whole calls ``name``."""
    left = [column.casefold() for column in query.left.named_selects]
    right = query.right.named_selects
    yield query.left, name
    by_place = name in left and "*" not in left and "*" not in right and left.index(name) < len(right)
    yield query.right, right[left.index(name)].casefold() if by_place and not query.args.get("by_name") else name


def _full_name(table: exp.Table) -> str:
    return ".".join(part.name for part in table.parts).casefold()


_GENERATED = {"range", "generate_series", "unnest", "values", "explodinggenerateseries", "numbers", "explode"}


def _is_generated(function: exp.Func) -> bool:
    """Whether a table function makes up its rows, and reads none."""
    name = function.name if isinstance(function, exp.Anonymous) else function.sql_name()
    return name.casefold() in _GENERATED
