"""Times reads of the online table through the public API, beside raw sqlite3 doing the same lookups in the same run.

`python bench/reads.py` makes a project in a folder (--folder keeps it for the next run), loads --keys keys × 3 views ×
10 features and a view with trailing windows over keys of 100 to 100,000 events, and times each kind of read. Before
anything is timed, what the library gives is compared with what the raw query gives. Reads of the library and of raw
sqlite3 take turns, so that a busy machine is busy for both.
"""

from __future__ import annotations

import argparse
import json
import math
import random
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from asknown import FeatureStore, OnlineReader

WATERMARK = datetime(2024, 3, 1)
VIEWS = ("a", "b", "c")
TYPES = ("double",) * 6 + ("bigint",) * 2 + ("varchar", "boolean")  # of the ten features of each view
TURN = 25  # calls of one side before it is the other's turn
BUSY = (100, 1_000, 10_000, 100_000)  # events of a key in the longest window
WINDOWS = ("1 hour", "1 day", "7 days", "30 days")


@dataclass(frozen=True)
class Case:
    """One kind of read: by the library and by raw sqlite3, each a function of a number that says which keys."""

    name: str
    ours: Callable[[int], Any]
    raw: Callable[[int], Any]
    calls: int


@dataclass(frozen=True)
class Timing:
    """Microseconds a call."""

    p50: float
    p99: float


def expression(view: str, place: int) -> str:
    """The SQL of a feature's value from the key, the same on every machine."""
    mixed = f"hash(id, '{view}{place}')"
    match TYPES[place]:
        case "double":
            return f"case when {mixed} % 50 = 0 then null else ({mixed} % 1000003) / 7.0 end"
        case "bigint":
            return f"({mixed} % 1000003)::bigint"
        case "varchar":
            return f"'text ' || ({mixed} % 1000)"
    return f"{mixed} % 2 = 0"


def make_project(folder: Path, keys: int) -> None:
    """The project's files and its data."""
    (folder / "models").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "reads"\n', encoding="utf-8")
    sources = [{"name": name, "path": f"{name}.parquet"} for name in (*VIEWS, "events")]
    properties = {"sources": [{"name": "raw", "tables": sources}], "entities": [{"name": "customer", "keys": ["id"]}]}
    (folder / "models" / "models.yml").write_text(json.dumps(properties), encoding="utf-8")
    connection = duckdb.connect()
    for view in VIEWS:
        columns = ", ".join(f"{expression(view, i)} as {view}{i}" for i in range(len(TYPES)))
        query = (
            f"select id, timestamp '2024-01-01' + to_seconds(id % 86400) as seen_at, {columns} from range({keys}) t(id)"
        )
        connection.execute(f"copy ({query}) to '{folder}/{view}.parquet'")
        names = ", ".join(f"{view}{i}" for i in range(len(TYPES)))
        (folder / "models" / f"{view}.sql").write_text(
            "{{ config(entity='customer', event_time='seen_at', ttl='36500 days') }}\n"
            f"select id, seen_at, {names} from {{{{ source('raw', '{view}') }}}}\n",
            encoding="utf-8",
        )
    month = 30 * 24 * 3_600_000_000
    parts = (
        f"select {place}::bigint as id, (hash(n, 'amount') % 100000) / 100.0 as amount,"
        f" timestamp '2024-03-01' - to_microseconds((hash(n) % {month})::bigint) as happened_at"
        f" from range({count}) t(n)"
        for place, count in enumerate(BUSY)
    )
    connection.execute(f"copy ({' union all '.join(parts)}) to '{folder}/events.parquet'")
    connection.close()
    (folder / "models" / "events.sql").write_text(
        "{{ config(entity='customer', event_time='happened_at') }}\n"
        f"select id, happened_at, {{{{ trailing('amount', ['sum'], {list(WINDOWS)}) }}}}\n"
        "from {{ source('raw', 'events') }}\n",
        encoding="utf-8",
    )


def load(folder: Path, keys: int) -> Path:
    """The online table, loaded unless it is there."""
    path = folder / "online.db"
    if not path.exists():
        make_project(folder, keys)
        began = time.perf_counter()
        with closing(FeatureStore(folder)) as store:
            store.materialize(until=WATERMARK)
        print(f"loaded in {time.perf_counter() - began:.1f} s", file=sys.stderr)
    return path


def make_cases(reader: OnlineReader, raw: sqlite3.Connection, keys: int, reads: int) -> list[Case]:
    """Every kind of read, over keys in a random order that is the same in every run."""
    some = random.Random(7)
    asked = [some.randrange(keys) for _ in range(reads)]
    batches = [[some.randrange(keys) for _ in range(100)] for _ in range(max(reads // 20, 50))]
    five = [f"a{i}" for i in (0, 2, 5, 6, 8)]
    features = {5: [f"a:{name}" for name in five], 30: list(VIEWS)}
    columns = {5: {"a": five}, 30: {view: [f"{view}{i}" for i in range(len(TYPES))] for view in VIEWS}}
    cursor = raw.cursor()

    def ours_one(width: int) -> Callable[[int], Any]:
        wanted = features[width]
        return lambda n: reader.get_online_features(wanted, [{"id": asked[n % reads]}]).to_dict()

    def ours_many(width: int) -> Callable[[int], Any]:
        wanted = features[width]
        return lambda n: reader.get_online_features(wanted, {"id": batches[n % len(batches)]}).to_dict()

    def raw_one(width: int) -> Callable[[int], Any]:
        query, times = _raw_one(columns[width]), len(columns[width])
        return lambda n: cursor.execute(query, (asked[n % reads],) * times).fetchone()

    def raw_many(width: int) -> Callable[[int], Any]:
        query, times = _raw_many(columns[width]), len(columns[width])
        return lambda n: [cursor.execute(query[i], batches[n % len(batches)]).fetchall() for i in range(times)]

    for width in (5, 30):
        for n in range(20):
            given = ours_one(width)(n)
            assert [v[0] for v in given.values()][1:] == _decoded(raw_one(width)(n), columns[width]), given
    cases = [
        Case("1 key × 5 features of one view", ours_one(5), raw_one(5), reads),
        Case("1 key × 30 features of three views", ours_one(30), raw_one(30), reads),
        Case("100 keys × 5 features of one view", ours_many(5), raw_many(5), reads // 20),
        Case("100 keys × 30 features of three views", ours_many(30), raw_many(30), reads // 20),
    ]
    return [*cases, *_window_cases(reader, cursor, reads)]


def _raw_one(columns: dict[str, list[str]]) -> str:
    """One statement, one row: a LEFT JOIN of each view by its key."""
    wanted = ", ".join(f"{view}.{name}" for view, names in columns.items() for name in names)
    if len(columns) == 1:
        return f"SELECT {wanted} FROM a WHERE id = ?"
    joins = " ".join(f"LEFT JOIN {view} ON {view}.id = ?" for view in columns)
    return f"SELECT {wanted} FROM (SELECT 1) {joins}"


def _raw_many(columns: dict[str, list[str]]) -> list[str]:
    """One statement a view."""
    places = ", ".join("?" * 100)
    return [f"SELECT id, {', '.join(names)} FROM {view} WHERE id IN ({places})" for view, names in columns.items()]


def _decoded(row: Sequence[Any], columns: dict[str, list[str]]) -> list[Any]:
    names = [name for some in columns.values() for name in some]
    return [
        value if value is None or TYPES[int(name[1:])] != "boolean" else bool(value)
        for name, value in zip(names, row, strict=True)
    ]


def _window_cases(reader: OnlineReader, cursor: sqlite3.Cursor, reads: int) -> list[Case]:
    """Four windows of a key, read at random minutes of the day after the watermark."""
    some = random.Random(7)
    later = [timedelta(minutes=some.randrange(24 * 60)) for _ in range(997)]
    lengths = [timedelta(hours=1), timedelta(days=1), timedelta(days=7), timedelta(days=30)]
    sums = ", ".join("sum(amount_) FILTER (WHERE at_ >= ?)" for _ in lengths)
    names = [row[1] for row in cursor.execute('PRAGMA table_info("events.events")')]
    query = (
        f'SELECT {sums} FROM (SELECT "{names[-1]}" AS amount_, "{names[1]}" AS at_ FROM "events.events"'
        f' WHERE id = ? AND "{names[1]}" BETWEEN ? AND ?)'
    )

    def ours(place: int) -> Callable[[int], Any]:
        key = [{"id": place}]
        return lambda n: reader.get_online_features("events", key, at=WATERMARK + later[n % 997]).to_dict()

    def raw(place: int) -> Callable[[int], Any]:
        def read(n: int) -> Any:
            at = WATERMARK + later[n % 997]
            ends = [(at - length - datetime(1970, 1, 1)) // timedelta(microseconds=1) for length in lengths]
            now = (at - datetime(1970, 1, 1)) // timedelta(microseconds=1)
            return cursor.execute(query, (*ends, place, ends[-1], now)).fetchone()

        return read

    cases = []
    for place, events in enumerate(BUSY):
        for n in range(5):
            given, expected = [v[0] for v in ours(place)(n).values()][1:], raw(place)(n)
            assert all(a == b or math.isclose(a, b, rel_tol=1e-9) for a, b in zip(given, expected, strict=True))
        cases.append(
            Case(f"4 windows, {events:,} events", ours(place), raw(place), max(min(reads, 2_000_000 // events), 50))
        )
    return cases


def measure(case: Case) -> tuple[Timing, Timing]:
    """The library's times and raw sqlite3's. The first turn is for warmth; they read different keys."""
    ours: list[int] = []
    raw: list[int] = []
    clock = time.perf_counter_ns
    for turn in range(-1, case.calls // TURN):
        for read, times, ahead in ((case.ours, ours, 0), (case.raw, raw, case.calls // 2)):
            for n in range(turn * TURN + ahead, (turn + 1) * TURN + ahead):
                began = clock()
                read(n)
                ended = clock()
                if turn >= 0:
                    times.append(ended - began)
    return _timing(ours), _timing(raw)


def _timing(nanoseconds: list[int]) -> Timing:
    points = statistics.quantiles(nanoseconds, n=100)
    return Timing(points[49] / 1000, points[98] / 1000)


def main(arguments: Sequence[str] | None = None) -> int:
    """Loads, measures and prints a table in Markdown."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--reads", type=int, default=20_000, help="single reads of each kind")
    parser.add_argument("--folder", type=Path, help="where the project lies, or is made (default: for this run only)")
    parser.add_argument("--library", choices=("sqlite3", "apsw"), default="sqlite3", help="what the reader reads with")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as name:
        path = load(options.folder or Path(name) / "reads", options.keys)
        raw = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True, isolation_level=None)
        raw.execute("PRAGMA cache_size = -65536")
        with OnlineReader(path, library=options.library) as reader, closing(raw):
            print(f"{options.library}; SQLite {sqlite3.sqlite_version}; Python {sys.version.split()[0]}; µs a read\n")
            print("| read | p50 | p99 | raw sqlite3 p50 | p99 | ratio of p50 |\n|---|---:|---:|---:|---:|---:|")
            for case in make_cases(reader, raw, options.keys, options.reads):
                ours, beside = measure(case)
                print(
                    f"| {case.name} | {ours.p50:.1f} | {ours.p99:.1f} | {beside.p50:.1f} | {beside.p99:.1f} "
                    f"| {ours.p50 / beside.p50:.2f} |",
                    flush=True,
                )
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
