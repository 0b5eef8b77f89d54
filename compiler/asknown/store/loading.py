"""Loads the online table: the training query of every entity at the watermark, written in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from asknown.emit.check import check_sql
from asknown.emit.compile import compile_load
from asknown.emit.statement import write
from asknown.model.nodes import Column, FeatureView
from asknown.online.nodes import Column as OnlineColumn
from asknown.online.nodes import LoadReport, OnlineService, OnlineView, ServicePart
from asknown.online.writer import OnlineWriter, open_writer
from asknown.plan.nodes import LoadPlan
from asknown.project.nodes import Service
from asknown.store.workbench import Workbench


def load_views(
    bench: Workbench,
    names: Sequence[str],
    watermark: datetime,
    *,
    full_refresh: bool,
    on_rows: Callable[[str, int], None] | None,
) -> list[LoadReport]:
    """Loads the views ``names`` as of ``watermark`` and keeps the project's services; one report for each view."""
    project = bench.catalog.project
    views = [bench.view(name) for name in names]  # every definition is sound before the first row is written
    with open_writer(project.profile.online.path) as writer:
        reports = [_load(writer, bench, view, watermark, full_refresh=full_refresh, on_rows=on_rows) for view in views]
        writer.services(_stored_service(service) for service in project.services.values())
    return reports


def _load(
    writer: OnlineWriter,
    bench: Workbench,
    view: FeatureView,
    watermark: datetime,
    *,
    full_refresh: bool,
    on_rows: Callable[[str, int], None] | None,
) -> LoadReport:
    statement = compile_load(LoadPlan(view, watermark), bench.ctes([view.name]), bench.taken())
    dialect = bench.engine.dialect
    batches = bench.engine.stream(check_sql(write(statement, dialect), dialect))
    tell = None if on_rows is None else partial(on_rows, view.name)
    stored = _stored_view(view, bench.fingerprint(view))
    return writer.load(stored, batches, watermark, full_refresh=full_refresh, on_rows=tell)


def _stored_view(view: FeatureView, mark: str) -> OnlineView:
    return OnlineView(
        name=view.name,
        fingerprint=mark,
        keys=_stored_columns(view.keys),
        event_time=view.event_time.name,
        known_at=view.known_at.name if view.known_at else None,
        created_at=view.created_at.name if view.created_at else None,
        features=_stored_columns(view.features),
        ttl=view.ttl,
        columns=_stored_columns(view.columns),
    )


def _stored_columns(columns: Sequence[Column]) -> tuple[OnlineColumn, ...]:
    return tuple(OnlineColumn(column.name, column.type) for column in columns)


def _stored_service(service: Service) -> OnlineService:
    parts = tuple(ServicePart(line.view, line.features, line.alias, dict(line.keys)) for line in service.features)
    return OnlineService(service.name, parts)
