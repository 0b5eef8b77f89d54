"""Snowflake: compiled, read back by sqlglot, never run by us.

Instants are TIMESTAMP_NTZ(6) in UTC. Plain names are not quoted, so that they are the capitals Snowflake makes of them
(docs.snowflake.com/en/sql-reference/identifiers-syntax); reserved words are (…/sql-reference/reserved-keywords).
"""

from __future__ import annotations

from asknown.dialects.cautious import FUNCTIONS, REFUSED, REWRITES, UNDOCUMENTED
from asknown.dialects.dialect import Dialect

_NAIVE = "CAST(:x AS TIMESTAMPNTZ(6))"
_TEXT = "CAST(CONVERT_TIMEZONE('UTC', {}(:x AS TIMESTAMPTZ)) AS TIMESTAMPNTZ(6))"
_LISTED = "ARRAY_AGG(:x) WITHIN GROUP (ORDER BY :order)"
_TOO_LARGE = "'asknown: a sum is too large for an exact average'"

SNOWFLAKE = Dialect(
    name="snowflake",
    sqlglot="snowflake",
    # docs.snowflake.com/en/sql-reference/constructs/asof-join: one comparison, equalities, rows without a match stay.
    forms=("asof", "range", "union"),
    matches_outside_on=True,
    window_forms=("pairs", "bands"),
    words={
        "instant.timestamp": _NAIVE,
        "instant.timestamptz": "CAST(CONVERT_TIMEZONE('UTC', :x) AS TIMESTAMPNTZ(6))",
        "instant.date": _NAIVE,
        "instant.text": _TEXT.format("CAST"),
        "try_instant": _TEXT.format("TRY_CAST"),
        "from_zone": "CONVERT_TIMEZONE(:zone, 'UTC', :x)",
        "literal": _NAIVE,
        "bound.timestamp": _NAIVE,
        "bound.timestamptz": "CAST(:aware AS TIMESTAMPTZ)",
        "microseconds": "DATE_PART(EPOCH_MICROSECOND, :x)",
        "whole_division": "CAST((:x - MOD(:x, :y)) / :y AS DECIMAL(38, 0))",  # "/" rounds: only a multiple divides
        "row_number": "ROW_NUMBER() OVER (ORDER BY 1)",
        "has_offset": "REGEXP_INSTR(:x, :pattern) > 0",
        "raise": "CASE WHEN :condition THEN CAST(:message AS INT) ELSE 1 END",
        "ratio": "CASE WHEN ABS(:x) < 9007199254740992 THEN CAST(:x AS DOUBLE) / NULLIF(:y, 0) "
        f"WHEN NOT :x IS NULL THEN CAST({_TOO_LARGE} AS INT) END",
    },
    aggregates={
        "count": "COUNT(:x)",
        "count_distinct": "COUNT(DISTINCT :x)",
        "sum.integer": "SUM(CAST(:x AS DECIMAL(38, 0)))",
        "sum.decimal": "SUM(:x)",
        "sum.boolean": "SUM(CAST(:x AS INT))",
        "min": "MIN(:x)",
        "max": "MAX(:x)",
        "min.float": "MIN(CASE WHEN :x = 0 THEN 0 ELSE :x END)",
        "max.float": "MAX(CASE WHEN :x = 0 THEN 0 ELSE :x END)",
        "min.boolean": "BOOLAND_AGG(:x)",
        "max.boolean": "BOOLOR_AGG(:x)",
        "bool_and": "BOOLAND_AGG(:x)",
        "bool_or": "BOOLOR_AGG(:x)",
        "first": _LISTED,
        "last": _LISTED,
        "median.integer": "MEDIAN(CAST(:x AS DOUBLE))",
        "quantile_disc": "PERCENTILE_DISC(:share) WITHIN GROUP (ORDER BY :x)",
    },
    finishes={
        "first": "GET(:value, 0)",
        "last": "GET(:value, ARRAY_SIZE(:value) - 1)",
    },
    types={
        "TIMESTAMP": "TIMESTAMPNTZ(6)",
        "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ(6)",
        "HUGEINT": "DECIMAL(38, 0)",
    },
    nearest={
        "sum.float": "a sum of floats depends on their order here; sum(cast(x as decimal(38, 9))) is exact",
        "list": "an ARRAY of Snowflake forgets the type of its elements; last(x) is the newest of them",
        "median": "median(x) over integers; or quantile_disc(x, 0.5), which is one of the values",
        "quantile_cont": "quantile_disc(x, 0.9), which is one of the values",
        **UNDOCUMENTED,
    },
    unkept={"list": "an ARRAY of Snowflake forgets the type of its elements"},
    order={"float": (":x", "CASE WHEN :x = 0 THEN CAST(:x AS VARCHAR) <> '-0' ELSE TRUE END")},
    rewrites=REWRITES,
    refused=REFUSED,
    functions=FUNCTIONS,
    exact_names=True,
    folds_up=True,
    quotes_all=False,
    reserved=frozenset(
        (
            *("all", "alter", "and", "any", "as", "between", "by", "case", "cast", "check", "column", "connect"),
            *("constraint", "create", "cross", "current", "delete", "distinct", "drop", "else", "exists", "false"),
            *("following", "for", "from", "full", "grant", "group", "having", "ilike", "in", "increment", "inner"),
            *("insert", "intersect", "into", "is", "join", "lateral", "left", "like", "match_condition", "asof"),
            *("minus", "natural", "not", "null", "of", "on", "or", "order", "qualify", "regexp", "revoke", "right"),
            *("rlike", "row", "rows", "sample", "select", "set", "some", "start", "table", "tablesample", "then"),
            *("to", "trigger", "true", "try_cast", "union", "unique", "update", "using", "values", "view", "when"),
            *("whenever", "where", "with"),
        )
    ),
    filters=False,
    executed=False,
    session=("ALTER SESSION SET TIMEZONE = 'UTC'", "ALTER SESSION SET TIMESTAMP_TYPE_MAPPING = 'TIMESTAMP_NTZ'"),
)
