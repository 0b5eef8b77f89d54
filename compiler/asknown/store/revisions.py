"""Writes the registry's revisions: who made one, of which commit, and the revision that goes back to an older one."""

from __future__ import annotations

import getpass
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version as installed
from pathlib import Path

from asknown import __version__
from asknown.catalog.closure import thawed_service
from asknown.errors import AsknownError
from asknown.project.nodes import Project
from asknown.registry.nodes import (
    Meaning,
    NextRevision,
    Revision,
    StoredFeature,
    StoredService,
    StoredView,
    ViewVersion,
)
from asknown.registry.read import RegistryReader
from asknown.store.pinned_uses import stored_pins
from asknown.store.pinning import features_of_pins
from asknown.store.states import list_features, meanings_of, read_state, stored_features, stored_view


@dataclass(frozen=True)
class Telling:
    """The description of a revision: its kind, the user's message, and the changes in one line."""

    kind: str
    message: str
    changes: str


def make_revision(project: Project, n: int, told: Telling, manifest: str) -> Revision:
    """A revision made now, by the user who runs this, of the commit that the project's folder is at."""
    commit, dirty = _git(project.settings.root)
    return Revision(
        n,
        told.kind,
        datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
        user(),
        commit,
        dirty,
        __version__,
        installed("sqlglot"),
        project.profile.target.name,
        project.settings.dialect,
        told.message,
        told.changes,
        manifest,
    )


def user() -> str:
    """The name of the user who runs this."""
    try:
        return getpass.getuser()
    except (OSError, KeyError, ImportError):
        return "unknown"


def _git(root: Path) -> tuple[str | None, bool | None]:
    """The commit of a folder and whether files in it differ from it; (None, None) outside of git."""
    outputs = []
    for arguments in (("rev-parse", "HEAD"), ("status", "--porcelain", "--", ".")):
        try:
            command = ("git", "-C", str(root), *arguments)
            done = subprocess.run(command, capture_output=True, text=True, timeout=10, check=False)
        except (OSError, subprocess.SubprocessError):
            return None, None
        if done.returncode:
            return None, None
        outputs.append(done.stdout.strip())
    return outputs[0], bool(outputs[1])


def roll_back(project: Project, reader: RegistryReader, n: int, message: str) -> NextRevision:
    """A new revision with the content of revision ``n`` of the project."""
    name = project.settings.name
    head, target = reader.head(name), reader.revision(name, n)
    if head is None or target is None:
        raise AsknownError(
            "unknown-version",
            f"the registry has no revision {n} of '{name}'",
            hint="asknown history" if head is not None else "asknown apply records the first",
        )
    manifest = reader.object(target.manifest)
    features: list[StoredFeature] = []
    views: list[StoredView] = []
    versions: list[ViewVersion] = []
    meanings: list[Meaning] = []
    following = head.n + 1
    for view, entry in manifest["views"].items():
        state, catalog = read_state(reader, project, view, entry)
        views.append(stored_view(catalog, state, entry))
        meanings += meanings_of(name, state)
        features += stored_features(state, entry["version"], {}, None)
        versions.append(ViewVersion(view, entry["version"], entry["object"], following))
    listed = {view.name: [f.name for f in features if f.view == view.name] for view in views}
    listed |= features_of_pins(reader, manifest)
    services = []
    for service, digest in manifest["services"].items():
        body = reader.object(digest)
        services.append(StoredService(service, body["description"], tuple(list_features(thawed_service(body), listed))))
    told = Telling("rollback", message, f"as revision {n}")
    revision = make_revision(project, following, told, target.manifest)
    pins = stored_pins(name, manifest)
    return NextRevision(
        head.n, revision, {}, tuple(versions), tuple(views), tuple(features), tuple(services), pins, tuple(meanings)
    )
