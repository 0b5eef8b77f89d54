"""The parts of a registry, as its readers get them and its writer takes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Revision:
    """One apply, or rollback, of one project. ``at`` is an instant in UTC in ISO form; ``n`` counts from 1."""

    n: int
    kind: str
    at: str
    author: str
    git_commit: str | None
    git_dirty: bool | None
    asknown: str
    sqlglot: str
    target: str
    dialect: str
    message: str
    changes: str
    manifest: str


@dataclass(frozen=True)
class ViewVersion:
    """``view@vV``: the hash of its object, and the revision that last wrote it."""

    view: str
    v: int
    hash: str
    revision: int


@dataclass(frozen=True)
class StoredFeature:
    """A feature of the head. ``since`` is the version of the view in which its values last may have changed."""

    view: str
    name: str
    version: int
    place: int
    type: str
    description: str
    sql: str
    fingerprint: str
    rows: str
    tie_order: str | None
    since: int


@dataclass(frozen=True)
class StoredView:
    """A view of the head. Times are names of columns, ``ttl`` is in microseconds."""

    name: str
    version: int
    entity: str
    keys: str
    event_time: str
    known_at: str | None
    ttl: int | None
    online: bool
    owner: str
    tags: str
    description: str
    hash: str


@dataclass(frozen=True)
class StoredService:
    """A feature service of the head; ``features`` are its references, in order."""

    name: str
    description: str
    features: tuple[str, ...]


@dataclass(frozen=True)
class StoredPin:
    """A use of version ``v`` of a ``view`` of ``of_project``, by a part of ``project``.

    ``kind`` and ``name`` say by what: a service, an exposure or a model; ``project`` where nothing names the view yet.
    ``features`` are those that it reads, None for all.
    """

    project: str
    kind: str
    name: str
    owner: str
    of_project: str
    view: str
    v: int
    features: tuple[str, ...] | None


@dataclass(frozen=True)
class Meaning:
    """The hash of the SQL that makes a feature, whatever the feature is called."""

    project: str
    view: str
    feature: str
    hash: str


@dataclass(frozen=True)
class NextRevision:
    """All that one revision writes. ``base`` is the number of the revision that it was planned against, 0 for none.

    ``objects`` are bodies by hash. ``versions`` are those that the revision makes or writes again. ``pins`` are all
    uses of pinned views.
    """

    base: int
    revision: Revision
    objects: Mapping[str, Mapping[str, Any]]
    versions: tuple[ViewVersion, ...]
    views: tuple[StoredView, ...]
    features: tuple[StoredFeature, ...]
    services: tuple[StoredService, ...]
    pins: tuple[StoredPin, ...] = ()
    meanings: tuple[Meaning, ...] = ()


@dataclass(frozen=True)
class Run:
    """A load of the online table (``kind`` is ``load``), or a training set (``train``).

    ``views`` have their versions, as ``orders@v3``, where the files were what was applied. A load has a ``watermark``,
    an instant in UTC, says what it ``read``, and has the digest of the view's content online; a training set has the
    ``features`` asked for, the spine, the file and the hash of its content.
    """

    kind: str
    views: tuple[str, ...]
    at: str
    author: str
    target: str
    rows: int
    watermark: str | None = None
    features: tuple[str, ...] = ()
    spine: str = ""
    path: str = ""
    digest: str | None = None
    read: str | None = None


@dataclass(frozen=True)
class Result:
    """The newest result of a check of a view: ``kind`` is the command, and ``said`` its result in words.

    ``outcome`` is ``act`` where something needs attention, else ``ok``.
    """

    kind: str
    view: str
    outcome: str
    said: str
    at: str
    author: str
    target: str


@dataclass(frozen=True)
class Facets:
    """The conditions of a search beside its words; None is no condition.

    ``service`` is the name of a feature service of the feature's project that has it.
    """

    owner: str | None = None
    tag: str | None = None
    entity: str | None = None
    type: str | None = None
    service: str | None = None


ANY = Facets()


@dataclass(frozen=True)
class Hit:
    """A feature that a search found, best first; ``score`` is lower for a better one."""

    project: str
    view: str
    feature: str
    type: str
    description: str
    owner: str
    version: int
    score: float
