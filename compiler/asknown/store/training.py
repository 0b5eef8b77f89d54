"""Makes a training query: a job from a spine and the requested features, or the SQL of one."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asknown.catalog.catalog import Catalog
from asknown.dialects.dialect import Dialect
from asknown.emit.compile import compile_training
from asknown.emit.statement import check_sql, standalone, with_ctes, write
from asknown.errors import AsknownError
from asknown.instants import read_instant
from asknown.model.nodes import FeatureView, OnDemandView, View
from asknown.plan.build import build_plan
from asknown.plan.needs import Needs, find_needs
from asknown.plan.nodes import AsOfJoin, Bounds, Plan, TrailingWindow
from asknown.plan.request import FeatureRequest, RequestedFeature, name_features, read_request
from asknown.plan.rules import PlanOptions
from asknown.plan.statuses import with_statuses
from asknown.store.on_demand import compile_alone
from asknown.store.spine import SPINE, check_inputs, check_keys, read_spine, spine_to_come
from asknown.store.terms import refuse_deprecated
from asknown.store.typed_catalog import TypedCatalog

if TYPE_CHECKING:
    from asknown.store.retrieval import RetrievalJob


def make_job(
    catalog: TypedCatalog,
    entity_df: Any,
    features: str | Sequence[str],
    *,
    full_names: bool,
    timestamp: str | None,
    statuses: bool,
    options: PlanOptions | None,
) -> RetrievalJob:
    """The training set of ``features`` on the spine ``entity_df``, as a job that has not run yet."""
    from asknown.store.outputs import InputFiles
    from asknown.store.retrieval import RetrievalJob  # takes Arrow, which a query that is only compiled does without

    planned = plan_request(
        catalog,
        entity_df,
        features,
        full_names=full_names,
        timestamp=timestamp,
        statuses=statuses,
        options=options,
    )
    plan, relation = planned.plan, planned.plan.spine.relation
    models = catalog.ctes_of_views(
        planned.views, refs=relation.refs, sources=relation.sources, columns=plan.columns_read
    )
    inputs = InputFiles(catalog.project, entity_df, catalog.sources.files)
    return RetrievalJob(plan, models, catalog.reserved_names(), catalog.engine, inputs)


@dataclass(frozen=True)
class Planned:
    """The plan of a request, its features in the order of the plan's outputs, and the feature views that it reads."""

    plan: Plan
    requested: tuple[RequestedFeature, ...]
    views: tuple[FeatureView, ...]


def record_files(job: RetrievalJob, catalog: Catalog, features: Sequence[str], spine: Any) -> RetrievalJob:
    """The job, which tells the registry, where one is kept, of the Parquet files that it writes."""

    def record(path: Path) -> str | None:
        if not catalog.project.profile.registry.is_kept:
            return None
        from asknown.store.runs import record_training

        named = str(spine) if isinstance(spine, str | Path) else type(spine).__name__
        return record_training(catalog, features, named, path)

    job.record = record
    return job


def plan_request(
    catalog: TypedCatalog,
    entity_df: Any,
    features: str | Sequence[str],
    *,
    full_names: bool,
    timestamp: str | None,
    statuses: bool = False,
    options: PlanOptions | None = None,
    outputs: Collection[str] | None = None,
) -> Planned:
    """The plan of ``features`` on the spine ``entity_df``; of those alone whose columns are ``outputs``, if given."""
    request = _read(catalog.models, features)
    refuse_deprecated(catalog.project, [item.view for item in request])
    views = {item.view: catalog.asked(item.view) for item in request}
    spine = read_spine(entity_df, catalog, catalog.models.renderer, timestamp=timestamp)
    reserved = [column.name for column in spine.columns]
    requested = name_features(request, views, full_names=full_names, reserved_names=reserved)
    if outputs is not None:
        requested = tuple(item for item in requested if item.output in outputs)
    plan = build_plan(spine, requested, catalog.sample, catalog.engine.dialect, options)
    if statuses:
        plan = with_statuses(plan, catalog.sample, catalog.engine.dialect, options)
    check_keys(plan, catalog)
    check_inputs(plan, catalog)
    return Planned(plan, requested, tuple(_read_from(plan, (item.view for item in requested))))


def read_range(earliest: Any, latest: Any) -> Bounds:
    """The range between two instants. Raises ``bad-value`` for one that ends before it begins."""
    first = None if earliest is None else read_instant(earliest, "from")
    last = None if latest is None else read_instant(latest, "until")
    if first is not None and last is not None and last < first:
        raise AsknownError("bad-value", f"until: {last} lies before from: {first}", hint="exchange the two")
    return Bounds(first, last)


def compile_request(
    catalog: TypedCatalog,
    features: str | Sequence[str],
    *,
    full_names: bool,
    dialect: Dialect | None,
    options: PlanOptions | None,
    within: Bounds,
) -> str:
    """The training query of ``features`` over a table ``spine``: in the engine's dialect, or written in ``dialect``.

    Of the table's rows it takes those whose instants lie ``within`` the bounds.
    """
    written = dialect or catalog.engine.dialect
    request = _read(catalog.models, features)
    views = {item.view: catalog.asked(item.view) for item in request}
    requested = name_features(request, views, full_names=full_names, reserved_names=[])
    spine = spine_to_come(requested, written, within)
    look = catalog.sample if dialect is None else _unseen
    plan = build_plan(spine, requested, look, written, options)
    read = _read_from(plan, views.values())
    models = catalog.ctes_of_views(read, dialect=dialect, columns=plan.columns_read)
    reserved = [*catalog.reserved_names(), *([SPINE] if written.ctes.sees_later else [])]
    sql = write(compile_training(plan, models, reserved, written), written)
    return check_sql(standalone(sql, written), written)


def compile_relation(
    catalog: TypedCatalog, name: str, *, dialect: Dialect | None = None, limit: int | None = None
) -> str:
    """The SQL of a model or view and of everything upstream, in the engine's dialect, or written in ``dialect``.

    With ``limit``, it gives no more rows.
    """
    written = dialect or catalog.engine.dialect
    if catalog.models.is_asked(name):
        view = catalog.asked(name)  # a view that other commands refuse is not printed either
        if isinstance(view, OnDemandView):
            return check_sql(standalone(compile_alone(view, written), written), written)
    catalog.columns(name)
    sql = write(with_ctes(catalog.ctes([name], dialect=dialect), name), written)
    if limit is not None:
        sql = f"{sql}\nLIMIT {limit}"
    return check_sql(standalone(sql, written), written)


def needs_of(catalog: TypedCatalog, features: str | Sequence[str]) -> Needs:
    """The keys and inputs that a spine or a read of ``features`` must bring."""
    return find_needs(requested_features(catalog, features))


def requested_features(catalog: TypedCatalog, features: str | Sequence[str]) -> tuple[RequestedFeature, ...]:
    """The features that ``features`` names, each once, by their full names."""
    request = _read(catalog.models, features)
    views = {item.view: catalog.asked(item.view) for item in request}
    return name_features(request, views, full_names=True, reserved_names=())


def _read(models: Catalog, features: str | Sequence[str]) -> tuple[FeatureRequest, ...]:
    return read_request(features, models.project.services, models.is_asked, _Views(models))


class _Views(Iterable[str]):
    """The names that a request may have. Iterating renders the whole project, so only hints do it."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog

    def __iter__(self) -> Iterator[str]:
        return iter(self._catalog.asked_names())


def _read_from(plan: Plan, views: Iterable[View]) -> list[FeatureView]:
    """The feature views that a plan reads, each once; the requested ones first, in their order."""
    read = {step.view.name: step.view for step in plan.steps if isinstance(step, AsOfJoin | TrailingWindow)}
    order = dict.fromkeys([*(view.name for view in views if view.name in read), *read])
    return [read[name] for name in order]


def _unseen(view: FeatureView) -> None:
    """No statistics, because nothing is connected to the engine that has the rows."""
