"""``verify --log`` replays reads that were logged while rows were pushed and loads ran: no difference is a bug."""

from __future__ import annotations

import json
import random
import threading
import time
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from shop import VIEWS, now, order, write_file, write_shop

from asknown import FeatureStore, OnlineReader
from asknown.checks.verify import LogVerification

CUSTOMERS = range(1, 40)
VIEWS_READ = [name for name in VIEWS if name not in ("cleaned", "bonuses")]


def verify(folder: Path, log: Path, **options: Any) -> LogVerification:
    with FeatureStore(folder) as store:
        return store.checks.verify_log(log, **options)


def counts(found: LogVerification) -> dict[str, int]:
    total: dict[str, int] = {}
    for feature in found.features:
        for outcome, count in feature.outcomes.items():
            total[outcome] = total.get(outcome, 0) + count
    return total


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    folder = write_shop(tmp_path / "shop")
    rows = [order(f"h{i}", i % 40 + 1, ago=3600 + 60 * i, amount=i / 7, note="ab"[i % 2]) for i in range(200)]
    write_file(folder, "history.parquet", [row | {"_arrived": row["ordered_at"]} for row in rows])
    with FeatureStore(folder) as store:
        store.materialize()
    return folder


class Shop(threading.Thread):
    """Pushes rows and loads views while others read, until it is told to end."""

    def __init__(self, folder: Path, seconds: float, customers: range) -> None:
        super().__init__()
        self.seconds, self.customers = seconds, customers  # between two loads
        self.folder, self.ending, self.pushed, self.loads = folder, threading.Event(), 0, 0
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            with FeatureStore(self.folder) as store:
                self._work(store, random.Random(7))
        except BaseException as error:
            self.error = error

    def _work(self, store: FeatureStore, draw: random.Random) -> None:
        loaded = time.monotonic()
        while not self.ending.is_set():
            rows = [
                order(
                    f"p{self.pushed + i}",
                    draw.choice(self.customers),
                    ago=draw.choice((0.01, 1.0, 7200.0)),
                    amount=draw.choice((0.1, 7.0, 1e15, float("nan"), None)),
                    note=draw.choice(("a", None)),
                )
                for i in range(3)
            ]
            store.push("orders", rows)
            self.pushed += len(rows)
            if time.monotonic() - loaded > self.seconds:
                store.materialize(views=draw.choice((None, ["ranked"], ["totals", "ranked"])))
                self.loads, loaded = self.loads + 1, time.monotonic()


def test_reads_that_were_logged_while_pushes_and_loads_ran_are_no_bugs(
    shop: Path, request: pytest.FixtureRequest
) -> None:
    """With ``--soak 1`` these are 100,000 reads, of the views that pass the arrival on."""
    soak = request.config.getoption("--soak")
    reads = int(100_000 * soak) or 300
    customers = range(1, 2000) if soak else CUSTOMERS  # those of a row that is just being pushed are rarely read
    read = [name for name in VIEWS_READ if not soak or name != "plain"]
    log, busy = shop / "reads.jsonl", Shop(shop, 15.0 if soak else 1.0, customers)
    with closing(OnlineReader(shop / "online.db", log=log, sample=1)) as reader:
        busy.start()
        draw = random.Random(1)
        for number in range(reads):
            reader.get_online_features(read, [{"customer_id": draw.choice(customers)}], full_feature_names=True)
            time.sleep(0.05 if number % (200 if soak else 10) == 0 else 0)
        while busy.is_alive() and not busy.loads:
            time.sleep(0.05)
        busy.ending.set()
        busy.join()
    if busy.error is not None:
        raise busy.error
    assert reader.log is not None and reader.log.dropped == 0
    found = verify(shop, log)
    assert found.rows == reads
    print(f"{reads:,} reads, {busy.pushed:,} pushed rows, {busy.loads} loads: {counts(found)}")
    assert set(counts(found)) <= {"equal", "lag", "late"}, [
        (f.name, f.examples) for f in found.features if f.count("bug") or f.count("not replayable")
    ]
    assert found.present > reads

    lines = log.read_text().splitlines()
    changed = json.loads(lines[reads // 2])
    changed["values"]["totals__n"] += 1
    log.write_text("\n".join([*lines[: reads // 2], json.dumps(changed), *lines[reads // 2 + 1 :]]))
    again = verify(shop, log)
    assert again.bugs == 1
    (example,) = (f.examples["bug"] for f in again.features if f.count("bug"))
    assert example.keys == {"customer_id": changed["given"]["customer_id"]}
    assert example.online[0] == example.training[0] + 1 or example.online[0] == changed["values"]["totals__n"]


def test_a_view_that_follows_loads_alone_is_replayed_by_what_its_load_had_seen(shop: Path) -> None:
    log = shop / "reads.jsonl"
    with closing(OnlineReader(shop / "online.db", log=log, sample=1)) as reader, FeatureStore(shop) as store:
        store.push("orders", [order("a", 1, amount=5.0)])
        reader.get_online_features(["ranked:amount", "newest:twice"], [{"customer_id": 1}])
        store.materialize()
        reader.get_online_features(["ranked:amount", "newest:twice"], [{"customer_id": 1}])
    found = {feature.name: dict(feature.outcomes) for feature in verify(shop, log).features}
    assert found == {"ranked:amount": {"lag": 1, "equal": 1}, "newest:twice": {"equal": 2}}


def test_a_view_that_drops_the_arrival_sees_pushes_by_their_number(shop: Path) -> None:
    """``plain`` has no known_at: training today sees a row that was pushed after the read, at the read's instant."""
    log = shop / "reads.jsonl"
    with closing(OnlineReader(shop / "online.db", log=log, sample=1)) as reader, FeatureStore(shop) as store:
        reader.get_online_features(["plain:amount"], [{"customer_id": 5}])
        store.push("orders", [order("late", 5, ago=60, amount=123.0)])
        reader.get_online_features(["plain:amount"], [{"customer_id": 5}])
    (feature,) = verify(shop, log).features
    assert dict(feature.outcomes) == {"late": 1, "equal": 1}
    assert feature.examples["late"].training[0] == 123.0
    assert verify(shop, log, since=now() + timedelta(hours=1)).rows == 0
