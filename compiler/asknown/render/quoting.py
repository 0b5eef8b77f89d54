"""Identifiers as templates write them: bare where every engine reads them so, else in double quotes."""

from __future__ import annotations

import re

_BARE = re.compile(r"[a-z_][a-z0-9_]*")

# Words that DuckDB, Postgres or the parser read as grammar somewhere in a query. Quoting one too many does no harm.
_GRAMMAR = frozenset(
    """
    all alter analyse analyze and anti any array as asc asof asymmetric at authorization begin between bigint binary bit
    boolean both by case cast char character check coalesce collate collation column columns commit concurrently
    constraint create cross current_catalog current_date current_role current_schema current_time current_timestamp
    current_user dec decimal default deferrable delete desc describe distinct do drop else end except exists extract
    false fetch filter float for force foreign freeze from full generated glob grant group grouping grouping_id having
    ilike in initially inner inout insert install int integer intersect interval into is isnull join lambda lateral
    leading left like limit localtime localtimestamp map national natural nchar none not notnull null nullif numeric
    offset on only or order out outer over overlaps overlay partitioned_by pivot pivot_longer pivot_wider placing
    position positional precision primary qualify real recursive references regexp replace returning revoke right rlike
    rollback row select semi session_user set setof show similar smallint some struct substring summarize symmetric
    table tablesample then time timestamp to trailing treat trim true try_cast tuple uncache union unique unpack unpivot
    update user using values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement
    xmlexists xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable xor
    """.split()  # noqa: SIM905 - a list of quoted words would hide the words
)


def quote_name(name: str) -> str:
    """``name`` as an SQL identifier: ``landings``, ``"Landings"``, ``"order"``, ``"two words"``."""
    if _BARE.fullmatch(name) and name not in _GRAMMAR:
        return name
    return '"' + name.replace('"', '""') + '"'
