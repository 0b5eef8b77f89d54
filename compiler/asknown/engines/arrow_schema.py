"""Reads from the Arrow schema in a Parquet file which integers are something else.

Parquet has no durations and no periods. pyarrow, pandas and polars store both as integers, and say what they mean in
an Arrow schema in the file's metadata, which DuckDB does not read. The schema is a flatbuffer; of its format
(https://arrow.apache.org/docs/format/Columnar.html, ``Schema.fbs``) this module knows the fields' names, types and
metadata, so that nobody needs pyarrow for it.
"""

from __future__ import annotations

import base64
import binascii
import struct
from collections.abc import Iterator

PERIOD = "period"
_UNITS = ("s", "ms", "us", "ns")
_DURATION = 18  # in the union of types
_DEPTH = 64
_NAME, _TYPE_KIND, _TYPE, _CHILDREN, _METADATA = 0, 2, 3, 5, 6  # slots of a field


def find_durations(value: bytes) -> dict[tuple[str, ...], str]:
    """By the path of a column: the unit of its durations (``s``, ``ms``, ``us``, ``ns``), or ``period``.

    ``value`` is what the file's metadata has under ``ARROW:schema``. Metadata that does not read says nothing.
    """
    try:
        data = base64.b64decode(value, validate=True)
        message = _Table.at(data, 8)  # after the mark of a message and its length
        schema = message.table(2)
        return dict(_search(schema, 1, ())) if schema is not None else {}
    except (binascii.Error, struct.error, IndexError, UnicodeDecodeError, RecursionError):
        return {}


def _search(parent: _Table, slot: int, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str]]:
    if len(above) > _DEPTH:
        return
    for field in parent.tables(slot):
        path = (*above, field.text(_NAME))
        named = {entry.text(0): entry.text(1) for entry in field.tables(_METADATA)}
        if field.byte(_TYPE_KIND) == _DURATION:
            kind = field.table(_TYPE)
            yield path, _UNITS[kind.short(0, 1) if kind is not None else 1]
        elif named.get("ARROW:extension:name") == "pandas.period":
            yield path, PERIOD
        yield from _search(field, _CHILDREN, path)


class _Table:
    """A table of a flatbuffer: its slots are found through a list of offsets, in which 0 means that one is absent."""

    def __init__(self, data: bytes, start: int) -> None:
        self._data, self._start = data, start

    @classmethod
    def at(cls, data: bytes, place: int) -> _Table:
        """The table that the offset at a place leads to."""
        return cls(data, place + _number("<I", data, place))

    def _slot(self, number: int) -> int | None:
        offsets = self._start - _number("<i", self._data, self._start)
        if 4 + 2 * number >= _number("<H", self._data, offsets):
            return None
        offset = _number("<H", self._data, offsets + 4 + 2 * number)
        return self._start + offset if offset else None

    def byte(self, number: int) -> int:
        place = self._slot(number)
        return self._data[place] if place is not None else 0

    def short(self, number: int, default: int) -> int:
        place = self._slot(number)
        return _number("<h", self._data, place) if place is not None else default

    def text(self, number: int) -> str:
        place = self._slot(number)
        if place is None:
            return ""
        start = place + _number("<I", self._data, place)
        return self._data[start + 4 : start + 4 + _number("<I", self._data, start)].decode()

    def table(self, number: int) -> _Table | None:
        place = self._slot(number)
        return _Table.at(self._data, place) if place is not None else None

    def tables(self, number: int) -> Iterator[_Table]:
        place = self._slot(number)
        if place is None:
            return
        start = place + _number("<I", self._data, place)
        for index in range(min(_number("<I", self._data, start), len(self._data) // 4)):
            yield _Table.at(self._data, start + 4 + 4 * index)


def _number(form: str, data: bytes, place: int) -> int:
    if place < 0:
        raise IndexError(place)
    (number,) = struct.unpack_from(form, data, place)
    return int(number)
