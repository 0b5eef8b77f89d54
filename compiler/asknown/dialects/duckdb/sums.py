"""Exact sums of floats in 128-bit integers, and how they become one float again."""

from __future__ import annotations

from asknown.dialects.dialect import ExactSums, Stage

# Floats are added in 128-bit integers: a float is w / 2^k, with a k that is the same for all floats of its grade.
# Nearly all are of grade 0. Whole numbers add up exactly, in any order and grouping.
#
# A short sum, of grade 0 alone, becomes a float in three steps: divide it (for an average); cut it to about 60 bits,
# and set the last bit if the cut lost anything; convert it, which rounds to nearest, ties to even, and scale it by a
# power of two. If other grades have sums, all are first put together as a + b / 2^100 + c / 2^200: carry, so that
# 0 <= b, c < 2^100; split off the sign; divide, in long division, to one digit more; take the leading digits, and
# whether anything follows. Then the three steps are the same.
SMALLEST = 2.0**-147  # a smaller number would have bits below the third part
LARGEST = 2.0**98  # 2^29 such numbers fit into the first part

_UNIT = "CAST(1267650600228229401496703205376 AS HUGEINT)"  # 2^100
# For each grade: its least and greatest float, and the power of two that makes them whole numbers.
_PLAIN, _ODD = 0, 6
_GRADES = (
    (2.0**-8, 2.0**40, 60),
    (2.0**-56, 2.0**-8, 108),
    (2.0**40, 2.0**88, 12),
    (2.0**-104, 2.0**-56, 156),
    (2.0**88, LARGEST, 0),
    (SMALLEST, 2.0**-104, 200),
)
_GRADE = (
    f"CASE WHEN :x = 0 OR ABS(:x) BETWEEN {_GRADES[0][0]!r} AND {_GRADES[0][1]!r} THEN {_PLAIN} "
    + " ".join(
        f"WHEN ABS(:x) BETWEEN {least!r} AND {greatest!r} THEN {grade}"
        for grade, (least, greatest, _) in enumerate(_GRADES)
        if grade
    )
    + f" WHEN NOT :x IS NULL THEN {_ODD} ELSE {_PLAIN} END"
)
# Floats that are infinite, NaN, or outside all grades are only counted, each kind in 31 bits of its own.
_COUNTED = {"infinite": 0, "minus": 31, "nan": 62, "misfit": 93}
_GRADED = (
    "CASE :grade "
    + " ".join(
        f"WHEN {grade} THEN CAST(:x * CAST({2**power} AS DOUBLE) AS HUGEINT)"
        for grade, (_, _, power) in enumerate(_GRADES)
    )
    + " ELSE CAST(1 AS HUGEINT) << CASE "
    f"WHEN ISNAN(:x) THEN {_COUNTED['nan']} WHEN ISFINITE(:x) THEN {_COUNTED['misfit']} "
    f"WHEN :x > 0 THEN {_COUNTED['infinite']} ELSE {_COUNTED['minus']} END END"
)


def _counted(what: str) -> str:
    """SQL for the count of one kind of these floats."""
    return f"((:x >> {_COUNTED[what]}) & CAST(2147483647 AS HUGEINT))"


_SPECIAL = (
    f"CASE WHEN {_counted('nan')} > 0 OR ({_counted('infinite')} > 0 AND {_counted('minus')} > 0) "
    f"THEN CAST('nan' AS DOUBLE) WHEN {_counted('infinite')} > 0 THEN CAST('inf' AS DOUBLE) "
    f"WHEN {_counted('minus')} > 0 THEN CAST('-inf' AS DOUBLE) END"
)


# A sum of grade 1, w / 2^108, adds w / 2^8 to part b, and the rest, w % 2^8 times 2^92, to part c; others likewise.
_PARTS = {
    "w": (":grade = 0", ":x"),
    "a": (":grade IN (2, 4)", "CASE :grade WHEN 2 THEN :x // 4096 ELSE :x END"),
    "b": (
        ":grade IN (1, 2, 3)",
        f"CASE :grade WHEN 1 THEN :x // 256 WHEN 2 THEN (:x % 4096) * {2**88} ELSE :x // {2**56} END",
    ),
    "c": (
        ":grade IN (1, 3, 5)",
        f"CASE :grade WHEN 1 THEN (:x % 256) * {2**92} WHEN 3 THEN (:x % {2**56}) * {2**44} ELSE :x END",
    ),
    "x": (f":grade = {_ODD}", ":x"),
}


def _carried(value: str) -> str:
    """SQL for a number divided by 2^100, rounded down. It shifts, because a division of 128 bits is slow."""
    return f"CASE WHEN {value} >= 0 THEN {value} >> 100 ELSE -(({_UNIT} - 1 - {value}) >> 100) END"


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
        "d": "CAST(0 AS HUGEINT)",
        "more": "FALSE",
        **_KEPT,
    },
)


def _divide(by: str, **next_: str) -> tuple[Stage, ...]:
    """The stages of a long division by a whole number up to 2^27, in digits of 100 bits."""
    kept = {"minus": ":minus", "n": ":n", "m": ":m", "a": ":a", "b": ":b", "c": ":c", "d": ":d", "more": ":more"}
    first = f"((:a % {by}) * {_UNIT} + :b)"
    next_c, next_d = (f"(:r * {_UNIT} + {digit})" for digit in (":c", ":d"))
    return (
        {**kept, "a": f":a // {by}", "b": f"{first} // {by}", "r": f"{first} % {by}"},
        {**kept, "c": f"{next_c} // {by}", "r": f"{next_c} % {by}"},
        {**kept, **next_, "d": f"{next_d} // {by}", "more": f":more OR {next_d} % {by} <> 0"},
    )


_TENS = 8  # powers of ten that one division takes off: a remainder times 2^100 must fit into 127 bits
_WIDE = "CAST(4611686018427387904 AS HUGEINT)"  # 2^62: enough digits already
_LAST_36 = "CAST(68719476735 AS HUGEINT)"
_POWER = "(CAST(1 AS HUGEINT) << :cut)"
_LEADING: tuple[Stage, ...] = (
    {
        "minus": ":minus",
        "digits": f"CASE WHEN :a >= {_WIDE} THEN :a WHEN :a > 0 THEN (:a << 64) + (:b >> 36) "
        f"WHEN :b >= {_WIDE} THEN :b WHEN :b > 0 THEN (:b << 64) + (:c >> 36) "
        f"WHEN :c >= {_WIDE} THEN :c WHEN :c > 0 THEN (:c << 64) + (:d >> 36) ELSE :d END",
        "more": f":more OR CASE WHEN :a >= {_WIDE} THEN :b <> 0 OR :c <> 0 OR :d <> 0 "
        f"WHEN :a > 0 THEN :b & {_LAST_36} <> 0 OR :c <> 0 OR :d <> 0 "
        f"WHEN :b >= {_WIDE} THEN :c <> 0 OR :d <> 0 WHEN :b > 0 THEN :c & {_LAST_36} <> 0 OR :d <> 0 "
        f"WHEN :c >= {_WIDE} THEN :d <> 0 WHEN :c > 0 THEN :d & {_LAST_36} <> 0 ELSE FALSE END",
        "scale": f"CASE WHEN :a >= {_WIDE} THEN 0 WHEN :a > 0 THEN -64 WHEN :b >= {_WIDE} THEN -100 "
        f"WHEN :b > 0 THEN -164 WHEN :c >= {_WIDE} THEN -200 WHEN :c > 0 THEN -264 ELSE -300 END",
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
        "digits": "CAST(:digits >> :cut AS BIGINT)",
        "more": f":more OR (:digits & ({_POWER} - 1)) <> 0",
        "scale": ":scale + :cut",
    },
)
# A short sum is one whole number. A division of 128 bits is slow, so the sum is first brought to 92 bits, and divided
# in two digits, the second of 30 bits. The quotient has at least 59 bits for up to 2^32 numbers.
_SHIFT = "CAST(FLOOR(LOG2(CAST(GREATEST(:digits, 1) AS DOUBLE))) AS INTEGER) - 91"
_SHORT_DIVIDE: tuple[Stage, ...] = (
    {"shift": _SHIFT, "n": "CAST(:n AS BIGINT)"},
    {
        "digits": "(:digits >> GREATEST(:shift, 0)) << GREATEST(-:shift, 0)",
        "more": "(:digits & ((CAST(1 AS HUGEINT) << GREATEST(:shift, 0)) - 1)) <> 0",
        "scale": ":scale + :shift",
    },
    {"high": "CAST(:digits >> 30 AS BIGINT)", "low": "CAST(:digits & 1073741823 AS BIGINT)"},
    {"high": ":high // :n", "low": "((:high % :n) << 30) + :low"},
    {"digits": "(CAST(:high AS HUGEINT) << 30) + :low // :n", "more": ":more OR :low % :n <> 0"},
)


def _short(total: str, scale: int) -> tuple[Stage, ...]:
    return ({"minus": f"{total} < 0", "digits": f"ABS({total})", "more": "FALSE", "scale": str(scale)},)


EXACT_SUMS = ExactSums(
    parts={part: text for part, (_, text) in _PARTS.items() if part != "x"},
    ranges={part: within for part, (within, _) in _PARTS.items()},
    grade=_GRADE,
    graded=_GRADED,
    common="w",
    special=_SPECIAL,
    misfit=f"{_counted('misfit')} > 0",
    is_short=":a IS NULL AND :b IS NULL AND :c IS NULL",
    short=_short(":w", -_GRADES[_PLAIN][2]),
    short_whole=_short(":a", 0),
    short_divide=_SHORT_DIVIDE,
    short_after=_LEADING[1:],
    whole="CAST(:x AS HUGEINT)",
    wholes="a",
    digits="CAST(:x * :power AS HUGEINT)",
    long_digits="CAST(REPLACE(CAST(:x AS VARCHAR), '.', '') AS HUGEINT)",
    before=_CARRY,
    divide=_divide(":n"),
    scale=_divide(f"CAST(POW(10, LEAST({_TENS}, :m)) AS HUGEINT)", m=f"GREATEST(0, :m - {_TENS})"),
    tens=_TENS,
    after=_LEADING,
    value="CASE WHEN :minus THEN -1 ELSE 1 END * CAST(:digits | CAST(:more AS BIGINT) AS DOUBLE) "
    "* POW(CAST(2 AS DOUBLE), :scale)",
)
