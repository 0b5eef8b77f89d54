"""The example project's training set: every flight of 2013, every feature, equal to an independent computation."""

from __future__ import annotations

import random
from contextlib import closing
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest

import flights_reference as reference
from asknown import FeatureStore

ROOT = Path(__file__).parents[1]
FLIGHTS = 336_776
SERVICE = "flight_delay_v1"
SPINE = ["carrier", "flight", "tailnum", "origin", "dest", "event_timestamp", "arrived_late"]
FETCHED = {
    "carrier_delays": [
        "last_arr_delay", "last_dep_delay", "last_minutes_made_up", "last_arrived_late", "last_distance",
    ],
    "origin_weather": ["temp", "wind_speed", "wind_gust", "precip", "pressure", "visib"],
    "aircraft_last_landing": [
        "aircraft_last_landed_at", "aircraft_last_dest", "aircraft_last_arr_delay", "aircraft_last_air_time",
    ],
    "aircraft_facts": ["manufacturer", "seats", "year_built"],
    "route_history": [
        "route_last_carrier", "route_last_dep_delay", "route_last_arr_delay", "route_last_air_time",
    ],
}  # fmt: skip

WINDOWS = {
    "carrier_delays": [
        "landings_1h", "avg_arr_delay_1h", "max_arr_delay_1h", "avg_arr_delay_24h", "max_arr_delay_24h",
        "late_share_24h", "late_flights_7d", "arr_delay_change",
    ],
    "origin_weather": ["precip_24h", "max_wind_24h"],
    "aircraft_last_landing": ["aircraft_landings_24h", "aircraft_avg_arr_delay_7d"],
    "route_history": [
        "route_flights_24h", "route_avg_arr_delay_7d", "route_late_share_7d", "route_carriers_7d",
    ],
}  # fmt: skip
FEATURES = {view: names + WINDOWS.get(view, []) for view, names in FETCHED.items()}
SAMPLE = 2_000


@pytest.fixture(scope="module")
def training_set() -> pa.Table:
    with closing(FeatureStore(ROOT)) as store:
        return store.get_historical_features(entity_df="flights_spine", features=SERVICE).to_arrow()


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    return reference.read_flights()


@pytest.fixture(scope="module")
def ordered(flights: pd.DataFrame) -> pd.DataFrame:
    return reference.spine(flights)


@pytest.fixture(scope="module")
def views(flights: pd.DataFrame) -> dict[str, reference.View]:
    return reference.views(flights)


@pytest.fixture(scope="module")
def expected(views: dict[str, reference.View], ordered: pd.DataFrame) -> dict[str, pa.Table]:
    return {name: reference.features(view, reference.winners(view, ordered)) for name, view in views.items()}


def test_every_flight_comes_back_once_and_in_order(training_set: pa.Table, ordered: pd.DataFrame) -> None:
    assert training_set.num_rows == FLIGHTS
    assert training_set.select(SPINE).combine_chunks() == reference.spine_columns(ordered).combine_chunks()


def test_the_columns_are_the_spine_and_then_the_service(training_set: pa.Table) -> None:
    assert training_set.column_names == SPINE + [feature for names in FEATURES.values() for feature in names]


@pytest.mark.parametrize(("view", "feature"), [(view, name) for view, names in FETCHED.items() for name in names])
def test_a_feature_equals_the_reference_on_every_flight(
    view: str, feature: str, training_set: pa.Table, expected: dict[str, pa.Table]
) -> None:
    got = training_set[feature].combine_chunks()
    wanted = expected[view][feature].combine_chunks()
    assert got.type == wanted.type
    differ = differing_rows(got, wanted)
    shown = [(int(row), got[int(row)].as_py(), wanted[int(row)].as_py()) for row in differ[:5]]
    assert not len(differ), f"{len(differ)} flights differ; (row, got, wanted): {shown}"
    assert wanted.null_count < FLIGHTS / 2 or feature == "wind_gust"  # the comparison is about values


def test_windows_equal_plain_loops_on_a_sample(
    training_set: pa.Table, views: dict[str, reference.View], ordered: pd.DataFrame
) -> None:
    numbers = random.Random(7).sample(range(FLIGHTS), SAMPLE)
    instants = reference.microseconds(ordered["scheduled"])
    got = training_set.take(numbers).select([n for names in WINDOWS.values() for n in names]).to_pylist()
    wanted: list[dict[str, object]] = []
    for number in numbers:
        wanted.append({})
        for name, names in WINDOWS.items():
            key = tuple(ordered[column].iat[number] for column in views[name].keys)
            wanted[-1] |= {n: reference.WINDOWS[n](views[name], key, int(instants[number])) for n in names}
    differ = [
        (n, n_got, n_wanted) for n, n_got, n_wanted in zip(numbers, got, wanted, strict=True) if n_got != n_wanted
    ]
    assert not differ, f"{len(differ)} of {SAMPLE} differ, the first: {differ[0]}"


def differing_rows(got: pa.Array, wanted: pa.Array) -> np.ndarray:
    """The numbers of the rows where the two are not the same value, or not both NULL."""
    same = pc.fill_null(pc.equal(got, wanted), False)
    both_null = pc.and_(got.is_null(), wanted.is_null())
    return np.flatnonzero(~pc.or_(same, both_null).to_numpy(zero_copy_only=False))


def test_the_reference_agrees_with_plain_loops(views: dict[str, reference.View], ordered: pd.DataFrame) -> None:
    numbers = random.Random(20130101).sample(range(FLIGHTS), 40)
    for name, view in views.items():
        fast = reference.winners(view, ordered)[numbers].tolist()
        assert fast == list(reference.winners_by_loops(view, ordered, numbers)), name
        assert any(row >= 0 for row in fast), name


def test_no_flight_sees_a_landing_before_it_happened(training_set: pa.Table) -> None:
    seen = training_set.filter(training_set["aircraft_last_landed_at"].is_valid())
    assert seen.num_rows > FLIGHTS / 2
    assert pc.all(pc.less_equal(seen["aircraft_last_landed_at"], seen["event_timestamp"])).as_py()


def test_clocks_and_delays_tell_the_same_landings(flights: pd.DataFrame) -> None:
    """What the models rely on: the delay added to the scheduled landing is when the destination's clock says."""
    assert flights["landed"].notna().sum() == 327_346
    by_delay = flights["due"] + pd.to_timedelta(flights["arr_delay"], unit="min")
    assert by_delay.equals(flights["landed"])


def test_clocks_and_delays_tell_the_same_departures(flights: pd.DataFrame) -> None:
    left = flights[flights["departed"].notna()]
    clock = left["departed"].dt.tz_convert("America/New_York")
    assert len(left) == 328_521
    assert (reference.minutes_of_day(left["dep_time"]) % 1440 == clock.dt.hour * 60 + clock.dt.minute).all()
