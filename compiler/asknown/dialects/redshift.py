"""Redshift: compiled, read back by sqlglot, never run by us.

Instants are counted in microseconds: DATEDIFF gives a BIGINT of them (docs.aws.amazon.com/redshift/latest/dg/
r_DATEDIFF_function.html), and DATEADD would take an INTEGER only. Frames are of ROWS, and an aggregate over an ordered
window needs one (c_Window_functions.html). QUALIFY must follow a table with an alias (r_QUALIFY_clause.html). The
manual does not say how NaN is ordered, and whether a zero keeps its sign.
"""

from __future__ import annotations

from asknown.dialects.cautious import FLOATS, FUNCTIONS, MODES, REFUSED, REWRITES, UNDOCUMENTED, calendar, shifts
from asknown.dialects.dialect import AggregateRules, Dialect, NameRules, PlanRules, RelationRules, Translation

_MICROS = "DATEDIFF(MICROSECOND, CAST('1970-01-01' AS TIMESTAMP), {})"
_TOO_LARGE = "'asknown: a sum is too large for an exact average'"

REDSHIFT = Dialect(
    name="redshift",
    sqlglot="redshift",
    snippets={
        "instant.timestamp": _MICROS.format(":x"),
        "instant.timestamptz": _MICROS.format(":x AT TIME ZONE 'UTC'"),
        "instant.date": _MICROS.format("CAST(:x AS TIMESTAMP)"),
        "bound.timestamp": "CAST(:x AS TIMESTAMP)",
        "bound.timestamptz": "CAST(:aware AS TIMESTAMPTZ)",
        "bound.date": "CAST(CAST(:x AS TIMESTAMP) AS DATE)",
        "from_zone": "CONVERT_TIMEZONE(:zone, 'UTC', :x)",
        "whole_division": ":x / :y",
        "row_number": "ROW_NUMBER() OVER ()",
        "null_safe_equal": "(:x = :y OR (:x IS NULL AND :y IS NULL))",
        "raise": "CASE WHEN :condition THEN CAST(CASE WHEN :condition THEN :message END AS INTEGER) > 0 ELSE TRUE END",
        "ratio": "CASE WHEN ABS(:x) < 9007199254740992 THEN CAST(:x AS DOUBLE PRECISION) / NULLIF(:y, 0) "
        f"ELSE CAST(CASE WHEN NOT :x IS NULL THEN {_TOO_LARGE} END AS DOUBLE PRECISION) END",
    },
    plans=PlanRules(forms=("range", "union"), window_forms=("pairs", "bands")),
    aggregates=AggregateRules(
        templates={
            "count": "COUNT(:x)",
            "count_distinct": "COUNT(DISTINCT :x)",
            "sum.integer": "SUM(CAST(:x AS DECIMAL(38, 0)))",
            "sum.decimal": "SUM(:x)",
            "sum.boolean": "SUM(CAST(:x AS INTEGER))",
            "min": "MIN(:x)",
            "max": "MAX(:x)",
            "min.float": "MIN(CASE WHEN :x = 0 THEN 0 ELSE :x END)",
            "max.float": "MAX(CASE WHEN :x = 0 THEN 0 ELSE :x END)",
            "min.boolean": "BOOL_AND(:x)",
            "max.boolean": "BOOL_OR(:x)",
            "bool_and": "BOOL_AND(:x)",
            "bool_or": "BOOL_OR(:x)",
        },
        filters=False,
        nearest={
            "sum.float": FLOATS,
            "list_distinct": "Redshift has no typed arrays: write count(distinct x) for the number of values",
            "string_agg": "LISTAGG stops at 65,535 bytes: an as-of feature gives the last value",
            **dict.fromkeys(
                ("first", "last", "arg_min", "arg_max", "list"),
                "Redshift orders only LISTAGG: an as-of feature gives the last value",
            ),
            **dict.fromkeys(
                ("median", "quantile_cont", "quantile_disc"),
                "Redshift allows one ORDER BY for all medians of a select: compute it in the source's table",
            ),
            **UNDOCUMENTED,
            **MODES,
        },
        order={"float": (":x", "CASE WHEN :x = 0 THEN CAST(:x AS VARCHAR(9)) <> '-0' ELSE TRUE END")},
    ),
    types={
        "HUGEINT": "DECIMAL(38, 0)",
        "DOUBLE": "DOUBLE PRECISION",
        "FLOAT": "REAL",
        "VARCHAR": "VARCHAR(65535)",
        "TINYINT": "SMALLINT",
        "UTINYINT": "SMALLINT",
        "USMALLINT": "INTEGER",
        "UINTEGER": "BIGINT",
        "UBIGINT": "DECIMAL(20, 0)",
    },
    translation=Translation(
        rewrites={
            **REWRITES,
            **shifts("DATEADD(UNIT, CAST(:a2 AS INTEGER), :a1)"),
            **calendar("(MOD(EXTRACT(DOW FROM :x) + 6, 7) + 1)", "DATEDIFF(DAY, :a, :b)"),
            "intdiv.integer.integer": ":this / :expression",
            "cast.as.hugeint": "CAST(:this AS DECIMAL(38, 0))",
            "max.boolean": "BOOL_OR(:this)",
            "min.boolean": "BOOL_AND(:this)",
            "attimezone.timestamptz": ":same",
            "attimezone.timestamp": ":same",
        },
        refused={**REFUSED, "filter": "Redshift has no FILTER: write count(case when … then 1 end)"},
        tested=FUNCTIONS,
        writes_utc=True,
    ),
    names=NameRules(exact_names=True),
    relations=RelationRules(unkept={"list": "Redshift has no typed arrays"}),
    clock="microseconds",
    executed=False,
    session=("SET timezone TO 'UTC'", "SET enable_case_sensitive_identifier TO true"),
)
