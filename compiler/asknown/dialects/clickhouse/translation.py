"""DuckDB's SQL in ClickHouse's, where sqlglot's translation would be another value."""

from __future__ import annotations

from asknown.dialects.clickhouse.aggregates import continuous, discrete, lets, order_of
from asknown.dialects.clickhouse.instants import DAY
from asknown.dialects.clickhouse.types import CASTS, REFUSED_CASTS, TYPES, half_away, stop


def _micros(x: str = ":this") -> str:
    return f"toUnixTimestamp64Micro(toDateTime64({x}, 6))"


def _floor(length: int, value: str, shift: int = 0) -> str:
    """Microseconds, cut to a multiple of ``length``: ClickHouse's own functions go wrong before 1970."""
    return f"{value} - positiveModulo({value}{f' + {shift}' if shift else ''}, {length})"


def _cut(length: int, shift: int = 0) -> str:
    return f"fromUnixTimestamp64Micro({_floor(length, _micros(), shift)})"


_SECOND, _MINUTE, _HOUR = 1_000_000, 60_000_000, 3_600_000_000
_LENGTHS = {"microsecond": 1, "millisecond": 1_000, "second": _SECOND, "minute": _MINUTE, "hour": _HOUR, "day": DAY}
_WHOLE_SECOND = _cut(_SECOND)
_TRUNCATED = {
    f"{node}.{unit}": text
    for node in ("timestamptrunc", "datetrunc")
    for unit, text in {
        **{unit: _cut(length) for unit, length in _LENGTHS.items()},
        "week": _cut(7 * DAY, 3 * DAY),  # 1970 began on a Thursday
        **{unit: f"date_trunc('{unit}', {_WHOLE_SECOND})" for unit in ("month", "quarter", "year")},
    }.items()
}


def _ticks(length: int, value: str) -> str:
    return f"intDiv({_floor(length, _micros(value))}, {length})"


_DATES = {
    **_TRUNCATED,
    **{
        f"datediff.{unit}": f"{_ticks(length, ':this')} - {_ticks(length, ':expression')}"
        for unit, length in _LENGTHS.items()
    },
    "datediff.week": "intDiv(toInt32(toDate32(:this)) - toInt32(toDate32(:expression)), 7)",
    "extract.epoch": f"{_micros(':expression')} / 1000000",
    "extract.millisecond": f"intDiv(positiveModulo({_micros(':expression')}, {_MINUTE}), 1000)",
    "extract.microsecond": f"positiveModulo({_micros(':expression')}, {_MINUTE})",
    "timetounix": f"{_micros()} / 1000000",
    "epoch_us": _micros(":a1"),
    "dayofweek": "modulo(toDayOfWeek(:this), 7)",
    "dayname": f"dateName('weekday', {_WHOLE_SECOND})",
    "monthname": f"dateName('month', {_WHOLE_SECOND})",
    "lastday": "toLastDayOfMonth(:this)",
    "datefromparts": stop(
        "makeDate32(:year, :month, :day)",
        "(toYear(makeDate32(:year, :month, :day)), toMonth(makeDate32(:year, :month, :day)), "
        "toDayOfMonth(makeDate32(:year, :month, :day))) <> (:year, :month, :day)",
        "there is no such date",
    ),
    "sub.date.date": "toInt64(toInt32(:this)) - toInt32(:expression)",
    **{f"to_{unit}s": f"toInterval{unit.title()}(accurateCast(:a1, 'Int32'))" for unit in ("second", "minute", "hour")},
    "todays": "toIntervalDay(accurateCast(:this, 'Int32'))",
    "unixtotime.6": "fromUnixTimestamp64Micro(:this)",
}
_SHOWN = "toUnixTimestamp64Micro(toDateTime64(toString(fromUnixTimestamp64Micro({at}), :zone), 6))"
_DATES["attimezone.timestamptz"] = f"fromUnixTimestamp64Micro({_SHOWN.format(at=_micros())})"


def _whole(sign: str) -> str:
    """Sums and products of integers, which would wrap around, as BIGINTs that do not."""
    return f"accurateCast(toInt128(:this) {sign} :expression, 'Int64')"


def _nan(x: str) -> str:
    return f"isNaN(toFloat64({x}))"


def _compared(either_nan: str, sign: str) -> str:
    return f"if({_nan(':this')} OR {_nan(':expression')}, {either_nan}, :this {sign} :expression)"


_THIS, _THAT = _nan(":this"), _nan(":expression")
# NaN equals NaN, and is greater than any other number.
_COMPARISONS = {
    "eq.float": _compared(f"{_THIS} = {_THAT}", "="),
    "neq.float": _compared(f"{_THIS} <> {_THAT}", "<>"),
    "gt.float": _compared(f"{_THIS} > {_THAT}", ">"),
    "gte.float": _compared(f"{_THIS} >= {_THAT}", ">="),
    "lt.float": _compared(f"{_THIS} < {_THAT}", "<"),
    "lte.float": _compared(f"{_THIS} <= {_THAT}", "<="),
    "ordered.float": order_of(":this"),
    "greatest.float.a1": f"if({_THIS} OR {_nan(':a1')}, nan, greatest(:this, :a1))",
    "max.float": f"argMax(:this, {order_of(':this')})",
    "min.float": f"argMin(:this, {order_of(':this')})",
    "sign.float": f"if({_THIS}, 0, sign(:this))",
}
_SCALE = "exp10(abs(:decimals))"
_TO_SCALE = f"if(:decimals < 0, :this / {_SCALE}, :this * {_SCALE})"
_ROUNDED = f"if(:decimals < 0, {half_away(_TO_SCALE)} * {_SCALE}, {half_away(_TO_SCALE)} / {_SCALE})"
_NUMBERS = {
    **{f"add.{kinds}": _whole("+") for kinds in ("integer.integer",)},
    **{f"sub.{kinds}": _whole("-") for kinds in ("integer.integer",)},
    **{f"mul.{kinds}": _whole("*") for kinds in ("integer.integer",)},
    "div.integer.integer": ":same",
    "div.float": ":same",
    "div": "toFloat64(:this) / toFloat64(:expression)",
    "intdiv.integer.integer": "intDiv(:this, :expression)",
    "mod.integer.integer": ":same",
    "round.integer": ":same",
    "round.integer.decimals": ":same",
    "round.decimal.decimals": ":same",
    "round.decimal": ":same",
    "round": half_away(":this"),
    "round.float.decimals": f"if(isFinite({_ROUNDED}), {_ROUNDED}, :this)",
    "sqrt": f"sqrt({stop(':this', ':this < 0', 'the square root of a number below zero')})",
    "ln": f"log({stop(':this', ':this <= 0', 'the logarithm of zero or less')})",
    "log": f"log10({stop(':this', ':this <= 0', 'the logarithm of zero or less')})",
    "log.expression": f"log({stop(':expression', ':expression <= 0', 'the logarithm of zero or less')}) / log(:this)",
    "cbrt": "cbrt(:this)",
    "isfinite": "isFinite(:a1)",
    "bitwiseand": "bitAnd(:this, :expression)",
    "bitwiseor": "bitOr(:this, :expression)",
    "bitwisexor": "bitXor(:this, :expression)",
    "bit_count": "bitCount(:a1)",
    "literal.decimal": "toDecimal128(:this, :scale)",
    "literal.decimal.float": ":same",
}
_SAME_UPPER = r"'^[\\x{00}-\\x{DE}\\x{E0}-\\x{148}\\x{14A}-\\x{17E}\\x{400}-\\x{52F}\\x{2000}-\\x{206F}\\x{3000}-\\x{D7A3}]*$'"
_SAME_LOWER = r"'^[\\x{00}-\\x{12F}\\x{131}-\\x{17E}\\x{400}-\\x{52F}\\x{2000}-\\x{206F}\\x{3000}-\\x{D7A3}]*$'"
_OTHER_LETTERS = "letters whose other case ClickHouse has otherwise"
_PATTERN = "concat('(?-s)', :expression)"  # else a dot is a line break too
_TEXTS = {
    "upper": f"upperUTF8({stop(':this', f'NOT match(:this, {_SAME_UPPER})', _OTHER_LETTERS)})",
    "lower": f"lowerUTF8({stop(':this', f'NOT match(:this, {_SAME_LOWER})', _OTHER_LETTERS)})",
    "substring": "substringUTF8(:this, :start)",
    "substring.length": "substringUTF8(:this, :start, :length)",
    "left": "leftUTF8(:this, :expression)",
    "right": "rightUTF8(:this, :expression)",
    "pad": "rightPadUTF8(:this, :expression, :fill_pattern)",
    "pad.is_left": "leftPadUTF8(:this, :expression, :fill_pattern)",
    "strposition": "positionUTF8(:this, :substr)",
    "splitpart": "if(isNull(:this), NULL, arrayElement(splitByString(:delimiter, ifNull(:this, '')), :part_index))",
    "translate": "translateUTF8(:this, :from_, :to)",
    "prefix": "startsWith(:a1, :a2)",
    "suffix": "endsWith(:a1, :a2)",
    "strlen": "length(:a1)",
    "bitlength": "length(:this) * 8",
    "like.backslash": r":this LIKE replaceAll(:expression, '\\', '\\\\')",
    "regexplike": f"match(:this, {_PATTERN})",
    "similarto": "match(:this, concat('(?-s)^(?:', :expression, ')$'))",
    "regexpreplace": f"replaceRegexpOne(:this, {_PATTERN}, :replacement)",
    "regexpreplace.modifiers": stop(
        f"replaceRegexpAll(:this, {_PATTERN}, :replacement)", ":modifiers <> 'g'", "only the option g is translated"
    ),
    "dpipe.text.text": ":same",
    "dpipe.text.boolean": ":same",
    "dpipe.boolean.text": ":same",
    "dpipe.text.integer": ":same",
    "dpipe.integer.text": ":same",
    "dpipe.text.date": ":same",
    "dpipe.date.text": ":same",
}
_LISTS = {
    "bracket": "arrayElementOrNull(:this, :a1 + 1)",
    "list_extract": "arrayElementOrNull(:a1, :a2)",
    "length.list": "length(:this)",
}
_LISTED = "groupArray(:this)"
_AGGREGATES = {
    "sum.integer": "sum(toInt128(:this))",
    "sum.boolean": "sum(toInt128(:this))",
    "sum.decimal": "sum(:this * toDecimal256('1', 0))",
    "avg.integer": "avg(toInt128(:this))",
    "avg.decimal": "avg(toFloat64(:this))",
    "logicaland": "min(:this)",
    "logicalor": "max(:this)",
    "variance": "varSampStable(:this)",
    "variancepop": "varPopStable(:this)",
    "stddev": "stddevSampStable(:this)",
    "stddevsamp": "stddevSampStable(:this)",
    "stddevpop": "stddevPopStable(:this)",
    "corr": "corrStable(:this, :expression)",
    "covarsamp": "covarSampStable(:this, :expression)",
    "covarpop": "covarPopStable(:this, :expression)",
    "median": "quantileExactInclusive(0.5)(:this)",
    "median.text": discrete("0.5", _LISTED),
    "median.decimal": continuous("0.5", _LISTED),
    "percentilecont.expression": continuous("toFloat64(:expression)", _LISTED),
    "percentiledisc.expression": discrete(":expression", _LISTED),
    "lastvalue": "last_value_respect_nulls(:this)",
    "firstvalue": "first_value_respect_nulls(:this)",
    "lastvalue.ignorenulls": ":same",
    "firstvalue.ignorenulls": ":same",
}

REWRITES: dict[str, str] = {
    **CASTS,
    **_DATES,
    **_COMPARISONS,
    **_NUMBERS,
    **_TEXTS,
    **_LISTS,
    **_AGGREGATES,
}

_NO_LISTS = "an Array of ClickHouse is never NULL: keep lists out of models for it"
_UNIX = "epoch_ms(), make_timestamp() and to_timestamp() are not told apart: write epoch_us(…)"
REFUSED: dict[str, str] = {
    **REFUSED_CASTS,
    "unixtotime": _UNIX,
    **{f"unixtotime.{kind}": _UNIX for kind in ("timestamp", "timestamptz", "date")},
    "interval.integer": "an interval of so many is not translated: write to_days(…), to_hours(…)",
    **{
        f"sub.{kind}.{other}": "ClickHouse has no interval of two instants: write date_diff or epoch_us(…) - epoch_us(…)"
        for kind in ("timestamp", "timestamptz", "date")
        for other in ("timestamp", "timestamptz", "date")
        if (kind, other) != ("date", "date")
    },
    "timetounix.interval": "the epoch of an interval is not translated",
    "windowspec.interval": "a frame of ClickHouse has no intervals: order by epoch_us(…), and count microseconds",
    "limitoptions": "ClickHouse has no limit by percent",
    "datebin": "time_bucket() is not translated: write date_trunc()",
    "strtotime": "strptime() is not translated: write cast(… as timestamp)",
    "date_sub": "date_sub() is not translated: write date_diff()",
    "age": "age() is not translated: write date_diff()",
    "intdiv": "// is translated between integers: write floor(a / b), or cast both",
    "mod": "% is translated between integers: write a - b * floor(a / b), or cast both",
    "round.unknown.decimals": "the type of what is rounded is not known here: cast it",
    "bitwiseleftshift": "ClickHouse shifts bits out without a word: write x * 4",
    "greatest.float": "greatest() of more than two floats is not translated: write greatest(greatest(a, b), c)",
    "in.value": "ClickHouse skips a NULL among the rows of IN: write exists (…), or not exists (…)",
    "in.null": "ClickHouse skips a NULL in the list of IN: leave it out",
    "concatws": "concat_ws() with a NULL gives another text: write ||",
    "dpipe.float": "ClickHouse writes other digits of a float: cast it to a decimal first",
    "dpipe": "write cast(… as varchar) || …: types are written otherwise",
    "reverse": "reverse() is not translated",
    "ascii": "ascii() is not translated",
    "unicode": "unicode() is not translated",
    "ord": "ord() is not translated",
    "chr": "chr() is not translated: write the character",
    "format": "format() is not translated: write ||",
    "bar": "bar() is not translated",
    "hash": "hash() is another number: write md5()",
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
        f"{name}.order": "an aggregate of ClickHouse takes no order: write arg_min(x, by), or arg_max(x, by)"
        for name in ("first", "last", "anyvalue", "groupconcat")
    },
    "first": "first() follows the order in which rows happen to be read: write arg_min(x, by)",
    "last": "last() follows the order in which rows happen to be read: write arg_max(x, by)",
    "sum.integer.distinct": "sum(distinct …) is not translated: group by it in a model before",
    "avg.integer.distinct": "avg(distinct …) is not translated: group by it in a model before",
    "sum.distinct": "sum(distinct …) is not translated: group by it in a model before",
    "avg.distinct": "avg(distinct …) is not translated: group by it in a model before",
    "escape": "a backslash is ClickHouse's only escape: write contains(), or regexp_matches()",
    "mode": "mode() is not translated",
    "lag.ignorenulls": "lag and lead of ClickHouse skip no NULLs: filter them out before",
    "lead.ignorenulls": "lag and lead of ClickHouse skip no NULLs: filter them out before",
    "generateseries": "ClickHouse has no generate_series(): write a recursive with",
    "unnest": "write unnest() in the select",
    "lateral": "ClickHouse has no lateral joins: write a subquery in the select",
    "columns": "write the columns",
    "union.by_name": "write the columns in one order",
}
