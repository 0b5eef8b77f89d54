"""Packs rows into bytes for the server, and unpacks them without any change.

| cell of the stored form | in the row                                                  |
|-------------------------|-------------------------------------------------------------|
| boolean                 | 1 byte                                                      |
| integer of 64 bits      | 8 bytes                                                     |
| float                   | 8 bytes; a NaN, which is a text in the stored form, as well |
| text, blob              | behind the others                                           |

A row is the number of the format, a bitmap of NULLs, the columns of fixed width, the ends of the others, then these.
Keys are not in it: they are in the name that it is stored under.
"""

from __future__ import annotations

import struct
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any

from asknown.online.remote.store import Block, Cell, Row, Span
from asknown.types import Column, Kind, SqlType

FORMAT = 1
"""The number in the first byte of each row. A row with another is not read."""

_NAN = float("nan")
_CODES: dict[Kind, str] = {"boolean": "B", "integer": "q", "float": "d"}
_BLOCK = struct.Struct("<qI")


def code_of(kind: SqlType) -> str:
    """The code of :mod:`struct` for a column of fixed width; empty for others."""
    return "" if kind.is_wide else _CODES.get(kind.kind, "")


class RowFormat:
    """The format of rows of some columns."""

    def __init__(self, columns: Sequence[Column]) -> None:
        codes = [code_of(column.type) for column in columns]
        self._width = len(columns)
        self._fixed = [place for place, code in enumerate(codes) if code]
        self._loose = [place for place, code in enumerate(codes) if not code]
        self._codes = codes
        self._floats = [place for place, code in enumerate(codes) if code == "d"]
        self._texts = [columns[place].type.kind != "blob" for place in self._loose]
        self._bitmap = (len(columns) + 7) // 8
        ends = "I" * len(self._loose)
        self._struct = struct.Struct(f"<B{self._bitmap}s{''.join(codes[p] for p in self._fixed)}{ends}")
        self._no_nulls = bytes(self._bitmap)

    def pack(self, cells: Sequence[Cell]) -> bytes:
        """The bytes of a row."""
        bitmap, row = self._no_nulls, cells
        if None in cells:
            nulls = sum(1 << place for place, cell in enumerate(cells) if cell is None)
            bitmap = nulls.to_bytes(self._bitmap, "little")
            row = [(0 if code else "") if cell is None else cell for cell, code in zip(cells, self._codes, strict=True)]
        for place in self._floats:
            if type(row[place]) is str:
                row = [
                    _NAN if code == "d" and cell == "NaN" else cell for cell, code in zip(row, self._codes, strict=True)
                ]
                break
        if not self._loose:
            return self._struct.pack(FORMAT, bitmap, *row)
        loose = [_to_bytes(row[place]) for place in self._loose]
        ends = accumulate(map(len, loose))
        return self._struct.pack(FORMAT, bitmap, *[row[place] for place in self._fixed], *ends) + b"".join(loose)

    def unpack(self, packed: bytes) -> Row:
        """The cells of a row, a NaN as text. Raises ValueError or struct.error for bytes that are no row."""
        row: list[Any] = list(self._unpack(packed))
        for place in self._floats:
            if row[place] != row[place]:
                row[place] = "NaN"
        return tuple(row)

    def _unpack(self, packed: bytes) -> Sequence[Any]:
        number, bitmap, *found = self._struct.unpack_from(packed)
        if number != FORMAT:
            raise ValueError(f"a row of format {number}")
        row: list[Any] = [None] * self._width
        for place, cell in zip(self._fixed, found, strict=False):
            row[place] = cell
        begin = base = self._struct.size
        for place, end, text in zip(self._loose, found[len(self._fixed) :], self._texts, strict=True):
            part = packed[begin : base + end]
            if len(part) != base + end - begin:
                raise ValueError("a row that is cut short")
            row[place] = part.decode() if text else part
            begin = base + end
        if bitmap != self._no_nulls:
            nulls = int.from_bytes(bitmap, "little")
            row = [None if nulls >> place & 1 else cell for place, cell in enumerate(row)]
        return row

    def reader(self, places: Sequence[int]) -> Callable[[bytes], list[Any]]:
        """A function from the bytes of a row to its cells at these places, in their order. A NaN is a float.

        One call of :mod:`struct` takes what has fixed width, and skips what is not wanted; each text is a slice.
        """
        wanted = set(places)
        codes = [
            self._codes[place] if place in wanted else f"{struct.calcsize('<' + self._codes[place])}x"
            for place in self._fixed
        ]
        unpack = struct.Struct(f"<B{self._bitmap}s{''.join(codes)}{'I' * len(self._loose)}").unpack_from
        fixed = [place for place in self._fixed if place in wanted]
        width, size, no_nulls = 2 + len(fixed), self._struct.size, self._no_nulls
        picked = [2 + fixed.index(place) for place in places if self._codes[place]]
        straight = picked == list(range(2, width))
        # By its place in the answer: where among the cells the end of the part before stands (-1: nowhere) and its own.
        texts = [
            (at, width + number - 1 if number else -1, width + number, self._texts[number])
            for at, place in enumerate(places)
            if not self._codes[place]
            for number in (self._loose.index(place),)
        ]
        bits = [1 << place for place in places]

        def read(packed: bytes) -> list[Any]:
            cells = unpack(packed)
            if cells[0] != FORMAT:
                raise ValueError(f"a row of format {cells[0]}")
            row = list(cells[2:width]) if straight else [cells[place] for place in picked]
            for at, before, end, text in texts:
                begin, stop = (size if before < 0 else size + cells[before]), size + cells[end]
                if stop > len(packed):
                    raise ValueError("a row that is cut short")
                part = packed[begin:stop]
                row.insert(at, part.decode() if text else part)
            if cells[1] != no_nulls:
                nulls = int.from_bytes(cells[1], "little")
                row = [None if nulls & bit else cell for bit, cell in zip(bits, row, strict=True)]
            return row

        return read


def _to_bytes(cell: Any) -> bytes:
    return cell if type(cell) is bytes else cell.encode()


def pack_blocks(blocks: Sequence[Block]) -> bytes:
    """The bytes of a key's blocks: how many there are, where each begins and ends, then the blocks."""
    ends = accumulate(len(block) for _, block in blocks)
    index = b"".join(_BLOCK.pack(start, end) for (start, _), end in zip(blocks, ends, strict=True))
    return len(blocks).to_bytes(4, "little") + index + b"".join(block for _, block in blocks)


def unpack_blocks(packed: bytes, span: Span | None = None) -> tuple[Block, ...]:
    """The blocks that a span needs; all of them without one."""
    count = int.from_bytes(packed[:4], "little")
    base = 4 + count * _BLOCK.size
    index = list(_BLOCK.iter_unpack(packed[4:base]))
    if len(index) != count or (index and base + index[-1][1] != len(packed)):
        raise ValueError("events that are cut short")
    if span is None or count < 2:
        return tuple(_blocks(packed, base, index, range(count)))
    starts = [start for start, _ in index]
    if span.marks:
        places: Sequence[int] = sorted({max(bisect_left(starts, mark) - 1, 0) for mark in span.marks})
    else:
        places = range(max(bisect_left(starts, span.oldest) - 1, 0), bisect_right(starts, span.newest))
    return tuple(_blocks(packed, base, index, places))


def _blocks(packed: bytes, base: int, index: Sequence[tuple[int, int]], places: Sequence[int]) -> list[Block]:
    return [
        (index[place][0], packed[base + (index[place - 1][1] if place else 0) : base + index[place][1]])
        for place in places
    ]
