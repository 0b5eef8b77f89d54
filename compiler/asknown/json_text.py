"""Reads JSON that people and machines send, and changes no number in it (rule 7)."""

from __future__ import annotations

import json
import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from decimal import Decimal

_DIGITS = 17  # which a float keeps of a number


def read_json(text: str | bytes) -> Any:
    """The value of a JSON text. A number that no float keeps is a Decimal.

    Raises ValueError for what is not JSON, and for an object that has one key twice.

    >>> read_json('{"x": 1.5, "y": 1e400}')
    {'x': 1.5, 'y': Decimal('1E+400')}
    >>> read_json('{"x": 1, "x": 2}')
    Traceback (most recent call last):
    ValueError: an object has the key 'x' twice
    """
    try:
        return json.loads(text, parse_float=read_number, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


def check_keys(text: bytes, members: int) -> None:
    """Raises ValueError where an object in a JSON text, which was read before, has one key twice.

    A fast reader keeps the last of the two without a word. ``members`` says how many members it found in all objects.
    If the text has as many colons behind a quote, no member was lost; only a text where the two differ, or that has
    blanks behind a quote, where a colon could hide, is read again.

    >>> check_keys(b'{"x": 1, "y": 2}', 2)
    >>> check_keys(b'{"x": 1, "x": 2}', 1)
    Traceback (most recent call last):
    ValueError: an object has the key 'x' twice
    """
    if text.count(b'":') == members and not any(blank in text for blank in _BLANKS_BEHIND_QUOTES):
        return
    try:
        json.loads(text, parse_int=str, parse_float=str, object_pairs_hook=_object)
    except RecursionError:
        raise ValueError("it is nested too deeply") from None


_BLANKS_BEHIND_QUOTES = (b'" ', b'"\n', b'"\r', b'"\t')


def read_number(text: str) -> float | Decimal:
    """The number that a text writes: a Decimal where a float would have other digits, or be infinite or zero."""
    number = float(text)
    digits = re.sub(r"[eE].*|\D", "", text).strip("0")
    if math.isfinite(number) and (number != 0 or not digits) and len(digits) <= _DIGITS:
        return number
    from decimal import Decimal

    return Decimal(text)


def float_of(number: Decimal) -> float:
    """The float that a decimal number stands for. Raises ValueError where the number has digits that no float has.

    Programs write floats with more digits than they need, so the float may differ by less than one in the last digit.

    >>> from decimal import Decimal
    >>> float_of(Decimal("0.1000000000000000055"))
    0.1
    """
    from decimal import Decimal

    found = float(number)
    if not number.is_finite():
        return found
    _, digits, exponent = number.as_tuple()
    assert isinstance(exponent, int)
    is_short = (
        len("".join(map(str, digits)).strip("0")) <= _DIGITS and math.isfinite(found) and (found != 0 or number == 0)
    )
    if is_short or (math.isfinite(found) and abs(Decimal(found) - number) < Decimal(1).scaleb(exponent)):
        return found
    raise ValueError(f"no float is {number}")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ValueError(f"an object has the key {twice!r} twice")
    return found
