"""Writes a registry: one revision in one transaction, or nothing."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import sqlite_utils

from asknown.catalog.closure import canonical
from asknown.errors import AsknownError
from asknown.registry.nodes import NextRevision, Run
from asknown.registry.read import broken, check_layout
from asknown.registry.schema import APPLICATION_ID, LAYOUT, STEPS


def write_revision(path: Path, project: str, following: NextRevision) -> None:
    """Writes a revision of ``project``, and makes the file if there is none.

    Raises ``registry-moved`` if another revision came after the one that this was planned against. Rows of other
    projects stay as they are.
    """
    with _transaction(path) as connection:
        _write(sqlite_utils.Database(connection), connection, project, following)


def write_runs(path: Path, project: str, runs: Sequence[Run]) -> None:
    """Writes what was loaded and trained."""
    with _transaction(path) as connection:
        sqlite_utils.Database(connection).table("run").insert_all(
            {"project": project, **_row(run), "views": json.dumps(run.views), "features": json.dumps(run.features)}
            for run in runs
        )


@contextmanager
def _transaction(path: Path) -> Iterator[sqlite3.Connection]:
    """A transaction on the registry, which is made if there is none, and gets the tables that it lacks."""
    try:
        connection = sqlite3.connect(path, isolation_level=None, timeout=30)
    except sqlite3.Error as error:
        raise broken(path, error) from None
    try:
        connection.execute("pragma synchronous = full")
        connection.execute("begin immediate")
        _make(connection, path)
        yield connection
        connection.execute("commit")
    except sqlite3.Error as error:
        raise broken(path, error) from None
    finally:
        connection.close()  # rolls back what was not committed


def _make(connection: sqlite3.Connection, path: Path) -> None:
    """Makes the tables that the file lacks, all of them in an empty one, within the transaction."""
    (empty,) = connection.execute("select count(*) = 0 from sqlite_schema").fetchone()
    layout = 0 if empty else check_layout(connection, path)
    for step in range(layout + 1, LAYOUT + 1):
        for statement in _statements(STEPS[step]):
            connection.execute(statement)
    if layout < LAYOUT:
        connection.execute(f"pragma application_id = {APPLICATION_ID}")
        connection.execute(f"pragma user_version = {LAYOUT}")


def _statements(script: str) -> list[str]:
    """The statements of a script. (``executescript`` would commit.)"""
    found, text = [], ""
    for line in script.splitlines():
        text += line + "\n"
        if sqlite3.complete_statement(text):
            found.append(text.strip())
            text = ""
    return [statement for statement in found if statement]


def _write(
    database: sqlite_utils.Database, connection: sqlite3.Connection, project: str, following: NextRevision
) -> None:
    revision = following.revision
    (head,) = connection.execute("select coalesce(max(n), 0) from revision where project = ?", (project,)).fetchone()
    if head != following.base:
        raise AsknownError(
            "registry-moved",
            f"revision {head} of '{project}' came first: this was planned against revision {following.base}",
            hint="asknown plan",
        )
    bodies = [
        {"hash": digest, "kind": body["kind"], "body": canonical(dict(body))}
        for digest, body in following.objects.items()
    ]
    database.table("object").insert_all(bodies, pk="hash", ignore=True)
    database.table("revision").insert({"project": project, "parent": revision.n - 1, **_row(revision)})
    database.table("project").upsert({"name": project, "head": revision.n}, pk="name")
    database.table("version").upsert_all(
        ({"project": project, **_row(version)} for version in following.versions), pk=("project", "view", "v")
    )
    for table in ("view", "feature", "service", "search", "pin"):
        connection.execute(f"delete from {table} where project = ?", (project,))
    database.table("view").insert_all({"project": project, **_row(view)} for view in following.views)
    database.table("feature").insert_all({"project": project, **_row(feature)} for feature in following.features)
    database.table("service").insert_all(
        {"project": project, **_row(service), "features": json.dumps(service.features)}
        for service in following.services
    )
    database.table("pin").insert_all(
        {**_row(pin), "features": None if pin.features is None else json.dumps(pin.features)} for pin in following.pins
    )
    views = {view.name: view for view in following.views}
    connection.executemany(
        "insert into search (name, view, description, tags, sql, owner, project) values (?, ?, ?, ?, ?, ?, ?)",
        [
            (f.name, f.view, f.description, views[f.view].tags, f.sql, views[f.view].owner, project)
            for f in following.features
        ],
    )


def _row(node: Any) -> dict[str, Any]:
    return {name: int(value) if isinstance(value, bool) else value for name, value in asdict(node).items()}
