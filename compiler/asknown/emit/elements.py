"""Lookups by lists: a row for each element of each list of the spine, and the values found for them as lists again.

::

    elements AS (SELECT s.row, s.t, UNNEST(s.items) AS item, UNNEST(RANGE(1, LEN(s.items) + 1)) AS place FROM …),
    gathered AS (SELECT s.row, LIST(prices.price ORDER BY s.place) AS price
                 FROM elements AS s LEFT JOIN prices__rows AS prices ON … GROUP BY s.row)
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.identifiers import Names
from asknown.emit.snippets import snippet, unsupported
from asknown.emit.sql import col, ident, named, table
from asknown.emit.statement import Cte
from asknown.plan.nodes import Unnested
from asknown.values.key_lists import MOST_KEYS, RAISED, message_around


@dataclass(frozen=True)
class Elements:
    """The names that a lookup by lists has in the query.

    ``outer`` is the query over the spine's rows, which goes on when the lists are gathered; ``spine`` is the relation
    that it reads, and ``s`` the alias of what each query reads. ``row`` numbers the spine's rows, and ``place`` the
    elements of a list.
    """

    unnested: Unnested
    outer: exp.Select
    spine: str
    s: str
    row: str
    place: str


def elements_cte(elements: Elements, names: Names, t: str, dialect: Dialect) -> Cte:
    """A row for each element of each list, with the row's number, its instant and its other keys.

    A list of too many elements stops the query.
    """
    step, s = elements.unnested, elements.s
    if "keys_of_list" not in dialect.snippets:
        hint = "look up one value: select an element in the view, as in (list(x) over …)[-1]; or train on duckdb"
        raise unsupported(dialect, f"lookup by a list of keys ('{step.label}')", hint=hint)
    keys = col(step.key.name, s)
    before, after = message_around(step.label)
    checked = snippet(
        dialect,
        "keys_of_list",
        list=keys,
        most=exp.Literal.number(MOST_KEYS),
        before=exp.Literal.string(f"asknown: {RAISED}{before}"),
        after=exp.Literal.string(after),
    )
    kept = [named(col(name, s), name) for name in (elements.row, t, *(column.name for column in step.kept))]
    each = [
        named(snippet(dialect, "each_of", list=checked), step.element.name),
        named(snippet(dialect, "place_of_each", list=keys.copy()), elements.place),
    ]
    query = exp.select(*kept, *each).from_(table(elements.spine, s))
    comment = f"{step.label}: a row for each element of {step.key.name}"
    return Cte(names.fresh("elements"), query, materialized=True, comment=comment)


def gathered_cte(
    elements: Elements, query: exp.Select, columns: Iterable[tuple[str, exp.Expr]], names: Names, dialect: Dialect
) -> Cte:
    """A row for each list that has elements: the values of ``columns`` in the order of its elements.

    ``query`` joins what was found to the elements.
    """
    place = col(elements.place, elements.s)
    lists = [named(snippet(dialect, "list_by_place", x=value, place=place), name) for name, value in columns]
    row = col(elements.row, elements.s)
    gathered = query.copy()
    gathered.set("expressions", [named(row, elements.row), *lists])
    gathered = gathered.group_by(row.copy(), copy=False)
    comment = f"{elements.unnested.label}: what was found, as lists"
    return Cte(names.fresh("gathered"), gathered, materialized=True, comment=comment)


def gathered_list(column: str, gathered: str, key: exp.Expr, dialect: Dialect) -> exp.Expr:
    """A list of values in a row of the spine: NULL where the list of keys is NULL, and empty where it is empty."""
    found = exp.column(ident(column), table=ident(gathered))
    return exp.paren(snippet(dialect, "list_for_keys", list=key, x=found))
