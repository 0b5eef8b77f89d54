"""Selections: the rows that an aggregate is of, as values. The standard library only: the reader imports this."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, compress
from operator import ne
from typing import Any

from asknown.online.nodes import OnlineWindows, StoredCall
from asknown.types import SqlType
from asknown.values.aggregates import ORDERED, PAIRED, total_key
from asknown.values.states import State, family_of

Columns = Sequence[Sequence[Any]]
Decode = Callable[[Sequence[Any], set[type]], Sequence[Any]]
"""From a column of stored values, none of them NULL, and their Python types, to the values."""

DecoderOf = Callable[[SqlType], Decode]
"""How a backend reads back a column of a type."""

_NULL = type(None)


@dataclass(frozen=True)
class Rows:
    """Which rows a call is of: those that meet the condition and whose value and order are not NULL.

    ``counts`` says that only their number matters, ``in_order`` that their order does.
    """

    value: str | None
    order: str | None
    condition: str | None
    counts: bool
    in_order: bool


def rows_of(call: StoredCall) -> Rows:
    """The rows that a call is of."""
    in_order = call.aggregate in ORDERED | PAIRED
    return Rows(call.value, call.order, call.condition, call.aggregate == "count", in_order)


def state_of(call: StoredCall, kind: SqlType | None) -> State | None:
    """The state from which a call is finished, or None where it needs every value."""
    family = family_of(call.aggregate, kind)
    return None if family is None else State(family, call.value, call.condition)


def states_of(windows: OnlineWindows) -> tuple[State, ...]:
    """The states that a view's tiles keep, in their order."""
    types = {column.name: column.type for column in windows.columns}
    kept = (state_of(call, None if call.value is None else types[call.value]) for call in windows.calls)
    return tuple(dict.fromkeys(state for state in kept if state is not None))


class Selection:
    """Rows of some calls: those that meet the condition and have the values, decoded and, where asked, in order."""

    def __init__(
        self, rows: Rows, columns: Sequence[str], types: Mapping[str, SqlType], times: int, decoder_of: DecoderOf
    ) -> None:
        """``columns`` are those that :meth:`select` will be given, the first ``times`` of them the times."""
        names = [name for name in (rows.value, rows.order) if name is not None]
        self.counts = rows.counts
        self.condition = None if rows.condition is None else columns.index(rows.condition)
        self.wanted = [columns.index(name) for name in names]
        self.decode = [decoder_of(types[name]) for name in names]
        self.times = range(times) if rows.in_order else range(0)
        self.key = total_key(types[rows.value]) if rows.value is not None else None

    def select(self, columns: Columns) -> tuple[Sequence[Any], Sequence[int] | None]:
        """The values (pairs of them where there are two columns), and their event times where rows were left out."""
        picked = [columns[place] for place in self.wanted]
        mask: Sequence[Any] | None = None if self.condition is None else columns[self.condition]
        types = [set(map(type, column)) for column in picked]
        for column, some in zip(picked, types, strict=True):
            if _NULL in some:
                there = [value is not None for value in column]
                mask = there if mask is None else [one and other for one, other in zip(mask, there, strict=True)]
        times = columns[0]
        ties = [columns[place] for place in self.times]
        if mask is not None:
            picked = [list(compress(column, mask)) for column in picked]
            ties = [list(compress(column, mask)) for column in ties]
            times = list(compress(times, mask))
        if self.counts or not picked:
            return times, None if mask is None else times
        decoded = [decode(column, some) for decode, column, some in zip(self.decode, picked, types, strict=True)]
        values: Sequence[Any] = decoded[0] if len(decoded) == 1 else list(zip(*decoded, strict=True))
        if ties and len(set(ties[0])) < len(values):
            values = self._settle(values, decoded[0], ties)
        return values, None if mask is None else times

    def _settle(self, values: Sequence[Any], by: Sequence[Any], ties: list[Sequence[Any]]) -> Sequence[Any]:
        """The values in order: the rows come in the order of their times, and among equal times the value decides."""
        moments = list(zip(*ties, strict=True))
        runs = list(accumulate(map(ne, moments, moments[1:]), initial=0))
        keys = by if self.key is None else [self.key(value) for value in by]
        return [values[place] for place in sorted(range(len(values)), key=lambda i: (runs[i], keys[i]))]
