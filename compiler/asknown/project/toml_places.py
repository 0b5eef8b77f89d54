"""Where a key stands in a TOML file, which the standard library's parser does not say."""

from __future__ import annotations

import re

from asknown.errors import Where

_PART = r"""(?:[A-Za-z0-9_-]+|"[^"]*"|'[^']*')"""
_DOTTED = rf"{_PART}(?:\s*\.\s*{_PART})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]")
_ENTRY = re.compile(rf"\s*({_DOTTED})\s*=")
_FENCE = re.compile(r'"""|\'\'\'')


def find_key(text: str, shown: str, key: tuple[str, ...]) -> Where:
    """The place of ``key`` (its tables first) in ``text``, or else of the innermost of its tables that is found."""
    best, length = Where(shown), 0
    table: tuple[str, ...] = ()
    fenced = False  # inside a text of several lines
    for number, line in enumerate(text.split("\n"), start=1):
        header = None if fenced else _HEADER.match(line)
        entry = None if fenced or header else _ENTRY.match(line)
        fenced ^= len(_FENCE.findall(line)) % 2 == 1
        found = header or entry
        if found is None:
            continue
        path = _parts(found[1]) if header else table + _parts(found[1])
        table = path if header else table
        if len(path) > length and key[: len(path)] == path:
            best, length = Where(shown, number, found.start(1) + 1, line.rstrip("\r")), len(path)
    return best


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(part.strip("\"'") for part in re.findall(_PART, dotted))
