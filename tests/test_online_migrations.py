"""Files of every earlier layout are read as they are, and the next load brings them up to date, or leaves them."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path

import pytest

from asknown.online.content import Change
from asknown.online.metadata import shape
from asknown.online.nodes import OnlineView
from asknown.online.reader import OnlineReader
from asknown.online.sqlite import tiles
from asknown.online.sqlite.layout import create_events, create_tiles, event_table, tile_table
from asknown.online.sqlite.migrations import LAYOUT, MIGRATIONS
from asknown.online.sqlite.writer import open_writer
from online_tables import NOON, make_batch, make_view
from test_online_content import check
from test_online_windows import SUM, event_batch, read

T = datetime(2013, 5, 1, 10)
PLAIN = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "amount": "DOUBLE"}, name="plain")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "online.db"


def _write_metadata(connection: sqlite3.Connection, layout: int, view: OnlineView, **more: int) -> None:
    row = {**shape(view), "view": view.name, "fingerprint": "one", "ttl_us": 0, "rows": 1, "load_id": "x"}
    row |= {"watermark": "2013-05-01 11:00:00.000000", "loaded_at": "2013-05-01 11:00:00.000000", **more}
    if layout < 2:
        del row["windows"]
    names, places = ", ".join(row), ", ".join(f":{name}" for name in row)
    connection.execute(f"INSERT INTO _asknown_views ({names}) VALUES ({places})", row)


def _write_plain(connection: sqlite3.Connection, layout: int) -> None:
    connection.execute('CREATE TABLE "plain" ("id" INTEGER PRIMARY KEY, "ts" TEXT NOT NULL, "amount" ANY) STRICT')
    connection.execute("INSERT INTO plain VALUES (1, '2013-05-01 10:00:00.000000', 2.5)")
    _write_metadata(connection, layout, PLAIN)


def _write_windows(connection: sqlite3.Connection, layout: int) -> None:
    connection.execute('CREATE TABLE "orders" ("id" INTEGER PRIMARY KEY, "ts" TEXT NOT NULL) STRICT')
    connection.execute("INSERT INTO orders VALUES (1, '2013-05-01 10:00:00.000000')")
    connection.execute(create_events(event_table(SUM)))
    connection.execute(create_tiles(tile_table(SUM)))
    first = 1_367_402_400_000_000  # 2013-05-01 10:00
    rows = [(1, first + n, 0, 0.5) for n in range(tiles.FEWEST)]
    connection.executemany('INSERT INTO "orders.events" VALUES (?, ?, ?, ?)', rows)
    tiles.write_tiles(connection, SUM, Change())
    _write_metadata(connection, layout, SUM, events=len(rows))


def write_layout(path: Path, layout: int) -> None:
    """A file as the version of that layout left it: a view, and from layout 2 on one with windows and tiles."""
    parts: list[Callable[[sqlite3.Connection, int], None]] = [_write_plain, _write_windows][:layout]
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("BEGIN")
        for step in MIGRATIONS[:layout]:
            step(connection)
        connection.execute(f"PRAGMA user_version = {layout}")
        for part in parts:
            part(connection, layout)
        connection.execute("""INSERT INTO _asknown_services (service, parts) VALUES ('s', '[]')""")
        connection.execute("COMMIT")


def layout_of(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        return int(connection.execute("PRAGMA user_version").fetchone()[0])


earlier = pytest.mark.parametrize("layout", range(1, LAYOUT))


def test_there_is_a_test_file_of_every_earlier_layout() -> None:
    assert LAYOUT == 11, "write_layout() writes files of layouts 1 to 10: teach it the next"


@earlier
def test_a_file_of_an_earlier_layout_is_read_as_it_is(path: Path, layout: int) -> None:
    write_layout(path, layout)
    content = path.read_bytes()
    assert read(path, PLAIN) == [{"amount": 2.5}]
    if layout > 1:
        assert read(path, SUM) == [{"total": 16.0, "n": 32}]
    with OnlineReader(path) as reader:
        assert reader.views()["plain"].describe()["windows"] is None
    assert path.read_bytes() == content


@earlier
def test_a_load_brings_a_file_of_an_earlier_layout_up_to_date(path: Path, layout: int) -> None:
    write_layout(path, layout)
    with open_writer(path) as writer:
        rows = [{"id": 1, "ts": T, "amount": 2.5}, {"id": 2, "ts": T, "amount": 3.5}]
        report = writer.load(PLAIN, [make_batch(PLAIN, rows)], NOON)
        assert (report.rebuilt, report.new, report.unchanged) == (False, 1, 1)
        if layout > 1:
            assert not writer.load(SUM, [make_batch(SUM, [])], NOON).rebuilt
            one = {"id": 1, "ts": T, "_1": 0.25}
            assert writer.load_events(SUM, [event_batch(SUM, [one])], NOON).removed == tiles.FEWEST
        writer.services([])
    assert layout_of(path) == LAYOUT
    check(path)
    assert read(path, PLAIN, [1, 2]) == [{"amount": 2.5}, {"amount": 3.5}]
    if layout > 1:
        assert read(path, SUM) == [{"total": 0.25, "n": 1}]


HALF_WAY = """
import os, signal, sqlite3
from asknown.online.sqlite import migrations, writer
def stop(connection):
    migrations.MIGRATIONS[-1](connection)
    os.kill(os.getpid(), signal.SIGKILL)
steps = (*migrations.MIGRATIONS[:-1], stop)
with sqlite3.connect({path!r}, isolation_level=None) as connection:
    connection.execute("BEGIN IMMEDIATE")
    migrations.migrate(connection, {layout}, steps)
"""


@earlier
@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no SIGKILL here")
def test_a_migration_killed_half_way_leaves_the_old_layout(path: Path, layout: int) -> None:
    write_layout(path, layout)
    killed = subprocess.run([sys.executable, "-c", HALF_WAY.format(path=str(path), layout=layout)], check=False)
    assert killed.returncode == -signal.SIGKILL
    assert layout_of(path) == layout
    assert read(path, PLAIN) == [{"amount": 2.5}]
    with open_writer(path):
        pass
    assert layout_of(path) == LAYOUT


@earlier
def test_a_migration_without_room_leaves_the_old_layout(path: Path, layout: int) -> None:
    write_layout(path, layout)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    script = (
        "import resource, sys, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096))\n"
        "from asknown.errors import AsknownError\nfrom asknown.online.sqlite.writer import open_writer\n"
        "try:\n    with open_writer(sys.argv[1]): pass\nexcept AsknownError as error: print(error.code)\n"
    )
    if os.name != "posix":
        pytest.skip("no limit on the size of files here")
    run = subprocess.run([sys.executable, "-c", script, str(path)], capture_output=True, text=True, check=False)
    assert run.stdout == "online-write\n", run.stderr
    assert layout_of(path) == layout
    assert read(path, PLAIN) == [{"amount": 2.5}]
