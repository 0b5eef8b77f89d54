"""The plan of a request to a remote store, which many reads reuse: its facts, its gets, encoders and decoders.

The standard library only: the reader imports this.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from itertools import chain
from typing import TYPE_CHECKING, Any

from asknown.instants import to_microseconds
from asknown.online.answer import (
    Answer,
    Column,
    Found,
    UnreadableError,
    before_watermark,
    beyond_ahead,
    decode_all,
    earliest,
    read_moments,
)
from asknown.online.codec import column_decoder, full_column_decoder, stored_key
from asknown.online.keys import column_encoder
from asknown.online.lookups import as_asked, keyed, rounds
from asknown.online.remote.documents import COMMIT, ON_DEMAND, PUSHES, SERVICE, VIEW, Placed, State
from asknown.online.remote.store import Block, Get, Got, Key, RemoteStore, Span
from asknown.online.request import Read, Request, answered_until
from asknown.online.windows import Columns, Events, Tile, WindowAnswer, WindowFeatures

if TYPE_CHECKING:
    from asknown.online.on_demand import OnDemandFeatures


class Moved:
    """The answer of a read whose instant lies before the last push into ``view``, which was ``at`` (microseconds)."""

    __slots__ = ("at", "view")

    def __init__(self, view: str, at: int) -> None:
        self.view = view
        self.at = at


class _ShortOfBlocks:
    """Says that the blocks at the edges of the windows are not enough, because one has no state of those after it."""


class RemotePlan:
    """The plan of requests of one shape, for one state of the documents."""

    def __init__(self, request: Request, references: Sequence[str], state: State) -> None:
        self.request = request
        reads = request.reads
        views = dict.fromkeys(read.stored.view.name for read in reads)
        # A service of a view's name would be meant in its place: the load that writes one gives the view a new load id.
        names = [*(f"{VIEW}{name}" for name in views)]
        names += [f"{SERVICE}{name}" for name in dict.fromkeys(references) if name in state.services]
        names += [f"{ON_DEMAND}{name}" for name in request.on_demand]
        self.facts: dict[str, str | None] = {name: state.versions.get(name) for name in names}
        self._pushed = list(dict.fromkeys(read.stored.view.name for read in reads if read.stored.pushes is not None))
        self._tell = (COMMIT, *(f"{PUSHES}{name}" for name in self._pushed)) if self._pushed else ()
        self._watermarks = [(read.stored.watermark.replace(tzinfo=None), read) for read in reads]
        self.earliest = max((watermark for watermark, _ in self._watermarks), default=datetime.min)
        self._beyond = answered_until(request)
        self.beyond = min((at for _, at in self._beyond), default=datetime.max)
        self._tables = [_Table(read, state.views[read.stored.view.name]) for read in reads]
        self._on_demand = _on_demand(request)
        self._names = tuple(output.name for output in request.outputs)
        self._rounds = rounds(request)
        self._places = [(output.read, output.place, output.windowed) for output in request.fetched]

    def check_instant(self, instant: datetime) -> None:
        """Refuses an instant that a view's table does not answer for."""
        for read, at in self._beyond:
            if instant >= at:
                raise beyond_ahead(read.stored, at, instant)
        for watermark, read in self._watermarks:
            if instant < watermark:
                raise before_watermark(read.stored.view.name, watermark, instant)

    def read(
        self, store: RemoteStore, columns: Mapping[str, Sequence[Any]], count: int, instant: datetime
    ) -> Answer | Moved | None:
        """The answer at ``instant``; None where the documents are no longer those that the plan was made for."""
        answer = self._attempt(store, columns, count, instant, whole=False)
        if isinstance(answer, _ShortOfBlocks):
            answer = self._attempt(store, columns, count, instant, whole=True)
            assert not isinstance(answer, _ShortOfBlocks), "all blocks were fetched"
        return answer

    def _attempt(
        self, store: RemoteStore, columns: Mapping[str, Sequence[Any]], count: int, instant: datetime, *, whole: bool
    ) -> Answer | Moved | _ShortOfBlocks | None:
        """As :meth:`read`, from one fetch; ``whole``: of all blocks in the windows, else of those at their edges."""
        moment = to_microseconds(instant)
        values: list[list[Any]] = [[] for _ in self._places]
        rows: dict[int, Found] = {}
        told: tuple[str | None, ...] | None = None
        for places in self._rounds:
            by = {place: keyed(self.request.reads[place], columns, values, count) for place in places}
            gets = [self._tables[p].get(by[p].columns, by[p].count, moment, whole=whole) for p in places]
            fetched = store.fetch(self.facts, self._tell, gets)
            if fetched is None or told not in (None, tuple(fetched.told)):
                return None  # between two rounds, no load and no push may have come
            told = tuple(fetched.told)
            for view, at in zip(self._pushed, told[1:], strict=True) if self._pushed else ():
                if at is not None and int(at) > moment:
                    return self._last_push(told[1:], view)
            for place, get, got in zip(places, gets, fetched.got, strict=True):
                answer = self._tables[place].answer(get, got, instant, moment)
                if isinstance(answer, _ShortOfBlocks):
                    return answer
                rows[place], kept = answer
                for at_place, (read, column, windowed) in enumerate(self._places):
                    if read == place:
                        some = [one.values[column] for one in rows[place].windows] if windowed else kept[column]
                        values[at_place] = as_asked(self.request.reads[place], by[place], some)
        if self._on_demand is not None:
            values += self._on_demand.for_rows(values, columns, count, instant)
            values = [values[place] for place in self.request.shown]
        seq = int(told[0] or 0) if self._pushed and told else 0
        found = [rows[place] for place in range(len(self._tables))]
        return Answer(self._names, self.request.outputs, found, values, instant=instant, seq=seq)

    def _last_push(self, told: Sequence[str | None], view: str) -> Moved:
        """The last push into any of the views."""
        last = Moved(view, 0)
        for name, at in zip(self._pushed, told, strict=True):
            if at is not None and int(at) > last.at:
                last = Moved(name, int(at))
        return last


class _Table:
    """One read, of any number of keys."""

    def __init__(self, read: Read, placed: Placed) -> None:
        view = read.stored.view
        self._table = placed.table
        self._looks_up = read.looks_up
        self._ttl = None if view.ttl is None else timedelta(microseconds=view.ttl)
        wanted = (view.event_time, *(feature.name for feature in read.features), *read.hidden)
        names = [column.name for column in view.columns]
        self._columns = tuple(names.index(name) for name in wanted) if read.looks_up else ()
        self._encoders = [
            (name, column_encoder(key.type, stored_key(key.type, encode)))
            for (name, encode), key in zip(read.keys, view.keys, strict=True)
        ]
        self._decoders = [column_decoder(feature.type) for feature in read.features]
        self._hidden = [(name, column_decoder(view.type_of(name))) for name in read.hidden]
        self._ahead = _AheadRows(read) if read.stored.ahead else None
        self._windows = _Windows(read) if read.windowed else None
        self._pushed = read.stored.pushes is not None and self._windows is not None

    def get(self, columns: Mapping[str, Sequence[Any]], count: int, moment: int, *, whole: bool) -> Get:
        """The gets for these rows of a request; ``whole``: of all blocks in the windows."""
        span = None if self._windows is None else self._windows.span(moment, whole=whole)
        return Get(self._table, self._keys(columns, count), self._columns, span, self._ahead is not None, self._pushed)

    def _keys(self, columns: Mapping[str, Sequence[Any]], count: int) -> Sequence[Key]:
        if not self._encoders or not count:  # a request of no rows may have no columns
            return [()] * count
        return list(zip(*(encode(columns[name]) for name, encode in self._encoders), strict=True))

    def answer(
        self, get: Get, got: Got, instant: datetime, moment: int
    ) -> tuple[Found, list[list[Any]]] | _ShortOfBlocks:
        """Return what was found, and the values of the read's as-of features, a column each."""
        keys, found = get.keys, Found([], None)
        stored: list[Column] = []
        if self._looks_up:
            fetched = got.columns if self._ahead is None else self._ahead.put(keys, got, moment)
            times, *stored = fetched
            found = Found(read_moments(times), earliest(instant, self._ttl))
            try:
                stored = found.in_age(stored)
            except TypeError as error:  # a time with a zone, which none of ours has
                raise UnreadableError(str(error)) from error
        width = len(self._decoders)
        values = [decode_all(column, decode) for column, decode in zip(stored[:width], self._decoders, strict=True)]
        if self._windows is not None:
            hidden = [
                (name, decode_all(column, decode))
                for (name, decode), column in zip(self._hidden, stored[width:], strict=True)
            ]
            marked = get.events is not None and bool(get.events.marks)
            windows = self._windows.answers(keys, got, hidden, moment, marked=marked)
            if isinstance(windows, _ShortOfBlocks):
                return windows
            found.windows = windows
        return found, values


class _AheadRows:
    """Puts the rows dated ahead that count by now in the place of those that the load found."""

    def __init__(self, read: Read) -> None:
        from asknown.online.remote.packing import ahead_shape  # few views have rows ahead

        view = read.stored.view
        shape = ahead_shape(view)
        wanted = (view.event_time, *(feature.name for feature in read.features), *read.hidden)
        keys = {column.name: place for place, column in enumerate(view.keys)}
        self._lines = shape.lines
        self._from_key = [(place, keys[name]) for place, name in enumerate(wanted) if name in keys]
        self._places = [0 if name in keys else shape.place(name) for name in wanted]

    def put(self, keys: Sequence[Key], got: Got, moment: int) -> Sequence[Column]:
        """The columns, with those of a row dated ahead for each key where such a row counts by now."""
        rows = [*zip(*got.columns, strict=True)]
        for number, data in enumerate(got.ahead):
            newest = self._newest(data, moment) if data else None
            if newest is not None:
                cells = [newest[place] for place in self._places]
                for place, part in self._from_key:
                    cells[place] = keys[number][part]
                rows[number] = tuple(cells)
        return list(zip(*rows, strict=True)) or got.columns

    def _newest(self, data: bytes, moment: int) -> list[Any] | None:
        visible = [row for row in self._lines.rows(data) if row[1] and row[0] <= moment]
        return max(visible, key=lambda row: row[0]) if visible else None


class _Windows:
    """The part of one view's events that the features of a request need, and their answers."""

    def __init__(self, read: Read) -> None:
        from asknown.online.remote import packing  # most requests do without

        view = read.stored.view
        times = packing.event_times(view)
        self.features = WindowFeatures(view, read.windowed, times, full_column_decoder)
        names = self.features.columns
        every = packing.event_columns(view)
        self._reader = packing.BlockReader(view, names)
        self._pushed = packing.pushed_lines(view)
        self._pushed_places = [1 + every.index(name) for name in names]
        shape = packing.ahead_shape(view)
        self._ahead = shape.lines
        self._ahead_places = [2 + times.index(name) if name in times else shape.place(name) for name in names]
        self._nothing: Columns = [()] * len(names)
        self._marked = self.features.merges and self.features.latest == 0

    def span(self, moment: int, *, whole: bool) -> Span:
        """The events that are needed at an instant; ``whole``: all those in the windows."""
        features = self.features.at(moment)
        marks = tuple(moment - oldest for oldest, _ in features.frames) if self._marked and not whole else ()
        return Span(moment - features.oldest, moment - features.newest, marks)

    def answers(
        self, keys: Sequence[Key], got: Got, hidden: Sequence[tuple[str, list[Any]]], moment: int, *, marked: bool
    ) -> list[WindowAnswer] | _ShortOfBlocks:
        """The windows' features of each row; a key is answered once. ``marked``: only some blocks were fetched."""
        known: dict[Key, WindowAnswer] = {}
        for place, key in enumerate(keys):
            if key in known:
                continue
            try:
                loose = self._loose(
                    got.ahead[place] if got.ahead else None, got.pushed[place] if got.pushed else None, moment
                )
                events = self._events(got.events[place] or (), moment, loose, marked=marked)
                if isinstance(events, _ShortOfBlocks):
                    return events
                kept = {name: column[place] for name, column in hidden}
                known[key] = self.features.answer(events, moment, kept, loose)
            except (ValueError, TypeError, LookupError) as error:
                raise UnreadableError(str(error)) from error
        return [known[key] for key in keys]

    def _events(self, blocks: Sequence[Block], moment: int, loose: Columns, *, marked: bool) -> Events | _ShortOfBlocks:
        """The tile of each frame, where these are enough, else the columns of all events in the longest window."""
        if not blocks:
            return self._nothing
        starts = [start for start, _ in blocks]
        features = self.features.at(moment)
        oldest, newest = moment - features.oldest, moment - features.newest
        first = max(0, bisect_left(starts, oldest) - 1)
        head = self._reader.head(blocks[first][1])
        if features.merges and head.last <= moment - features.latest:
            tiles = self._tiles(blocks, starts, moment)
            if tiles is not None and features.merges_with(tiles, moment, loose):
                return tiles
        if marked:
            return _ShortOfBlocks()
        some = [data for start, data in blocks[first:] if start <= newest]
        columns = [self._reader.columns(data, self._reader.head(data)) for data in some]
        return [list(chain.from_iterable(parts)) for parts in zip(*columns, strict=True)] or self._nothing

    def _tiles(self, blocks: Sequence[Block], starts: Sequence[int], moment: int) -> tuple[Tile, ...] | None:
        """The tile of each frame; None where one has no states."""
        tiles: list[Tile] = []
        read: dict[int, Tile] = {}
        for oldest, _ in self.features.at(moment).frames:
            place = max(0, bisect_left(starts, moment - oldest) - 1)
            if place not in read:
                data = blocks[place][1]
                head = self._reader.head(data)
                if head.after is None:
                    return None
                read[place] = Tile(self._reader.columns(data, head), head.last, head.later, head.after)
            tiles.append(read[place])
        return tuple(tiles)

    def _loose(self, ahead: bytes | None, pushed: bytes | None, moment: int) -> Columns:
        """The events that are in no block: rows dated ahead that are visible by now, and pushed ones."""
        rows: list[Any] = [[row[place] for place in self._pushed_places] for row in self._pushed.rows(pushed)]
        rows += _picked((row for row in self._ahead.rows(ahead) if row[0] <= moment), self._ahead_places)
        if not rows:
            return ()
        return list(zip(*(self.features.in_time_order(rows) if len(rows) > 1 else rows), strict=True))


def _picked(rows: Iterable[Sequence[Any]], places: Sequence[int]) -> list[list[Any]]:
    return [[row[place] for place in places] for row in rows]


def _on_demand(request: Request) -> OnDemandFeatures | None:
    if not request.computed:
        return None
    from asknown.online.on_demand import OnDemandFeatures  # and with it the evaluator of expressions

    return OnDemandFeatures(request.computed, len(request.fetched))
