"""Opens an online file for writing: makes it, or brings it to the present layout, and stamps it."""

from __future__ import annotations

import sqlite3
from pathlib import Path
from typing import Literal

from asknown.online.nodes import Owner
from asknown.online.sqlite import migrations
from asknown.online.sqlite.owner import check_owner, check_parts, write_owner

_PRAGMAS = (
    "journal_mode = WAL",
    "cache_size = -65536",  # 64 MB
    "journal_size_limit = 67108864",
    "trusted_schema = OFF",
)


def open_for_writing(
    connection: sqlite3.Connection, path: Path, owner: Owner | None, *, synchronous: Literal["NORMAL", "FULL"]
) -> None:
    """Begins a transaction in which the file has the present layout and, where ``owner`` is given, its stamp.

    With ``NORMAL``, a commit may be lost when the power fails; with ``FULL``, none is.
    """
    migrations.find_layout(connection, path)  # before anything is changed in a file that may not be ours
    for pragma in (*_PRAGMAS, f"synchronous = {synchronous}"):
        connection.execute(f"PRAGMA {pragma}")
    connection.execute("BEGIN IMMEDIATE")
    check_parts(connection, path)
    migrations.migrate(connection, migrations.find_layout(connection, path))
    if owner is not None and check_owner(connection, path, owner) is None:
        write_owner(connection, owner)
