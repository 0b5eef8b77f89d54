"""The plan of a request, which many reads reuse: its statements, encoders of keys and decoders of values.

There are two ways to read, with the same result. :meth:`ReadPlan.read_row`, the fast path, reads one row of a request
in one statement, whatever the number of views. :meth:`ReadPlan.read_rows` reads any request, in a transaction. Both
check in the same state of the file that the plan is still valid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from asknown.instants import from_microseconds, to_microseconds
from asknown.online.answer import (
    Answer,
    Column,
    Found,
    UnreadableError,
    before_push,
    before_watermark,
    beyond_ahead,
    decode_all,
    earliest,
    read_moments,
)
from asknown.online.codec import Convert, column_decoder, decoder, stored_key
from asknown.online.request import Output, Read, Request, answered_until
from asknown.online.sqlite.lookup import Lookup, PlanFacts, lookup_columns, row_statement

if TYPE_CHECKING:
    from asknown.online.on_demand import OnDemandFeatures
    from asknown.online.sqlite.ahead import AheadRead
    from asknown.online.sqlite.tiles import WindowRead
    from asknown.online.windows import WindowAnswer


class ReadPlan:
    """The plan of requests of one shape, for one state of the file."""

    def __init__(self, request: Request, facts: PlanFacts) -> None:
        self.request = request
        self.by_row = row_statement(request, facts)
        self._check = facts.statement
        self._facts = facts.parameters
        self.facts = facts
        self._follows = bool(facts.pushed)
        self._watermarks = [(read.stored.watermark.replace(tzinfo=None), read) for read in request.reads]
        self.earliest = max((watermark for watermark, _ in self._watermarks), default=datetime.min)
        self._beyond = answered_until(request)
        self.beyond = min((at for _, at in self._beyond), default=datetime.max)
        self._ttls = [_ttl(read) for read in request.reads]
        self._keys = [
            (column, stored_key(key.type, encode))
            for read in request.reads
            for (column, encode), key in zip(read.keys, read.stored.view.keys, strict=True)
        ]
        self._outputs = request.outputs
        self._names = tuple(output.name for output in request.outputs)
        self._on_demand = _on_demand(request)
        self._width = len(request.fetched)
        kinds = [output.column.type for output in request.fetched]
        self._floats = [i for i, kind in enumerate(kinds) if kind.kind == "float"]
        self._decoders: list[tuple[int, Convert]] = [
            (i, decode)
            for i, kind in enumerate(kinds)
            if kind.kind != "float" and (decode := decoder(kind)) is not None
        ]
        # Among the cells of a row, for each read: where its event time stands, its ttl, and the outputs that are of it.
        self._parts = [
            (self._width + i, ttl, [o for o, output in enumerate(request.fetched) if output.read == i])
            for i, ttl in enumerate(self._ttls)
        ]
        self._tables = [_Table(read, ttl) for read, ttl in zip(request.reads, self._ttls, strict=True)]

    # -- one row, in one statement -----------------------------------------------------------------------------

    def read_row(self, cursor: Any, row: Mapping[str, Any], instant: datetime) -> Answer | None:
        """The answer for one row at ``instant``; None where the file is no longer the one that the plan is for."""
        assert self.by_row is not None
        parameters = [encode(row[column]) for column, encode in self._keys] + self._facts
        if self._follows:
            parameters.append(to_microseconds(instant))
        rows = cursor.execute(self.by_row, parameters).fetchall()
        if not rows:
            return None
        cells = rows[0]
        values = list(cells[: self._width])
        try:
            found = self._read_times(cells, values, instant)
            self._decode(values)
        except (ValueError, TypeError, ArithmeticError) as error:
            raise UnreadableError(str(error)) from error
        if self._on_demand is not None:
            values += self._on_demand.for_row(values, row, instant)
            values = [values[place] for place in self.request.shown]
        seq = cells[-1] or 0 if self._follows else 0
        columns = [[value] for value in values]
        return Answer(self._names, self._outputs, found, columns, instant=instant, seq=seq, request=self.request)

    def _read_times(self, cells: Sequence[Any], values: list[Any], instant: datetime) -> list[Found]:
        """Return what each read found, and remove the values that are too old."""
        found = []
        for place, ttl, outputs in self._parts:
            text = cells[place]
            if text is None:
                found.append(Found([None], None))
                continue
            moment, oldest = datetime.fromisoformat(text), earliest(instant, ttl)
            found.append(Found([moment], oldest))
            if oldest is not None and moment < oldest:
                for output in outputs:
                    values[output] = None
        return found

    def _decode(self, values: list[Any]) -> None:
        """Puts the values in place of how they are stored."""
        for place in self._floats:  # a double is stored as it is, and only a NaN as text
            value = values[place]
            if value is not None and type(value) is not float:
                values[place] = float(value)
        for place, decode in self._decoders:
            if values[place] is not None:
                values[place] = decode(values[place])

    # -- any request -------------------------------------------------------------------------------------------

    def read_rows(
        self, cursor: Any, columns: Mapping[str, Sequence[Any]], count: int, instant: datetime
    ) -> Answer | None:
        """The same for any number of rows, inside a transaction."""
        facts = [*self._facts, to_microseconds(instant)] if self._follows else self._facts
        if not cursor.execute(self._check, facts).fetchall():
            return None
        if any(read.is_looked_up for read in self.request.reads):
            rows, values = self._look_up(cursor, columns, count, instant)
        else:
            reads = [table.read(cursor, columns, count, instant) for table in self._tables]
            values = [_values(output, *reads[output.read]) for output in self.request.fetched]
            rows = [found for found, _ in reads]
        if self._on_demand is not None:
            values += self._on_demand.for_rows(values, columns, count, instant)
            values = [values[place] for place in self.request.shown]
        seq = self.facts.last_seq(cursor) if self._follows else 0
        return Answer(self._names, self._outputs, rows, values, instant=instant, seq=seq, request=self.request)

    def _look_up(
        self, cursor: Any, columns: Mapping[str, Sequence[Any]], count: int, instant: datetime
    ) -> tuple[list[Found], list[list[Any]]]:
        """The rows that each read found, and the fetched values. A read comes after those that it is looked up by."""
        from asknown.online.lookups import as_asked, keyed  # few requests look views up

        values: list[list[Any]] = [[] for _ in self.request.fetched]
        rows = []
        for place, (table, read) in enumerate(zip(self._tables, self.request.reads, strict=True)):
            by = keyed(read, columns, values, count)
            found, kept = table.read(cursor, by.columns, by.count, instant)
            rows.append(found)
            for at, output in enumerate(self.request.fetched):
                if output.read == place:
                    values[at] = as_asked(read, by, _values(output, found, kept))
        return rows, values

    def after_pushes(self, cursor: Any, instant: datetime, *, latest: bool) -> datetime:
        """The instant of a read. A row that was pushed after it moves it to the arrival, if it is the present.

        If it is not, the view's table no longer answers for it.
        """
        if not self._follows:
            return instant
        last, view = self.facts.last_push(cursor)
        if last <= to_microseconds(instant):
            return instant
        pushed = from_microseconds(last)
        if not latest:
            raise before_push(view, pushed, instant)
        return pushed

    def check_instant(self, instant: datetime) -> None:
        """Refuses an instant that a view's table does not answer for."""
        for read, at in self._beyond:
            if instant >= at:
                raise beyond_ahead(read.stored, at, instant)
        for watermark, read in self._watermarks:
            if instant < watermark:
                raise before_watermark(read.stored.view.name, watermark, instant)


class _Table:
    """One read, of many keys at a time."""

    def __init__(self, read: Read, ttl: timedelta | None) -> None:
        self._read = read
        self._ttl = ttl
        self._lookup = Lookup(read)
        self._windows = _window_read(read)
        self._ahead = _ahead_read(read)
        self._decoders = [column_decoder(feature.type) for feature in read.features]
        self._hidden = [(name, column_decoder(read.stored.view.type_of(name))) for name in read.hidden]

    def read(
        self, cursor: Any, columns: Mapping[str, Sequence[Any]], count: int, instant: datetime
    ) -> tuple[Found, list[list[Any]]]:
        """Return what was found, and the values of the read's as-of features, a column each."""
        read = self._read
        keys = self._lookup.encode(columns, count)
        found = Found([], None)
        stored: list[Column] = []
        if read.looks_up:
            times, *stored = self._with_ahead(cursor, keys, self._lookup.fetch(cursor, keys), instant)
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
            found.windows = self._answer_windows(self._windows, cursor, keys, hidden, to_microseconds(instant))
        return found, values

    def _with_ahead(
        self, cursor: Any, keys: Sequence[Any], columns: Sequence[Column], instant: datetime
    ) -> Sequence[Column]:
        """The columns, with those of a row dated ahead for each key where such a row counts by now."""
        if self._ahead is None:
            return columns
        moment = to_microseconds(instant)
        known: dict[Any, tuple[Any, ...] | None] = {}
        for key in keys:
            if key not in known:
                parts = self._lookup.parts(key)
                known[key] = None if None in parts else self._ahead.newest(cursor, parts, moment)
        rows = [known[key] or row for key, row in zip(keys, zip(*columns, strict=True), strict=True)]
        return list(zip(*rows, strict=True)) or columns

    def _answer_windows(
        self,
        windows: WindowRead,
        cursor: Any,
        keys: Sequence[Any],
        hidden: Sequence[tuple[str, list[Any]]],
        instant: int,
    ) -> list[WindowAnswer]:
        """The windows' features of each row; a key is read and answered once."""
        known: dict[Any, WindowAnswer] = {}
        for place, key in enumerate(keys):
            if key not in known:
                parts = self._lookup.parts(key)
                whole = None if None in parts else parts
                events, loose = windows.fetch(cursor, whole, instant)
                try:
                    known[key] = windows.features.answer(
                        events, instant, {name: column[place] for name, column in hidden}, loose
                    )
                except (ValueError, TypeError) as error:
                    raise UnreadableError(str(error)) from error
        return [known[key] for key in keys]


def _values(output: Output, found: Found, kept: list[list[Any]]) -> list[Any]:
    """The values of one output, taken from the rows that its read found."""
    if output.windowed:
        return [answer.values[output.place] for answer in found.windows]
    return kept[output.place]


def _window_read(read: Read) -> WindowRead | None:
    if not read.windowed:
        return None
    from asknown.online.sqlite.tiles import WindowRead  # half of what a reader can import, and most requests do without

    return WindowRead(
        read.stored.view,
        read.windowed,
        ahead=bool(read.stored.ahead),
        pushed=read.stored.pushes is not None,
        stale=read.stored.stale_tiles,
    )


def _ahead_read(read: Read) -> AheadRead | None:
    if not read.stored.ahead:
        return None
    from asknown.online.sqlite.ahead import AheadRead  # few views have rows ahead

    return AheadRead(read.stored.view, lookup_columns(read))


def _on_demand(request: Request) -> OnDemandFeatures | None:
    if not request.computed:
        return None
    from asknown.online.on_demand import OnDemandFeatures  # and with it the evaluator of expressions

    return OnDemandFeatures(request.computed, len(request.fetched))


def _ttl(read: Read) -> timedelta | None:
    ttl = read.stored.view.ttl
    return None if ttl is None else timedelta(microseconds=ttl)
