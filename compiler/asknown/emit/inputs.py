"""The query that finds a value of a spine's input that would change in the input's type (rule 8)."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.identifiers import Names
from asknown.emit.snippets import snippet
from asknown.emit.sql import ident, named, not_null, table
from asknown.emit.statement import Cte, Statement
from asknown.plan.nodes import Spine, SpineValue


def compile_lossy(
    spine: Spine, value: SpineValue, models: Sequence[Cte], reserved_names: Sequence[str], dialect: Dialect
) -> Statement:
    """The query for one value, as text, that does not come back the same from the input's type; no row if all do.

    ``SELECT CAST(n AS VARCHAR) FROM given WHERE NOT n IS NULL AND TRY_CAST(TRY_CAST(n AS BIGINT) AS DOUBLE)
    IS DISTINCT FROM n LIMIT 1``
    """
    given = Names([*reserved_names, *(cte.name for cte in models)]).fresh("given")
    column = exp.column(ident(value.column.name))
    there = snippet(dialect, "try_cast", x=column, type=_type(value.type.name))
    back = snippet(dialect, "try_cast", x=there, type=_type(value.column.type.name))
    text = exp.cast(column.copy(), "VARCHAR", dialect="duckdb")
    query = exp.select(named(text, "example")).from_(table(given))
    query = query.where(not_null(column.copy()), exp.NullSafeNEQ(this=back, expression=column.copy())).limit(1)
    return Statement((*models, Cte(given, spine.relation.sql)), query)


def _type(name: str) -> exp.DataType:
    return exp.DataType.build(name, dialect="duckdb")
