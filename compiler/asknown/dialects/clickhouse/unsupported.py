"""DuckDB's SQL that ClickHouse does not support, and what to write instead."""

from __future__ import annotations

from asknown.dialects.clickhouse.types import REFUSED_CASTS

_NO_LISTS = "a ClickHouse Array is never NULL: avoid lists in models for this target"
_UNIX = "epoch_ms(), make_timestamp() and to_timestamp() cannot be told apart: write epoch_us(…)"
REFUSED: dict[str, str] = {
    **REFUSED_CASTS,
    "unixtotime": _UNIX,
    **{f"unixtotime.{kind}": _UNIX for kind in ("timestamp", "timestamptz", "date")},
    "interval.integer": "an interval of a variable length is not translated: write to_days(…), to_hours(…)",
    **{
        f"sub.{kind}.{other}": "ClickHouse has no such interval: write date_diff, or epoch_us(…) - epoch_us(…)"
        for kind in ("timestamp", "timestamptz", "date")
        for other in ("timestamp", "timestamptz", "date")
        if (kind, other) != ("date", "date")
    },
    "timetounix.interval": "the epoch of an interval is not translated",
    "windowspec.interval": "ClickHouse frames take no intervals: order by epoch_us(…), and count microseconds",
    "limitoptions": "ClickHouse has no LIMIT in percent",
    "levenshtein": "DuckDB counted bytes up to 2.0.0 and counts characters since",
    "datebin": "time_bucket() is not translated: write date_trunc()",
    "strtotime": "strptime() is not translated: write cast(… as timestamp)",
    "date_sub": "date_sub() is not translated: write date_diff()",
    "age": "age() is not translated: write date_diff()",
    "intdiv": "// is translated between integers: write floor(a / b), or cast both",
    "mod": "% is translated between integers: write a - b * floor(a / b), or cast both",
    "round.unknown.decimals": "the type of the rounded value is unknown: cast it",
    "bitwiserightshift": "ClickHouse shifts fewer bits: write floor(x / 4)",
    "bitwiseleftshift": "ClickHouse drops the bits that are shifted out: write x * 4",
    "greatest.float": "greatest() of more than two floats is not translated: write greatest(greatest(a, b), c)",
    "in.value": "ClickHouse skips a NULL among the rows of IN: write exists (…), or not exists (…)",
    "any": "ClickHouse skips a NULL beside any(…): write in (…)",
    "jsonextractscalar": "ClickHouse returns '' for a missing field: store the field in a column",
    "in.null": "ClickHouse skips a NULL in the list of IN: leave it out",
    **{
        f"concat.{kind}": "concat() is translated for texts and integers: write cast(… as varchar)"
        for kind in ("float", "decimal", "boolean", "timestamp", "timestamptz", "unknown", "list")
    },
    "concatws": "concat_ws() treats NULL differently: write ||",
    "dpipe.float": "ClickHouse writes floats with other digits: cast it to a decimal first",
    "dpipe": "write cast(… as varchar) || …: ClickHouse writes some types differently",
    "reverse": "reverse() is not translated",
    "ascii": "ascii() is not translated",
    "unicode": "unicode() is not translated",
    "ord": "ord() is not translated",
    "chr": "chr() is not translated: write the character",
    "timetostr": "a format may have %Y %m %d %H %M %S %f and punctuation",
    "printf": "printf() is not translated: write ||",
    "approxdistinct": "ClickHouse approximates differently: write count(distinct x)",
    "format": "format() is not translated: write ||",
    "bar": "bar() is not translated",
    "hash": "hash() returns another number: write md5()",
    "glob": "write like, or regexp_matches()",
    "collate": "comparisons are binary: write lower(…)",
    "bracket.text": "write substring()",
    "split": f"{_NO_LISTS}; of a text write split_part()",
    "struct": "a struct is not translated: write a column for each field",
    "tomap": "a map is not translated",
    "arrayagg": _NO_LISTS,
    "percentilecont": "write quantile_cont(x, 0.5)",
    "percentiledisc": "write quantile_disc(x, 0.5)",
    **{
        f"{name}.order": "ClickHouse aggregates take no ORDER BY: write arg_min(x, by), or arg_max(x, by)"
        for name in ("first", "last", "anyvalue", "groupconcat")
    },
    "first": "first() depends on the order in which rows are read: write arg_min(x, by)",
    "last": "last() depends on the order in which rows are read: write arg_max(x, by)",
    "sum.integer.distinct": "sum(distinct …) is not translated: remove duplicates in a model below this one",
    "avg.integer.distinct": "avg(distinct …) is not translated: remove duplicates in a model below this one",
    "sum.distinct": "sum(distinct …) is not translated: remove duplicates in a model below this one",
    "avg.distinct": "avg(distinct …) is not translated: remove duplicates in a model below this one",
    "escape": "a backslash is ClickHouse's only escape: write contains(), or regexp_matches()",
    "distinct.float": "-0.0 and 0.0 are two values in ClickHouse: write count(distinct x + 0.0)",
    "attimezone": "it is unknown whether the value has a time zone: cast it to timestamp or timestamptz",
    **{name: f"{name}() of a single row differs: write the formula" for name in ("corr", "covarsamp")},
    "mode": "mode() is not translated",
    "lag.ignorenulls": "ClickHouse's lag and lead cannot skip NULLs: filter them out first",
    "lead.ignorenulls": "ClickHouse's lag and lead cannot skip NULLs: filter them out first",
    "generateseries": "ClickHouse has no generate_series(): write a recursive with",
    "unnest": "write unnest() in the select",
    "lateral": "ClickHouse has no lateral joins: write a subquery in the select",
    "columns": "write the columns",
    "union.by_name": "list the columns in the same order on both sides",
}

AGGREGATING = frozenset(("varSampStable", "varPopStable", "stddevSampStable", "stddevPopStable", "covarPopStable"))
"""ClickHouse's aggregates that sqlglot takes for plain functions."""

# fmt: off
FUNCTIONS = frozenset(
    (
        "abs", "acos", "any", "argmax", "argmin", "array", "array_to_string", "arrayjoin", "asin", "atan", "atan2",
        "avg", "cast", "ceil", "char_length", "coalesce", "concat", "cos", "count", "countif", "date_diff", "date_part",
        "day", "degrees", "dense_rank", "editdistance", "endswith", "exists", "exp", "extract", "factorial",
        "first_value",
        "floor", "formatdatetime", "generateuuidv4", "greatest", "groupbitand", "groupbitor", "groupbitxor",
        "grouping", "has", "hour", "if", "isinfinite", "isnan", "lag", "laginframe",
        "last_value", "lead", "leadinframe", "least", "length", "lower", "ltrim", "max", "md5", "min", "minute",
        "month", "multiif", "nth_value", "ntile", "nullif", "percent_rank", "pi", "position", "pow", "power",
        "quarter", "radians", "randcanonical", "rank", "regexp_extract", "repeat", "replace", "row_number", "rtrim",
        "second", "sign", "sin", "startswith", "sum", "tan", "todate32", "todayofmonth", "todayofweek", "todayofyear",
        "toisoweek",
        "trim", "trunc", "tuple", "year",
    )
)
# fmt: on
"""The functions that sqlglot writes for ClickHouse and that mean there what DuckDB's do."""
