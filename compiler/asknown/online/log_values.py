"""The values of a log of reads in JSON, exact: what JSON cannot hold is text, and read back by its type.

The standard library only: readers write logs with it.
"""

from __future__ import annotations

import base64
import math
from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

if TYPE_CHECKING:
    from asknown.types import SqlType


def as_json(value: Any) -> Any:
    """The value as JSON holds it.

    >>> as_json([1.5, float("nan"), None])
    [1.5, 'NaN', None]
    """
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            return value if math.isfinite(value) else _NOT_FINITE[str(float(value))]
        case datetime() | date() | time():
            return value.isoformat()
        case bytes():
            return base64.b64encode(value).decode()
        case list() | tuple():
            return [as_json(item) for item in value]
        case Mapping():
            return {name: as_json(item) for name, item in value.items()}
    return str(value)


def from_json(value: Any, kind: SqlType) -> Any:
    """The value of a type that JSON holds so, as an online read gives it.

    >>> from asknown.types import parse_type
    >>> from_json("1.50", parse_type("DECIMAL(9,2)"))
    Decimal('1.50')
    """
    if value is None:
        return None
    if kind.kind == "list":
        assert kind.element is not None
        return [from_json(item, kind.element) for item in value]
    if kind.kind == "struct":
        return {name: from_json(value.get(name), inner) for name, inner in kind.fields}
    read = _READ.get(kind.kind)
    return value if read is None else read(value)


def _whole(value: Any) -> int | None:
    """The integer that a key was given as in another way: as text, or as pandas' float, whose NaN is a NULL."""
    number = Decimal(str(value))
    return None if number.is_nan() else int(number)


_NOT_FINITE = {"nan": "NaN", "inf": "Infinity", "-inf": "-Infinity"}
_READ: Mapping[str, Callable[[Any], Any]] = {
    "integer": lambda value: value if isinstance(value, int) else _whole(value),
    "float": float,
    "decimal": Decimal,
    "uuid": UUID,
    "blob": base64.b64decode,
    "date": date.fromisoformat,
    "time": time.fromisoformat,
    "timestamp": datetime.fromisoformat,
    "timestamptz": datetime.fromisoformat,
}
