"""The bytes that stores keep beside a view's rows: blocks of events, pushed events, and rows dated ahead.

A block is a tile of :mod:`asknown.online.tiles`: a line of JSON that says what follows, then the packed columns. Pushed
events and rows ahead are lines of JSON, so that a push appends to them. Bytes in JSON are hexadecimal.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from asknown.online import tiles
from asknown.online.nodes import OnlineView, OnlineWindows
from asknown.online.remote.store import Block
from asknown.online.tiles import BEGINNING, TileBuilder, pack, unpack
from asknown.online.windows import Columns
from asknown.types import Column, SqlType

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


def event_columns(view: OnlineView) -> tuple[str, ...]:
    """The columns of a view's events: its times, then what its windows keep. A time's name may be free of a clash."""
    assert view.windows is not None
    return (*event_times(view), *(column.name for column in view.windows.columns))


def event_times(view: OnlineView) -> tuple[str, ...]:
    """The names of the times of a view's events. None is a hidden column's name."""
    taken = {column.name for column in _windows(view).columns}
    names = []
    for name in view.times:
        free = name
        while free in taken:
            free = f"_{free}"
        names.append(free)
        taken.add(free)
    return tuple(names)


def _windows(view: OnlineView) -> OnlineWindows:
    assert view.windows is not None
    return view.windows


# -- blocks of events --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class BlockHead:
    """The head of a block: the key's newest event time, and the number of events behind it and their states.

    ``after`` is None where a sum is too large for a state. ``sizes`` has the form and the length of each column.
    """

    last: int
    later: int
    after: list[list[Any]] | None
    sizes: list[tuple[str, int]]


class BlockPacker:
    """Packs the events of one key after another, which come as columns in order of time."""

    def __init__(self, view: OnlineView) -> None:
        self._names = event_columns(view)
        self._lifetime = _windows(view).lifetime
        self._tiles = TileBuilder(view, self._names, len(view.times))
        hidden = {column.name: column.type for column in _windows(view).columns}
        self._blobs = [_is_blob(hidden.get(name)) for name in self._names]

    def pack(self, columns: Columns) -> tuple[Block, ...]:
        """The blocks of a key with these events; of a view that keeps none, one with their states."""
        times = columns[0]
        tile = self._tiles.summarized(columns) if self._lifetime else None
        if tile is not None:
            start, _, last, later, states, *_ = tile
            return ((start, self._block([()] * len(columns), f"{last},{later},{states}")),)
        after: Sequence[str] | None
        try:
            after = self._tiles.after(columns)
        except OverflowError:
            after = None
        length, blocks = tiles.LENGTH, []
        for number, begin in enumerate(range(0, len(times), length)):
            states = "null" if after is None else after[number]
            later = max(0, len(times) - begin - length)
            start = times[begin] if number else BEGINNING
            inside = [column[begin : begin + length] for column in columns]
            blocks.append((start, self._block(inside, f"{times[-1]},{later},{states}")))
        return tuple(blocks)

    def _block(self, columns: Columns, head: str) -> bytes:
        """The bytes of a block with these columns; ``head`` is what stands before their sizes."""
        packed, sizes = [], []
        for code, is_blob, column in zip(self._tiles.codes, self._blobs, columns, strict=True):
            data = pack(code, [_hex(value) for value in column] if is_blob else column)
            form = "j" if isinstance(data, str) else code
            packed.append(data.encode() if isinstance(data, str) else data)
            sizes.append(f'["{form}",{len(packed[-1])}]')
        return b"".join([f"[{head},[{','.join(sizes)}]]\n".encode(), *packed])


class BlockReader:
    """Reads some columns of a view's blocks."""

    def __init__(self, view: OnlineView, columns: Sequence[str]) -> None:
        names = event_columns(view)
        hidden = {column.name: column.type for column in _windows(view).columns}
        self._places = [names.index(name) for name in columns]
        self._blobs = [_is_blob(hidden.get(name)) for name in columns]

    def head(self, data: bytes) -> BlockHead:
        """The head of a block."""
        last, later, after, sizes = json.loads(data[: data.index(b"\n")])
        return BlockHead(last, later, after, sizes)

    def columns(self, data: bytes, head: BlockHead) -> list[Sequence[Any]]:
        """The columns of a block's events."""
        begins, begin = [], data.index(b"\n") + 1
        for _, size in head.sizes:
            begins.append(begin)
            begin += size
        found: list[Sequence[Any]] = []
        for place, is_blob in zip(self._places, self._blobs, strict=True):
            code, size = head.sizes[place]
            inside = data[begins[place] : begins[place] + size]
            values = json.loads(inside) if code == "j" else unpack(code, inside)
            found.append([_unhex(value) for value in values] if is_blob else values)
        return found


def unpack_events(view: OnlineView, blocks: Iterable[Block]) -> Iterator[tuple[Any, ...]]:
    """The events in these blocks, each with all of its columns."""
    reader = BlockReader(view, event_columns(view))
    for _, data in blocks:
        yield from zip(*reader.columns(data, reader.head(data)), strict=True)


# -- lines of JSON -----------------------------------------------------------------------------------------------------


class Lines:
    """Rows of cells as lines of JSON; ``types`` are those of the columns, None for a number that has none."""

    def __init__(self, types: Sequence[SqlType | None]) -> None:
        self._blobs = [place for place, kind in enumerate(types) if _is_blob(kind)]

    def line(self, row: Sequence[Any]) -> bytes:
        """The line of a row."""
        if self._blobs:
            row = list(row)
            for place in self._blobs:
                row[place] = _hex(row[place])
        return f"{_encode(row)}\n".encode()

    def rows(self, data: bytes | None) -> list[list[Any]]:
        """The rows of some lines."""
        if not data:
            return []
        rows: list[list[Any]] = json.loads(b"[%b]" % data[:-1].replace(b"\n", b","))
        for row in rows if self._blobs else ():
            for place in self._blobs:
                row[place] = _unhex(row[place])
        return rows


def pushed_lines(view: OnlineView) -> Lines:
    """The lines of a view's pushed events: the number of the push, the times (microseconds), the hidden columns."""
    return Lines([None, *(None for _ in view.times), *(column.type for column in _windows(view).columns)])


@dataclass(frozen=True)
class AheadShape:
    """A view's rows dated ahead: when a row becomes visible, whether it is then its key's newest, times, columns.

    Times are in microseconds. ``columns`` are those of the view's table but its keys, and those of its events.
    """

    view: OnlineView
    columns: tuple[Column, ...]

    @property
    def lines(self) -> Lines:
        """The lines that these rows are written as."""
        return Lines([None, None, *(None for _ in self.view.times), *(column.type for column in self.columns)])

    def place(self, column: str) -> int:
        """Where a column, which is no key, stands in a row."""
        names = [one.name for one in self.columns]
        return 2 + len(self.view.times) + names.index(column)


def ahead_shape(view: OnlineView) -> AheadShape:
    """How a view's rows dated ahead are written."""
    return AheadShape(view, view.ahead_columns)


def _is_blob(kind: SqlType | None) -> bool:
    return kind is not None and kind.kind == "blob"


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()


def _unhex(value: str | None) -> bytes | None:
    return None if value is None else bytes.fromhex(value)
