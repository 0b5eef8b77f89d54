"""Measures what the registry promises: nothing lost under kills, no edit called unchanged that changes a value, size.

python bench/registry.py applies --processes 8 --applies 200 [--dsn DSN]
python bench/registry.py edits --pairs 2000 --seed 1
python bench/registry.py size --views 500 --features 10
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT / "tests"))

SHOP = {
    "pyproject.toml": '[tool.asknown]\nname = "shop"\n',
    "models/shop.yml": "sources:\n  - {name: raw, tables: [{name: orders, path: orders.csv}]}\n"
    "entities: [{name: customer, keys: [customer_id]}]\n",
    "models/orders.sql": "{{ config(entity='customer', event_time='ordered_at') }}\n"
    "select customer_id, ordered_at, amount + 0 as last_amount from {{ source('raw', 'orders') }}\n",
    "orders.csv": "customer_id,ordered_at,amount\n1,2024-01-01 00:00,5.5\n",
}


def write_project(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


# -- applies, side by side and killed --------------------------------------------------------------------------------


def work(name: str, log: Path, applies: int) -> None:
    """Applies one edit after the other until ``applies`` are in the log, with those of processes killed before."""
    from asknown import AsknownError, FeatureStore

    view = Path("models/orders.sql")
    text = view.read_text(encoding="utf-8")
    store = FeatureStore(".")
    file = store.project.models["orders"]
    lottery = random.Random(os.urandom(8))
    while (done := len(log.read_text(encoding="utf-8").split())) < applies:
        changed = text.replace("amount + 0", f"amount + {lottery.randrange(10**9)}")
        with FeatureStore(".") as store:
            store.project.models["orders"] = file.__class__("orders", view, "orders.sql", changed)
            message = f"{name}:{done}:{os.getpid()}"
            try:
                if store.registry.apply(message) is not None:
                    with log.open("a", encoding="utf-8") as out:
                        out.write(message + "\n")
            except AsknownError as error:
                if error.code != "registry-moved" and "in use by another process" not in error.message:
                    raise


def applies(processes: int, count: int, dsn: str | None, seconds: float) -> None:
    lottery = random.Random(7)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_project(folder, SHOP)
        place = "{type: sqlite, path: registry.db}" if dsn is None else f"{{type: postgres, dsn: '{dsn}'}}"
        text = f"shop:\n  outputs: {{dev: {{type: duckdb}}}}\n  registry: {place}\n"
        (folder / "profiles.yml").write_text(text, encoding="utf-8")
        logs = [folder / f"log{n}" for n in range(processes)]
        for log in logs:
            log.touch()

        def start(n: int) -> subprocess.Popen[bytes]:
            command = [sys.executable, __file__, "work", f"w{n}", str(logs[n]), str(count)]
            return subprocess.Popen(command, cwd=folder)

        began, kills, next_kill = time.monotonic(), 0, 1
        running = {n: start(n) for n in range(processes)}
        while running and time.monotonic() - began < seconds:
            time.sleep(lottery.random() * 1.5)
            for n, process in list(running.items()):
                if process.poll() is not None:
                    if process.returncode == 0:
                        del running[n]
                    elif process.returncode == -signal.SIGKILL:
                        running[n] = start(n)
                    else:
                        raise SystemExit(f"a worker failed with {process.returncode}")
            told_now = sum(len(log.read_text(encoding="utf-8").split()) for log in logs)
            if running and told_now >= next_kill:  # a process that is killed before it applies anything shows nothing
                running[lottery.choice(list(running))].kill()
                kills += 1
                next_kill = told_now + lottery.randint(1, 16)
        for process in running.values():
            process.kill()
            process.wait()
        told = [line for log in logs for line in log.read_text(encoding="utf-8").split()]
        chain, missing = read_chain(folder / "registry.db", dsn)
        forks = sum((n, parent) != (place, place - 1) for place, (n, parent, _) in enumerate(chain, start=1))
        lost = set(told) - {message for *_, message in chain}
        print(
            f"{processes} processes, {len(told)} applies told, {len(chain)} revisions, {kills} kills, "
            f"{time.monotonic() - began:.0f} s: forks {forks}, lost {len(lost)}, objects missing {missing}"
        )


def read_chain(path: Path, dsn: str | None) -> tuple[list[Any], int]:
    """(number, parent and message of each revision in order, versions whose object is not there)."""
    chain = "select n, parent, message from revision order by n"
    orphans = "select count(*) from version v where not exists (select 1 from object o where o.hash = v.hash)"
    if dsn is None:
        with sqlite3.connect(path) as file:
            assert file.execute("pragma integrity_check").fetchone() == ("ok",)
            file.execute("insert into search (search) values ('integrity-check')")
            return file.execute(chain).fetchall(), file.execute(orphans).fetchone()[0]
    import psycopg

    with psycopg.connect(dsn) as server:
        server.execute("set search_path = asknown_registry")
        row = server.execute(orphans).fetchone()
        return server.execute(chain).fetchall(), row[0] if row else 0


# -- generated edits -------------------------------------------------------------------------------------------------

VIEW = "{{{{ config(entity='e', event_time='ts') }}}}\nselect * from ({})"


def edits(pairs: int, seed: int) -> None:
    """Trains old and new of each edit over random rows, and compares what differs with what the fingerprints say."""
    import duckdb

    from test_feature_fingerprints import PARTS, fingerprints, written

    lottery = random.Random(seed)
    choices = {part: list(values.elements) for part, values in PARTS.items()}  # type: ignore[attr-defined]
    counts = {"features": 0, "same": 0, "false same": 0, "changed": 0, "never seen to differ": 0}
    database = duckdb.connect()
    floats = (None, -1.0, 0.0, 1.0, 2.0)
    for _ in range(pairs):
        before = {part: lottery.choice(values) for part, values in choices.items()}
        part = lottery.choice(sorted(PARTS))
        old, new = written(before), written(before | {part: lottery.choice(choices[part])})
        one, two = fingerprints(old), fingerprints(new)
        moved: set[str] = set()
        for rows in _samples(lottery, floats):
            database.execute(
                'create or replace table "s.t" (k bigint, ts timestamp, x double, y double, z double, l double[])'
            )
            database.executemany('insert into "s.t" values (?, ?, ?, ?, ?, [])', rows)
            for name in one:
                trained = [
                    sorted(database.execute(TRAINED.format(name, sql)).fetchall(), key=repr) for sql in (old, new)
                ]
                moved |= {name} if trained[0] != trained[1] else set()
            if len(moved) == len(one):
                break
        for name in one:
            same = one[name] == two[name]
            counts["features"] += 1
            counts["same" if same else "changed"] += 1
            if same and name in moved:
                counts["false same"] += 1
                print(f"FALSE SAME {name}\n  {old}\n  {new}")
            if not same and name not in moved:
                counts["never seen to differ"] += 1
    share = counts["never seen to differ"] / counts["features"]
    print(f"{pairs} pairs, seed {seed}: " + ", ".join(f"{k} {v}" for k, v in counts.items()) + f" ({share:.1%})")


# What training reads: at each moment of a spine, all rows of the view that are visible then, with the one feature.
TRAINED = (
    'select s.k, s.t, v.ts, v.{0} from (select distinct k, ts + interval 1 day as t from "s.t") s '
    "join ({1}) v on v.k = s.k and v.ts <= s.t"
)


def _samples(lottery: random.Random, floats: tuple[float | None, ...]) -> Iterator[list[list[Any]]]:
    for _ in range(6):
        yield [
            [lottery.randint(1, 2), f"2024-01-0{lottery.randint(1, 3)}", *(lottery.choice(floats) for _ in "xyz")]
            for _ in range(lottery.randint(4, 9))
        ]


# -- size ------------------------------------------------------------------------------------------------------------


def size(views: int, features: int) -> None:
    """The seconds of each command on a project of this size, and the site's megabytes."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = dict(SHOP)
        del files["models/orders.sql"]
        columns = ", ".join(f"v{n} double" for n in range(features))
        files["orders.csv"] = "customer_id,ordered_at," + ",".join(f"v{n}" for n in range(features)) + "\n"
        files["orders.csv"] += "1,2024-01-01 00:00" + ",1.5" * features + "\n"
        for view in range(views):
            items = ",\n    ".join(f"v{n} + {view} as feature_{view}_{n}" for n in range(features))
            files[f"models/view_{view}.sql"] = (
                f"{{{{ config(entity='customer', event_time='ordered_at', owner='team-{view % 7}') }}}}\n"
                f"select customer_id, ordered_at,\n    {items}\nfrom {{{{ source('raw', 'orders') }}}}\n"
            )
        del columns
        write_project(folder, files)
        for words in (
            ("apply", "--yes"),
            ("plan",),
            ("search", "feature_7_3"),
            ("docs", "-o", "site"),
        ):
            began = time.monotonic()
            done = subprocess.run(
                [sys.executable, "-m", "asknown", *words], cwd=folder, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, done.stderr
            print(f"{views} views x {features}: asknown {' '.join(words)}: {time.monotonic() - began:.2f} s")
        print(f"site/index.html: {(folder / 'site' / 'index.html').stat().st_size / 1e6:.2f} MB")
        print(f"registry.db: {(folder / 'registry.db').stat().st_size / 1e6:.2f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("applies")
    one.add_argument("--processes", type=int, default=8)
    one.add_argument("--applies", type=int, default=200)
    one.add_argument("--seconds", type=float, default=600)
    one.add_argument("--dsn")
    two = commands.add_parser("edits")
    two.add_argument("--pairs", type=int, default=2000)
    two.add_argument("--seed", type=int, default=1)
    three = commands.add_parser("size")
    three.add_argument("--views", type=int, default=500)
    three.add_argument("--features", type=int, default=10)
    four = commands.add_parser("work")
    four.add_argument("name")
    four.add_argument("log", type=Path)
    four.add_argument("applies", type=int)
    given = parser.parse_args()
    if given.command == "applies":
        applies(given.processes, given.applies, given.dsn, given.seconds)
    elif given.command == "edits":
        edits(given.pairs, given.seed)
    elif given.command == "size":
        size(given.views, given.features)
    else:
        work(given.name, given.log, given.applies)


if __name__ == "__main__":
    main()
