"""The values of a YAML file, each with the place it was written at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, TypeAlias

from asknown.errors import Where


@dataclass(frozen=True)
class Scalar:
    """A text, number, truth value or nothing (None). ``text`` is what was written, without quotes.

    ``untyped`` marks text from the environment, which is read as a number if a number is expected.
    """

    value: str | int | float | bool | None
    text: str
    at: Where
    untyped: bool = False


@dataclass(frozen=True)
class Sequence:
    """A list."""

    items: tuple[Value, ...]
    at: Where


@dataclass(frozen=True)
class Entry:
    """One ``key: value`` of a mapping. ``at`` is the key's place; the value has its own."""

    at: Where
    value: Value


@dataclass(frozen=True)
class Mapping:
    """Keys, in the order written, and their values."""

    entries: dict[str, Entry]
    at: Where


Value: TypeAlias = Scalar | Sequence | Mapping


def to_plain(value: Value) -> Any:
    """The value in Python's own types, without its places."""
    match value:
        case Scalar():
            return value.value
        case Sequence():
            return [to_plain(item) for item in value.items]
        case Mapping():
            return {key: to_plain(entry.value) for key, entry in value.entries.items()}


def describe(value: Value) -> str:
    """The kind of a value in a user's words. It never repeats the value, which may be a secret."""
    match value:
        case Sequence():
            return "a list"
        case Mapping():
            return "a mapping"
        case Scalar(value=None):
            return "nothing"
        case Scalar(value=bool()):
            return "true or false"
        case Scalar(value=int() | float()):
            return "a number"
    return "text"
