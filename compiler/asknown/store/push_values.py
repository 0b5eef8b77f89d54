"""Checks rows that are pushed into a source, and converts their values to Python values of the declared types.

Types are strict (rules 7 and 8). Only what JSON has no type for is read from text: instants, dates, decimals, UUIDs.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from asknown.emit.models import source_name
from asknown.errors import AsknownError, did_you_mean
from asknown.instants import parse_moment, to_microseconds
from asknown.json_text import float_of
from asknown.online.inputs import value_encoder
from asknown.online.keys import Encode, WrongTypeError
from asknown.project.nodes import SourceTable
from asknown.types import Kind, SqlType, parse_type

_SHOWN = 60


@dataclass(frozen=True)
class Row:
    """A row that may be pushed: its values without the arrival, its id, and its event time in microseconds."""

    values: dict[str, Any]
    id: Any
    event_time: int | None


class RowCheck:
    """Checks the rows of one source. ``types`` are those of the columns that a row has."""

    def __init__(self, table: SourceTable) -> None:
        assert table.push is not None
        self._name = source_name(table)
        self._push = table.push
        columns = [column for column in table.columns if column.name != table.push.known_at]
        self._names = frozenset(column.name for column in columns)
        self.types = {column.name: parse_type(str(column.data_type)) for column in columns}
        self._encoders = [(name, _encoder(kind)) for name, kind in self.types.items()]
        self._is_date = self.types[table.push.event_time].kind == "date"

    def check(self, row: Any, number: int, key: str | None = None) -> Row:
        """The row, which is the ``number``-th of its request, from 1. Raises ``push-row``.

        ``key`` is its id where the source has none of its own.
        """
        if not isinstance(row, Mapping):
            raise self._refused(number, f"it is a {type(row).__name__}", "a row is an object: column names and values")
        if row.keys() != self._names:
            raise self._wrong_columns(row, number)
        values: dict[str, Any] = {}
        for name, encode in self._encoders:
            value = row[name]
            try:
                values[name] = None if value is None else encode(value)
            except (WrongTypeError, ValueError, TypeError, ArithmeticError):
                shown = str(value) if isinstance(value, Decimal) else repr(value)
                shown = shown if len(shown) <= _SHOWN else f"{shown[:_SHOWN]}…"
                why = f"'{name}' is {self.types[name]}, and the {type(value).__name__} {shown} was given"
                raise self._refused(number, why, "no value is changed to fit: send it in the column's type") from None
        moment = values[self._push.event_time]
        if moment is not None:
            moment = datetime(moment.year, moment.month, moment.day) if self._is_date else moment
            moment = to_microseconds(moment)
        if self._push.id is None:
            return Row(values, key, moment)
        own = values[self._push.id]
        if own is None:
            raise self._refused(number, f"its id '{self._push.id}' is NULL", "every row of this source needs an id")
        fits = isinstance(own, int) and -(2**63) <= own < 2**63
        return Row(values, own if fits else str(own), moment)

    def _wrong_columns(self, row: Mapping[Any, Any], number: int) -> AsknownError:
        if self._push.known_at in row:
            why = f"it brings '{self._push.known_at}', which is the arrival, and is stamped when the row is written"
            return self._refused(number, why, "leave it out")
        for name in row:
            if name not in self._names:
                why = f"the source has no column '{name}'"
                return self._refused(number, why, did_you_mean(str(name), self._names, what="its columns"))
        missing = [name for name, _ in self._encoders if name not in row]
        lacks = ", ".join(f"'{name}'" for name in missing)
        return self._refused(number, f"it lacks {lacks}", f"send null where there is no value: {missing[0]}: null")

    def _refused(self, number: int, why: str, hint: str | None) -> AsknownError:
        return AsknownError("push-row", f"row {number} for '{self._name}' is refused: {why}", hint=hint)


def _encoder(kind: SqlType) -> Encode:
    """A function from a value, never None, to the same value of this type. Raises WrongTypeError or ValueError."""
    if kind.kind == "list":
        assert kind.element is not None
        return _list_encoder(_encoder(kind.element))
    if kind.kind == "timestamptz":
        inner: Encode = value_encoder(replace(kind, kind="timestamp"))
    else:
        inner = value_encoder(kind)
    if kind.kind == "float":
        number = _single_encoder(inner) if kind.bits == 32 else inner
        return lambda value: number(float_of(value) if type(value) is Decimal else value)
    if kind.kind == "decimal":  # JSON's numbers are floats: the digits that they are written with count
        return lambda value: inner(Decimal(repr(value)) if type(value) is float else _decimal_of(value))
    parse = _PARSE.get(kind.kind)
    if parse is None:
        return inner
    return lambda value: inner(parse(value) if isinstance(value, str) else value)


def _decimal_of(value: Any) -> Any:
    return Decimal(value) if isinstance(value, str) else value


def _list_encoder(element: Encode) -> Encode:
    def encode(value: Any) -> Any:
        if not isinstance(value, (list, tuple)):
            raise WrongTypeError
        return [None if item is None else element(item) for item in value]

    return encode


def _single_encoder(inner: Encode) -> Encode:
    """The encoder of 32-bit floats, which takes no number that has more digits."""

    def encode(value: Any) -> Any:
        number = inner(value)
        if math.isfinite(number) and struct.unpack("f", struct.pack("f", number))[0] != number:
            raise WrongTypeError
        return number

    return encode


_PARSE: Mapping[Kind, Callable[[str], Any]] = {
    "date": date.fromisoformat,
    "timestamp": parse_moment,
    "timestamptz": parse_moment,
}
