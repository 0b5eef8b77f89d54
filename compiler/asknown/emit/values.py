"""VALUES with names for their columns, for dialects that cannot name them where they stand."""

from __future__ import annotations

from sqlglot import exp


def name_values(tree: exp.Expr) -> exp.Expr:
    """The tree with ``(VALUES …) AS t(a, b)`` written as selects of ``a`` and ``b``."""
    for values in list(tree.find_all(exp.Values)):
        alias = values.args.get("alias")
        if not isinstance(alias, exp.TableAlias) or not alias.columns:
            continue
        rows = [row.expressions if isinstance(row, exp.Tuple) else [row] for row in values.expressions]
        selects = [
            exp.select(
                *[exp.alias_(value.copy(), name.copy()) for name, value in zip(alias.columns, row, strict=False)]
            )
            for row in rows
        ]
        query = selects[0] if len(selects) == 1 else exp.union(*selects, distinct=False)
        values.replace(exp.Subquery(this=query, alias=exp.TableAlias(this=alias.this.copy())))
    return tree
