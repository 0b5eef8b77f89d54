"""``asknown profile`` and ``asknown drift``: what values look like, and whether two samples have one distribution."""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from asknown.checks.drift import chi_square, find_drift
from asknown.checks.profile import profile_table
from asknown.cli.group import main

START = datetime(2024, 1, 1)


def sample(draw: np.random.Generator, rows: int, shift: float = 0.0) -> pa.Table:
    """Columns of several kinds."""
    return pa.table(
        {
            "normal": draw.normal(shift, 1, rows),
            "skewed": draw.exponential(1, rows) + shift,
            "count": pa.array(draw.poisson(2, rows)),
            "letter": pa.array(draw.choice(list("abcdefghijklmnop"), rows)),
            "sparse": pa.array(draw.normal(size=rows), mask=draw.random(rows) < 0.3),
        }
    )


@pytest.mark.parametrize(("first", "second", "runs"), [(50, 50, 200), (50, 2000, 100), (1000, 1000, 100)])
def test_equal_distributions_hardly_ever_raise_an_alarm(first: int, second: int, runs: int) -> None:
    draw = np.random.default_rng(7)
    alarms = 0
    for _ in range(runs):
        tables = sample(draw, first), sample(draw, second)
        alarms += any(drift.verdict in ("drift", "small") for drift in find_drift(*tables, tables[0].schema.names))
    assert alarms <= 0.04 * runs  # two of a hundred are expected at most; the test allows for chance


def test_a_shift_is_found() -> None:
    draw = np.random.default_rng(8)
    for _ in range(20):
        found = find_drift(sample(draw, 10_000), sample(draw, 10_000, 0.3), ["normal", "letter"])
        assert [drift.verdict for drift in found] == ["drift", "same"]


def test_nulls_are_a_bin_on_both_sides() -> None:
    values = [1.0, 2.0, 3.0, 4.0] * 100
    first = pa.table({"x": pa.array([*values, *[None] * 400])})
    (same,) = find_drift(first, first, ["x"])
    assert same.verdict == "same" and same.psi == same.ks == 0.0 and same.nulls == (0.5, 0.5)
    (fewer,) = find_drift(first, pa.table({"x": pa.array([*values, *values])}), ["x"])
    assert fewer.verdict == "drift" and fewer.nulls == (0.5, 0.0)


@pytest.mark.parametrize(
    "values",
    [
        [None] * 60,
        [1.0] * 60,
        [math.nan] * 60,
        [math.inf, -math.inf, None, math.nan] * 15,
        [True, None, False] * 20,
        [Decimal("1.10"), None] * 30,
        [[1, 2], None, []] * 20,
        [{"a": 1}] * 60,
        [START + timedelta(days=day) for day in range(60)],
        [b"\x00"] * 60,
    ],
    ids=str,
)
def test_columns_of_any_kind(values: list[Any]) -> None:
    table = pa.table({"x": pa.array(values, from_pandas=False)})
    (drift,) = find_drift(table, table, ["x"])
    assert drift.verdict == "same"
    (profile,) = profile_table(table, ["x"])
    assert profile.rows == 60 and profile.nulls == table.column("x").null_count


def test_few_rows_are_too_few() -> None:
    table = pa.table({"x": pa.array([1.0] * 49)})
    assert find_drift(table, pa.table({"x": pa.array([9.0] * 500)}), ["x"])[0].verdict == "too few"
    empty = pa.table({"x": pa.array([], pa.float64())})
    assert find_drift(empty, empty, ["x"])[0].verdict == "too few"


def test_a_profile() -> None:
    table = pa.table(
        {
            "x": pa.array([None, math.nan, *range(1, 102)], pa.float64(), from_pandas=False),
            "x__status": ["NOT_FOUND", *["PRESENT"] * 102],
        }
    )
    (profile,) = profile_table(table, ["x"], {"x": "x__status"})
    assert (profile.rows, profile.nulls, profile.nans, profile.distinct) == (103, 1, 1, 102)
    assert (profile.least, profile.greatest, profile.mean) == (1.0, 101.0, 51.0)
    assert profile.quantiles == (1.0, 11.0, 21.0, 31.0, 41.0, 51.0, 61.0, 71.0, 81.0, 91.0, 101.0)
    assert profile.statuses == (("NOT_FOUND", 1), ("PRESENT", 102))
    assert len(profile.top) == 10


@pytest.mark.parametrize(("share", "degrees", "value"), [(0.99, 9, 21.666), (0.999, 5, 20.515), (0.95, 1, 3.841)])
def test_quantiles_of_chi_square(share: float, degrees: int, value: float) -> None:
    assert chi_square(share, degrees) == pytest.approx(value, rel=0.03)


def test_the_commands(tmp_path: Path) -> None:
    draw = np.random.default_rng(9)
    june, july = tmp_path / "june.parquet", tmp_path / "july.parquet"
    pq.write_table(sample(draw, 2_000), june)
    pq.write_table(sample(draw, 2_000, 0.5), july)
    same = CliRunner().invoke(main, ["drift", str(june), str(june)])
    assert same.exit_code == 0 and "5 same" in same.stderr
    moved = CliRunner().invoke(main, ["drift", str(june), str(july), "--features", "normal,letter", "--format", "json"])
    assert moved.exit_code == 1
    assert [(row["feature"], row["verdict"]) for row in json.loads(moved.stdout)] == [
        ("normal", "drift"), ("letter", "same")
    ]  # fmt: skip
    unknown = CliRunner().invoke(main, ["drift", str(june), str(july), "--features", "normall"])
    assert unknown.exit_code == 1 and "did you mean 'normal'" in unknown.stderr
    absent = CliRunner().invoke(main, ["drift", str(june), str(tmp_path / "may.parquet")])
    assert absent.exit_code == 1 and "may.parquet does not exist" in absent.stderr
    profiled = CliRunner().invoke(main, ["profile", str(june), "--format", "json"])
    assert profiled.exit_code == 0
    assert [row["feature"] for row in json.loads(profiled.stdout)] == ["normal", "skewed", "count", "letter", "sparse"]
    twice = CliRunner().invoke(main, ["profile", str(june), "--spine", "select 1"])
    assert twice.exit_code == 2 and "leave out --spine" in twice.stderr
    none = CliRunner().invoke(main, ["drift", str(june), str(july), "--features", ","])
    assert none.exit_code == 2 and "names no column" in none.stderr
    other = pa.table({"normal": ["a"] * 60, "more": [1] * 60})
    pq.write_table(other, july)
    apart = CliRunner().invoke(main, ["drift", str(june), str(july)])
    assert "only A has them: skewed, count, letter, sparse" in apart.stderr
    assert "only B has them: more" in apart.stderr and "'normal' is double in A and string in B" in apart.stderr
    june.write_bytes(b"PAR1 not really")
    broken = CliRunner().invoke(main, ["profile", str(june)])
    assert broken.exit_code == 1 and "june.parquet cannot be read" in broken.stderr


def test_a_csv_is_read_as_it_is(tmp_path: Path) -> None:
    """A code with leading zeros is text, and a number far down decides the type of its column."""
    path = tmp_path / "train.csv"
    path.write_text("code,x\n" + "007,7\n" * 60 + "008,7.5\n")
    done = CliRunner().invoke(main, ["profile", str(path), "--format", "json"])
    assert done.exit_code == 0, done.stderr
    code, x = json.loads(done.stdout)
    assert (code["type"], code["min"], code["top"][0]) == ("string", "007", {"value": "007", "rows": 60})
    assert (x["type"], x["max"]) == ("double", 7.5)


def test_zero_and_negative_zero_are_one_value() -> None:
    values = [0.0] * 60 + [-0.0] * 40
    (profile,) = profile_table(pa.table({"x": values}), ["x"])
    assert (profile.distinct, profile.top) == (1, ((0.0, 100),))
    (found,) = find_drift(pa.table({"x": values}), pa.table({"x": [0.0] * 100}), ["x"])
    assert (found.psi, found.ks) == (0.0, 0.0)


def test_a_million_rows_are_compared_within_the_threshold() -> None:
    draw = np.random.default_rng(9)
    found = find_drift(sample(draw, 1_000_000), sample(draw, 1_000_000), ["normal", "count", "sparse"])
    assert [drift.verdict for drift in found] == ["same"] * 3
