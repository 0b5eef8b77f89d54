"""Rewrites DuckDB's SQL for Postgres where sqlglot's translation would give another value, or an error.

They differ in division by zero, the rounding of halves, parts of instants (fractions on Postgres), averages (decimals
on Postgres), letter case and patterns of text (Unicode for case and ASCII for patterns here, whatever the database's
collation), backslashes in LIKE, and the texts that are read as timestamps.
"""

from __future__ import annotations

from collections.abc import Mapping

from asknown.dialects.letters import SPACES
from asknown.dialects.postgres.snippets import CUT, IN_UTC, ISO

# Postgres has no such integers: a precision beyond all decimals says which one a whole number stands for.
WHOLE_NUMBERS = {"TINYINT": 108, "UTINYINT": 208, "USMALLINT": 216, "UINTEGER": 232, "UBIGINT": 264}
TYPES = {
    **{name: f"NUMERIC({precision}, 0)" for name, precision in WHOLE_NUMBERS.items()},
    # Without a precision, or a fraction would be rounded away; the engine takes it for a HUGEINT, and checks it.
    "HUGEINT": "NUMERIC",
    "UHUGEINT": "NUMERIC",
    "DOUBLE": "DOUBLE PRECISION",
    "FLOAT": "REAL",
    "BLOB": "BYTEA",
    "VARCHAR": "TEXT",
}

_INFINITE = "CAST('Infinity' AS DOUBLE PRECISION)"
_HALF_AWAY = "CASE WHEN ABS({0} - TRUNC({0})) >= 0.5 THEN TRUNC({0}) + SIGN({0}) ELSE TRUNC({0}) END"
_TENS = "POWER(CAST(10 AS DOUBLE PRECISION), :decimals)"
_SCALED = f"(CAST(:this AS DOUBLE PRECISION) * {_TENS})"
_AS_DECIMAL = "(:this * POWER(CAST(10 AS DOUBLE PRECISION), :scale))"

_NAN = "CAST('NaN' AS DOUBLE PRECISION)"


def _defined(function: str, where: str, elsewhere: Mapping[str, str], x: str = ":this") -> str:
    """SQL for a function of the double ``x`` where Postgres has a result, and for DuckDB's results elsewhere."""
    others = "".join(f" WHEN {condition} THEN {value}" for condition, value in elsewhere.items())
    text = f"CASE WHEN {where} THEN {function}{others} END"
    return text.replace(":x", f"CAST({x} AS DOUBLE PRECISION)")


_OF_LOGARITHM = {":x = 0": f"-{_INFINITE}", ":x < 0": _NAN}
_SIGNS = {"eq": "=", "neq": "<>", "gt": ">", "gte": ">=", "lt": "<", "lte": "<="}

_NUMBERS = {
    "literal.float": "CAST(:this AS DOUBLE PRECISION)",
    "round.float": _HALF_AWAY.format(":this"),
    "round.float.decimals": f"({_HALF_AWAY.format(_SCALED)}) / {_TENS}",
    "round.integer": ":this",
    "trunc.float": ":same",
    "trunc.decimal": ":same",
    "trunc.integer": ":this",
    "round.integer.decimals": ":same",
    "round.decimal": ":same",
    "round.decimal.decimals": ":same",
    "round": _HALF_AWAY.format(":this"),
    "round.decimals": "CASE WHEN PG_TYPEOF(:this) = CAST('numeric' AS REGTYPE) "
    "THEN CAST(ROUND(CAST(:this AS NUMERIC), CAST(:decimals AS INT)) AS DOUBLE PRECISION) "
    f"ELSE ({_HALF_AWAY.format(_SCALED)}) / {_TENS} END",
    "div.plain": "CAST(:this AS DOUBLE PRECISION) / :expression",
    "div": "CASE WHEN :expression <> 0 THEN CAST(:this AS DOUBLE PRECISION) / :expression WHEN :expression = 0 THEN "
    f"CASE WHEN :this > 0 AND :this <= {_INFINITE} THEN {_INFINITE} WHEN :this < 0 THEN -{_INFINITE} "
    "WHEN NOT :this IS NULL THEN CAST('NaN' AS DOUBLE PRECISION) END END",
    "isnan": ":this = CAST('NaN' AS DOUBLE PRECISION)",
    "isinf": f"ABS(:this) = {_INFINITE}",
    **{f"isfinite.{kind}": ":same" for kind in ("timestamp", "timestamptz", "date")},
    "isfinite": f"ABS(:a1) < {_INFINITE}",
    # Of decimals and of whole numbers beyond 64 bits there are others, which give decimals.
    "cbrt": "CBRT(CAST(:this AS DOUBLE PRECISION))",
    "sqrt": _defined("SQRT(:x)", ":x >= 0", {":x < 0": _NAN}),
    "ln": _defined("LN(:x)", ":x > 0", _OF_LOGARITHM),
    "log": _defined("LOG(:x)", ":x > 0", _OF_LOGARITHM),
    "log.plain": _defined("LOG(:x)", ":x > 0", _OF_LOGARITHM, ":expression"),
    "log.expression": _defined(
        "(LN(:x) / LN(CAST(:this AS DOUBLE PRECISION)))", ":x > 0", _OF_LOGARITHM, ":expression"
    ),
    "exp": _defined(
        "EXP(:x)",
        ":x BETWEEN -745.2 AND 709.79",
        {":x < 0": "CAST(0 AS DOUBLE PRECISION)", ":x > 0": f":x + {_INFINITE}"},
    ),
    **{name: _defined(f"{name.upper()}(:x)", "ABS(:x) <= 1", {"NOT :x IS NULL": _NAN}) for name in ("asin", "acos")},
    **{
        name: _defined(f"{name.upper()}(:x)", f"ABS(:x) < {_INFINITE}", {"NOT :x IS NULL": _NAN})
        for name in ("sin", "cos", "tan")
    },
    "degrees": "CAST(:this AS DOUBLE PRECISION) * (180 / PI())",
    "radians": "CAST(:this AS DOUBLE PRECISION) * (PI() / 180)",
    "pow.float": ":same",
    "pow": "POWER(CAST(:this AS DOUBLE PRECISION), :expression)",
    **{f"{key}.boolean.integer": f"CAST(:this AS INT) {sign} :expression" for key, sign in _SIGNS.items()},
    **{f"{key}.integer.boolean": f":this {sign} CAST(:expression AS INT)" for key, sign in _SIGNS.items()},
}

_WHOLE = ("year", "month", "day", "hour", "minute", "quarter", "week", "doy", "dow", "isodow", "isoyear")
_CUT_OFF = ("second", "millisecond", "microsecond")
_CALLED = {  # sqlglot's own names for some
    **{part: (part,) for part in (*_WHOLE, *_CUT_OFF)},
    "dow": ("dow", "dayofweek"),
    "isodow": ("isodow", "dayofweekiso", "dayofweek_iso"),
    "doy": ("doy", "dayofyear"),
    "day": ("day", "dayofmonth"),
    "week": ("week", "weekofyear"),
}


_UNKNOWN = {**{name: name for name in ("millisecond", "microsecond", "isoyear")}, "weekday": "dow"}


def _part(part: str, value: str) -> str:
    """SQL for a part of an instant as a whole number, with the fraction of a second cut off."""
    found = f"EXTRACT({part} FROM {value})"
    return f"CAST({f'TRUNC({found})' if part in _CUT_OFF else found} AS BIGINT)"


_PARTS = {
    **{f"extract.{name}": _part(part, ":expression") for part, names in _CALLED.items() for name in names},
    **{f"date_part.{name}": _part(part, ":a2") for part, names in _CALLED.items() for name in names},
    **{name: _part(part, ":this") for part, names in _CALLED.items() for name in names if name not in _UNKNOWN},
    # What sqlglot takes for functions that it does not know.
    **{name: _part(part, ":a1") for name, part in _UNKNOWN.items()},
}
_SECONDS = {
    "microsecond": "0.000001",
    "millisecond": "0.001",
    "second": "1",
    "minute": "60",
    "hour": "3600",
    "day": "86400",
    "week": "604800",
}
_BETWEEN = "EXTRACT(EPOCH FROM CAST(:a3 AS TIMESTAMP) - CAST(:a2 AS TIMESTAMP))"


def _read(value: str) -> str:
    return (
        f"CASE WHEN :this ~ {ISO.replace(':x', ':this')} THEN {value.replace(':x', ':this')} "
        "WHEN NOT :this IS NULL THEN CONCAT('asknown: no timestamp reads as ''', :this, '''') END"
    )


_READ = _read(CUT)
# Days and seconds apart, as DuckDB adds them.
_WHOLE_DAYS = "EXTRACT(DAY FROM :this) * 86400"
_EPOCH_OF_INTERVAL = (
    f"(CAST({_WHOLE_DAYS} AS DOUBLE PRECISION) + CAST(EXTRACT(EPOCH FROM :this) - {_WHOLE_DAYS} AS DOUBLE PRECISION))"
)
_DAY_ONE = "CAST('1970-01-01' AS TIMESTAMP)"

_DATES = {
    **_PARTS,
    "extract.epoch": "CAST(EXTRACT(EPOCH FROM :expression) AS DOUBLE PRECISION)",
    "date_part.epoch": "CAST(EXTRACT(EPOCH FROM :a2) AS DOUBLE PRECISION)",
    "timetounix.interval": _EPOCH_OF_INTERVAL,
    "timetounix": "CAST(EXTRACT(EPOCH FROM :this) AS DOUBLE PRECISION)",
    "epoch_us": "CAST(EXTRACT(EPOCH FROM :a1) * 1000000 AS BIGINT)",
    **{
        f"unixtotime.{kind}": "CAST(EXTRACT(EPOCH FROM :this) * 1000 AS BIGINT)"
        for kind in ("timestamp", "timestamptz", "date")
    },
    "unixtotime.3": f"{_DAY_ONE} + (:this / 86400000) * INTERVAL '1 DAY' "
    "+ (:this % 86400000) * INTERVAL '1 MILLISECOND'",
    "unixtotime.6": f"{_DAY_ONE} + (:this / 86400000000) * INTERVAL '1 DAY' "
    "+ (:this % 86400000000) * INTERVAL '1 MICROSECOND'",
    "datefromparts": "MAKE_DATE(CAST(:year AS INT), CAST(:month AS INT), CAST(:day AS INT))",
    # Weeks that are over between two days, and not Mondays.
    "datediff.week": "CAST((CAST(:this AS DATE) - CAST(:expression AS DATE)) / 7 AS BIGINT)",
    **{f"date_sub.{unit}": f"CAST(DIV({_BETWEEN}, {seconds}) AS BIGINT)" for unit, seconds in _SECONDS.items()},
    # Of a date, it is an instant with a time zone here.
    "timestamptrunc.timestamp": ":same",
    "timestamptrunc.timestamptz": ":same",
    **{
        f"timestamptrunc.{unit}": f"DATE_TRUNC('{unit.upper()}', CAST(:this AS TIMESTAMP))"
        for unit in (*_SECONDS, "month", "quarter", "year")
    },
    "datebin": "DATE_BIN(:this, :expression, CAST('2000-01-03' AS TIMESTAMP))",
    "dayname": "TO_CHAR(:this, 'FMDay')",
    "monthname": "TO_CHAR(:this, 'FMMonth')",
    "timetostr.plain": ":same",
    "todays": ":this * INTERVAL '1 DAY'",
    **{f"to_{unit}s": f":a1 * INTERVAL '1 {unit.upper()}'" for unit in _SECONDS},
    **{f"interval.{kind}": ":this * CAST(CONCAT('1 ', :unit) AS INTERVAL)" for kind in ("integer", "unknown")},
}

_LETTERS = 'LOWER(:this COLLATE "default") LIKE LOWER(:expression COLLATE "default")'
# Of Unicode's letters in the usual locales this is the only one with another capital letter.
_CAPITALS = "UPPER(REPLACE(:this, 'ß', 'ẞ') COLLATE \"default\") COLLATE \"C\""

_TEXTS = {
    "left": "LEFT(:this, CAST(:expression AS INT))",
    "right": "RIGHT(:this, CAST(:expression AS INT))",
    "upper": _CAPITALS,
    "lower": 'LOWER(:this COLLATE "default") COLLATE "C"',
    "trim.expression": ":same",
    "trim.leading": f"LTRIM(:this, '{SPACES}')",
    "trim.trailing": f"RTRIM(:this, '{SPACES}')",
    "trim": f"BTRIM(:this, '{SPACES}')",
    "like.plain": ":same",
    "like": ":this LIKE :expression ESCAPE ''",
    "ilike.plain": _LETTERS,
    "ilike": f"{_LETTERS} ESCAPE ''",
    # A full stop is no line break, and \w is of ASCII.
    "regexplike.plain": ":this COLLATE \"C\" ~ CONCAT('(?p)', :expression)",
    "regexpfullmatch.plain": ":this COLLATE \"C\" ~ CONCAT('(?p)^(?:', :expression, ')$')",
    "similarto.plain": ":this COLLATE \"C\" ~ CONCAT('(?p)^(?:', :expression, ')$')",
    "regexpreplace.plain": ":same",
    "substring.plain": ":same",
    "substring.length": "SUBSTRING(:this FROM CAST(:start + CASE WHEN :start < 0 THEN CHAR_LENGTH(:this) + 1 "
    "ELSE 0 END AS INT) FOR CAST(:length AS INT))",
    "substring": "SUBSTRING(:this FROM CAST(CASE WHEN :start < 0 THEN GREATEST(CHAR_LENGTH(:this) + :start + 1, 1) "
    "ELSE :start END AS INT))",
    "strlen": "OCTET_LENGTH(:a1)",
    "contains": "POSITION((:expression) IN (:this)) > 0",  # there, a COLLATE must be in parentheses
    "strposition": "POSITION((:substr) IN (:this))",
    "endswith": "RIGHT(:this, CHAR_LENGTH(:expression)) = :expression",
    "prefix": "STARTS_WITH(:a1, :a2)",
    "suffix": "RIGHT(:a1, CHAR_LENGTH(:a2)) = :a2",
    "split": "(CASE WHEN :this = '' THEN ARRAY[''] ELSE STRING_TO_ARRAY(:this, :expression) END)",
    "unicode": "CASE WHEN :this = '' THEN -1 ELSE ASCII(:this) END",
    "ord": "CASE WHEN :a1 = '' THEN -1 ELSE ASCII(:a1) END",
    "splitpart.plain": "SPLIT_PART(:this, :delimiter, CAST(:part_index AS INT))",
    "bracket.plain": ":same",
    "generateseries.relation": ":same",
    "length.list": "CARDINALITY(:this)",
    "arraycontains": "CASE WHEN NOT :this IS NULL AND NOT :expression IS NULL "
    "THEN COALESCE(:expression = ANY(:this), FALSE) END",
    "jsonextractscalar": "JSON_EXTRACT_PATH_TEXT(CAST(:this AS JSON), :expression)",
    "arraysize": "CARDINALITY(:this)",
}

_CASTS = {
    "cast.plain": ":same",
    "cast.text.timestamp": f"CAST({_READ} AS TIMESTAMP)",
    "cast.text.timestamptz": f"CAST({_read(IN_UTC)} AS TIMESTAMPTZ)",
    "cast.text.date": f"CAST({_READ} AS DATE)",
    "cast.float.decimal": f"CAST(CAST({_HALF_AWAY.format(_AS_DECIMAL)} AS BIGINT) "
    "/ POWER(CAST(10 AS NUMERIC), :scale) AS :to)",
    "cast.boolean.as.integer": ":same",
    "cast.boolean.integer": "CAST(CAST(:this AS INT) AS :to)",
    "cast.boolean.float": "CAST(CAST(:this AS INT) AS :to)",
    "cast.boolean.decimal": "CAST(CAST(:this AS INT) AS :to)",
    **{f"cast.{kind}.boolean": ":this <> 0" for kind in ("integer", "float", "decimal")},
    "cast.as.hugeint": "CAST(:this AS NUMERIC(38, 0))",
}


def _given(value: str) -> str:
    return f"NOT {value} IS NULL"


_BOTH = f"FILTER (WHERE {_given(':this')} AND {_given(':expression')})"
_UNIT = "POWER(CAST(10 AS NUMERIC), SCALE(SUM(:this)))"
_AGGREGATES = {
    "avg.float": ":same",
    # AVG() of these gives 16 digits, which is one too few; DuckDB divides the sum by the count, both as doubles.
    "avg.integer": "(CAST(SUM(:this) AS DOUBLE PRECISION) / COUNT(:this))",
    "avg.decimal": f"(CAST(SUM(:this) * {_UNIT} AS DOUBLE PRECISION) "
    f"/ (COUNT(:this) * CAST({_UNIT} AS DOUBLE PRECISION)))",
    "avg": "CAST(AVG(:this) AS DOUBLE PRECISION)",
    **{
        f"{key}{kind}": text
        for key, name in (
            ("stddev", "STDDEV_SAMP"),
            ("stddevsamp", "STDDEV_SAMP"),
            ("stddevpop", "STDDEV_POP"),
            ("variance", "VAR_SAMP"),
            ("variancepop", "VAR_POP"),
        )
        for kind, text in ((".float", ":same"), ("", f"CAST({name}(:this) AS DOUBLE PRECISION)"))
    },
    "sum.boolean": "SUM(CAST(:this AS INT))",
    "min.boolean": "BOOL_AND(:this)",
    "max.boolean": "BOOL_OR(:this)",
    "argmax": f"(ARRAY_AGG(:this ORDER BY :expression DESC) {_BOTH})[1]",
    "argmin": f"(ARRAY_AGG(:this ORDER BY :expression) {_BOTH})[1]",
    "first": "(ARRAY_AGG(:this))[1]",
    "last": "(ARRAY_AGG(:this))[CARDINALITY(ARRAY_AGG(:this))]",
    "anyvalue": "(ARRAY_REMOVE(ARRAY_AGG(:this), NULL))[1]",
}

REWRITES: dict[str, str] = {**_NUMBERS, **_DATES, **_TEXTS, **_CASTS, **_AGGREGATES}
