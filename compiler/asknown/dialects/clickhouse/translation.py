"""Rewrites DuckDB's SQL for ClickHouse where sqlglot's translation would give another value."""

from __future__ import annotations

from asknown.dialects.clickhouse.aggregates import continuous, discrete, order_of
from asknown.dialects.clickhouse.instants import SHOWN, ZONED, ZONED_BY_ROW
from asknown.dialects.clickhouse.types import CASTS, TYPES, half_away, stop
from asknown.dialects.letters import PLACES, cased
from asknown.durations import DAY


def _micros(x: str = ":this") -> str:
    return f"toUnixTimestamp64Micro(toDateTime64({x}, 6))"


def _floor(length: int, value: str, shift: int = 0) -> str:
    """SQL for microseconds, rounded down to a multiple of ``length``. ClickHouse's functions are wrong before 1970."""
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
    "millisecond": f"intDiv(positiveModulo({_micros(':a1')}, {_MINUTE}), 1000)",
    "microsecond": f"positiveModulo({_micros(':a1')}, {_MINUTE})",
    "week": "toISOWeek(:this)",
    "isoyear": "toISOYear(:a1)",
    "weekday": "modulo(toDayOfWeek(:a1), 7)",
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
_TIMES = "accurateCast(accurateCast({0} * toInt64({1}), 'Int32'), toTypeName({1}))"
_DATES["mul.integer.interval"] = _TIMES.format(":this", ":expression")
_DATES["mul.interval.integer"] = _TIMES.format(":expression", ":this")
for _operands, _zoned in (("timestamp", ZONED), ("timestamp.varying", ZONED_BY_ROW)):
    _DATES[f"attimezone.{_operands}"] = (
        f"CAST(fromUnixTimestamp64Micro({_zoned.replace(':x', ':this')}) AS {TYPES['TIMESTAMP WITH TIME ZONE']})"
    )
_DATES["attimezone.timestamptz"] = f"fromUnixTimestamp64Micro({SHOWN.format(at=_micros())})"


def _whole(sign: str) -> str:
    """Rewrites of integer arithmetic, which would wrap around, to BIGINTs that raise an error instead."""
    return f"accurateCast(toInt128(:this) {sign} :expression, 'Int64')"


def _nan(x: str) -> str:
    return f"isNaN(toFloat64({x}))"


def _compared(either_nan: str, sign: str, other: str = ":expression") -> str:
    return f"if({_nan(':this')} OR {_nan(other)}, {either_nan}, :this {sign} {other})"


_THIS, _THAT = _nan(":this"), _nan(":expression")
# NaN equals NaN, and is greater than any other number.
_COMPARISONS = {
    "eq.float": _compared(f"{_THIS} = {_THAT}", "="),
    "neq.float": _compared(f"{_THIS} <> {_THAT}", "<>"),
    "gt.float": _compared(f"{_THIS} > {_THAT}", ">"),
    "gte.float": _compared(f"{_THIS} >= {_THAT}", ">="),
    "lt.float": _compared(f"{_THIS} < {_THAT}", "<"),
    "lte.float": _compared(f"{_THIS} <= {_THAT}", "<="),
    "ordered.float": order_of("if(:this = 0, 0., :this)"),
    "between.float": f"{_compared(_THIS, '>=', ':low')} AND {_compared(_nan(':high'), '<=', ':high')}",
    "nullif.float": f"if({_compared(f'{_THIS} = {_THAT}', '=')}, NULL, :this)",
    "greatest.float.a1": f"if({_THIS} OR {_nan(':a1')}, CAST('nan' AS Nullable(Float64)), greatest(:this, :a1))",
    "max.float": f"argMax(:this, {order_of(':this')})",
    "min.float": f"argMin(:this, {order_of(':this')})",
    "sign.float": f"if({_THIS}, 0, sign(:this))",
}
_SCALE = "exp10(abs(:decimals))"
_TO_SCALE = f"if(:decimals < 0, :this / {_SCALE}, :this * {_SCALE})"
_ROUNDED = f"if(:decimals < 0, {half_away(_TO_SCALE)} * {_SCALE}, {half_away(_TO_SCALE)} / {_SCALE})"


def _of_divisor(function: str) -> str:
    """A function of two whole numbers that would divide by the 0 behind a NULL."""
    return f"if(isNull(:expression), NULL, {function}(:this, ifNull(:expression, 1)))"


_NUMBERS = {
    **{f"add.{kinds}": _whole("+") for kinds in ("integer.integer",)},
    **{f"sub.{kinds}": _whole("-") for kinds in ("integer.integer",)},
    **{f"mul.{kinds}": _whole("*") for kinds in ("integer.integer",)},
    "div.integer.integer": ":same",
    "div.float": ":same",
    "div": "toFloat64(:this) / toFloat64(:expression)",
    "intdiv.integer.integer": _of_divisor("intDiv"),
    "mod.integer.integer": _of_divisor("modulo"),
    "round.integer": ":same",
    "round.integer.decimals": ":same",
    "round.decimal.decimals": ":same",
    "round.decimal": ":same",
    "round": half_away(":this"),
    "round.float.decimals": f"if(isFinite({_ROUNDED}), {_ROUNDED}, :this)",
    "sqrt": "sqrt(:this)",
    "ln": "log(:this)",
    "log": "log10(:this)",
    "log.plain": "log10(:expression)",
    "log.expression": "log(:expression) / log(:this)",
    "pow": stop(
        "pow(:this, :expression)", "abs(:expression) > 1e15 AND isFinite(:expression)", "an exponent beyond 1e15"
    ),
    "cbrt": "cbrt(:this)",
    "isfinite": "isFinite(:a1)",
    "bitwiseand": "bitAnd(:this, :expression)",
    "bitwiseor": "bitOr(:this, :expression)",
    "bitwisenot": "bitNot(:this)",
    "bitwisexor": "bitXor(:this, :expression)",
    "bit_count": "bitCount(:a1)",
    "literal.decimal": "toDecimal128(:this, :scale)",
    "literal.decimal.float": ":same",
}
_PLACED = f"match(:this, '{PLACES}')".replace("\\", "\\\\")
_LEADING = r"replaceRegexpOne({0}, '^\\p{{Zs}}+', '')"
_TRAILING = r"replaceRegexpOne({0}, '\\p{{Zs}}+$', '')"
_PRIVATE = "a text holds a character from U+F0000 on, which are for private use"
_PATTERN = "concat('(?-s)', :expression)"  # else a dot is a line break too
_TEXTS = {
    "upper": stop(cased("upperUTF8", "translateUTF8", ":this", lower=False), _PLACED, _PRIVATE),
    "lower": stop(cased("lowerUTF8", "translateUTF8", ":this", lower=True), _PLACED, _PRIVATE),
    "trim.expression": ":same",
    "trim.leading": _LEADING.format(":this"),
    "trim.trailing": _TRAILING.format(":this"),
    "trim": _TRAILING.format(_LEADING.format(":this")),
    "substring": "substringUTF8(:this, if(:start = 0, 1, :start))",
    "substring.length": stop(
        "substringUTF8(:this, if(:start = 0, 1, :start), if(:start = 0, greatest(:length - 1, 0), :length))",
        ":length < 0",
        "a length below zero",
    ),
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
    "regexpfullmatch.plain": "match(:this, concat('(?-s)^(?:', :expression, ')$'))",
    "similarto": "match(:this, concat('(?-s)^(?:', :expression, ')$'))",
    "regexpextract": f"regexpExtract(:this, {_PATTERN}, :group)",
    "regexpreplace": f"replaceRegexpOne(:this, {_PATTERN}, :replacement)",
    "regexpreplace.modifiers": stop(
        f"replaceRegexpAll(:this, {_PATTERN}, :replacement)", ":modifiers <> 'g'", "only the option g is translated"
    ),
    "timetostr.plain": ":same",
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


def _of_two(aggregate: str) -> str:
    """SQL for an aggregate that is NULL over a single value."""
    return f"if(count(:this) > 1, {aggregate}, NULL)"


_LISTED = "groupArray(:this)"
_AGGREGATES = {
    "sum.integer": "sum(toInt128(:this))",
    "sum.boolean": "sum(toInt128(:this))",
    "sum.decimal": "sum(:this * toDecimal256('1', 0))",
    "avg.integer": "avg(toInt128(:this))",
    "avg.decimal": "avg(toFloat64(:this))",
    "logicaland": "min(:this)",
    "logicalor": "max(:this)",
    **{name: _of_two("varSampStable(toFloat64(:this))") for name in ("variance", "variancesamp")},
    **{name: _of_two("stddevSampStable(toFloat64(:this))") for name in ("stddev", "stddevsamp")},
    "variancepop": "varPopStable(toFloat64(:this))",
    "stddevpop": "stddevPopStable(toFloat64(:this))",
    "covarpop": "covarPopStable(:this, :expression)",
    "median": continuous("0.5", _LISTED),
    "median.text": discrete("0.5", _LISTED),
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
