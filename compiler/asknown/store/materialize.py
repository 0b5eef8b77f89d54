"""Loads the online table: the training query of every entity at the watermark, written in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from asknown.catalog.catalog import Catalog
from asknown.emit.load import compile_ahead, compile_events, compile_load
from asknown.emit.probe import compile_nulls
from asknown.emit.statement import Cte, Statement, check_sql, write
from asknown.errors import AsknownError
from asknown.instants import read_instant, to_microseconds
from asknown.model.contract import never_null
from asknown.model.nodes import FeatureView
from asknown.online.backend import AddingWriter, LoadWriter, open_writer
from asknown.online.loads import check_instant, check_not_older
from asknown.online.nodes import (
    OnlineOnDemand,
    OnlineService,
    OnlineView,
    Owner,
    ServicePart,
)
from asknown.online.report import LoadReport
from asknown.paths import is_there
from asknown.plan.nodes import LoadPlan
from asknown.project.nodes import OnlineTarget, Project, Service
from asknown.store.landing import loading
from asknown.store.parity import Comparison, Difference, compare_for, refusal_of, without_affected
from asknown.store.period_starts import with_starts
from asknown.store.push_paths import pushable
from asknown.store.pushes_beside import PushesBeside
from asknown.store.reading import Reading, find_reading
from asknown.store.spool import Batches, Spool
from asknown.store.stored_on_demand import stored_on_demand, without_affected_items
from asknown.store.stored_view import stored_view
from asknown.store.typed_catalog import TypedCatalog


def online_views(catalog: Catalog) -> list[str]:
    """The names of the feature views that are loaded if none is named. Raises ``unknown-view`` if there is none.

    They are the project's own, and the pinned ones that its services and on-demand views read.
    """
    names = [name for name in catalog.views() if catalog.model(name).rendered.config.online]
    names += [name for name in catalog.served_pins() if catalog.is_view(name)]
    if not names:
        raise AsknownError(
            "unknown-view",
            "the project has no feature view to load",
            hint="write one: config(entity=…, event_time=…)",
        )
    return names


def served_on_demand(catalog: Catalog) -> list[str]:
    """The names of the on-demand views that the online table keeps: the project's, and pinned ones that it serves."""
    return [*catalog.on_demand_views(), *(name for name in catalog.served_pins() if not catalog.is_view(name))]


def read_watermark(until: Any, online: OnlineTarget) -> datetime:
    """The instant of a load: ``until``, or now; naive, in UTC. Raises an error for one of the future."""
    watermark = datetime.now(UTC).replace(tzinfo=None) if until is None else read_instant(until, "until")
    check_instant(watermark.replace(tzinfo=UTC), timedelta(microseconds=online.max_skew))
    return watermark


@dataclass(frozen=True)
class LoadOptions:
    """The options of a load: the instant (None: now), and those of :meth:`FeatureStore.materialize`.

    ``keep`` names the views that may stay in the table; None keeps all.
    """

    until: Any
    full_refresh: bool
    allow_shrink: bool
    keep: Collection[str] | None
    wait: float
    on_rows: Callable[[str, int], None] | None
    on_wait: Callable[[str], None] | None


def load_views(catalog: TypedCatalog, names: Sequence[str], options: LoadOptions) -> list[LoadReport]:
    """Loads the views ``names``, stores the project's services, and returns a report for each view.

    A load as of an earlier instant than that of one of the views is an error, unless it is a ``full_refresh``. If
    another load is running, this one waits for it to end. Where the project has sources that take pushes, all queries
    run before the table is locked, so that pushes go on meanwhile (rule 14).

    A feature over windows that this version of the engine computes differently from the online table is left out. After
    all else is loaded, ``not-online`` is raised and names these features.
    """
    project = catalog.project
    with ExitStack() as stack:
        stack.enter_context(loading(project, wait=options.wait, on_wait=options.on_wait))
        pushes = stack.enter_context(closing(PushesBeside(catalog, names))) if pushable(project) else None
        spool = None if pushes is None else stack.enter_context(Spool())
        watermark = read_watermark(options.until, project.profile.online)
        views = [catalog.view(name) for name in names]
        stored = [stored_view(view, catalog) for view in views]  # checks every definition before a row is written
        on_demand = [stored_on_demand(catalog.on_demand(name)) for name in served_on_demand(catalog.models)]
        address = project.profile.online.address
        first = isinstance(address, Path) and not is_there(address)
        if first:  # a load that is refused makes no file
            for view in views:
                _refuse_nulls(catalog, view, catalog.ctes_of_views([view]))
        comparison = compare_for(catalog.engine, stored, on_demand)
        stored, refused = _without_affected(stored, comparison)
        on_demand, others = without_affected_items(on_demand, comparison)
        refused |= others
        if pushes is not None:
            pushes.check_ids(watermark)
        loads = [
            _ViewLoad(catalog, view, online, watermark, pushes=pushes, spool=spool, checked=first)
            for view, online in zip(views, stored, strict=True)
        ]
        reports = _write_loads(project, loads, on_demand, options)
    if refused:
        raise refusal_of(refused, "everything was loaded except")
    return reports


def _refuse_nulls(catalog: TypedCatalog, view: FeatureView, models: Sequence[Cte]) -> None:
    """Raises ``contract`` if a column is NULL somewhere, and the view's contract says that it never is."""
    doc = catalog.project.docs.get(view.name)
    columns = never_null(view, doc)
    if not columns or doc is None:
        return
    dialect = catalog.engine.dialect
    statement = compile_nulls(view, columns, models, catalog.reserved_names(), dialect)
    (counts,) = catalog.engine.rows(write(statement, dialect))
    for name, count in zip(columns, counts, strict=True):
        if count:
            place = next(column.at for column in doc.columns if column.name.casefold() == name.casefold())
            raise AsknownError(
                "contract",
                f"'{name}' of '{view.name}' is NULL in {count:,} rows, and its contract says not_null",
                at=place,
                hint="mend the model or the source, or take the constraint out",
            )


def _write_loads(
    project: Project, loads: Sequence[_ViewLoad], on_demand: Sequence[OnlineOnDemand], options: LoadOptions
) -> list[LoadReport]:
    """Writes the loads and the services in one transaction, and returns a report for each load."""
    target = project.profile.online
    skew = timedelta(microseconds=target.max_skew)
    owner = Owner(target.project, target.target)
    names = [load.view.name for load in loads]
    with open_writer(
        target.address, timeout=options.wait, max_skew=skew, on_wait=options.on_wait, owner=owner
    ) as writer:
        if options.keep is not None:  # before the loads: a new view may differ from a removed one in letter case alone
            for gone in writer.stored().keys() - {*options.keep, *names}:
                writer.forget(gone)
        held = writer.stored()
        for load in loads:
            if load.view.name in held and not options.full_refresh:  # before the first query runs
                check_not_older(load.view.name, held[load.view.name].watermark, load.watermark.replace(tzinfo=UTC))
        reports = [load.write(writer, options) for load in loads]
        writer.services(map(_stored_service, project.services.values()), on_demand)
    return reports


def stored_for_online(views: Sequence[FeatureView], catalog: TypedCatalog) -> list[OnlineView]:
    """The definitions of ``views`` as a load stores them: without what the engine computes differently."""
    stored = [stored_view(view, catalog) for view in views]
    comparison = compare_for(catalog.engine, stored)
    return [without_affected(online, comparison)[0] for online in stored]


def _without_affected(
    stored: Sequence[OnlineView], comparison: Comparison
) -> tuple[list[OnlineView], dict[str, Difference]]:
    """The views without features that the engine computes differently, and these. A view keeps at least one feature."""
    kept: list[OnlineView] = []
    refused: dict[str, Difference] = {}
    for online in stored:
        left, found = without_affected(online, comparison)
        named = {f"{online.name}:{feature}": difference for feature, difference in found.items()}
        if not left.features:
            raise refusal_of(named, f"'{online.name}' cannot be loaded")
        kept.append(left)
        refused |= named
    return kept, refused


def read_definitions(
    catalog: TypedCatalog, names: Sequence[str], comparison: Comparison
) -> dict[str, OnlineView | OnlineOnDemand | AsknownError]:
    """The definitions that the online table would store for the views ``names``, or the error of a broken one.

    Those of all on-demand views follow.
    """
    found: dict[str, OnlineView | OnlineOnDemand | AsknownError] = {}
    for name in names:
        try:
            found[name] = without_affected(stored_view(catalog.view(name), catalog), comparison)[0]
        except AsknownError as error:
            found[name] = error
    for name in served_on_demand(catalog.models):
        try:
            (found[name],), _ = without_affected_items([stored_on_demand(catalog.on_demand(name))], comparison)
        except AsknownError as error:
            found[name] = error
    return found


@dataclass(frozen=True)
class _Queries:
    """The queries of a load: the newest row of each key, the events of the windows, the rows dated ahead."""

    newest: Batches
    events: Batches | None
    later: Batches


class _ViewLoad:
    """The load of one view. With a ``spool`` its queries run at once, else when their rows are written."""

    def __init__(
        self,
        catalog: TypedCatalog,
        view: FeatureView,
        online: OnlineView,
        watermark: datetime,
        *,
        pushes: PushesBeside | None,
        spool: Spool | None,
        checked: bool,
    ) -> None:
        self.view = view
        self.watermark = watermark
        self._catalog = catalog
        self._defined = online
        self._online = with_starts(online, catalog, watermark, view.max_ahead)
        self._pushes = pushes
        self._spool = spool
        self._is_checked = checked
        self._spooled = None if spool is None else self._queries(Reading("all"))

    def _queries(self, reading: Reading) -> _Queries:
        """The queries for the newest rows, the events and the rows ahead, of what is to be read."""
        catalog, view = self._catalog, self.view
        plan = LoadPlan(view, self.watermark)
        models = reading.narrowed(catalog.ctes_of_views([view]))
        dialect = catalog.engine.dialect
        if not self._is_checked:
            _refuse_nulls(catalog, view, models)

        def query(compiled: Callable[..., Statement]) -> Batches:
            sql = check_sql(write(compiled(plan, models, catalog.reserved_names(), dialect), dialect), dialect)
            return (
                partial(catalog.engine.stream, sql)
                if self._spool is None
                else self._spool.keep(catalog.engine.stream(sql))
            )

        windowed = self._online.windows is not None
        return _Queries(query(compile_load), query(compile_events) if windowed else None, query(compile_ahead))

    def write(self, writer: LoadWriter, options: LoadOptions) -> LoadReport:
        """Writes the view's rows, events and rows ahead, and puts the pushed rows that the load cannot have seen."""
        reading = self._find_reading(writer, options)
        if reading.read == "all":
            report = self._write_all(writer, options, self._spooled or self._queries(reading))
        else:
            assert isinstance(writer, AddingWriter)
            report = self._add(writer, reading)
        if isinstance(writer, AddingWriter):
            writer.note(self.view.name, reading.note())
        held = writer.stored()[self.view.name]
        return replace(
            report,
            read=reading.read,
            why=reading.why,
            files=reading.count,
            files_read=reading.count_read,
            digest=held.hashes.digest([column.name for column in held.view.features]),
        )

    def _find_reading(self, writer: LoadWriter, options: LoadOptions) -> Reading:
        name = self.view.name
        held = None if options.full_refresh else writer.stored().get(name)
        if not isinstance(writer, AddingWriter):
            return Reading("all", None if held is None else "its online table takes all rows of a view alone")
        if self._online.windows is not None and self._online.windows.lifetime:
            return Reading("all", None if held is None else "it keeps no events, only states of all of them")
        if self._spooled is not None:
            return Reading("all", None if held is None else "its project has a source that takes pushes")
        if held is not None and held.pushes is not None:
            return Reading("all", "rows were pushed into it")
        return find_reading(
            self._catalog, self.view, self._defined, held=held, noted=writer.noted(name), at=self.watermark
        )

    def _add(self, writer: AddingWriter, reading: Reading) -> LoadReport:
        """Adds the rows of new files, if there are any, and moves the view on to the watermark."""
        newest: Iterable[Any] = ()
        events: Iterable[Any] = ()
        later: Iterable[Any] = ()
        if reading.files:
            queries = self._queries(reading)
            newest, later = queries.newest(), queries.later()
            events = () if queries.events is None else queries.events()
        return writer.add(self._online, newest, events, later, watermark=self.watermark, max_ahead=self.view.max_ahead)

    def _write_all(self, writer: LoadWriter, options: LoadOptions, queries: _Queries) -> LoadReport:
        online, watermark = self._online, self.watermark
        report = writer.load(
            online,
            queries.newest(),
            watermark,
            full_refresh=options.full_refresh,
            allow_shrink=options.allow_shrink,
            on_rows=None if options.on_rows is None else partial(options.on_rows, online.name),
        )
        if queries.events is not None:
            events = writer.load_events(online, queries.events(), watermark)
            report = replace(
                report, events_added=events.added, events_removed=events.removed, events_total=events.events_total
            )
        held = writer.stored()[online.name]
        max_ahead = self.view.max_ahead
        if held.pushes is not None:  # rows that arrived after an --until in the past are there already
            max_ahead = max(max_ahead, held.pushes.at - to_microseconds(watermark))
        ahead = writer.load_ahead(online, queries.later(), watermark, max_ahead)
        if self._pushes is not None:
            self._pushes.put(writer, online)
        elif held.pushes is not None:
            writer.load_pushed(online, None)
        return replace(report, rows_ahead=ahead.ahead, rows_beyond=ahead.beyond, beyond_at=ahead.beyond_at)


def _stored_service(service: Service) -> OnlineService:
    parts = tuple(ServicePart(line.view, line.features, line.alias, dict(line.keys)) for line in service.features)
    return OnlineService(service.name, parts)
