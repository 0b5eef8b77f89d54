"""BigQuery (GoogleSQL): compiled, read back by sqlglot, never run by us.

TIMESTAMP is an instant, DATETIME the naive type; inside a query instants are counted in microseconds.
"""

from __future__ import annotations

from asknown.dialects.cautious import FUNCTIONS, REFUSED, REWRITES, UNDOCUMENTED
from asknown.dialects.dialect import Dialect

_TEXT = "UNIX_MICROS({}(:x AS TIMESTAMP))"
_LISTED = "ARRAY_AGG(:x IGNORE NULLS ORDER BY :order)"
_TOO_LARGE = "'asknown: a sum is too large for an exact average'"

BIGQUERY = Dialect(
    name="bigquery",
    sqlglot="bigquery",
    forms=("range", "union"),
    window_forms=("pairs", "bands"),
    words={
        "instant.timestamp": "UNIX_MICROS(TIMESTAMP(:x, 'UTC'))",
        "instant.timestamptz": "UNIX_MICROS(:x)",
        "instant.date": "UNIX_MICROS(TIMESTAMP(:x, 'UTC'))",
        "instant.text": _TEXT.format("CAST"),
        "try_instant": _TEXT.format("SAFE_CAST"),
        "from_zone": "DATETIME(TIMESTAMP(:x, :zone), 'UTC')",
        "bound.timestamp": "CAST(:x AS DATETIME)",
        "bound.timestamptz": "CAST(:aware AS TIMESTAMP)",
        "whole_division": "DIV(:x, :y)",
        "row_number": "ROW_NUMBER() OVER ()",
        "has_offset": "REGEXP_CONTAINS(:x, :pattern)",
        "raise": "CASE WHEN :condition THEN ERROR(:message) ELSE TRUE END",
        "ratio": "CASE WHEN ABS(:x) < 9007199254740992 THEN CAST(:x AS FLOAT64) / NULLIF(:y, 0) "
        f"WHEN NOT :x IS NULL THEN ERROR({_TOO_LARGE}) END",
    },
    aggregates={
        "count": "COUNT(:x)",
        "count_distinct": "COUNT(DISTINCT :x)",
        "sum.integer": "SUM(CAST(:x AS BIGNUMERIC))",
        "sum.decimal": "SUM(CAST(:x AS BIGNUMERIC))",
        "sum.boolean": "SUM(CAST(CAST(:x AS INT64) AS BIGNUMERIC))",
        "min": "MIN(:x)",
        "max": "MAX(:x)",
        # MIN and MAX are NaN where a value is: of asknown's order it is the greatest.
        "min.float": "COALESCE(MIN(IF(IS_NAN(:x), NULL, :x + 0)), MIN(:x))",
        "max.float": "MAX(:x + 0)",
        "bool_and": "LOGICAL_AND(:x)",
        "bool_or": "LOGICAL_OR(:x)",
        "first": _LISTED,
        "last": _LISTED,
    },
    finishes={
        "first": "(:value)[SAFE_OFFSET(0)]",
        "last": "(ARRAY_REVERSE(:value))[SAFE_OFFSET(0)]",
    },
    order={"float": ("IS_NAN(:x)", ":x", "NOT (:x = 0 AND IEEE_DIVIDE(1, :x) < 0)")},
    types={
        "TIMESTAMP": "DATETIME",
        "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
        "HUGEINT": "BIGNUMERIC",
        "decimal": "BIGNUMERIC",
    },
    unkept={"list": "BigQuery gives [] where an ARRAY is NULL"},
    nearest={
        "sum.float": "a sum of FLOAT64 depends on their order here; sum(cast(x as decimal(38, 9))) is exact",
        "list": "BigQuery gives [] where an ARRAY is NULL: last(x) is the newest of them",
        **dict.fromkeys(
            ("median", "quantile_cont", "quantile_disc"),
            "percentiles are no aggregates here but of windows: compute them in the table that the source reads",
        ),
        **UNDOCUMENTED,
    },
    rewrites={
        **REWRITES,
        "div": "IEEE_DIVIDE(:this, :expression)",
        "intdiv.integer.integer": "DIV(:this, :expression)",
    },
    refused=REFUSED,
    functions=FUNCTIONS,
    clock="microseconds",
    nulls_lowest=True,
    filters=False,
    executed=False,
)
