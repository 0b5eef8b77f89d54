"""Exact sums of floats on Spark, in 64-bit integers, rounded once (rule 5)."""

from __future__ import annotations

from asknown.dialects.dialect import ExactSums, Stage

# A float is cut into whole numbers of at most 36 bits, x = a 2^72 + b 2^36 + c + e / 2^36 + … + j / 2^216; each is the
# remainder of rounding to a multiple of a power of two. Up to 2^27 of each add up in 63 bits, exactly and in any order.
# To turn the sums into a float: carry, so that each is a digit below 2^36; for an average, divide by the count in long
# division; write the digits in hexadecimal, and let the parser of floats round to nearest, ties to even.
SMALLEST = 2.0**-147  # of a smaller number, bits would lie below the last part
LARGEST = 2.0**98  # 2^27 such numbers fit into the first part
_WIDTH = 36
_PARTED = "abcefghij"  # the emitter has a d and an x of its own
_DIGIT = 2**_WIDTH
_PLACES = {name: 72 - _WIDTH * place for place, name in enumerate(_PARTED)}
# The carry out of a, a … j, and two more for what division leaves.
_DIGITS = tuple(f"e{number}" for number in range(12))


def _rounded(place: int) -> str:
    """SQL for a float divided by 2^place and rounded to a whole float."""
    return f"RINT(:x * {2.0**-place!r}D)"


def _part(place: int) -> str:
    more = "" if place == _PLACES["a"] else f" - {float(_DIGIT)!r}D * {_rounded(place + _WIDTH)}"
    return f"CAST({_rounded(place)}{more} AS BIGINT)"


# c is the part of whole numbers too: where it is a decimal, its sum may have up to 38 digits.
_PARTS = {name: _part(_PLACES[name]) for name in _PARTED}
_KEPT = {"n": ":n", "m": ":m"}
_WHOLE = "CAST(:c AS DECIMAL(38, 0))"
_SMALL = f"ABS(:c) < {2**62} OR :c IS NULL"
_SPLIT: Stage = {
    "c": f"COALESCE(CASE WHEN {_SMALL} THEN CAST(:c AS BIGINT) ELSE CAST({_WHOLE} % {_DIGIT} AS BIGINT) END, 0)",
    "b": f"COALESCE(CAST(:b AS BIGINT), 0) + CASE WHEN {_SMALL} THEN 0 ELSE "
    f"CAST((({_WHOLE} - {_WHOLE} % {_DIGIT}) / {_DIGIT}) % {_DIGIT} AS BIGINT) END",
    "a": f"COALESCE(CAST(:a AS BIGINT), 0) + CASE WHEN {_SMALL} THEN 0 ELSE "
    f"CAST(({_WHOLE} - {_WHOLE} % {_DIGIT**2}) / {_DIGIT**2} AS BIGINT) END",
    **{name: f"COALESCE(CAST(:{name} AS BIGINT), 0)" for name in _PARTED[3:]},
    "n": "CAST(:n AS BIGINT)",
    "m": "CAST(:m AS BIGINT)",
}


def _carries(sign: str) -> list[str]:
    """SQL for each part plus the carry from the part below, lowest part first, and last the carry out of the top."""
    found: list[str] = []
    for name in reversed(_PARTED):
        below = f" + SHIFTRIGHT({found[-1]}, {_WIDTH})" if found else ""
        found.append(f"({sign}:{name}{below})")
    return [*found, f"SHIFTRIGHT({found[-1]}, {_WIDTH})"]


_SIGN: Stage = {
    "z": f"CASE WHEN {_carries('')[-1]} < 0 THEN -1 ELSE 1 END",
    **{name: f":{name}" for name in _PARTED},
    **_KEPT,
}
_CARRY: Stage = {
    "z": ":z",
    **{f"e{9 - place}": f"{text} & {_DIGIT - 1}" for place, text in enumerate(_carries(":z * "))},
    "e10": "CAST(0 AS BIGINT)",
    "e11": "CAST(0 AS BIGINT)",
    "more": "FALSE",
    **_KEPT,
}


def _divide(by: str, m: str = ":m") -> Stage:
    """The stages of a long division by a whole number up to 2^27, a digit at a time."""
    quotients: dict[str, str] = {}
    left = ""
    for digit in _DIGITS:
        brought = f"(SHIFTLEFT({left}, {_WIDTH}) + :{digit})" if left else f":{digit}"
        quotients[digit] = f"{brought} DIV {by}"
        left = f"({brought} % {by})"
    return {"z": ":z", **quotients, "more": f":more OR {left} <> 0", "n": ":n", "m": m}


_TENS = 8
_TEN = f"CAST(POW(10D, LEAST({_TENS}, :m)) AS BIGINT)"
_HEX = ", ".join(f"LPAD(HEX(:{digit}), 9, '0')" for digit in _DIGITS)
_VALUE = f"CAST(CONCAT('0x', {_HEX}, CASE WHEN :more THEN '1' ELSE '0' END, 'p-292') AS DOUBLE) * :z"

EXACT_SUMS = ExactSums(
    parts=_PARTS,
    fits=f":x = 0D OR ABS(:x) BETWEEN {SMALLEST!r}D AND {LARGEST!r}D",
    whole="CAST(:x AS DECIMAL(38, 0))",
    wholes="c",
    digits="CAST(:x * :power AS DECIMAL(38, 0))",
    long_digits="CAST(REPLACE(CAST(:x AS STRING), '.', '') AS DECIMAL(38, 0))",
    before=(_SPLIT, _SIGN, _CARRY),
    divide=(_divide(":n"),),
    scale=(_divide(_TEN, m=f"GREATEST(0, :m - {_TENS})"),),
    tens=_TENS,
    value=_VALUE,
)
