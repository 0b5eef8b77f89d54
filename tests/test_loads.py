"""The newest load is the truth (rule 10): whatever the sources were before, online equals training at the watermark.

Hypothesis makes up a world, and sequences of its states: rows edited in place up and down, rows that leave, late rows,
columns and windows that come, go, and change their type. After each load all reads equal the oracle's and the training
query's, statuses included; the file is what a first load of this state would have made; and the same load again writes
nothing.
"""

from __future__ import annotations

import sqlite3
import tempfile
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import strategies
import window_worlds
from asknown import AsknownError, FeatureStore
from test_parity import (
    MICROSECOND,
    assert_refused_beyond,
    instants_to_read,
    project,
    read_online,
    rows_of,
    train_at,
)
from test_windows_parity import assert_online_is, ends_of_frames
from worlds import Column, ViewData, World, exact_rows, inexact_features, settled, write_project

EXAMPLES = max(10, settings().max_examples // 6)
RETYPED: dict[str, tuple[str, Callable[[Any], Any]]] = {
    "INTEGER": ("BIGINT", int),
    "BIGINT": ("VARCHAR", str),
    "BOOLEAN": ("INTEGER", int),
}


AHEAD = tuple(
    length // MICROSECOND
    for length in (timedelta(days=400), timedelta(), strategies.STEP, 3 * strategies.STEP + MICROSECOND)
)


@dataclass(frozen=True)
class State:
    """The sources and the definitions at one time, and the watermark of the load that sees them."""

    world: World
    watermark: datetime


# --- what may happen between two loads --------------------------------------------------------------------------------


@st.composite
def changed_rows(draw: st.DrawFn, data: ViewData, before: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows before, some gone, some edited in place; and rows that come late, or anew under the same keys."""
    places = [data.view.event_time, data.view.known_at, data.view.created_at, *data.view.keys]
    values = [column.name for column in data.columns if column.name not in places]
    fates = draw(st.lists(st.integers(0, 9), min_size=len(before), max_size=len(before)))
    rows = []
    for row, fate in zip(before, fates, strict=True):
        match fate:
            case 0 | 1:
                continue
            case 2 | 3 if values:  # the values of another row, whichever is greater
                other = draw(st.sampled_from(data.rows))
                rows.append(row | {name: other[name] for name in values})
            case 4:  # at another time, earlier or later
                rows.append(row | {data.view.event_time: draw(st.sampled_from(data.rows))[data.view.event_time]})
            case _:
                rows.append(row)
    late = draw(st.lists(st.sampled_from(data.rows), max_size=6)) if data.rows else []
    return [*rows, *map(dict, late)]


@st.composite
def changed_schemas(draw: st.DrawFn, world: World) -> World:
    """The world with a feature or a window less, or a column of another type, or as it was."""
    datas = tuple(draw(_changed_view(data)) for data in world.views)
    return replace(world, views=datas, asked=tuple(data.view.name for data in datas))


@st.composite
def _changed_view(draw: st.DrawFn, data: ViewData) -> ViewData:
    data = replace(data, max_ahead=draw(st.sampled_from(AHEAD)))
    change = draw(st.sampled_from(("none", "none", "ttl", "less", "retyped")))
    if change == "ttl":
        return replace(data, view=replace(data.view, ttl=draw(st.sampled_from(strategies.TTLS))))
    if data.windows:
        if change != "less" or len(data.windows) == 1:
            return data
        gone = draw(st.sampled_from(data.windows)).name
        windows = {name: feature for name, feature in data.view.windows.items() if name != gone}
        return replace(
            data,
            view=replace(data.view, windows=windows),
            windows=tuple(item for item in data.windows if item.name != gone),
            select=tuple(name for name in data.select if name != gone),
        )
    if change == "less" and len(data.view.features) > 1:
        gone = draw(st.sampled_from(data.view.features))
        features = tuple(name for name in data.view.features if name != gone)
        columns = tuple(column for column in data.columns if column.name != gone)
        rows = tuple({name: value for name, value in row.items() if name != gone} for row in data.rows)
        return replace(data, view=replace(data.view, features=features), columns=columns, rows=rows)
    if change == "retyped":
        return _retyped(data)
    return data


def _retyped(data: ViewData) -> ViewData:
    """The view with its features that can have another type in it."""
    convert = {c.name: RETYPED[c.type] for c in data.columns if c.name in data.view.features and c.type in RETYPED}
    columns = tuple(Column(c.name, convert[c.name][0]) if c.name in convert else c for c in data.columns)

    def converted(name: str, value: Any) -> Any:
        return value if value is None or name not in convert else convert[name][1](value)

    rows = tuple({name: converted(name, value) for name, value in row.items()} for row in data.rows)
    return replace(data, columns=columns, rows=rows)


@st.composite
def histories(draw: st.DrawFn, worlds: st.SearchStrategy[World]) -> list[State]:
    """States of a world, each with a watermark that is not before the last one's."""
    world = draw(worlds)
    world = world.with_rows({name: rows[:40] for name, rows in rows_of(world).items()})
    there = {data.view.name: [row for row in data.rows if draw(st.integers(0, 3))] for data in world.views}
    steps = sorted(draw(st.lists(st.integers(0, 8), min_size=2, max_size=4)))
    states = []
    for step in steps:
        watermark = world.start + step * strategies.STEP + draw(st.integers(-1, 1)) * MICROSECOND
        watermark = max([watermark, *(state.watermark for state in states)])
        states.append(State(draw(changed_schemas(world.with_rows(there))), watermark))
        there = {data.view.name: draw(changed_rows(data, there[data.view.name])) for data in world.views}
    return states


# --- what must hold after each load -----------------------------------------------------------------------------------


def load(folder: Path, state: State) -> None:
    """Writes the state's project and warehouse, and loads its online table."""
    write_project(state.world, folder)
    load_again(folder, state)


def load_again(folder: Path, state: State) -> None:
    """Loads the online table of a state that is written already."""
    with closing(FeatureStore(folder)) as store:
        store.materialize(until=state.watermark, allow_shrink=True)


def dump(folder: Path, without: Sequence[str] = ()) -> dict[str, list[str]]:
    """Every table of the online file, with its rows in a fixed order; of the metadata all but what names the load.

    ``without`` are further columns of the metadata to leave out.
    """
    with closing(sqlite3.connect(folder / "online.db")) as connection:
        connection.row_factory = sqlite3.Row
        tables = [name for (name,) in connection.execute("select name from sqlite_schema where type = 'table'")]
        found = {}
        for name in tables:
            quoted = '"' + name.replace('"', '""') + '"'
            rows = [dict(row) for row in connection.execute(f"select * from {quoted}")]
            ignored = ("load_id", "loaded_at", "hash", *without) if name.startswith("_asknown") else ()
            found[name] = sorted(repr({k: v for k, v in row.items() if k not in ignored}) for row in rows)
        return found


def check(folder: Path, state: State) -> None:
    """Asserts that the online table answers as the oracle and as the training query, at the watermark and later."""
    world, watermark = state.world, state.watermark
    rows = rows_of(world)
    with closing(FeatureStore(folder)) as store:
        later = set(instants_to_read(world, rows, watermark)[1:])
        if any(data.windows for data in world.views):
            later |= set(ends_of_frames(world, rows, watermark)[1:6])
        instants = [watermark, *sorted(later)]
        for at in instants:
            assert_online_is(store, world, rows, watermark, at)
        assert_refused_beyond(store, world, rows, watermark)
        at = instants[len(instants) // 2]
        online, _ = read_online(store, world, at)
        offline = train_at(store, world, at)
        assert exact_rows(settled(online, offline, inexact_features(world))) == exact_rows(offline)


def run(states: list[State]) -> None:
    """Loads the states one after another, and checks each."""
    with project(states[0].world) as folder:
        for state in states:
            load(folder, state)
            check(folder, state)
            content = (folder / "online.db").read_bytes()
            load_again(folder, state)
            assert (folder / "online.db").read_bytes() == content, "the same load twice writes nothing"
        with tempfile.TemporaryDirectory() as anew:
            load(Path(anew), states[-1])
            assert dump(folder) == dump(Path(anew)), "what was loaded before leaves no trace"


@given(states=histories(strategies.worlds(max_views=2)))
@settings(max_examples=EXAMPLES)
def test_as_of_views_hold_what_the_newest_load_says(states: list[State]) -> None:
    run(states)


@given(states=histories(window_worlds.worlds(max_views=1, online=True)))
@settings(max_examples=EXAMPLES)
def test_windowed_views_hold_what_the_newest_load_says(states: list[State]) -> None:
    run(states)


@given(states=histories(strategies.worlds(max_views=1)))
@settings(max_examples=5)
def test_an_older_load_is_refused_and_a_full_refresh_goes_back(states: list[State]) -> None:
    first, last = states[0], replace(states[-1], watermark=states[-1].watermark + MICROSECOND)
    with project(last.world) as folder:
        load(folder, last)
        content = (folder / "online.db").read_bytes()
        with pytest.raises(AsknownError) as caught:
            load(folder, first)
        assert caught.value.code == "load-older"
        assert (folder / "online.db").read_bytes() == content
        with closing(FeatureStore(folder)) as store:
            store.materialize(until=first.watermark, full_refresh=True, allow_shrink=True)
        check(folder, first)
