"""Keeps in the registry, where there is one, what was loaded and which training sets were made."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from asknown.catalog.catalog import Catalog
from asknown.catalog.closure import freeze
from asknown.errors import AsknownError
from asknown.plan.request import read_request
from asknown.project.nodes import Project
from asknown.registry.nodes import Result, Run
from asknown.store.registry_copies import open_registry
from asknown.store.revisions import user
from asknown.store.versions import has_version

if TYPE_CHECKING:
    from asknown.online.report import LoadReport


def record_loads(catalog: Catalog, reports: Sequence[LoadReport]) -> str | None:
    """Keeps what a load did; see :func:`_record`."""
    known = _Versions(catalog)
    runs = [
        Run(
            "load",
            known.of([report.view]),
            _now(),
            user(),
            catalog.project.profile.target.name,
            report.rows_total,
            watermark=report.watermark.astimezone(UTC).isoformat().replace("+00:00", "Z"),
            read=report.words or "full",
            digest=report.digest,
        )
        for report in reports
    ]
    return _record(catalog.project, runs)


def record_training(catalog: Catalog, features: Sequence[str], spine: str, path: Path) -> str | None:
    """Keeps that the training set of ``features`` was written to a Parquet file; see :func:`_record`."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    from asknown.store.content import hash_file

    try:
        rows, digest = pq.read_metadata(path).num_rows, hash_file(path)
    except (pa.ArrowException, OSError) as error:
        return f"the registry does not know of this: {error}"
    versioned = [name.partition(":")[0] for name in features if has_version(name)]
    others = [name for name in features if not has_version(name)]
    request = read_request(others, catalog.project.services, catalog.is_asked, ()) if others else ()
    run = Run(
        "train",
        (*versioned, *_Versions(catalog).of(item.view for item in request)),
        _now(),
        user(),
        catalog.project.profile.target.name,
        rows,
        features=tuple(features),
        spine=spine,
        path=str(path),
        digest=digest,
    )
    return _record(catalog.project, [run])


def _record(project: Project, runs: Sequence[Run]) -> str | None:
    """Writes runs to the registry. Does nothing where nothing was applied; what fails is returned, and raises nothing:
    the load or the training set is there.
    """
    if not project.profile.registry.is_kept:
        return None
    from asknown.registry.write import write_runs

    try:
        with open_registry(project.profile.registry) as reader:
            if reader.absent:
                return None
        write_runs(project.profile.registry, project.settings.name, runs)
    except AsknownError as error:
        return f"the registry does not know of this: {error.message}"
    return None


def recorded_runs(project: Project) -> list[Run]:
    """The loads and training sets that the registry knows, newest first; none where there is no registry."""
    place = project.profile.registry
    if isinstance(place.at, Path) and not place.at.exists():
        return []
    with open_registry(place) as reader:
        return reader.runs(project.settings.name)


def record_results(project: Project, kind: str, found: Mapping[str, tuple[bool, str]]) -> str | None:
    """Keeps what a check found: by view, whether all is as it should be, and the result in words.

    Does nothing where nothing was applied. What fails is returned, and raises nothing.
    """
    if not found or not project.profile.registry.is_kept:
        return None
    from asknown.registry.write import write_results

    told = (_now(), user(), project.profile.target.name)
    results = [Result(kind, view, "ok" if well else "act", said, *told) for view, (well, said) in found.items()]
    try:
        write_results(project.profile.registry, project.settings.name, results)
    except AsknownError as error:
        return f"the registry does not know of this: {error.message}"
    return None


def recorded_results(project: Project) -> dict[str, list[Result]]:
    """The newest results of checks that the registry knows, by view; none where there is no registry."""
    place = project.profile.registry
    if isinstance(place.at, Path) and not place.at.exists():
        return {}
    found: dict[str, list[Result]] = {}
    with open_registry(place) as reader:
        for result in reader.results(project.settings.name):
            found.setdefault(result.view, []).append(result)
    return found


class _Versions:
    """The applied versions of views, as far as the project's files are what was applied."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._known: dict[str, str] | None = None

    def of(self, views: Iterable[str]) -> tuple[str, ...]:
        """Each view as ``orders@v3``; without a version where the files differ from what was applied."""
        if self._known is None:
            self._known = self._read()
        return tuple(self._known.get(view, view) for view in dict.fromkeys(views))

    def _read(self) -> dict[str, str]:
        project = self._catalog.project
        try:
            with open_registry(project.profile.registry) as reader:
                head = reader.head(project.settings.name)
                entries = {} if head is None else reader.object(head.manifest)["views"]
            now = freeze(self._catalog).views if entries else {}
        except AsknownError:
            return {}
        return {v: f"{v}@v{entry['version']}" for v, entry in entries.items() if now.get(v) == entry["model"]}


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
