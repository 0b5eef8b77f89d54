"""DuckDB 2.0: the embedded default."""

from __future__ import annotations

from asknown.dialects.dialect import Dialect, ExactSums, Stage

# Floats are added in 128-bit integers: x = w / 2^60 for the numbers that this holds exactly, which are nearly all there
# are, else x = a + b / 2^100 + c / 2^200, each part a whole number. Whole numbers add up exactly, in any order and
# grouping. From their sums to a float: put w into a and b; carry, so that 0 <= b, c < 2^100; split off the sign;
# for an average divide by the count, as on paper; take the leading digits, and whether anything follows; cut to 60
# bits or so, the last of which is set where anything follows; convert, which the processor rounds to nearest, ties to
# even, and scale by a power of two.
SMALLEST = 2.0**-147  # of a smaller number, bits would lie below the third part
LARGEST = 2.0**98  # 2^29 such numbers fit into the first part

_UNIT = "CAST(1267650600228229401496703205376 AS HUGEINT)"  # 2^100
_UNIT_FLOAT = "CAST(1267650600228229401496703205376 AS DOUBLE)"
_REST = f"(:x - TRUNC(:x)) * {_UNIT_FLOAT}"


def _carried(value: str) -> str:
    """How many times 2^100 goes into a number, rounded down. Shifts, because dividing 128 bits is slow."""
    return f"CASE WHEN {value} >= 0 THEN {value} >> 100 ELSE -(({_UNIT} - 1 - {value}) >> 100) END"


_PLAIN = f":x = 0 OR ABS(:x) BETWEEN {2.0**-8!r} AND {2.0**40!r}"
_FITS = f"ISFINITE(:x) AND (:x = 0 OR ABS(:x) BETWEEN {SMALLEST!r} AND {LARGEST!r})"
_SELDOM = f"ISFINITE(:x) AND NOT ({_PLAIN}) AND ABS(:x) BETWEEN {SMALLEST!r} AND {LARGEST!r}"
_W = "COALESCE(:w, 0)"
_60 = "CAST(1152921504606846976 AS HUGEINT)"  # 2^60
_ABOVE = f"CASE WHEN {_W} >= 0 THEN {_W} >> 60 ELSE -(({_60} - 1 - {_W}) >> 60) END"
_LOW = "(:b <> 0 OR :c <> 0)"
_KEPT = {"n": ":n", "m": ":m"}
_CARRY: tuple[Stage, ...] = (
    {"w": _W, "above": _ABOVE, "a": "COALESCE(:a, 0)", "b": "COALESCE(:b, 0)", "c": "COALESCE(:c, 0)", **_KEPT},
    {"a": ":a + :above", "b": f":b + ((:w - {_60} * :above) << 40)", "c": ":c", **_KEPT},
    {"a": ":a", "b": f":b + {_carried(':c')}", "c": f":c - {_UNIT} * ({_carried(':c')})", **_KEPT},
    {"a": f":a + {_carried(':b')}", "b": f":b - {_UNIT} * ({_carried(':b')})", "c": ":c", **_KEPT},
    {
        "minus": ":a < 0",
        "a": f"CASE WHEN :a < 0 THEN -:a - CASE WHEN {_LOW} THEN 1 ELSE 0 END ELSE :a END",
        "b": f"CASE WHEN :a < 0 AND :c <> 0 THEN {_UNIT} - 1 - :b "
        f"WHEN :a < 0 AND :b <> 0 THEN {_UNIT} - :b ELSE :b END",
        "c": f"CASE WHEN :a < 0 AND :c <> 0 THEN {_UNIT} - :c ELSE :c END",
        "more": "FALSE",
        **_KEPT,
    },
)


def _divide(by: str, **next_: str) -> tuple[Stage, ...]:
    """The stages that divide by an expression of a whole number up to 2^27, as on paper: a digit of 2^100 at a time."""
    kept = {"minus": ":minus", "n": ":n"}
    one = f"CASE WHEN {by} = 1 THEN"
    middle = f"((:a % {by}) * {_UNIT} + :b)"
    last = f"(:r * {_UNIT} + :c)"
    return (
        {
            **kept,
            "m": ":m",
            "a": f"{one} :a ELSE :a // {by} END",
            "b": f"{one} :b ELSE {middle} // {by} END",
            "r": f"{one} 0 ELSE {middle} % {by} END",
            "c": ":c",
            "more": ":more",
        },
        {
            **kept,
            "m": next_.get("m", ":m"),
            "a": ":a",
            "b": ":b",
            "c": f"{one} :c ELSE {last} // {by} END",
            "more": f"{one} :more ELSE :more OR {last} % {by} <> 0 END",
        },
    )


_TENS = 8  # powers of ten that one division takes off: a remainder times 2^100 must fit into 127 bits
_WIDE = "CAST(4611686018427387904 AS HUGEINT)"  # 2^62: enough digits already
_LAST_36 = "CAST(68719476735 AS HUGEINT)"
_POWER = "(CAST(1 AS HUGEINT) << :cut)"
_LEADING: tuple[Stage, ...] = (
    {
        "minus": ":minus",
        "digits": f"CASE WHEN :a >= {_WIDE} THEN :a "
        "WHEN :a > 0 THEN (:a << 64) + (:b >> 36) "
        f"WHEN :b >= {_WIDE} THEN :b "
        "WHEN :b > 0 THEN (:b << 64) + (:c >> 36) "
        "ELSE :c END",
        "more": f":more OR CASE WHEN :a >= {_WIDE} THEN {_LOW} "
        f"WHEN :a > 0 THEN :b & {_LAST_36} <> 0 OR :c <> 0 "
        f"WHEN :b >= {_WIDE} THEN :c <> 0 "
        f"WHEN :b > 0 THEN :c & {_LAST_36} <> 0 ELSE FALSE END",
        "scale": f"CASE WHEN :a >= {_WIDE} THEN 0 WHEN :a > 0 THEN -64 WHEN :b >= {_WIDE} THEN -100 "
        "WHEN :b > 0 THEN -164 ELSE -200 END",
    },
    {
        "minus": ":minus",
        "digits": ":digits",
        "more": ":more",
        "scale": ":scale",
        "cut": "CAST(GREATEST(0, FLOOR(LOG2(CAST(GREATEST(:digits, 1) AS DOUBLE))) - 60) AS INTEGER)",
    },
    {
        "minus": ":minus",
        "digits": ":digits >> :cut",
        "more": f":more OR (:digits & ({_POWER} - 1)) <> 0",
        "scale": ":scale + :cut",
    },
)

_MIDDLE = "l[(LEN(l) + 1) // 2]"
_SQUARES = f"LIST_AGGREGATE(LIST_TRANSFORM(l, LAMBDA x : (x - {_MIDDLE}) * (x - {_MIDDLE})), 'fsum')"
_DISTANCES = f"LIST_AGGREGATE(LIST_TRANSFORM(l, LAMBDA x : x - {_MIDDLE}), 'fsum')"
_DEVIATION = f"GREATEST(0, {_SQUARES} - {_DISTANCES} * {_DISTANCES} / LEN(l))"
_VARIANCES = {
    "var_pop": f"{_DEVIATION} / LEN(l)",
    "var_samp": f"CASE WHEN LEN(l) > 1 THEN {_DEVIATION} / (LEN(l) - 1) END",
    "stddev_pop": f"SQRT({_DEVIATION} / LEN(l))",
    "stddev_samp": f"SQRT(CASE WHEN LEN(l) > 1 THEN {_DEVIATION} / (LEN(l) - 1) END)",
}
# A zero without its sign, so that equal values are the same value.
_UNSIGNED = "CASE WHEN :x = 0 THEN 0 ELSE :x END"

DUCKDB = Dialect(
    name="duckdb",
    sqlglot="duckdb",
    forms=("cascade", "asof", "range", "union"),
    window_forms=("pairs", "bands", "tiles"),
    words={
        "instant.timestamp": ":x",
        "instant.timestamptz": ":x AT TIME ZONE 'UTC'",
        "instant.date": "CAST(:x AS TIMESTAMP)",
        "instant.text": "CAST(:x AS TIMESTAMPTZ) AT TIME ZONE 'UTC'",
        "instant.other": "CAST(:x AS TIMESTAMP)",  # nanoseconds, which are whole microseconds here
        "try_instant": "TRY_CAST(:x AS TIMESTAMPTZ) AT TIME ZONE 'UTC'",
        "from_zone": ":x AT TIME ZONE :zone AT TIME ZONE 'UTC'",
        "literal": "CAST(:x AS TIMESTAMP)",
        "bound.timestamp": "CAST(:x AS TIMESTAMP)",
        "bound.timestamptz": "CAST(:aware AS TIMESTAMPTZ)",
        "bound.date": "CAST(:x AS TIMESTAMP)",
        "microseconds": "EPOCH_US(:x)",
        "whole_division": ":x // :y",
        "row_number": "ROW_NUMBER() OVER ()",
        "has_offset": "REGEXP_MATCHES(:x, :pattern)",
        "raise": "CASE WHEN :condition THEN ERROR(:message) ELSE TRUE END",
        "is_odd_float": "NOT ISFINITE(:x)",
    },
    aggregates={
        "count": "COUNT(:x)",
        "count_distinct": "COUNT(DISTINCT :x)",
        "sum": "SUM(:x)",
        "min": "MIN(:x)",
        "max": "MAX(:x)",
        "min.float": f"MIN({_UNSIGNED})",
        "max.float": f"MAX({_UNSIGNED})",
        "bool_and": "BOOL_AND(:x)",
        "bool_or": "BOOL_OR(:x)",
        "first": "FIRST(:x ORDER BY :order)",
        "last": "LAST(:x ORDER BY :order)",
        "list": "LIST(:x ORDER BY :order)",
        "median": "MEDIAN(:x)",
        "median.float": f"MEDIAN({_UNSIGNED})",
        "quantile_cont": "QUANTILE_CONT(:x, :share)",
        "quantile_cont.float": f"QUANTILE_CONT({_UNSIGNED}, :share)",
        "quantile_disc": "QUANTILE_DISC(:x, :share)",
        "quantile_disc.float": f"QUANTILE_DISC({_UNSIGNED}, :share)",
        **dict.fromkeys(_VARIANCES, "LIST(CAST(:x AS DOUBLE) ORDER BY :order)"),
    },
    finishes={
        # By two passes over the values in order, around the middle one: it is within a deviation of the mean, so
        # nothing cancels, and equal numbers do not vary at all.
        name: f"LIST_EXTRACT(LIST_TRANSFORM([:value], LAMBDA l : {text}), 1)"
        for name, text in _VARIANCES.items()
    },
    order={
        "float": (":x", "NOT SIGNBIT(:x)"),  # -0.0 equals 0.0, and is not the same value
        "list": (":x", "CAST(:x AS VARCHAR)"),
        "struct": (":x", "CAST(:x AS VARCHAR)"),
    },
    exact_sums=ExactSums(
        parts={
            "w": "CAST(:x * CAST(1152921504606846976 AS DOUBLE) AS HUGEINT)",
            "a": "CAST(TRUNC(:x) AS HUGEINT)",
            "b": f"CAST(TRUNC({_REST}) AS HUGEINT)",
            "c": f"CAST(TRUNC(({_REST} - TRUNC({_REST})) * {_UNIT_FLOAT}) AS HUGEINT)",
        },
        ranges={"w": _PLAIN, **dict.fromkeys("abc", _SELDOM)},
        fits=_FITS,
        whole="CAST(:x AS HUGEINT)",
        wholes="a",
        digits="CAST(:x * :power AS HUGEINT)",
        long_digits="CAST(REPLACE(CAST(:x AS VARCHAR), '.', '') AS HUGEINT)",
        before=_CARRY,
        divide=_divide(":n"),
        scale=_divide(f"CAST(POW(10, LEAST({_TENS}, :m)) AS HUGEINT)", m=f"GREATEST(0, :m - {_TENS})"),
        tens=_TENS,
        after=_LEADING,
        value="CASE WHEN :minus THEN -1 ELSE 1 END * CAST(CAST(:digits + "
        "CASE WHEN :more AND :digits % 2 = 0 THEN 1 ELSE 0 END AS BIGINT) AS DOUBLE) * POW(CAST(2 AS DOUBLE), :scale)",
    ),
    readers={
        ".parquet": "read_parquet",
        ".csv": "read_csv",
        ".csv.gz": "read_csv",
        ".tsv": "read_csv",
        ".json": "read_json",
        ".jsonl": "read_json",
        ".ndjson": "read_json",
    },
    own_schema="main",
    values_name_columns=True,
    quotes_all=False,
    pins_ctes=True,
    session=(
        "set TimeZone = 'UTC'",
        "set default_null_order = 'nulls_last'",
        "set default_order = 'asc'",
        "set default_collation = ''",
        "set preserve_insertion_order = true",
    ),
)
