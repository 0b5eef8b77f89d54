"""Measures pushes beside the same rows written by hand with SQLite, in one run on one disk.

By hand means the durable part alone: an id, an event and the key's winner for each row, in the same three tables, one
FULL commit for each batch. Everything that a push does beside that (checks, the view's SQL on DuckDB, hashes, the
outbox) is in the ratio. Prints a line of JSON for each measurement: python bench/push.py [--seconds 3]
"""

from __future__ import annotations

import argparse
import itertools
import json
import sqlite3
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asknown import FeatureStore

PROJECT = {
    "pyproject.toml": '[tool.asknown]\nname = "shop"\nprofile = "shop"\n',
    "profiles.yml": "shop:\n  target: dev\n  outputs:\n    dev: {type: duckdb}\n  online: {path: online.db}\n",
    "models/shop.yml": """
sources:
  - name: shop
    tables:
      - name: orders
        path: 'data/orders/*.parquet'
        push: {id: order_id, event_time: ordered_at, known_at: _arrived, land: data/orders/}
        columns:
          - {name: order_id, data_type: varchar}
          - {name: customer_id, data_type: bigint}
          - {name: ordered_at, data_type: timestamp}
          - {name: amount, data_type: double}
entities:
  - name: customer
    keys: [{name: customer_id, data_type: bigint}]
""",
    "models/totals.sql": """
{{ config(entity='customer', event_time='ordered_at', known_at='_arrived') }}
with cleaned as (select * from {{ source('shop', 'orders') }} where amount is not null)
select customer_id, ordered_at, _arrived, amount as last_amount, amount * 1.2 as with_tax,
  sum(amount) over {{ last('7 days') }} as spent, count(*) over {{ last('1 hour') }} as n
from cleaned
""",
}
numbers = itertools.count()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0, help="how long each measurement takes")
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory(dir=Path.cwd()) as folder:  # not in a file system in memory
        raw = measure_raw(Path(folder), seconds)
        for name, text in PROJECT.items():
            path = Path(folder) / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        with FeatureStore(folder) as store:
            store.push("orders", [order() for _ in range(2_000)])
            store.materialize()
            ours = measure_pushes(store, seconds)
            show("one row, p50 ms", ours["one"][0], raw["one"][0], at_most=5.0)
            show("one row, p99 ms", ours["one"][1], raw["one"][1])
            show("64 callers, rows/s", ours["many"], raw["many"], at_least=0.5)
            show("batches of 1,000, rows/s", ours["batches"], raw["batches"])
            measure_reads(store, seconds)


def order() -> dict[str, Any]:
    number = next(numbers)
    at = datetime.now(UTC).replace(tzinfo=None)
    return {"order_id": f"o{number}", "customer_id": number % 1_000, "ordered_at": at, "amount": 1.5}


def show(name: str, ours: float, theirs: float, *, at_most: float | None = None, at_least: float | None = None) -> None:
    """Prints a measurement beside the one it is compared with."""
    line = {"measured": name, "asknown": round(ours, 3), "by hand": round(theirs, 3), "ratio": round(ours / theirs, 2)}
    if at_most is not None:
        line["at most"] = at_most
    if at_least is not None:
        line["at least"] = at_least
    print(json.dumps(line), flush=True)


def timed(seconds: float, call: Callable[[], object]) -> list[float]:
    """The milliseconds of each call, for some seconds."""
    found = []
    until = time.perf_counter() + seconds
    while (began := time.perf_counter()) < until:
        call()
        found.append((time.perf_counter() - began) * 1_000)
    return found


def middle_and_tail(found: list[float]) -> tuple[float, float]:
    return statistics.median(found), sorted(found)[int(len(found) * 0.99)]


def by_callers(seconds: float, count: int, call: Callable[[], object]) -> float:
    """How many calls of ``count`` threads end in a second."""
    done = [0] * count
    until = time.perf_counter() + seconds

    def run(place: int) -> None:
        while time.perf_counter() < until:
            call()
            done[place] += 1

    threads = [threading.Thread(target=run, args=(place,)) for place in range(count)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return sum(done) / (time.perf_counter() - began)


class ByHand:
    """Three tables of SQLite, and a thread that writes what callers have handed in, in one FULL commit."""

    def __init__(self, path: Path) -> None:
        self.connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        for statement in (
            "PRAGMA journal_mode = WAL",
            "PRAGMA synchronous = FULL",
            "CREATE TABLE seen (id TEXT PRIMARY KEY, at INTEGER) STRICT, WITHOUT ROWID",
            "CREATE TABLE events (k INTEGER, at INTEGER, seq INTEGER, amount REAL, PRIMARY KEY (k, at, seq)) "
            "STRICT, WITHOUT ROWID",
            "CREATE TABLE newest (k INTEGER PRIMARY KEY, at INTEGER, amount REAL, tax REAL) STRICT",
        ):
            self.connection.execute(statement)
        self.waiting: list[tuple[dict[str, Any], threading.Event]] = []
        self.arrived = threading.Condition()
        threading.Thread(target=self.run, daemon=True).start()

    def write(self, rows: list[dict[str, Any]]) -> None:
        now = time.time_ns() // 1_000
        self.connection.execute("BEGIN IMMEDIATE")
        self.connection.executemany("INSERT OR IGNORE INTO seen VALUES (?, ?)", [(r["order_id"], now) for r in rows])
        self.connection.executemany(
            "INSERT INTO events VALUES (?, ?, ?, ?)",
            [(r["customer_id"], now, int(r["order_id"][1:]), r["amount"]) for r in rows],
        )
        self.connection.executemany(
            "INSERT INTO newest VALUES (?, ?, ?, ?)\n"
            "ON CONFLICT DO UPDATE SET at = excluded.at, amount = excluded.amount, tax = excluded.tax",
            [(r["customer_id"], now, r["amount"], r["amount"] * 1.2) for r in rows],
        )
        self.connection.execute("COMMIT")

    def push(self, row: dict[str, Any]) -> None:
        done = threading.Event()
        with self.arrived:
            self.waiting.append((row, done))
            self.arrived.notify()
        done.wait()

    def run(self) -> None:
        while True:
            with self.arrived:
                while not self.waiting:
                    self.arrived.wait()
                some, self.waiting = self.waiting, []
            self.write([row for row, _ in some])
            for _, done in some:
                done.set()


def measure_raw(folder: Path, seconds: float) -> dict[str, Any]:
    table = ByHand(folder / "raw.db")
    one = middle_and_tail(timed(seconds, lambda: table.write([order()])))
    many = by_callers(seconds, 64, lambda: table.push(order()))
    batches = timed(seconds, lambda: table.write([order() for _ in range(1_000)]))
    return {"one": one, "many": many, "batches": 1_000_000 / statistics.mean(batches)}


def measure_pushes(store: FeatureStore, seconds: float) -> dict[str, Any]:
    one = middle_and_tail(timed(seconds, lambda: store.push("orders", [order()])))
    many = by_callers(seconds, 64, lambda: store.push("orders", [order()]))
    batches = timed(seconds, lambda: store.push("orders", [order() for _ in range(1_000)]))
    return {"one": one, "many": many, "batches": 1_000_000 / statistics.mean(batches)}


def measure_reads(store: FeatureStore, seconds: float) -> None:
    """Reads with pushed events beside reads without, and reads while rows are pushed beside idle ones."""
    store.materialize()
    keys = itertools.cycle(range(1_000))

    def window() -> None:
        store.get_online_features("totals", [{"customer_id": next(keys)}])

    def newest() -> None:
        store.get_online_features("totals:with_tax", [{"customer_id": next(keys)}])

    without, idle = middle_and_tail(timed(seconds, window)), middle_and_tail(timed(seconds, newest))
    store.push("orders", [order() for _ in range(10_000)])
    show("a read of windows, 10 pushed events a key, p50 ms", middle_and_tail(timed(seconds, window))[0], without[0],
         at_most=1.5)  # fmt: skip
    stop = threading.Event()

    def pushes() -> None:
        while not stop.wait(0.1):
            store.push("orders", [order() for _ in range(100)])

    pusher = threading.Thread(target=pushes)
    pusher.start()
    during = middle_and_tail(timed(seconds, newest))
    stop.set()
    pusher.join()
    show("an as-of read while 1,000 rows/s are pushed, p50 ms", during[0], idle[0], at_most=1.2)
    show("an as-of read while 1,000 rows/s are pushed, p99 ms", during[1], idle[1], at_most=2.0)


if __name__ == "__main__":
    main()
