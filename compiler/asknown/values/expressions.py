"""Evaluates expressions of on-demand features and of features over windows, with the engine's result to the bit.

An expression is a tree of nested tuples ``(operation, type, *parts)``. ``model.expressions`` writes it with all
conversions explicit, so operands already have the types that :data:`_STRICT` and the functions below expect. NULL is
None. Where the engine would fail (an integer out of its type's range), this raises :class:`EvaluationError`. The reader
imports this module, so it needs the standard library alone.

Leaves: ``("call", type, place)``, ``("column", type, name)``, ``("literal", type, value)``.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import Any

from asknown.types import SqlType, parse_type
from asknown.values import maths, texts, times
from asknown.values.errors import EvaluationError

Evaluate = Callable[[Sequence[Any], Mapping[str, Any]], Any]
"""Takes the results of the calls, and the hidden as-of columns by name; returns the value."""

Function = Callable[..., Any]

_WIDE = Context(prec=200)


def compile_expression(tree: Any, places: Mapping[int, int]) -> Evaluate:
    """The function that evaluates ``tree``. ``places`` maps each call to the position of its result."""
    operation, name, *parts = tree
    match operation:
        case "call":
            place = places[parts[0]]
            return lambda calls, kept: calls[place]
        case "column":
            column = parts[0]
            return lambda calls, kept: kept[column]
        case "literal":
            read = _LITERALS.get(parse_type(name).kind)
            value = parts[0] if read is None or parts[0] is None else read(parts[0])
            return lambda calls, kept: value
    inner = [compile_expression(part, places) for part in parts]
    if operation in _LAZY:
        return _LAZY[operation](inner)
    types = [parse_type(part[1]) for part in parts]
    if operation in _WITH_NULLS:
        return _with_nulls(_WITH_NULLS[operation](types[0]), inner)
    return _strict(_STRICT[operation](parse_type(name), types), inner)


# ---------------------------------------------------------------- evaluation of parts


def _strict(function: Function, inner: list[Evaluate]) -> Evaluate:
    """Calls ``function`` with the parts' values; NULL if one of them is NULL."""
    if len(inner) == 1:
        (only,) = inner

        def one(calls: Sequence[Any], kept: Mapping[str, Any]) -> Any:
            value = only(calls, kept)
            return None if value is None else function(value)

        return one
    if len(inner) != 2:

        def many(calls: Sequence[Any], kept: Mapping[str, Any]) -> Any:
            values = [part(calls, kept) for part in inner]
            return None if None in values else function(*values)

        return many
    first, second = inner

    def two(calls: Sequence[Any], kept: Mapping[str, Any]) -> Any:
        left, right = first(calls, kept), second(calls, kept)
        return None if left is None or right is None else function(left, right)

    return two


def _with_nulls(function: Function, inner: list[Evaluate]) -> Evaluate:
    return lambda calls, kept: function([part(calls, kept) for part in inner])


def _case(inner: list[Evaluate]) -> Evaluate:
    """CASE: the parts are condition, value, condition, value, …, and the ELSE value."""
    pairs = list(zip(inner[:-1:2], inner[1::2], strict=True))
    otherwise = inner[-1]

    def evaluate(calls: Sequence[Any], kept: Mapping[str, Any]) -> Any:
        for condition, value in pairs:
            if condition(calls, kept):
                return value(calls, kept)
        return otherwise(calls, kept)

    return evaluate


def _coalesce(inner: list[Evaluate]) -> Evaluate:
    def evaluate(calls: Sequence[Any], kept: Mapping[str, Any]) -> Any:
        for part in inner:
            value = part(calls, kept)
            if value is not None:
                return value
        return None

    return evaluate


def _nullif(inner: list[Evaluate]) -> Evaluate:
    """NULLIF: the first part, or NULL if the second, a condition, is true."""
    value, equal = inner
    return lambda calls, kept: None if equal(calls, kept) else value(calls, kept)


_LAZY: dict[str, Callable[[list[Evaluate]], Evaluate]] = {"case": _case, "coalesce": _coalesce, "nullif": _nullif}


# ---------------------------------------------------------------- functions that see NULL


def _and(values: list[Any]) -> bool | None:
    if False in values:
        return False
    return None if None in values else True


def _or(values: list[Any]) -> bool | None:
    if True in values:
        return True
    return None if None in values else False


def _is_null(values: list[Any]) -> bool:
    return values[0] is None


def _distinct(kind: SqlType) -> Function:
    equal = _comparison("=", kind)

    def differ(values: list[Any]) -> bool:
        left, right = values
        return (left is None) != (right is None) if left is None or right is None else not equal(left, right)

    return differ


def _pick(kind: SqlType, better: str) -> Function:
    """The least or greatest of the non-NULL values; the first one if several are equal."""
    beats = _comparison(better, kind)

    def pick(values: list[Any]) -> Any:
        best = None
        for value in values:
            if value is not None and (best is None or beats(value, best)):
                best = value
        return best

    return pick


def _list_contains(kind: SqlType) -> Function:
    """NULL of a NULL list, and of a NULL value but in an empty list."""
    assert kind.element is not None
    rank = _rank if kind.element.kind == "float" else None

    def contains(parts: list[Any]) -> bool | None:
        values, value = parts
        if not values:
            return None if values is None else False
        if value is None:
            return None
        if rank is None:
            return value in values
        return rank(value) in [None if item is None else rank(item) for item in values]

    return contains


_WITH_NULLS: dict[str, Callable[[SqlType], Function]] = {
    "and": lambda _: _and,
    "or": lambda _: _or,
    "is null": lambda _: _is_null,
    "is distinct": _distinct,
    "concat": lambda _: texts.concatenate,
    "list_contains": _list_contains,
    "least": lambda kind: _pick(kind, "<"),
    "greatest": lambda kind: _pick(kind, ">"),
}


# ---------------------------------------------------------------- comparisons


_COMPARE: dict[str, Function] = {
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
}


def _comparison(operation: str, kind: SqlType) -> Function:
    compare = _COMPARE[operation]
    if kind.kind != "float":
        return compare
    return lambda a, b: compare(_rank(a), _rank(b))


def _compared(operation: str) -> Callable[[SqlType, list[SqlType]], Function]:
    return lambda _, types: _comparison(operation, types[0])


def _rank(value: float) -> tuple[bool, float]:
    """NaN is equal to itself and greater than every number."""
    return (True, 0.0) if value != value else (False, value)  # noqa: PLR0124


# ---------------------------------------------------------------- arithmetic


def _arithmetic(operation: str) -> Callable[[SqlType, list[SqlType]], Function]:
    def choose(kind: SqlType, _: list[SqlType]) -> Function:
        if kind.kind == "float":
            return _FLOATS[operation]
        plain = (_DECIMALS if kind.kind == "decimal" else _INTEGERS)[operation]
        check = _checked(kind)
        return lambda *operands: check(plain(*operands))

    return choose


def _checked(kind: SqlType) -> Function:
    """A function that returns an integer or decimal unchanged, and raises an error if this type cannot hold it."""
    if kind.kind == "decimal":
        low, high = -(Decimal(10) ** (kind.precision - kind.scale)), Decimal(10) ** (kind.precision - kind.scale)

        def check_decimal(value: Decimal) -> Decimal:
            if low < value < high:
                return value if value else value.copy_abs()  # a decimal zero has no sign
            raise EvaluationError(f"{value} is out of the range of {kind}")

        return check_decimal
    least = -(2 ** (kind.bits - 1)) if kind.signed else 0
    most = 2 ** (kind.bits - kind.signed) - 1

    def check(value: int) -> int:
        if least <= value <= most:
            return value
        raise EvaluationError(f"{value} is out of the range of {kind}")

    return check


def _divide(a: float, b: float) -> float:
    if b:
        return a / b
    if not a or a != a:  # noqa: PLR0124
        return math.nan
    return math.copysign(math.inf, a) * math.copysign(1.0, b)


def _divide_whole(a: int, b: int) -> int:
    """The quotient of whole numbers, rounded towards zero."""
    if not b:
        raise EvaluationError(f"{a} // 0")
    whole = abs(a) // abs(b)
    return whole if (a < 0) == (b < 0) else -whole


def _remainder(a: int, b: int) -> int:
    """The remainder, with the sign of the dividend."""
    if not b:
        raise EvaluationError(f"{a} % 0")
    left = abs(a) % abs(b)
    return -left if a < 0 else left


def _remainder_floats(a: float, b: float) -> float:
    return math.nan if math.isinf(a) or not b else math.fmod(a, b)


_INTEGERS: dict[str, Function] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "//": _divide_whole,
    "%": _remainder,
    "negative": lambda a: -a,
    "abs": abs,
}
_FLOATS: dict[str, Function] = {
    "+": lambda a, b: a + b,
    "-": lambda a, b: a - b,
    "*": lambda a, b: a * b,
    "/": _divide,
    "%": _remainder_floats,
    "negative": lambda a: -a,
    "abs": abs,
}
_DECIMALS: dict[str, Function] = {
    "+": _WIDE.add,
    "-": _WIDE.subtract,
    "*": _WIDE.multiply,
    "negative": lambda a: _WIDE.subtract(0, a),  # no zero with a sign
    "abs": _WIDE.abs,
}


# ---------------------------------------------------------------- rounding


def _round(value: float) -> float:
    """The nearest whole number; halves are rounded away from zero."""
    if not math.isfinite(value) or abs(value) >= 2**52:
        return value
    whole = math.floor(abs(value))
    return math.copysign(float(whole + (abs(value) - whole >= 0.5)), value)


def _round_places(value: float, places: int) -> float:
    """``round(value * power) / power`` for a power of ten, each step in doubles, as in the SQL that we emit."""
    power = 10.0**places
    rounded = _round(value * power) / power
    return rounded if math.isfinite(rounded) else value


def _floor(value: float) -> float:
    return math.copysign(float(math.floor(value)), value) if math.isfinite(value) else value


def _ceil(value: float) -> float:
    return math.copysign(float(math.ceil(value)), value) if math.isfinite(value) else value


def _sqrt(value: float) -> float:
    return math.nan if value < 0 else math.sqrt(value)


# ---------------------------------------------------------------- conversions


def _cast(kind: SqlType, types: list[SqlType]) -> Function:
    return _CASTS[types[0].kind, kind.kind](types[0], kind)


def _try_cast(kind: SqlType, types: list[SqlType]) -> Function:
    """The conversion that gives NULL where there is no value."""
    convert = _cast(kind, types)

    def attempt(value: Any) -> Any:
        try:
            return convert(value)
        except EvaluationError:
            return None

    return attempt


def _read(kind: SqlType, read: Callable[[str], Any]) -> Function:
    """The conversion of text by a function that gives None for a text that says nothing of the type."""

    def convert(text: str) -> Any:
        value = read(text)
        if value is None:
            raise EvaluationError(f"{text[:40]!r} cannot be read as {kind}")
        return value

    return convert


def _text_to_integer(_: SqlType, kind: SqlType) -> Function:
    read, check = _read(kind, texts.read_integer), _checked(kind)
    return lambda text: check(read(text))


def _decimal_to_text(given: SqlType, _: SqlType) -> Function:
    """All places; without the zero before the point where the type has no place for it."""
    if given.precision > given.scale:
        return lambda value: format(value, "f")
    return lambda value: format(value, "f").replace("0.", ".", 1)


def _to_integer(_: SqlType, kind: SqlType) -> Function:
    check = _checked(kind)
    return lambda value: check(int(value))


def _float_to_integer(_: SqlType, kind: SqlType) -> Function:
    check = _checked(kind)

    def convert(value: float) -> int:
        """The nearest value of the type; halves are rounded to even."""
        if not math.isfinite(value):
            raise EvaluationError(f"{value} is out of the range of {kind}")
        return int(check(round(value)))

    return convert


def _to_float(*_: SqlType) -> Function:
    return float


def _to_decimal(source: SqlType, kind: SqlType) -> Function:
    check = _checked(kind)
    unit = Decimal((0, (1,), -kind.scale))
    if source.kind == "integer":
        return lambda value: check(Decimal(value).quantize(unit, context=_WIDE))
    return lambda value: check(value.quantize(unit, rounding=ROUND_HALF_UP, context=_WIDE))


def _decimal_to_integer(_: SqlType, kind: SqlType) -> Function:
    check = _checked(kind)
    return lambda value: check(int(value.to_integral_value(rounding=ROUND_HALF_UP, context=_WIDE)))


_CASTS: dict[tuple[str, str], Callable[[SqlType, SqlType], Function]] = {
    ("integer", "integer"): _to_integer,
    ("boolean", "integer"): _to_integer,
    ("float", "integer"): _float_to_integer,
    ("decimal", "integer"): _decimal_to_integer,
    ("integer", "float"): _to_float,
    ("boolean", "float"): _to_float,
    ("decimal", "float"): _to_float,
    ("float", "float"): _to_float,
    ("integer", "decimal"): _to_decimal,
    ("decimal", "decimal"): _to_decimal,
    ("integer", "boolean"): lambda *_: bool,
    ("integer", "text"): lambda *_: str,
    ("boolean", "text"): lambda *_: lambda value: "true" if value else "false",
    ("decimal", "text"): _decimal_to_text,
    ("date", "text"): lambda *_: date.isoformat,
    ("text", "integer"): _text_to_integer,
    ("text", "float"): lambda _, kind: _read(kind, texts.read_float),
    ("date", "timestamp"): lambda *_: times.midnight,
    ("timestamp", "date"): lambda *_: datetime.date,
}

_LITERALS: dict[str, Function] = {
    "decimal": Decimal,
    "float": float,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
}


def _round_any(name: str) -> Callable[[SqlType, list[SqlType]], Function]:
    def choose(kind: SqlType, types: list[SqlType]) -> Function:
        if types[0].kind == "decimal":
            return maths.decimal_rounding(name, kind.scale)
        if name == "round" and len(types) > 1:
            return _round_places
        return {"round": _round, "floor": _floor, "ceil": _ceil, "trunc": maths.truncate}[name]

    return choose


_STRICT: dict[str, Callable[[SqlType, list[SqlType]], Function]] = {
    **{sign: _arithmetic(sign) for sign in ("+", "-", "*", "/", "//", "%", "negative", "abs")},
    **{sign: _compared(sign) for sign in _COMPARE},
    "not": lambda *_: lambda value: not value,
    **{name: _round_any(name) for name in ("round", "floor", "ceil", "trunc")},
    "sqrt": lambda *_: _sqrt,
    **{name: lambda *_, function=function: function for name, function in maths.DOUBLES.items()},
    "sign": lambda *_: maths.sign,
    "is nan": lambda *_: math.isnan,
    "is infinite": lambda *_: math.isinf,
    "is finite": lambda *_: math.isfinite,
    "cast": _cast,
    "try cast": _try_cast,
    # text
    "lower": lambda *_: texts.lower,
    "upper": lambda *_: texts.upper,
    "length": lambda *_: len,
    "substr": lambda *_: texts.substring,
    "left": lambda *_: texts.left,
    "right": lambda *_: texts.right,
    "split_part": lambda *_: texts.split_part,
    **{f"trim {side}": lambda *_, side=side: texts.trim(side) for side in ("both", "left", "right")},
    "contains": lambda *_: lambda text, part: part in text,
    "starts_with": lambda *_: str.startswith,
    "ends_with": lambda *_: str.endswith,
    "replace": lambda *_: texts.replace,
    "like": lambda *_: texts.like,
    "||": lambda *_: operator.add,
    # times
    **{f"difference in {unit}s": lambda *_, unit=unit: times.difference(unit) for unit in times.DIFFERENCES},
    **{f"{part} of": lambda *_, part=part: times.PARTS[part] for part in times.PARTS},
    **{f"cut to {unit}": lambda *_, unit=unit: times.cut(unit) for unit in times.CUTS},
    "seconds between": lambda *_: times.seconds_between,
    "days between": lambda *_: times.days_between,
    "add days": lambda *_: times.add_days,
    "add interval": lambda *_: times.add_interval,
    "epoch": lambda *_: times.epoch,
    "epoch_us": lambda *_: times.to_micros,
    "epoch_ms": lambda *_: times.epoch_ms,
    "in utc": lambda *_: times.in_utc,
    # lists and structs
    "field": lambda *_: dict.get,
}
"""Operations that are NULL if a part is NULL. An entry takes the types of result and parts and returns the function."""
