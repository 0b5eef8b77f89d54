"""Evaluates expressions of on-demand features and of features over windows, with the engine's result to the bit.

An expression is a tree of nested tuples ``(operation, type, *parts)``. ``model.expressions`` writes it with all
conversions explicit, so operands already have the types that :data:`_STRICT` and the functions below expect. NULL is
None. Where the engine would fail (an integer out of its type's range), this raises :class:`EvaluationError`. The reader
imports this module, so it needs the standard library alone.

Leaves: ``("call", type, place)``, ``("column", type, name)``, ``("literal", type, value)``, and in a lambda
``("parameter", type, number)``. ``("lambda", type, body, *numbers)`` is a function of its numbered parameters.
"""

from __future__ import annotations

import math
import operator
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from asknown.types import SqlType, parse_type
from asknown.values import lists, maths, texts, times
from asknown.values.arithmetic import arithmetic, rounding, sqrt
from asknown.values.conversions import LITERALS, cast, try_cast

Evaluate = Callable[[Sequence[Any], Mapping[Any, Any]], Any]
"""Takes the results of the calls, and the hidden as-of columns by name and parameters by number; returns the value."""

Function = Callable[..., Any]


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
            value = literal_value(parse_type(name), parts[0])
            return lambda calls, kept: value
        case "parameter":
            number = parts[0]
            return lambda calls, kept: kept[number]
        case "lambda":
            return _lambda(compile_expression(parts[0], places), parts[1:])
    inner = [compile_expression(part, places) for part in parts]
    if operation in _LAZY:
        return _LAZY[operation](inner)
    types = [parse_type(part[1]) for part in parts]
    if operation in _WITH_NULLS:
        return _with_nulls(_WITH_NULLS[operation](types[0]), inner)
    return _strict(_STRICT[operation](parse_type(name), types), inner)


def literal_value(kind: SqlType, written: Any) -> Any:
    """The value of a literal."""
    read = LITERALS.get(kind.kind)
    return written if read is None or written is None else read(written)


def null_function(operation: str, types: list[SqlType]) -> Function | None:
    """The function of an operation that sees NULLs, from the list of its parts; None for any other operation."""
    return _WITH_NULLS[operation](types[0]) if operation in _WITH_NULLS else None


def strict_function(operation: str, kind: SqlType, types: list[SqlType]) -> Function:
    """The function of an operation that is NULL where a part is NULL, from the values of its parts."""
    return _STRICT[operation](kind, types)


# ---------------------------------------------------------------- evaluation of parts


def _strict(function: Function, inner: list[Evaluate]) -> Evaluate:
    """Calls ``function`` with the parts' values; NULL if one of them is NULL."""
    if len(inner) == 1:
        (only,) = inner

        def one(calls: Sequence[Any], kept: Mapping[Any, Any]) -> Any:
            value = only(calls, kept)
            return None if value is None else function(value)

        return one
    if len(inner) != 2:

        def many(calls: Sequence[Any], kept: Mapping[Any, Any]) -> Any:
            values = [part(calls, kept) for part in inner]
            return None if None in values else function(*values)

        return many
    first, second = inner

    def two(calls: Sequence[Any], kept: Mapping[Any, Any]) -> Any:
        left, right = first(calls, kept), second(calls, kept)
        return None if left is None or right is None else function(left, right)

    return two


def _with_nulls(function: Function, inner: list[Evaluate]) -> Evaluate:
    return lambda calls, kept: function([part(calls, kept) for part in inner])


def _lambda(body: Evaluate, numbers: Sequence[int]) -> Evaluate:
    """The function of a lambda's parameters."""

    def evaluate(calls: Sequence[Any], kept: Mapping[Any, Any]) -> Function:
        return lambda *values: body(calls, {**kept, **dict(zip(numbers, values, strict=True))})

    return evaluate


def _case(inner: list[Evaluate]) -> Evaluate:
    """CASE: the parts are condition, value, condition, value, …, and the ELSE value."""
    pairs = list(zip(inner[:-1:2], inner[1::2], strict=True))
    otherwise = inner[-1]

    def evaluate(calls: Sequence[Any], kept: Mapping[Any, Any]) -> Any:
        for condition, value in pairs:
            if condition(calls, kept):
                return value(calls, kept)
        return otherwise(calls, kept)

    return evaluate


def _coalesce(inner: list[Evaluate]) -> Evaluate:
    def evaluate(calls: Sequence[Any], kept: Mapping[Any, Any]) -> Any:
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
    "list_position": lists.position,
    "list_reduce from": lambda _: lists.reduced_from,
    "struct": lambda _: lists.struct,
    "list": lambda _: list,
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


_STRICT: dict[str, Callable[[SqlType, list[SqlType]], Function]] = {
    **{sign: arithmetic(sign) for sign in ("+", "-", "*", "/", "//", "%", "negative", "abs")},
    **{sign: _compared(sign) for sign in _COMPARE},
    "not": lambda *_: lambda value: not value,
    **{name: rounding(name) for name in ("round", "floor", "ceil", "trunc")},
    "sqrt": lambda *_: sqrt,
    **{name: lambda *_, function=function: function for name, function in maths.DOUBLES.items()},
    "sign": lambda *_: maths.sign,
    "is nan": lambda *_: math.isnan,
    "is infinite": lambda *_: math.isinf,
    "is finite": lambda *_: math.isfinite,
    "cast": cast,
    "try cast": try_cast,
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
    "element": lambda *_: lists.element,
    "slice": lambda *_: lists.part,
    "list_concat": lambda *_: lists.joined,
    "flatten": lambda *_: lists.flattened,
    "list_reverse": lambda *_: lists.reverse,
    "list_sort": lambda _, types: lists.sort(types[0]),
    "list_min": lambda _, types: lists.extreme("min", types[0]),
    "list_max": lambda _, types: lists.extreme("max", types[0]),
    "list_sum": lambda kind, types: lists.total(types[0], kind),
    "exact list_sum": lambda *_: lists.total_of_doubles,
    "list_transform": lambda *_: lists.transformed,
    "list_transform by place": lambda *_: lists.transformed_by_place,
    "list_filter": lambda *_: lists.filtered,
    "list_filter by place": lambda *_: lists.filtered_by_place,
    "list_reduce": lambda *_: lists.reduced,
    "field": lambda *_: dict.get,
}
"""Operations that are NULL if a part is NULL. An entry takes the types of result and parts and returns the function."""
