"""The order of lists and structs, which SQLite keeps as JSON."""

from __future__ import annotations

import json
import math
import struct
from typing import Any

_END, _VALUE, _NULL = b"\0", b"\1", b"\2"  # a shorter list is less; a NULL inside is above every value


def nested_key(text: str | None) -> bytes | None:
    """Bytes in whose order the lists (or structs) of one type stand: item by item, NaN above all numbers."""
    return None if text is None else _key(json.loads(text))


def _key(value: Any) -> bytes:
    match value:
        case list():
            return b"".join(map(_item, value)) + _END
        case dict():
            return b"".join(map(_item, value.values()))
        case bool():
            return bytes([value])
        case int():
            return (value + 2**127).to_bytes(16, "big")
        case float():
            return _float_key(value)
        case str():
            return value.encode().replace(b"\0", b"\0\xff") + b"\0\0"
    raise TypeError(f"no JSON: {value!r}")


def _item(value: Any) -> bytes:
    return _NULL if value is None else _VALUE + _key(value)


def _float_key(value: float) -> bytes:
    """Eight bytes in the order of floats; the zeros are one, and so are all NaNs."""
    if math.isnan(value):
        return b"\xff" * 8
    bits = int.from_bytes(struct.pack(">d", value + 0.0), "big", signed=True)
    return (bits + 2**63 if bits >= 0 else -bits - 1).to_bytes(8, "big")
