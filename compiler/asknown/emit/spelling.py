"""Names of columns spelled as they are stored, for engines that tell names apart by letter case; DuckDB does not."""

from __future__ import annotations

from collections.abc import Collection, Mapping

from sqlglot import exp

from asknown.emit.sql import is_plain_name


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
