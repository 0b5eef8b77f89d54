"""A large, densely tied case against numpy: small cases hide wrong plans.

A million rows share a few dozen instants, so most answers are decided by the total order's later terms. The reference
ranks all rows by that order once, and takes running maxima over a (key, event time, known-at time) grid.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pyarrow as pa
import pytest

from asknown.plan.nodes import FORMS, Form
from stores import open_store

ROWS, SPINE, STEP = 1_000_000, 400_000, 3_600_000_000
KEYS, HOT = 4_000, 0.01  # so many keys, and one of them has this share of the rows
GRID, EARLY, LATE = 24, 1, 4  # event times in hours, and how many hours before or after them a row may become known
START = int(datetime(2024, 1, 1, tzinfo=UTC).timestamp()) * 1_000_000
TTL = 6 * STEP
VIEWS = {"plain": "ttl='6 hours'", "bitemporal": "ttl='6 hours', known_at='known'", "unbounded": "known_at='known'"}
MODEL = """{{{{ config(entity='k', event_time='ts', created_at='made', {config}) }}}}
select k, ts, {known}made, grade as {view}_grade, price as {view}_price, note as {view}_note
from {{{{ source('raw', 'rows') }}}}
"""
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Case:
    """A project with its warehouse, its spines by name, and the rows that must answer.

    ``answers[spine, view]`` has the index of the row that answers each spine row, or -1.
    """

    folder: Path
    history: pa.Table
    spines: dict[str, pa.Table]
    answers: dict[tuple[str, str], Array]


def times(grid: Array, missing: Array | None = None) -> pa.Array:
    """Grid numbers as timestamps, NULL where missing."""
    return pa.array(START + grid * STEP, pa.timestamp("us"), mask=missing)


def make_history(random: np.random.Generator) -> tuple[pa.Table, dict[str, Array]]:
    """The rows as a table, and the numbers it was made from."""
    key = np.where(random.random(ROWS) < HOT, 0, random.integers(0, KEYS, ROWS))
    event, made = random.integers(0, GRID, ROWS), random.integers(0, 3, ROWS)
    known = event + random.integers(-EARLY, LATE + 1, ROWS)
    no_event, no_known, no_made, no_grade, no_price = (random.random(ROWS) < 0.05 for _ in range(5))
    grade = random.integers(-2, 3, ROWS)
    price = random.choice(np.array([np.nan, -np.inf, -1.5, 0.0, 1e17]), ROWS)
    note = random.integers(0, 5, ROWS)  # few values: there are exact duplicates too
    table = pa.table(
        {
            "k": pa.array(key, pa.int64()),
            "ts": times(event, no_event),
            "known": times(known, no_known),
            "made": times(made, no_made),
            "grade": pa.array(grade, pa.int32(), mask=no_grade),
            "price": pa.array(price, pa.float64(), mask=no_price),
            "note": pa.array(note, pa.int64()),
        }
    )
    lowest = -(2**62)
    numbers = {
        "key": key,
        "event": np.where(no_event, -1, event),
        "known": np.where(no_known, -EARLY - 1, known),
        "made": np.where(no_made, -1, made),
        "grade": np.where(no_grade, lowest, grade),
        # NULL lowest, then numbers, NaN greatest
        "price": np.where(no_price, 0, 1 + np.searchsorted([-np.inf, -1.5, 0.0, 1e17], price)),
        "note": note,
    }
    return table, numbers


def make_spine(random: np.random.Generator, *, scattered: bool) -> tuple[pa.Table, Array, Array]:
    """A spine, and for each row its key (-1: nobody's) and its instant: on the grid or just beside it, or anywhere."""
    key = np.where(random.random(SPINE) < HOT, 0, random.integers(0, KEYS + 50, SPINE))
    point, beside = random.integers(-1, GRID + 8, SPINE), random.integers(-1, 2, SPINE)
    no_key, no_instant = random.random(SPINE) < 0.01, random.random(SPINE) < 0.01
    instant = START + point * STEP + (random.integers(0, STEP, SPINE) if scattered else beside)
    table = pa.table(
        {
            "k": pa.array(key, pa.int32(), mask=no_key),
            "event_timestamp": pa.array(instant, pa.timestamp("us"), mask=no_instant),
            "row": pa.array(np.arange(SPINE), pa.int64()),
        }
    )
    return table, np.where(no_key | no_instant | (key >= KEYS), -1, key), instant


def answer(numbers: dict[str, Array], key: Array, instant: Array, *, bitemporal: bool, ttl: int) -> Array:
    """For each spine row the index of the row that answers, -1 for none."""
    times_of_order = ["event", "known", "made"] if bitemporal else ["event", "made"]
    order = [numbers[name] for name in (*times_of_order, "grade", "price", "note")]
    by_rank = np.lexsort(order[::-1])
    rank = np.empty(ROWS, np.int64)
    rank[by_rank] = np.arange(ROWS)
    usable = numbers["event"] >= 0
    known = np.zeros(
        ROWS, np.int64
    )  # as a place on the grid's last axis, which starts EARLY hours before the first event
    if bitemporal:
        usable &= numbers["known"] >= -EARLY
        known = numbers["known"] + EARLY
    best = np.full((KEYS, GRID, EARLY + GRID + LATE), -1, np.int64)
    np.maximum.at(best, (numbers["key"][usable], numbers["event"][usable], known[usable]), rank[usable])
    best = np.maximum.accumulate(np.maximum.accumulate(best, axis=1), axis=2)
    hours = (instant - START) // STEP
    asked = (key >= 0) & (hours >= 0)
    found = np.full(SPINE, -1, np.int64)
    latest_event, latest_known = (np.minimum(hours[asked], most - 1) for most in (GRID, GRID + LATE))
    found[asked] = best[key[asked], latest_event, latest_known + EARLY]
    row = np.where(found >= 0, by_rank[found], -1)
    in_age = START + numbers["event"][row] * STEP + ttl >= instant if ttl else np.ones(SPINE, bool)
    return np.where((row >= 0) & in_age, row, -1)


@pytest.fixture(scope="module")
def case(tmp_path_factory: pytest.TempPathFactory) -> Case:
    """The project over the large case; the warehouse holds the rows in two orders."""
    random = np.random.default_rng(20240101)
    history, numbers = make_history(random)
    spines: dict[str, pa.Table] = {}
    answers: dict[tuple[str, str], Array] = {}
    for name in ("grid", "scattered"):
        spines[name], key, instant = make_spine(random, scattered=name == "scattered")
        for view, (bitemporal, ttl) in {
            "plain": (False, TTL),
            "bitemporal": (True, TTL),
            "unbounded": (True, 0),
        }.items():
            answers[name, view] = answer(numbers, key, instant, bitemporal=bitemporal, ttl=ttl)
    folder = tmp_path_factory.mktemp("ties")
    (folder / "models").mkdir()
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "ties"\n')
    (folder / "models" / "properties.yml").write_text(
        "entities: [{name: k}]\nsources: [{name: raw, tables: [{name: rows, identifier: main.rows}]}]\n"
    )
    for view, config in VIEWS.items():
        (folder / "models" / f"{view}.sql").write_text(
            MODEL.format(view=view, config=config, known="known, " * ("known" in config))
        )
    return Case(folder, history, spines, answers)


def insert_rows(case: Case, *, shuffled: bool) -> None:
    """Puts the rows into the warehouse, as made or in another order."""
    order = np.random.default_rng(7).permutation(ROWS) if shuffled else np.arange(ROWS)
    with duckdb.connect(str(case.folder / "warehouse.duckdb")) as connection:
        connection.register("incoming", case.history.take(pa.array(order)))
        connection.execute("create or replace table rows as select * from incoming")


def assert_same(have: pa.ChunkedArray, wanted: pa.ChunkedArray, name: str) -> None:
    """Asserts that two columns have the same values, NaN being NaN and -0.0 not being 0.0."""
    left, right = have.combine_chunks(), wanted.combine_chunks()
    assert left.type == right.type, name
    assert left.is_null().equals(right.is_null()), f"{name}: NULLs differ"
    a, b = (np.asarray(x.drop_null()) for x in (left, right))
    assert np.array_equal(a, b, equal_nan=a.dtype.kind == "f"), f"{name}: {np.sum(a != b)} values differ"
    if a.dtype.kind == "f":
        numbers = ~np.isnan(a)
        assert np.array_equal(np.signbit(a[numbers]), np.signbit(b[numbers])), name


# Each form, as inserted by many threads and in another order by one; then nearly as many moments as spine rows.
RUNS: list[tuple[Form | None, str, int, tuple[str, ...]]] = [
    *((form, "grid", 4, tuple(VIEWS)) for form in FORMS),
    *((form, "grid", 1, ("bitemporal",)) for form in FORMS),
    (None, "scattered", 4, ("bitemporal",)),
    ("asof", "scattered", 1, ("plain", "unbounded")),
]


@pytest.mark.parametrize(("form", "spine_name", "threads", "views"), RUNS)
def test_a_million_tied_rows(
    case: Case, form: Form | None, spine_name: str, threads: int, views: tuple[str, ...]
) -> None:
    outputs = {"dev": {"type": "duckdb", "path": "warehouse.duckdb", "threads": threads}}
    (case.folder / "profiles.yml").write_text(f"ties: {{target: dev, outputs: {outputs}}}")
    insert_rows(case, shuffled=threads == 1)
    spine = case.spines[spine_name]
    store = open_store(case.folder, form)
    try:
        table = store.get_historical_features(entity_df=spine, features=list(views)).to_arrow()
    finally:
        store.close()
    assert table.num_rows == SPINE
    for name in spine.column_names:
        assert_same(table.column(name), spine.column(name), name)
    for view in views:
        rows = case.answers[spine_name, view]
        wanted = case.history.take(pa.array(rows, pa.int64(), mask=rows < 0))
        for feature in ("grade", "price", "note"):
            assert_same(table.column(f"{view}_{feature}"), wanted.column(feature), f"{view}:{feature}")


@pytest.mark.parametrize("spine_name", ["grid", "scattered"])
def test_the_reference_itself(case: Case, spine_name: str) -> None:
    """The numpy reference against the plainest SQL, on a part of the spine: a slip of it must not pass for ours."""
    some = case.spines[spine_name].slice(0, 25)
    with duckdb.connect() as connection:
        connection.register("history", case.history.append_column("i", pa.array(np.arange(ROWS))))
        connection.register("spine", some)
        for view, (known, ttl) in {
            "plain": (False, True),
            "bitemporal": (True, True),
            "unbounded": (True, False),
        }.items():
            conditions = "s.k = h.k and h.ts <= s.event_timestamp"
            conditions += " and h.known <= s.event_timestamp" if known else ""
            conditions += " and h.ts + interval '6 hours' >= s.event_timestamp" if ttl else ""
            order = ["ts", *(["known"] if known else []), "made", "grade", "price", "note"]
            ordering = ", ".join(f"h.{column} desc nulls last" for column in order)
            found = connection.execute(
                f"select s.row, h.note from spine s join history h on {conditions} "
                f"qualify row_number() over (partition by s.row order by {ordering}) = 1"
            ).fetchall()
            rows = case.answers[spine_name, view][:25]
            notes = case.history.column("note").to_numpy()
            assert dict(found) == {i: notes[row] for i, row in enumerate(rows) if row >= 0}
