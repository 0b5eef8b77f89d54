"""Names in generated SQL: fresh ones that collide with no user's name, and each engine's rules of case and quotes."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping

from sqlglot import exp

_PLAIN = re.compile(r"[a-z_][a-z0-9_]*\Z")


class Names:
    """Makes names that are not in use yet. Names that differ only in letter case are the same name.

    >>> names = Names(["Spine"])
    >>> names.fresh("spine"), names.fresh("spine")
    ('spine_', 'spine__')
    """

    def __init__(self, reserved: Iterable[str]) -> None:
        self._taken = {name.casefold() for name in reserved}

    def fresh(self, wish: str) -> str:
        """``wish`` with as many underscores appended as make it unused. The name is in use from now on."""
        while wish.casefold() in self._taken:
            wish += "_"
        self._taken.add(wish.casefold())
        return wish

    def take(self, names: Iterable[str]) -> None:
        self._taken.update(name.casefold() for name in names)


def is_plain_name(name: str) -> bool:
    """Whether a name is a plain word in lower case, which no engine needs quotes for."""
    return _PLAIN.match(name) is not None


def spell_names(tree: exp.Query, stored: Mapping[str, str]) -> exp.Query:
    """Spells each column's name as its source does, for engines that tell names apart by letter case.

    ``stored`` maps names in lower case to the spelling of the columns that the tree reads. An alias in the tree is
    spelled as at its first use. The columns of the whole query keep their spelling.
    """
    aliases = [item for item in _first(tree).selects if isinstance(item, exp.Alias)]
    spelled: dict[str, str] = {}
    for alias in tree.find_all(exp.Alias, exp.CTE, exp.TableAlias):
        parts = alias.columns if isinstance(alias, exp.TableAlias) else [alias.args["alias"]]
        for name in parts:
            if isinstance(name, exp.Identifier):
                spelled.setdefault(name.name.casefold(), name.name)
    spelled |= stored
    for name in list(tree.find_all(exp.Identifier)):
        if not _names_a_column(name) or any(name is item.args["alias"] for item in aliases):
            continue
        spelling = spelled.get(name.name.casefold(), name.name)
        if spelling != name.name or spelling != spelling.casefold():
            name.replace(_quoted(spelling))
    for item in aliases:
        item.set("alias", _quoted(item.alias))
    return tree


def fold_names(tree: exp.Expr, reserved: Collection[str]) -> exp.Expr:
    """Quotes only the names that need it, for engines that fold unquoted names to upper case.

    A reserved word is quoted in upper case.
    """
    for name in tree.find_all(exp.Identifier):
        is_reserved = name.name in reserved
        name.set("quoted", is_reserved or not is_plain_name(name.name))
        if is_reserved:
            name.set("this", name.name.upper())
    return tree


def join_names(tree: exp.Expr) -> exp.Expr:
    """Replaces the dots within names by hyphens. No model's name has a hyphen, so no two names become one."""
    for name in tree.find_all(exp.Identifier):
        name.set("this", name.name.replace(".", "-"))
    return tree


def settle_names(query: exp.Expr) -> exp.Expr:
    """Writes out names for engines that resolve them by rules of their own, such as ClickHouse.

    Every column of a select gets an alias, because ``s.k`` of a join would be called ``s.k`` in the result. A table
    that has an alias, and whose own name is used too, becomes a subquery, because that name would mean the alias.
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
    qualifiers = {column.table for column in settled.find_all(exp.Column)}
    for relation in list(settled.find_all(exp.Table)):
        if relation.alias and relation.name in qualifiers and relation.alias != relation.name:
            bare = relation.copy()
            bare.set("alias", None)
            relation.replace(exp.Subquery(this=exp.select("*").from_(bare), alias=relation.args["alias"].copy()))
    return settled


def _quoted(name: str) -> exp.Identifier:
    return exp.Identifier(this=name, quoted=True)  # a plain name may be a keyword of the engine


def _first(tree: exp.Query) -> exp.Query:
    """The select that names the columns of a query: the first of a UNION."""
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
