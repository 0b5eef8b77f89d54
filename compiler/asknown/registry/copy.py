"""Copies a whole registry into an SQLite file, which others read."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

from asknown.project.nodes import RegistryPlace
from asknown.registry.backend import open_reading
from asknown.registry.schema import SEARCH
from asknown.registry.sqlite import broken, make_tables

_TABLES = ("project", "object", "revision", "version", "view", "feature", "service", "pin", "run", "meaning", "result")


def copy_registry(place: RegistryPlace, path: Path) -> None:
    """Writes what the registry holds at one moment into the new file ``path``."""
    with closing(open_reading(place)) as reading, closing(sqlite3.connect(path, isolation_level=None)) as copy:
        try:
            if isinstance(place.at, Path):
                reading.index().backup(copy)
                return
            copy.execute("begin")
            make_tables(copy, path)
            for table in _TABLES:
                names = ", ".join(row[1] for row in copy.execute(f"pragma table_info({table})"))
                places = ", ".join("?" * (names.count(",") + 1))
                rows = reading.rows(f"select {names} from {table}", ())
                copy.executemany(f"insert into {table} ({names}) values ({places})", rows)
            copy.execute(SEARCH)
            copy.execute("commit")
        except sqlite3.Error as error:
            raise broken(path, error) from None
