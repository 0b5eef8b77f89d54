"""SQLite 3.37 and newer: the floor. What it lacks are functions that asknown registers on its connection."""

from __future__ import annotations

from asknown.dialects.dialect import Dialect

_MICROS = "utc_micros(:x)"

SQLITE = Dialect(
    name="sqlite",
    sqlglot="sqlite",
    forms=("range", "union"),
    window_forms=("pairs",),  # fsum has no states that merge
    words={
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
    aggregates={
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
    order={"float": (":x", "NOT signbit(:x)"), "text": (":x COLLATE BINARY",)},
    rewrites={
        "div": "divide(:this, :expression)",
        "intdiv": "divide_whole(:this, :expression)",
        "mod": "remainder(:this, :expression)",
        "upper": "upper_text(:this)",
        "lower": "lower_text(:this)",
        "regexplike": "regexp_matches(:this, :expression)",
    },
    refused={
        "round": "round() of SQLite rounds other numbers up: round(1.005, 2) is 1.01; write floor(x * 100 + 0.5) / 100",
        "format": "format() of SQLite has other places than {}",
        "datediff": "date_diff() counts days of floats: write instants as numbers",
        "timestamptrunc": "SQLite has no date_trunc: write strftime",
        "extract": "SQLite has no extract: write cast(strftime('%Y', t) as integer)",
        "interval": "SQLite has no intervals: write datetime(t, '+1 day')",
        "trycast": "SQLite's cast of what does not read is 0, not NULL",
        "jsonextractscalar": "a path that sqlglot changes",
    },
    clock="microseconds",
    quotes_all=True,
    pins_ctes=True,
    session=("PRAGMA case_sensitive_like = 1",),
)
