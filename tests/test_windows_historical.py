"""Trailing windows in the training set equal the oracle: every plan, one thread and many, however they are written."""

from __future__ import annotations

import bisect
import json
import math
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings

import window_worlds
from oracle import Window
from small_windows import DAY, HOUR, WINDOW_FORMS, item, opened, train, world_of
from worlds import (
    Column,
    ViewData,
    World,
    arrow_type,
    assert_equals,
    exact,
    same_type,
    write_project,
    write_warehouse,
)

EXAMPLES = max(15, settings().max_examples // 5)
SECOND = 1_000_000
START = datetime(2024, 1, 1)


@pytest.mark.parametrize(("form", "threads"), [(None, 1), *((form, 4) for form in WINDOW_FORMS)])
@given(world=window_worlds.worlds())
@settings(max_examples=EXAMPLES)
def test_equals_the_oracle(form: Any, threads: int, world: World) -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        opened(write_project(world, Path(folder), threads=threads), form) as store,
    ):
        assert_equals(train(store, world), world)


@given(world=window_worlds.worlds(max_views=1))
@settings(max_examples=EXAMPLES // 2)
def test_the_rendered_model_is_plain_sql_of_the_same_types(world: World) -> None:
    """DuckDB runs the compiled model as it stands; its columns have the types that the training set has.

    Sums of integers, and count_if, are wider there: the training set has BIGINT (rule 7).
    """
    (data,) = world.views
    with tempfile.TemporaryDirectory() as folder, opened(write_project(world, Path(folder))) as store:
        plain = store.preview(data.view.name, limit=None)
        assert plain.num_rows == len(data.rows)
        for each in data.windows:
            kind = plain.schema.field(each.name).type
            wider = each.type == "BIGINT" and re.search(r"\b(sum|count_?if)\(", each.sql)
            wanted = "HUGEINT" if wider else each.type
            assert same_type(kind, arrow_type(wanted)), f"{each.name} is {kind}, should be {wanted}"


# --- worlds made by hand ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("form", WINDOW_FORMS)
def test_every_aggregate_with_every_type_that_it_takes(form: Any, tmp_path: Path) -> None:
    """One view with all of them, over an empty window, one row, and all rows, NULLs between."""
    kinds = {f"x{i}": kind for i, kind in enumerate(window_worlds.SCALARS)}
    rows = []
    for number in range(7):
        row: dict[str, Any] = {"k": 1, "ts": START + timedelta(hours=number)}
        for place, (name, kind) in enumerate(kinds.items()):
            pool = (*window_worlds.VALUES[kind], None)
            row[name] = pool[(number + place) % len(pool)]
        rows.append(row)
    items = []
    for aggregate, facts in window_worlds.AGGREGATES.items():
        for name, kind in kinds.items():
            if kind not in facts.takes:
                continue
            order = "x1" if aggregate.startswith("arg_") else None
            arguments = {
                "count_distinct": f"distinct {name}",
                "list_distinct": f"distinct {name}",
                "string_agg": f"{name}, ','",
                "quantile_cont": f"{name}, 0.3",
                "quantile_disc": f"{name}, 0.3",
            }
            count = ", 2" if aggregate.endswith(("max_k", "min_k")) else ""
            call = f"{facts.spelled[0]}({arguments.get(aggregate, name)}{f', {order}' if order else ''}{count})"
            share = Fraction("0.3") if aggregate.startswith("quantile") else Fraction(1, 2)
            window = Window(aggregate, name, 4 * HOUR, order=order, fraction=share, number=2)
            given_type = window_worlds.result_type(aggregate, kind)
            made = item(f"{aggregate}_{name}", given_type, call, window, exact=facts.exact)
            items.append(replace(made, sql=window_worlds.around(aggregate, made.sql, 2)))
    spine = [(1, START + timedelta(hours=hours)) for hours in (-1, 0, 1, 3, 6, 8, 10, 11)] + [(2, START), (None, START)]
    world = world_of(rows, kinds, items, [*spine, (1, None)])
    with opened(write_project(world, tmp_path), form) as store:
        assert_equals(train(store, world), world)


@pytest.mark.parametrize("form", WINDOW_FORMS)
@pytest.mark.parametrize(
    ("zone", "night"),
    [
        ("America/New_York", datetime(2024, 3, 10)),
        ("America/New_York", datetime(2024, 11, 3)),
        ("Europe/Berlin", datetime(2024, 3, 31)),
        ("Europe/Berlin", datetime(2024, 10, 27)),
    ],
)
def test_a_day_has_24_hours_in_every_night(form: Any, zone: str, night: datetime, tmp_path: Path) -> None:
    """Hourly events as timestamptz across the nights in which clocks change, in a session of that zone."""
    rows = [{"k": 1, "ts": (night + timedelta(hours=h)).replace(tzinfo=UTC), "x": h} for h in range(-30, 60)]
    items = [
        item("n", "BIGINT", "count(*)", Window("count", None, DAY)),
        item("s", "BIGINT", "sum(x)", Window("sum", "x", DAY, "right")),
    ]
    spine = [(1, night + timedelta(hours=h)) for h in range(-6, 60)]
    made = world_of(rows, {"x": "INTEGER"}, items, spine)
    (data,) = made.views
    columns = tuple(Column(c.name, "TIMESTAMP WITH TIME ZONE" if c.name == "ts" else c.type) for c in data.columns)
    world = World(
        views=(ViewData(data.view, columns, data.entities, data.rows, "named", data.windows, data.select),),
        spine_columns=made.spine_columns,
        spine=made.spine,
        timestamp="event_timestamp",
        asked=("v",),
    )
    folder = write_project(world, tmp_path)
    dev = {"type": "duckdb", "path": "warehouse.duckdb", "settings": {"timezone": zone}}
    (folder / "profiles.yml").write_text(json.dumps({"world": {"target": "dev", "outputs": {"dev": dev}}}))
    with opened(folder, form) as store:
        table = train(store, world)
    assert_equals(table, world)
    assert set(table.column("n").to_pylist()[:60]) == {25}


@pytest.mark.parametrize(("shuffle", "threads"), [(1, 1), (2, 2), (3, 4)])
def test_sums_do_not_depend_on_the_order_of_rows(shuffle: int, threads: int, tmp_path: Path) -> None:
    """50,000 floats of all sizes: the bits are those of math.fsum in any order and with any number of threads."""
    mix = np.random.default_rng(11)
    values = mix.standard_normal(50_000) * 10.0 ** mix.integers(-12, 18, 50_000)
    rows = [{"k": 1, "ts": START + timedelta(seconds=i), "x": float(x)} for i, x in enumerate(values)]
    items = [
        item("s", "DOUBLE", "sum(x)", Window("sum", "x", DAY)),
        item("a", "DOUBLE", "avg(x)", Window("avg", "x", DAY)),
    ]
    world = world_of(rows, {"x": "DOUBLE"}, items, [(1, START + timedelta(days=1))])
    write_project(world, tmp_path, threads=threads)
    shuffled = World(**{**world.__dict__, "shuffle": shuffle})
    write_warehouse(shuffled, tmp_path)
    with opened(tmp_path) as store:
        (row,) = train(store, world).to_pylist()
    total = math.fsum(values)
    assert row["s"].hex() == total.hex()
    assert row["a"].hex() == float(sum(map(Fraction, values.tolist()), start=Fraction(0)) / 50_000).hex()


# --- one key with a hundred thousand events ---------------------------------------------------------------------------

EVENTS, ASKED, LENGTHS = 100_000, 500, {"1h": HOUR, "1d": DAY, "7d": 7 * DAY}
SCALE = 2**130  # every value below is a whole number of 1 / SCALE


def hot_rows() -> list[dict[str, Any]]:
    """100,000 events of one key in 40 days, many at one instant, and a few of others."""
    mix = np.random.default_rng(5)
    at = np.sort(mix.integers(0, 40 * 86_400, EVENTS)) * SECOND
    whole = mix.integers(-1000, 1000, EVENTS)
    number = mix.choice(np.array([0.1, 0.3, -1e17, 1e17, 1e-20, 123.456, 1e8 + 1]), EVENTS)
    rows = [
        {"k": 1, "ts": START + timedelta(microseconds=int(t)), "i": int(i), "x": float(x)}
        for t, i, x in zip(at, whole, number, strict=True)
    ]
    for place in mix.integers(0, EVENTS, EVENTS // 20):
        rows[int(place)]["x"] = None
    return rows + [{**row, "k": 2 + number % 20} for number, row in enumerate(rows[:: EVENTS // 200])]


def reference(rows: Sequence[dict[str, Any]], instants: Sequence[datetime]) -> list[dict[str, Any]]:
    """The answers for key 1 by bisection and prefix sums of whole numbers."""
    mine = sorted((row for row in rows if row["k"] == 1), key=lambda row: row["ts"])
    times = [row["ts"] for row in mine]
    whole = np.array([row["i"] for row in mine])
    counted, summed, exact_sum = [0], [0], [0]
    for row in mine:
        counted.append(counted[-1] + (row["x"] is not None))
        summed.append(summed[-1] + row["i"])
        above, below = (row["x"] or 0.0).as_integer_ratio()
        exact_sum.append(exact_sum[-1] + above * (SCALE // below))
    answers = []
    for at in instants:
        answer: dict[str, Any] = {}
        for name, length in LENGTHS.items():
            first = bisect.bisect_left(times, at - timedelta(microseconds=length))
            last = bisect.bisect_right(times, at)
            floats, seen = exact_sum[last] - exact_sum[first], counted[last] - counted[first]
            answer[f"n_{name}"] = last - first
            answer[f"i_{name}"] = summed[last] - summed[first] if last > first else None
            answer[f"s_{name}"] = floats / SCALE if seen else None
            answer[f"a_{name}"] = floats / (SCALE * seen) if seen else None
            answer[f"m_{name}"] = int(whole[first:last].max()) if last > first else None
            answer[f"d_{name}"] = len(np.unique(whole[first:last]))
        answers.append(answer)
    return answers


CALLS = {
    "n": ("BIGINT", "count(*)", "count", None),
    "i": ("BIGINT", "sum(i)", "sum", "i"),
    "s": ("DOUBLE", "sum(x)", "sum", "x"),
    "a": ("DOUBLE", "avg(x)", "avg", "x"),
    "m": ("INTEGER", "max(i)", "max", "i"),
    "d": ("BIGINT", "count(distinct i)", "count_distinct", "i"),
}


def hot_world(rows: Sequence[dict[str, Any]], instants: Sequence[datetime]) -> World:
    """Every call over every length, asked of key 1 at these instants."""
    items = [
        item(f"{short}_{name}", kind, call, Window(aggregate, value, length))
        for short, (kind, call, aggregate, value) in CALLS.items()
        for name, length in LENGTHS.items()
    ]
    return world_of(rows, {"i": "INTEGER", "x": "DOUBLE"}, items, [(1, at) for at in instants])


@pytest.mark.parametrize("form", WINDOW_FORMS)
def test_one_key_with_a_hundred_thousand_events(form: Any, tmp_path: Path) -> None:
    rows = hot_rows()
    mix = np.random.default_rng(6)
    instants = [START + timedelta(seconds=int(s)) for s in mix.integers(0, 48 * 86_400, ASKED - 100)]
    instants += [rows[int(i)]["ts"] for i in mix.integers(0, EVENTS, 100)]
    if form == "sorted":  # which sorts every event of every frame
        instants = instants[::10]
    world = hot_world(rows, instants)
    with opened(write_project(world, tmp_path), form) as store:
        found = train(store, world).to_pylist()
    for row, wanted in zip(found, reference(rows, instants), strict=True):
        assert {name: exact(row[name]) for name in wanted} == {name: exact(value) for name, value in wanted.items()}
