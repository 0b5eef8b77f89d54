"""Reads a registry: a file with the standard library alone."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import fields, replace
from types import TracebackType
from typing import Any, Self, TypeVar

from asknown.errors import AsknownError
from asknown.project.nodes import RegistryPlace
from asknown.registry.backend import open_reading
from asknown.registry.nodes import (
    ANY,
    Facets,
    Hit,
    Meaning,
    Result,
    Revision,
    Run,
    StoredFeature,
    StoredPin,
    StoredService,
    StoredView,
    ViewVersion,
)

_ALL = 2**62  # rows
_Node = TypeVar("_Node", Revision, ViewVersion, StoredView, StoredFeature, Result)


class RegistryReader:
    """A registry, open for reading. ``absent`` is True if there is none yet: then nothing was applied.

    ``name`` stands for it in messages.
    """

    def __init__(self, place: RegistryPlace) -> None:
        self._reading = open_reading(place)
        self.name = self._reading.name
        self.absent = not self._reading.layout

    def head(self, project: str) -> Revision | None:
        """The project's newest revision."""
        return next(iter(self.revisions(project, limit=1)), None)

    def revisions(self, project: str, limit: int | None = None) -> list[Revision]:
        """The project's revisions, newest first."""
        return self._nodes(
            Revision,
            "select {} from revision where project = ? order by n desc limit ?",
            (project, _most(limit)),
        )

    def revision(self, project: str, n: int) -> Revision | None:
        """The project's revision ``n``."""
        found = self._nodes(Revision, "select {} from revision where project = ? and n = ?", (project, n))
        return found[0] if found else None

    def versions(self, project: str, view: str) -> list[ViewVersion]:
        """The versions of a view, newest first."""
        where = "select {} from version where project = ? and view = ? order by v desc"
        return self._nodes(ViewVersion, where, (project, view))

    def views(self, project: str) -> list[StoredView]:
        """The views of the project's head."""
        return self._nodes(StoredView, "select {} from view where project = ? order by name", (project,))

    def features(self, project: str) -> list[StoredFeature]:
        """The features of the project's head, each view's in the order of its select."""
        return self._nodes(StoredFeature, "select {} from feature where project = ? order by view, place", (project,))

    def services(self, project: str) -> list[StoredService]:
        """The feature services of the project's head."""
        rows = self._rows("select name, description, features from service where project = ? order by name", (project,))
        return [StoredService(name, description, tuple(json.loads(names))) for name, description, names in rows]

    def projects(self) -> list[str]:
        """The projects that have applied something."""
        return [name for (name,) in self._rows("select name from project order by name", ())]

    def pins(self, of_project: str) -> list[StoredPin]:
        """The uses of the project's views by their pins, in all projects."""
        if self._reading.layout < 3:
            return []
        names = ", ".join(field.name for field in fields(StoredPin))
        rows = self._rows(f"select {names} from pin where of_project = ? order by project, kind, name", (of_project,))
        pins = [StoredPin(*row) for row in rows]
        return [
            pin if pin.features is None else replace(pin, features=tuple(json.loads(str(pin.features)))) for pin in pins
        ]

    def meanings(self, project: str) -> list[Meaning]:
        """The meanings of the features of the project's head, as far as they are known."""
        return self._meanings("project", project)

    def alike(self, meaning: str) -> list[Meaning]:
        """The features of all projects that have this meaning."""
        return self._meanings("hash", meaning)

    def _meanings(self, column: str, value: str) -> list[Meaning]:
        if self._reading.layout < 5:
            return []
        query = f"select project, view, feature, hash from meaning where {column} = ? order by project, view, feature"
        return [Meaning(*row) for row in self._rows(query, (value,))]

    def runs(self, project: str, limit: int | None = None) -> list[Run]:
        """The loads and training sets of the project, newest first."""
        if self._reading.layout < 2:
            return []
        known = [field.name for field in fields(Run) if field.name != "read" or self._reading.layout >= 4]
        names = ", ".join(known)
        rows = self._rows(
            f"select {names} from run where project = ? order by id desc limit ?",
            (project, _most(limit)),
        )
        runs = [Run(*row) for row in rows]
        return [
            replace(run, views=tuple(json.loads(str(run.views))), features=tuple(json.loads(str(run.features))))
            for run in runs
        ]

    def results(self, project: str) -> list[Result]:
        """The newest result of each check of each view of the project."""
        if self._reading.layout < 6:
            return []
        return self._nodes(Result, "select {} from result where project = ? order by view, kind", (project,))

    def object(self, digest: str) -> dict[str, Any]:
        """The body of an object."""
        rows = self._rows("select body from object where hash = ?", (digest,))
        if not rows:
            raise AsknownError(
                "registry-corrupt", f"the registry {self.name} lacks the object {digest[:12]}", hint="restore a copy"
            )
        return dict(json.loads(rows[0][0]))

    def has_object(self, digest: str) -> bool:
        """Whether there is an object with this hash."""
        return bool(self._rows("select 1 from object where hash = ?", (digest,)))

    def search(
        self, words: Sequence[str], project: str | None = None, limit: int = 20, facets: Facets = ANY
    ) -> list[Hit]:
        """The features whose name, view, description, tags, owner or SQL have all ``words``, best first.

        Any text may be a word; the last may be the start of one. Without words, all that have the ``facets``, by view.
        """
        if self.absent:
            return []
        if facets.service is None:
            return find(self._reading.index(), words, project, limit, facets)
        projects = self.projects() if project is None else [project]
        inside = {(p, name) for p in projects for name in self._of_service(p, facets.service)}
        hits = find(self._reading.index(), words, project, _ALL, facets)
        return [hit for hit in hits if (hit.project, f"{hit.view}:{hit.feature}") in inside][:limit]

    def _of_service(self, project: str, service: str) -> list[str]:
        """The features of a service of a project, as ``view:feature``."""
        found = next((one.features for one in self.services(project) if one.name == service), ())
        return [reference.partition(" ")[0] for reference in found]

    def facet_values(self, project: str | None = None) -> dict[str, list[str]]:
        """The values that there are of each facet, by the facet's name."""
        projects = self.projects() if project is None else [project]
        views = [view for name in projects for view in self.views(name)]
        found = {
            "owner": {view.owner for view in views},
            "tag": {tag for view in views for tag in view.tags.split(", ")},
            "entity": {entity for view in views for entity in view.entity.split(", ")},
            "type": {feature.type for name in projects for feature in self.features(name)},
            "service": {service.name for name in projects for service in self.services(name)},
        }
        return {facet: sorted(filter(None, values)) for facet, values in found.items()}

    def _nodes(self, kind: type[_Node], query: str, values: Sequence[Any]) -> list[_Node]:
        names = ", ".join(field.name for field in fields(kind))
        return [kind(*row) for row in self._rows(query.format(names), values)]

    def _rows(self, query: str, values: Sequence[Any]) -> list[Any]:
        return self._reading.rows(query, values)

    def close(self) -> None:
        self._reading.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _most(limit: int | None) -> int:
    return _ALL if limit is None else limit


_WEIGHTS = "8.0, 4.0, 4.0, 2.0, 1.0"


def find(
    connection: sqlite3.Connection, words: Sequence[str], project: str | None, limit: int, facets: Facets = ANY
) -> list[Hit]:
    """Searches the table ``search`` of an open registry. The facet ``service`` is for the caller."""
    quoted = ['"' + word.replace('"', '""').replace("\0", " ") + '"' for word in words if word.strip()]
    if not quoted and facets == ANY:
        return []
    wanted: dict[str, str] = {}
    if quoted:
        wanted["search match ?"] = " AND ".join([*quoted[:-1], quoted[-1] + " *"])
    asked = (project, facets.owner, facets.type, facets.tag, facets.entity)
    wanted |= {clause: value for clause, value in zip(_FACETS, asked, strict=True) if value is not None}
    query = f"""
        select f.project, f.view, f.name, f.type, f.description, v.owner, f.version,
            {f"bm25(search, {_WEIGHTS})" if quoted else "0.0"} as score
        from search
        join feature f on f.project = search.project and f.view = search.view and f.name = search.name
        join view v on v.project = f.project and v.name = f.view
        where {" and ".join(wanted) or "true"}
        order by score, f.project, f.view, f.place limit ?"""
    return [Hit(*row) for row in connection.execute(query, (*wanted.values(), limit)).fetchall()]


# Tags and entities of a view are one text, with ", " between them.
_FACETS = (
    "f.project = ?",
    "v.owner = ?",
    "lower(f.type) = lower(?)",
    "instr(', ' || v.tags || ', ', ', ' || ? || ', ') > 0",
    "instr(', ' || v.entity || ', ', ', ' || ? || ', ') > 0",
)
