"""The names of the keys on the server, and the bytes that stand for an entity's key.

All names of one online table begin with ``ak:<space>:``; a row is ``ak:<space>:<view>:<generation>:r:<key>``. A part
is escaped where it has a colon, which separates, or a brace, which the server takes for a hash tag.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from asknown.online.remote.store import Key, Part, Table
from asknown.types import Column, SqlType

_SPECIAL = re.compile(rb"[%:{}*?\[\]\\^]")
_ESCAPED = re.compile(rb"%([0-9A-F]{2})")
_LETTERS: dict[Part, bytes] = {"rows": b"r", "events": b"e", "ahead": b"a", "pushed": b"p"}


def escape(text: bytes) -> bytes:
    """The bytes without colons, braces, and what means something in a pattern of SCAN."""
    if _SPECIAL.search(text) is None:
        return text
    return _SPECIAL.sub(lambda found: b"%%%02X" % found[0][0], text)


def unescape(text: bytes) -> bytes:
    """The bytes that :func:`escape` was given."""
    return _ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), text) if b"%" in text else text


@dataclass(frozen=True)
class Names:
    """The names of the keys of one online table. ``root`` is what they begin with."""

    root: bytes

    @staticmethod
    def of(space: str) -> Names:
        """The names of the table of this space."""
        return Names(b"ak:%b:" % escape(space.encode()))

    @property
    def documents(self) -> bytes:
        """The hash of all documents: the version and the body of each."""
        return self.root + b"_documents"

    @property
    def lock(self) -> bytes:
        """The token of the process that is writing."""
        return self.root + b"_lock"

    @property
    def load_lock(self) -> bytes:
        """The token of the process that loads, or lands rows."""
        return self.root + b"_loading"

    @property
    def written(self) -> bytes:
        """The token of the last transaction that was committed."""
        return self.root + b"_written"

    @property
    def making(self) -> bytes:
        """The set of generations that a load has begun."""
        return self.root + b"_making"

    @property
    def retired(self) -> bytes:
        """The sorted set of generations that no new read needs, by the time (seconds) from which on they may go."""
        return self.root + b"_retired"

    @property
    def sizes(self) -> bytes:
        """The hash of how many bytes the newest generation of each view took when it was made."""
        return self.root + b"_sizes"

    def version(self, document: str) -> bytes:
        """The version of a document, which reads compare."""
        return self.root + b"_version:" + escape(document.encode())

    def outbox(self, source: str) -> bytes:
        """The stream of a source's rows that have not landed."""
        return self.root + b"_outbox:" + escape(source.encode())

    def seen(self, source: str, key: Any) -> bytes:
        """The id of a pushed row."""
        spelt = key if type(key) is bytes else str(key).encode()
        return b"%b_seen:%b:%b%b" % (self.root, escape(source.encode()), type(key).__name__[:1].encode(), escape(spelt))

    def generation(self, table: Table) -> bytes:
        """The beginning of the names of all keys of a generation."""
        return b"%b%b:%b:" % (self.root, escape(table.view.encode()), table.generation.encode())

    def part(self, table: Table, part: Part) -> bytes:
        """The beginning of the names of a part's keys."""
        return b"%b%b:" % (self.generation(table), _LETTERS[part])


def spell_key(columns: Sequence[Column]) -> Callable[[Key], bytes]:
    """A function from the cells of a key, none of them NULL, to the bytes that stand for them."""
    spells = [_speller(column.type) for column in columns]
    if len(spells) == 1:
        spell = spells[0]
        return lambda key: spell(key[0])
    return lambda key: b":".join([spell(cell) for spell, cell in zip(spells, key, strict=True)])


def read_key(columns: Sequence[Column]) -> Callable[[bytes], Key]:
    """A function from the bytes that stand for a key to its cells."""
    reads = [_reader(column.type) for column in columns]
    if not reads:
        return lambda _: ()
    return lambda text: tuple([read(part) for read, part in zip(reads, text.split(b":"), strict=True)])


def _speller(kind: SqlType) -> Callable[[Any], bytes]:
    if _is_number(kind):
        return b"%d".__mod__
    if kind.kind == "blob":
        return escape
    return lambda text: escape(text.encode())


def _reader(kind: SqlType) -> Callable[[bytes], Any]:
    if _is_number(kind):
        return int
    if kind.kind == "blob":
        return unescape
    return lambda text: unescape(text).decode()


def _is_number(kind: SqlType) -> bool:
    return kind.kind == "boolean" or (kind.kind == "integer" and not kind.is_wide)
