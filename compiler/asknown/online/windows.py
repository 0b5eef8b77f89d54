"""Trailing windows at reading: which events of a key a request needs, and its features computed from them.

One scan fetches a key's events inside the longest window asked for, in order of event time; each frame is then a slice
of them, found by bisection. The standard library only: the reader imports this.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, compress
from operator import ne
from typing import Any

from asknown.errors import AsknownError
from asknown.online.aggregate import ORDERED, PAIRED, Finish, finisher, total_key
from asknown.online.codec import decoder
from asknown.online.events import event_table, scan_statement
from asknown.online.expressions import EvaluationError, compile_expression
from asknown.online.nodes import OnlineView, StoredCall, StoredFeature
from asknown.types import SqlType

Columns = Sequence[Sequence[Any]]
_NOTHING = type(None)


@dataclass(frozen=True)
class Answer:
    """The features of one key, and for each the newest event time in any of its frames."""

    values: list[Any]
    newest: list[int | None]


class WindowRead:
    """The features of one request that are computed from one view's events."""

    def __init__(self, view: OnlineView, features: Sequence[StoredFeature]) -> None:
        assert view.windows is not None
        table = event_table(view)
        used = sorted({call for feature in features for call in feature.calls})
        calls = [view.windows.calls[call] for call in used]
        ordered = any(call.aggregate in ORDERED | PAIRED for call in calls)
        names = (name for call in calls for name in (call.value, call.order, call.condition) if name is not None)
        columns = dict.fromkeys((*(table.times if ordered else table.times[:1]), *names))
        self.query = scan_statement(table, tuple(columns))
        self.oldest = max(call.oldest for call in calls)
        self.newest = min(call.newest for call in calls)
        self._frames = tuple(dict.fromkeys((call.oldest, call.newest) for call in calls))
        self._none: Columns = [()] * len(columns)
        self._selections, self._slices = _group(calls, self._frames, list(columns), view, len(table.times))
        places = {call: place for place, call in enumerate(used)}
        self._features = tuple(
            (
                feature.name,
                compile_expression(feature.expression, places),
                tuple(dict.fromkeys(self._frames.index((c.oldest, c.newest)) for c in _calls_of(feature, view))),
            )
            for feature in features
        )
        self._count = len(calls)
        self._view = view.name

    def answer(self, rows: Sequence[Sequence[Any]], instant: int, kept: Mapping[str, Any]) -> Answer:
        """The features at ``instant`` (microseconds) of a key with these events and these hidden as-of values."""
        # Every event in the table was visible at the watermark, and so is at any instant that may be asked for.
        columns: Columns = list(zip(*rows, strict=True)) or self._none
        times = columns[0]
        spans = [
            (bisect_left(times, instant - oldest), bisect_right(times, instant - newest))
            for oldest, newest in self._frames
        ]
        selected = [selection.select(columns) for selection in self._selections]
        results = [None] * self._count
        for frame, selection, finishers in self._slices:
            values, own = selected[selection]
            low, high = spans[frame]
            if own is not None:
                oldest, newest = self._frames[frame]
                low, high = bisect_left(own, instant - oldest), bisect_right(own, instant - newest)
            inside = values[low:high]
            for place, finish in finishers:
                results[place] = finish(inside)
        ends = [times[high - 1] if high > low else None for low, high in spans]
        values = []
        for name, evaluate, _ in self._features:
            try:
                values.append(evaluate(results, kept))
            except EvaluationError as error:
                raise AsknownError(
                    "engine",
                    f"feature '{name}' of '{self._view}' cannot be computed: {error}",
                    hint="the training query fails for this row as well: cast to a wider type in the model",
                ) from error
        return Answer(values, [_latest([ends[frame] for frame in frames]) for _, _, frames in self._features])


class _Selection:
    """Rows of some calls: those that meet the condition and have the values, decoded and, where asked, in order."""

    def __init__(self, call: StoredCall, columns: list[str], view: OnlineView, times: int) -> None:
        assert view.windows is not None
        types = {column.name: column.type for column in view.windows.columns}
        self.counts = call.aggregate == "count"
        self.condition = None if call.condition is None else columns.index(call.condition)
        self.wanted = [columns.index(name) for name in (call.value, call.order) if name is not None]
        names = [name for name in (call.value, call.order) if name is not None]
        self.decode = [_decoder(types[name]) for name in names]
        self.times = range(times) if call.aggregate in ORDERED | PAIRED else range(0)
        self.key = total_key(types[call.value]) if call.value is not None else None

    def select(self, columns: Columns) -> tuple[Sequence[Any], Sequence[int] | None]:
        """The values (pairs of them where there are two columns), and their event times where rows were left out."""
        picked = [columns[place] for place in self.wanted]
        mask: Sequence[Any] | None = None if self.condition is None else columns[self.condition]
        for column in picked:
            if _NOTHING in set(map(type, column)):
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
        decoded = [decode(column) for decode, column in zip(self.decode, picked, strict=True)]
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


def _group(
    calls: list[StoredCall], frames: tuple[tuple[int, int], ...], columns: list[str], view: OnlineView, times: int
) -> tuple[list[_Selection], list[tuple[int, int, list[tuple[int, Finish]]]]]:
    """The selections of the calls, and for each frame of a selection what is made of its slice, for which calls."""
    assert view.windows is not None
    types = {column.name: column.type for column in view.windows.columns}
    shared: dict[tuple[object, ...], int] = {}
    selections: list[_Selection] = []
    slices: dict[tuple[int, int], list[tuple[int, Finish]]] = {}
    for place, call in enumerate(calls):
        in_order = call.aggregate in ORDERED | PAIRED
        rows = (call.value, call.order, call.condition, in_order, call.aggregate == "count")
        if rows not in shared:
            shared[rows] = len(selections)
            selections.append(_Selection(call, columns, view, times))
        kind = None if call.value is None else types[call.value]
        by = None if call.order is None else types[call.order]
        finish = finisher(call.aggregate, kind, by, call.number)
        frame = frames.index((call.oldest, call.newest))
        slices.setdefault((frame, shared[rows]), []).append((place, finish))
    return selections, [(frame, selection, finishers) for (frame, selection), finishers in slices.items()]


def _calls_of(feature: StoredFeature, view: OnlineView) -> list[StoredCall]:
    assert view.windows is not None
    return [view.windows.calls[call] for call in feature.calls]


def _decoder(kind: SqlType) -> Callable[[Sequence[Any]], Sequence[Any]]:
    """The function from a column of stored values, none of them NULL, to the values."""
    decode = decoder(kind)
    if decode is None:
        return lambda column: column
    if kind.kind == "float":  # a double is stored as it is, and only a NaN as text
        return lambda column: list(map(float, column)) if str in set(map(type, column)) else column
    return lambda column: list(map(decode, column))


def _latest(times: list[int | None]) -> int | None:
    return max((time for time in times if time is not None), default=None)
