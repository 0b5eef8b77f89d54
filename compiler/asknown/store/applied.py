"""Reads the history that a catalogue shows of a project: its revisions, versions, loads and results of checks."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from asknown.project.nodes import Project
from asknown.registry.nodes import Result, Run
from asknown.site.nodes import Fact, Revision
from asknown.store.registry_copies import open_registry


@dataclass
class Applied:
    """The registry's record of the project: its revisions, the versions of each view, and features' versions."""

    revisions: list[Revision] = field(default_factory=list)
    versions: dict[str, list[Revision]] = field(default_factory=dict)
    objects: dict[str, tuple[int, str]] = field(default_factory=dict)  # a view's version, and the hash of its model
    since: dict[str, int] = field(default_factory=dict)
    loads: dict[str, Run] = field(default_factory=dict)  # the newest of each view
    results: dict[str, list[Result]] = field(default_factory=dict)  # of checks, the newest of each kind and view

    def facts_of_checks(self, view: str) -> Iterator[Fact]:
        """The newest result of each check; where checks were kept, one that never ran is named too."""
        if not self.revisions:
            return
        known = {result.kind: result for result in self.results.get(view, ())}
        for kind in ("check", "test", "audit", "verify", "profile"):
            result = known.get(kind)
            if result is not None:
                attention = "" if result.outcome == "ok" else "needs attention: "
                yield Fact(f"last {kind}", (f"{attention}{result.said}, at {result.at}",))
            elif self.results and kind != "profile":
                yield Fact(f"last {kind}", ("never",))


def read_applied(project: Project) -> Applied:
    """The record of a project; empty where nothing was applied."""
    applied = Applied()
    name = project.settings.name
    with open_registry(project.profile.registry) as reader:
        found = reader.revisions(name)
        if not found:
            return applied
        lines = {
            r.n: Revision(r.n, None, r.at, r.author, (r.git_commit or "")[:10], r.message, r.changes) for r in found
        }
        applied.revisions = list(lines.values())
        for view, entry in reader.object(found[0].manifest)["views"].items():
            applied.objects[view] = (entry["version"], entry["model"])
            versions = reader.versions(name, view)
            applied.versions[view] = [_of_view(lines[v.revision], view, v.v) for v in versions]
        for run in reversed(reader.runs(name)):
            if run.kind == "load":
                applied.loads |= {view.partition("@")[0]: run for view in run.views}
        for result in reader.results(name):
            applied.results.setdefault(result.view, []).append(result)
        applied.since = {f"{f.view}:{f.name}": f.since for f in reader.features(name)}
    return applied


def _of_view(revision: Revision, view: str, version: int) -> Revision:
    """The line of a revision in a view's history, with the changes of this view alone."""
    changes = [part for part in revision.changes.split("; ") if re.match(rf"{re.escape(view)}[ :]", part)]
    return replace(revision, version=version, changes="; ".join(changes))
