"""Trailing windows at reading: which events of a key a request needs, and its features computed from them.

One scan fetches a key's events inside the longest window asked for, in order of event time; each frame is then a slice
of them, found by bisection. Of a busy key the tiles are read instead: one for each frame that reaches its newest event,
else all that lie in the longest window. The standard library only: the reader imports this.
"""

from __future__ import annotations

import json
import sqlite3
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from asknown.errors import AsknownError
from asknown.online.aggregate import ORDERED, PAIRED, Finish, finisher
from asknown.online.codec import full_column_decoder
from asknown.online.events import event_table, scan_statement
from asknown.online.expressions import EvaluationError, compile_expression
from asknown.online.nodes import OnlineView, StoredFeature
from asknown.online.selection import Columns, Selection, rows_of, state_of
from asknown.online.states import Merge, merger, packs, reader_of
from asknown.online.tiles import code_of, tile_statement, tile_table, unpack

Span = tuple[int, int]


@dataclass(frozen=True)
class WindowAnswer:
    """The features of one key. ``ends`` has the newest event time in each frame, ``frames`` those of each feature."""

    values: list[Any]
    ends: list[int | None]
    frames: list[list[int]]

    def newest(self, feature: int) -> int | None:
        """The newest event time in any of a feature's frames."""
        return max((end for frame in self.frames[feature] if (end := self.ends[frame]) is not None), default=None)


@dataclass(frozen=True)
class Tile:
    """A tile as it is read: its columns, the key's newest event time, and what came after it."""

    columns: Columns
    last: int
    later: int
    after: list[list[Any]]


@dataclass(frozen=True)
class _Call:
    """How one call is finished: from all its values, or from some and the state of the others."""

    place: int
    finish: Finish
    merge: Merge
    state: int | None
    read: Callable[[Any], Any] | None


Events = Columns | tuple[Tile, ...]
"""What is fetched of a key: columns of events, or for each frame its tile."""


class WindowRead:
    """The features of one request that are computed from one view's events."""

    def __init__(self, view: OnlineView, features: Sequence[StoredFeature]) -> None:
        assert view.windows is not None
        events, tiles = event_table(view), tile_table(view)
        types = {column.name: column.type for column in view.windows.columns}
        used = sorted({call for feature in features for call in feature.calls})
        calls = [view.windows.calls[call] for call in used]
        times = events.times if any(call.aggregate in ORDERED | PAIRED for call in calls) else events.times[:1]
        names = (name for call in calls for name in (call.value, call.order, call.condition) if name is not None)
        columns = tuple(dict.fromkeys((*times, *names)))
        self._view = view.name
        self._events_query = scan_statement(events, columns)
        self._tile_query = tile_statement(tiles, columns, onwards=False) if _pack(columns, view) else None
        self._tiles_query = tile_statement(tiles, columns, onwards=True) if _pack(columns, view) else ""
        self._codes = [code_of(types.get(column)) for column in columns]
        self._nothing: Columns = [()] * len(columns)
        self._oldest = max(call.oldest for call in calls)
        self._newest = min(call.newest for call in calls)
        # The longest frames first, because a tile that serves one of them may serve the shorter ones.
        self._frames = sorted({(call.oldest, call.newest) for call in calls}, reverse=True)
        self._latest = max(newest for _, newest in self._frames)
        self._selections: list[Selection] = []
        self._slices: dict[tuple[int, int], list[_Call]] = {}
        rows = [rows_of(call) for call in calls]
        shared = {row: place for place, row in enumerate(dict.fromkeys(rows))}
        self._selections = [Selection(row, columns, types, len(times), full_column_decoder) for row in shared]
        for place, call in enumerate(calls):
            kind = None if call.value is None else types[call.value]
            state = state_of(call, kind)
            finish = finisher(call.aggregate, kind, None if call.order is None else types[call.order], call.number)
            made = _Call(
                place,
                finish,
                merger(call.aggregate, kind) if state else _never,
                None if state is None else tiles.states.index(state),
                reader_of(kind),
            )
            frame = self._frames.index((call.oldest, call.newest))
            self._slices.setdefault((frame, shared[rows[place]]), []).append(made)
        self._merges = all(call.state is not None for some in self._slices.values() for call in some)
        self._count = len(calls)
        places = {call: place for place, call in enumerate(used)}
        self._features = [(feature.name, compile_expression(feature.expression, places)) for feature in features]
        self._frames_by_feature = [self._frames_of(feature, view) for feature in features]

    def _frames_of(self, feature: StoredFeature, view: OnlineView) -> list[int]:
        assert view.windows is not None
        calls = [view.windows.calls[call] for call in feature.calls]
        return sorted({self._frames.index((call.oldest, call.newest)) for call in calls})

    # -- fetching ----------------------------------------------------------------------------------------------

    def fetch(self, cursor: sqlite3.Cursor, key: Sequence[Any] | None, instant: int) -> Events:
        """What the features of a key at ``instant`` (microseconds) are computed from. No row can have the key None."""
        if key is None:
            return self._nothing
        oldest, newest = instant - self._oldest, instant - self._newest
        if self._tile_query is not None:
            row = cursor.execute(self._tile_query, (*key, oldest)).fetchone()
            if row is not None:
                if self._merges and row[1] <= instant - self._latest:  # every frame reaches the newest event
                    return self._fetch_tiles(cursor, key, instant, row)
                rows = cursor.execute(self._tiles_query, (*key, row[0], newest)).fetchall()
                packed = list(zip(*rows, strict=True))[4:] or self._nothing
                return [
                    list(chain.from_iterable([unpack(code, some) for some in column]))
                    for code, column in zip(self._codes, packed, strict=True)
                ]
        rows = cursor.execute(self._events_query, (*key, oldest, newest)).fetchall()
        return list(zip(*rows, strict=True)) or self._nothing

    def _fetch_tiles(
        self, cursor: sqlite3.Cursor, key: Sequence[Any], instant: int, row: Sequence[Any]
    ) -> tuple[Tile, ...]:
        """The tile of each frame, of which the longest has the one of ``row``."""
        assert self._tile_query is not None
        tile = self._tile(row)
        tiles = []
        for oldest, _ in self._frames:
            if tile.later and oldest < self._oldest:
                row = cursor.execute(self._tile_query, (*key, instant - oldest)).fetchone()
                if row[2] != tile.later:
                    tile = self._tile(row)
            tiles.append(tile)
        return tuple(tiles)

    def _tile(self, row: Sequence[Any]) -> Tile:
        _, last, later, after, *packed = row
        columns = [unpack(code, some) for code, some in zip(self._codes, packed, strict=True)]
        return Tile(columns, last, later, json.loads(after))

    # -- computing ---------------------------------------------------------------------------------------------

    def answer(self, events: Events, instant: int, kept: Mapping[str, Any]) -> WindowAnswer:
        """The features at ``instant`` of a key with these events and these hidden as-of values."""
        # Every event in the table was visible at the watermark, and so is at any instant that may be asked for.
        if isinstance(events, tuple):
            results, ends = self._from_tiles(events, instant)
        else:
            results, ends = self._from_columns(events, instant)
        values = []
        for name, evaluate in self._features:
            try:
                values.append(evaluate(results, kept))
            except EvaluationError as error:
                raise AsknownError(
                    "engine",
                    f"feature '{name}' of '{self._view}' cannot be computed: {error}",
                    hint="the training query fails for this row as well: cast to a wider type in the model",
                ) from error
        return WindowAnswer(values, ends, self._frames_by_feature)

    def _from_columns(self, columns: Columns, instant: int) -> tuple[list[Any], list[int | None]]:
        """The calls' results, and for each frame the newest event time in it."""
        times = columns[0]
        spans = [(bisect_left(times, instant - old), bisect_right(times, instant - new)) for old, new in self._frames]
        selected = [selection.select(columns) for selection in self._selections]
        results: list[Any] = [None] * self._count
        for (frame, selection), calls in self._slices.items():
            values, own = selected[selection]
            low, high = spans[frame]
            if own is not None:
                oldest, newest = self._frames[frame]
                low, high = bisect_left(own, instant - oldest), bisect_right(own, instant - newest)
            inside = values[low:high]
            for call in calls:
                results[call.place] = call.finish(inside)
        return results, [times[high - 1] if high > low else None for low, high in spans]

    def _from_tiles(self, tiles: Sequence[Tile], instant: int) -> tuple[list[Any], list[int | None]]:
        """The same, where each frame is the younger part of a tile, and all that came after the tile."""
        selected: dict[tuple[int, int], tuple[Sequence[Any], Sequence[int] | None]] = {}
        results: list[Any] = [None] * self._count
        for (frame, selection), calls in self._slices.items():
            tile = tiles[frame]
            found = selected.get((tile.later, selection))
            if found is None:
                found = selected[tile.later, selection] = self._selections[selection].select(tile.columns)
            values, own = found
            low = bisect_left(tile.columns[0] if own is None else own, instant - self._frames[frame][0])
            inside = values[low:]
            for call in calls:
                assert call.state is not None
                count, *others = tile.after[call.state]
                if call.read is not None:
                    others = list(map(call.read, others))
                results[call.place] = call.merge([*inside, *others] if others else inside, len(inside) + count)
        ends = [
            tile.last if tile.later or tile.last >= instant - oldest else None
            for tile, (oldest, _) in zip(tiles, self._frames, strict=True)
        ]
        return results, ends


def _pack(columns: Sequence[str], view: OnlineView) -> bool:
    """Whether all these columns are in the tiles."""
    assert view.windows is not None
    return all(packs(column.type) for column in view.windows.columns if column.name in columns)


def _never(_: Sequence[Any], __: int) -> Any:
    raise AssertionError("a call without a state is not merged")
