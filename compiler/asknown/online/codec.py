"""Converts values to their stored form, and back without any change. All backends exchange values in this form.

| kind                   | SQLite  | as                                                               |
|------------------------|---------|------------------------------------------------------------------|
| boolean                | INTEGER | 0, 1                                                             |
| integer                | INTEGER | or TEXT digits, where the type does not fit in 64 signed bits    |
| float                  | ANY     | REAL, and the text 'NaN': SQLite would turn a NaN into NULL      |
| decimal                | TEXT    | all digits of the scale: '1.50'                                  |
| text, uuid             | TEXT    |                                                                  |
| blob                   | BLOB    |                                                                  |
| date, time             | TEXT    | '2013-01-31', '23:59:59.000000'                                  |
| timestamp, timestamptz | TEXT    | UTC, always 26 characters, so that text order is time order      |
| list, struct           | TEXT    | JSON; decimals and times as strings, NaN and Infinity as tokens  |

The reader imports this module, so it needs the standard library alone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, time
from math import isnan
from typing import Any

from asknown.types import Kind, SqlType

Convert = Callable[[Any], Any]
ConvertColumn = Callable[[Sequence[Any]], list[Any]]


def spell_instant(moment: datetime) -> str:
    """The text of a UTC instant in the table; a naive one is in UTC already."""
    if moment.tzinfo is not None:
        moment = moment.astimezone(UTC).replace(tzinfo=None)
    return moment.isoformat(" ", "microseconds")


def read_instant(text: str) -> datetime:
    """The aware UTC instant of a text in the table; a date means its midnight."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def decoder(kind: SqlType) -> Convert | None:
    """A function from a stored value, never NULL, to the Python value of its type; None if they are the same."""
    if kind.kind in ("list", "struct"):
        inner = _from_json(kind)
        return json.loads if inner is None else lambda text: inner(json.loads(text))
    if kind.is_wide:
        return int
    return _find_decoder(kind.kind)


def stored_key(kind: SqlType, canonical: Convert) -> Convert:
    """``canonical`` followed by the stored form of the key that it gives; None stays None."""
    store = str if kind.is_wide else _find_key_form(kind.kind)
    if store is None:
        return canonical

    def encode(value: Any) -> Any:
        key = canonical(value)
        return None if key is None else store(key)

    return encode


def stored_value(kind: SqlType) -> Convert | None:
    """A function from a Python value of this type, never None, to its stored form; None if they are the same."""
    if kind.kind in ("list", "struct"):
        return json_encoder(kind)
    if kind.kind == "integer":
        return str if kind.is_wide else None
    if kind.kind == "decimal":
        return _decimal_speller(kind.scale)
    return _STORE.get(kind.kind)


def _decimal_speller(scale: int) -> Convert:
    """The function that spells a decimal with all digits of its scale."""
    from decimal import Context, Decimal

    places, context = Decimal(1).scaleb(-scale), Context(prec=80)

    def spell(value: Decimal) -> str:
        exact = context.quantize(value, places)
        return format(exact if exact else abs(exact), "f")  # a zero has no sign

    return spell


def _store_float(value: float) -> Any:
    return "NaN" if isnan(value) else value


def _find_key_form(kind: Kind) -> Convert | None:
    return int if kind == "boolean" else _JSON_LEAF_IN[kind] if kind in _KEYS_AS_IN_JSON else None


def orders_as_stored(kind: SqlType) -> bool:
    """Whether the stored values of this type are ordered as the values."""
    return not (kind.kind in ("float", "decimal", "list", "struct") or kind.is_wide or kind.is_enum)


def stored_comparison(kind: SqlType) -> Callable[[Any, Any], int]:
    """The function from two stored values, neither NULL, to a number below, equal to or above 0."""
    from asknown.values.order import comparison, signs_last  # only writers compare

    decode, compare = decoder(kind), comparison(kind)
    if kind.kind in ("float", "list", "struct"):
        compare = signs_last(compare)
    if decode is None:
        return compare
    return lambda left, right: compare(decode(left), decode(right))


def column_decoder(kind: SqlType) -> ConvertColumn | None:
    """The same for many stored values, NULLs among them."""
    decode = decoder(kind)
    if decode is None:
        return None
    if kind.kind == "float":
        return _decode_floats
    return lambda column: [None if v is None else decode(v) for v in column]


def _decode_floats(column: Sequence[Any]) -> list[Any]:
    """Doubles are stored as they are, and only a NaN as text."""
    if str not in set(map(type, column)):
        return list(column)
    return [v if v is None or type(v) is float else float(v) for v in column]


def full_column_decoder(kind: SqlType) -> Callable[[Sequence[Any], set[type]], Sequence[Any]]:
    """The function from stored values, none of them NULL, and the set of their Python types, to the values."""
    decode = decoder(kind)
    if decode is None:
        return lambda column, _: column
    if kind.kind == "float":  # a double is stored as it is, and only a NaN as text
        return lambda column, types: list(map(float, column)) if str in types else column
    return lambda column, _: list(map(decode, column))


def json_encoder(kind: SqlType) -> Callable[[Any], str]:
    """The function from a Python list or dict of this type to the JSON text that is stored."""
    inner = _to_json(kind)
    dump = json.JSONEncoder(ensure_ascii=False).encode
    return dump if inner is None else lambda value: dump(inner(value))


def _find_decoder(kind: Kind) -> Convert | None:
    """The decoder of a plain type. It imports rarely needed modules only when needed, so that a reader starts fast."""
    if kind == "decimal":
        from decimal import Decimal

        return Decimal
    if kind == "uuid":
        from uuid import UUID

        return UUID
    return _DECODE.get(kind)


def _decode_float(stored: Any) -> float:
    return float(stored)  # 'NaN', too


def _decode_naive(text: str) -> datetime:
    return datetime.fromisoformat(text)


_DECODE: dict[Kind, Convert] = {
    "boolean": bool,
    "float": _decode_float,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timestamp": _decode_naive,
    "timestamptz": read_instant,
}

# Leaves inside JSON. What JSON holds exactly as it is (integers of any size, floats by repr, text) needs no entry.
_JSON_LEAF_IN: dict[Kind, Convert] = {
    "decimal": lambda v: format(v, "f"),
    "uuid": str,
    "blob": bytes.hex,
    "date": date.isoformat,
    "time": lambda v: v.isoformat("microseconds"),
    "timestamp": spell_instant,
    "timestamptz": spell_instant,
}
_KEYS_AS_IN_JSON: frozenset[Kind] = frozenset({"decimal", "uuid", "date", "timestamp", "timestamptz"})
_STORE: dict[Kind, Convert] = {
    "boolean": int,
    "float": _store_float,
    "uuid": str,
    "date": date.isoformat,
    "time": _JSON_LEAF_IN["time"],
    "timestamp": spell_instant,
    "timestamptz": spell_instant,
}
_JSON_AS_STORED: frozenset[Kind] = frozenset({"decimal", "uuid", "date", "time", "timestamp", "timestamptz"})
"""Leaves that JSON spells as a column of their type does."""


def _to_json(kind: SqlType) -> Convert | None:
    leaves: dict[Kind, Convert] = {**_JSON_LEAF_IN, "integer": int} if kind.is_wide else _JSON_LEAF_IN
    return _nested(kind, _to_json, leaves.get(kind.kind))


def _from_json(kind: SqlType) -> Convert | None:
    if kind.kind == "blob":
        return bytes.fromhex
    return _nested(kind, _from_json, _find_decoder(kind.kind) if kind.kind in _JSON_AS_STORED else None)


def _nested(kind: SqlType, inside: Callable[[SqlType], Convert | None], leaf: Convert | None) -> Convert | None:
    if kind.kind == "list" and kind.element is not None:
        element = inside(kind.element)
        if element is None:
            return None
        return lambda values: [None if v is None else element(v) for v in values]
    if kind.kind == "struct":
        fields = {name: inside(t) for name, t in kind.fields}
        if not any(fields.values()):
            return None

        def convert(values: dict[str, Any]) -> dict[str, Any]:
            return {n: v if v is None or (f := fields[n]) is None else f(v) for n, v in values.items()}

        return convert
    return leaf
