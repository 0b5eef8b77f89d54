"""How many of the example's features can be written for the engines that we never run, and which cannot."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from asknown import AsknownError, FeatureStore

ROOT = Path(__file__).resolve().parents[2]
LEFT = {"origin_weather:precip_24h", "route_schedule:route_avg_scheduled_minutes_30d"}
"""A sum of floats, and one that reads a date_diff() of minutes: neither has a form that is documented alike."""


@pytest.fixture(scope="module")
def store() -> Iterator[FeatureStore]:
    with FeatureStore(ROOT) as opened:
        yield opened


@pytest.mark.parametrize("dialect", ["bigquery", "redshift", "snowflake", "trino"])
def test_nearly_all_features_of_the_example(store: FeatureStore, dialect: str) -> None:
    refused, asked = {}, 0
    for view in store.catalog.view_names():
        for feature in store.feature_view(view).features:
            asked += 1
            try:
                store.compile_service([f"{view}:{feature.name}"], dialect=dialect)
            except AsknownError as error:
                refused[f"{view}:{feature.name}"] = error.code
    assert asked > 40
    assert refused == dict.fromkeys(LEFT, "not-in-dialect")
