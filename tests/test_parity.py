"""The parity law (rule 9): online equals offline equals the oracle, by equality."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

import oracle
import strategies
from asknown import AsknownError, FeatureStore
from oracle_values import microseconds
from worlds import World, asked_features, exact, exact_rows, spine_table, write_project

EXAMPLES = max(15, settings().max_examples // 5)
MICROSECOND = timedelta(microseconds=1)
Rows = dict[str, list[dict[str, Any]]]  # a view's name: its rows


@contextmanager
def project(world: World) -> Iterator[Path]:
    """The world as a project in a folder of its own."""
    with tempfile.TemporaryDirectory() as folder:
        yield write_project(world, Path(folder))


def rows_of(world: World) -> Rows:
    """The world's rows by view."""
    return {data.view.name: list(data.rows) for data in world.views}


def entity_rows(world: World) -> list[dict[str, Any]]:
    """The spine's keys, without its instants: in its order, duplicates and NULLs included."""
    keys = [key for data in world.views for key in data.view.keys]
    return [{key: row[key] for key in dict.fromkeys(keys)} for row in world.spine]


def first_beyond(world: World, rows: Rows, watermark: datetime) -> datetime | None:
    """The first instant at which a row of some view counts that the load could not keep."""
    datas = [data for data in world.views if any(asked.partition(":")[0] == data.view.name for asked in world.asked)]
    limits = (oracle.beyond(rows[d.view.name], watermark, d.view, d.max_ahead) for d in datas)
    first = min((limit for limit in limits if limit is not None), default=None)
    return None if first is None else oracle.instant(first).replace(tzinfo=None)


def last_of_calendars(world: World, watermark: datetime) -> datetime:
    """The last instant for which the load surely knows the calendars that windows of the views go by."""
    periods = {
        data.max_ahead
        for data in world.views
        for item in data.windows
        for window in item.feature.windows
        if window.period is not None
    }
    return min((watermark + timedelta(microseconds=ahead) for ahead in periods), default=datetime(9000, 1, 1))


def instants_to_read(world: World, rows: Rows, watermark: datetime) -> list[datetime]:
    """Instants at which the online table has an answer.

    The watermark, just after it, and instants at which some row becomes visible, reaches the end of its ttl, or has
    passed it.
    """
    ends = set()
    for data in world.views:
        for row in rows[data.view.name]:
            if (visible_at := oracle.visible_at(row, data.view)) is not None:
                ends |= {visible_at, microseconds(row[data.view.event_time]) + data.view.ttl}
    known = last_of_calendars(world, watermark)
    limit = microseconds(min(first_beyond(world, rows, watermark) or known, known))
    later = sorted(end for end in ends if microseconds(watermark) <= end < limit - 1)
    chosen = [*later[:2], *later[len(later) // 2 : len(later) // 2 + 1], *later[-1:]]
    around = (oracle.instant(end + by).replace(tzinfo=None) for end in chosen for by in (0, 1))
    return sorted({watermark, *(at for at in (watermark + MICROSECOND,) if microseconds(at) < limit), *around})


def assert_refused_beyond(store: FeatureStore, world: World, rows: Rows, watermark: datetime) -> None:
    """Asserts that a read at the first instant that the load could not keep is an error."""
    limit = first_beyond(world, rows, watermark)
    if limit is None or not world.spine:
        return
    with pytest.raises(AsknownError) as caught:
        read_online(store, world, limit)
    assert caught.value.code == "beyond-ahead"


def read_online(store: FeatureStore, world: World, at: datetime) -> tuple[list[dict[str, Any]], Any]:
    """The online answer at ``at``: rows of features alone, and the response itself."""
    response = store.get_online_features(
        features=list(world.asked), entity_rows=entity_rows(world), at=at, full_feature_names=world.full_names
    )
    columns = response.to_dict()
    names = [name for _, _, name in asked_features(world)]
    return [{name: columns[name][i] for name in names} for i in range(len(world.spine))], response


def assert_online_is(store: FeatureStore, world: World, rows: Rows, watermark: datetime, at: datetime) -> None:
    """Asserts values, statuses and event timestamps against the oracle, for every feature of every entity row."""
    values, response = read_online(store, world, at)
    statuses, event_timestamps = response.statuses(), response.event_timestamps()
    for data, feature, name in asked_features(world):
        for i, row in enumerate(world.spine):
            key = [row[column] for column in data.view.keys]
            value, status, event_time = oracle.online(rows[data.view.name], key, at, watermark, data.view)[feature]
            assert exact(values[i][name]) == exact(value), (name, row)
            assert statuses[name][i] == status, (name, row)
            assert event_timestamps[name][i] == event_time, (name, row)


def offline_rows(world: World, rows: Rows, at: datetime) -> list[dict[str, Any]]:
    """The training set's features at ``at`` over these rows, for the same entity rows."""
    there = world.with_rows(rows)
    with project(there) as folder, closing(FeatureStore(folder)) as store:
        return train_at(store, there, at)


def train_at(store: FeatureStore, world: World, at: datetime) -> list[dict[str, Any]]:
    """The training set's features at ``at`` over the rows that the store's warehouse has, for the same entity rows."""
    column = next(c for c in world.spine_columns if c.name == world.timestamp)
    spine = tuple({**row, world.timestamp: strategies.as_type(at, column.type)} for row in world.spine)
    job = store.get_historical_features(
        entity_df=spine_table(replace(world, spine=spine)),
        features=list(world.asked),
        full_feature_names=world.full_names,
        timestamp=world.timestamp,
    )
    names = [name for _, _, name in asked_features(world)]
    result: list[dict[str, Any]] = job.to_arrow().select(names).to_pylist()
    return result


@st.composite
def watched_worlds(draw: st.DrawFn, max_views: int = 3) -> tuple[World, datetime]:
    """A world and a watermark among its times."""
    world = draw(strategies.worlds(max_views))
    return world, world.start + draw(st.integers(0, 8)) * strategies.STEP + draw(st.integers(-1, 1)) * MICROSECOND


@given(watched=watched_worlds(), aware=st.booleans())
@settings(max_examples=EXAMPLES)
def test_online_equals_offline_equals_the_oracle(watched: tuple[World, datetime], aware: bool) -> None:
    world, watermark = watched
    rows = rows_of(world)
    with project(world) as folder, closing(FeatureStore(folder)) as store:
        store.materialize(until=watermark.replace(tzinfo=UTC) if aware else watermark)
        instants = instants_to_read(world, rows, watermark)
        for at in instants:
            assert_online_is(store, world, rows, watermark, at)
        assert_refused_beyond(store, world, rows, watermark)
        at = instants[len(instants) // 2]
        online, _ = read_online(store, world, at)
        assert exact_rows(online) == exact_rows(offline_rows(world, rows, at))


@given(watched=watched_worlds(max_views=1))
@settings(max_examples=5)
def test_before_the_watermark_is_refused(watched: tuple[World, datetime]) -> None:
    world, watermark = watched
    assume(world.spine)
    with project(world) as folder, closing(FeatureStore(folder)) as store:
        store.materialize(until=watermark)
        with pytest.raises(AsknownError) as caught:
            read_online(store, world, watermark - MICROSECOND)
        assert caught.value.code == "before-watermark"
        assert "asknown train" in str(caught.value)
