"""Loads that overlap, repeat, come late and correct each other end in one table, in whatever order (rule 10)."""

from __future__ import annotations

import itertools
import random
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa

from asknown.online.sqlite.codec import quote
from asknown.online.sqlite.writer import open_writer
from asknown.types import parse_type
from faults.conftest import Length, Tell
from faults.world import views
from online_tables import NOON, arrow_type, make_batch, make_view

T = datetime(2013, 5, 1, 10)
MINUTE = timedelta(minutes=1)
OF_THE_LOAD = ("load_id", "loaded_at", "hash")  # what the file says of the last load alone, and the hash with it

PRICES = make_view(
    {
        "shop": "VARCHAR",
        "at": "TIMESTAMP",
        "known": "TIMESTAMP",
        "made": "TIMESTAMP",
        "price": "DOUBLE",
        "tags": "VARCHAR[]",
    },
    name="prices",
    keys=("shop",),
    event_time="at",
    known_at="known",
    created_at="made",
)
CLICKS = views(0)["clicks"]


@dataclass(frozen=True)
class Batch:
    """What one load brings: rows of "prices", events of "clicks" (key, minute, value), and its watermark's minute."""

    until: int
    prices: tuple[tuple[Any, ...], ...]
    clicks: tuple[tuple[int, int, int], ...]


# Rows are (shop, at, known, made, price, tags), times in minutes.
LOADS = (
    Batch(10, (("a", 1, 1, 1, 1.0, ["x"]), ("b", 5, 5, 5, 5.0, None)), ((1, 1, 10), (1, 1, 10), (2, 5, 50))),
    # A newer row of a, and b's row corrected: the same event time, known later.
    Batch(20, (("a", 8, 8, 8, 8.0, []), ("b", 5, 12, 5, 5.5, None)), ((1, 1, 10), (1, 8, 80), (2, 5, 55))),
    # The same once more, with one row that is late, and b corrected again by its creation time alone.
    Batch(
        30,
        (("a", 8, 8, 8, 8.0, []), ("c", 2, 25, 25, 2.0, ["late"]), ("b", 5, 12, 13, 5.75, None)),
        ((1, 1, 10), (1, 8, 80), (2, 5, 55), (3, 2, 20)),
    ),
    # Older rows, and such as tie on all times: their features decide.
    Batch(
        40,
        (("a", 3, 30, 30, 3.0, ["old"]), ("c", 2, 25, 25, -0.0, ["late"]), ("d", 9, 9, None, 0.0, None)),
        tuple((1, minute, minute) for minute in range(40)),
    ),
    Batch(
        40,
        (("c", 2, 25, 25, float("nan"), ["late"]), ("d", 9, 9, None, -0.0, ["y"]), ("d", 9, 9, 9, None, None)),
        tuple((1, minute, minute) for minute in range(40)),
    ),
    Batch(50, (("d", 9, 9, 9, None, [None]), ("e", 45, 46, 47, 1e300, ["é"])), ((1, 8, 80), (2, 5, 55), (9, 45, 1))),
)


def _minutes(value: int | None) -> datetime | None:
    return None if value is None else T + value * MINUTE


def rows_of(given: Iterable[tuple[Any, ...]]) -> Iterator[dict[str, Any]]:
    """The rows of "prices" as dicts."""
    for shop, at, known, made, price, tags in given:
        times = {"at": _minutes(at), "known": _minutes(known), "made": _minutes(made)}
        yield {"shop": shop, **times, "price": price, "tags": tags}


def events_of(given: Sequence[tuple[int, int, int]]) -> Any:
    """The events of "clicks" as a record batch."""
    keys, minutes, values = zip(*given, strict=True)
    columns = {"id": ("BIGINT", keys), "at": ("TIMESTAMP", map(_minutes, minutes)), "_1": ("BIGINT", values)}
    return pa.record_batch({name: pa.array(list(v), arrow_type(parse_type(k))) for name, (k, v) in columns.items()})


def apply(path: Path, batch: Batch) -> None:
    """One load."""
    until = NOON + batch.until * MINUTE
    with open_writer(path) as writer:
        writer.load(PRICES, [make_batch(PRICES, rows_of(batch.prices))], until)
        keys = sorted({key for key, _, _ in batch.clicks})
        newest = {key: max(minute for k, minute, _ in batch.clicks if k == key) for key in keys}
        rows = [{"id": key, "at": _minutes(newest[key])} for key in keys]
        writer.load(CLICKS, [make_batch(CLICKS, rows)], until)
        writer.load_events(CLICKS, [events_of(batch.clicks)], until)


def dump(path: Path) -> str:
    """All that the file holds, in a fixed order, but for what it says of the last load."""
    lines = []
    with closing(sqlite3.connect(path)) as connection:
        objects = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY type, name").fetchall()
        for kind, name, sql in objects:
            lines.append(f"{kind} {name}: {sql}")
            if kind != "table":
                continue
            columns = [row[1] for row in connection.execute(f"PRAGMA table_info({quote(name)})")]
            wanted = ", ".join(quote(column) for column in columns if column not in OF_THE_LOAD)
            lines.extend(sorted(repr(row) for row in connection.execute(f"SELECT {wanted} FROM {quote(name)}")))
    return "\n".join(lines)


def end_state(path: Path, loads: Sequence[Batch]) -> str:
    """What a new file holds after these loads, in this order."""
    for load in loads:
        apply(path, load)
    state = dump(path)
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    return state


def test_all_orders_of_some_loads_end_in_one_table(tmp_path: Path, length: Length, tell: Tell) -> None:
    loads = LOADS if length.factor else LOADS[1:5]
    orders = list(itertools.permutations(loads))
    ends = {end_state(tmp_path / "online.db", order) for order in orders}
    tell(f"{len(orders)} permutations of {len(loads)} loads, distinct end states {len(ends)}")
    assert len(ends) == 1, "\n\n".join(ends)


def test_loads_may_repeat(tmp_path: Path, length: Length, tell: Tell) -> None:
    """All of the loads in some order, with some of them again before it, between and behind."""
    seed = random.randrange(10**6)
    chance, ends, tried = random.Random(seed), set[str](), length.of(15, 300)
    for _ in range(tried):
        order = [*LOADS, *chance.choices(LOADS, k=3)]
        chance.shuffle(order)
        ends.add(end_state(tmp_path / "online.db", order))
    tell(f"{tried} orders with repeats of {len(LOADS)} loads, distinct end states {len(ends)}, seed {seed}")
    assert ends == {end_state(tmp_path / "online.db", LOADS)}


def test_the_one_table_is_the_right_one(tmp_path: Path) -> None:
    """By the rule itself: the greatest by the times, then by the features; the events of the last watermark."""
    state = end_state(tmp_path / "online.db", LOADS)

    def moment(minute: int) -> str:
        return str((T + minute * MINUTE).isoformat(" ", "microseconds"))

    for shop, at, known, made, price, tags in (
        ("a", 8, 8, 8, 8.0, "[]"),
        ("b", 5, 12, 13, 5.75, None),
        ("c", 2, 25, 25, "NaN", '["late"]'),
        ("d", 9, 9, 9, None, "[null]"),
        ("e", 45, 46, 47, 1e300, '["é"]'),
    ):
        assert repr((shop, moment(at), moment(known), moment(made), price, tags)) in state.splitlines()
    assert state.count("('a', ") == 1


def test_the_dump_tells_states_apart(tmp_path: Path) -> None:
    """A load more or less, a value's sign, or a watermark alone is another state."""
    path, last = tmp_path / "online.db", LOADS[-1]
    signed = replace(last, prices=(*last.prices, ("f", 1, 1, 1, 0.0, None)))
    other = replace(last, prices=(*last.prices, ("f", 1, 1, 1, -0.0, None)))
    sets = (LOADS, LOADS[:-1], (*LOADS[:4], last), (*LOADS, signed), (*LOADS, other), (*LOADS, replace(last, until=51)))
    assert len({end_state(path, loads) for loads in sets}) == len(sets)
