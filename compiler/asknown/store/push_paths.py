"""Tells which views follow pushes into a source: those that compute each row from one row of it, and nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass

from asknown.emit.models import source_name
from asknown.errors import AsknownError, did_you_mean
from asknown.model.nodes import FeatureView, Model
from asknown.model.row_path import break_of, words_for
from asknown.project.nodes import Project, SourceTable
from asknown.project.options import DuckDBOptions
from asknown.store.typed_catalog import TypedCatalog


@dataclass(frozen=True)
class PushPath:
    """Whether a view follows pushes into a source. ``why_not`` names what keeps it from that, and is None if nothing.

    ``passes_arrival`` says whether the view's ``known_at`` is the source's, as far as its name tells. ``why_engine`` is
    what makes pushes need DuckDB, in milliseconds, where Python computes the others in microseconds; None if nothing
    does, or if the writer has not looked.
    """

    source: str
    view: str
    why_not: str | None
    passes_arrival: bool = True
    why_engine: str | None = None

    def __str__(self) -> str:
        if self.why_not is None:
            slow = "" if self.why_engine is None else f"; DuckDB computes its rows: {self.why_engine}"
            return f"'{self.view}' follows pushes into {self.source}{slow}"
        return f"'{self.view}' does not follow pushes into {self.source}, only loads: {self.why_not}"


def pushable(project: Project) -> dict[str, SourceTable]:
    """The tables that take pushes, by the names of their relations. Rows are pushed into projects on DuckDB only."""
    if project.profile.target.type != DuckDBOptions.type:
        return {}
    return {source_name(table): table for table in project.sources.values() if table.push is not None}


def find_pushable(project: Project, name: str) -> SourceTable:
    """The table that takes pushes called ``name``: ``orders``, or ``shop.orders`` where two sources have orders.

    Raises ``unknown-source`` or ``push-source``.
    """
    tables = {source_name(table): table for table in project.sources.values()}
    found = [table for full, table in tables.items() if name in (full, table.name)]
    if len(found) > 1:
        raise AsknownError(
            "unknown-source",
            f"two sources have a table '{name}'",
            hint=f"write one of {', '.join(source_name(table) for table in found)}",
        )
    if not found:
        raise AsknownError(
            "unknown-source",
            f"there is no source table '{name}'",
            hint=did_you_mean(name, pushable(project), what="tables that take pushes"),
        )
    if found[0].push is None:
        raise AsknownError(
            "push-source",
            f"source '{source_name(found[0])}' takes no pushes",
            at=found[0].at,
            hint="declare it: push: {id: …, event_time: …, known_at: _arrived, land: …}",
        )
    return found[0]


def paths_from(catalog: TypedCatalog, view: FeatureView) -> Iterator[PushPath]:
    """The path of a view from each source below it that takes pushes."""
    models = catalog.models.closure([view.name])
    for key in dict.fromkeys(key for model in models for key in model.rendered.sources):
        table = catalog.project.sources[key]
        if table.push is None:
            continue
        why_not = None
        for model in reversed(models):  # the view first
            why_not = why_not or break_in(model, view)
        known_at = None if view.known_at is None else view.known_at.name
        yield PushPath(source_name(table), view.name, why_not, known_at == table.push.known_at)


def find_paths(typed: Callable[[], TypedCatalog], project: Project) -> list[PushPath]:
    """The path of each view of the online table from each source that takes pushes. Broken views have none."""
    if not pushable(project):
        return []
    found: list[PushPath] = []
    with suppress(AsknownError):
        catalog = typed()
        for name in catalog.models.views():
            with suppress(AsknownError):
                if catalog.models.model(name).rendered.config.online:
                    found += paths_from(catalog, catalog.view(name))
    return found


def break_in(model: Model, view: FeatureView) -> str | None:
    """The part of a model that keeps the view from computing each of its rows from one row of a source."""
    if model.rendered.config.materialized != "ephemeral":
        return f"'{model.name}' is materialized as a {model.rendered.config.materialized}"
    if len(model.rendered.refs) + len(model.rendered.sources) != 1:
        return f"'{model.name}' reads more than one relation"
    lifted = view.lifted if model.name == view.name else None
    found = break_of(model.tree if lifted is None else lifted.tree)
    return None if found is None else f"'{model.name}' has {words_for(found)}"
