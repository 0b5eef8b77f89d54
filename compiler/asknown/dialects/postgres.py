"""Postgres 14 and newer."""

from __future__ import annotations

from asknown.dialects.dialect import Dialect, ExactSums, Stage

# Floats are added as NUMERIC, which adds exactly whatever the number of digits. A float is cut at powers of two into
# whole numbers, for CAST(float AS NUMERIC) keeps 15 digits; put together again, they are the number to the last digit,
# and that is what is summed. NUMERIC to DOUBLE goes through its decimal spelling and is correctly rounded.
# A quotient is taken to 60, 130 or 290 decimals, below every number that lies halfway between two floats, with one more
# digit behind them that says whether anything follows; so its spelling is rounded as the quotient would be.
SMALLEST = 2.0**-147
LARGEST = 2.0**98


def _float(value: float) -> str:
    return f"CAST('{value!r}' AS DOUBLE PRECISION)"


def _power(exponent: int) -> str:
    """2^exponent in all its decimals."""
    if exponent >= 0:
        return str(2**exponent)
    return "0." + str(5**-exponent).rjust(-exponent, "0")


def _piece(above: int | None, unit: int) -> str:
    """The digits of a float below 2^above and from 2^unit on."""
    rest = ":x" if above is None else f"(:x - TRUNC(:x * {_float(2.0**-above)}) * {_float(2.0**above)})"
    return f"CAST(CAST(TRUNC({rest} * {_float(2.0**-unit)}) AS BIGINT) AS NUMERIC) * {_power(unit)}"


_WIDE = _float(2.0**62)
_WHOLE = "CAST(CAST(TRUNC(:x) AS BIGINT) AS NUMERIC)"
_FRACTION = f"CAST(CAST((:x - TRUNC(:x)) * {_WIDE} AS BIGINT) AS NUMERIC) * {_power(-62)}"
_PIECES = " + ".join((_piece(None, 40), *(_piece(above, above - 60) for above in (40, -20, -80, -140))))
_EXACT = (
    f"CASE WHEN :x = TRUNC(:x) AND ABS(:x) < {_WIDE} THEN {_WHOLE} "
    f"WHEN ABS(:x) BETWEEN {_float(2.0**-9)} AND {_WIDE} THEN {_WHOLE} + {_FRACTION} ELSE {_PIECES} END"
)
_FITS = f":x = 0 OR ABS(:x) BETWEEN {_float(SMALLEST)} AND {_float(LARGEST)}"
_ODD = "NOT ABS(:x) < CAST('Infinity' AS DOUBLE PRECISION)"  # NaN is the greatest here
_QUOTIENT: tuple[Stage, ...] = (
    {"a": ":a", "n": ":n * CAST(CONCAT('1e', :m) AS NUMERIC)"},
    {"a": ":a", "n": ":n", "cut": "CASE WHEN ABS(:a) >= :n THEN 60 WHEN ABS(:a) * 1e20 >= :n THEN 130 ELSE 290 END"},
    {
        "a": "CASE :cut WHEN 60 THEN :a * 1e60 WHEN 130 THEN :a * 1e130 ELSE :a * 1e290 END",
        "n": ":n",
        "cut": ":cut",
    },
    {"a": ":a", "n": ":n", "cut": ":cut", "digits": "DIV(:a, :n)"},
    {"cut": ":cut", "digits": ":digits", "more": ":digits * :n <> :a"},
)

# A zero without its sign, so that equal values are the same value.
_UNSIGNED = "CASE WHEN :x = 0 THEN 0 ELSE :x END"
# Exact beyond what an exact sum can take is not wanted of a variance: the shortest digits are near enough.
_NUMERIC = (
    f"CASE WHEN {_ODD} THEN CAST('NaN' AS NUMERIC) WHEN {_FITS} THEN {_EXACT} "
    "ELSE CAST(CAST(:x AS TEXT) AS NUMERIC) END"
)
_PLACE = "(CARDINALITY(l) - 1) * CAST(:share AS DOUBLE PRECISION)"
_LOW = f"CAST(l[CAST(FLOOR({_PLACE}) AS INT) + 1] AS DOUBLE PRECISION)"
_HIGH = f"CAST(l[CAST(CEIL({_PLACE}) AS INT) + 1] AS DOUBLE PRECISION)"


def _exactly(value: str) -> str:
    return f"(SELECT {_EXACT.replace(':x', 'x')} FROM (SELECT {value} AS x) AS one)"


# The point between two numbers as a processor fuses it: low * (1 - share) + (high * share, rounded), rounded once.
_BETWEEN = (
    "(SELECT CASE WHEN part = 0 THEN low + 0 "
    f"WHEN ({_FITS.replace(':x', 'low')}) AND ({_FITS.replace(':x', 'right_')}) "
    f"THEN CAST({_exactly('low')} * {_exactly('1 - part')} + {_exactly('right_')} AS DOUBLE PRECISION) "
    "ELSE low * (1 - part) + right_ END "
    "FROM (SELECT low, part, high * part AS right_ "
    f"FROM (SELECT {_LOW} AS low, {_HIGH} AS high, {_PLACE} - FLOOR({_PLACE}) AS part "
    "FROM (SELECT :value AS l) AS listed) AS ends) AS shares)"
)
_MEDIAN = (  # halves are exact, so nothing need be fused
    "(SELECT CAST(l[(CARDINALITY(l) + 1) / 2] AS DOUBLE PRECISION) * 0.5 "
    "+ CAST(l[CARDINALITY(l) / 2 + 1] AS DOUBLE PRECISION) * 0.5 FROM (SELECT :value AS l) AS listed)"
)
_DISCRETE = (
    "(SELECT l[GREATEST(1, CAST(CEIL(CAST(:share AS NUMERIC) * CARDINALITY(l)) AS INT))] "
    "FROM (SELECT :value AS l) AS listed)"
)
_BINARY = ':x COLLATE "C"'
# A timestamp as text, in the spellings that every engine reads alike: no word such as 'now', no foreign digits.
_ISO = (
    r"'^[0-9]{4}-(0?[1-9]|1[0-2])-(0?[1-9]|[12][0-9]|3[01])([ T]([01]?[0-9]|2[0-3]):[0-5][0-9]"
    r"(:[0-5][0-9](\.[0-9]+)?)?(Z|[+-](0[0-9]|1[0-5])(:?[0-5][0-9])?)?)?$'"
)
_YEAR, _MONTH = (f"CAST(SPLIT_PART(:x, '-', {n}) AS INT)" for n in (1, 2))
_DAY = "CAST(SUBSTRING(:x FROM '^[0-9]+-[0-9]+-([0-9]+)') AS INT)"
_READS = (  # the 30th of February would be an error
    f"CASE WHEN :x ~ {_ISO} THEN {_YEAR} > 0 AND {_DAY} <= "
    f"CASE WHEN {_MONTH} IN (4, 6, 9, 11) THEN 30 WHEN {_MONTH} <> 2 THEN 31 "
    f"WHEN {_YEAR} % 4 = 0 AND ({_YEAR} % 100 <> 0 OR {_YEAR} % 400 = 0) THEN 29 ELSE 28 END END"
)
# Digits beyond microseconds are cut off: Postgres would round them up, and so look into the future.
_CUT = r"REGEXP_REPLACE(:x, '(\.[0-9]{6})[0-9]+', '\1')"
_TRY_INSTANT = f"CASE WHEN {_READS} THEN CAST({_CUT} AS TIMESTAMPTZ) AT TIME ZONE 'UTC' END"
_TEXT_INSTANT = (
    f"CAST(CASE WHEN :x ~ {_ISO} THEN {_CUT} WHEN :x IS NOT NULL "
    "THEN CONCAT('asknown: no timestamp reads as ''', :x, '''') END "
    "AS TIMESTAMPTZ) AT TIME ZONE 'UTC'"
)
_LISTED = "ARRAY_AGG(:x ORDER BY :x)"
_LISTED_TEXT = 'ARRAY_AGG(:x ORDER BY :x COLLATE "C")'
_LISTED_FLOATS = f"ARRAY_AGG({_UNSIGNED} ORDER BY {_UNSIGNED})"

WORDS = {
    "instant.timestamp": ":x",
    "instant.timestamptz": ":x AT TIME ZONE 'UTC'",
    "instant.date": "CAST(:x AS TIMESTAMP)",
    "instant.text": _TEXT_INSTANT,
    "instant.other": "CAST(:x AS TIMESTAMP)",
    "try_instant": _TRY_INSTANT,
    "from_zone": ":x AT TIME ZONE :zone AT TIME ZONE 'UTC'",
    "literal": "CAST(:x AS TIMESTAMP)",
    "bound.timestamp": "CAST(:x AS TIMESTAMP)",
    "bound.timestamptz": "CAST(:aware AS TIMESTAMPTZ)",
    "bound.date": "CAST(:x AS TIMESTAMP)",
    "microseconds": "CAST(EXTRACT(EPOCH FROM :x) * 1000000 AS BIGINT)",
    "from_microseconds": "TIMESTAMP '1970-01-01 00:00:00' + (:x / 86400000000) * INTERVAL '1 DAY' "
    "+ (:x % 86400000000) * INTERVAL '1 MICROSECOND'",
    "whole_division": ":x / :y",
    "row_number": "ROW_NUMBER() OVER ()",
    "has_offset": ":x ~ :pattern",
    "raise": "CASE WHEN :condition THEN CAST(CONCAT(:message, ': ', :condition) AS INT) > 0 ELSE TRUE END",
    "is_odd_float": _ODD,
    "ratio": "CAST(:x AS DOUBLE PRECISION) / :y",
    "null_safe_equal": ":x IS NOT DISTINCT FROM :y",
}
AGGREGATES = {
    "count": "COUNT(:x)",
    "count_distinct": "COUNT(DISTINCT :x)",
    "sum": "SUM(:x)",
    "sum.integer": "SUM(CAST(:x AS NUMERIC))",
    "sum.boolean": "SUM(CAST(CAST(:x AS INT) AS NUMERIC))",
    "min": "MIN(:x)",
    "max": "MAX(:x)",
    "min.float": f"MIN({_UNSIGNED})",
    "max.float": f"MAX({_UNSIGNED})",
    "min.text": f"MIN({_BINARY})",
    "max.text": f"MAX({_BINARY})",
    "min.boolean": "BOOL_AND(:x)",
    "max.boolean": "BOOL_OR(:x)",
    # There is no MIN of these before Postgres 18.
    **{f"min.{kind}": "PERCENTILE_DISC(0) WITHIN GROUP (ORDER BY :x)" for kind in ("uuid", "blob")},
    **{f"max.{kind}": "PERCENTILE_DISC(1) WITHIN GROUP (ORDER BY :x)" for kind in ("uuid", "blob")},
    "bool_and": "BOOL_AND(:x)",
    "bool_or": "BOOL_OR(:x)",
    "first": "ARRAY_AGG(:x ORDER BY :order)",
    "last": "ARRAY_AGG(:x ORDER BY :order)",
    "list": "ARRAY_AGG(:x ORDER BY :order)",
    # These need the condition that :x is not NULL, as first, last and list have it.
    **dict.fromkeys(("median", "quantile_cont", "quantile_disc"), _LISTED),
    **{f"{name}.text": _LISTED_TEXT for name in ("median", "quantile_disc")},
    **{f"{name}.float": _LISTED_FLOATS for name in ("median", "quantile_cont", "quantile_disc")},
    **{
        f"{name}{kind}": f"{aggregate}({value})"
        for name, aggregate in (
            ("var_pop", "VAR_POP"),
            ("var_samp", "VAR_SAMP"),
            ("stddev_pop", "VAR_POP"),
            ("stddev_samp", "VAR_SAMP"),
        )
        for kind, value in (("", "CAST(:x AS NUMERIC)"), (".float", _NUMERIC))
    },
}
FINISHES = {
    "first": "(:value)[1]",
    "last": "(:value)[CARDINALITY(:value)]",
    "median": _MEDIAN,
    "median.float": _MEDIAN,
    "median.text": "(SELECT l[(CARDINALITY(l) + 1) / 2] FROM (SELECT :value AS l) AS listed)",
    "quantile_cont": _BETWEEN,
    "quantile_cont.float": _BETWEEN,
    "quantile_disc": _DISCRETE,
    "quantile_disc.float": _DISCRETE,
    "quantile_disc.text": _DISCRETE,
    **{
        f"var_{which}{kind}": "CAST(:value AS DOUBLE PRECISION)" for which in ("pop", "samp") for kind in ("", ".float")
    },
    **{
        f"stddev_{which}{kind}": "SQRT(CAST(:value AS DOUBLE PRECISION))"
        for which in ("pop", "samp")
        for kind in ("", ".float")
    },
}

POSTGRES = Dialect(
    name="postgres",
    sqlglot="postgres",
    forms=("range", "union"),
    window_forms=("pairs", "bands"),
    words=WORDS,
    aggregates=AGGREGATES,
    finishes=FINISHES,
    order={
        "text": (_BINARY,),
        # -0.0 equals 0.0, and is not the same value.
        "float": (":x", "CASE WHEN :x = 0 THEN CAST(:x AS TEXT) <> '-0' ELSE TRUE END"),
        "list": (":x", 'CAST(:x AS TEXT) COLLATE "C"'),
    },
    types={
        # Without a precision, or a fraction would be rounded away; the engine takes it for a HUGEINT, and checks it.
        "HUGEINT": "NUMERIC",
        "UHUGEINT": "NUMERIC",
        "UBIGINT": "NUMERIC(20, 0)",
        "UINTEGER": "BIGINT",
        "USMALLINT": "INT",
        "UTINYINT": "SMALLINT",
        "TINYINT": "SMALLINT",
        "DOUBLE": "DOUBLE PRECISION",
        "FLOAT": "REAL",
        "BLOB": "BYTEA",
        "VARCHAR": "TEXT",
    },
    exact_sums=ExactSums(
        parts={"a": _EXACT},
        fits=_FITS,
        whole="CAST(:x AS NUMERIC)",
        wholes="a",
        digits="CAST(:x AS NUMERIC) * :power",
        long_digits="CAST(:x AS NUMERIC) * :power",
        before=(),
        divide=(),
        scale=(),
        after=_QUOTIENT,
        value="CAST(CONCAT(:digits, CASE WHEN :more THEN '5e-' ELSE '0e-' END, :cut + 1) AS DOUBLE PRECISION)",
    ),
    values_name_columns=True,
    quotes_all=True,
    pins_ctes=True,
    session=("SET TimeZone = 'UTC'", "SET standard_conforming_strings = on", "SET transform_null_equals = off"),
)
