"""Writes a registry: one revision in one transaction, or nothing."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from asknown.catalog.closure import canonical
from asknown.errors import AsknownError
from asknown.project.nodes import RegistryPlace
from asknown.registry.backend import Transaction, open_transaction
from asknown.registry.nodes import NextRevision, Result, Run


def write_revision(place: RegistryPlace, project: str, following: NextRevision) -> None:
    """Writes a revision of ``project``, and makes the registry if there is none.

    Raises ``registry-moved`` if another revision came after the one that this was planned against. Rows of other
    projects stay as they are.
    """
    with open_transaction(place) as transaction:
        _write(transaction, project, following)


def write_runs(place: RegistryPlace, project: str, runs: Sequence[Run]) -> None:
    """Writes what was loaded and trained."""
    with open_transaction(place) as transaction:
        rows = [
            {"project": project, **_row(run), "views": json.dumps(run.views), "features": json.dumps(run.features)}
            for run in runs
        ]
        transaction.insert("run", rows)


def write_results(place: RegistryPlace, project: str, results: Sequence[Result]) -> None:
    """Writes results of checks, each in place of the last one of its kind and view."""
    with open_transaction(place) as transaction:
        rows = [{"project": project, **_row(result)} for result in results]
        transaction.replace("result", rows, ("project", "kind", "view"))


def _write(transaction: Transaction, project: str, following: NextRevision) -> None:
    revision = following.revision
    head = transaction.head(project)
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
    transaction.insert("object", bodies, unless="hash")
    transaction.insert("revision", [{"project": project, "parent": revision.n - 1, **_row(revision)}])
    transaction.replace("project", [{"name": project, "head": revision.n}], ("name",))
    transaction.replace(
        "version",
        [{"project": project, **_row(version)} for version in following.versions],
        ("project", "view", "v"),
    )
    for table in ("view", "feature", "service", "search", "pin", "meaning"):
        transaction.clear(table, project)
    transaction.insert("view", [{"project": project, **_row(view)} for view in following.views])
    transaction.insert("feature", [{"project": project, **_row(feature)} for feature in following.features])
    transaction.insert(
        "service",
        [
            {"project": project, **_row(service), "features": json.dumps(service.features)}
            for service in following.services
        ],
    )
    transaction.insert(
        "pin",
        [
            {**_row(pin), "features": None if pin.features is None else json.dumps(pin.features)}
            for pin in following.pins
        ],
    )
    transaction.insert("meaning", [_row(meaning) for meaning in following.meanings])
    views = {view.name: view for view in following.views}
    searched = [
        {
            "name": f.name,
            "view": f.view,
            "description": f.description,
            "tags": views[f.view].tags,
            "sql": f.sql,
            "owner": views[f.view].owner,
            "project": project,
        }
        for f in following.features
    ]
    transaction.insert("search", searched)


def _row(node: Any) -> dict[str, Any]:
    return {name: int(value) if isinstance(value, bool) else value for name, value in asdict(node).items()}
