"""dbt's selectors choose what dbt would choose, on the flights; and each command takes them."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from asknown import AsknownError, FeatureStore
from asknown.catalog.selectors import Selection, select
from asknown.cli.group import main

ROOT = Path(__file__).parents[1]
DELAY = {"carrier_delays", "aircraft_last_landing", "route_history"}


@pytest.fixture(scope="module")
def flights() -> Iterator[FeatureStore]:
    with FeatureStore(ROOT) as opened:
        yield opened


def names(selection: Selection | None) -> set[str]:
    assert selection is not None
    return {*selection.models, *map(".".join, selection.sources)}


@pytest.mark.parametrize(
    ("chosen", "excluded", "expected"),
    [
        ("carrier_delays", "", {"carrier_delays"}),
        ("tag:delay", "", DELAY),
        ("tag:delay", "carrier_*", DELAY - {"carrier_delays"}),
        ("tag:delay tag:weather", "", {*DELAY, "origin_weather"}),
        ("tag:delay,route_*", "", {"route_history"}),
        ("path:models/staging", "", {"airport_zones", "flight_times", "weather_hours"}),
        ("path:models/staging/weather_hours.sql", "", {"weather_hours"}),
        ("source:nyc.planes", "", {"nyc.planes"}),
        ("source:nyc.planes+", "", {"nyc.planes", "aircraft_facts"}),
        ("1+carrier_delays", "", {"carrier_delays", "flight_times"}),
        ("+carrier_delays", "", {"carrier_delays", "flight_times", "airport_zones", "nyc.flights", "nyc.airports"}),
        ("+carrier_delays", "source:nyc", {"carrier_delays", "flight_times", "airport_zones"}),
        ("weather_hours+1", "", {"weather_hours", "origin_weather"}),
        ("weather_hours+", "", {"weather_hours", "origin_weather", "at_departure"}),
        ("1+origin_weather+1", "", {"weather_hours", "origin_weather", "at_departure"}),
        ("entity:carrier", "", {"carrier_delays"}),
        ("owner:fleet", "", {"aircraft_facts"}),
        ("config.materialized:table", "", {"airline_months"}),
    ],
)
def test_selectors_choose(flights: FeatureStore, chosen: str, excluded: str, expected: set[str]) -> None:
    assert names(select(flights.catalog, chosen.split(), excluded.split())) == expected


def test_nothing_chosen_is_no_selection(flights: FeatureStore) -> None:
    assert select(flights.catalog, [], []) is None
    everything = names(select(flights.catalog, [], ["tag:delay"]))
    assert everything == {*flights.catalog.names, *map(".".join, flights.project.sources)} - DELAY


@pytest.mark.parametrize(
    ("chosen", "code"),
    [
        ("carrier_delay", "unknown-model"),
        ("tag:none", "bad-selector"),
        ("tags:delay", "bad-selector"),
        ("@carrier_delays:x", "bad-selector"),
        ("path:nowhere", "bad-selector"),
        ("+", "bad-selector"),
    ],
)
def test_a_selector_that_chooses_nothing_is_an_error(flights: FeatureStore, chosen: str, code: str) -> None:
    with pytest.raises(AsknownError) as caught:
        select(flights.catalog, [chosen])
    assert caught.value.code == code and caught.value.hint


def run(*arguments: str, code: int = 0) -> list[dict[str, object]]:
    done = CliRunner().invoke(main, [*arguments, "--project", str(ROOT), "--format", "json"])
    assert done.exit_code == code, done.output
    rows: list[dict[str, object]] = json.loads(done.stdout or "[]")
    return rows


def test_commands_take_selectors() -> None:
    assert {row["name"] for row in run("ls", "views", "-s", "tag:delay")} == DELAY
    assert {row["name"] for row in run("ls", "--select", "source:nyc.planes+")} == {"nyc.planes", "aircraft_facts"}
    assert {row["of"] for row in run("test", "-s", "carrier_delays")} == {"carrier_delays"}
    tested = run("test", "-s", "1+flight_times", "--exclude", "source:nyc.flights")
    assert {row["of"] for row in tested} == {
        "flight_times",
        "airport_zones",
        "tests/data_tests/no_flight_is_lost_on_the_way.sql",
    }
    assert {row["model"] for row in run("check", "-s", "route_*")} <= {"route_history", "route_schedule"}
    assert run("run", "-s", "tag:delay") == []


def test_materialize_loads_the_views_that_are_chosen(tmp_path: Path) -> None:
    assert CliRunner().invoke(main, ["init", str(tmp_path / "shop")]).exit_code == 0
    project = ["--project", str(tmp_path / "shop"), "--until", "2024-07-01", "--format", "json"]
    done = CliRunner().invoke(main, ["materialize", "-s", "stg_orders+", *project])
    assert done.exit_code == 0, done.output
    assert [row["view"] for row in json.loads(done.stdout)] == ["customer_orders"]
    done = CliRunner().invoke(main, ["materialize", "-s", "stg_orders", *project])
    assert done.exit_code == 1 and "bad-selector" in done.stderr
