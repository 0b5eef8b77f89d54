"""Every aggregate of a trailing window, over every type: the engine gives what DuckDB gives, or says that it cannot.

A new aggregate is tried without more words. Where an engine stops with an error, it names the aggregate.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, assert_never

import duckdb
import pyarrow as pa
import pytest

from asknown import AsknownError, FeatureStore
from asknown.aggregates import AGGREGATES, Aggregate
from engines.harness import Warehouse

START = datetime(2024, 3, 8, 20, 15, 30, 250_000)
ROWS = 60
AT_ONCE = 12  # views of one query: Spark plans long over more
WORDS = ["Straße", "STRASSE", "", "ﬁn", "é", "e\u0301", "zebra", "Zebra", "🙂", "a\\b"]


def every(place: int, values: Sequence[Any]) -> list[Any]:
    """A column that repeats the values, and is NULL in every seventh row or so."""
    return [None if (row + place) % 7 == 0 else values[row * (place + 3) % len(values)] for row in range(ROWS)]


AT = [START + timedelta(hours=11 * (row // 2 * 3 % 41), microseconds=row % 3) for row in range(ROWS)]
COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "small": (pa.int16(), every(1, [-32768, 32767, 0, 7, 7, -12])),
    "whole": (pa.int64(), every(2, [9007199254740993, -3, 12, 12, 400])),
    "price": (pa.decimal128(12, 2), every(3, [Decimal("-0.01"), Decimal("10.25"), Decimal("10.24"), Decimal("7.00")])),
    "amount": (pa.float64(), every(4, [0.1, 0.2, -0.0, 1e17, -1e17, 0.3, 2.5, 1e-9])),
    "brief": (pa.float32(), every(5, [1.5, -0.25, 0.1, 33.0])),
    "word": (pa.string(), every(6, WORDS)),
    "flag": (pa.bool_(), every(7, [True, False, False])),
    "day": (pa.date32(), every(8, [date(2024, 2, 29), date(1969, 12, 31), date(2024, 3, 1)])),
    "naive": (pa.timestamp("us"), every(9, [START, START + timedelta(microseconds=1), datetime(1969, 12, 31)])),
    "aware": (pa.timestamp("us", "UTC"), every(10, [START.replace(tzinfo=UTC), datetime(2000, 1, 1, tzinfo=UTC)])),
}
EVENTS = pa.table(
    {
        "shop": pa.array([row % 3 for row in range(ROWS)], pa.int64()),
        "seen": pa.array(AT, pa.timestamp("us")),
        **{name: pa.array(values, kind) for name, (kind, values) in COLUMNS.items()},
    }
)
SPINE = pa.table(
    {
        "shop": pa.array([row % 4 for row in range(24)], pa.int64()),
        "event_timestamp": pa.array([START + timedelta(hours=23 * row) for row in range(24)], pa.timestamp("us")),
    }
)


def calls(aggregate: Aggregate) -> Iterator[str]:
    """The aggregate over each column, as people write it, with what more it takes."""
    over = "over {{ last('5 days') }}"
    name = aggregate.sql[0]
    distinct = "distinct " if aggregate.distinct else ""
    for column in COLUMNS:
        match aggregate.arguments:
            case "none":
                text = f"{name}({column}) {over}"
            case "condition":
                text = f"{name}(flag) {over}"
            case "value":
                text = f"{name}({distinct}{column}) {over}"
            case "value and number":
                text = f"{name}({column}, 0.3) {over}"
            case "value and text":
                text = f"{name}({column}, ', ') {over}"
            case "value and count":
                text = f"{name}({column}, 3) {over}"
            case "value, order and count":
                yield f"{name}({column}, whole, 3) {over}"
                text = f"{name}(small, {column}, 3) {over}"
            case "value and order" | "value and value":
                yield f"{name}({column}, whole) {over}"
                text = f"{name}(small, {column}) {over}"
            case _:
                assert_never(aggregate.arguments)
        yield (aggregate.inside or ":w").replace(":w", text).replace(":k", "2").replace("1::k", "1:2")


ITEMS = [item for aggregate in AGGREGATES.values() for item in dict.fromkeys(calls(aggregate))]


class Place:
    """A project over an engine's table, with one view for each item."""

    def __init__(self, folder: Path, target: dict[str, Any], identifier: str) -> None:
        (folder / "models").mkdir(parents=True)
        (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "every"\n', encoding="utf-8")
        profile = {"every": {"target": "dev", "outputs": {"dev": target}}}
        (folder / "profiles.yml").write_text(json.dumps(profile), encoding="utf-8")
        tables = [{"name": "events", "identifier": identifier}]
        properties = {"sources": [{"name": "raw", "tables": tables}], "entities": [{"name": "shop", "keys": ["shop"]}]}
        (folder / "models" / "models.yml").write_text(json.dumps(properties), encoding="utf-8")
        config = "{{ config(entity='shop', event_time='seen') }}\n"
        for number, item in enumerate(ITEMS):
            select = f"select shop, seen, {item} as x{number} from {{{{ source('raw', 'events') }}}}\n"
            (folder / "models" / f"v{number}.sql").write_text(config + select, encoding="utf-8")
        self._store = FeatureStore(folder)

    def values(self, numbers: Sequence[int]) -> dict[int, Any]:
        """The column of each item; of one that is refused or stops, the error."""
        if len(numbers) > AT_ONCE:
            return self.values(numbers[:AT_ONCE]) | self.values(numbers[AT_ONCE:])
        try:
            job = self._store.get_historical_features(SPINE, [f"v{number}:x{number}" for number in numbers])
            table = job.to_arrow()
            return {number: (table[f"x{number}"].type, table[f"x{number}"].to_pylist()) for number in numbers}
        except AsknownError as error:
            if len(numbers) == 1:
                return {numbers[0]: error}
        half = len(numbers) // 2
        return self.values(numbers[:half]) | self.values(numbers[half:])

    def close(self) -> None:
        self._store.close()


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Any]:
    """The columns that DuckDB gives, of the items that are allowed at all."""
    folder = tmp_path_factory.mktemp("duckdb")
    with duckdb.connect(str(folder / "w.duckdb")) as connection:
        connection.register("incoming", EVENTS)
        connection.execute("create table events as select * from incoming")
    with closing(Place(folder / "project", {"type": "duckdb", "path": "../w.duckdb"}, "main.events")) as place:
        found = place.values(range(len(ITEMS)))
    return {number: value for number, value in found.items() if not isinstance(value, AsknownError)}


def test_no_aggregate_differs_silently(warehouse: Warehouse, tmp_path: Path, expected: dict[int, Any]) -> None:
    warehouse.load(tmp_path, {"every_event": EVENTS})
    assert len(expected) > 150
    identifier = f"{warehouse.schema}.every_event"
    with closing(Place(tmp_path / "project", warehouse.target(tmp_path), identifier)) as place:
        found = place.values(list(expected))
    wrong: dict[str, Any] = {}
    for number, value in found.items():
        item = ITEMS[number]
        if isinstance(value, AsknownError):
            if value.code not in ("not-in-dialect", "unsupported-type"):
                wrong[item] = str(value)
        elif not same(value, expected[number]):
            wrong[item] = [pair for pair in zip(value[1], expected[number][1], strict=True) if not alike(*pair)][:3]
    assert not wrong, "\n".join(f"{item}: {why}" for item, why in wrong.items())
    assert sum(not isinstance(value, AsknownError) for value in found.values()) > 140


def same(found: tuple[pa.DataType, list[Any]], known: tuple[pa.DataType, list[Any]]) -> bool:
    return found[0] == known[0] and all(alike(*pair) for pair in zip(found[1], known[1], strict=True))


def alike(found: Any, known: Any) -> bool:
    """Whether two values are equal; of floats, to 1e-12, which the moments need."""
    if isinstance(known, float) and isinstance(found, float):
        return math.isclose(found, known, rel_tol=1e-12) or (math.isnan(found) and math.isnan(known))
    return type(found) is type(known) and found == known
