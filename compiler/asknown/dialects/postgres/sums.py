"""Floats on Postgres: added exactly, and rounded once.

Floats are added as NUMERIC, which is exact for any number of digits. CAST(float AS NUMERIC) keeps 15 digits only, so a
float is first cut at powers of two into whole numbers, whose NUMERIC sum is the float to the last digit. The cast from
NUMERIC to DOUBLE PRECISION reads the decimal digits and is correctly rounded.

A quotient is computed to 60, 130 or 290 decimals, enough to differ from every number halfway between two floats. One
more digit records whether the quotient has a remainder, so the cast rounds these digits as it would the quotient.
"""

from __future__ import annotations

from asknown.dialects.dialect import ExactSums, Stage

SMALLEST = 2.0**-147
LARGEST = 2.0**98


def _float(value: float) -> str:
    return f"CAST('{value!r}' AS DOUBLE PRECISION)"


def _power(exponent: int) -> str:
    """The decimal digits of 2^exponent."""
    if exponent >= 0:
        return str(2**exponent)
    return "0." + str(5**-exponent).rjust(-exponent, "0")


def _piece(above: int | None, unit: int) -> str:
    """SQL for the bits of a float from 2^unit up to, and without, 2^above."""
    rest = ":x" if above is None else f"(:x - TRUNC(:x * {_float(2.0**-above)}) * {_float(2.0**above)})"
    return f"CAST(CAST(TRUNC({rest} * {_float(2.0**-unit)}) AS BIGINT) AS NUMERIC) * {_power(unit)}"


_WIDE = _float(2.0**62)
_WHOLE = "CAST(CAST(TRUNC(:x) AS BIGINT) AS NUMERIC)"
_FRACTION = f"CAST(CAST((:x - TRUNC(:x)) * {_WIDE} AS BIGINT) AS NUMERIC) * {_power(-62)}"
_PIECES = " + ".join((_piece(None, 40), *(_piece(above, above - 60) for above in (40, -20, -80, -140))))
EXACT = (
    f"CASE WHEN :x = TRUNC(:x) AND ABS(:x) < {_WIDE} THEN {_WHOLE} "
    f"WHEN ABS(:x) BETWEEN {_float(2.0**-9)} AND {_WIDE} THEN {_WHOLE} + {_FRACTION} ELSE {_PIECES} END"
)
FITS = f":x = 0 OR ABS(:x) BETWEEN {_float(SMALLEST)} AND {_float(LARGEST)}"
ODD = "NOT ABS(:x) < CAST('Infinity' AS DOUBLE PRECISION)"  # NaN is the greatest here
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

EXACT_SUMS = ExactSums(
    parts={"a": EXACT},
    fits=FITS,
    whole="CAST(:x AS NUMERIC)",
    wholes="a",
    digits="CAST(:x AS NUMERIC) * :power",
    long_digits="CAST(:x AS NUMERIC) * :power",
    after=_QUOTIENT,
    value="CAST(CONCAT(:digits, CASE WHEN :more THEN '5e-' ELSE '0e-' END, :cut + 1) AS DOUBLE PRECISION)",
)
