"""DuckDB's SQL that Postgres does not support, with hints what to write instead."""

from __future__ import annotations

_PATTERN = "its patterns mean other things here: write like, [0-9] for digits, split_part(), or a CASE"
_LISTS = "Postgres keeps no lists of lists"
_STRUCT = "Postgres has no structs without a type of their own: write a column for each field"
_UNSIGNED = "Postgres has no such integers: cast to a wider one with a sign, such as smallint or bigint"
_SPELLED = "Postgres spells floats in another way: cast to a decimal first"

REFUSED: dict[str, str] = {
    "splitpart": "a separator that may be empty: write it as a literal",
    "bracket": "an element that may be counted from the end: write its number",
    "generateseries": "a list of numbers: write from generate_series(…)",
    "cast.text.blob": "Postgres reads bytes of a text in another way",
    "intdiv.float": "whole division of floats: write floor(x / y)",
    "intdiv.decimal": "whole division of decimals: write floor(x / y)",
    "mod.float": "Postgres has no remainder of floats: write x - y * trunc(x / y)",
    "log.expression": "a logarithm of a base is rounded in another way: write ln(x) / ln(2)",
    "bitwiseleftshift": "bits that are shifted out vanish here: write i * 4",
    "trycast": "Postgres has no TRY_CAST: write a CASE that tests the text before the cast",
    "cast.text.boolean": "Postgres reads other words as true and false: write s = 'true'",
    "cast.float.text": _SPELLED,
    "cast.list.text": "Postgres spells lists in another way: write array_to_string(l, ',')",
    "cast.blob.text": "Postgres spells bytes in another way",
    "cast.float.as.hugeint": "Postgres's NUMERIC keeps 15 digits of a float: cast to bigint",
    **{
        f"cast.as.{name}": _UNSIGNED for name in ("tinyint", "utinyint", "usmallint", "uinteger", "ubigint", "uhugeint")
    },
    "dpipe.float": _SPELLED,
    "concat.float": _SPELLED,
    "concatws.float": _SPELLED,
    "concat.boolean": "concat() spells booleans t and f: write b::varchar",
    "concatws.boolean": "concat_ws() spells booleans t and f: write b::varchar",
    "strtotime": "to_timestamp() takes texts that strptime() refuses: write cast(… as timestamp)",
    "timetostr": "letters in a format, and %-d and its like, mean other things to to_char(): "
    "take %Y %m %d %H %M %S %f, and write the letters by ||",
    "unixtotime.scale": "epoch_ms() and make_timestamp() of what may be a number or an instant: cast it first",
    "datebin.unit": "buckets of time from an origin of their own",
    "date_part": "this part of an instant: write extract(hour from t), or epoch(t)",
    "date_sub": "date_sub() of this unit: write date_diff(), or the difference of extract(year from t)",
    **dict.fromkeys(
        ("regexplike", "regexpfullmatch", "similarto", "regexpreplace", "regexpextract", "regexpextractall"), _PATTERN
    ),
    "bracket.text": "a slice of a text: write substr(s, 1, 2)",
    "glob": "Postgres has no GLOB: write LIKE",
    "reverse": "reverse() turns letters around that are put together of several characters",
    "format": "format() has other places than {}: write ||",
    "printf": "Postgres has no printf(): write ||",
    "collate": "its collations are not DuckDB's: write lower(s)",
    "struct": _STRUCT,
    "structextract": _STRUCT,
    "map": _STRUCT,
    "tomap": _STRUCT,
    "jsonextract": "JSON as a value: write json_extract_string(), or ->>",
    "first.list": _LISTS,
    "last.list": _LISTS,
    "anyvalue.list": _LISTS,
    "argmax.list": _LISTS,
    "argmin.list": _LISTS,
    "arrayagg.list": _LISTS,
    "array.list": _LISTS,
    "argmax.count": "the greatest several: write row_number() and list()",
    "argmin.count": "the least several: write row_number() and list()",
    "median.decimal": "a median of decimals is rounded in another way: cast to double",
    "percentilecont.decimal.decimal": "a quantile of decimals is rounded in another way: cast to double",
    "approxdistinct": "its sketch is DuckDB's own: write count(distinct …)",
    "hash": "its numbers are DuckDB's own: write md5()",
    "ignorenulls": "Postgres has no IGNORE NULLS: filter them out before, or count the values to group by",
    "mode": "among values that are as frequent, which one it gives is left open",
    "group.all": "Postgres has no GROUP BY ALL: name the columns",
    "star.except_": "Postgres has no SELECT * EXCLUDE: name the columns",
    "star.replace": "Postgres has no SELECT * REPLACE: name the columns",
    "columns": "Postgres has no COLUMNS(): name the columns",
    "union.by_name": "Postgres has no UNION BY NAME: name the columns in their order",
    "join.asof": "Postgres has no ASOF JOIN: write a feature view, or a lateral subquery with order by and limit 1",
    "join.positional": "Postgres has no POSITIONAL JOIN: join by row_number()",
    "limitoptions.percent": "Postgres has no LIMIT of percents",
    "tablesample": "samples are of stored tables alone, and others each time",
    "pivot": "Postgres has no PIVOT: write count(*) filter (where …) for each column",
}

RESERVED = frozenset({"user", "session_user", "current_user", "current_role", "current_catalog", "system_user"})
"""Names of columns that are functions here unless they are quoted."""

# fmt: off
FUNCTIONS = frozenset({
    "abs", "acos", "acosh", "asin", "asinh", "atan", "atan2", "atanh", "cbrt", "ceil", "ceiling", "cos", "cosh",
    "cot", "degrees", "div", "exp", "factorial", "floor", "gcd", "greatest", "lcm", "least", "ln", "log", "mod",
    "nullif", "pi", "power", "pow", "radians", "random", "round", "sign", "sin", "sinh", "sqrt", "tan", "tanh",
    "trunc", "coalesce", "ascii", "bit_length", "char_length", "chr", "concat", "concat_ws", "left", "length",
    "lower", "lpad", "ltrim", "md5", "octet_length", "position", "repeat", "replace", "right", "rpad", "rtrim",
    "split_part", "starts_with", "strpos", "substr", "substring", "translate", "trim", "upper", "regexp_replace",
    "age", "current_date", "current_timestamp", "date_bin", "date_trunc", "extract", "localtimestamp", "make_date",
    "make_time", "make_timestamp", "now", "timezone", "to_char", "to_timestamp", "array", "array_append",
    "array_length", "array_prepend", "array_to_string", "cardinality", "string_to_array", "unnest", "generate_series",
    "json_extract_path_text", "row", "cast", "case", "exists", "in", "any", "all", "not", "filter", "array_agg",
    "avg", "bit_and", "bit_or", "bit_xor", "bool_and", "bool_or", "corr", "count", "covar_pop", "covar_samp", "max",
    "min", "percentile_cont", "percentile_disc", "regr_avgx", "regr_avgy", "regr_count", "regr_intercept", "regr_r2",
    "regr_slope", "regr_sxx", "regr_sxy", "regr_syy", "stddev", "stddev_pop", "stddev_samp", "string_agg", "sum",
    "var_pop", "var_samp", "variance", "cume_dist", "dense_rank", "first_value", "lag", "last_value", "lead",
    "nth_value", "ntile", "percent_rank", "rank", "row_number",
})
# fmt: on
"""The functions that mean here what they mean in DuckDB; all others are refused by name."""
