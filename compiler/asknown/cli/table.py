"""Lays out text tables: columns under their names, numbers to the right, one line below the header.

We do not use a library, because importing one takes longer than a read of the online table.
"""

from __future__ import annotations

import sys
import unicodedata
from collections.abc import Sequence
from typing import Any

import click

from asknown.cli.values import as_text, is_number

GAP = "  "
_LEAST = 20  # columns that a shortened last column keeps


def lay_out(
    columns: Sequence[str],
    rows: Sequence[Sequence[Any]],
    *,
    null: str = "NULL",
    width: int | None = None,
    shorten: bool = False,
    bold: bool = False,
) -> list[str]:
    """The lines of a table. ``null`` is the text for None; ``bold`` formats the header for a terminal.

    ``width`` is the longest line that fits. If the table is wider, its last column is shortened (``shorten``), or
    else the table is transposed: a line for each column, with as many rows side by side as fit.
    """
    cells = [[_cell(value, null) for value in row] for row in rows]
    right = [_is_numeric([row[place] for row in rows]) for place in range(len(columns))]
    heads = [_cell(name, "") for name in columns]
    widths = _widths([heads, *cells])
    if width is not None and _line_width(widths) > width:
        room = width - _line_width([*widths[:-1], 0])
        if not shorten or room < _LEAST:
            return _turned(heads, cells, width, bold=bold)
        cells = [[*row[:-1], _cut(row[-1], room)] for row in cells]
        widths = _widths([heads, *cells])
    head = _join(heads, widths, right)
    rule = GAP.join("-" * each for each in widths)
    return [click.style(head, bold=True) if bold else head, rule, *(_join(row, widths, right) for row in cells)]


def pairs(facts: Sequence[tuple[str, Any]]) -> list[str]:
    """A line for each fact with a value: its name, then its value."""
    there = [(name, _cell(value, "")) for name, value in facts if value not in (None, "", ())]
    widest = max((display_width(name) for name, _ in there), default=0)
    return [_pad(name, widest) + GAP + value for name, value in there]


def terminal_width() -> int | None:
    """The width of the terminal that stdout is, or None if stdout is a file or a pipe."""
    if not sys.stdout.isatty():
        return None
    import shutil

    return shutil.get_terminal_size().columns


def display_width(text: str) -> int:
    """The number of terminal columns that the text takes."""
    if text.isascii():
        return len(text)
    return sum(_character_width(character) for character in text)


def _turned(heads: Sequence[str], rows: Sequence[Sequence[str]], width: int, *, bold: bool) -> list[str]:
    names = max(map(display_width, heads), default=0)
    lines: list[str] = []
    start = 0
    while start < len(rows):
        widths = [max(map(display_width, row), default=0) for row in rows[start:]]
        fit = 1
        while fit < len(widths) and _line_width([names, *widths[: fit + 1]]) <= width:
            fit += 1
        if lines:
            lines.append("")
        for place, head in enumerate(heads):
            name = _pad(head, names)
            block = [row[place] for row in rows[start : start + fit]]
            lines.append(_join([click.style(name, bold=True) if bold else name, *block], [0, *widths[:fit]], ()))
        start += fit
    return lines or [click.style(head, bold=True) if bold else head for head in heads]


def _cell(value: Any, null: str) -> str:
    text = null if value is None else as_text(value)
    # A value takes one line, and must not move the cursor.
    return text if text.isprintable() else "".join(map(_escape, text))


def _escape(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def _cut(text: str, room: int) -> str:
    if display_width(text) <= room:
        return text
    while display_width(text) > room - 1:
        text = text[:-1]
    return text.rstrip() + "…"


def _is_numeric(values: Sequence[Any]) -> bool:
    there = [value for value in values if value is not None]
    return bool(there) and all(map(is_number, there))


def _widths(rows: Sequence[Sequence[str]]) -> list[int]:
    return [max(map(display_width, column)) for column in zip(*rows, strict=True)]


def _line_width(widths: Sequence[int]) -> int:
    return sum(widths) + len(GAP) * (len(widths) - 1)


def _join(row: Sequence[str], widths: Sequence[int], right: Sequence[bool]) -> str:
    aligned = right or [False] * len(row)
    return GAP.join(_pad(*cell) for cell in zip(row, widths, aligned, strict=True)).rstrip()


def _pad(text: str, width: int, right: bool = False) -> str:
    space = " " * (width - display_width(text))
    return space + text if right else text + space


def _character_width(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1
