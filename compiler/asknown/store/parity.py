"""Compares the engine in use with the online table's evaluator, over the edges of every operation.

The evaluator computes each operation in one way, and the training query is written so that the engine does the same. A
later version of the engine may still differ in an operation. Features that use this operation are then not served,
because their online values would differ from those that a model was trained on.
"""

from __future__ import annotations

import math
import struct
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from itertools import zip_longest
from typing import Any

from asknown.aggregates import RECOGNIZED
from asknown.dialects.dialect import Dialect
from asknown.emit.edges import compile_edges
from asknown.emit.statement import write
from asknown.emit.window_edges import compile_window_edges
from asknown.engines.engine import Engine
from asknown.errors import AsknownError
from asknown.model.expressions.edges import EDGE_ROWS, Edge, columns_of, edge_types, operations_of, read_edges
from asknown.model.expressions.write import portable
from asknown.model.list_patterns import written_pattern
from asknown.model.window_edges import WINDOW_EDGES, WindowEdge, read_window_edges, window_operation
from asknown.online.nodes import OnlineOnDemand, OnlineView, StoredFeature
from asknown.online.report import Check
from asknown.types import SqlType, parse_type
from asknown.values.aggregates import finalizer
from asknown.values.expressions import compile_expression
from asknown.values.order import total_key


@dataclass(frozen=True)
class Difference:
    """An ``operation`` that the engine computes differently, and the first values that show it."""

    operation: str
    expression: str
    given: str
    engine: str
    there: str
    here: str

    def __str__(self) -> str:
        return f"{self.engine} computes {self.expression} as {self.there} where {self.given}; asknown has {self.here}"


@dataclass(frozen=True)
class Comparison:
    """The number of expressions compared with ``engine``, and the differences by operation."""

    engine: str
    compared: int
    differences: Mapping[str, Difference]

    def affected(self, operations: Set[str]) -> Difference | None:
        """The first difference in one of these operations."""
        return next((difference for name, difference in self.differences.items() if name in operations), None)


def compare_engine(engine: Engine, operations: Set[str] | None = None) -> Comparison:
    """Compares the engine by one query over the edges of ``operations`` (None: of all).

    An engine that models are translated for is not compared, because its SQL differs; tests run all expressions there.
    """
    name = f"{engine.dialect.name} {engine.check().version}"
    if "as_double" not in engine.dialect.snippets:
        return Comparison(name, 0, {})
    queries = _queries(engine.dialect, None if operations is None else frozenset(operations))
    edges, windows = queries.edges, queries.windows
    found: dict[str, Difference] = {}
    if edges:
        for difference in _differences(edges, engine.rows(queries.of_edges), name):
            found.setdefault(difference.operation, difference)
    if windows:
        for difference in _window_differences(windows, engine.rows(queries.of_windows), name):
            found.setdefault(difference.operation, difference)
    return Comparison(name, len(edges) + len(windows), found)


@dataclass(frozen=True)
class _Queries:
    """The edges of some operations, and the SQL that computes them; no SQL where there are none."""

    edges: Sequence[Edge]
    of_edges: str
    windows: Sequence[WindowEdge]
    of_windows: str


@lru_cache(maxsize=64)  # to write them takes up to a second, and every load of a long-lived process asks
def _queries(dialect: Dialect, operations: frozenset[str] | None) -> _Queries:
    edges = [edge for edge in read_edges() if operations is None or edge.operation in operations]
    windows = [edge for edge in read_window_edges() if operations is None or edge.operation in operations]
    return _Queries(
        edges,
        write(compile_edges(edges, dialect), dialect) if edges else "",
        windows,
        write(compile_window_edges(windows, dialect), dialect) if windows else "",
    )


def compare_for(engine: Engine, views: Iterable[OnlineView], on_demand: Iterable[OnlineOnDemand] = ()) -> Comparison:
    """Compares the engine over the edges of what the views' features compute."""
    used = [operations_in(view, feature) for view in views for feature in _derived(view)]
    used += [operations_of(feature.expression) for view in on_demand for feature in view.features]
    operations = frozenset[str]().union(*used)
    return compare_engine(engine, operations) if operations else Comparison(engine.dialect.name, 0, {})


def operations_in(view: OnlineView, feature: StoredFeature) -> frozenset[str]:
    """The operations of a feature over windows: those of its expression, and those of its calls.

    Of a call that was recognized in an expression they are those of the expression, which the engine computes.
    """
    assert view.windows is not None
    types = {column.name: column.type for column in view.windows.columns}
    calls = [view.windows.calls[place] for place in feature.calls]
    found = {operations_of(feature.expression)}
    for call in calls:
        kind = None if call.value is None else types[call.value]
        if kind is not None and call.aggregate in RECOGNIZED:
            tree = portable(written_pattern(call.aggregate, call.number), [parse_type(f"{kind}[]")], {})
            found |= {operations_of(tree), frozenset({window_operation("list", kind)})}
        else:
            found.add(frozenset({window_operation(call.aggregate, kind)}))
    return frozenset[str]().union(*found)


def without_affected(view: OnlineView, comparison: Comparison) -> tuple[OnlineView, dict[str, Difference]]:
    """The view without the features that the engine computes differently, and these features with the difference.

    Its fingerprint then differs, so the next load under another version starts over.
    """
    affected = {feature.name: comparison.affected(operations_in(view, feature)) for feature in _derived(view)}
    refused = {name: difference for name, difference in affected.items() if difference is not None}
    if not refused or view.windows is None:
        return view, {}
    left = tuple(column for column in view.features if column.name not in refused)
    derived = tuple(feature for feature in view.windows.derived if feature.name not in refused)
    marked = sha256(f"{view.fingerprint} without {sorted(refused)}".encode()).hexdigest()
    kept = replace(view, fingerprint=marked, features=left, windows=replace(view.windows, derived=derived))
    return kept, refused


def refusal_of(refused: Mapping[str, Difference], what: str) -> AsknownError:
    """The error for features, by ``view:feature``, that were left out of the online table. ``what`` says what was."""
    differences = dict.fromkeys(refused.values())
    return AsknownError(
        "not-online",
        f"{what}: {', '.join(refused)}, because {'; '.join(map(str, differences))}",
        hint="use a version of the engine that asknown was tested with, or write these features without this operation",
    )


def check_parity(comparison: Comparison) -> tuple[Check, ...]:
    """The results of the comparison, as checks of the engine."""
    name, count = comparison.engine.partition(" ")[0], comparison.compared
    if comparison.differences:
        run = "use a version that asknown was tested with; until then these features are left out of the online table"
        return tuple(
            Check("parity", name, "act", f"{difference.operation}: {difference}", run)
            for difference in comparison.differences.values()
        )
    said = "computes expressions over windows as the online table does"
    return (Check("parity", name, "ok", said, facts={"expressions": count}),) if count else ()


def _derived(view: OnlineView) -> Sequence[StoredFeature]:
    return () if view.windows is None else view.windows.derived


def _differences(edges: Sequence[Edge], rows: Sequence[Sequence[Any]], engine: str) -> Iterator[Difference]:
    inputs = edge_inputs()
    for place, edge in enumerate(edges):
        evaluate = compile_expression(edge.tree, {})
        for row, given in zip(rows, inputs, strict=True):
            there, here = row[place], evaluate((), given)
            if exactly(there) != exactly(here):
                values = ", ".join(f"{name} = {given[name]}" for name in columns_of(edge.tree))
                yield Difference(edge.operation, edge.sql, values, engine, str(there), str(here))
                break


def _window_differences(
    edges: Sequence[WindowEdge], rows: Sequence[Sequence[Any]], engine: str
) -> Iterator[Difference]:
    for place, edge in enumerate(edges):
        for number, row in enumerate(rows):
            given = window_input(edge, number)
            there, here = row[place], finalize(edge, given)
            empty = edge.call.aggregate.empty
            there = empty if there is None and empty is not None else there
            if not _agree(there, here, exact=edge.call.aggregate.exact):
                listed = f"the values are {given}" if edge.call.value else f"there are {len(given)} rows"
                yield Difference(edge.operation, str(edge), listed, engine, str(there), str(here))
                break


def finalize(edge: WindowEdge, values: Sequence[Any]) -> Any:
    """The call's value over these values, as the online table computes it."""
    call, types = edge.call, {name: parse_type(kind) for name, (kind, _) in WINDOW_EDGES.items()}
    order = None if call.order is None else types[call.order]
    return finalizer(call.aggregate.finalizer, edge.type, order, call.second)(values)


def window_input(edge: WindowEdge, number: int) -> Sequence[Any]:
    """The values of one window as the online table reads them: without NULLs, by time and, where it ties, by value."""
    call = edge.call
    names = [name for name in (call.value, call.order, call.condition) if name is not None] or list(WINDOW_EDGES)
    listed = []
    for name in names:
        kind, windows = WINDOW_EDGES[name]
        listed.append(_read_all(parse_type(kind), windows[number] if number < len(windows) else ()))
    if call.value is None:
        return list(filter(None, listed[0])) if call.condition else [None] * max(map(len, listed))
    rows = [(place // 2, *row) for place, row in enumerate(zip_longest(*listed)) if None not in row]
    assert edge.type is not None
    key = total_key(edge.type) or (lambda value: value)
    rows.sort(key=lambda row: (row[0], key(row[1])))
    return [row[1] if len(row) == 2 else row[1:] for row in rows]


def _agree(there: Any, here: Any, *, exact: bool) -> bool:
    if exact or not (isinstance(there, float) and isinstance(here, float)):
        return exactly(there) == exactly(here)
    return math.isclose(there, here, rel_tol=1e-12) or exactly(there) == exactly(here)


def edge_inputs() -> list[dict[str, Any]]:
    """The rows of the table of edges, as the online table reads them."""
    types = edge_types()
    columns = {name: _read_all(types[name], texts) for name, (_, texts) in EDGE_ROWS.items()}
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


def _read_all(kind: SqlType, texts: Iterable[str | None]) -> list[Any]:
    return [None if text is None else _read(kind, text) for text in texts]


def _read(kind: SqlType, text: str) -> Any:
    """The value that the table of edges spells so; of a list as [a, NULL], of a struct as {'a': 1, 'b': x}."""
    if kind.kind == "list":
        assert kind.element is not None
        return _read_all(kind.element, [None if item == "NULL" else item for item in text[1:-1].split(", ") if item])
    if kind.kind == "struct":
        items = [item.partition(": ")[2] for item in text[1:-1].split(", ")]
        given = zip(kind.fields, items, strict=True)
        return {name: None if item == "NULL" else _read(inner, item) for (name, inner), item in given}
    read = _READ.get(kind.kind, str) if kind.name != "FLOAT" else _read_single
    return read(text)


def _read_single(text: str) -> float:
    (value,) = struct.unpack("f", struct.pack("f", float(text)))
    return float(value)


_READ: Mapping[str, Callable[[str], Any]] = {
    "boolean": lambda text: text == "true",
    "integer": int,
    "float": float,
    "decimal": Decimal,
    "date": date.fromisoformat,
    "timestamp": datetime.fromisoformat,
}


def exactly(value: Any) -> tuple[str, str]:
    """The value in a form that is equal only for the same type, bits and decimal scale."""
    if isinstance(value, float):
        return ("float", "nan" if math.isnan(value) else value.hex())
    return (type(value).__name__, str(value))
