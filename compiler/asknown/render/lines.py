"""Puts rendered pieces together, and maps each line of the SQL to its line in the template."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

_LINE = re.compile(r"(.*?)(?:\r\n|\r|\n|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of rendered text. ``verbatim`` text is the template's own, from ``line`` on."""

    line: int
    verbatim: bool
    text: str


def put_together(pieces: Sequence[Piece]) -> tuple[str, tuple[int, ...]]:
    """The SQL without blank lines around it, and for each of its lines the line of the template that it came from.

    The first visible character of a line decides where the line came from.
    """
    text = "".join(piece.text for piece in pieces)
    starts: list[int] = []
    position = 0
    for piece in pieces:
        starts.append(position)
        position += len(piece.text)
    # Jinja writes every line end of the template's own text as one \n.
    ends = [match.start() for match in re.finditer("\n", text)]

    def origin(offset: int) -> int:
        index = bisect_right(starts, offset) - 1
        piece = pieces[index]
        if not piece.verbatim:
            return piece.line
        return piece.line + bisect_left(ends, offset) - bisect_left(ends, starts[index])

    spans = [match.span(1) for match in _LINE.finditer(text)]
    visible = [number for number, (start, end) in enumerate(spans) if not _is_blank(text, start, end)]
    if not visible:
        return "", ()
    kept = spans[visible[0] : visible[-1] + 1]
    return text[kept[0][0] : kept[-1][1]], tuple(origin(_first_visible(text, *span)) for span in kept)


def _is_blank(text: str, start: int, end: int) -> bool:
    return not text[start:end].strip()


def _first_visible(text: str, start: int, end: int) -> int:
    line = text[start:end]
    return start + len(line) - len(line.lstrip()) if line.strip() else start
