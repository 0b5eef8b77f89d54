"""Sums and averages of floats, to the bit: numbers of every size that a dialect adds up in its own way (rule 5)."""

from __future__ import annotations

import math
import random
import re
from collections.abc import Sequence
from datetime import timedelta
from fractions import Fraction
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from asknown import AsknownError
from asknown.dialects.dialect import Stage
from asknown.dialects.duckdb.sums import EXACT_SUMS, LARGEST, SMALLEST
from oracle import Window
from small_windows import DAY, T0, WINDOW_FORMS, item, opened, train, world_of
from worlds import write_project

# The powers of two between which a float is added in another way, and what lies around them.
EDGES = (-147, -104, -56, -8, 0, 40, 88, 98)
LISTS = 3_000
FRAMES = {"d": DAY, "w": 7 * DAY}


def numbers(mix: random.Random) -> list[float]:
    """A few floats that make rounding hard: near the edges, far apart, cancelling, half a unit in the last place."""
    found = []
    while len(found) < mix.choice((1, 2, 3, 5, 9)):
        match mix.randrange(6):
            case 0:
                found.append(math.ldexp(mix.choice((1.0, -1.0)), mix.choice(EDGES)))
            case 1:
                found.append(math.ldexp(mix.random() + 0.5, mix.choice(EDGES)))
            case 2:
                found.append(math.ldexp(mix.random() - 0.5, mix.randrange(-140, 98)))
            case 3:
                found.append(-mix.choice([*found, 0.1]))
            case 4:
                found.append(mix.choice((0.1, 1e17, 1e-20, 0.0, -0.0, 1.0, 2.0**-53, 3.0, 1e8 + 1)))
            case 5:
                found.append(math.nextafter(math.ldexp(1.0, mix.choice(EDGES)), mix.choice((-math.inf, math.inf))))
    return [x for x in found if x == 0 or SMALLEST <= abs(x) <= LARGEST] or [0.1]


def answer(values: Sequence[float]) -> tuple[float | None, float | None]:
    """The sum and the average, as rule 5 has them."""
    if not values:
        return None, None
    if not all(map(math.isfinite, values)):
        total = sum(values)  # in any order: NaN or an infinity
        return total, total
    exact = sum(map(Fraction, values), start=Fraction(0))
    return float(exact), float(exact / len(values))


def same(found: float | None, wanted: float | None) -> bool:
    if found is None or wanted is None:
        return found is wanted
    if math.isnan(wanted):
        return math.isnan(found)
    return (found or 0.0).hex() == (wanted or 0.0).hex()  # a sum of nothing but zeros has no sign


def quotients() -> list[tuple[int, int]]:
    """Whole numbers of up to 126 bits and counts of up to 32: quotients on and next to halves of the last place."""
    mix = random.Random(5)
    found = [(0, 1), (1, 1), (1, 2**32), (2**126, 1), (2**126, 2**32), (2**126 - 1, 2**32 - 1), (-(2**126), 3)]
    while len(found) < 20_000:
        count = mix.choice((1, 2, 3, mix.randrange(1, 100), mix.randrange(1, 2**32)))
        total = mix.getrandbits(mix.randrange(1, 127))
        if mix.random() < 0.5:  # half a unit in the last place, or next to it
            half = count * (mix.getrandbits(53) | 2**53 | 1) << mix.randrange(40)
            total = half + mix.choice((-1, 0, 1))
        if abs(total) <= 2**126:
            found.append((mix.choice((1, -1)) * total, count))
    return found


def run_stages(stages: Sequence[Stage], first: dict[str, str], rows: str) -> str:
    """The query of the value that the stages give, over columns that are called as ``first`` says."""
    query, known = rows, first
    for stage in (*stages, {"value": EXACT_SUMS.value}):
        columns = [f"{_spell(text, known)} AS {name}" for name, text in stage.items()]
        kept = [f"{column} AS {name}" for name, column in known.items() if name not in stage]
        query, known = f"SELECT place, {', '.join(kept + columns)} FROM ({query})", {n: n for n in {*known, *stage}}
    return f"SELECT value FROM ({query}) ORDER BY place"


def _spell(text: str, known: dict[str, str]) -> str:
    return re.sub(r"(?<!:):([a-z]+)", lambda place: known[place[1]], text)


@pytest.mark.parametrize("bits", [60, 0], ids=["of floats", "of whole numbers"])
@pytest.mark.parametrize("divided", [True, False], ids=["averages", "sums"])
def test_short_sums_are_rounded_once(divided: bool, bits: int) -> None:
    cases = quotients()
    part, start = ("w", EXACT_SUMS.short) if bits else ("a", EXACT_SUMS.short_whole)
    stages = (*start, *(EXACT_SUMS.short_divide if divided else ()), *EXACT_SUMS.short_after)
    with duckdb.connect() as connection:
        connection.execute("create table cases (place integer, total hugeint, n hugeint)")
        texts = pa.table({"total": [str(total) for total, _ in cases], "n": [str(n) for _, n in cases]})
        connection.register("texts", texts)
        connection.execute("insert into cases select row_number() over () - 1, total, n from texts")
        found = connection.sql(run_stages(stages, {part: "total", "n": "n"}, "FROM cases")).fetchall()
    for (total, count), (value,) in zip(cases, found, strict=True):
        exact = Fraction(total, count if divided else 1) / 2**bits
        assert value == float(exact), (total, count)


@pytest.mark.parametrize("form", WINDOW_FORMS)
def test_floats_of_every_size(form: Any, tmp_path: Path) -> None:
    mix = random.Random(8)
    lists = [numbers(mix) for _ in range(LISTS)]
    for odd in (math.nan, math.inf, -math.inf):
        lists += [[*some, odd, *others] for some, others in zip(lists[:40], lists[9:49], strict=True)]
    lists += [[math.inf, 1.0, -math.inf], [math.nan, math.inf], [2.0**-8] * 40 + [2.0**40] * 40]
    rows = [
        {"k": key, "ts": T0 - timedelta(microseconds=place * (DAY // 2)), "x": x}
        for key, values in enumerate(lists)
        for place, x in enumerate(values)
    ]
    items = [
        item(f"{call}_{name}", "DOUBLE", f"{call}(x)", Window(call, "x", length))
        for call in ("sum", "avg")
        for name, length in FRAMES.items()
    ]
    world = world_of(rows, {"x": "DOUBLE"}, items, [(key, T0) for key in range(len(lists))])
    write_project(world, tmp_path)
    with opened(tmp_path, form) as store:
        table = train(store, world)
    for values, row in zip(lists, table.to_pylist(), strict=True):
        for name, length in FRAMES.items():
            inside = [x for place, x in enumerate(values) if place * (DAY // 2) <= length]
            total, average = answer(inside)
            assert same(row[f"sum_{name}"], total), (name, inside)
            assert same(row[f"avg_{name}"], average), (name, inside)


@pytest.mark.parametrize("form", WINDOW_FORMS)
@pytest.mark.parametrize("value", [SMALLEST / 2, LARGEST * 2, -5e-324, -1.7e308])
def test_a_number_beyond_is_an_error_where_it_is_seen(value: float, form: Any, tmp_path: Path) -> None:
    rows = [
        {"k": 1, "ts": T0, "x": 1.0},
        {"k": 1, "ts": T0 - timedelta(days=3), "x": value},
        {"k": 2, "ts": T0, "x": 2.0},
    ]
    items = [item(f"sum_{name}", "DOUBLE", "sum(x)", Window("sum", "x", length)) for name, length in FRAMES.items()]
    for key, fails in ((1, True), (2, False)):
        world = world_of(rows, {"x": "DOUBLE"}, items, [(key, T0)])
        folder = tmp_path / str(key)
        folder.mkdir()
        write_project(world, folder)
        with opened(folder, form) as store:
            if fails:
                with pytest.raises(AsknownError, match="too large or too small for an exact sum"):
                    train(store, world)
            else:
                assert train(store, world).column("sum_w").to_pylist() == [2.0]
