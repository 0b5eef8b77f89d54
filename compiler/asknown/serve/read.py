"""Reads of features: what a request means, its answer, and the answer's bytes in the two layouts of JSON.

The reader keeps a plan for each shape of request; beside it this module keeps what the plan's outputs need on the way
to JSON. Both are made again when a load has changed the table: the reader then gives another tuple of outputs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from threading import get_ident
from typing import TYPE_CHECKING, Any

import msgspec

from asknown.addresses import StoreAddress
from asknown.errors import AsknownError
from asknown.instants import EPOCH, from_microseconds
from asknown.online.request import Request, as_columns
from asknown.online.resolve import resolve
from asknown.serve.limits import Limits
from asknown.serve.wire import (
    Convert,
    ConvertColumn,
    Layout,
    column_writer,
    encode,
    needs_decimals,
    reader_of,
)

if TYPE_CHECKING:
    from asknown.online.answer import Answer, OnlineResponse, Status
    from asknown.online.nodes import OnlineService
    from asknown.online.reader import OnlineReader
    from asknown.online.request import Output
    from asknown.types import SqlType

Rows = list[dict[str, Any]] | dict[str, list[Any]]

_MOST_SHAPES = 256  # as many as the reader keeps plans


class Ask(msgspec.Struct, frozen=True, gc=False):
    """One request for features: its references, its rows or columns, the instant and the names.

    ``exactly`` reads the rows again with decimals in place of doubles.
    """

    references: tuple[str, ...]
    rows: Rows
    full_names: bool
    at: str | None
    exactly: Callable[[], Rows]

    @property
    def count(self) -> int:
        """The number of rows."""
        if isinstance(self.rows, dict):
            return len(next(iter(self.rows.values()), ()))
        return len(self.rows)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the columns, of the first row where it is rows."""
        return tuple(self.rows) if isinstance(self.rows, dict) else tuple(self.rows[0]) if self.rows else ()


@dataclass(frozen=True)
class Fields:
    """The keys and inputs of a request by column: their types, and which of them are inputs."""

    keys: Mapping[str, SqlType]
    inputs: Mapping[str, SqlType]

    @property
    def decimals(self) -> bool:
        """Whether a fraction in the JSON must be read as a decimal."""
        return any(needs_decimals(kind) for kind in (*self.keys.values(), *self.inputs.values()))

    def converters(self) -> dict[str, Convert]:
        """A function for each column whose JSON values are not the reader's values."""
        found = {name: reader_of(kind, name, is_input=False) for name, kind in self.keys.items()}
        found |= {name: reader_of(kind, name, is_input=True) for name, kind in self.inputs.items()}
        return {name: convert for name, convert in found.items() if convert is not None}


@dataclass
class Prepared:
    """The facts that the requests of one shape share, for one state of the table.

    ``views`` names the view of each output. ``windowed``: reading many rows takes long.
    """

    request: Request
    fields: Fields
    outputs: tuple[Output, ...] | None = None
    names: tuple[str, ...] = ()
    views: tuple[str, ...] = ()
    windowed: bool = False
    converters: dict[str, Convert] = field(default_factory=dict)
    decimals: bool = False
    writers: dict[Layout, list[ConvertColumn | None]] = field(default_factory=dict)
    keys_of_json: list[bytes] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.converters = self.fields.converters()
        self.decimals = self.fields.decimals
        self.windowed = any(read.windowed for read in self.request.reads)
        computing = {one.reference: one.view.name for one in self.request.computed}
        self.views = tuple(
            computing[output.reference] if output.computed else self.request.reads[output.read].stored.view.name
            for output in self.request.outputs
        )

    def take_outputs(self, outputs: tuple[Output, ...]) -> None:
        """Notes the outputs of the reader's plan, which the writers are made for."""
        self.outputs = outputs
        self.names = tuple(output.name for output in outputs)
        self.keys_of_json = [msgspec.json.encode(name) for name in self.names]
        self.writers = {}
        self.__dict__.pop("all_present", None)

    @cached_property
    def all_present(self) -> tuple[list[list[Status]], Counts, bytes]:
        """The statuses of one row that has every value, their counts, and their JSON."""
        present: Status = "PRESENT"
        counts = {(view, "PRESENT"): number for view, number in Counter(self.views).items()}
        return [[present] for _ in self.names], counts, encode(dict.fromkeys(self.names, present))

    def written(self, answer: Answer, layout: Layout) -> list[Sequence[Any]]:
        """The columns of an answer, as :data:`encode` takes them."""
        writers = self.writers.get(layout)
        if writers is None:
            writers = [column_writer(output.column.type, layout) for output in answer.outputs]
            self.writers[layout] = writers
        return [
            column if write is None else write(column) for column, write in zip(answer.values, writers, strict=True)
        ]

    def convert(self, ask: Ask) -> Rows:
        """The rows of a request, with the values that the reader takes."""
        rows = ask.exactly() if self.decimals else ask.rows
        convert = self.converters
        if isinstance(rows, dict):
            if not convert:
                return rows
            return {
                name: list(map(convert[name], column)) if name in convert else column for name, column in rows.items()
            }
        if convert:
            rows = [{n: convert[n](v) if n in convert else v for n, v in row.items()} for row in rows]
        return rows


class Reading:
    """Answers requests with one reader, from any thread."""

    def __init__(self, reader: OnlineReader, limits: Limits) -> None:
        self.reader = reader
        self.is_remote = isinstance(reader.path, StoreAddress)
        self._limits = limits
        self._prepared: dict[int, dict[tuple[Any, ...], Prepared]] = {}

    def takes_long(self, ask: Ask) -> bool:
        """Whether to read in a thread: from a server, or there are many rows, or windows for more than one."""
        if self.is_remote:
            return True
        count = ask.count
        if count <= 1:
            return False
        if count > self._limits.rows_in_loop:
            return True
        prepared = self._prepared.get(get_ident(), {}).get((ask.references, ask.full_names, ask.names))
        return (prepared or self._resolve(ask)).windowed

    def read(self, ask: Ask) -> tuple[Prepared, OnlineResponse]:
        """The answer, and what turns it into JSON. Errors: those of ``OnlineReader.get_online_features``."""
        shapes = self._prepared.setdefault(get_ident(), {})
        shape = (ask.references, ask.full_names, ask.names)
        prepared = shapes.get(shape)
        resolved = prepared is None  # by this call, and not by an earlier one
        if prepared is None:
            prepared = self._keep(shapes, shape, ask)
        last: tuple[Output, ...] | None = None
        while True:
            try:
                response = self.reader.get_online_features(
                    list(ask.references), prepared.convert(ask), at=ask.at, full_feature_names=ask.full_names
                )
            except AsknownError:
                if resolved:
                    raise
                before, prepared, resolved = prepared, self._keep(shapes, shape, ask), True
                if before.fields == prepared.fields:
                    raise  # the types are as they were, so it is the request that is wrong
                continue
            outputs = response.answer.outputs
            if outputs is prepared.outputs:
                return prepared, response
            if (
                outputs is last
            ):  # two reads by one plan, and the request was resolved between them: it is of their state
                prepared.take_outputs(outputs)
                return prepared, response
            last, prepared, resolved = outputs, self._keep(shapes, shape, ask), True

    def _keep(self, shapes: dict[tuple[Any, ...], Prepared], shape: tuple[Any, ...], ask: Ask) -> Prepared:
        prepared = self._resolve(ask)
        if len(shapes) >= _MOST_SHAPES:
            shapes.clear()
        shapes[shape] = prepared
        return prepared

    def _resolve(self, ask: Ask) -> Prepared:
        self._limits.check_features(len(ask.references))
        request = self.resolve(ask.references, full_names=ask.full_names)
        self._limits.check_features(len(request.outputs))
        return Prepared(request, fields_of(request))

    def resolve(self, references: Sequence[str], *, full_names: bool = False) -> Request:
        """The meaning of the references for the table as it is now."""
        reader = self.reader
        return resolve(references, reader.views(), reader.services(), reader.on_demand(), full_names=full_names)

    def services(self) -> dict[str, OnlineService]:
        """The services in the table."""
        return self.reader.services()


def fields_of(request: Request) -> Fields:
    """The keys and inputs that a request needs."""
    return Fields(
        {name: kind for name, (kind, _) in request.keys().items()},
        {name: kind for name, (kind, _) in request.inputs().items()},
    )


# -- statuses and times ------------------------------------------------------------------------------------------------


Counts = dict[tuple[str, str], int]
"""How many values of each view have each status."""


def statuses_of(prepared: Prepared, answer: Answer) -> tuple[list[list[Status]], Counts]:
    """The statuses of each output, and their counts. Outputs of one read share a list where none is NULL."""
    found: list[list[Status]] = []
    counts: Counts = {}
    reads: dict[int, _Base] = {}
    for output, view, values in zip(answer.outputs, prepared.views, answer.values, strict=True):
        nulls = values.count(None)
        if output.windowed or output.computed:
            found.append(_of_values(values, nulls))
            _add(counts, view, "PRESENT", len(values) - nulls)
            _add(counts, view, "NULL_VALUE", nulls)
            continue
        base = reads.get(output.read)
        if base is None:
            base = reads[output.read] = _Base(view, answer.found[output.read].statuses())
        base.outputs += 1
        if nulls == base.absent:  # no other values are NULL than those that are not there
            found.append(base.statuses)
        else:
            statuses, own = _with_nulls(base.statuses, values, nulls)
            base.nulls += own
            found.append(statuses)
    for base in reads.values():
        _add(counts, base.view, "PRESENT", base.present * base.outputs - base.nulls)
        _add(counts, base.view, "NULL_VALUE", base.nulls)
        for status in ABSENT if base.absent else ():
            _add(counts, base.view, status, base.statuses.count(status) * base.outputs)
    return found, counts


class _Base:
    """The statuses of a read's rows before NULLs are considered; how many outputs it has, and NULLs in rows of it."""

    __slots__ = ("absent", "nulls", "outputs", "present", "statuses", "view")

    def __init__(self, view: str, statuses: list[Status]) -> None:
        self.view = view
        self.statuses = statuses
        self.present = statuses.count("PRESENT")
        self.absent = len(statuses) - self.present
        self.outputs = self.nulls = 0


def _add(counts: Counts, view: str, status: str, number: int) -> None:
    if number:
        counts[view, status] = counts.get((view, status), 0) + number


ABSENT: tuple[Status, ...] = ("NOT_FOUND", "OUTSIDE_MAX_AGE")


def _of_values(values: Sequence[Any], nulls: int) -> list[Status]:
    if not nulls:
        return ["PRESENT"] * len(values)
    return ["NULL_VALUE" if value is None else "PRESENT" for value in values]


def _with_nulls(base: list[Status], values: Sequence[Any], nulls: int) -> tuple[list[Status], int]:
    """The statuses with NULL_VALUE where a row is there and its value is NULL, and how many these are."""
    statuses, place, found = base.copy(), -1, 0
    for _ in range(nulls):  # few values are NULL, so to look for them is faster than to look at all
        place = values.index(None, place + 1)
        if statuses[place] == "PRESENT":
            statuses[place] = "NULL_VALUE"
            found += 1
    return statuses, found


def _times(answer: Answer, missing: datetime | None) -> list[bytes]:
    """The JSON of the event times of each output; ``missing`` stands where there is none."""
    found: list[bytes] = []
    shared: dict[int, bytes] = {}
    for output, values in zip(answer.outputs, answer.values, strict=True):
        if output.computed:
            times = shared.get(-1)
            if times is None:
                times = shared[-1] = _spell([None] * len(values), missing)
        elif output.windowed:
            newest = (window.newest(output.place) for window in answer.found[output.read].windows)
            times = _spell([None if at is None else from_microseconds(at) for at in newest], missing)
        else:
            times = shared.get(output.read)
            if times is None:
                times = shared[output.read] = _spell(answer.found[output.read].moments, missing)
        found.append(times)
    return found


def _spell(moments: list[datetime | None], missing: datetime | None) -> bytes:
    """A JSON list of naive instants in UTC, to which msgspec gives no zone."""
    if missing is not None and None in moments:
        moments = [missing if moment is None else moment for moment in moments]
    text = encode(moments).replace(b'",', b'Z",')
    return text[:-2] + b'Z"]' if text.endswith(b'"]') else text


# -- bytes -------------------------------------------------------------------------------------------------------------


class Written(msgspec.Struct, frozen=True, gc=False):
    """The bytes of an answer, with its statuses by output, which the log keeps, and their counts, for the metrics."""

    body: bytes
    statuses: list[list[Status]]
    counts: Counts


def write_feast(prepared: Prepared, response: OnlineResponse, columns: Mapping[str, Sequence[Any]]) -> Written:
    """Feast's JSON: one result for each column of the request, then for each feature."""
    answer = response.answer
    statuses, counts = statuses_of(prepared, answer)
    count = len(response)
    present, epochs = encode(["PRESENT"] * count), _spell([None] * count, EPOCH)
    parts = [_RESULT % (encode(column), present, epochs) for column in columns.values()]
    known: dict[int, bytes] = {}
    for column, status, moments in zip(prepared.written(answer, "feast"), statuses, _times(answer, EPOCH), strict=True):
        parts.append(_RESULT % (encode(column), _once(known, status), moments))
    names = [*map(encode, columns), *prepared.keys_of_json]
    body = b'{"metadata":{"feature_names":[%b]},"results":[%b],"status":true}' % (b",".join(names), b",".join(parts))
    return Written(body, statuses, counts)


_RESULT = b'{"values":%b,"statuses":%b,"event_timestamps":%b}'


def write_columns(prepared: Prepared, response: OnlineResponse, columns: Mapping[str, Sequence[Any]]) -> Written:
    """The answer of ``/v1/features`` to a request that gave columns: objects of lists."""
    answer = response.answer
    statuses, counts = statuses_of(prepared, answer)
    known: dict[int, bytes] = {}
    keys = prepared.keys_of_json
    values = [b"%b:%b" % (encode(name), encode(column)) for name, column in columns.items()]
    values += [b"%b:%b" % (k, encode(c)) for k, c in zip(keys, prepared.written(answer, "v1"), strict=True)]
    body = b'{"columns":{%b},"statuses":{%b},"event_timestamps":{%b},%b}' % (
        b",".join(values),
        b",".join([b"%b:%b" % (k, _once(known, status)) for k, status in zip(keys, statuses, strict=True)]),
        b",".join([b"%b:%b" % pair for pair in zip(keys, _times(answer, None), strict=True)]),
        _tail(response),
    )
    return Written(body, statuses, counts)


def write_rows(prepared: Prepared, response: OnlineResponse, rows: Sequence[Mapping[str, Any]]) -> Written:
    """The answer of ``/v1/features`` to a request that gave rows: a list of objects."""
    if len(rows) == 1:
        return _write_row(prepared, response, rows[0])
    answer, names = response.answer, prepared.names
    (statuses, counts), times = statuses_of(prepared, answer), _times(answer, None)
    written = prepared.written(answer, "v1")
    given = as_columns(rows).filled()
    shown = encode(_by_row([*given, *names], [*given.values(), *written], len(rows)))
    said = encode(_by_row(names, statuses, len(rows)))
    moments = encode(_by_row(names, [msgspec.json.decode(column) for column in times], len(rows)))
    body = b'{"rows":%b,"statuses":%b,"event_timestamps":%b,%b}' % (shown, said, moments, _tail(response))
    return Written(body, statuses, counts)


def _write_row(prepared: Prepared, response: OnlineResponse, row: Mapping[str, Any]) -> Written:
    """The answer to one row, the most frequent request."""
    answer = response.answer
    if [None] in answer.values:
        statuses, counts = statuses_of(prepared, answer)
        said = encode(dict(zip(prepared.names, [status for (status,) in statuses], strict=True)))
    else:
        statuses, counts, said = prepared.all_present
    values = zip(prepared.names, [column[0] for column in prepared.written(answer, "v1")], strict=True)
    times = zip(prepared.keys_of_json, _times(answer, None), strict=True)
    body = b'{"rows":[%b],"statuses":[%b],"event_timestamps":[{%b}],%b}' % (
        encode({**row, **dict(values)}),
        said,
        b",".join([b"%b:%b" % (key, text[1:-1]) for key, text in times]),
        _tail(response),
    )
    return Written(body, statuses, counts)


def _by_row(names: Sequence[str], columns: Sequence[Sequence[Any]], count: int) -> list[dict[str, Any]]:
    if not columns:
        return [{} for _ in range(count)]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _once(known: dict[int, bytes], column: Sequence[Any]) -> bytes:
    """The JSON of a list that several outputs share."""
    found = known.get(id(column))
    if found is None:
        found = known[id(column)] = encode(column)
    return found


def _tail(response: OnlineResponse) -> bytes:
    return b'"at":%b,"seq":%d' % (encode(response.at), response.seq)
