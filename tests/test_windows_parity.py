"""The parity law for trailing windows (rule 9): online equals offline equals the oracle, by equality."""

from __future__ import annotations

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
import strategies
import window_worlds
from asknown import FeatureStore
from small_windows import online_answers
from test_parity import (
    Rows,
    first_beyond,
    instants_to_read,
    last_of_calendars,
    offline_rows,
    project,
    read_online,
    rows_of,
)
from test_windows_historical import START, hot_rows, hot_world, reference
from worlds import World, agrees, asked_features, exact, exact_rows, inexact_features, settled, write_project

BENCH = Path(__file__).resolve().parents[1] / "bench"
EXAMPLES = max(15, settings().max_examples // 5)
MICROSECOND = timedelta(microseconds=1)


def ends_of_frames(world: World, rows: Rows, watermark: datetime) -> list[datetime]:
    """Instants at or after the watermark at which some row enters or leaves some window, and just before and after."""
    ends = set()
    for data in world.views:
        windows = {window for item in data.windows for window in item.feature.windows}
        for row in rows[data.view.name]:
            if oracle.visible_at(row, data.view) is not None:
                event_time = oracle.microseconds(row[data.view.event_time])
                ends |= {event_time + w.delay + length for w in windows for length in (0, w.length)}
    since = oracle.microseconds(watermark)
    known = last_of_calendars(world, watermark)
    until = oracle.microseconds(min(first_beyond(world, rows, watermark) or known, known)) - 1
    chosen = sorted(end for end in ends if since <= end < until)
    some = {*chosen[:2], *chosen[len(chosen) // 2 : len(chosen) // 2 + 1], *chosen[-1:]}
    around = sorted({end + by for end in some for by in (-1, 0, 1) if end + by >= since})
    return [oracle.instant(end).replace(tzinfo=None) for end in around]


def assert_online_is(store: FeatureStore, world: World, rows: Rows, watermark: datetime, at: datetime) -> None:
    """Asserts values, statuses and event timestamps against the oracle, for every feature of every entity row."""
    values, response = read_online(store, world, at)
    statuses, event_timestamps = response.statuses(), response.event_timestamps()
    inexact = inexact_features(world)
    for data, feature, name in asked_features(world):
        for i, row in enumerate(world.spine):
            key = [row[column] for column in data.view.keys]
            value, status, event_time = oracle.online(rows[data.view.name], key, at, watermark, data.view)[feature]
            if not (name in inexact and agrees(values[i][name], value)):
                assert exact(values[i][name]) == exact(value), (name, row, at)
            assert statuses[name][i] == status, (name, row, at)
            assert event_timestamps[name][i] == event_time, (name, row, at)


@st.composite
def watched_worlds(draw: st.DrawFn, max_views: int = 2) -> tuple[World, datetime]:
    """A world with windows and a watermark among its times."""
    world = draw(window_worlds.worlds(max_views, online=True))
    return world, world.start + draw(st.integers(0, 8)) * strategies.STEP + draw(st.integers(-1, 1)) * MICROSECOND


@given(watched=watched_worlds())
@settings(max_examples=EXAMPLES)
def test_online_equals_offline_equals_the_oracle(watched: tuple[World, datetime]) -> None:
    world, watermark = watched
    rows = rows_of(world)
    with project(world) as folder, closing(FeatureStore(folder)) as store:
        store.materialize(until=watermark.replace(tzinfo=UTC))
        instants = sorted({*instants_to_read(world, rows, watermark), *ends_of_frames(world, rows, watermark)})
        for at in instants:
            assert_online_is(store, world, rows, watermark, at)
        at = instants[len(instants) // 2]
        online, _ = read_online(store, world, at)
        offline = offline_rows(world, rows, at)
        assert exact_rows(settled(online, offline, inexact_features(world))) == exact_rows(offline)


def test_one_key_with_a_hundred_thousand_events(tmp_path: Path) -> None:
    """The hot key's windows from the stored events, hours and days after the load, against bisection.

    Rows after the watermark come in at their instants.
    """
    rows = hot_rows()
    watermark = START + timedelta(days=30)
    instants = [watermark + timedelta(minutes=m) for m in (0, 1, 59, 60, 61, 1439, 1440, 1441, 5000, 10_080, 10_081)]
    world = hot_world(rows, instants)
    folder = write_project(world, tmp_path)
    for row, wanted in zip(online_answers(folder, world, watermark), reference(rows, instants), strict=True):
        assert {name: exact(row[name]) for name in wanted} == {name: exact(value) for name, value in wanted.items()}


def test_the_parity_command(capsys: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """bench/parity.py on few reads: no difference between the online table and the training set."""
    monkeypatch.syspath_prepend(BENCH)  # for this test alone: its modules have names of packages here
    import parity

    assert parity.main(["--reads", "400", "--rows", "2000"]) == 0
    assert "differences: 0" in capsys.readouterr().out
