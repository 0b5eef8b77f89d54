"""Rewrites DuckDB's SQL for Spark where sqlglot's translation would give another value, or an error."""

from __future__ import annotations

from asknown.dialects.letters import PLACES, SPACES, cased
from asknown.dialects.spark.aggregates import DISCRETE, with_list
from asknown.dialects.spark.snippets import DAY, SNIPPETS

_INFINITE = "CAST('Infinity' AS DOUBLE)"
_NAN = "CAST('NaN' AS DOUBLE)"
_MICROS = "UNIX_MICROS(CAST({0} AS TIMESTAMP_LTZ))"
_FLOORED = "(({0} - PMOD({0}, {1})) DIV {1})"
_UNITS = {"hour": 3_600_000_000, "minute": 60_000_000, "second": 1_000_000, "millisecond": 1000, "microsecond": 1}
_LONG = ("year", "quarter", "month", "week", "day", *_UNITS)
_IS_FLOAT = "TYPEOF(:this) IN ('double', 'float')"


def _stop(message: str) -> str:
    return f"RAISE_ERROR('asknown: {message}')"


def _between(unit: str) -> str:
    """SQL for the number of boundaries of a unit between two instants."""
    this, other = (_FLOORED.format(_MICROS.format(place), _UNITS[unit]) for place in (":this", ":expression"))
    return f"{this} - {other}"


def _counted(one: str) -> str:
    return f"CAST(({one.format(':this')}) - ({one.format(':expression')}) AS BIGINT)"


_THIS, _THAT = "CAST(:this AS DOUBLE)", "CAST(:expression AS DOUBLE)"
_TENS = "POW(10D, CAST(:decimals AS DOUBLE))"
_MORE = "POW(10D, CAST(-:decimals AS DOUBLE))"
_BY = f"CASE WHEN :decimals < 0 THEN {_THIS} / {_MORE} ELSE {_THIS} * {_TENS} END"


def _signed(value: str, *, of: str = ":this") -> str:
    """SQL for a whole-number function of a float. It keeps the sign of zero.

    Floats of 2^52 and above are whole already and are returned unchanged.
    """
    return f"CASE WHEN ABS({of}) < 4503599627370496D THEN SIGNUM({of}) * ABS(CAST({value} AS DOUBLE)) ELSE {of} END"


def _whole(key: str, value: str) -> dict[str, str]:
    """The rewrites of a function such as floor. Spark's returns an integer, which cannot be NaN or -0.0."""
    small = f"CASE WHEN {_IS_FLOAT} OR ABS(:this) < 4503599627370496D THEN TRUE"
    unsure = f"{small} WHEN :this IS NOT NULL THEN {_stop(key + '() of a large number: cast it first')} END"
    return {f"{key}.float": _signed(value), f"{key}.unknown": f"CASE WHEN {unsure} THEN {_signed(value)} END"}


def _logarithm(function: str, x: str) -> str:
    """SQL for a logarithm, which Spark says is NULL of zero and less."""
    text = f"CASE WHEN :x > 0 THEN {function} WHEN :x = 0 THEN -{_INFINITE} WHEN :x < 0 THEN {_NAN} END"
    return text.replace(":x", x)


_NUMBERS = {
    **_whole("floor", "FLOOR(:this)"),
    **_whole("ceil", "CEIL(:this)"),
    **_whole("trunc", "SIGNUM(:this) * FLOOR(ABS(:this))"),
    "div.plain": f"{_THIS} / {_THAT}",
    "div": f"CASE WHEN {_THAT} <> 0 THEN {_THIS} / {_THAT} WHEN {_THAT} = 0 THEN "
    f"CASE WHEN ISNAN({_THIS}) OR {_THIS} = 0 THEN {_NAN} "
    f"WHEN {_THIS} > 0 THEN {_INFINITE} WHEN {_THIS} < 0 THEN -{_INFINITE} END END",
    "intdiv.integer.integer": ":this DIV :expression",
    "mod.integer.integer": ":this % :expression",
    "mod.float": f"CASE WHEN {_THAT} <> 0 THEN {_THIS} % {_THAT} "
    f"WHEN :this IS NOT NULL AND :expression IS NOT NULL THEN {_NAN} END",
    "mod": "CASE WHEN :expression <> 0 THEN :this % :expression END",
    "round.float": _signed("ROUND(:this)"),
    "round.float.decimals": f"CASE WHEN ABS({_BY}) < {_INFINITE} THEN CASE WHEN :decimals < 0 "
    f"THEN ({_signed(f'ROUND({_THIS} / {_MORE})', of=f'({_THIS} / {_MORE})')}) * {_MORE} "
    f"ELSE ({_signed(f'ROUND({_THIS} * {_TENS})', of=f'({_THIS} * {_TENS})')}) / {_TENS} END ELSE {_THIS} END",
    "ln": _logarithm("LN(:x)", ":this"),
    "sign.float": "CASE WHEN ISNAN(:this) THEN 0 ELSE SIGN(:this) END",
    "log": _logarithm("LOG10(:x)", ":this"),
    "log.plain": _logarithm("LOG10(:x)", ":expression"),
    "log.expression": _logarithm("LOG(:this, :x)", ":expression"),
    "isnan": "CASE WHEN :this IS NOT NULL THEN ISNAN(:this) END",
    "isinf": f"ABS(:this) = {_INFINITE}",
    "isfinite": f"ABS(:a1) < {_INFINITE}",
}

_READ = (  # a CASE that raises could not stand in VALUES
    f"CAST(CAST(CASE WHEN REGEXP_LIKE(:this, {DAY}) THEN :this WHEN :this IS NOT NULL "
    "THEN CONCAT('asknown: no timestamp reads as ', :this) END AS TIMESTAMP_LTZ) AS TIMESTAMP_NTZ)"
)
_TRIED = SNIPPETS["try_instant"].replace(":x", ":this")
_WHOLE = r"'^\\s*[+-]?\\d{1,38}\\s*$'"
_NUMBER = r"'(?i)^\\s*[+-]?(\\d+\\.?\\d*|\\.\\d+)(e[+-]?\\d+)?\\s*$|^\\s*[+-]?(nan|inf|infinity)\\s*$'"
_SPELLED = r"'[0-9]_[0-9]|^\\s*[+-]?0[xXbB]'"  # numbers that DuckDB reads and Spark does not
_UNSIGNED = "Spark lacks this integer type: cast to a wider signed one, such as smallint or bigint"
_INTEGERS = {"tinyint": "TINYINT", "smallint": "SMALLINT", "integer": "INT", "bigint": "BIGINT"}
_FLOATS = {"float": "FLOAT", "double": "DOUBLE"}


def _each(key: str, types: dict[str, str], text: str) -> dict[str, str]:
    """The rewrites of a cast, one for each of the types."""
    return {f"{key}.as.{name}": text.replace(":to", spelled) for name, spelled in types.items()}


_CASTS = {
    "cast.decimal.as.hugeint": "CAST(ROUND(:this) AS DECIMAL(38, 0))",
    "cast.as.hugeint": "CAST(:this AS DECIMAL(38, 0))",
    **_each("cast.float", _INTEGERS, f"CAST(RINT({_THIS}) AS :to)"),
    **_each("cast.decimal", _INTEGERS, "CAST(ROUND(:this) AS :to)"),
    **_each(
        "cast.unknown",
        _INTEGERS,
        f"CASE WHEN {_IS_FLOAT} THEN CAST(RINT({_THIS}) AS :to) WHEN STARTSWITH(TYPEOF(:this), 'decimal') "
        "THEN CAST(ROUND(CAST(:this AS DECIMAL(38, 10))) AS :to) ELSE CAST(:this AS :to) END",
    ),
    **_each(
        "cast.text",
        _FLOATS,
        f"CASE WHEN REGEXP_LIKE(:this, {_NUMBER}) THEN CAST(:this AS :to) "
        f"WHEN :this IS NOT NULL THEN {_stop('a text is no number')} END",
    ),
    "cast.unknown.text": f"CASE WHEN {_IS_FLOAT} THEN "
    f"{_stop('a float has another text in Spark: cast it to decimal or bigint first')} ELSE CAST(:this AS STRING) END",
    "cast.text.timestamp": _READ,
    "cast.text.timestamptz": f"CAST({_READ} AS TIMESTAMP_LTZ)",
    "cast.text.date": f"CAST({_READ} AS DATE)",
    "cast.to.timestamp": "CAST(:this AS TIMESTAMP_NTZ)",
    "cast.to.timestamptz": "CAST(:this AS TIMESTAMP_LTZ)",
    "cast.timestamptz.text": "CONCAT(CAST(:this AS STRING), '+00')",
    **_each(
        "trycast.text",
        _INTEGERS,
        f"CASE WHEN REGEXP_LIKE(:this, {_WHOLE}) THEN TRY_CAST(:this AS :to) "
        f"WHEN REGEXP_LIKE(:this, {_NUMBER}) OR REGEXP_LIKE(:this, {_SPELLED}) "
        f"THEN {_stop('a text is a number, and no whole one')} END",
    ),
    **_each(
        "trycast.text",
        _FLOATS,
        f"CASE WHEN REGEXP_LIKE(:this, {_NUMBER}) THEN TRY_CAST(:this AS :to) "
        f"WHEN REGEXP_LIKE(:this, {_SPELLED}) THEN {_stop('a text may be a number as only DuckDB reads it')} END",
    ),
    "trycast.text.timestamp": _TRIED,
    "trycast.text.timestamptz": f"CAST({_TRIED} AS TIMESTAMP_LTZ)",
    "trycast.text.date": f"CAST({_TRIED} AS DATE)",
}

_SECOND = "CAST(FLOOR(EXTRACT(SECOND FROM :expression) * {0}) AS BIGINT)"


def _milliseconds(micros: str) -> str:
    """To the nearest one, and away from 1970 from half of one on."""
    return f"({micros} + CASE WHEN {micros} < 0 THEN -500 ELSE 500 END) DIV 1000"


_ORIGIN = 946_857_600_000_000  # 2000-01-03, a Monday
_WIDTH = _MICROS.format("CAST('2000-01-03' AS TIMESTAMP_NTZ) + :this")
_AT = _MICROS.format(":expression")
_DATES = {
    **{
        f"{node}.{unit}": f"CAST(DATE_TRUNC('{unit.upper()}', :this) AS TIMESTAMP_NTZ)"
        for node in ("timestamptrunc", "datetrunc")
        for unit in _LONG
    },
    "extract.second": _SECOND.format(1),
    "extract.millisecond": _SECOND.format(1000),
    "extract.microsecond": _SECOND.format(1_000_000),
    "extract.dow": "CAST(DAYOFWEEK(:expression) - 1 AS BIGINT)",
    "extract.isodow": "CAST(WEEKDAY(:expression) + 1 AS BIGINT)",
    "extract.isoyear": "CAST(EXTRACT(YEAROFWEEK FROM :expression) AS BIGINT)",
    "extract.epoch": f"{_AT} / 1000000D",
    "millisecond": _SECOND.format(1000).replace(":expression", ":a1"),
    "microsecond": _SECOND.format(1_000_000).replace(":expression", ":a1"),
    "week": "CAST(WEEKOFYEAR(:this) AS BIGINT)",
    "isoyear": "CAST(EXTRACT(YEAROFWEEK FROM :a1) AS BIGINT)",
    "weekday": "CAST(DAYOFWEEK(:a1) - 1 AS BIGINT)",
    "dayofweek": "CAST(DAYOFWEEK(:this) - 1 AS BIGINT)",
    "dayofweekiso": "CAST(WEEKDAY(:this) + 1 AS BIGINT)",
    "timetounix": f"{_MICROS.format(':this')} / 1000000D",
    "epoch_us": _MICROS.format(":a1"),
    "unixtotime": "TIMESTAMP_MICROS(CAST(:this * 1000000 AS BIGINT))",
    **{f"unixtotime.{kind}": _milliseconds(_MICROS.format(":this")) for kind in ("timestamp", "timestamptz", "date")},
    "unixtotime.3": "CAST(TIMESTAMP_MILLIS(:this) AS TIMESTAMP_NTZ)",
    "unixtotime.6": "CAST(TIMESTAMP_MICROS(:this) AS TIMESTAMP_NTZ)",
    **{f"datediff.{unit}": _between(unit) for unit in _UNITS},
    "datediff.day": "CAST(DATEDIFF(CAST(:this AS DATE), CAST(:expression AS DATE)) AS BIGINT)",
    # Weeks that are over between two days, and not Mondays.
    "datediff.week": "CAST(DATEDIFF(CAST(:this AS DATE), CAST(:expression AS DATE)) DIV 7 AS BIGINT)",
    "datediff.month": _counted("YEAR({0}) * 12 + MONTH({0})"),
    "datediff.quarter": _counted("YEAR({0}) * 4 + QUARTER({0})"),
    "datediff.year": _counted("YEAR({0})"),
    "dayname": "DATE_FORMAT(:this, 'EEEE')",
    "monthname": "DATE_FORMAT(:this, 'MMMM')",
    "to_days": "MAKE_DT_INTERVAL(CAST(:a1 AS INT))",
    "todays": "MAKE_DT_INTERVAL(CAST(:this AS INT))",
    "to_hours": "MAKE_DT_INTERVAL(0, CAST(:a1 AS INT))",
    "to_minutes": "MAKE_DT_INTERVAL(0, 0, CAST(:a1 AS INT))",
    "to_seconds": "MAKE_DT_INTERVAL(0, 0, 0, :a1)",
    "datebin": f"CAST(TIMESTAMP_MICROS({_AT} - PMOD({_AT} - {_ORIGIN}, {_WIDTH} - {_ORIGIN})) AS TIMESTAMP_NTZ)",
    "sub.date.date": "CAST(DATEDIFF(:this, :expression) AS BIGINT)",
    "attimezone.timestamptz": "CONVERT_TIMEZONE('UTC', :zone, CAST(:this AS TIMESTAMP_NTZ))",
    "attimezone.timestamp": f"CAST({SNIPPETS['from_zone'].replace(':x', ':this')} AS TIMESTAMP_LTZ)",
}

_PLACED = f"REGEXP_LIKE(:this, '{PLACES}')".replace("\\", "\\\\")
_PRIVATE = "a text holds a character from U+F0000 on, which are for private use"
_TEXTS = {
    **{
        name: f"CASE WHEN {_PLACED} THEN {_stop(_PRIVATE)} "
        f"ELSE {cased(name.upper(), 'TRANSLATE', ':this', lower=name == 'lower')} END"
        for name in ("lower", "upper")
    },
    "trim.expression": ":same",
    "trim.leading": f"TRIM(LEADING '{SPACES}' FROM :this)",
    "trim.trailing": f"TRIM(TRAILING '{SPACES}' FROM :this)",
    "trim": f"TRIM(BOTH '{SPACES}' FROM :this)",
    "strlen": "OCTET_LENGTH(:a1)",
    "prefix": "STARTSWITH(:a1, :a2)",
    "suffix": "ENDSWITH(:a1, :a2)",
    "left": "CASE WHEN :expression < 0 THEN SUBSTRING(:this, 1, GREATEST(LENGTH(:this) + :expression, 0)) "
    "ELSE LEFT(:this, :expression) END",
    "right": "CASE WHEN :expression < 0 THEN SUBSTRING(:this, 1 - :expression) ELSE RIGHT(:this, :expression) END",
    "substring.length.plain": ":same",
    "substring.length": "CASE WHEN :start = 0 THEN SUBSTRING(:this, 1, GREATEST(:length - 1, 0)) "
    "ELSE SUBSTRING(:this, :start, :length) END",
    "unicode": "CASE WHEN :this = '' THEN -1 ELSE ASCII(:this) END",
    "ord": "CASE WHEN :a1 = '' THEN -1 ELSE ASCII(:a1) END",
    "similarto.plain": "REGEXP_LIKE(:this, CONCAT('^(?:', :expression, ')$'))",
}

_WHOLES = "SUM(CAST(:this AS DECIMAL(38, 0)))"
_AGGREGATES = {
    "sum.integer": _WHOLES,
    "sum.boolean": _WHOLES,
    "sum.integer.distinct": ":same",
    "avg.integer.distinct": ":same",
    "avg.float": ":same",
    "avg": f"AVG({_THIS})",
    "argmax": "MAX_BY(:this, CASE WHEN :this IS NOT NULL THEN :expression END)",
    "argmin": "MIN_BY(:this, CASE WHEN :this IS NOT NULL THEN :expression END)",
    "percentilecont": "PERCENTILE(:this, :expression)",
    "percentiledisc.expression": with_list(
        "SORT_ARRAY(COLLECT_LIST(:this))", DISCRETE.replace(":share", ":expression")
    ),
}
_LISTS = {
    "length.list": "SIZE(:this)",
    "arraycontains": "CASE WHEN :this IS NOT NULL AND :expression IS NOT NULL "
    "THEN COALESCE(ARRAY_CONTAINS(:this, :expression), FALSE) END",
}

REWRITES: dict[str, str] = {**_NUMBERS, **_CASTS, **_DATES, **_TEXTS, **_AGGREGATES, **_LISTS}

_UNORDERED = "Spark aggregates take no ORDER BY: write arg_min(x, by), or arg_max(x, by)"
_SPELLED = "Spark writes floats differently: cast to a decimal first"
REFUSED: dict[str, str] = {
    "unixtotime.scale": "epoch_ms() and make_timestamp() need to know whether the value is a number: cast it first",
    "attimezone": "it is unknown whether the value has a time zone: cast it first",
    "date_sub": "date_sub() is not translated: write date_diff()",
    "age": "age() is not translated: write date_diff()",
    **{
        f"sub.{kind}.{other}": "Spark does not store intervals: write date_diff, or epoch_us(…) - epoch_us(…)"
        for kind in ("timestamp", "timestamptz", "date")
        for other in ("timestamp", "timestamptz", "date")
        if (kind, other) != ("date", "date")
    },
    "timetounix.interval": "the epoch of an interval is not translated",
    "cast.to.time": "Spark does not store times of day: select the timestamp, or extract(hour from t)",
    "cast.float.as.hugeint": "Spark converts floats to decimals differently: cast it to a bigint",
    "cast.float.decimal": "Spark converts floats to decimals differently: round it to a bigint first",
    "cast.unknown.decimal": "the value's type is unknown, and Spark converts floats to decimals differently",
    "cast.float.text": _SPELLED,
    "dpipe.float": _SPELLED,
    "concat.float": _SPELLED,
    "concatws.float": _SPELLED,
    "cast.list.text": "Spark writes lists differently: write array_to_string(l, ',')",
    "cast.struct.text": "Spark writes structs differently: write its fields",
    "cast.blob.text": "Spark reads bytes as characters",
    "cast.text.blob": "Spark converts text to bytes differently",
    "cast.text.boolean": "Spark accepts other words for true and false: write s = 'true'",
    **{f"cast.as.{name}": _UNSIGNED for name in ("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint")},
    "trycast": "try_cast is translated from text to an integer, a double, a date or a timestamp",
    "regexpreplace": "Spark replaces every match, and reads $1 and \\1 differently: write replace(…) or translate(…)",
    "format": "its placeholders differ: write a || b",
    "printf": "a NULL becomes the text 'null': write a || b",
    "atan2": "Spark ignores the sign of zero: write atan(y / x), and a CASE for the quadrants",
    "levenshtein": "DuckDB counted bytes up to 2.0.0 and counts characters since",
    "chr": "Spark has the first 256 characters only: write the character",
    "glob": "Spark has no GLOB: write LIKE",
    "similarto": "write regexp_matches(), or LIKE",
    "collate": "its collations differ from DuckDB's: write lower(s)",
    "bar": "bar() is not translated",
    "hash": "hash() returns another number: write md5()",
    "even": "even() is not translated",
    "gcd": "gcd() is not translated",
    "product": "product() is not translated",
    "mode": "which of several equally frequent values it returns is left open: write arg_max() of their counts",
    "entropy": "entropy() is not translated",
    "histogram": "histogram() is not translated",
    "skewness": "Spark computes the skewness of the population, DuckDB that of the sample",
    "intdiv": "// is translated between integers: write floor(a / b), or cast both",
    **{f"{name}.order": _UNORDERED for name in ("first", "last", "anyvalue")},
    "arrayagg.order": "Spark's list takes no ORDER BY: write string_agg(x, ',' order by …)",
    "in.value": "Spark gives FALSE where IN over a query is NULL: write exists (…), or not exists (…)",
    "bitwiseleftshift": "Spark drops the bits that are shifted out: write i * 4",
    "join.asof": "Spark has no ASOF JOIN: declare a feature view, which asknown joins as of each instant",
    "bracket.text": "write substring()",
    "map": "a map is not translated",
    "tomap": "a map is not translated",
    "union.by_name": "list the columns in the same order on both sides",
    "columns": "write the columns",
    "limitoptions": "Spark has no LIMIT in percent",
}
