"""Turns Python values of a result into JSON's types, without a loss."""

from __future__ import annotations

import math
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any


def as_json(value: Any) -> Any:
    """The value in JSON's types. Nothing is rounded: decimals become text, as do NaN, Infinity and -Infinity.

    Timestamps are ISO 8601, with an offset where they have one; bytes are hexadecimal.
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else _strange(value)
        case Decimal():
            return format(value, "f")
        case datetime() | date() | time():
            return value.isoformat()
        case bytes():
            return value.hex()
        case dict():
            return {str(name): as_json(inner) for name, inner in value.items()}
        case list() | tuple():
            return [as_json(inner) for inner in value]
    return str(value)  # uuid, interval


def _strange(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    return "Infinity" if value > 0 else "-Infinity"
