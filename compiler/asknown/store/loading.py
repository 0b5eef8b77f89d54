"""Loads the online table: the training query of every entity at the watermark, written in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import TYPE_CHECKING

from asknown.emit.load import compile_events, compile_load
from asknown.emit.statement import Statement, check_sql, write
from asknown.errors import AsknownError
from asknown.model.nodes import FeatureView
from asknown.online.nodes import LoadReport, OnlineService, OnlineView, ServicePart
from asknown.online.writer import OnlineWriter, open_writer
from asknown.plan.nodes import LoadPlan
from asknown.project.nodes import Service
from asknown.store.storing import stored_view
from asknown.store.workbench import Workbench

if TYPE_CHECKING:
    import pyarrow as pa


def load_views(
    bench: Workbench,
    names: Sequence[str],
    watermark: datetime,
    *,
    full_refresh: bool,
    keep: Collection[str] | None,
    wait: float,
    on_rows: Callable[[str, int], None] | None,
    on_wait: Callable[[str], None] | None,
) -> list[LoadReport]:
    """Loads the views ``names`` as of ``watermark`` and keeps the project's services; one report for each view.

    ``keep`` names the views that may stay in the file, None all. Waits up to ``wait`` seconds for another load.
    """
    project = bench.catalog.project
    views = [bench.view(name) for name in names]
    stored = [stored_view(view, bench) for view in views]  # every definition is sound before the first row is written
    reports = []
    target = project.profile.online
    skew = timedelta(microseconds=target.max_skew)
    with open_writer(target.path, timeout=wait, max_skew=skew, on_wait=on_wait) as writer:
        if keep is not None:  # first: a view that stays may differ from one that goes by letter case alone
            for gone in writer.stored().keys() - {*keep, *names}:
                writer.forget(gone)
        for view, online in zip(views, stored, strict=True):
            tell = None if on_rows is None else partial(on_rows, view.name)
            reports.append(_load(writer, bench, view, online, watermark, full_refresh=full_refresh, tell=tell))
        writer.services(_stored_service(service) for service in project.services.values())
    return reports


def read_definitions(bench: Workbench, names: Sequence[str]) -> dict[str, OnlineView | AsknownError]:
    """The views ``names`` as the online table would keep them; in place of one that is broken, what is wrong."""
    found: dict[str, OnlineView | AsknownError] = {}
    for name in names:
        try:
            found[name] = stored_view(bench.view(name), bench)
        except AsknownError as error:
            found[name] = error
    return found


def _load(
    writer: OnlineWriter,
    bench: Workbench,
    view: FeatureView,
    online: OnlineView,
    watermark: datetime,
    *,
    full_refresh: bool,
    tell: Callable[[int], None] | None,
) -> LoadReport:
    plan = LoadPlan(view, watermark)
    models = bench.ctes_of_views([view])

    def run(statement: Statement) -> pa.RecordBatchReader:
        dialect = bench.engine.dialect
        return bench.engine.stream(check_sql(write(statement, dialect), dialect))

    newest = run(compile_load(plan, models, bench.taken(), bench.engine.dialect))
    report = writer.load(online, newest, watermark, full_refresh=full_refresh, on_rows=tell)
    if online.windows is not None:
        writer.load_events(online, run(compile_events(plan, models, bench.taken(), bench.engine.dialect)), watermark)
    return report


def _stored_service(service: Service) -> OnlineService:
    parts = tuple(ServicePart(line.view, line.features, line.alias, dict(line.keys)) for line in service.features)
    return OnlineService(service.name, parts)
