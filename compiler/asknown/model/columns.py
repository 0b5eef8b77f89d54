"""The names that a model's select gives its columns, stars expanded."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from sqlglot import exp
from sqlglot.errors import SqlglotError
from sqlglot.optimizer.qualify import qualify
from sqlglot.schema import MappingSchema

from asknown.model.nodes import Column, Model


def written_columns(model: Model, upstream: Mapping[str, Sequence[Column]], dialect: str) -> list[str] | None:
    """The column names as the select writes them, duplicates included, or None if the tree alone does not show them.

    The engine cannot be asked, because it silently renames the second of two columns of one name.
    """
    tree: exp.Expr = model.tree
    if model.tree.is_star:
        schema = MappingSchema(
            {name: {c.name: c.type.name for c in columns} for name, columns in upstream.items()},
            dialect=dialect,
            normalize=False,
        )
        try:
            tree = qualify(model.tree.copy(), dialect, schema=schema, validate_qualify_columns=False, identify=False)
        except SqlglotError:
            return None
    if not isinstance(tree, exp.Query) or tree.is_star:
        return None
    names = tree.named_selects
    return names if all(names) else None
