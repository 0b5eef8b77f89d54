"""Tiles: the events of a key in packed runs, each with the states of all that came after it.

A window that reaches up to the key's newest event is read from one tile: the events of it that are young enough, and
its states for the rest. So a read costs the same whether a window holds a thousand events or a million. Where a window
ends before the newest event, or an aggregate has no state, the tiles inside the window are unpacked instead.

A tile has :data:`LENGTH` events at most. It takes about 8 bytes for each event's time and for each of its numbers, and
some 50 for each aggregate. Tiles follow from the events alone. The standard library only: the reader imports this.
"""

from __future__ import annotations

import json
import sys
from array import array
from collections.abc import Iterator, Sequence
from typing import Any

from asknown.online.codec import full_column_decoder
from asknown.online.nodes import OnlineView
from asknown.online.windows import Columns, RowSet, Selection, states_of
from asknown.types import SqlType
from asknown.values.states import condense, spell

LENGTH = 128
BEGINNING = -(2**63)
"""Where a key's first tile starts, so that there is one for every instant."""

_CODES = {"float": "d", "integer": "q"}


class TileBuilder:
    """Builds the tiles of one key after another."""

    def __init__(self, view: OnlineView, names: Sequence[str], times: int) -> None:
        """``names`` are the columns of the view's events that are packed, of which the first ``times`` are times."""
        assert view.windows is not None
        types = {column.name: column.type for column in view.windows.columns}
        self.codes = [code_of(types.get(name)) for name in names]
        self.states = [
            (
                state.family,
                None if state.value is None else types[state.value],
                Selection(
                    RowSet(state.value, None, state.condition, counts=state.family == "count", in_order=False),
                    names,
                    types,
                    times,
                    full_column_decoder,
                ),
            )
            for state in states_of(view.windows)
        ]
        self._nothing = json.dumps([[0] for _ in self.states])  # the states of no events

    def tiles(self, columns: Columns) -> Iterator[tuple[Any, ...]]:
        """The tiles of a key with these events, without the key; none where a sum is too large for a state."""
        times = columns[0]
        try:
            after = self.after(columns)
        except OverflowError:
            return
        for number, begin in enumerate(range(0, len(times), LENGTH)):
            inside = [column[begin : begin + LENGTH] for column in columns]
            start = times[begin] if number else BEGINNING
            later = max(0, len(times) - begin - LENGTH)
            packed = (pack(code, values) for code, values in zip(self.codes, inside, strict=True))
            yield (start, number, times[-1], later, after[number], *packed)

    def after(self, columns: Columns) -> list[str]:
        """For each tile the states of the events behind it, as JSON: a number and stand-ins for each."""
        counts = [0] * len(self.states)
        kept: list[list[Any]] = [[] for _ in self.states]
        written: list[str] = []
        for begin in reversed(range(0, len(columns[0]), LENGTH)):
            behind = [[n, *map(spell, values)] for n, values in zip(counts, kept, strict=True)]
            written.append(json.dumps(behind) if written else self._nothing)
            if not begin:
                break  # nothing is in front of these events
            inside = [column[begin : begin + LENGTH] for column in columns]
            for place, (family, kind, selection) in enumerate(self.states):
                values, _ = selection.select(inside)
                counts[place] += len(values)
                kept[place] = condense(family, kind, [*values, *kept[place]])
        return written[::-1]


def pack(code: str, values: Sequence[Any]) -> bytes | str:
    """The stored values of a column in one: numbers without NULLs as 8 bytes each, little-endian, others as JSON."""
    if not code:
        return json.dumps(values, ensure_ascii=False)
    try:
        numbers = array(code, values)
    except TypeError:  # of a NULL, or of a NaN, which is a text
        if None in values:
            return json.dumps(values, ensure_ascii=False)
        numbers = array(code, map(float, values))
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tobytes()


def unpack(code: str, packed: bytes | str) -> Sequence[Any]:
    """The values that :func:`pack` was given; a NaN may come back as a float where its text was given."""
    if isinstance(packed, str):
        values: Sequence[Any] = json.loads(packed)
        return values
    numbers = array(code)
    numbers.frombytes(packed)
    if sys.byteorder == "big":
        numbers.byteswap()
    return numbers.tolist()


def code_of(kind: SqlType | None) -> str:
    """How the numbers of a column are packed; without a type, of times. Empty: as JSON."""
    if kind is None:
        return "q"
    return "" if kind.is_wide else _CODES.get(kind.kind, "")
