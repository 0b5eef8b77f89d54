"""DuckDB's SQL that Postgres does not support, and what to write instead."""

from __future__ import annotations

_PATTERN = "Postgres reads patterns differently: write like, [0-9] for digits, split_part(), or a CASE"
_LISTS = "Postgres has no lists of lists"
_STRUCT = "Postgres has no structs without a type of their own: write a column for each field"
_UNSIGNED = "Postgres lacks this integer type: cast to a wider signed one, such as smallint or bigint"
_SPELLED = "Postgres writes floats differently: cast to a decimal first"

REFUSED: dict[str, str] = {
    "splitpart": "the separator may be empty: write it as a literal",
    "bracket": "the index may count from the end: write it as a number",
    "generateseries": "generate_series() returns rows, not a list: write from generate_series(…)",
    "cast.text.blob": "Postgres converts text to bytes differently",
    "intdiv.float": "// of floats is not translated: write floor(x / y)",
    "intdiv.decimal": "// of decimals is not translated: write floor(x / y)",
    "mod.float": "Postgres has no % for floats: write x - y * trunc(x / y)",
    "log.expression": "log() with a base rounds differently: write ln(x) / ln(2)",
    "bitwiseleftshift": "Postgres drops the bits that are shifted out: write i * 4",
    "trycast": "Postgres has no TRY_CAST: write a CASE that tests the text before the cast",
    "cast.text.boolean": "Postgres accepts other words for true and false: write s = 'true'",
    "cast.float.text": _SPELLED,
    "cast.list.text": "Postgres writes lists differently: write array_to_string(l, ',')",
    "cast.blob.text": "Postgres writes bytes differently",
    "cast.float.as.hugeint": "Postgres's NUMERIC keeps 15 digits of a float: cast to bigint",
    **{
        f"cast.as.{name}": _UNSIGNED for name in ("tinyint", "utinyint", "usmallint", "uinteger", "ubigint", "uhugeint")
    },
    "dpipe.float": _SPELLED,
    "concat.float": _SPELLED,
    "concatws.float": _SPELLED,
    "concat.boolean": "concat() writes booleans as t and f: write b::varchar",
    "concatws.boolean": "concat_ws() writes booleans as t and f: write b::varchar",
    "strtotime": "to_timestamp() accepts texts that strptime() refuses: write cast(… as timestamp)",
    "timetostr": "to_char() reads letters, and codes such as %-d, differently: "
    "write %Y %m %d %H %M %S %f, and add letters with ||",
    "unixtotime.scale": "epoch_ms() and make_timestamp() need to know whether the value is a number: cast it first",
    "datebin.unit": "time_bucket() with an origin is not translated",
    "extract.interval": "a part of an interval is not translated: write epoch(a - b), or date_diff()",
    "date_part": "this part of a timestamp is not translated: write extract(hour from t), or epoch(t)",
    "date_sub": "date_sub() with this unit is not translated: write date_diff(), or subtract extract(year from t)",
    **dict.fromkeys(
        ("regexplike", "regexpfullmatch", "similarto", "regexpreplace", "regexpextract", "regexpextractall"), _PATTERN
    ),
    "bracket.text": "a slice of a text is not translated: write substr(s, 1, 2)",
    "glob": "Postgres has no GLOB: write LIKE",
    "reverse": "reverse() splits letters made of several characters",
    "format": "format() has other placeholders than {}: write ||",
    "printf": "Postgres has no printf(): write ||",
    "collate": "its collations differ from DuckDB's: write lower(s)",
    "struct": _STRUCT,
    "structextract": _STRUCT,
    "map": _STRUCT,
    "tomap": _STRUCT,
    "jsonextract": "JSON as a value is not translated: write json_extract_string(), or ->>",
    "first.list": _LISTS,
    "last.list": _LISTS,
    "anyvalue.list": _LISTS,
    "argmax.list": _LISTS,
    "argmin.list": _LISTS,
    "arrayagg.list": _LISTS,
    "array.list": _LISTS,
    "argmax.count": "the n greatest are not translated: write row_number() and list()",
    "argmin.count": "the n least are not translated: write row_number() and list()",
    "median.decimal": "a median of decimals rounds differently: cast to double",
    "percentilecont.decimal.decimal": "a quantile of decimals rounds differently: cast to double",
    "approxdistinct": "its approximation differs: write count(distinct …)",
    "hash": "its numbers differ: write md5()",
    "ignorenulls": "Postgres has no IGNORE NULLS: filter them out first, or count the values to group by",
    "mode": "which of several equally frequent values it returns is undefined",
    "group.all": "Postgres has no GROUP BY ALL: name the columns",
    "star.except_": "Postgres has no SELECT * EXCLUDE: name the columns",
    "star.replace": "Postgres has no SELECT * REPLACE: name the columns",
    "columns": "Postgres has no COLUMNS(): name the columns",
    "union.by_name": "Postgres has no UNION BY NAME: name the columns in their order",
    "join.asof": "Postgres has no ASOF JOIN: write a feature view, or a lateral subquery with order by and limit 1",
    "join.positional": "Postgres has no POSITIONAL JOIN: join by row_number()",
    "limitoptions.percent": "Postgres has no LIMIT in percent",
    "tablesample": "Postgres samples only stored tables, and differently each time",
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
