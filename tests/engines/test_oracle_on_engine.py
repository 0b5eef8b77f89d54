"""Random worlds on each engine: training sets in every form it can run, and the online table loaded from it.

What an engine refuses must be on the list (gaps.REFUSALS), and most worlds must not be refused.
"""

from __future__ import annotations

import json
import random
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

import strategies
import test_parity
import test_windows_parity
import window_worlds
from asknown import FeatureStore
from asknown.dialects.registry import find_dialect
from asknown.errors import AsknownError
from engines.gaps import LISTLESS, REFUSALS, ZONELESS
from engines.harness import Warehouse, quote
from oracle import WindowFeature
from small_windows import train
from stores import open_store
from test_parity import instants_to_read, read_online, rows_of
from worlds import (
    Column,
    World,
    arrow_table,
    asked_features,
    assert_equals,
    exact_rows,
    inexact_features,
    settled,
    write_project,
)

EXAMPLES = {"clickhouse": 12, "spark": 3}
USUALLY = 15
SHARE = settings().max_examples / 100  # of the profile: 1 as a rule


def test_training_equals_the_oracle(warehouse: Warehouse) -> None:
    check_worlds(warehouse, strategies.worlds(), {"form": find_dialect(warehouse.name).plans.forms})


def test_windows_equal_the_oracle(warehouse: Warehouse) -> None:
    check_worlds(warehouse, window_worlds.worlds(), {"window_form": find_dialect(warehouse.name).plans.window_forms})


def test_online_equals_training(warehouse: Warehouse) -> None:
    check_parity(warehouse, test_parity.watched_worlds(2), test_parity.assert_online_is)


def test_online_windows_equal_training(warehouse: Warehouse) -> None:
    check_parity(warehouse, test_windows_parity.watched_worlds(1), test_windows_parity.assert_online_is)


# --- one property on one engine ---------------------------------------------------------------------------------------


def check_worlds(warehouse: Warehouse, worlds: st.SearchStrategy[World], forced: dict[str, Sequence[str]]) -> None:
    """Every world's training set is the oracle's: as the planner chooses, and in each form there is."""
    ((option, forms),) = forced.items()

    def check(world: World) -> None:
        world = held(warehouse, world)
        with project_on(warehouse, world) as folder:
            for form in (None, *forms):
                with closing(open_store(folder, **{option: form})) as store:
                    assert_equals(train(store, world), world)

    run(warehouse, worlds, check)


def check_parity(
    warehouse: Warehouse, watched: st.SearchStrategy[tuple[World, datetime]], assert_online_is: Callable[..., None]
) -> None:
    """What is read online is the oracle's at and after the watermark, and what training gives there to the bit."""

    def check(drawn: tuple[World, datetime]) -> None:
        world, watermark = held(warehouse, drawn[0]), drawn[1]
        rows = rows_of(world)
        with project_on(warehouse, world) as folder:
            with closing(FeatureStore(folder)) as store:
                store.materialize(until=watermark.replace(tzinfo=UTC))
                instants = instants_to_read(world, rows, watermark)
                for at in instants:
                    assert_online_is(store, world, rows, watermark, at)
            at = instants[len(instants) // 2]
            load(warehouse, folder, world.with_rows(rows))
            with closing(FeatureStore(folder)) as store:
                online, _ = read_online(store, world, at)
                there = asked_at(world, at)
                names = [name for _, _, name in asked_features(world)]
                offline = train(store, there).select(names).to_pylist()
        assert exact_rows(settled(online, offline, inexact_features(world))) == exact_rows(offline)

    run(warehouse, watched, check)


def run(warehouse: Warehouse, drawn: st.SearchStrategy[Any], check: Callable[[Any], None]) -> None:
    """Checks a number of drawn worlds, of which most are not refused."""
    counted = {"checked": 0, "refused": 0}

    @settings(max_examples=max(1, int(EXAMPLES.get(warehouse.name, USUALLY) * SHARE)))
    @given(drawn)
    def each(world: Any) -> None:
        try:
            check(world)
            counted["checked"] += 1
        except AsknownError as error:
            text = f"{error.code}: {error.message}"
            if not any(re.search(pattern, text) for pattern, _ in REFUSALS.get(warehouse.name, ())):
                raise
            counted["refused"] += 1

    each()
    assert counted["checked"] > counted["refused"], counted


def asked_at(world: World, at: datetime) -> World:
    """The world with every spine row asking at ``at``."""
    column = next(c for c in world.spine_columns if c.name == world.timestamp)
    return replace(world, spine=tuple({**row, column.name: strategies.as_type(at, column.type)} for row in world.spine))


def held(warehouse: Warehouse, world: World) -> World:
    """The world without what the engine has none of: lists, calendars of zones."""
    world = without_zones(world) if warehouse.name in ZONELESS else world
    return without_lists(world) if warehouse.name in LISTLESS else world


def without_zones(world: World) -> World:
    """The world with all calendars in UTC."""

    def in_utc(sql: str) -> str:
        return re.sub(r"(this|previous)\('(\w+)', '[^']+'\)", r"\1('\2')", sql)

    def moved(feature: WindowFeature) -> WindowFeature:
        windows = (
            window if window.period is None else replace(window, period=replace(window.period, zone="UTC"))
            for window in feature.windows
        )
        return replace(feature, windows=tuple(windows))

    views = [
        replace(
            data,
            view=replace(data.view, windows={name: moved(feature) for name, feature in data.view.windows.items()}),
            windows=tuple(replace(item, sql=in_utc(item.sql), feature=moved(item.feature)) for item in data.windows),
            named_windows=tuple(map(in_utc, data.named_windows)),
        )
        for data in world.views
    ]
    return replace(world, views=tuple(views))


def without_lists(world: World) -> World:
    """The world with each list's first element in its place."""

    def typed(columns: Sequence[Column]) -> tuple[Column, ...]:
        return tuple(replace(column, type=column.type.removesuffix("[]")) for column in columns)

    def first(rows: Sequence[dict[str, Any]]) -> tuple[dict[str, Any], ...]:
        return tuple({n: next(iter(v), None) if isinstance(v, list) else v for n, v in row.items()} for row in rows)

    views = tuple(replace(data, columns=typed(data.columns), rows=first(data.rows)) for data in world.views)
    return replace(world, views=views, spine_columns=typed(world.spine_columns), spine=first(world.spine))


# --- a world on an engine ---------------------------------------------------------------------------------------------


@contextmanager
def project_on(warehouse: Warehouse, world: World) -> Iterator[Path]:
    """The world as a project whose target is the engine, its tables filled."""
    with tempfile.TemporaryDirectory() as name:
        folder = write_project(world, Path(name))
        target = {"target": "dev", "outputs": {"dev": warehouse.target(folder)}}
        (folder / "profiles.yml").write_text(json.dumps({"world": target}), encoding="utf-8")
        properties = folder / "models" / "world.yml"
        said = json.loads(properties.read_text(encoding="utf-8"))
        for table in said["sources"][0]["tables"]:
            table["identifier"] = f"{warehouse.schema}.{quote(warehouse.name, table['name'])}"
        properties.write_text(json.dumps(said, ensure_ascii=False), encoding="utf-8")
        load(warehouse, folder, world)
        yield folder


def load(warehouse: Warehouse, folder: Path, world: World) -> None:
    """Puts the rows of every view into the engine, in the world's shuffled order."""
    tables = {}
    for data in world.views:
        rows = list(data.rows)
        random.Random(world.shuffle).shuffle(rows)
        table = arrow_table(data.columns, rows)
        if data.style == "aliased":
            table = table.rename_columns([f"c{place}" for place in range(len(data.columns))])
        tables[f"raw_{data.view.name}"] = table
    warehouse.load(folder, tables)
