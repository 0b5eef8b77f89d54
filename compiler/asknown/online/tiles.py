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
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from asknown.online.codec import full_column_decoder, stored_value
from asknown.online.nodes import OnlineView
from asknown.online.windows import Columns, RowSet, Selection, states_of
from asknown.types import SqlType
from asknown.values.states import State, summary

LENGTH = 128
LARGEST = 65_536
"""The length of a state's text from which on a tile keeps none, so that a read unpacks the tiles behind it."""

LARGEST_ALONE = 1_000_000
"""The same for the states of a key whose events are not kept. Beyond, they are."""

OLDEST_LEFT_OUT = 0
"""Keys with an event before 1970 keep their events: a window that begins 100 years back still has all later ones."""

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
        self._times = range(times)
        self._lifetime = view.windows.lifetime
        self.states = [_StateBuilder(state, names, types, times) for state in states_of(view.windows)]
        self._nothing = f"[{', '.join(state.nothing for state in self.states)}]"  # the states of no events

    def tiles(self, columns: Columns) -> Iterator[tuple[Any, ...]]:
        """The tiles of a key with these events, without the key.

        Where a sum is too large for a state there are none, or, of a view whose tiles alone have the events, tiles
        without states.
        """
        times = columns[0]
        try:
            after = self.after(columns)
        except OverflowError:
            if not self._lifetime:
                return
            after = ["[]"] * len(range(0, len(times), LENGTH))
        for number, begin in enumerate(range(0, len(times), LENGTH)):
            inside = [column[begin : begin + LENGTH] for column in columns]
            start = times[begin] if number else BEGINNING
            later = max(0, len(times) - begin - LENGTH)
            packed = (pack(code, values) for code, values in zip(self.codes, inside, strict=True))
            yield (start, number, times[-1], later, after[number], *packed)

    def summarized(self, columns: Columns) -> tuple[Any, ...] | None:
        """The one tile of a key whose events are not kept: it has the states of all of them.

        None where the events are needed: one may be older than the longest window some day, or a state is too large.
        """
        count = len(columns[0])
        if columns[0][0] < OLDEST_LEFT_OUT:
            return None
        try:
            for state in self.states:
                state.begin(count)
            texts = [state.behind(columns, 0, ties=False, largest=LARGEST_ALONE) for state in self.states]
        except OverflowError:
            return None
        if "null" in texts:
            return None
        return BEGINNING, 0, columns[0][-1], count, f"[{', '.join(texts)}]", *(pack(code, ()) for code in self.codes)

    def after(self, columns: Columns) -> list[str]:
        """For each tile the states of the events behind it, as JSON."""
        count, written = len(columns[0]), list[str]()
        if count <= LENGTH:
            return [self._nothing]
        for state in self.states:
            state.begin(count)
        for begin in reversed(range(0, count, LENGTH)):
            end = begin + LENGTH
            if end >= count:
                written.append(self._nothing)
                continue
            ties = all(columns[time][end - 1] == columns[time][end] for time in self._times)
            written.append(f"[{', '.join(state.behind(columns, end, ties=ties) for state in self.states)}]")
        return written[::-1]


class _StateBuilder:
    """Builds the states of one kind behind each tile of a key, from the last tile to the first."""

    def __init__(self, state: State, names: Sequence[str], types: Mapping[str, SqlType], times: int) -> None:
        kinds = [types[name] for name in state.columns]
        self._in_order = state.in_order
        self._summary = summary(state, kinds, [stored_value(kind) for kind in kinds])
        rows = RowSet(state.value, state.order, state.condition, state.family == "count", state.in_order)
        self.nothing = json.dumps(self._summary.write(self._summary.nothing()))
        self._select = Selection(rows, names, types, times, full_column_decoder).select
        self._state: Any = None
        self._upto = 0  # where the events begin that the state stands for

    def begin(self, count: int) -> None:
        """Begins with a key that has so many events."""
        self._state, self._upto = self._summary.nothing(), count

    def behind(self, columns: Columns, end: int, *, ties: bool, largest: int | None = None) -> str:
        """The state of the events from ``end`` on, as JSON; null where it has none or would be too large.

        ``ties`` says whether the event before ``end`` has the same times. Then the order of both is that of each
        call's values, so a state in order must not part them.
        """
        if self._state is None or (ties and self._in_order):
            return "null"
        if end < self._upto:
            values, _ = self._select([column[end : self._upto] for column in columns])
            self._state, self._upto = self._summary.before(values, self._state), end
            if self._state is None:
                return "null"
        text = json.dumps(self._summary.write(self._state))
        if len(text) <= (LARGEST if largest is None else largest):
            return text
        if not self._in_order:
            self._state = None  # it grows with each tile
        return "null"


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
