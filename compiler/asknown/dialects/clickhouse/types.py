"""ClickHouse's types, and casts to them that fail and round as DuckDB's casts do."""

from __future__ import annotations

from asknown.dialects.clickhouse.aggregates import lets_of
from asknown.dialects.clickhouse.instants import MICROS, TRY_CLOCK, TRY_INSTANT
from asknown.durations import DAY

TYPES = {
    "BOOLEAN": "Nullable(Bool)",
    "TINYINT": "Nullable(Int8)",
    "SMALLINT": "Nullable(Int16)",
    "INTEGER": "Nullable(Int32)",
    "BIGINT": "Nullable(Int64)",
    "HUGEINT": "Nullable(Int128)",
    "UTINYINT": "Nullable(UInt8)",
    "USMALLINT": "Nullable(UInt16)",
    "UINTEGER": "Nullable(UInt32)",
    "UBIGINT": "Nullable(UInt64)",
    "UHUGEINT": "Nullable(UInt128)",
    "FLOAT": "Nullable(Float32)",
    "DOUBLE": "Nullable(Float64)",
    "VARCHAR": "Nullable(String)",
    "UUID": "Nullable(UUID)",
    "DATE": "Nullable(Date32)",
    "TIMESTAMP": "Nullable(DateTime64(6))",
    "TIMESTAMP WITH TIME ZONE": "Nullable(DateTime64(6, 'UTC'))",
}


def stop(value: str, where: str, message: str) -> str:
    """SQL for ``value``, or for an error if a condition is true."""
    # ClickHouse would fold two equal constant branches into one, and never evaluate the condition.
    return f"if(throwIf(ifNull({where}, false), 'asknown: {message}') = 0, {value}, NULL)"


def half_away(x: str) -> str:
    """SQL for ``x`` rounded to a whole number, halves away from zero. (ClickHouse rounds halves of floats to even.)"""
    return f"if(abs({x} - trunc({x})) = 0.5, trunc({x}) + sign({x}), round({x}))"


_WHOLE = r"'^[ \t\n]*[+-]?[0-9]{1,38}[ \t\n]*$'"
_ODD = r"^[+-]?([nN][aA][nN]|[iI][nN][fF]([iI][nN][iI][tT][yY])?)$"
_NUMBER = rf"'^[ \t\n]*[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?[ \t\n]*$|{_ODD}'"
_SPELLED = r"'[0-9]_[0-9]|^\s*[+-]?0[xXbB]|[\r\f\v]'"  # numbers that DuckDB reads and ClickHouse does not
_BARE = r"replaceRegexpAll(:this, '[ \t\n+]', '')"
_SCALED = half_away("(toFloat64(:this) * exp10(:scale))")
_UNIT = "toDecimal128(concat('1e-', toString(:scale)), :scale)"
_MICROS = MICROS.replace(":x", ":this")


def _read(value: str, pattern: str, what: str) -> str:
    return stop(value, f"isNotNull(:this) AND NOT match(:this, {pattern})", f"a text is no {what}")


def _instant(result: str, *, tried: bool, read: str = TRY_CLOCK) -> str:
    """SQL for ``result``, a cast of a text, in which ``l_i`` is the text's instant in microseconds."""
    checked = result if tried else stop(result, "isNull(l_i) AND l_given", "a text is no timestamp")
    return lets_of({"l_i": read.replace(":x", ":this"), "l_given": "isNotNull(:this)"}, checked)


_DAY_OF = f"addDays(toDate32('1970-01-01'), intDiv(l_i - positiveModulo(l_i, {DAY}), {DAY}))"
_TIME_OF = "fromUnixTimestamp64Micro(l_i)"
_AWARE = TYPES["TIMESTAMP WITH TIME ZONE"]

_INSTANTS = {"timestamp": "TIMESTAMP", "timestamptz": "TIMESTAMP WITH TIME ZONE", "date": "DATE"}
CASTS = {
    "cast.integer.integer": "accurateCast(:this, :type)",
    "cast.float.integer": "accurateCast(round(:this), :type)",
    "cast.decimal.integer": "accurateCast(toInt256(round(:this)), :type)",
    "cast.text.integer": f"accurateCast({_read(f'toInt128({_BARE})', _WHOLE, 'whole number')}, :type)",
    "cast.unknown.integer": "accurateCast(:this, :type)",
    "cast.text.float": f"accurateCast({_read(f'toFloat64({_BARE})', _NUMBER, 'number')}, :type)",
    "cast.integer.decimal": "accurateCast(:this * toDecimal256('1', 0), :type)",  # an Int128 does not convert
    "cast.decimal.decimal": "accurateCast(round(:this, :scale), :type)",
    "cast.float.decimal": f"accurateCast(accurateCast({_SCALED}, 'Int128') * {_UNIT}, :type)",
    **{f"cast.to.{kind}": f"CAST(:this AS {TYPES[name]})" for kind, name in _INSTANTS.items()},
    "cast.timestamptz.timestamp": f"fromUnixTimestamp64Micro({_MICROS})",
    "cast.text.timestamp": _instant(_TIME_OF, tried=False),
    "cast.text.timestamptz": f"CAST({_instant(_TIME_OF, tried=False, read=TRY_INSTANT)} AS {_AWARE})",
    "cast.plain": "accurateCast(:this, :type)",  # an instant that every engine reads alike
    "cast.text.date": _instant(_DAY_OF, tried=False),
    "cast.to.time": "toTime64(:this, 6)",
    "cast.timestamp.text": r"replaceRegexpOne(toString(toDateTime64(:this, 6)), '\\.?0*$', '')",
    "cast.timestamptz.text": r"concat(replaceRegexpOne(toString(toDateTime64(:this, 6)), '\\.?0*$', ''), '+00')",
    "cast.text.text": ":same",
    "cast.integer.text": ":same",
    "cast.boolean.text": ":same",
    "cast.date.text": ":same",
    "cast.uuid.text": ":same",
    "cast.other.text": ":same",  # of a type that DuckDB has not: its text is ClickHouse's own
    "cast.decimal.text": r"toDecimalString(:this, toUInt8(extract(toTypeName(:this), ', ([0-9]+)\\)')))",
    "trycast.text.integer": f"if(match(:this, {_WHOLE}), accurateCastOrNull(toInt128OrNull({_BARE}), :type), "
    f"{stop('NULL', f'match(:this, {_NUMBER}) OR match(:this, {_SPELLED})', 'a text is a number, and no whole one')})",
    "trycast.text.float": f"if(match(:this, {_NUMBER}), toFloat64OrNull({_BARE}), "
    f"{stop('NULL', f'match(:this, {_SPELLED})', 'a text may be a number as only DuckDB reads it')})",
    "trycast.text.timestamp": _instant(_TIME_OF, tried=True),
    "trycast.text.date": _instant(_DAY_OF, tried=True),
}

_NO_TEXT = "cast it to a decimal first, or leave it a number"
REFUSED_CASTS = {
    "cast.to.blob": "ClickHouse has no type for bytes",
    "cast.blob.text": "ClickHouse has no type for bytes",
    "cast.float.text": f"ClickHouse writes floats with other digits: {_NO_TEXT}",
    "cast.unknown.text": "the value's type is unknown, and ClickHouse writes some types differently",
    "cast.list.text": "ClickHouse writes lists differently",
    "cast.text.decimal": "ClickHouse truncates digits that do not fit: cast(cast(… as double) as decimal(…))",
    "cast.unknown.decimal": "the value's type is unknown, and decides how it is rounded: cast it twice",
    "cast.to.interval": "a text is not converted to an interval: write interval '2 hours'",
    "trycast": "try_cast is translated from text to an integer, a double, a date or a timestamp",
}
