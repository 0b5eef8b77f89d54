"""Times loads of the online table: a first one, one with nothing new, an hour later, and some with new rows.

`python bench/loads.py` makes a project over a folder of Parquet files: an as-of view with --keys keys and ten features,
and a view with trailing windows over --busy keys with --events events within reach, half of the rows of its source.
Beside the full load of the windows, raw sqlite3 writes the same events and tiles from memory. Each of --loads loads has
1 % new rows. After the last one, the hashes of all tables are compared with those of a full load of the same files, but
for those of tiles, which may be of earlier events.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sqlite3
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from asknown import FeatureStore

WATERMARK = datetime(2024, 3, 1)
HOUR = timedelta(hours=1)
_FEATURES = ", ".join(f"(hash(id, n, {place}) % 1000003) / 7.0 as f{place}" for place in range(10))
_WINDOWS = ",\n    ".join(
    f"{call} over {{{{ last('{days} days') }}}} as {name}_{days}d"
    for days in (1, 7, 30)
    for name, call in (("n", "count(*)"), ("total", "sum(amount)"), ("mean", "avg(amount)"), ("most", "max(amount)"))
)


def make_project(folder: Path, keys: int, busy: int, events: int) -> None:
    """The project's files and its data, which reach up to the watermark."""
    (folder / "models").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "loads"\n', encoding="utf-8")
    sources = [{"name": name, "path": f"{name}/*.parquet"} for name in ("accounts", "clicks")]
    properties = {"sources": [{"name": "raw", "tables": sources}], "entities": [{"name": "customer", "keys": ["id"]}]}
    (folder / "models" / "models.yml").write_text(json.dumps(properties), encoding="utf-8")
    listed = ", ".join(f"f{place}" for place in range(10))
    (folder / "models" / "accounts_now.sql").write_text(
        "{{ config(entity='customer', event_time='ts') }}\n"
        f"select id, ts, {listed} from {{{{ source('raw', 'accounts') }}}}\n",
        encoding="utf-8",
    )
    (folder / "models" / "clicks_now.sql").write_text(
        "{{ config(entity='customer', event_time='ts') }}\n"
        f"select id, ts,\n    {_WINDOWS}\nfrom {{{{ source('raw', 'clicks') }}}}\n",
        encoding="utf-8",
    )
    for name in ("accounts", "clicks"):
        (folder / name).mkdir()
    start = WATERMARK - timedelta(days=60)
    add_accounts(folder, "part-0", rows=keys, keys=keys, start=start, length=timedelta(days=60))
    add_clicks(folder, "part-0", rows=events * 2, keys=busy, start=start, length=timedelta(days=60))


def add_accounts(folder: Path, name: str, *, rows: int, keys: int, start: datetime, length: timedelta) -> None:
    """A file of as-of rows, of so many of the keys."""
    micro = length // timedelta(microseconds=1)
    query = (
        f"select n % {keys} as id, timestamp '{start}' + to_microseconds((hash(n, 1) % {micro})::bigint) as ts, "
        f"{_FEATURES} from (select range * ({keys} // {rows}) as n, n % {keys} as id from range({rows}))"
    )
    duckdb.sql(f"copy ({query}) to '{folder}/accounts/{name}.parquet' (format parquet)")


def add_clicks(folder: Path, name: str, *, rows: int, keys: int, start: datetime, length: timedelta) -> None:
    """A file of events, spread over the keys and over the time."""
    micro = length // timedelta(microseconds=1)
    query = (
        f"select (hash(n, 5, '{name}') % {keys})::bigint as id, "
        f"timestamp '{start}' + to_microseconds((n / {rows} * {micro})::bigint) as ts, "
        f"(hash(n, 7) % 1000003) / 7.0 as amount from (select range as n from range({rows}))"
    )
    duckdb.sql(f"copy ({query}) to '{folder}/clicks/{name}.parquet' (format parquet)")


def timed(act: Callable[[], Any]) -> tuple[dict[str, float], Any]:
    """The seconds that a call took, by the clock and of processors, and what it gave."""
    began, used = time.perf_counter(), time.process_time()
    found = act()
    return {"seconds": round(time.perf_counter() - began, 2), "cpu": round(time.process_time() - used, 2)}, found


def write_raw(table: Path, copy: Path) -> dict[str, float]:
    """The seconds in which raw sqlite3 writes the rows, events and tiles of the windows, which lie in memory."""
    with closing(sqlite3.connect(table)) as held, closing(sqlite3.connect(copy, isolation_level=None)) as made:
        made.execute("PRAGMA journal_mode = WAL")
        made.execute("PRAGMA synchronous = NORMAL")
        contents = []
        for name in ("clicks_now", "clicks_now.events", "clicks_now.tiles"):
            (definition,) = held.execute("SELECT sql FROM sqlite_master WHERE name = ?", (name,)).fetchone()
            contents.append((name, definition, held.execute(f'SELECT * FROM "{name}"').fetchall()))

        def write() -> None:
            made.execute("BEGIN IMMEDIATE")
            for name, definition, rows in contents:
                made.execute(definition)
                places = ", ".join("?" * len(rows[0]))
                made.executemany(f'INSERT INTO "{name}" VALUES ({places})', rows)
            made.execute("COMMIT")

        return timed(write)[0]


def hashes(table: Path) -> list[Any]:
    """What the file says of its tables' content."""
    with closing(sqlite3.connect(table)) as held:
        columns = "view, watermark, rows, events, ahead, rows_hash, events_hash, ahead_hash"
        return held.execute(f"SELECT {columns} FROM _asknown_views ORDER BY view").fetchall()


def load(folder: Path, what: str, view: str, until: datetime, *, full: bool = False) -> None:
    """Loads a view, and prints a line of JSON about it."""
    with FeatureStore(folder) as store:
        took, (report,) = timed(lambda: store.materialize(until, [view], full_refresh=full))
    print(json.dumps({"load": what, "view": view, **took, "read": report.words}), flush=True)


def run(folder: Path, options: argparse.Namespace) -> None:
    """Loads each view five times, in the states of its source that the module's docstring says."""
    for view in options.views:
        load(folder, "first", view, WATERMARK)
    table = folder / "online.db"
    if options.raw and "clicks_now" in options.views:
        print(
            json.dumps({"load": "raw sqlite3", "view": "clicks_now", **write_raw(table, folder / "raw.db")}), flush=True
        )
        (folder / "raw.db").unlink()
    for view in options.views:
        load(folder, "again", view, WATERMARK)
        load(folder, "an hour later", view, WATERMARK + HOUR)
    keys, busy, events = options.keys, options.busy, options.events
    for number in range(1, options.loads + 1):
        start = WATERMARK + number * HOUR
        add_accounts(folder, f"part-{number}", rows=keys // 100, keys=keys, start=start, length=HOUR)
        add_clicks(folder, f"part-{number}", rows=events // 100, keys=busy, start=start, length=HOUR)
        for view in options.views:
            load(folder, "1 % new", view, start + HOUR)
    found = hashes(table)
    for view in options.views:
        load(folder, "full", view, start + HOUR, full=True)
    if found != hashes(table):
        sys.exit(f"the tables differ from those of a full load:\n{found}\n{hashes(table)}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", type=int, default=1_000_000)
    parser.add_argument("--busy", type=int, default=200_000)
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--views", nargs="*", default=["accounts_now", "clicks_now"])
    parser.add_argument("--loads", type=int, default=1, help="how many loads with 1 %% new rows")
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--raw", action="store_true", help="also write the same rows with raw sqlite3")
    options = parser.parse_args()
    folder = options.folder or Path(tempfile.mkdtemp(prefix="asknown-loads-"))
    try:
        make_project(folder / "project", options.keys, options.busy, options.events)
        run(folder / "project", options)
    finally:
        if options.folder is None:
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
