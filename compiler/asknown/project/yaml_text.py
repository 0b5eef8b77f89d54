"""The text of a YAML file: its lines, the places in it, and what PyYAML's complaints mean to its author."""

from __future__ import annotations

import re
from typing import TypeAlias

import yaml

from asknown.errors import AsknownError, Where

# YAML counts these as ends of lines, and these characters as text; str.splitlines() knows more of the former.
_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
_NOT_TEXT = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
BRACES_HINT = "put quotes around a value with braces: \"{{ env_var('NAME') }}\""
_INDENT_HINT = "check the indentation of this line and of the one above it"
_QUOTE_HINT = "put quotes around the text"


Label: TypeAlias = tuple[str, int, int]
"""A key and where it stands: line and column from 0."""


class Page:
    """A YAML file's text. A ``secret`` one shows its keys in messages, and never what stands beside them."""

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
        """What PyYAML complains of, in an author's words, at the place where it can be put right."""
        mark = getattr(fault, "problem_mark", None) or getattr(fault, "context_mark", None)
        if mark is None:
            return AsknownError("bad-yaml", "this is not a YAML file", at=Where(self.shown))
        line = self.lines[mark.line] if mark.line < len(self.lines) else ""
        indent = line[: len(line) - len(line.lstrip())]
        if "\t" in indent or line[mark.column : mark.column + 1] == "\t":
            tab = indent.find("\t") if "\t" in indent else mark.column
            return self.error("a tab stands where YAML wants spaces", mark.line, tab, "indent with spaces")
        context, problem = getattr(fault, "context", None) or "", getattr(fault, "problem", None) or ""
        opened = getattr(fault, "context_mark", None)
        message, at_opening, hint = self._say(context, problem)
        at = opened if at_opening and opened is not None else mark
        if "{{" in line:
            hint = BRACES_HINT
        return self.error(message, at.line, at.column, hint)

    def _say(self, context: str, problem: str) -> tuple[str, bool, str | None]:
        # The pure and the C parser word these a little differently: only what they share is looked for.
        for in_context, in_problem, message, at_opening, hint in _COMPLAINTS:
            if in_context in context and in_problem in problem:
                return message, at_opening, hint
        # A complaint may quote the file, and a secret file is not quoted.
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


# In the context, in the problem, what to say, whether to point at the opening, hint.
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
