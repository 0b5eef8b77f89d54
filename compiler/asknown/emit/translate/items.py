"""Translates single items: expressions of on-demand features, and of feature views over their windows."""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import ErrorLevel, exp
from sqlglot.errors import SqlglotError

from asknown.dialects.dialect import Dialect
from asknown.emit.translate.operands import operand_kinds
from asknown.emit.translate.rewrite import first_line, rewrite, untranslatable
from asknown.errors import AsknownError
from asknown.model.expressions.lists import FUNCTIONS, NODES
from asknown.model.nodes import Model
from asknown.model.windows import place_of
from asknown.types import SqlType


def rewrite_item(
    tree: exp.Expr, dialect: Dialect, model: Model, types: Mapping[str, SqlType], feature: str | None
) -> exp.Expr:
    """As :func:`rewrite`, for one item of a select; what sqlglot cannot write raises ``not-in-dialect`` too.

    The error names the ``feature``, where one is given.
    """
    if model.dialect == dialect.sqlglot:
        return tree
    try:
        _refuse_lists(tree, dialect, model, types)
        written = rewrite(tree, dialect, model, types)
        try:
            written.sql(dialect.sqlglot, unsupported_level=ErrorLevel.RAISE)
        except SqlglotError as error:
            raise untranslatable(model.name, dialect, first_line(error, tree), place_of(model, tree)) from None
    except AsknownError as error:
        if feature is None:
            raise
        raise AsknownError(
            error.code, f"feature '{feature}' of {error.message}", at=error.at, hint=error.hint
        ) from None
    return written


def _refuse_lists(tree: exp.Expr, dialect: Dialect, model: Model, types: Mapping[str, SqlType]) -> None:
    """Refuses functions of lists. Engines differ in what they make of NULLs, and of places outside a list."""
    kinds = operand_kinds(tree, types)
    for node in tree.find_all(exp.Bracket, exp.DPipe, exp.Anonymous, *NODES):
        name = node.name.casefold() if isinstance(node, exp.Anonymous) else node.key
        match node:
            case exp.Bracket():
                refused = not any(part.is_string for part in node.expressions)
            case exp.DPipe():
                refused = "list" in kinds.get(id(node), ())
            case exp.Anonymous():
                refused = name in FUNCTIONS
            case _:
                refused = True
        if refused:
            why = f"functions of lists such as {name}() are not the same there: put the list's parts into columns"
            raise untranslatable(model.name, dialect, why, place_of(model, node))
