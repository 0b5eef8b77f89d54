"""A process that is killed while it pushes, in every stage: no acknowledged row is lost, and none counts twice.

After each kill the rows online, the rows in files and the acknowledged ones are compared: every acknowledged row is in
both, both have the same rows, and none is there twice. ``--soak N`` adds N times 300 kills at random moments.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest
from shop import offline_ids

import forked
from asknown import FeatureStore
from asknown.online.backend import inspect_table
from asknown.store import landing

pytestmark = pytest.mark.skipif(os.name != "posix", reason="kill -9")

PUSHER = """
import os, signal, sys
sys.path[:0] = sys.argv[4:]
from asknown import FeatureStore
from asknown.online.sqlite import push as tables
from asknown.store import landing, pushed_rows, push_writes
from shop import order

folder, stage, first = sys.argv[1], sys.argv[2], int(sys.argv[3])
seen = 0

def kill_after(module, name, times, before=False):
    real = getattr(module, name)
    def call(*given, **named):
        global seen
        seen += 1
        if before and seen >= times:
            os.kill(os.getpid(), signal.SIGKILL)
        result = real(*given, **named)
        if seen >= times:
            os.kill(os.getpid(), signal.SIGKILL)
        return result
    setattr(module, name, call)

if stage == "numbered":
    kill_after(tables.PushTransaction, "stamp", 3)
elif stage == "applied":
    kill_after(tables.PushTransaction, "finish", 6)
elif stage == "committed":
    kill_after(push_writes, "_write_all", 3)
elif stage == "noted":
    kill_after(tables.PushTransaction, "begin_landing", 2)
elif stage == "before the file":
    kill_after(landing, "_write", 2, before=True)
elif stage == "half a file":
    real = landing.land
    def half(engine, table, rows, numbers, path):
        real(engine, table, rows, numbers, path)
        os.truncate(path, 20)
        os.kill(os.getpid(), signal.SIGKILL)
    landing.land = half
elif stage == "the file":
    kill_after(landing, "_write", 2)
elif stage == "emptied":
    kill_after(tables.PushTransaction, "end_landing", 2)
elif stage == "loading":
    from asknown.store import materialize
    kill_after(materialize, "_write_loads", 1, before=True)

with FeatureStore(folder) as store:
    for number in range(first, first + 10_000):
        store.push("orders", [order(f"{number}-{i}", amount=1.0) for i in range(2)])
        for i in range(2):
            print(f"o{number}-{i}", flush=True)
        if number % 3 == 2:
            landing.try_landing(store.project)
        if stage == "loading" and number % 5 == 4:
            store.materialize()
"""
STAGES = (
    *("numbered", "applied", "committed", "noted", "before the file", "half a file", "the file", "emptied"),
    *("loading", "at random"),
)


def kill_one(folder: Path, stage: str, first: int, after: float | None) -> list[str]:
    """Lets a process push until it kills itself, or is killed ``after`` some seconds: the ids that it acknowledged."""
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    process = subprocess.Popen(
        [forked.python(), "-c", PUSHER, str(folder), stage, str(first), *paths], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    lines = [process.stdout.readline()]
    if after is not None and lines[0]:
        time.sleep(after)
        process.kill()
    lines += process.stdout.readlines()
    assert process.wait(60) == -signal.SIGKILL
    return [line.strip() for line in lines if line.endswith("\n")]


def check(folder: Path, acknowledged: list[str]) -> None:
    """Asserts that nothing acknowledged is lost, online or offline, and nothing is there twice."""
    with FeatureStore(folder) as store:
        (row,) = store.get_online_features("totals", [{"customer_id": 1}]).rows()
        landing.land_all(store.project, wait=10)
        offline = offline_ids(folder)
        assert len(set(offline)) == len(offline), "a row is in two files"
        assert set(acknowledged) <= set(offline), "an acknowledged row is in no file"
        assert row["spent"] == 10.0 + len(offline) - 1, "online and the files have different rows"
        store.materialize()
        (row,) = store.get_online_features("totals", [{"customer_id": 1}]).rows()
        assert row["spent"] == 10.0 + len(offline) - 1
    assert not [finding for finding in inspect_table(folder / "online.db").findings if finding.check == "content"]


def test_kill_in_every_stage(shop: Path) -> None:
    acknowledged: list[str] = []
    for place, stage in enumerate(STAGES):
        acknowledged += kill_one(shop, stage, place * 100_000, 0.2 if stage == "at random" else None)
        check(shop, acknowledged)
    assert len(acknowledged) > 20


def test_kills_at_random_moments(shop: Path, request: pytest.FixtureRequest) -> None:
    rounds = int(300 * request.config.getoption("--soak")) or 1
    acknowledged: list[str] = []
    pick = random.Random(rounds)
    for place in range(rounds):
        acknowledged += kill_one(shop, "at random", place * 100_000, pick.uniform(0, 0.6))
        check(shop, acknowledged)
