"""flight_delay_v2: its on-demand features over 2,000 flights, by plain Python, in training and in serving."""

from __future__ import annotations

import math
import random
from bisect import bisect_right
from collections import defaultdict
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import flights_reference as reference
from asknown import FeatureStore

ROOT = Path(__file__).parents[2]
EPOCH = datetime(1970, 1, 1)
SECOND, MINUTE, HOUR, DAY = 1_000_000, 60_000_000, 3_600_000_000, 86_400_000_000
VIEWS = ("aircraft_last_landing", "route_schedule", "origin_weather")
FEATURES = ("hours_since_landing", "scheduled_minutes", "scheduled_against_route", "gusts_above_days_wind")
AT = datetime(2013, 7, 4, 18, 20)
Expect = Callable[[dict[str, Any], int], tuple[Any, ...]]


@pytest.fixture(scope="module")
def expect() -> Expect:
    """The features of a request at an instant in microseconds, by loops over the raw files."""
    flights = reference.read_flights()
    landings: dict[str, list[int]] = defaultdict(list)
    schedules: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    columns = (reference.microseconds(flights[name]).tolist() for name in ("scheduled", "due", "landed"))
    for tail, origin, dest, scheduled, due, landed in zip(
        flights["tailnum"], flights["origin"], flights["dest"], *columns, strict=True
    ):
        if landed != reference.NEVER and isinstance(tail, str):
            landings[tail].append(landed)
        schedules[origin, dest].append((scheduled, due // MINUTE - scheduled // MINUTE))
    raw = pq.read_table(reference.DATA / "weather.parquet").to_pylist()
    weather: dict[str, list[tuple[int, Any, Any]]] = defaultdict(list)
    for row in raw:
        hour = int(row["time_hour"].replace(tzinfo=UTC).timestamp()) * SECOND
        wind = row["wind_speed"] if row["wind_speed"] is not None and row["wind_speed"] < 200 else None
        weather[row["origin"]].append((hour, row["wind_gust"], wind))
    for rows in (*landings.values(), *schedules.values()):
        rows.sort()
    for hours in weather.values():
        hours.sort(key=lambda row: row[0])

    def compute(row: dict[str, Any], t: int) -> tuple[Any, ...]:
        landed = landings.get(row["tailnum"], [])
        last = landed[bisect_right(landed, t) - 1] if bisect_right(landed, t) else None
        fresh = last is not None and last + 7 * DAY >= t
        due = (row["due_at"] - EPOCH) // timedelta(microseconds=1) if row["due_at"] is not None else None
        minutes = None if due is None else due // MINUTE - t // MINUTE
        route = [length for when, length in schedules[row["origin"], row["dest"]] if t - 30 * DAY <= when <= t]
        usual = math.fsum(route) / len(route) if route else None
        seen = [one for one in weather[row["origin"]] if one[0] + HOUR <= t]
        gust = seen[-1][1] if seen and seen[-1][0] + 3 * HOUR >= t else None
        winds = [wind for when, _, wind in seen if when >= t - DAY and wind is not None]
        return (
            (t - last) / 1e6 / 3600 if fresh and last is not None else None,
            minutes,
            None if minutes is None or not usual else minutes / usual,
            None if gust is None or not winds else gust > max(winds),
        )

    return compute


def assert_rows(
    found: list[dict[str, Any]], requests: list[dict[str, Any]], instants: list[datetime], expect: Expect
) -> None:
    for row, request, at in zip(found, requests, instants, strict=True):
        t = (at.replace(tzinfo=None) - EPOCH) // timedelta(microseconds=1)
        assert tuple(row[name] for name in FEATURES) == expect(request, t), request


def test_training_and_serving_of_2000_flights_are_plain_python_s(expect: Expect, tmp_path: Path) -> None:
    with closing(FeatureStore(ROOT)) as store:
        spine = store.preview("flight_requests", None)
        places = sorted(random.Random(15).sample(range(spine.num_rows), 2_000))
        sample = spine.take(places)
        job = store.get_historical_features(sample, "flight_delay_v2")
        offline = job.to_arrow().to_pylist()
    requests = sample.to_pylist()
    assert_rows(offline, requests, [row["event_timestamp"] for row in requests], expect)
    assert sum(row["hours_since_landing"] is not None for row in offline) > 1_500
    assert sum(row["gusts_above_days_wind"] is True for row in offline) > 20


def test_serving_is_training_at_one_instant(expect: Expect, tmp_path: Path) -> None:
    with closing(FeatureStore(ROOT)) as store:
        spine = store.preview("flight_requests", None)
        sample = spine.take(sorted(random.Random(16).sample(range(spine.num_rows), 2_000)))
        keys = ["tailnum", "origin", "dest", "due_at"]
        requests = [{name: row[name] for name in keys} for row in sample.to_pylist()]
        online = served(store, tmp_path, requests)
        at = pa.array([AT] * len(requests), pa.timestamp("us"))
        spine = sample.select(keys).append_column("event_timestamp", at)
        offline = store.get_historical_features(spine, "at_departure").to_arrow().to_pylist()
    assert [{name: row[name] for name in FEATURES} for row in offline] == online
    assert_rows(online, requests, [AT] * len(requests), expect)


def served(store: FeatureStore, folder: Path, requests: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The on-demand features from an online table of their views, many rows at once; the first also alone."""
    object.__setattr__(store.project.profile.online, "path", folder / "online.db")
    store.materialize(AT, views=VIEWS)
    answer = store.get_online_features("at_departure", requests, at=AT).to_dict()
    rows = [{name: answer[name][place] for name in FEATURES} for place in range(len(requests))]
    for place in range(20):
        alone = store.get_online_features("at_departure", [requests[place]], at=AT).to_dict()
        assert {name: alone[name][0] for name in FEATURES} == rows[place]
    return rows
