"""The example project on each engine: the training set of every flight of 2013 is DuckDB's to the bit.

Nothing of the project changes but its target. An engine that reads no files has the sources' rows in tables of the
sources' names. Every tenth flight is asked about, on the engines where that takes less than a minute; by hand,
ASKNOWN_FLIGHTS=tenth asks on every engine, and ASKNOWN_FLIGHTS=all about all flights.
"""

from __future__ import annotations

import json
import os
import time
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from asknown import FeatureStore
from asknown.dialects.registry import find_dialect
from engines.gaps import gap
from engines.harness import Warehouse
from worlds import same_type

ROOT = Path(__file__).parents[2]
SOURCES = ROOT / "data" / "nycflights13"
SERVICE = "flight_delay_v1"
FLIGHTS = 336_776
WHOLE = os.environ.get("ASKNOWN_FLIGHTS") == "all"
UNASKED = ("postgres",)
"""Engines that are quick enough to run on every time."""
TENTH = "select * from {{ ref('flights_spine') }} where flight % 10 = 3"
"""About a tenth of the flights, of all carriers, airports and months."""


def test_every_feature_of_every_flight_is_the_same(
    warehouse: Warehouse, here: pa.Table, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    if warehouse.name not in UNASKED and "ASKNOWN_FLIGHTS" not in os.environ:
        pytest.skip("minutes: asked for by ASKNOWN_FLIGHTS")
    if reason := gap(warehouse.name, "flights"):
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    project = project_on(warehouse, tmp_path)
    started = time.perf_counter()
    there = train(project)
    request.node.user_properties.append(("seconds", round(time.perf_counter() - started, 1)))
    assert there.column_names == here.column_names
    assert there.num_rows == here.num_rows
    differ = {name: count for name in here.column_names if (count := differing(there[name], here[name]))}
    assert not differ, f"flights that differ, by column: {differ}"


def test_what_is_compared_is_worth_it(here: pa.Table) -> None:
    assert here.num_columns == 45
    assert here.num_rows == FLIGHTS if WHOLE else here.num_rows > FLIGHTS / 20
    mostly_null = [name for name in here.column_names if here[name].null_count > here.num_rows / 2]
    assert mostly_null in ([], ["wind_gust"])


@pytest.fixture(scope="session")
def here() -> pa.Table:
    """The training set that DuckDB gives."""
    return train(ROOT)


def train(project: Path) -> pa.Table:
    with closing(FeatureStore(project)) as store:
        return store.get_historical_features("flights_spine" if WHOLE else TENTH, SERVICE).to_arrow()


def project_on(warehouse: Warehouse, folder: Path) -> Path:
    """The example project, whose target is the engine, and its sources' rows there."""
    for name in ("pyproject.toml", "models", "data"):
        (folder / name).symlink_to(ROOT / name)
    if find_dialect(warehouse.name).relations.readers:  # nothing is put there, so that no schema is made
        warehouse = replace(warehouse, options={k: v for k, v in warehouse.options.items() if k != "schema"})
    else:
        schema = "nyc"
        options = {**warehouse.options, **({"schema": schema} if "schema" in warehouse.options else {})}
        tables = {path.stem: pq.read_table(path) for path in sorted(SOURCES.glob("*.parquet"))}
        replace(warehouse, options=options, schema=schema).load(folder, tables)
    profile = {"target": "dev", "outputs": {"dev": warehouse.target(folder)}}
    (folder / "profiles.yml").write_text(json.dumps({"flights": profile}), encoding="utf-8")
    return folder


def differing(got: pa.ChunkedArray, wanted: pa.ChunkedArray) -> int:
    """How many rows are not the same to the bit; all of them, where the types are not the same."""
    if not same_type(got.type, wanted.type):
        return len(wanted)
    both = [column.combine_chunks() for column in (got, wanted)]
    if pa.types.is_floating(wanted.type):
        values = [bits(column) for column in both]
        nulls = [np.asarray(column.is_null()) for column in both]
        return int(np.count_nonzero((values[0] != values[1]) | (nulls[0] != nulls[1])))
    left, right = both[0].cast(both[1].type), both[1]
    same = pc.or_(pc.fill_null(pc.equal(left, right), False), pc.and_(left.is_null(), right.is_null()))
    return int(pc.sum(pc.invert(same)).as_py() or 0)


def bits(column: pa.Array) -> npt.NDArray[np.int64]:
    floats: npt.NDArray[np.float64] = np.asarray(pc.fill_null(column, 0.0), dtype=np.float64)
    return floats.view(np.int64)
