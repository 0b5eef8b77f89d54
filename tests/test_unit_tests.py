"""A unit test notices when either of its ends is broken, and the example's own tests pass."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from asknown import FeatureStore
from asknown.checks.results import TestResult
from asknown.checks.unit import differences, same
from asknown.plan.nodes import AsOfJoin
from asknown.store import unit_tests

ROOT = Path(__file__).parents[1]
NAME = "late_share_ignores_flights_in_the_air"


def run() -> TestResult:
    with FeatureStore(ROOT) as flights:
        (result,) = flights.checks.unit_tests([NAME])
    return result


def ends_of(result: TestResult) -> set[str]:
    return {line.partition(":")[0] for line in result.details}


def test_the_unit_tests_of_the_flights_pass() -> None:
    with FeatureStore(ROOT) as flights:
        results = flights.checks.unit_tests()
    assert [(result.name, result.details) for result in results if result.outcome != "pass"] == []
    assert len(results) >= 2


def test_a_broken_training_query_fails_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = unit_tests.make_job

    def without_newest(catalog: Any, spine: Any, *arguments: Any, **named: Any) -> Any:
        job = real(catalog, spine, *arguments, **named)
        broken = [replace(s, view=replace(s.view, ttl=1)) if isinstance(s, AsOfJoin) else s for s in job.plan.steps]
        job.plan = replace(job.plan, steps=tuple(broken))
        return job

    monkeypatch.setattr(unit_tests, "make_job", without_newest)
    result = run()
    assert result.outcome == "fail" and ends_of(result) == {"training"}


def test_a_broken_load_fails_it(monkeypatch: pytest.MonkeyPatch) -> None:
    real = unit_tests.load_views

    def without_newest(catalog: Any, views: Any, options: Any) -> Any:
        for name in views:
            catalog._views[name] = replace(catalog.view(name), ttl=1)
        return real(catalog, views, options)

    monkeypatch.setattr(unit_tests, "load_views", without_newest)
    result = run()
    assert result.outcome == "fail" and ends_of(result) == {"online"}


@pytest.mark.parametrize(
    ("expected", "found", "equal"),
    [
        (None, None, True),
        (None, 0, False),
        (0, None, False),
        (float("nan"), float("nan"), True),
        (float("nan"), None, False),
        (0.1 + 0.2, 0.3, False),
        ([1.0, None], [1.0, None], True),
        ([1.0, None], [1.0], False),
        ({"a": 1}, {"a": 2}, False),
        (True, 1, False),
        ("1", 1, False),
    ],
)
def test_values_are_compared_as_sql_tells_them_apart(expected: Any, found: Any, equal: bool) -> None:
    assert same(expected, found, None) is equal


def test_approx_is_for_floats() -> None:
    assert same(0.1 + 0.2, 0.3, 1e-12) and not same(0.31, 0.3, 1e-12)
    assert differences("training", [{"a": 1}], [], None) == ["training: 0 rows, expected 1"]
