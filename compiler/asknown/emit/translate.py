"""Models in another dialect than their author's: sqlglot's translation, and ours where its would be another value."""

from __future__ import annotations

from sqlglot import ErrorLevel, exp
from sqlglot.errors import UnsupportedError

from asknown.dialects.dialect import Dialect
from asknown.emit.words import fill
from asknown.errors import AsknownError, Where
from asknown.model.nodes import Model
from asknown.model.windows import place_of


def translate(model: Model, tree: exp.Query, dialect: Dialect) -> str:
    """A model's query, or a part of it, as text of the dialect. Names are quoted where the author quoted them.

    Raises ``not-in-dialect`` with the place of what has no translation.
    """
    try:
        written = rewrite(tree.copy(), dialect, model)
        return written.sql(dialect.sqlglot, pretty=True, unsupported_level=ErrorLevel.RAISE)
    except UnsupportedError as error:
        raise _untranslatable(model.name, dialect, str(error).splitlines()[0], model.rendered.where(1)) from None


def rewrite(tree: exp.Expr, dialect: Dialect, model: Model) -> exp.Expr:
    """The tree with the dialect's rewrites in it, the innermost first; as it is where it is the dialect's own."""
    if model.dialect == dialect.sqlglot:
        return tree
    for node in reversed(list(tree.walk())):
        name = node.name.casefold() if isinstance(node, exp.Anonymous) else node.key
        if name in dialect.refused:
            raise _untranslatable(model.name, dialect, dialect.refused[name], place_of(model, node))
        text = dialect.rewrites.get(name)
        if text is None:
            continue
        arguments = {key: value for key, value in node.args.items() if isinstance(value, exp.Expr)}
        arguments |= {f"a{place}": value for place, value in enumerate(node.args.get("expressions") or (), start=1)}
        written = fill(dialect, text, **arguments)
        if node is tree:
            tree = written
        else:
            node.replace(written)
    return tree


def _untranslatable(model: str, dialect: Dialect, why: str, at: Where) -> AsknownError:
    return AsknownError(
        "not-in-dialect",
        f"'{model}' cannot be said in {dialect.name}: {why}",
        at=at,
        hint="write it another way; docs/dialects.md lists what is translated, and what is not",
    )
