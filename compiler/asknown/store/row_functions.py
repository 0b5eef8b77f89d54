"""Computes a view's rows from pushed rows in Python, where that gives to the bit what the view's SQL gives on DuckDB.

DuckDB needs milliseconds to run a query over one row. A path of projections and filters whose expressions are portable
takes microseconds in Python. Before it is used, both compute rows of edge values and must agree on all of them.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import islice
from typing import Any, Literal
from uuid import UUID

from asknown.errors import AsknownError
from asknown.model.expressions.types import NotPortableError
from asknown.model.row_program import RowProgram
from asknown.online.pushes import ValueRows
from asknown.types import Column, Kind, SqlType
from asknown.values.errors import EvaluationError
from asknown.values.functions import at_places, compile_row

_PROBES = 24  # rows of edge values


class RowFunction:
    """A program over rows of a source, as Python functions. ``columns`` are those of the view's rows."""

    def __init__(self, program: RowProgram, types: Mapping[str, SqlType], columns: Sequence[Column]) -> None:
        places = {name: place for place, name in enumerate(program.columns)}
        self._names = program.columns
        self._conditions = [compile_row([at_places(tree, places)]) for tree in program.conditions]
        self._values = compile_row([at_places(tree, places) for tree in program.values])
        self._zoned = [place for name, place in places.items() if types[name].kind == "timestamptz"]
        self._columns = [column.name for column in columns]

    def rows(self, given: Sequence[Mapping[str, Any]]) -> ValueRows:
        """The view's rows from rows of the source. Raises EvaluationError where the engine would stop, too."""
        found = []
        for row in given:
            values = [row[name] for name in self._names]
            for place in self._zoned:
                if values[place] is not None:
                    values[place] = values[place].replace(tzinfo=UTC)
            if all(condition(values)[0] for condition in self._conditions):
                found.append(self._values(values))
        lists = map(list, zip(*found, strict=True)) if found else ([] for _ in self._columns)
        return ValueRows(dict(zip(self._columns, lists, strict=True)), len(found))


def check_results(columns: Sequence[Column]) -> None:
    """Raises NotPortableError for a type whose values Python may spell in another way than the engine."""
    for column in columns:
        if column.type.is_enum or _has_decimals_inside(column.type):
            raise NotPortableError(f"{column.name} is a {column.type}")


def find_difference(
    function: RowFunction,
    on_engine: Callable[[Sequence[Mapping[str, Any]]], Any],
    types: Mapping[str, SqlType],
    columns: Sequence[Column],
) -> str | None:
    """The first edge row, as text, of which the function gives other rows than the engine; None if there is none.

    Where the function stops, the engine is asked.
    """
    rows = probe_rows(types)
    if _agree(function, on_engine, rows, columns) == "same":
        return None
    return next((str(row) for row in rows if _agree(function, on_engine, [row], columns) == "different"), None)


def _agree(
    function: RowFunction,
    on_engine: Callable[[Sequence[Mapping[str, Any]]], Any],
    rows: Sequence[Mapping[str, Any]],
    columns: Sequence[Column],
) -> Literal["same", "stopped", "different"]:
    """How the two computations of these rows compare."""
    there = here = None
    with suppress(AsknownError):
        there = on_engine(rows)
    with suppress(EvaluationError):
        here = function.rows(rows)
    if here is None:
        return "stopped"
    if there is None:
        return "different"
    same = there.num_rows == here.num_rows and all(
        [_exact(value) for value in there.column(column.name).to_pylist()]
        == [_exact(value) for value in here.column(column.name)]
        for column in columns
    )
    return "same" if same else "different"


def _exact(value: Any) -> Any:
    """A value that equals another's only if they are the same to the bit."""
    match value:
        case float():
            return ("NaN",) if math.isnan(value) else (value, math.copysign(1.0, value))
        case list():
            return [_exact(item) for item in value]
        case dict():
            return {name: _exact(item) for name, item in value.items()}
        case datetime():
            return value.replace(tzinfo=None)
        case UUID():
            return str(value)
    return value if not isinstance(value, bool) else ("boolean", value)


def probe_rows(types: Mapping[str, SqlType]) -> list[dict[str, Any]]:
    """Rows of edge values of these types: each column goes through its values at a pace of its own."""
    values = {name: _edge_values(kind) for name, kind in types.items()}
    found = []
    for number in range(_PROBES):
        paces = islice((pace for pace in range(1, 10_000) if pace % 2), len(values))
        found.append(
            {
                name: edges[(number * pace + number // len(edges)) % len(edges)]
                for (name, edges), pace in zip(values.items(), paces, strict=True)
            }
        )
    return found


def _edge_values(kind: SqlType) -> list[Any]:
    """Values of a type at which computations are known to differ, NULL among them."""
    if kind.kind == "integer":
        least, greatest = kind.bounds
        return [0, 1, 7, greatest, least, None, *([-1, -7] if least < 0 else [])]
    if kind.kind == "float":
        return [0.0, -0.0, -2.5, math.inf, math.nan, None, *([0.1, 2.675, 1e300] if kind.bits > 32 else [])]
    if kind.kind == "decimal":
        unit = Decimal(1).scaleb(-kind.scale)
        most = (Decimal(10) ** kind.precision - 1).scaleb(-kind.scale)
        return [Decimal(0).quantize(unit), unit, -unit, most, None]
    if kind.kind == "list":
        assert kind.element is not None
        inside = _edge_values(kind.element)
        return [[], inside[:2], [inside[0], None], None]
    if kind.kind not in _EDGES:
        raise NotPortableError(f"{kind} has no values to compare")
    return [*_EDGES[kind.kind], None]


_TIMES = (
    datetime(1970, 1, 1),
    datetime(1969, 12, 31, 23, 59, 59, 999999),
    datetime(2024, 2, 29, 12, 0, 0, 500001),
    datetime(1, 1, 2),
    datetime(9999, 12, 30),
)
_EDGES: Mapping[Kind, Sequence[Any]] = {
    "boolean": (True, False),
    "text": ("", "a", "Straße", "İ \u00a0x ", "a-b_c%", "12.50", "\U0001f600"),
    "date": (date(1970, 1, 1), date(1969, 12, 31), date(2024, 2, 29), date(1, 1, 1), date(9999, 12, 31)),
    "timestamp": _TIMES,
    "timestamptz": _TIMES,
    "uuid": (UUID(int=0), UUID(int=2**127 + 5)),
}


def _has_decimals_inside(kind: SqlType) -> bool:
    inner = [kind.element] if kind.element is not None else [field for _, field in kind.fields]
    return any(one.kind == "decimal" or _has_decimals_inside(one) for one in inner)
