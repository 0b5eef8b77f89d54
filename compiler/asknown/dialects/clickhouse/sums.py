"""Exact sums of floats on ClickHouse, in Int256, rounded once (rule 5)."""

from __future__ import annotations

from asknown.dialects.dialect import ExactSums

SMALLEST = 2.0**-147
LARGEST = 2.0**98

# A float is cut at 2^20: numbers below are counted in 2^-200 (part b), the others in 2^-32 (part a), so that neither a
# number nor 2^27 of them need more than 256 bits. toInt256(float) is not exact, so the bits are taken apart by hand.
_BITS = "reinterpretAsInt64(:x)"
_EXPONENT = "toInt32(bitAnd(bitShiftRight(reinterpretAsUInt64(:x), 52), 2047))"
_MANTISSA = f"toInt256(bitOr(bitAnd({_BITS}, 4503599627370495), 4503599627370496))"  # 2^52 - 1, 2^52
_SIGN = f"if({_BITS} < 0, -1, 1)"
_FITS = f"isFinite(:x) AND (:x = 0 OR abs(:x) BETWEEN {SMALLEST!r} AND {LARGEST!r})"
# A product of decimals keeps the wider one's digits; 10^23 and the like are floats as literals, and texts are exact.
_DIGITS = "bitShiftLeft(toInt256(toDecimal256(:x, 38) * toDecimal256(toString(:power), 0)), 32)"
_168 = "bitShiftLeft(toInt256(1), 168)"  # what the units of a and b are apart
_2_85 = "bitShiftLeft(toInt256(1), 85)"  # from here on, b only says whether anything follows

EXACT_SUMS = ExactSums(
    parts={
        "a": f"{_SIGN} * bitShiftLeft({_MANTISSA}, greatest({_EXPONENT} - 1043, 0))",
        "b": f"if(:x = 0, toInt256(0), {_SIGN} * bitShiftLeft({_MANTISSA}, greatest({_EXPONENT} - 875, 0)))",
    },
    ranges={"a": f"{_FITS} AND abs(:x) >= 1048576", "b": f"{_FITS} AND abs(:x) < 1048576"},
    fits=_FITS,
    whole="bitShiftLeft(toInt256(:x), 32)",
    wholes="a",
    digits=_DIGITS,
    long_digits=_DIGITS,
    before=(
        {"a": "ifNull(:a, toInt256(0))", "b": "ifNull(:b, toInt256(0))", "n": ":n", "m": ":m"},
        {
            "digits": f"if(abs(:a) < {_2_85}, :a * {_168} + :b, :a + bitShiftRight(:b, 168))",
            "more": f"abs(:a) >= {_2_85} AND bitAnd(:b, {_168} - 1) <> 0",
            "scale": f"if(abs(:a) < {_2_85}, -200, -32)",
            "n": ":n",
            "m": ":m",
        },
        {
            "minus": ":digits < 0",
            "digits": "if(:digits < 0, -:digits - toInt256(:more), :digits)",
            "more": ":more",
            "scale": ":scale",
            "n": ":n",
            "m": ":m",
        },
    ),
    divide=(
        {
            "minus": ":minus",
            "digits": ":digits",
            "more": ":more",
            "scale": ":scale",
            "cut": "if(:more OR :digits = 0, 0, greatest(0, 250 - toInt32(floor(log2(toFloat64(:digits))))))",
            "n": "bitShiftRight(:n, 32) * toInt256(concat('1', repeat('0', toUInt32(bitShiftRight(:m, 32)))))",
        },
        {
            "minus": ":minus",
            "digits": "intDiv(bitShiftLeft(:digits, :cut), :n)",
            "more": ":more OR bitShiftLeft(:digits, :cut) % :n <> 0",
            "scale": ":scale - :cut",
        },
    ),
    after=(
        {
            "minus": ":minus",
            "digits": ":digits",
            "more": ":more",
            "scale": ":scale",
            "cut": "greatest(0, toInt32(floor(log2(toFloat64(greatest(:digits, toInt256(1)))))) - 60)",
        },
        {
            "minus": ":minus",
            "digits": "bitShiftRight(:digits, :cut)",
            "more": ":more OR bitAnd(:digits, bitShiftLeft(toInt256(1), :cut) - 1) <> 0",
            "scale": ":scale + :cut",
        },
    ),
    value="if(:minus, -1, 1) * toFloat64(toInt64(:digits + toInt256(:more AND :digits % 2 = 0))) * exp2(:scale)",
)
