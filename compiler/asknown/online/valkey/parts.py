"""The content of a part of a generation for a key, as bytes: a row, blocks of events, or bytes as they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from asknown.online.remote.store import Key, Part, Row, Table, Value
from asknown.online.valkey.codec import RowFormat, pack_blocks, unpack_blocks


def kept_places(table: Table) -> tuple[int, ...]:
    """The places of the columns that a row's bytes have: all but the keys, and the event time if it is one of these."""
    keys = {key.name for key in table.keys}
    return tuple(
        place for place, column in enumerate(table.columns) if column.name not in keys or place == table.event_time
    )


def row_format(table: Table) -> RowFormat:
    """The format of the rows of a generation."""
    return RowFormat([table.columns[place] for place in kept_places(table)])


def value_packer(table: Table, part: Part) -> Callable[[Any], bytes]:
    """A function from what a part keeps for a key to its bytes."""
    if part == "events":
        return pack_blocks
    if part != "rows":
        return bytes
    kept, pack = kept_places(table), row_format(table).pack
    if len(kept) == len(table.columns):
        return pack
    return lambda row: pack([row[place] for place in kept])


def value_reader(table: Table, part: Part) -> Callable[[Key, bytes], Value]:
    """A function from a key and the bytes to what a part keeps for it."""
    if part == "events":
        return lambda _, packed: unpack_blocks(packed)
    if part != "rows":
        return lambda _, packed: packed
    kept, unpack = kept_places(table), row_format(table).unpack
    names = [key.name for key in table.keys]
    from_key = [(place, names.index(c.name)) for place, c in enumerate(table.columns) if c.name in names]
    width = len(table.columns)

    def read(key: Key, packed: bytes) -> Row:
        row: list[Any] = [None] * width
        for place, number in from_key:
            row[place] = key[number]
        for place, cell in zip(kept, unpack(packed), strict=True):
            row[place] = cell
        return tuple(row)

    return read


def column_reader(table: Table, columns: Sequence[int]) -> Callable[[bytes], Sequence[Any]] | None:
    """A function from a row's bytes to its cells at some places of the table's columns; None if one is in the key."""
    kept = kept_places(table)
    if not set(columns) <= set(kept):
        return None
    return row_format(table).reader([kept.index(place) for place in columns])
