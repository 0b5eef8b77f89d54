"""Names in generated SQL: fresh ones that collide with no user's name, and each engine's rules of case and quotes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from sqlglot import exp

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")


class Names:
    """Gives names that are not taken yet. Letter case does not tell names apart."""

    def __init__(self, reserved: Iterable[str]) -> None:
        self._taken = {name.casefold() for name in reserved}

    def fresh(self, wish: str) -> str:
        """``wish``, with as many underscores behind it as it takes; taken from now on."""
        while wish.casefold() in self._taken:
            wish += "_"
        self._taken.add(wish.casefold())
        return wish

    def take(self, names: Iterable[str]) -> None:
        self._taken.update(name.casefold() for name in names)


def is_plain_name(name: str) -> bool:
    """Whether a name is a word in lower case."""
    return _PLAIN.match(name) is not None


def spell_names(tree: exp.Query, stored: Mapping[str, str]) -> exp.Query:
    """The tree with each name of a column as it is where it comes from, quoted where that takes quotes.

    ``stored`` are the columns that the tree reads, as they are spelled, by their names in lower case. A name that the
    tree itself gives is spelled as it is given first; what the whole query gives keeps its spelling.
    """
    given = [item for item in _first(tree).selects if isinstance(item, exp.Alias)]
    spelled: dict[str, str] = {}
    for alias in tree.find_all(exp.Alias, exp.CTE, exp.TableAlias):
        parts = alias.columns if isinstance(alias, exp.TableAlias) else [alias.args["alias"]]
        for name in parts:
            if isinstance(name, exp.Identifier):
                spelled.setdefault(name.name.casefold(), name.name)
    spelled |= stored
    for name in list(tree.find_all(exp.Identifier)):
        if not _names_a_column(name) or any(name is item.args["alias"] for item in given):
            continue
        wanted = spelled.get(name.name.casefold(), name.name)
        if wanted != name.name or wanted != wanted.casefold():
            name.replace(_quoted(wanted))
    for item in given:
        item.set("alias", _quoted(item.alias))
    return tree


def fold_names(tree: exp.Expr, reserved: Collection[str]) -> exp.Expr:
    """The tree with quotes around the names that need them alone, for an engine that takes plain names for capitals.

    A reserved word is such a name too, in quotes.
    """
    for name in tree.find_all(exp.Identifier):
        is_reserved = name.name in reserved
        name.set("quoted", is_reserved or not is_plain_name(name.name))
        if is_reserved:
            name.set("this", name.name.upper())
    return tree


def join_names(tree: exp.Expr) -> exp.Expr:
    """The tree with hyphens for the dots within names: no name of a model has one."""
    for name in tree.find_all(exp.Identifier):
        name.set("this", name.name.replace(".", "-"))
    return tree


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


def _quoted(name: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=True)  # a plain name may be a word of the engine


def _first(tree: exp.Query) -> exp.Query:
    """The select that a query's names come from."""
    while isinstance(tree, exp.SetOperation):
        tree = tree.left
    return tree


def _names_a_column(name: exp.Identifier) -> bool:
    around = name.parent
    match around:
        case exp.Column():
            return name.arg_key == "this"
        case exp.Alias() | exp.Join():
            return name.arg_key in ("alias", "using")
        case exp.TableAlias():
            return name.arg_key == "columns"
    return False
