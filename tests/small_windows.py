"""Small worlds with windows, made by hand, and their answers offline and online."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

import oracle
from asknown import FeatureStore
from asknown.plan import nodes
from oracle import Window, WindowFeature
from stores import open_store
from worlds import (
    Column,
    ViewData,
    WindowItem,
    World,
    exact_rows,
    expected,
    inexact_features,
    settled,
    spine_table,
    write_project,
)

WINDOW_FORMS: tuple[Any, ...] = (None, *getattr(nodes, "WINDOW_FORMS", ()))  # None: as the planner chooses
DAY, HOUR = 86_400_000_000, 3_600_000_000
T0 = datetime(2024, 3, 9, 12)


@contextmanager
def opened(folder: Path, form: Any = None) -> Iterator[FeatureStore]:
    """The store over a project, with its plan of windows forced or not."""
    with closing(open_store(folder, window_form=form)) as store:
        yield store


def train(store: FeatureStore, world: World) -> pa.Table:
    """The world's training set by asknown."""
    job = store.get_historical_features(
        entity_df=spine_table(world),
        features=list(world.asked),
        full_feature_names=world.full_names,
        timestamp=None if world.timestamp == "event_timestamp" else world.timestamp,
    )
    assert job.sql()  # which reads back what it wrote
    return job.to_arrow()


def item(name: str, kind: str, call: str, window: Window, *, exact: bool = True) -> WindowItem:
    """A feature: ``call``, as SQL, over the macro's window of these ends. A HUGEINT is cast: sums are BIGINT else."""
    options = f", closed='{window.closed}'" + (f", delay='{window.delay} microseconds'" if window.delay else "")
    over = f"{{{{ last('{window.length} microseconds'{options}) }}}}"
    sql = f"cast({call} over {over} as hugeint)" if kind == "HUGEINT" else f"{call} over {over}"
    return WindowItem(name, kind, sql, WindowFeature((window,)), exact)


def items_of(column: str, kinds: Mapping[str, str], length: int, **window: Any) -> list[WindowItem]:
    """A feature for each aggregate of ``{aggregate: type}``, called by it, over one window of one column."""
    inexact = ("var_samp", "var_pop", "stddev_samp", "stddev_pop")
    return [
        item(name, kind, f"{name}({column})", Window(name, column, length, **window), exact=name not in inexact)
        for name, kind in kinds.items()
    ]


def world_of(
    rows: Sequence[dict[str, Any]], types: dict[str, str], items: Sequence[WindowItem], spine: Sequence[tuple[Any, Any]]
) -> World:
    """One view ``v`` keyed by k (BIGINT) at ts, with these windows over these columns, asked at (k, instant).

    Columns called known_at and created_at play their parts.
    """
    columns = (Column("k", "BIGINT"), Column("ts", "TIMESTAMP"), *(Column(name, kind) for name, kind in types.items()))
    parts = {part: part for part in ("known_at", "created_at") if part in types}
    view = oracle.View(
        "v", keys=("k",), event_time="ts", features=(), windows={each.name: each.feature for each in items}, **parts
    )
    data = ViewData(
        view=view,
        columns=columns,
        entities=(("e", ("k",)),),
        rows=tuple(dict(row) for row in rows),
        windows=tuple(items),
        select=("k", "ts", *parts, *(each.name for each in items)),
    )
    return World(
        views=(data,),
        spine_columns=(Column("k", "BIGINT"), Column("event_timestamp", "TIMESTAMP")),
        spine=tuple({"k": key, "event_timestamp": at} for key, at in spine),
        timestamp="event_timestamp",
        asked=("v",),
    )


def online_answers(folder: Path, world: World, watermark: datetime) -> list[dict[str, Any]]:
    """What the online table, loaded at the watermark, answers for each spine row at or after it."""
    answers = []
    with opened(folder) as store:
        store.materialize(until=watermark)
        for row in world.spine:
            at = row["event_timestamp"]
            if at >= watermark:
                response = store.get_online_features(features=["v"], entity_rows=[{"k": row["k"]}], at=at)
                answers.append(row | {name: values[0] for name, values in response.to_dict().items() if name != "k"})
    return answers


def hours(number: float) -> datetime:
    """The instant so many hours after noon of 9 March 2024."""
    return T0 + timedelta(hours=number)


def check(world: World, folder: Path, wanted: dict[str, Sequence[Any]], watermark: datetime | None = None) -> None:
    """Asserts the features of each spine row: by the oracle, by every plan, and online from the watermark on."""
    answer = [dict(row) | {name: values[i] for name, values in wanted.items()} for i, row in enumerate(world.spine)]
    inexact = inexact_features(world)
    assert exact_rows(settled(expected(world), answer, inexact)) == exact_rows(answer), "the oracle"
    write_project(world, folder)
    for form in WINDOW_FORMS:
        with opened(folder, form) as store:
            rows = train(store, world).to_pylist()
        assert exact_rows(settled(rows, answer, inexact)) == exact_rows(answer), form
    if watermark is not None:
        later = [row for row in answer if row["event_timestamp"] >= watermark]
        seen = expected(replace(world, spine=tuple(later)))
        found = online_answers(folder, world, watermark)
        assert len(found) == len(later) > 0
        assert exact_rows(settled(found, seen, inexact)) == exact_rows(seen), "online"
