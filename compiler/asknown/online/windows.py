"""Computes trailing windows in an online read: selects the events of a key that a request needs, and aggregates them.

One scan fetches a key's events inside the longest requested window, in order of event time. Each frame is a slice of
them, found by bisection. A key with many events has tiles, which are read instead: one tile for each frame that reaches
the newest event, or else all tiles in the longest window. The reader imports this module, so it needs the standard
library alone.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from dataclasses import dataclass
from itertools import accumulate, compress
from operator import ne
from typing import Any

from asknown.aggregates import find_aggregate
from asknown.errors import AsknownError
from asknown.online.nodes import OnlineView, OnlineWindows, StoredCall, StoredFeature
from asknown.periods import FixedPeriod, Period
from asknown.types import SqlType
from asknown.values.aggregates import Finalizer, finalizer
from asknown.values.errors import EvaluationError
from asknown.values.expressions import compile_expression
from asknown.values.order import total_key
from asknown.values.states import FOLDED, Decode, Finish, State, finisher, keeps_state

Columns = Sequence[Sequence[Any]]
DecoderOf = Callable[[SqlType], Decode]
"""How a backend reads back a column of a type."""

_NULL = type(None)


@dataclass(frozen=True)
class RowSet:
    """The rows that a call aggregates: those that meet the condition, with a value and an order that are not NULL.

    ``counts``: only the number of rows matters. ``in_order``: their order matters.
    """

    value: str | None
    order: str | None
    condition: str | None
    counts: bool
    in_order: bool


def rows_of(call: StoredCall) -> RowSet:
    """The rows that a call aggregates."""
    in_order = takes_order(call)
    return RowSet(call.value, call.order, call.condition, find_aggregate(call.aggregate).state == "count", in_order)


def takes_order(call: StoredCall) -> bool:
    """Whether the order of the rows matters to a call."""
    aggregate = find_aggregate(call.aggregate)
    return aggregate.ordered or aggregate.paired


def finalizer_of(call: StoredCall, types: Mapping[str, SqlType]) -> Finalizer:
    """The finalizer of a call over hidden columns of these types. Raises ValueError if it cannot take the type."""
    aggregate = find_aggregate(call.aggregate)
    kind = None if call.value is None else types[call.value]
    second = None if call.order is None else types[call.order]
    if reason := aggregate.refuses(kind, second):
        raise ValueError(reason)
    return finalizer(aggregate.finalizer, kind, second, call.number)


def state_of(call: StoredCall, types: Mapping[str, SqlType]) -> State | None:
    """The partial state that a call over hidden columns of these types can be computed from; None: of every value."""
    aggregate = find_aggregate(call.aggregate)
    columns = [name for name in (call.value, call.order) if name is not None]
    if aggregate.family is None or not keeps_state(aggregate.family, *(types[name] for name in columns)):
        return None
    if aggregate.family in (*FOLDED, "counts", "runs"):
        return State(aggregate.family, call.value, call.condition)
    return State(aggregate.family, call.value, call.condition, call.order, int(call.number or 0))


def states_of(windows: OnlineWindows) -> tuple[State, ...]:
    """The states that a view's tiles keep, in their order. Tiles of an earlier release have the first of them alone."""
    types = {column.name: column.type for column in windows.columns}
    kept = dict.fromkeys(state for call in windows.calls if (state := state_of(call, types)) is not None)
    return tuple(sorted(kept, key=lambda state: state.family not in FOLDED))


class Selection:
    """Selects the rows of calls that share a :class:`RowSet`, decodes their values, and orders them if needed."""

    def __init__(
        self, rows: RowSet, columns: Sequence[str], types: Mapping[str, SqlType], times: int, decoder_of: DecoderOf
    ) -> None:
        """``columns`` are those that :meth:`select` will be given, the first ``times`` of them the times."""
        names = [name for name in (rows.value, rows.order) if name is not None]
        self.counts = rows.counts
        self.condition = None if rows.condition is None else columns.index(rows.condition)
        self.places = [columns.index(name) for name in names]
        self.decode = [decoder_of(types[name]) for name in names]
        self.times = range(times) if rows.in_order else range(0)
        self.key = total_key(types[rows.value]) if rows.value is not None else None

    def select(self, columns: Columns) -> tuple[Sequence[Any], Sequence[int] | None]:
        """The values (pairs of them where there are two columns), and their event times where rows were left out."""
        picked = [columns[place] for place in self.places]
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
        """The values in order. The rows come in the order of their times; among equal times the value decides."""
        moments = list(zip(*ties, strict=True))
        runs = list(accumulate(map(ne, moments, moments[1:]), initial=0))
        keys = by if self.key is None else [self.key(value) for value in by]
        return [values[place] for place in sorted(range(len(values)), key=lambda i: (runs[i], keys[i]))]


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
    """A tile that was read: its columns, the key's newest event time, and the states of all events after it.

    A state may be None or not there: then the events are needed.
    """

    columns: Columns
    last: int
    later: int
    after: list[Any]


@dataclass(frozen=True)
class _Call:
    """How to compute one call: from all its values, or from some of them and the state of those after them."""

    place: int
    finalize: Finalizer
    state: int | None
    finish: Finish


Events = Columns | tuple[Tile, ...]
"""The data fetched for a key: columns of events, or for each frame its tile."""


class WindowFeatures:
    """The features of one request that are computed from one view's events.

    ``columns`` are to be fetched of each event, times first. ``frames`` are the (oldest, newest) distances from the
    instant in microseconds, and ``oldest`` and ``newest`` bound them all; ``latest`` is the greatest of their newest
    ends. Of frames over periods these are bounds, which :meth:`at` makes exact. ``merges``: every call can be computed
    from the states of tiles.
    """

    def __init__(
        self, view: OnlineView, features: Sequence[StoredFeature], times: Sequence[str], decoder_of: DecoderOf
    ) -> None:
        """``times`` are what the backend calls the view's times, event time first: none is a hidden column's name."""
        assert view.windows is not None
        types = {column.name: column.type for column in view.windows.columns}
        used = sorted({call for feature in features for call in feature.calls})
        calls = [view.windows.calls[call] for call in used]
        times = times if any(map(takes_order, calls)) else times[:1]
        names = (name for call in calls for name in (call.value, call.order, call.condition) if name is not None)
        self.columns = tuple(dict.fromkeys((*times, *names)))
        self._times = len(times)
        self.oldest = max(call.oldest for call in calls)
        self.newest = min(call.newest for call in calls)
        # The longest frames first, because a tile that serves one of them may serve the shorter ones.
        placed = sorted({_frame_of(call) for call in calls}, key=lambda frame: frame[:2], reverse=True)
        self.frames = [(oldest, newest) for oldest, newest, _ in placed]
        self._periods = Periods(view.windows, [period for _, _, period in placed])
        self.latest = max(newest for _, newest in self.frames)
        self._view = view.name
        self._resolved: tuple[int | None, WindowFeatures] = (None, self)  # of the last instant that was asked for
        self._slices: dict[tuple[int, int], list[_Call]] = {}
        rows = [rows_of(call) for call in calls]
        shared = {row: place for place, row in enumerate(dict.fromkeys(rows))}
        self._selections = [Selection(row, self.columns, types, len(times), decoder_of) for row in shared]
        states = states_of(view.windows)
        self._rare: set[tuple[int, int]] = set()  # frames and states that some tiles do not have
        self._in_order = False  # whether a state depends on the order of the values
        for place, call in enumerate(calls):
            state = state_of(call, types)
            frame = placed.index(_frame_of(call))
            finish, at = _never, None
            if state is not None:
                finish, at = _finish(call, state, types, decoder_of), states.index(state)
                self._in_order = self._in_order or state.in_order
                if state.family not in FOLDED or view.windows.lifetime:
                    self._rare.add((frame, at))
            made = _Call(place, finalizer_of(call, types), at, finish)
            self._slices.setdefault((frame, shared[rows[place]]), []).append(made)
        self.merges = all(call.state is not None for some in self._slices.values() for call in some)
        self._count = len(calls)
        places = {call: place for place, call in enumerate(used)}
        self._features = [(feature.name, compile_expression(feature.expression, places)) for feature in features]
        of = {place: placed.index(_frame_of(call)) for place, call in zip(used, calls, strict=True)}
        self._frames_by_feature = [sorted({of[call] for call in feature.calls}) for feature in features]

    def at(self, instant: int) -> WindowFeatures:
        """The same with the frames as they lie at an instant: those over periods begin and end elsewhere at each."""
        if not self._periods.any:
            return self
        last, found = self._resolved
        if last != instant:
            found = copy(self)
            found.frames = self._periods.resolve(self.frames, instant)
            found.oldest = max(oldest for oldest, _ in found.frames)
            found.newest = min(newest for _, newest in found.frames)
            found.latest = max(newest for _, newest in found.frames)
            found._periods = NO_PERIODS
            self._resolved = (instant, found)
        return found

    def merges_with(self, tiles: Sequence[Tile], instant: int, loose: Columns) -> bool:
        """Whether these tiles of the frames, and further events, have what every call needs."""
        for frame, state in self._rare:
            after = tiles[frame].after
            if len(after) <= state or after[state] is None:
                return False
        if not self._in_order or not loose:
            return True
        last, oldest = tiles[0].last, instant - self.oldest
        return all(time > last or time < oldest for time in loose[0])

    def answer(self, events: Events, instant: int, kept: Mapping[str, Any], loose: Columns = ()) -> WindowAnswer:
        """The features at ``instant`` of a key with these events and these hidden as-of values.

        ``loose`` are further events, in the order of their times: rows dated ahead that are visible by now.
        """
        # Every event in the table was visible at the watermark, and so is at any instant that may be asked for.
        if self._periods.any:
            return self.at(instant).answer(events, instant, kept, loose)
        if isinstance(events, tuple):
            results, ends = self._from_tiles(events, instant, loose)
        else:
            results, ends = self._from_columns(self._together(events, loose) if loose else events, instant)
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
        spans = [(bisect_left(times, instant - old), bisect_right(times, instant - new)) for old, new in self.frames]
        selected = [selection.select(columns) for selection in self._selections]
        results: list[Any] = [None] * self._count
        for (frame, selection), calls in self._slices.items():
            values, own = selected[selection]
            low, high = spans[frame]
            if own is not None:
                oldest, newest = self.frames[frame]
                low, high = bisect_left(own, instant - oldest), bisect_right(own, instant - newest)
            inside = values[low:high]
            for call in calls:
                results[call.place] = call.finalize(inside)
        return results, [times[high - 1] if high > low else None for low, high in spans]

    def _together(self, columns: Columns, loose: Columns) -> Columns:
        """The events of both, in the order of their times."""
        return list(zip(*self.in_time_order([*zip(*columns, strict=True), *zip(*loose, strict=True)]), strict=True))

    def in_time_order(self, rows: list[Any]) -> list[Any]:
        """The events, in the order of their times, NULLs lowest."""
        return sorted(rows, key=lambda row: [(time is not None, time or 0) for time in row[: self._times]])

    def _from_tiles(self, tiles: Sequence[Tile], instant: int, loose: Columns) -> tuple[list[Any], list[int | None]]:
        """As :meth:`_from_columns`, where a frame is the later part of a tile, all events after it, and loose ones."""
        selected: dict[tuple[int, int], tuple[Sequence[Any], Sequence[int] | None]] = {}
        beside = [selection.select(loose) for selection in self._selections] if loose else []
        results: list[Any] = [None] * self._count
        for (frame, selection), calls in self._slices.items():
            tile = tiles[frame]
            found = selected.get((tile.later, selection))
            if found is None:
                found = selected[tile.later, selection] = self._selections[selection].select(tile.columns)
            values, own = found
            low = bisect_left(tile.columns[0] if own is None else own, instant - self.frames[frame][0])
            inside = values[low:]
            newer: Sequence[Any] = ()
            if loose:
                values, own = beside[selection]
                times = loose[0] if own is None else own
                oldest, newest = self.frames[frame]
                newer = values[bisect_left(times, instant - oldest) : bisect_right(times, instant - newest)]
            for call in calls:
                assert call.state is not None
                results[call.place] = call.finish(inside, tile.after[call.state], newer)
        ends = [
            tile.last if tile.later or tile.last >= instant - oldest else None
            for tile, (oldest, _) in zip(tiles, self.frames, strict=True)
        ]
        if loose:
            times = loose[0]
            for place, (oldest, newest) in enumerate(self.frames):
                upto = bisect_right(times, instant - newest)
                if upto and times[upto - 1] >= instant - oldest:
                    end = ends[place]
                    ends[place] = times[upto - 1] if end is None else max(end, times[upto - 1])
        return results, ends


def _frame_of(call: StoredCall) -> tuple[int, int, tuple[Period, bool] | None]:
    """The bounds of a call's frame, and the period that it is about."""
    return call.oldest, call.newest, None if call.period is None else (call.period, call.back)


class Periods:
    """Where the frames of a request that are over periods lie at an instant. Each of ``frames`` may be about none."""

    def __init__(self, windows: OnlineWindows | None, frames: Sequence[tuple[Period, bool] | None]) -> None:
        self._frames = frames
        self.any = any(frame is not None for frame in frames)
        wanted = {frame[0] for frame in frames if frame is not None}
        starts = () if windows is None else windows.starts
        self._starts = {found.period: found.instants() for found in starts if found.period in wanted}

    def resolve(self, frames: Sequence[tuple[int, int]], instant: int) -> list[tuple[int, int]]:
        """The frames, those over periods with their exact distances from an instant."""
        return [
            frame if period is None else self._distances(*period, instant)
            for frame, period in zip(frames, self._frames, strict=True)
        ]

    def _distances(self, period: Period, back: bool, instant: int) -> tuple[int, int]:
        if isinstance(period, FixedPeriod):
            begin = instant - instant % period.length
            before = begin - period.length
        else:
            starts = self._starts[period]
            place = bisect_right(starts, instant)
            before, begin = starts[place - 2], starts[place - 1]
        return (instant - before, instant - begin + 1) if back else (instant - begin, 0)


NO_PERIODS = Periods(None, ())


def _finish(call: StoredCall, state: State, types: Mapping[str, SqlType], decoder_of: DecoderOf) -> Finish:
    kinds = [types[name] for name in state.columns]
    name = find_aggregate(call.aggregate).finalizer
    return finisher(name, state, kinds, [decoder_of(kind) for kind in kinds], call.number)


def _never(*_: Any) -> Any:
    raise AssertionError("a call without a state is not merged")
