"""Calls of every aggregate over windows of awkward values.

An engine and the online table must compute each of them to the same bits (``store.parity`` compares them).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache

from asknown.aggregates import AGGREGATES, Aggregate
from asknown.model.expressions.edges import operand_kind
from asknown.model.nodes import Frame, WindowCall
from asknown.types import SqlType, parse_type

Windows = tuple[tuple[str | None, ...], ...]

WINDOW_EDGES: Mapping[str, tuple[str, Windows]] = {
    "d": (
        "DOUBLE",
        (
            ("0.1", "0.2", "0.3", None, "-0.25", "0.1"),
            ("1e17", "1.0", "-1e17", "1e-20", "9007199254740993"),
            ("2e29", "-2e29", "1e-44", "-1.5", "4503599627370497.5"),
            ("-0.0", "0.0", "-0.0"),
            ("nan", "-0.0", "nan", "1.5", "inf"),
            ("inf", "1.0", "inf"),
            ("inf", "-inf", "2.5"),
            ("-0.0",),
            (None, None),
        ),
    ),
    "f": (
        "FLOAT",
        (
            ("0.1", "0.2", "0.3", None, "-0.25", "0.1"),
            ("16777216", "1", "-16777216", "1e-20"),
            ("2e29", "-2e29", "1e-44"),
            ("-0.0", "0.0", "-0.0"),
            ("nan", "-0.0", "nan", "1.5"),
            ("inf", "1.0", "inf"),
            ("inf", "-inf"),
            ("-0.0",),
        ),
    ),
    "i": (
        "INTEGER",
        (
            ("3", "1", "2", None, "1", "-7"),
            ("2147483647", "2147483647", "-2147483648", "2147483647", "0", "2147483646"),
            ("0", "0"),
            ("-1",),
        ),
    ),
    "k": (
        "BIGINT",
        (
            ("3", "1", "2", None, "1", "-7"),
            ("9223372036854775807", "9223372036854775807", "-9223372036854775808", "-5"),
            ("9007199254740993", "9007199254740992", "1"),
            ("-9223372036854775808",),
        ),
    ),
    "h": (
        "HUGEINT",
        (
            ("18446744073709553665", "-18446744073709553665", "9007199254740993", None, "-1", "0"),
            ("85070591730234615865843651857942052863", "3", "-85070591730234615865843651857942052863"),
            ("166153499473114484112975882535043073",),
        ),
    ),
    "p": (
        "DECIMAL(10,2)",
        (("2.50", "-2.50", "0.10", None, "0.00", "0.10"), ("99999999.99", "99999999.99", "-0.01"), ("-0.05",)),
    ),
    "w": (
        "DECIMAL(38,6)",
        (
            ("0.000001", "-2.500000", "123456789.654321", None, "0.000001"),
            ("12345678901234567890123456789012.123457", "-12345678901234567890123456789012.123456"),
        ),
    ),
    "v": (
        "DECIMAL(38,0)",
        (
            ("18446744073709553665", "-18446744073709553665", "9007199254740993", None, "-1", "0"),
            ("49999999999999999999999999999999999999", "3", "-49999999999999999999999999999999999998"),
        ),
    ),
    "s": (
        "VARCHAR",
        (("b", "", "a", None, "é", "b"), ("z", "\U0001f600", "\ufffd", "Z", "aa", "a "), ("",), (None,)),
    ),
    "b": ("BOOLEAN", (("true", "false", None, "true"), ("true", "true"), ("false", "false"), ("true",))),
    "a": ("DATE", (("2024-02-29", "1969-12-31", None, "2024-02-29"), ("0001-01-01", "9999-12-31"))),
    "t": (
        "TIMESTAMP",
        (("2024-02-29 12:00:00.5", "1969-12-31 23:59:59.999999", None), ("2024-02-29 12:00:00.500001",)),
    ),
    "o": (
        "DOUBLE",
        (
            ("1.0", "2.0", "2.0", "1.0", "1.0", "2.0"),
            ("nan", "inf", "nan", "-inf", "-inf", None),
            ("-0.0", "0.0", "-0.0"),
        ),
    ),
}
"""Columns: the type of each, and its values as text, window by window, in the order of time; two rows share a time."""

COUNT = max(len(windows) for _, windows in WINDOW_EDGES.values()) + 1
"""The number of windows; the last has no rows."""
_FRAME = Frame(86_400_000_000, 0)


@dataclass(frozen=True)
class WindowEdge:
    """A call over the columns of :data:`WINDOW_EDGES`, and the type of its value; None where only rows count."""

    call: WindowCall
    type: SqlType | None

    @property
    def operation(self) -> str:
        """The operation that it stands for."""
        return window_operation(self.call.aggregate.name, self.type)

    def __str__(self) -> str:
        call = self.call
        second = f"'{call.second}'" if isinstance(call.second, str) else call.second
        named = (call.value or call.condition or "*", call.order, second)
        return f"{call.aggregate.name}({', '.join(str(part) for part in named if part is not None)})"


def window_operation(aggregate: str, kind: SqlType | None) -> str:
    """The operation of a call: the aggregate, with the kind of the values unless it counts rows."""
    counts = kind is None or AGGREGATES[aggregate].state == "count"
    return f"window {aggregate}" if counts else f"window {aggregate} of {operand_kind(str(kind))}"


@cache
def read_window_edges() -> tuple[WindowEdge, ...]:
    """Every aggregate over every column that it takes."""
    return tuple(edge for aggregate in AGGREGATES.values() for edge in _edges_of(aggregate))


def _edges_of(aggregate: Aggregate) -> Iterator[WindowEdge]:
    if aggregate.arguments in ("none", "condition"):
        condition = "b" if aggregate.arguments == "condition" else None
        yield WindowEdge(WindowCall(aggregate, None, None, None, condition, _FRAME), None)
        if condition is not None:
            return
    seconds: tuple[float | str | None, ...] = (None,)
    match aggregate.arguments:
        case "value and number":
            seconds = (0.3, 0.9)
        case "value and text":
            seconds = (", ",)
        case "value and count" | "value, order and count":
            seconds = (2,)
    if aggregate.inside is not None and ":k" in aggregate.inside:
        seconds = (2,)
    order = "o" if aggregate.paired else None
    for name, (text, _) in WINDOW_EDGES.items():
        kind = parse_type(text)
        if name != "o" and aggregate.refuses(kind) is None:
            for second in seconds:
                yield WindowEdge(WindowCall(aggregate, name, order, second, None, _FRAME), kind)
