"""BigQuery (GoogleSQL): compiled, read back by sqlglot, never run by us.

TIMESTAMP is an instant, DATETIME the naive type; inside a query instants are counted in microseconds. It relies on
these pages of cloud.google.com/bigquery/docs/reference/standard-sql: query-syntax (QUALIFY; a CTE reads those before
it), timestamp_functions, mathematical_functions (DIV, IEEE_DIVIDE), aggregate_functions and numbering_functions
(ROW_NUMBER needs no order). There, a comparison with NaN is false; DuckDB's NaN is the greatest number. The pages do
not say which hour is meant if a zone's clocks show it twice.
"""

from __future__ import annotations

from asknown.dialects.cautious import FLOATS, FUNCTIONS, MODES, REFUSED, REWRITES, UNDOCUMENTED, calendar, shifts
from asknown.dialects.dialect import AggregateRules, Dialect, NameRules, PlanRules, RelationRules, Translation

_LISTED = "ARRAY_AGG(:x IGNORE NULLS ORDER BY :order)"
_TOO_LARGE = "'asknown: a sum is too large for an exact average'"

BIGQUERY = Dialect(
    name="bigquery",
    sqlglot="bigquery",
    snippets={
        "instant.timestamp": "UNIX_MICROS(TIMESTAMP(:x, 'UTC'))",
        "instant.timestamptz": "UNIX_MICROS(:x)",
        "instant.date": "UNIX_MICROS(TIMESTAMP(:x, 'UTC'))",
        "bound.timestamp": "CAST(:x AS DATETIME)",
        "bound.timestamptz": "CAST(:aware AS TIMESTAMP)",
        "bound.date": "CAST(CAST(:x AS DATETIME) AS DATE)",
        "from_zone": "DATETIME(TIMESTAMP(:x, :zone), 'UTC')",
        "whole_division": "DIV(:x, :y)",
        "row_number": "ROW_NUMBER() OVER ()",
        "raise": "CASE WHEN :condition THEN ERROR(:message) ELSE TRUE END",
        "ratio": "CASE WHEN ABS(:x) < 9007199254740992 THEN CAST(:x AS FLOAT64) / NULLIF(:y, 0) "
        f"WHEN NOT :x IS NULL THEN ERROR({_TOO_LARGE}) END",
    },
    plans=PlanRules(forms=("range", "union"), window_forms=("pairs", "bands")),
    aggregates=AggregateRules(
        templates={
            "count": "COUNT(:x)",
            "count_distinct": "COUNT(DISTINCT :x)",
            "sum.integer": "SUM(CAST(:x AS BIGNUMERIC))",
            "sum.decimal": "SUM(CAST(:x AS BIGNUMERIC))",
            "sum.boolean": "SUM(CAST(CAST(:x AS INT64) AS BIGNUMERIC))",
            "min": "MIN(:x)",
            "max": "MAX(:x)",
            # MIN and MAX are NaN if any value is. In our order NaN is the greatest number.
            "min.float": "COALESCE(MIN(IF(IS_NAN(:x), NULL, :x + 0)), MIN(:x))",
            "max.float": "MAX(:x + 0)",
            "bool_and": "LOGICAL_AND(:x)",
            "bool_or": "LOGICAL_OR(:x)",
            "string_agg.text": "STRING_AGG(:x, :separator ORDER BY :order)",
            "first": _LISTED,
            "last": _LISTED,
        },
        finalizers={
            "first": "(:value)[SAFE_OFFSET(0)]",
            "last": "(ARRAY_REVERSE(:value))[SAFE_OFFSET(0)]",
        },
        filters=False,
        nearest={
            "sum.float": FLOATS,
            "list": "BigQuery returns [] for a NULL ARRAY: write last(x) for the newest value",
            "list_distinct": "BigQuery returns [] for a NULL ARRAY: write count(distinct x) for the number of values",
            **dict.fromkeys(
                ("median", "quantile_cont", "quantile_disc"),
                "BigQuery has percentiles only as window functions: compute them in the source's table",
            ),
            **UNDOCUMENTED,
            **MODES,
        },
        order={"float": ("IS_NAN(:x)", ":x", "NOT (:x = 0 AND IEEE_DIVIDE(1, :x) < 0)")},
        nulls_lowest=True,
    ),
    types={
        "TIMESTAMP": "DATETIME",
        "TIMESTAMP WITH TIME ZONE": "TIMESTAMP",
        "HUGEINT": "BIGNUMERIC",
        "decimal": "BIGNUMERIC",
    },
    translation=Translation(
        rewrites={
            **REWRITES,
            **shifts(
                "DATETIME_ADD(:a1, INTERVAL CAST(:a2 AS INT64) UNIT)",
                "TIMESTAMP_ADD(:a1, INTERVAL CAST(:a2 AS INT64) UNIT)",
            ),
            **calendar("(MOD(EXTRACT(DAYOFWEEK FROM :x) + 5, 7) + 1)", "DATE_DIFF(:b, :a, DAY)"),
            "div": "IEEE_DIVIDE(:this, :expression)",
            "intdiv.integer.integer": "DIV(:this, :expression)",
            "avg": "CAST(SUM(:this) AS FLOAT64) / NULLIF(COUNT(:this), 0)",
            "min.float": "COALESCE(MIN(IF(IS_NAN(:this), NULL, :this)), MIN(:this))",
            "literal.float": "CAST(:this AS FLOAT64)",
            "literal.decimal": "CAST(:this AS BIGNUMERIC)",  # without, it is a float
            "literal.decimal.float": ":same",
            "cast.as.hugeint": "CAST(:this AS BIGNUMERIC)",
            **{f"cast.{kind}.decimal": "CAST(:this AS BIGNUMERIC)" for kind in ("integer", "decimal")},
            **{
                f"{key}.{unit}": f"DATETIME_TRUNC(CAST(:this AS DATETIME), {unit.upper()})"
                for key in ("timestamptrunc", "datetrunc")
                for unit in ("second", "minute", "hour", "day", "month", "year")
            },
            **{  # its length is an INT64
                f"interval.{unit}{ending}": f"INTERVAL CAST(:this AS INT64) {unit.upper()}"
                for unit in ("second", "minute", "hour", "day", "week")
                for ending in ("", "s")
            },
            "attimezone.timestamptz": "DATETIME(:this, :zone)",
            "attimezone.timestamp": "TIMESTAMP(:this, :zone)",
        },
        refused=REFUSED,
        tested=FUNCTIONS,
        writes_utc=True,
    ),
    names=NameRules(splits_names=True),
    relations=RelationRules(unkept={"list": "BigQuery gives [] where an ARRAY is NULL"}),
    clock="microseconds",
    executed=False,
)
