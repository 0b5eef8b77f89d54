"""The stamp of a file: the project and the target whose online table it is."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from asknown.online.nodes import Owner
from asknown.online.sqlite.errors import damaged, other_owner
from asknown.online.sqlite.metadata import is_as_written, metadata_rows, write_row


def read_owner(connection: sqlite3.Connection, path: Path) -> Owner | None:
    """The project and target that the file is stamped with; None for a file that no load has stamped yet."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_asknown_owner'").fetchone() is None:
        return None  # a file of an earlier layout
    for row in metadata_rows(connection, "_asknown_owner"):
        if not is_as_written(row):
            raise damaged(path, "what it says of its project and target is not what was written")
        return Owner(row["project"], row["target"])
    return None


def check_owner(connection: sqlite3.Connection, path: Path, owner: Owner) -> Owner | None:
    """The owner that the file is stamped with, if any. Another than ``owner`` is an ``online-owner`` error."""
    found = read_owner(connection, path)
    if found not in (None, owner):
        raise other_owner(path, found, owner)
    return found


def write_owner(connection: sqlite3.Connection, owner: Owner) -> None:
    """Stamps the file, which has no stamp yet."""
    write_row(connection, "INSERT INTO _asknown_owner", {"project": owner.project, "target": owner.target})
