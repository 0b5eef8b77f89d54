"""Hashes of what a view's parts hold, which ``asknown doctor`` compares with what the store gives back.

A hash is a sum over rows of cells, so a load or a push changes it by the rows that came and went.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import assert_never

from asknown.online.content import Change, Row, spell_hash
from asknown.online.remote.store import Key, Part, Value

EMPTY = spell_hash(0)


def hashed_rows(part: Part, key: Key, value: Value) -> list[Row]:
    """A part's content for a key, as the rows that are hashed."""
    match part:
        case "rows":
            assert isinstance(value, tuple)
            return [value]
        case "events":
            assert isinstance(value, tuple)
            return [(*key, *block) for block in value if isinstance(block, tuple)]
        case "ahead":
            return [(*key, value)]
        case "pushed":
            assert isinstance(value, bytes)
            return [(*key, line) for line in value.splitlines(keepends=True)]
        case _:
            assert_never(part)


class PartChange:
    """The changes of one transaction to a part."""

    def __init__(self, part: Part) -> None:
        self._part: Part = part
        self._change = Change()

    def add(self, items: Iterable[tuple[Key, Value]]) -> None:
        """Values that have come."""
        self._change.add(self._rows(items))

    def remove(self, items: Iterable[tuple[Key, Value]]) -> None:
        """Values that have left."""
        self._change.remove(self._rows(items))

    def _rows(self, items: Iterable[tuple[Key, Value]]) -> list[Row]:
        if self._part == "rows":  # a load has many, and they are rows already
            return [value for _, value in items]  # type: ignore[misc]
        return [row for key, value in items for row in hashed_rows(self._part, key, value)]

    def apply(self, hashed: str | None) -> str:
        """The hash of the part, which was ``hashed`` before."""
        return self._change.apply(hashed or EMPTY)
