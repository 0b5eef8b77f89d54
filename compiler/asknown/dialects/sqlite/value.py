"""SQLite 3.37 and newer: the floor. What it lacks are functions that asknown registers on its connection."""

from __future__ import annotations

from asknown.dialects.dialect import AggregateRules, CteRules, Dialect, NameRules, PlanRules, Translation
from asknown.dialects.sqlite.translation import FUNCTIONS, REFUSED, REWRITES

_MICROS = "utc_micros(:x)"

SQLITE = Dialect(
    name="sqlite",
    sqlglot="sqlite",
    snippets={
        # Models see instants as microseconds and dates as text, however a table keeps them.
        "stored.timestamp": _MICROS,
        "stored.timestamptz": _MICROS,
        "stored.date": "date_text(:x)",
        "instant.timestamp": _MICROS,
        "instant.timestamptz": _MICROS,
        "instant.date": _MICROS,
        "instant.text": _MICROS,
        "try_instant": "try_utc_micros(:x)",
        "from_zone": "zone_micros(:x, :zone)",
        "cast": "typed(:x, :type)",  # sqlglot would write INTEGER for BOOLEAN
        "whole_division": ":x / :y",
        "row_number": "ROW_NUMBER() OVER ()",
        "has_offset": "regexp_matches(:x, :pattern)",
        "raise": "CASE WHEN :condition THEN fail(:message) ELSE 1 END",
        "is_odd_float": "ABS(:x) = 9e999",  # no NaN in SQLite
    },
    plans=PlanRules(
        forms=("range", "union"),
        window_forms=("pairs",),  # fsum has no states that merge
    ),
    aggregates=AggregateRules(
        templates={
            "count": "COUNT(:x)",
            "count_distinct": "COUNT(DISTINCT :x)",
            "count_distinct.text": "COUNT(DISTINCT :x COLLATE BINARY)",
            "sum": "SUM(:x)",
            "sum.float": "fsum(:x)",
            "sum.decimal": "sum_decimal(:x)",
            "avg.integer": "favg(:x)",
            "avg.float": "favg(:x)",
            "avg.decimal": "favg_decimal(:x)",
            "min": "MIN(:x)",
            "max": "MAX(:x)",
            "min.float": "MIN(:x + 0.0)",
            "max.float": "MAX(:x + 0.0)",
            "min.text": "MIN(:x COLLATE BINARY)",
            "max.text": "MAX(:x COLLATE BINARY)",
            "bool_and": "MIN(:x)",
            "bool_or": "MAX(:x)",
            "first": "first_by(:x, :key)",
            "last": "last_by(:x, :key)",
            "list": "list_by(:x, :key)",
            "arg_max": "value_at_max(:x, :y, :key)",
            "arg_min": "value_at_min(:x, :y, :key)",
            "median": "percentile_cont(:x, 0.5)",
            "quantile_cont": "percentile_cont(:x, :share)",
            "quantile_disc": "percentile_disc(:x, :share)",
            "var_pop": "variance_pop(:x)",
            "var_samp": "variance(:x)",
            "stddev_pop": "stddev_pop(:x)",
            "stddev_samp": "stddev_samp(:x)",
        },
        order={
            "float": (":x", "NOT signbit(:x)"),
            "text": (":x COLLATE BINARY",),
            **dict.fromkeys(("list", "struct"), ("nested_key(:x)", ":x")),
        },
    ),
    translation=Translation(rewrites=REWRITES, refused=REFUSED, functions=FUNCTIONS),
    names=NameRules(quotes_all=True),
    ctes=CteRules(pins_ctes=True),
    clock="microseconds",
    session=("PRAGMA case_sensitive_like = 1",),
)
