"""Expressions over instants give on each engine what DuckDB gives, in whatever zone the session or the column is.

``translated/zones.sql`` lists them. What is refused is not asked; an engine refuses few of them.
"""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from asknown import AsknownError, FeatureStore
from engines.conftest import named_engines
from engines.expressions import LISTS
from engines.harness import Warehouse
from engines.test_expressions import Place, is_refused
from worlds import exact

if not {"postgres", "clickhouse"} & set(named_engines()):
    pytest.skip("ASKNOWN_ENGINES names no engine whose SQL says its zone", allow_module_level=True)

ZONES = ("Asia/Kolkata", "America/New_York")
ASKED = [line for line in (LISTS / "zones.sql").read_text().splitlines() if line and not line.startswith("--")]
REFUSED = {"postgres": 0, "clickhouse": 20}
"""How many of them an engine refuses, at most."""
SPINE = pa.table({"id": pa.array(range(1, 10), pa.int32()), "event_timestamp": pa.array([datetime(2024, 6, 1)] * 9)})


class Here(Place):
    """An engine with the table of hostile rows, and a view of some expressions over it."""

    def columns(self, some: list[str], warehouse: Warehouse | None = None) -> dict[str, list[list[Any]]]:
        """The values of each expression: as asknown gives them, and as its SQL does in sessions of other zones."""
        models = self._models("rows", some)
        config = "{{ config(entity='row', event_time='ts') }}"
        names = ", ".join(f"z{place}" for place in range(len(some)))
        texts = {"m": models[0][0], "v": f"{config}\nselect id, ts, {names} from {{{{ ref('m') }}}}"}
        with self._opened(texts) as store:
            job = store.get_historical_features(SPINE, ["v"])
            tables = [job.to_arrow()]
            for zone in ZONES if warehouse is not None else ():
                _move(store, warehouse, zone)
                tables.append(store._engine.stream(job.sql()).read_all())
        return {each: [table[f"z{place}"].to_pylist() for table in tables] for place, each in enumerate(some)}


def _move(store: FeatureStore, warehouse: Warehouse, zone: str) -> None:
    """Puts the session of a store into another zone."""
    if warehouse.name == "postgres":
        store._engine._do(f"SET TimeZone = '{zone}'")  # type: ignore[attr-defined]
    else:
        store._engine._session.set({"session_timezone": zone})  # type: ignore[attr-defined]


def test_no_zone_matters(warehouse: Warehouse, tmp_path: Path) -> None:
    if warehouse.name not in REFUSED:
        pytest.skip("its zone is set by statements before the query")
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    here, there = Here(None, tmp_path / "here"), Here(warehouse, tmp_path / "there")
    if warehouse.name == "clickhouse":
        import chdb

        zoned = "ALTER TABLE main.hostile MODIFY COLUMN tz Nullable(DateTime64(6, 'Asia/Kolkata'))"
        chdb.connect(":memory:").query(zoned)
    found, refused = ask(there, ASKED, warehouse)
    assert len(refused) <= REFUSED[warehouse.name], refused
    expected = here.columns(list(found))
    wrong = {
        each: (list(map(exact, columns)), list(map(exact, expected[each][0])))
        for each, many in found.items()
        for columns in many
        if list(map(exact, columns)) != list(map(exact, expected[each][0]))
    }
    assert not wrong, "\n".join(f"{each}: {values}" for each, values in wrong.items())


def ask(there: Here, some: list[str], warehouse: Warehouse) -> tuple[dict[str, list[list[Any]]], list[str]]:
    """The columns of the expressions, and those that are refused."""
    try:
        return there.columns(some, warehouse), []
    except AsknownError as error:
        if len(some) == 1:
            assert is_refused(error), f"{some[0]}: {error}"
            return {}, some
    half = len(some) // 2
    (left, no), (right, neither) = (ask(there, part, warehouse) for part in (some[:half], some[half:]))
    return left | right, no + neither
