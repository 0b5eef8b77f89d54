"""The writes that a transaction has yet to make, and their commands."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

from asknown.online.remote.store import Key, Value
from asknown.online.valkey.connect import pack

_AT_ONCE = 500  # values in one command


@dataclass
class Pending:
    """The writes that wait for one part of one generation: whole values by name (None: none), and bytes to append."""

    values: dict[bytes, bytes | None] = field(default_factory=dict)
    appended: dict[bytes, bytearray] = field(default_factory=dict)
    expiries: dict[bytes, int] = field(default_factory=dict)

    def put(self, name: bytes, value: bytes | None, expiry: int | None = None) -> None:
        """Notes the value of a key, or that it goes."""
        self.values[name] = value
        self.appended.pop(name, None)
        if expiry is None:
            self.expiries.pop(name, None)
        else:
            self.expiries[name] = expiry

    def append(self, name: bytes, more: bytes) -> None:
        """Notes bytes that follow the value of a key."""
        if name in self.values:
            self.values[name] = (self.values[name] or b"") + more
        else:
            self.appended.setdefault(name, bytearray()).extend(more)

    def overlaid(self, name: bytes, stored: bytes | None) -> bytes | None:
        """The value of a key as the transaction leaves it, where the server has ``stored``."""
        if name in self.values:
            return self.values[name]
        more = self.appended.get(name)
        return stored if more is None else (stored or b"") + bytes(more)

    def commands(self) -> Iterator[Sequence[bytes]]:
        """The commands that write all of it."""
        for name, value in self.values.items():
            if value is None:
                yield (b"UNLINK", name)
            elif name in self.expiries:
                yield (b"SET", name, value, b"PXAT", b"%d" % self.expiries[name])
            else:
                yield (b"SET", name, value)
        for name, more in self.appended.items():
            yield (b"APPEND", name, bytes(more))

    def clear(self) -> None:
        """Forgets all of it."""
        self.values.clear()
        self.appended.clear()
        self.expiries.clear()


def value_commands(
    items: Iterable[tuple[Key, Value]],
    prefix: bytes,
    spell: Callable[[Key], bytes],
    packer: Callable[[Any], bytes],
    expiry: Callable[[Any], int] | None,
) -> Iterator[tuple[int, list[bytes]]]:
    """The packed commands that write values, some hundred values at a time, and how many these are."""
    rest = iter(items)
    while some := list(islice(rest, _AT_ONCE)):
        if expiry is None:  # one command for all, and one answer
            words = [(prefix + spell(key), packer(value)) for key, value in some]
            pairs = [b"$%d\r\n%b\r\n$%d\r\n%b\r\n" % (len(n), n, len(v), v) for n, v in words]
            yield len(some), [b"*%d\r\n$4\r\nMSET\r\n%b" % (2 * len(pairs) + 1, b"".join(pairs))]
        else:
            yield (
                len(some),
                [pack(b"SET", prefix + spell(k), packer(v), b"PXAT", b"%d" % expiry(v)) for k, v in some],
            )


def count_words(commands: Iterable[Sequence[bytes]]) -> Iterator[bytes]:
    """The words of all commands, the number of each one's words before them."""
    for command in commands:
        yield b"%d" % len(command)
        yield from command
