"""Tells whose a file is: the project and the target that it is stamped with, and what in it is not asknown's."""

from __future__ import annotations

import re
import sqlite3
from pathlib import Path

from asknown.errors import AsknownError
from asknown.online.nodes import Owner
from asknown.online.sqlite.errors import damaged, other_owner
from asknown.online.sqlite.metadata import is_as_written, metadata_rows, write_row


def read_owner(connection: sqlite3.Connection, path: Path) -> Owner | None:
    """The project and target that the file is stamped with; None for a file that no load has stamped yet."""
    if connection.execute("SELECT 1 FROM sqlite_master WHERE name = '_asknown_owner'").fetchone() is None:
        return None  # a file of an earlier layout
    for row in metadata_rows(connection, "_asknown_owner"):
        if not is_as_written(row):
            raise damaged(path, "its stamp of project and target is not what was written")
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


def foreign_parts(connection: sqlite3.Connection) -> list[tuple[str, str]]:
    """The (type, name) of each trigger and view in the file. asknown makes none.

    A trigger changes what a load writes, and a view may stand where a table was.
    """
    query = "SELECT type, name FROM sqlite_master WHERE type IN ('trigger', 'view')"
    return sorted((str(kind), str(name)) for kind, name in connection.execute(query))


def check_parts(connection: sqlite3.Connection, path: Path) -> None:
    """Refuses a file with triggers or views in it: ``online-corrupt``."""
    for kind, name in foreign_parts(connection):
        raise foreign(path, kind, name)


def foreign(path: Path, kind: str, name: str) -> AsknownError:
    """The error for a trigger or a view in the file."""
    hint = "move the file away and run: asknown materialize --full-refresh"
    if re.fullmatch(r"\w+", name, re.ASCII):
        drop = f"drop {kind} {name}"
        hint = f"remove it: sqlite3 {path.name} '{drop}' and see what it has done: asknown doctor; or {hint}"
    return AsknownError(
        "online-corrupt", f"the online file {path} has a {kind} '{name}' in it, which asknown did not create", hint=hint
    )
