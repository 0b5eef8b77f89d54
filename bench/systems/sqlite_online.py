"""sqlite3 by hand: a table for each view by integer key, one statement, rows into a dict; `executemany` for loads."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from child import Job, Watch, main
from sizes import CLICKS, scattered

READS = 2_000
VIEWS = (0, 10, 20)


def open_file(job: Job, name: str) -> sqlite3.Connection:
    """A database of its own for each kind of workload, as the notes advise: WAL, a cache of 64 MB."""
    connection = sqlite3.connect(job.work / f"{name}.db", isolation_level=None)
    for pragma in ("journal_mode = WAL", "synchronous = NORMAL", "cache_size = -64000"):
        connection.execute(f"PRAGMA {pragma}")
    return connection


def rows(job: Job, table: str, order: str) -> Iterator[list[tuple[Any, ...]]]:
    """A table's rows, times as microseconds, in batches."""
    import duckdb

    with duckdb.connect() as connection:
        when = "updated_at" if table.startswith("accounts") else "ts"
        found = connection.execute(
            f"SELECT * REPLACE (epoch_us({when}) AS {when}) FROM '{job.rows(table)}' ORDER BY {order}"
        )
        while batch := found.fetchmany(20_000):
            yield batch


def prepare(job: Job, watch: Watch) -> None:
    """The tables that are read."""
    if job.workload == "O5":
        return
    if job.workload == "O4":
        with closing(open_file(job, "clicks")) as connection:
            connection.execute("DROP TABLE IF EXISTS clicks")
            connection.execute(
                "CREATE TABLE clicks (clicker_id INTEGER, ts INTEGER, price REAL, PRIMARY KEY (clicker_id, ts)) "
                "WITHOUT ROWID"
            )
            write(connection, rows(job, "clicks", "clicker_id, ts"), "INSERT OR REPLACE INTO clicks VALUES (?, ?, ?)")
        return
    with closing(open_file(job, "accounts")) as connection:
        for view in VIEWS:
            make_table(connection, view)
            write(connection, rows(job, f"accounts_{view}", "account_id"), insert(view))


def make_table(connection: sqlite3.Connection, view: int) -> None:
    kinds = ["REAL"] * 5 + ["INTEGER"] * 3 + ["TEXT"] * 2
    columns = ", ".join(f"x{view + n} {kind}" for n, kind in enumerate(kinds))
    connection.execute(f"DROP TABLE IF EXISTS accounts_{view}")
    connection.execute(
        f"CREATE TABLE accounts_{view} (account_id INTEGER PRIMARY KEY, updated_at INTEGER NOT NULL, {columns}) STRICT"
    )


def insert(view: int) -> str:
    """Newest wins."""
    columns = ["updated_at", *(f"x{view + n}" for n in range(10))]
    newer = ", ".join(f"{name} = excluded.{name}" for name in columns)
    return (
        f"INSERT INTO accounts_{view} VALUES ({', '.join('?' * 12)}) ON CONFLICT DO UPDATE SET {newer} "
        "WHERE excluded.updated_at > updated_at"
    )


def write(connection: sqlite3.Connection, batches: Iterator[list[tuple[Any, ...]]], sql: str) -> None:
    """All rows in one transaction."""
    connection.execute("BEGIN IMMEDIATE")
    for batch in batches:
        connection.executemany(sql, batch)
    connection.execute("COMMIT")


def read(job: Job, watch: Watch) -> None:
    """Random keys that are there, one or a hundred in a read."""
    if job.workload == "O3":
        names = [f"x{n}" for n in range(30)]
        joins = " ".join(f"LEFT JOIN accounts_{view} t{view} ON t{view}.account_id = q.value" for view in VIEWS)
        columns = ", ".join(f"t{n // 10 * 10}.x{n}" for n in range(30))
    else:
        names = [f"x{n}" for n in (0, 1, 5, 6, 8)]
        joins = "LEFT JOIN accounts_0 t0 ON t0.account_id = q.value"
        columns = ", ".join(f"t0.{name}" for name in names)
    one = f"SELECT {columns} FROM (SELECT ? AS value) q {joins}"
    many = f"SELECT {columns} FROM json_each(?) q {joins} ORDER BY q.key"
    with closing(open_file(job, "accounts")) as connection:
        if job.workload in ("O1", "O3"):
            watch.microseconds(
                "1 key",
                lambda i: dict(zip(names, connection.execute(one, (scattered(i, job.size),)).fetchone(), strict=True)),
                READS,
            )
        if job.workload in ("O2", "O3"):
            asked = [str([scattered(i * 100 + j, job.size) for j in range(100)]) for i in range(200)]
            watch.microseconds(
                "100 keys",
                lambda i: dict(zip(names, zip(*connection.execute(many, (asked[i % 200],)), strict=True), strict=True)),
                READS // 10,
            )


def read_windows(job: Job, watch: Watch) -> None:
    """Four plain scans for the windows of one key."""
    until = 1_711_324_800_000_000  # 2024-03-25
    scan = "SELECT {} FROM clicks WHERE clicker_id = ? AND ts BETWEEN ? AND ?"
    every, sums = scan.format("sum(price), avg(price), count(price), max(price)"), scan.format("sum(price)")
    starts = [until - hours * 3_600_000_000 for hours in (1, 24, 168, 720)]
    with closing(open_file(job, "clicks")) as connection:
        for events in CLICKS:
            for name, sql in ((f"{events} events", every), (f"{events} events, sums alone", sums)):
                watch.microseconds(
                    name,
                    lambda _, sql=sql, events=events: [  # type: ignore[misc]
                        connection.execute(sql, (events, start, until)).fetchone() for start in starts
                    ],
                    min(READS, 20_000_000 // events // 10),
                )


def load(job: Job, watch: Watch) -> None:
    """The first load, and the second with 1 % changed."""
    for path in Path(job.work).glob("load.db*"):
        path.unlink()
    with closing(open_file(job, "load")) as connection:
        for phase, table in (("load", "accounts_0"), ("again", "accounts_0_later")):
            with watch.phase(phase):
                if phase == "load":
                    make_table(connection, 0)
                write(connection, rows(job, table, "account_id"), insert(0))


ACTS: dict[str, Callable[[Job, Watch], Any]] = {
    "prepare": prepare,
    "O4": read_windows,
    "O5": load,
    "*": read,
}

if __name__ == "__main__":
    main(ACTS)
