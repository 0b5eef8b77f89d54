"""Reads YAML safely into values with their places, by the rules of YAML 1.2's core schema and within bounds.

Only ``true`` and ``false`` are truth values and only plain decimals are numbers, so ``no``, ``012``, ``1:30`` and
``2024-01-31`` stay text. Keys are texts and occur once. Tags and merge keys are refused. The bounds are checked before
any value is built, so neither nesting nor aliases can exhaust memory.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TypeAlias

import yaml

from asknown.errors import AsknownError, Where
from asknown.project.values import Entry, Mapping, Scalar, Sequence, Value

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
    value = _document(page.text, page)
    return None if isinstance(value, Scalar) and value.value is None else value


def _document(text: str, page: Page) -> Value | None:
    """The value of the one document in ``text``, which is the page's text or its beginning."""
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    try:
        return _Composer(yaml.parse(text, Loader=loader), page).document()
    except yaml.YAMLError as fault:
        limit = _where_libyaml_gave_up(fault)
        if limit is None:
            raise page.explain(fault) from None
    # The text before that place already nests deeper than we allow, and libyaml reads all of it, so we can say where.
    return _document(text[:limit], page)


def _where_libyaml_gave_up(fault: yaml.YAMLError) -> int | None:
    """The index of the character where the nesting exceeds libyaml's limit; None if the error has another cause.

    libyaml 0.2.6, which PyYAML 6.0.4 brings, stops at 1,000 levels. It reads ahead, so it can stop before it has
    given us the event where the file goes deeper than ``DEEPEST``. Older versions have no limit.
    """
    mark = getattr(fault, "problem_mark", None)
    if mark is None or "maximum nesting depth" not in (getattr(fault, "problem", None) or ""):
        return None
    return int(mark.index)


def plain_value(text: str) -> str | int | float | bool | None:
    """The value of an unquoted scalar."""
    if text in _CONSTANTS:
        return _CONSTANTS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text) and not text.lstrip("+-").isdigit():
        return float(text)
    return text


class _Composer:
    """Builds values from the parser's events. It keeps each anchor's size and height, which its aliases add again."""

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
            raise self._error(
                "a second document starts here; a file may have only one",
                after,
                "write each document in a file of its own",
            )
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


# The line ends and the characters that YAML allows. str.splitlines() divides at more characters.
_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
BRACES_HINT = "put quotes around a value with braces: \"{{ env_var('NAME') }}\""
_INDENT_HINT = "check the indentation of this line and of the one above it"
_QUOTE_HINT = "put quotes around the text"


Label: TypeAlias = tuple[str, int, int]
"""A key and where it stands: line and column from 0."""


class Page:
    """The text of a YAML file. Messages about a ``secret`` one show its keys and never its values."""

    def __init__(self, content: bytes, shown: str, *, secret: bool) -> None:
        self.shown = shown
        self.secret = secret
        self.text = self._decode(content)
        self.lines = _LINE_END.split(self.text)
        strange = _NOT_TEXT.search(self.text)
        if strange is not None:
            before = _LINE_END.split(self.text[: strange.start()])
            raise self.error(
                f"the character U+{ord(strange[0]):04X} cannot stand in a YAML file", len(before) - 1, len(before[-1])
            )

    def place(self, line: int, column: int, label: Label | None = None) -> Where:
        """The place at ``line`` and ``column``, from 0 as YAML counts; ``label`` is the key that it belongs to."""
        if not self.secret:
            text = self.lines[line] if line < len(self.lines) else ""
        elif label is not None and label[1] == line:
            text = " " * label[2] + label[0] + ": …"
        else:
            text = ""
        return Where(self.shown, line + 1, column + 1, text)

    def error(self, message: str, line: int, column: int, hint: str | None = None) -> AsknownError:
        """A ``bad-yaml`` error that points at ``line`` and ``column``, from 0."""
        return AsknownError("bad-yaml", message, at=self.place(line, column), hint=hint)

    def explain(self, fault: yaml.YAMLError) -> AsknownError:
        """The error for one of PyYAML's, in the author's words, at the place to change."""
        mark = getattr(fault, "problem_mark", None) or getattr(fault, "context_mark", None)
        if mark is None:
            return AsknownError("bad-yaml", "this is not a YAML file", at=Where(self.shown))
        line = self.lines[mark.line] if mark.line < len(self.lines) else ""
        indent = line[: len(line) - len(line.lstrip())]
        if "\t" in indent or line[mark.column : mark.column + 1] == "\t":
            tab = indent.find("\t") if "\t" in indent else mark.column
            return self.error("YAML needs spaces here, not a tab", mark.line, tab, "indent with spaces")
        context, problem = getattr(fault, "context", None) or "", getattr(fault, "problem", None) or ""
        opened = getattr(fault, "context_mark", None)
        message, at_opening, hint = self._say(context, problem)
        at = opened if at_opening and opened is not None else mark
        if "{{" in line:
            hint = BRACES_HINT
        return self.error(message, at.line, at.column, hint)

    def _say(self, context: str, problem: str) -> tuple[str, bool, str | None]:
        # The messages of the Python and the C parser differ slightly, so the table has their common parts.
        for in_context, in_problem, message, at_opening, hint in _COMPLAINTS:
            if in_context in context and in_problem in problem:
                return message, at_opening, hint
        # PyYAML's message may quote the file, which must not happen for a secret file.
        return ("this is not YAML" if self.secret else f"this is not YAML: {problem}"), False, None

    def _decode(self, content: bytes) -> str:
        try:
            return content.decode("utf-8-sig")
        except UnicodeDecodeError as fault:
            self.lines = _LINE_END.split(content.decode("utf-8", "replace"))
            before = _LINE_END.split(content[: fault.start].decode("utf-8", "replace"))
            raise self.error(
                "the file is not UTF-8 text", len(before) - 1, len(before[-1]), "save it in the encoding UTF-8"
            ) from None


# A text in the error's context, one in its problem, our message, whether to point at the opening, our hint.
_COMPLAINTS: tuple[tuple[str, str, str, bool, str | None], ...] = (
    ("flow sequence", "", "the list that '[' opens here is not closed, or lacks a comma", True, None),
    ("flow mapping", "", "the mapping that '{' opens here is not closed, or lacks a comma", True, None),
    ("quoted scalar", "end of stream", "the quote opened here is not closed", True, None),
    ("", "mapping values are not", "a ':' stands where no key can be", False, f"{_QUOTE_HINT}, or {_INDENT_HINT}"),
    ("", "cannot start any token", "a value cannot start with this character", False, _QUOTE_HINT),
    ("", "expected ':'", "a key lacks its ':'", True, None),
    ("block", "", "this does not line up with the lines above it", False, _INDENT_HINT),
    ("", "document start", "this does not line up with the lines above it", False, _INDENT_HINT),
)
