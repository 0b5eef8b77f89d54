"""What the tests of SQLite share: an engine in memory, and a database file with a table of every declared type."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from asknown.engines.sqlite import SQLite
from asknown.errors import Where
from asknown.project.nodes import Target

AT = Where("profiles.yml", 4)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[SQLite]:
    engine = SQLite(Target("here", "sqlite", {}, AT), tmp_path)
    yield engine
    engine.close()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = tmp_path / "warehouse.db"
    with sqlite3.connect(path) as con:
        con.executescript(TABLES)
    con.close()
    return path


def opened(path: Path, *, writable: bool = False) -> SQLite:
    return SQLite(Target("here", "sqlite", {"path": path.name}, AT), path.parent, writable=writable)


TABLES = """
CREATE TABLE orders (
    id INTEGER PRIMARY KEY, customer TEXT NOT NULL, small SMALLINT, price REAL, cost DOUBLE PRECISION,
    paid BOOLEAN, tax DECIMAL(10, 2), wide DECIMAL(30, 2), ordered_at TIMESTAMP, seen_at TIMESTAMPTZ, due DATE,
    opens TIME, code VARCHAR(20), raw BLOB, ref UUID, name STRING, loose, counted NUMERIC
);
INSERT INTO orders VALUES
    (1, 'ä', 2, 1.5, 2, 1, '1.10', 5, '2013-01-31 23:59:59.5', '2013-01-31T23:59:59+01:00', '2013-02-28', '10:00:00',
     '007', x'00ff', '6f2c1e2a-0000-4000-8000-000000000001', '007', 1, 1),
    (2, '', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
    (3, 'b', -3, -0.25, 1e300, 0, 12, 7, -1, 86400000001, '1969-12-31', '23:59:59.999999', '', x'',
     '6F2C1E2A-0000-4000-8000-000000000002', 'x', 'y', 2.5);
CREATE VIEW late AS SELECT id, ordered_at, price > 1 AS dear, cost * 2 AS twice FROM orders;
"""
