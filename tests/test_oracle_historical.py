"""The training set equals the oracle: every plan form, one thread and many, rows inserted in any order."""

from __future__ import annotations

import tempfile
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
import strategies
from asknown import FeatureStore
from asknown.plan.nodes import FORMS, Form
from stores import open_store
from worlds import Column, ViewData, World, assert_equals, exact_rows, spine_table, write_project

EVERY_FORM = (None, *FORMS)  # None: as the planner chooses
EXAMPLES = max(15, settings().max_examples // 5)


def train(store: FeatureStore, world: World, entity_df: Any = None) -> pa.Table:
    """The world's training set by asknown."""
    job = store.get_historical_features(
        entity_df=spine_table(world) if entity_df is None else entity_df,
        features=list(world.asked),
        full_feature_names=world.full_names,
        timestamp=None if world.timestamp == "event_timestamp" else world.timestamp,
    )
    assert job.sql()  # which reads back what it wrote
    return job.to_arrow()


@pytest.mark.parametrize("threads", [1, 4])
@pytest.mark.parametrize("form", EVERY_FORM)
@given(world=strategies.worlds())
@settings(max_examples=EXAMPLES)
def test_equals_the_oracle(form: Form | None, threads: int, world: World) -> None:
    with tempfile.TemporaryDirectory() as folder:
        store = open_store(write_project(world, Path(folder), threads=threads), form)
        try:
            assert_equals(train(store, world), world)
        finally:
            store.close()


@given(world=strategies.worlds(), how=st.sampled_from(("parquet", "sql", "polars", "model")))
@settings(max_examples=EXAMPLES)
def test_the_spine_may_come_in_any_shape(world: World, how: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = write_project(world, Path(name))
        entity_df = shaped_spine(world, folder, how)
        store = FeatureStore(folder)
        try:
            assert_equals(train(store, world, entity_df), world)
        finally:
            store.close()


def shaped_spine(world: World, folder: Path, how: str) -> Any:
    """The world's spine as something else than an Arrow table."""
    table = spine_table(world)
    match how:
        case "polars":
            import polars

            return polars.from_arrow(table)
        case "parquet":
            pq.write_table(table, folder / "spine.parquet")
            return str(folder / "spine.parquet")
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.register("incoming", table)
        connection.execute("create or replace table my_spine as select * from incoming")
    if how == "sql":
        return "select * from my_spine"
    (folder / "models" / "my_spine_model.sql").write_text("select * from {{ source('mine', 'spine') }}")
    (folder / "models" / "mine.yml").write_text(
        "sources: [{name: mine, tables: [{name: spine, identifier: main.my_spine}]}]"
    )
    return "my_spine_model"


@pytest.mark.parametrize("form", EVERY_FORM)
@pytest.mark.parametrize("first", [0.0, -0.0])
def test_two_zeros_that_tie_give_one_answer(form: Form | None, first: float, tmp_path: Path) -> None:
    """-0.0 and 0.0 are two values that the engine's order calls equal; the tie must not fall to the rows' order."""
    at = datetime(2024, 1, 1)
    columns = (Column("k", "BIGINT"), Column("ts", "TIMESTAMP"), Column("x", "DOUBLE"))
    view = oracle.View("v", keys=("k",), event_time="ts", features=("x",))
    rows = tuple({"k": 1, "ts": at, "x": x} for x in (first, -first))
    world = World(
        views=(ViewData(view, columns, (("e", ("k",)),), rows),),
        spine_columns=(Column("k", "BIGINT"), Column("event_timestamp", "TIMESTAMP")),
        spine=({"k": 1, "event_timestamp": at},),
        timestamp="event_timestamp",
        asked=("v",),
    )
    store = open_store(write_project(world, tmp_path), form)
    assert exact_rows(train(store, world).to_pylist()) == [
        {"k": ("int", 1), "event_timestamp": ("datetime", at), "x": ("float", (0.0).hex())}
    ]
    store.close()
