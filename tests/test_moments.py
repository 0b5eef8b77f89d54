"""Moments, covariances and regressions over trailing windows, against exact fractions and at both ends."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime, timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pytest
from hypothesis import given
from hypothesis import strategies as st

import oracle_moments as oracle
from asknown import AsknownError, FeatureStore
from asknown.dialects.duckdb import DUCKDB
from asknown.types import parse_type
from asknown.values.aggregates import finalizer

DOUBLE = parse_type("DOUBLE")
CONNECTION = duckdb.connect()
NUMBERS = st.integers(-5, 5).map(float) | st.floats(-1e6, 1e6).map(lambda v: round(v, 6)) | st.floats(1e9, 1e9 + 10)
MOMENTS = tuple(oracle.MOMENTS)
PAIRED = oracle.OVER_PAIRS


def spread(numbers: Sequence[float]) -> float:
    """The mean of the squared distances from the mean."""
    exact = [Fraction(number) for number in numbers]
    mean = sum(exact) / len(exact)
    return float(sum((number - mean) ** 2 for number in exact) / len(exact))


def near(have: float | None, wanted: float | None, scale: float) -> bool:
    """Whether both are NULL, or equal to 1e-12 of the scale of the values."""
    if have is None or wanted is None:
        return have is wanted
    return math.isclose(have, wanted, rel_tol=1e-12, abs_tol=1e-12 * scale)


def on_duckdb(name: str, values: Sequence[Any]) -> float | None:
    """The aggregate as the training query computes it over a list of its values."""

    def literal(value: float) -> str:
        return f"'{value!r}'::double"

    if name in PAIRED:
        listed = ", ".join(f"{{'y': {literal(y)}, 'x': {literal(x)}}}" for y, x in values)
    else:
        listed = ", ".join(map(literal, values))
    sql = DUCKDB.aggregates.finalizers[name].replace(":value", f"[{listed}]")
    found: float | None = CONNECTION.execute(f"select {sql}").fetchall()[0][0]
    return found


@pytest.mark.parametrize("name", MOMENTS)
@given(values=st.lists(NUMBERS, min_size=1, max_size=12))
def test_a_moment_is_that_of_exact_fractions(name: str, values: list[float]) -> None:
    wanted = oracle.moment(name, values)
    if wanted is not None and spread(values) < 1e-9 * max(map(abs, values)):
        return  # the doubles themselves say hardly more than that these numbers differ
    assert near(finalizer(name, DOUBLE)(values), wanted, max(1.0, abs(wanted or 0)))
    assert near(on_duckdb(name, values), wanted, max(1.0, abs(wanted or 0)))


@pytest.mark.parametrize("name", PAIRED)
@given(pairs=st.lists(st.tuples(NUMBERS, NUMBERS), min_size=1, max_size=12))
def test_an_aggregate_of_pairs_is_that_of_exact_fractions(name: str, pairs: list[tuple[float, float]]) -> None:
    y, x = (spread([pair[place] for pair in pairs]) for place in (0, 1))
    mean = abs(sum(pair[1] for pair in pairs) / len(pairs))
    if min(y, x) > 0 and (x < 1e-9 * max(abs(p[1]) for p in pairs) or y < 1e-9 * max(abs(p[0]) for p in pairs)):
        return
    wanted = oracle.over_pairs(name, pairs)
    ratio = math.sqrt(y / x) if x else 1.0
    scale = {"corr": 1.0, "regr_slope": ratio, "regr_intercept": max(ratio * mean, abs(wanted or 0), 1.0)}
    size = scale.get(name, math.sqrt(y * x))
    assert near(finalizer(name, DOUBLE, DOUBLE)(pairs), wanted, size)
    assert near(on_duckdb(name, pairs), wanted, size)


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("name", [*MOMENTS, *PAIRED])
def test_what_is_not_finite_gives_nan_at_both_ends(name: str, odd: float) -> None:
    values: list[Any] = [1.0, 2.0, odd, 4.0, 5.0]
    if name in PAIRED:
        values = [(value, float(place)) for place, value in enumerate(values)]
        swapped = [(x, y) for y, x in values]
        assert math.isnan(finalizer(name, DOUBLE, DOUBLE)(swapped) or 0.0)
        assert math.isnan(on_duckdb(name, swapped) or 0.0)
    assert math.isnan(finalizer(name, DOUBLE, DOUBLE)(values) or 0.0)
    assert math.isnan(on_duckdb(name, values) or 0.0)


@pytest.mark.parametrize("name", [*MOMENTS, *PAIRED])
def test_too_few_and_equal_values_are_null_at_both_ends(name: str) -> None:
    least = oracle.MOMENTS.get(name, {"covar_samp": 2}.get(name, 1))
    for count in range(1, 6):
        values: list[Any] = [0.1] * count
        if name in PAIRED:
            values = [(1.0 * place, 0.1) for place in range(count)]
        here, there = finalizer(name, DOUBLE, DOUBLE)(values), on_duckdb(name, values)
        if name.startswith("covar") and count >= least:
            assert here == there == 0.0
        else:
            assert here is None and there is None


VIEW = """
{{ config(entity='card', event_time='ts') }}
select card, ts,
    %s
from {{ source('shop', 'payments') }}
"""
FILES = {
    "pyproject.toml": '[tool.asknown]\nname = "moments"\nprofile = "p"\n',
    "profiles.yml": "p:\n  target: dev\n  outputs: {dev: {type: duckdb}}\n  online: {path: online.db}\n",
    "models/shop.yml": """
sources:
  - name: shop
    tables:
      - {name: payments, path: payments.parquet}
entities:
  - {name: card, keys: [{name: card, data_type: bigint}]}
""",
}


def project(folder: Path, *items: str) -> FeatureStore:
    """A project of one view, over payments of three cards, some without an amount or a balance."""
    for name, text in (FILES | {"models/seen.sql": VIEW % ",\n    ".join(items)}).items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    rows = ", ".join(
        f"({n % 3}, timestamp '2024-01-01' + interval '{n * 7} hours', "
        f"{'null' if n % 7 == 3 else (n * 37) % 101 - 50.25}, {'null' if n % 11 == 5 else (n * 53) % 97}, 'x{n}')"
        for n in range(60)
    )
    path = folder / "payments.parquet"
    duckdb.execute(f"copy (from (values {rows}) t(card, ts, amount, balance, note)) to '{path}' (format parquet)")
    return FeatureStore(folder)


def test_both_ends_agree(tmp_path: Path) -> None:
    items = [f"{name}(amount) over {{{{ last('6 days') }}}} as {name}" for name in MOMENTS]
    items += [f"{name}(amount, balance) over {{{{ last('6 days') }}}} as {name}" for name in PAIRED]
    items.append("corr(balance, epoch(ts)) filter (where amount > 0) over {{ last('9 days', delay='1 day') }} as some")
    with project(tmp_path, *items) as store:
        until = datetime(2024, 1, 20)
        store.materialize(until)
        at = [until + timedelta(hours=hours) for hours in (0, 30, 90, 150)]
        for moment in at:
            keys = [{"card": card} for card in range(4)]
            response = store.get_online_features("seen", keys, at=moment).to_dict()
            stamp = moment.isoformat(" ")
            spine = " union all ".join(f"select {card}::bigint as card, timestamp '{stamp}' as at" for card in range(4))
            trained = store.get_historical_features(f"select * from ({spine}) order by card", "seen").to_arrow()
            for name in [*MOMENTS, *PAIRED, "some"]:
                pairs = zip(response[name], trained.column(name).to_pylist(), strict=True)
                assert all(near(here, there, 1.0) for here, there in pairs), (name, moment)
        assert response["skewness"][3] is None
        store.materialize(until)
        assert any(
            value is not None for value in store.get_online_features("seen:some", keys, at=until).to_dict()["some"]
        )


def test_the_second_of_a_pair_must_be_a_number(tmp_path: Path) -> None:
    with (
        project(tmp_path, "corr(amount, note) over {{ last('6 days') }} as c") as store,
        pytest.raises(AsknownError, match="corr"),
    ):
        store.materialize(datetime(2024, 1, 20))
