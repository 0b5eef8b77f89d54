"""YAML, safely: text to values with their places, by the rules of YAML 1.2's core and with bounds.

Only ``true`` and ``false`` are truth values and only plain decimals are numbers, so ``no``, ``012``, ``1:30`` and
``2024-01-31`` stay the text they look like. Keys are text and stand once. Tags and merge keys are refused. Nothing
is built before the bounds are checked, so neither nesting nor aliases can exhaust memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import yaml

from asknown.errors import AsknownError, Where
from asknown.project.values import Entry, Mapping, Scalar, Sequence, Value
from asknown.project.yaml_text import BRACES_HINT, Label, Page

DEEPEST = 64
MOST_VALUES = 100_000
_INTEGER = re.compile(r"[-+]?(0|[1-9][0-9]{0,30})")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|(0|[1-9][0-9]*)(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_CONSTANTS: dict[str, bool | None] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}


def read_yaml(content: bytes, shown: str, *, secret: bool = False) -> Value | None:
    """The one document of a YAML file, or None where the file is empty. Errors: ``bad-yaml``, with the place.

    No error about a ``secret`` file repeats a value from it.
    """
    page = Page(content, shown, secret=secret)
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        value = _Composer(yaml.parse(page.text, Loader=loader), page).document()
    except yaml.YAMLError as fault:
        raise page.explain(fault) from None
    return None if isinstance(value, Scalar) and value.value is None else value


def plain_value(text: str) -> str | int | float | bool | None:
    """What an unquoted scalar means."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and not text.lstrip("+-").isdigit():
        return float(text)
    return text


class _Composer:
    """Builds values from the parser's events. An anchor is kept with its size and height, to charge its aliases."""

    def __init__(self, events: Iterator[yaml.Event], page: Page) -> None:
        self._events = events
        self._page = page
        self._anchors: dict[str, tuple[Value, int, int]] = {}
        self._values = 0

    def document(self) -> Value | None:
        next(self._events)  # the stream's start
        if isinstance(next(self._events), yaml.StreamEndEvent):
            return None
        value, _, _ = self._value(next(self._events), 1, None)
        next(self._events)  # the document's end
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self._error("a second document starts here; asknown reads one a file", after, "write a file for each")
        return value

    def _value(self, event: yaml.Event, depth: int, label: Label | None) -> tuple[Value, int, int]:
        """The value that starts with ``event``, how many values it holds, and how deep it goes."""
        if isinstance(event, yaml.AliasEvent):
            return self._alias(event, depth)
        self._charge(1, event)
        at = self._page.place(*_start(event), label)
        if getattr(event, "tag", None) is not None:
            raise self._error(
                "tags (words that start with '!') are not read", event, "put quotes around the text if you mean it"
            )
        before = self._values
        height = 1
        value: Value
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event, at)
        elif depth > DEEPEST:
            raise self._error(f"this nests deeper than {DEEPEST} levels", event)
        elif isinstance(event, yaml.SequenceStartEvent):
            items: list[Value] = []
            while not isinstance(inner := next(self._events), yaml.SequenceEndEvent):
                item, _, below = self._value(inner, depth + 1, None)
                items.append(item)
                height = max(height, below + 1)
            value = Sequence(tuple(items), at)
        else:
            entries, below = self._entries(depth)
            height = max(height, below + 1)
            value = Mapping(entries, at)
        size = self._values - before + 1
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            self._anchors[event.anchor] = (value, size, height)
        return value, size, height

    def _entries(self, depth: int) -> tuple[dict[str, Entry], int]:
        entries: dict[str, Entry] = {}
        height = 0
        while not isinstance(event := next(self._events), yaml.MappingEndEvent):
            key = self._key(event)
            label = (key, *_start(event))
            at = self._page.place(*_start(event), label)
            if key in entries:
                raise AsknownError(
                    "bad-yaml", f"the key '{key}' is written twice: first on line {entries[key].at.line}", at=at
                )
            value, _, below = self._value(next(self._events), depth + 1, label)
            entries[key] = Entry(at, value)
            height = max(height, below)
        return entries, height

    def _key(self, event: yaml.Event) -> str:
        if not isinstance(event, yaml.ScalarEvent) or event.tag is not None:
            braces = isinstance(event, yaml.MappingStartEvent)
            raise self._error("a key must be text", event, BRACES_HINT if braces else None)
        if event.implicit[0] and event.value == "<<":
            raise self._error(
                "merge keys (<<) are not read", event, "write the keys out, or alias a whole value: key: *name"
            )
        value = self._scalar(event, None).value
        if not isinstance(value, str):
            raise self._error("a key must be text", event, "put quotes around it")
        return value

    def _scalar(self, event: yaml.ScalarEvent, at: Where | None) -> Scalar:
        if "\0" in event.value:
            raise self._error("a text cannot hold the character NUL", event)
        plain = event.implicit[0]  # neither quoted nor a block
        value = plain_value(event.value) if plain else event.value
        return Scalar(value, event.value, at or Where(self._page.shown))

    def _alias(self, event: yaml.AliasEvent, depth: int) -> tuple[Value, int, int]:
        known = self._anchors.get(event.anchor or "")
        if known is None:
            raise self._error("this alias names no anchor (&name) that ends above it", event)
        value, size, height = known
        if depth + height - 1 > DEEPEST:
            raise self._error(f"with this alias the file nests deeper than {DEEPEST} levels", event)
        self._charge(size, event)
        return value, size, height

    def _charge(self, count: int, event: yaml.Event) -> None:
        self._values += count
        if self._values > MOST_VALUES:
            raise self._error(f"the file holds more than {MOST_VALUES:,} values, its aliases written out", event)

    def _error(self, message: str, event: yaml.Event, hint: str | None = None) -> AsknownError:
        return self._page.error(message, *_start(event), hint)


def _start(event: yaml.Event) -> tuple[int, int]:
    mark = event.start_mark
    assert mark is not None, "only events made by hand lack a mark"
    return mark.line, mark.column
