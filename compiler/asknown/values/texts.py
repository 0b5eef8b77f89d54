"""Functions of text, with the engine's results. Text is a row of code points. The standard library only."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

from asknown.values.errors import EvaluationError

_SPACES = " \u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a\u202f\u205f\u3000"
_FARTHEST = 2**32 - 1  # the engine refuses offsets beyond it


def lower(text: str) -> str:
    """The text with each code point in lower case."""
    return text.lower() if text.isascii() else "".join(map(_lower, text))


def upper(text: str) -> str:
    """The text with each code point as its capital."""
    return text.upper() if text.isascii() else "".join(map(_upper, text))


@lru_cache(maxsize=4096)
def _lower(point: str) -> str:
    """One code point gives one: where Python gives several, it stays."""
    if point == "\u0130":
        return "i"
    small = point.lower()
    return small if len(small) == 1 else point


@lru_cache(maxsize=4096)
def _upper(point: str) -> str:
    if point == "ß":
        return "ẞ"
    capital = point.upper()
    if len(capital) == 1:
        return capital
    title = point.title()  # of Greek letters with iota subscript, the capital that has it
    return title if len(title) == 1 else point


def substring(text: str, start: int, length: int | None = None) -> str:
    """The code points from the ``start``-th on, which counts from 1, or from the end if negative.

    A negative ``length`` gives those before the start.
    """
    length = _FARTHEST if length is None else length
    for number in (start, length):
        if not -_FARTHEST - 1 <= number <= _FARTHEST:
            raise EvaluationError(f"substr() cannot take the offset or length {number}")
    if start < 0:
        start = len(text) + start + 1
    if length >= 0:
        low, high = start, start + length
    else:
        low, high = start + length, start
    low = max(low, 1)
    return text[low - 1 : max(high - 1, low - 1)]


def left(text: str, count: int) -> str:
    """The first ``count`` code points; if that is negative, all but the last so many."""
    if count > _FARTHEST:
        raise EvaluationError(f"left() cannot take the length {count}")
    return text[:count]


def right(text: str, count: int) -> str:
    """The last ``count`` code points; if that is negative, all but the first so many."""
    return text[-count:] if count else ""


def split_part(text: str, separator: str, place: int) -> str:
    """The ``place``-th part, from 1, or from the end if negative; empty where there is none."""
    if not place:
        return ""
    parts = text.split(separator)
    at = place - 1 if place > 0 else len(parts) + place
    return parts[at] if 0 <= at < len(parts) else ""


def trim(side: str) -> Callable[..., str]:
    """The function that strips spaces, or the code points of a second text, at one side or both."""
    strip = {"both": str.strip, "left": str.lstrip, "right": str.rstrip}[side]
    return lambda text, points=_SPACES: strip(text, points) if points else text


def replace(text: str, old: str, new: str) -> str:
    """The text with every ``old`` as ``new``; an empty ``old`` changes nothing."""
    return text.replace(old, new) if old else text


def like(text: str, pattern: str) -> bool:
    """Whether a text fits a pattern: ``%`` is any run of code points, ``_`` one; nothing is escaped."""
    first, *rest = _segments(pattern)
    if not rest:
        return first.fullmatch(text) is not None
    found = first.match(text)
    if found is None:
        return False
    at = found.end()
    *middle, last = rest
    for segment in middle:
        found = segment.search(text, at)
        if found is None:
            return False
        at = found.end()
    end = len(text) - last.groups
    return end >= at and last.match(text, end) is not None


@lru_cache(maxsize=512)
def _segments(pattern: str) -> tuple[Segment, ...]:
    return tuple(map(Segment, pattern.split("%")))


class Segment:
    """A part of a pattern between two ``%``. ``groups`` is its length in code points."""

    def __init__(self, text: str) -> None:
        compiled = re.compile("".join("." if c == "_" else re.escape(c) for c in text), re.DOTALL)
        self.match, self.search, self.fullmatch = compiled.match, compiled.search, compiled.fullmatch
        self.groups = len(text)


def concatenate(values: Sequence[Any]) -> str:
    """The values behind each other; NULLs are left out."""
    return "".join(value for value in values if value is not None)


# ---------------------------------------------------------------- text to numbers

_BLANKS = "\t\n\v\f\r "
_DIGITS = r"\d+(?:_\d+)*"
_NUMBER = re.compile(rf"([+-]?)(?:({_DIGITS})(?:\.((?:{_DIGITS})?))?|\.({_DIGITS}))(?:[eE]([+-]?{_DIGITS}))?", re.ASCII)
_HEXADECIMAL = re.compile(r"0[xX]([0-9a-fA-F]+(?:_[0-9a-fA-F]+)*)", re.ASCII)
_BINARY = re.compile(r"0[bB]([01]+(?:_[01]+)*)", re.ASCII)
_SPECIAL = re.compile(r"([+-]?)(inf|infinity|nan)", re.ASCII | re.IGNORECASE)
_MOST_PLACES = 400  # a longer number is out of every type's range, or zero


def read_integer(text: str) -> int | None:
    """The whole number that a text says, a fraction rounded with halves away from zero; None where it says none."""
    stripped = text.strip(_BLANKS)
    for pattern, base in ((_HEXADECIMAL, 16), (_BINARY, 2)):
        if found := pattern.fullmatch(stripped):
            return int(found[1].replace("_", ""), base)
    found = _NUMBER.fullmatch(stripped)
    if found is None:
        return None
    sign, whole, behind, alone, exponent = found.groups()
    digits = (whole or "").replace("_", "") + (behind or alone or "").replace("_", "")
    places = len((behind or alone or "").replace("_", "")) - int((exponent or "0").replace("_", ""))
    if places <= 0:
        if -places > _MOST_PLACES:
            return 0 if not int(digits) else None
        value = int(digits + "0" * -places)
    elif places > len(digits) + 1:
        value = 0
    else:
        unit: int = 10**places
        value, left = divmod(int(digits), unit)
        value += 2 * left >= unit
    return -value if sign == "-" else value


def read_float(text: str) -> float | None:
    """The double nearest to the number that a text says; None where it says none."""
    stripped = text.strip(_BLANKS)
    if found := _SPECIAL.fullmatch(stripped):
        return float(found[0])
    return float(stripped.replace("_", "")) if _NUMBER.fullmatch(stripped) else None
