"""Trino: compiled, read back by sqlglot, never run by us.

Its intervals, date_add and date_diff stop at milliseconds, so instants are counted in microseconds; timestamps are read
as timestamp(6), for a plain TIMESTAMP has three places. Its pages are functions/datetime.html, functions/aggregate.html
(array_agg keeps NULLs, and takes ORDER BY and FILTER) and functions/array.html of trino.io/docs/current. sqlglot cannot
parse the as-of join of release 481. A comparison with NaN is false. The pages do not say whether the text of a zero
keeps its sign, which hour is meant if a zone's clocks show it twice, and how MIN and MAX treat NaN.
"""

from __future__ import annotations

from asknown.dialects.cautious import FLOATS, FUNCTIONS, MODES, REFUSED, REWRITES, UNDOCUMENTED, calendar, shifts
from asknown.dialects.dialect import AggregateRules, Dialect, PlanRules, Translation


def _micros(value: str) -> str:
    """SQL for an instant in microseconds: date_diff's milliseconds, and the last three digits of its text."""
    return (
        "(DATE_DIFF('MILLISECOND', CAST('1970-01-01 00:00:00.000000' AS TIMESTAMP(6)), "
        f"DATE_TRUNC('MILLISECOND', {value})) * 1000 + CAST(SUBSTRING(CAST({value} AS VARCHAR), -3) AS BIGINT))"
    )


def _utc(value: str) -> str:
    return f"CAST(AT_TIMEZONE({value}, 'UTC') AS TIMESTAMP(6))"


_AWARE = "TIMESTAMP(6) WITH TIME ZONE"
_NAN = "the result of MIN and MAX over NaN is not documented: store a decimal in the source's table"
_DISTINCT = ("integer", "decimal", "text", "boolean", "date")
_LISTED = "ARRAY_AGG(:x ORDER BY :order)"
_TOO_LARGE = "'asknown: a sum is too large for an exact average'"


def _of_list(value: str) -> str:
    return f"ELEMENT_AT(TRANSFORM(ARRAY[:value], a -> {value}), 1)"


TRINO = Dialect(
    name="trino",
    sqlglot="trino",
    snippets={
        "instant.timestamp": _micros("CAST(:x AS TIMESTAMP(6))"),
        "instant.timestamptz": _micros(_utc(":x")),
        "instant.date": "(DATE_DIFF('DAY', CAST('1970-01-01' AS DATE), :x) * 86400000000)",
        "bound.timestamp": "CAST(:x AS TIMESTAMP(6))",
        "bound.timestamptz": "WITH_TIMEZONE(CAST(:x AS TIMESTAMP(6)), 'UTC')",
        "bound.date": "CAST(CAST(:x AS TIMESTAMP(6)) AS DATE)",
        "from_zone": _utc("WITH_TIMEZONE(:x, :zone)"),
        "whole_division": ":x / :y",
        "row_number": "ROW_NUMBER() OVER ()",
        "raise": "CASE WHEN :condition THEN CAST(CASE WHEN :condition THEN :message END AS INTEGER) > 0 ELSE TRUE END",
        "ratio": "CASE WHEN ABS(:x) < 9007199254740992 THEN CAST(:x AS DOUBLE) / NULLIF(:y, 0) "
        f"ELSE CAST(CASE WHEN NOT :x IS NULL THEN {_TOO_LARGE} END AS DOUBLE) END",
    },
    plans=PlanRules(forms=("range", "union"), window_forms=("pairs", "bands")),
    aggregates=AggregateRules(
        templates={
            "count": "COUNT(:x)",
            "count_distinct": "COUNT(DISTINCT :x)",
            "sum.integer": "SUM(CAST(:x AS DECIMAL(38, 0)))",
            "sum.decimal": "SUM(:x)",
            "sum.boolean": "SUM(CAST(CAST(:x AS INTEGER) AS DECIMAL(38, 0)))",
            "min": "MIN(:x)",
            "max": "MAX(:x)",
            "bool_and": "BOOL_AND(:x)",
            "bool_or": "BOOL_OR(:x)",
            "first": _LISTED,
            "last": _LISTED,
            "list": _LISTED,
            **{f"list_distinct.{kind}": "ARRAY_AGG(DISTINCT :x ORDER BY :x)" for kind in _DISTINCT},
            "string_agg.text": _LISTED,
            "median.integer": "ARRAY_AGG(CAST(:x AS DOUBLE) ORDER BY :x)",
            "quantile_disc.integer": "ARRAY_AGG(:x ORDER BY :x)",
            "quantile_disc.text": "ARRAY_AGG(:x ORDER BY :x)",
        },
        finalizers={
            "first": "ELEMENT_AT(:value, 1)",
            "last": "ELEMENT_AT(:value, -1)",
            "string_agg.text": "ARRAY_JOIN(:value, :separator)",
            "median.integer": _of_list(
                "(ELEMENT_AT(a, (CARDINALITY(a) + 1) / 2) + ELEMENT_AT(a, CARDINALITY(a) / 2 + 1)) / 2E0"
            ),
            **dict.fromkeys(
                ("quantile_disc.integer", "quantile_disc.text"),
                _of_list("ELEMENT_AT(a, GREATEST(1, CAST(CEIL(:share * CARDINALITY(a)) AS INTEGER)))"),
            ),
        },
        nearest={
            "sum.float": FLOATS,
            "list_distinct": "whether two NaN are distinct is not documented: keep a decimal in the source's table",
            **dict.fromkeys(("min.float", "max.float"), _NAN),
            "median": "median(x) over integers",
            "quantile_cont": "quantile_disc(x, 0.9) over integers or text, which is one of the values",
            **UNDOCUMENTED,
            **MODES,
        },
        order={"float": ("IS_NAN(:x)", ":x", "CASE WHEN :x = 0 THEN CAST(:x AS VARCHAR) NOT LIKE '-%' ELSE TRUE END")},
    ),
    types={
        "TIMESTAMP": "TIMESTAMP(6)",
        "TIMESTAMP WITH TIME ZONE": _AWARE,
        "HUGEINT": "DECIMAL(38, 0)",
    },
    translation=Translation(
        rewrites={
            **REWRITES,
            **shifts(*["DATE_ADD('UNIT', :a2, :a1)"] * 2),
            **calendar("DAY_OF_WEEK(:x)", "DATE_DIFF('day', :a, :b)"),
            "intdiv.integer.integer": ":this / :expression",
            "avg": "CAST(SUM(:this) AS DOUBLE) / NULLIF(COUNT(:this), 0)",
            "literal.float": "CAST(:this AS DOUBLE)",
            "add.date.integer": "DATE_ADD('DAY', :expression, :this)",
            "sub.date.integer": "DATE_ADD('DAY', -(:expression), :this)",
            "cast.as.hugeint": "CAST(:this AS DECIMAL(38, 0))",
            # A TIMESTAMP without a precision has three places.
            **dict.fromkeys(
                ("cast.plain.timestamp", "cast.date.timestamp", "cast.timestamp.timestamp", "cast.null.timestamp"),
                "CAST(:this AS TIMESTAMP(6))",
            ),
            **dict.fromkeys(("cast.plain.timestamptz", "cast.timestamptz.timestamptz"), f"CAST(:this AS {_AWARE})"),
            "is.boolean.boolean": "(:this IS NOT DISTINCT FROM :expression)",  # sqlglot would leave IS TRUE out
            "attimezone.timestamptz": "CAST(AT_TIMEZONE(:this, :zone) AS TIMESTAMP(6))",
            "attimezone.timestamp": "WITH_TIMEZONE(:this, :zone)",
        },
        refused={**REFUSED, **dict.fromkeys(("min.float", "max.float"), _NAN)},
        tested=FUNCTIONS,
        writes_utc=True,
    ),
    clock="microseconds",
    executed=False,
    session=("SET TIME ZONE 'UTC'",),
)
