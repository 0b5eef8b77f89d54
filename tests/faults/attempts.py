"""Reading and loading a small table in which something is wrong: what comes of it, in one word.

"rows" are the very rows that were loaded; anything else is the code of an error, which names the file and what to do.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from asknown.errors import AsknownError
from asknown.online.reader import OnlineReader
from asknown.online.sqlite.writer import open_writer
from faults.world import READ_AT, Load, World, features_of, keys_of

WORLD = World(60)
PAGE = 4096
KEYS = (0, 7, 50, 59)
TOLD = [features_of(key, 3) for key in KEYS]
Spoil = Callable[[Path], Any]


def read(path: Path) -> list[dict[str, Any]]:
    """What a new reader finds: plain rows, services and windows."""
    with OnlineReader(path) as reader:
        rows = reader.get_online_features(
            "everything", [keys_of(key) for key in KEYS], at=READ_AT, full_feature_names=True
        ).rows()
    return [{name: value for name, value in row.items() if "__" in name} for row in rows]


def write(path: Path) -> None:
    """A load that changes the rows."""
    load = Load(4)
    with open_writer(path, timeout=0.2) as writer:
        WORLD.write(writer, load, WORLD.batches(load))


def try_reading(path: Path) -> str:
    """ "rows" where they are the rows that were loaded, else the code of the error."""
    try:
        found = read(path)
    except AsknownError as error:
        check_error(error, path)
        return error.code
    assert found == TOLD, "wrong rows"
    return "rows"


def try_writing(path: Path) -> str:
    """ "rows" where the load succeeded and can be read, else the code of the error."""
    try:
        write(path)
    except AsknownError as error:
        check_error(error, path)
        return error.code
    try:
        found = read(path)
    except AsknownError as error:
        check_error(error, path)
        return f"loaded, and then {error.code}"
    assert found == [features_of(key, 4) for key in KEYS], "wrong rows after the load"
    return "rows"


def check_error(error: AsknownError, path: Path) -> None:
    """The error names the file, and what to do."""
    assert str(path) in error.message, error
    assert error.hint, error
    assert "\n" not in error.message, error


def run_sql(path: Path, *statements: str) -> None:
    """Changes the file as any SQLite program can."""
    with closing(sqlite3.connect(path)) as connection:
        for statement in statements:
            connection.execute(statement)
        connection.commit()
