"""DuckDB's SQL in SQLite's, where sqlglot's translation would be another value.

SQLite keeps no types, so much depends on the kinds that operands have where the model is written: instants are whole
microseconds, dates are text, booleans 0 and 1, and a decimal is the float nearest to it. What is exact only in decimals
is refused. Functions in lower case are asknown's own (:mod:`asknown.engines.sqlite.functions`).
"""

from __future__ import annotations

_MICROS = "utc_micros({})"
_INSTANTS = ("timestamp", "timestamptz")
_COMPARISONS = {
    "eq": "=",
    "neq": "<>",
    "gt": ">",
    "gte": ">=",
    "lt": "<",
    "lte": "<=",
    "nullsafeeq": "IS",
    "nullsafeneq": "IS NOT",
}


def _comparisons() -> dict[str, str]:
    """Both sides as values of one kind, where DuckDB would cast one of them."""
    sides: dict[tuple[str, str], tuple[str, str]] = {("date", "text"): (":this", "date_text(:expression)")}
    sides["text", "date"] = ("date_text(:this)", ":expression")
    for kind in _INSTANTS:
        for other in ("text", "date", "unknown"):
            sides[kind, other] = (":this", _MICROS.format(":expression"))
            sides[other, kind] = (_MICROS.format(":this"), ":expression")
    for number, read in (("integer", "whole_of_text"), ("float", "float_of_text")):
        sides[number, "text"] = (":this", f"{read}(:expression)")
        sides["text", number] = (f"{read}(:this)", ":expression")
    sides["unknown", "text"] = ("plain_text(:this)", ":expression")
    sides["text", "unknown"] = (":this", "plain_text(:expression)")
    sides["unknown", "date"] = ("plain_text(:this)", ":expression")
    sides["date", "unknown"] = (":this", "plain_text(:expression)")
    return {
        f"{key}.{left}.{right}": f"{this} {sign} {expression}"
        for key, sign in _COMPARISONS.items()
        for (left, right), (this, expression) in sides.items()
    }


def _parts() -> dict[str, str]:
    named = {
        "year": "year",
        "month": "month",
        "day": "day",
        "hour": "hour",
        "minute": "minute",
        "second": "second",
        "quarter": "quarter",
        "dayofweek": "dow",
        "dayofweekiso": "isodow",
        "dayofyear": "doy",
        "weekofyear": "week",
        "timetounix": "epoch",
    }
    units = (*named.values(), "millisecond", "microsecond", "isoyear")
    return {
        **{key: f"date_part('{part}', :this)" for key, part in named.items()},
        **{f"extract.{part}": f"date_part('{part}', :expression)" for part in units},
        "extract.dayofweek": "date_part('dow', :expression)",
        "extract.dayofweekiso": "date_part('isodow', :expression)",
        "extract.dayofyear": "date_part('doy', :expression)",
        "date_part": "date_part(:a1, :a2)",
    }


_LENGTHS = {
    "microsecond": 1,
    "millisecond": 1_000,
    "second": 1_000_000,
    "minute": 60_000_000,
    "hour": 3_600_000_000,
    "day": 86_400_000_000,
    "week": 604_800_000_000,
}
_INTERVALS = {
    name: text
    for unit, length in _LENGTHS.items()
    for name, text in (
        (f"interval.{unit}", f":this * {length}"),
        (f"interval.{unit}s", f":this * {length}"),
        (f"to_{unit}s", f":a1 * {length}"),
    )
}
_TRUNCATED = {
    f"{node}.{unit}": f"start_of('{unit}', :this)"
    for node in ("timestamptrunc", "datetrunc")
    for unit in ("second", "minute", "hour", "day", "week", "month", "quarter", "year")
}
_CASTS = {
    **{f"cast.to.{kind}": "utc_micros(:this)" for kind in _INSTANTS},
    "cast.to.date": "date_text(:this)",
    "cast.to.time": "time_text(:this)",
    "cast.text.text": ":this",
    "cast.uuid.text": ":this",
    "cast.date.text": ":this",
    "cast.integer.text": ":same",
    "cast.float.text": "float_text(:this)",
    "cast.boolean.text": "CASE WHEN :this THEN 'true' WHEN NOT :this THEN 'false' END",
    "cast.timestamp.text": "instant_text(:this)",
    "cast.timestamptz.text": "instant_text(:this) || '+00'",
    "cast.integer.integer": ":same",
    "cast.boolean.integer": ":same",
    "cast.null.integer": ":same",
    "cast.float.integer": "whole_of(:this)",
    "cast.decimal.integer": "whole_of_decimal(:this)",
    "cast.text.integer": "whole_of_text(:this)",
    "cast.integer.float": ":same",
    "cast.boolean.float": ":same",
    "cast.float.float": ":same",
    "cast.decimal.float": ":same",
    "cast.null.float": ":same",
    "cast.text.float": "float_of_text(:this)",
    "cast.integer.boolean": ":this <> 0",
    "cast.boolean.boolean": ":this",
    "cast.null.boolean": ":this",
    "cast.float.decimal": "decimal_of_float(:this, :type)",
    "cast.to.decimal": "decimal_of(:this, :type)",
    "cast.null.text": ":this",
}

REWRITES: dict[str, str] = {
    **_comparisons(),
    **_parts(),
    **_INTERVALS,
    **_TRUNCATED,
    **_CASTS,
    # numbers
    "div": "divide(:this, :expression)",
    "intdiv": "divide_whole(:this, :expression)",
    "mod": "remainder(:this, :expression)",
    **{
        f"{key}.{kinds}": f"{key}_floats(:this, :expression)"
        for key in ("add", "sub", "mul")
        for kinds in ("float.float", "float.integer", "integer.float", "float.decimal", "decimal.float")
    },
    "add.date.integer": "days_later(:this, :expression)",
    "sub.date.integer": "days_later(:this, -:expression)",
    "sub.date.date": "days_between(:this, :expression)",
    "add.date.interval": "utc_micros(:this) + :expression",
    "sub.date.interval": "utc_micros(:this) - :expression",
    "round.integer": ":this",
    "round.float": "round_half_away(:this, 0)",
    "round.float.decimals": "round_half_away(:this, :decimals)",
    "isnan": ":this <> :this",
    "isinf": "ABS(:this) = 9e999",
    "isfinite": "ABS(:a1) < 9e999",
    "sqrt": "square_root(:this)",
    "ln": "logarithm(:this)",
    "log": "logarithm10(:this)",
    "log.expression": "logarithm_to(:this, :expression)",
    "pow": "power_of(:this, :expression)",
    "unixtotime": "CAST(:this * 1000000 AS INTEGER)",
    "epoch_us": "utc_micros(:a1)",
    # dates
    "datediff": "units_between(:unit, :this, :expression)",
    "datebin": "time_bucket(:this, :expression)",
    "timetostr": "format_time(:this, :format)",
    "strtotime": "parse_time(:this, :format)",
    "datefromparts": "make_date(:year, :month, :day)",
    "lastday": "last_day(:this)",
    "dayname": "format_time(:this, '%A')",
    "monthname": "format_time(:this, '%B')",
    "attimezone.timestamp": "zone_micros(:this, :zone)",
    "attimezone.timestamptz": "micros_in_zone(:this, :zone)",
    # text
    "upper": "upper_text(:this)",
    "lower": "lower_text(:this)",
    "dpipe.text.text": ":same",
    "dpipe": "joined_text(:this, :expression)",
    "ilike": "lower_text(:this) LIKE lower_text(:expression)",
    "left": "left_text(:this, :expression)",
    "right": "right_text(:this, :expression)",
    "repeat": "repeat_text(:this, :times)",
    "contains": "INSTR(:this, :expression) > 0",
    "startswith": "SUBSTR(:this, 1, LENGTH(:expression)) = :expression",
    "endswith": "right_text(:this, LENGTH(:expression)) = :expression",
    "prefix": "SUBSTR(:a1, 1, LENGTH(:a2)) = :a2",
    "splitpart": "split_part(:this, :delimiter, :part_index)",
    "unicode": "COALESCE(UNICODE(:this), CASE WHEN :this = '' THEN -1 END)",
    "ord": "COALESCE(UNICODE(:a1), CASE WHEN :a1 = '' THEN -1 END)",
    "ascii": "COALESCE(UNICODE(:this), CASE WHEN :this = '' THEN 0 END)",
    "strlen": "LENGTH(CAST(:a1 AS BLOB))",
    # aggregates
    "argmax": "value_at_max(:this, :expression)",
    "argmin": "value_at_min(:this, :expression)",
    "stddev": "stddev_samp(:this)",
    "sum.decimal": "sum_decimal(:this)",
    "avg.decimal": "favg_decimal(:this)",
}

_DECIMALS = "SQLite keeps a decimal as the float nearest to it: cast({} as double), or keep whole cents"
_AS_TEXT = "SQLite does not tell {} from another number: write it with case, or cast it in the source"
_MIXED = {
    f"{key}.{kind}.{other}": f"text beside a {instant}: write {instant} '…' or a cast"
    for key in ("in", "case", "if", "coalesce", "nullif", "greatest", "least", "between")
    for instant in (*_INSTANTS, "date")
    for kind, other in ((instant, "text"), ("text", instant))
}

REFUSED: dict[str, str] = {
    **_MIXED,
    **{
        f"{key}.decimal": f"arithmetic of decimals is not exact: {_DECIMALS.format('…')}"
        for key in ("add", "sub", "mul", "mod", "round", "intdiv")
    },
    **{
        f"{key}.unknown": "the type of one side is not known here, and SQLite keeps none: cast it"
        for key in ("add", "sub", "mul", "round")
    },
    **{
        f"sub.{kind}.{other}": "SQLite has no intervals: write date_diff, or epoch_us(…) - epoch_us(…)"
        for kind in (*_INSTANTS, "date")
        for other in (*_INSTANTS, "date")
        if (kind, other) != ("date", "date")
    },
    **{f"interval.{unit}": "a month has no fixed length: write days" for unit in ("month", "months", "year", "years")},
    "interval": "an interval of one unit is said: interval '90 minutes'",
    "cast.decimal.text": _AS_TEXT.format("2.50"),
    "cast.to.text": _AS_TEXT.format("true or 1.0"),
    "cast.to.integer": "the type of what is cast is not known here, and SQLite keeps none",
    "cast.to.boolean": "only an integer is cast to a boolean: write x <> 0",
    "cast.as.float": "SQLite has no floats of 32 bits: cast to double",
    "cast.to.struct": "SQLite has no structs",
    "cast.to.list": "SQLite has no lists",
    "trycast": "SQLite's cast of what does not read is 0, not NULL: write a case with glob",
    "unixtotime.scale": "epoch_ms() and make_timestamp() are not told apart: write epoch_us(…), or to_timestamp(…)",
    "round.integer.decimals": "write i // 10 * 10",
    "similarto": "SQLite has no regular expressions: write like or glob",
    "round.decimals": "a number that is no float is rounded otherwise: cast(… as double)",
    "bitwiseleftshift": "DuckDB stops where bits are lost, and SQLite does not: write x * 4",
    "bitwisexor": "SQLite has no xor: write (a | b) - (a & b)",
    "regexplike": "SQLite has no regular expressions: write like or glob",
    "format": "format() of SQLite has other places than {}: write ||",
    "printf": "printf() of SQLite gives 0 for NULL: write ||",
    "concat": "concat() takes every type for text, and skips NULL: write coalesce(…, '') || …",
    "rand": "its numbers are DuckDB's own",
    "bracket": "SQLite has no lists",
    "array": "SQLite has no lists",
    "struct": "SQLite has no structs: write a column for each field",
    "map": "SQLite has no maps",
    "explode": "SQLite has no lists",
    "unnest": "SQLite has no lists: write a union of selects",
    "generateseries": "SQLite has no series: write a recursive with",
    "jsonextract": "a path that sqlglot changes",
    "jsonextractscalar": "a path that sqlglot changes",
    "ignorenulls": "SQLite has no IGNORE NULLS: filter the NULLs out in a model before",
    "lateral": "SQLite has no lateral joins: write a subquery in the select",
    "join.method": "SQLite has no asof joins, and its natural joins have no types: write on … or a row_number()",
    "star.except_": "SQLite has no exclude: write the columns",
    "star.replace": "SQLite has no replace: write the columns",
    "columns": "SQLite has no columns(): write the columns",
    "group.all": "SQLite has no group by all: write the columns",
    "order.all": "SQLite has no order by all: write the columns",
    "union.by_name": "SQLite has no union by name: write the columns in one order",
    "limitoptions": "SQLite has no limit by percent",
    "tablesample": "SQLite has no samples",
    "collate": "comparisons are binary: write lower(…)",
}

FUNCTIONS = frozenset(
    (
        "abs",
        "coalesce",
        "ifnull",
        "iif",
        "instr",
        "length",
        "ltrim",
        "max",
        "min",
        "nullif",
        "replace",
        "rtrim",
        "sign",
        "substr",
        "substring",
        "trim",
        "unicode",
        "char",
        "glob",
        "like",
        "ceil",
        "ceiling",
        "floor",
        "trunc",
        "exp",
        "pi",
        "degrees",
        "radians",
        "avg",
        "count",
        "sum",
        "total",
        "row_number",
        "rank",
        "dense_rank",
        "percent_rank",
        "cume_dist",
        "ntile",
        "lag",
        "lead",
        "first_value",
        "last_value",
        "nth_value",
        "variance",
        "variance_pop",
        "stddev_samp",
        "stddev_pop",
        "percentile_cont",
        "percentile_disc",
        "cast",
        "case",
        "exists",
    )
)
"""Those of SQLite that mean the same, and asknown's that go by sqlglot's names."""
