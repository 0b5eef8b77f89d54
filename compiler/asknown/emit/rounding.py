"""Sums and averages of floats that are rounded once (DESIGN section 3, rule 5), in DuckDB's 128-bit integers.

A float is cut into three whole numbers: ``x = a + b / 2^100 + c / 2^200``. Whole numbers add up exactly, in any order
and grouping, so the sums of the parts are the exact sum. It becomes a float in stages, each a projection over a list
of structs with one entry for each value:

1. carry, so that 0 <= b, c < 2^100; 2. split off the sign; 3. divide by the count, for an average, as on paper;
4. take the leading digits, and whether anything follows; 5. cut to 60 bits or so, the last of which is set where
anything follows; 6. convert, which the processor rounds to nearest, ties to even, and scale by a power of two.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp, parse_one

from asknown.emit.sql import ident, named, subquery

SMALLEST = 2.0**-147  # of a smaller number, bits would lie below the third part
LARGEST = 2.0**98  # 2^29 such numbers fit into the first part
TENS = 8  # powers of ten that one division takes off: a remainder times 2^100 must fit into 127 bits

_UNIT = "CAST(1267650600228229401496703205376 AS HUGEINT)"  # 2^100
_UNIT_FLOAT = "CAST(1267650600228229401496703205376 AS DOUBLE)"
_REST = f"(:x - TRUNC(:x)) * {_UNIT_FLOAT}"
_PARTS = {
    "a": "CAST(TRUNC(:x) AS HUGEINT)",
    "b": f"CAST(TRUNC({_REST}) AS HUGEINT)",
    "c": f"CAST(TRUNC(({_REST} - TRUNC({_REST})) * {_UNIT_FLOAT}) AS HUGEINT)",
}
_FITS = f"ISFINITE(:x) AND (:x = 0 OR ABS(:x) BETWEEN {SMALLEST!r} AND {LARGEST!r})"


def _carried(value: str) -> str:
    """How many times 2^100 goes into a number, rounded down. Shifts, because dividing 128 bits is slow."""
    return f"CASE WHEN {value} >= 0 THEN {value} >> 100 ELSE -(({_UNIT} - 1 - {value}) >> 100) END"


_LOW = "(s.b <> 0 OR s.c <> 0)"
_CARRY = (
    {"a": "s.a", "b": f"s.b + {_carried('s.c')}", "c": f"s.c - {_UNIT} * ({_carried('s.c')})", "n": "s.n", "m": "s.m"},
    {"a": f"s.a + {_carried('s.b')}", "b": f"s.b - {_UNIT} * ({_carried('s.b')})", "c": "s.c", "n": "s.n", "m": "s.m"},
)
_SIGN = {
    "minus": "s.a < 0",
    "a": f"CASE WHEN s.a < 0 THEN -s.a - CASE WHEN {_LOW} THEN 1 ELSE 0 END ELSE s.a END",
    "b": f"CASE WHEN s.a < 0 AND s.c <> 0 THEN {_UNIT} - 1 - s.b "
    f"WHEN s.a < 0 AND s.b <> 0 THEN {_UNIT} - s.b ELSE s.b END",
    "c": f"CASE WHEN s.a < 0 AND s.c <> 0 THEN {_UNIT} - s.c ELSE s.c END",
    "n": "s.n",
    "m": "s.m",
    "more": "FALSE",
}


def _divide(by: str) -> tuple[dict[str, str], ...]:
    """The stages that divide by an expression of a whole number up to 2^27, as on paper: a digit of 2^100 at a time."""
    kept = {"minus": "s.minus", "n": "s.n", "m": "s.m"}
    one = f"CASE WHEN {by} = 1 THEN"
    middle = f"((s.a % {by}) * {_UNIT} + s.b)"
    last = f"(s.r * {_UNIT} + s.c)"
    return (
        {
            **kept,
            "a": f"{one} s.a ELSE s.a // {by} END",
            "b": f"{one} s.b ELSE {middle} // {by} END",
            "r": f"{one} 0 ELSE {middle} % {by} END",
            "c": "s.c",
            "more": "s.more",
        },
        {
            **kept,
            "a": "s.a",
            "b": "s.b",
            "c": f"{one} s.c ELSE {last} // {by} END",
            "more": f"{one} s.more ELSE s.more OR {last} % {by} <> 0 END",
        },
    )


_WIDE = "CAST(4611686018427387904 AS HUGEINT)"  # 2^62: enough digits already
_LAST_36 = "CAST(68719476735 AS HUGEINT)"
_LEADING = {
    "minus": "s.minus",
    "digits": f"CASE WHEN s.a >= {_WIDE} THEN s.a "
    "WHEN s.a > 0 THEN (s.a << 64) + (s.b >> 36) "
    f"WHEN s.b >= {_WIDE} THEN s.b "
    "WHEN s.b > 0 THEN (s.b << 64) + (s.c >> 36) "
    "ELSE s.c END",
    "more": f"s.more OR CASE WHEN s.a >= {_WIDE} THEN {_LOW} "
    f"WHEN s.a > 0 THEN s.b & {_LAST_36} <> 0 OR s.c <> 0 "
    f"WHEN s.b >= {_WIDE} THEN s.c <> 0 "
    f"WHEN s.b > 0 THEN s.c & {_LAST_36} <> 0 ELSE FALSE END",
    "scale": f"CASE WHEN s.a >= {_WIDE} THEN 0 WHEN s.a > 0 THEN -64 WHEN s.b >= {_WIDE} THEN -100 "
    "WHEN s.b > 0 THEN -164 ELSE -200 END",
}
_LENGTH = {
    "minus": "s.minus",
    "digits": "s.digits",
    "more": "s.more",
    "scale": "s.scale",
    "cut": "CAST(GREATEST(0, FLOOR(LOG2(CAST(GREATEST(s.digits, 1) AS DOUBLE))) - 60) AS INTEGER)",
}
_POWER = "(CAST(1 AS HUGEINT) << s.cut)"
_CUT = {
    "minus": "s.minus",
    "digits": "s.digits >> s.cut",
    "more": f"s.more OR (s.digits & ({_POWER} - 1)) <> 0",
    "scale": "s.scale + s.cut",
}
_FLOAT = (
    "CASE WHEN s.minus THEN -1 ELSE 1 END * CAST(CAST(s.digits + "
    "CASE WHEN s.more AND s.digits % 2 = 0 THEN 1 ELSE 0 END AS BIGINT) AS DOUBLE) * POW(CAST(2 AS DOUBLE), s.scale)"
)


def float_parts(value: exp.Expr) -> dict[str, exp.Expr]:
    """The whole numbers a, b and c of a float; NULL where it is no number that fits."""
    return {
        part: exp.Case(ifs=[exp.If(this=fill(_FITS, x=value), true=fill(text, x=value))])
        for part, text in _PARTS.items()
    }


def misfits(value: exp.Expr) -> exp.Expr:
    """Whether a float is finite and too large or too small to be added exactly."""
    return fill(f"ISFINITE(:x) AND NOT ({_FITS})", x=value)


@dataclass(frozen=True)
class ExactSum:
    """What one value is rounded from: the sums of the three parts, and whole numbers to divide by."""

    a: exp.Expr
    b: exp.Expr
    c: exp.Expr
    count: exp.Expr | None  # None: the sum itself
    scale: int  # of a decimal: it is divided by 10^scale too

    def struct(self) -> exp.Expr:
        """The value's entry in the list that :func:`round_sums` works on."""
        huge = {"a": self.a, "b": self.b, "c": self.c, "n": self.count or exp.Literal.number(1)}
        huge["m"] = exp.Literal.number(self.scale)
        return _struct({name: exp.cast(value, "INT128") for name, value in huge.items()})


def round_sums(query: exp.Select, name: str, *, divide: bool, scale: int) -> exp.Select:
    """``query`` with its list ``name`` of :class:`ExactSum` structs turned into a list of floats.

    ``divide`` where one of them is an average; ``scale`` is the greatest of theirs.
    """
    stages = [*_CARRY, _SIGN]
    if divide:
        stages += _divide("s.n")
    for taken in range(0, scale, TENS):
        stages += _divide(f"CAST(POW(10, LEAST({TENS}, GREATEST(0, s.m - {taken}))) AS HUGEINT)")
    for stage in (*stages, _LEADING, _LENGTH, _CUT):
        query = _project(query, name, _struct({key: fill(text) for key, text in stage.items()}))
    return _project(query, name, fill(_FLOAT))


def fill(text: str, **values: exp.Expr) -> exp.Expr:
    """The expression that ``text`` spells, with ``:name`` standing for each of ``values``."""

    def put(node: exp.Expr) -> exp.Expr:
        return values[node.name].copy() if isinstance(node, exp.Placeholder) and node.name in values else node

    return parse_one(text, read="duckdb").transform(put)


def _project(query: exp.Select, name: str, each: exp.Expr) -> exp.Select:
    function = exp.Lambda(this=each, expressions=[exp.to_identifier("s")], colon=True)
    listed = exp.Anonymous(this="list_transform", expressions=[exp.column(ident(name)), function])
    star = exp.Star(except_=[ident(name)])
    return exp.select(star, named(listed, name)).from_(subquery(query, "sums"))


def _struct(values: dict[str, exp.Expr]) -> exp.Expr:
    return exp.Struct(
        expressions=[exp.PropertyEQ(this=exp.to_identifier(name), expression=value) for name, value in values.items()]
    )
