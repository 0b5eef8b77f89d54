"""Reads of features: what a request means, and its answer.

The reader keeps a plan for each shape of request; beside it this module keeps what the plan's outputs need on the way
to JSON. Both are made again when a load has changed the table: the reader then gives another tuple of outputs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from threading import get_ident
from typing import TYPE_CHECKING, Any

import msgspec

from asknown.addresses import StoreAddress
from asknown.errors import AsknownError
from asknown.online.request import Request
from asknown.online.resolve import resolve
from asknown.serve.limits import Limits
from asknown.serve.metrics import Counts
from asknown.serve.wire import (
    Convert,
    ConvertColumn,
    Layout,
    column_writer,
    encode,
    needs_decimals,
    reader_of,
    value_writer,
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


class RowStatuses(msgspec.Struct, frozen=True, gc=False):
    """The statuses of one row: by output, how many of each there are, and their JSON."""

    by_output: list[list[Status]]
    counts: Counts
    json: msgspec.Raw


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
    value_writers: dict[Layout, list[Convert | None]] = field(default_factory=dict)
    keys_of_json: list[bytes] = field(default_factory=list)
    of_rows: dict[tuple[Status, ...], RowStatuses] = field(default_factory=dict)

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
        self.value_writers = {}
        self.of_rows = {}

    def statuses_of_row(self, answer: Answer) -> RowStatuses:
        """The statuses of an answer to one row. Few different ones occur, so each is kept."""
        bases = [found.statuses()[0] if found.moments else None for found in answer.found]
        said: tuple[Status, ...] = tuple(
            "PRESENT"
            if value is not None
            else "NULL_VALUE"
            if output.computed or output.windowed or (base := bases[output.read]) is None or base == "PRESENT"
            else base
            for (value,), output in zip(answer.values, answer.outputs, strict=True)
        )
        known = self.of_rows.get(said)
        if known is None:
            if len(self.of_rows) >= _MOST_SHAPES:
                self.of_rows.clear()
            known = self.of_rows[said] = RowStatuses(
                [[status] for status in said],
                tuple(Counter(zip(self.views, said, strict=True)).items()),
                msgspec.Raw(encode(dict(zip(self.names, said, strict=True)))),
            )
        return known

    def written(self, answer: Answer, layout: Layout) -> list[Sequence[Any]]:
        """The columns of an answer, as :data:`encode` takes them."""
        writers = self.writers.get(layout)
        if writers is None:
            writers = [column_writer(output.column.type, layout) for output in answer.outputs]
            self.writers[layout] = writers
        return [
            column if write is None else write(column) for column, write in zip(answer.values, writers, strict=True)
        ]

    def written_row(self, answer: Answer, layout: Layout) -> list[Any]:
        """The values of an answer to one row, as :data:`encode` takes them."""
        writers = self.value_writers.get(layout)
        if writers is None:
            writers = [value_writer(output.column.type, layout) for output in answer.outputs]
            self.value_writers[layout] = writers
        return [
            value if write is None or value is None else write(value)
            for (value,), write in zip(answer.values, writers, strict=True)
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
                    ask.references, prepared.convert(ask), at=ask.at, full_feature_names=ask.full_names
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
