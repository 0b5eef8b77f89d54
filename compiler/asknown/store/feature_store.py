"""The library's entry point: a project, its engine and its online table."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asknown.catalog.references import list_references
from asknown.durations import microseconds
from asknown.errors import AsknownError, did_you_mean
from asknown.online.answer import OnlineResponse
from asknown.paths import check_count
from asknown.store.sessions import Sessions
from asknown.store.turns import in_turn

if TYPE_CHECKING:
    import pyarrow as pa

    from asknown.catalog.lineage import Edge
    from asknown.lint.nodes import Finding
    from asknown.model.nodes import FeatureView, OnDemandView
    from asknown.online.report import Check, Inspection, LoadReport
    from asknown.plan.needs import Needs
    from asknown.plan.rules import PlanOptions
    from asknown.store.checks import ProjectChecks
    from asknown.store.push import PushWriter
    from asknown.store.push_answers import PushAnswer
    from asknown.store.push_paths import PushPath
    from asknown.store.registry import ProjectRegistry
    from asknown.store.retrieval import RetrievalJob


class FeatureStore(Sessions):
    """A project's features: training sets as of the past, and the online table as of now.

    ``path`` is the project's folder or any below it; ``target`` one of the profile's outputs (default: the profile's
    own choice). The constructor reads the project's YAML; models are rendered, and the engine is started, when they
    are needed. Close the store, or use it in a ``with`` block. Threads may share it and take turns; a process
    that is forked from one that has used it opens everything anew.
    """

    def __init__(self, path: str | Path = ".", target: str | None = None) -> None:
        super().__init__(path, target)
        self._plan_options: PlanOptions | None = None  # tests and benchmarks force forms; the results are the same
        self.unrecorded: str | None = None
        """Why the registry does not know of the last load, if it should."""

    # -- training --------------------------------------------------------------------------------------------------

    @in_turn
    def get_historical_features(
        self,
        entity_df: Any,
        features: str | Sequence[str],
        full_feature_names: bool = False,
        *,
        timestamp: str | None = None,
        statuses: bool = False,
    ) -> RetrievalJob:
        """The training set of ``features`` on the spine ``entity_df``, as a job that has not run yet.

        ``entity_df`` is a pandas or polars frame, Arrow data, a Parquet or CSV path, SQL text (in which ``ref`` and
        ``source`` work), or a model's name. Each row has the entities' keys and an instant: the column ``timestamp``,
        else ``event_timestamp``, else its only datetime column; naive instants are UTC. ``features`` is a feature
        service's name or a list of services, views and ``view:feature``. With ``full_feature_names`` columns are
        called ``view__feature``.

        The result has every row of the spine once, in order, with all its columns, then one column for each feature
        in the order asked for: its value as known at the row's instant, or NULL. With ``statuses`` each feature has a
        column ``<feature>__status`` beside it, as of an online read: PRESENT, NULL_VALUE, NOT_FOUND or OUTSIDE_MAX_AGE.
        Raises AsknownError.
        """
        from asknown.store.training import make_job, record_files

        requested = list_references(features)
        frozen, features = self._at_versions(features)
        if frozen is not None:
            job = frozen.get_historical_features(
                entity_df, features, full_feature_names, timestamp=timestamp, statuses=statuses
            )
            return record_files(job, self._catalog, requested, entity_df)
        if any(table.push is not None for table in self.project.sources.values()):
            from asknown.store.landing import land_all

            land_all(self.project, wait=60.0)
        job = make_job(
            self._typed,
            entity_df,
            features,
            full_names=full_feature_names,
            timestamp=timestamp,
            statuses=statuses,
            options=self._plan_options,
        )
        return record_files(job, self._catalog, requested, entity_df)

    @in_turn
    def compile_model(self, name: str, *, dialect: str | None = None) -> str:
        """The SQL of a plain model or feature view and of everything upstream of it, as one runnable query.

        In the target's dialect, or in ``dialect`` without a connection to anything but files.
        """
        frozen, (name,) = self._at_versions([name])
        if frozen is not None:
            return frozen.compile_model(name, dialect=dialect)
        from asknown.store.training import compile_relation

        catalog, written = self._compiling(dialect)
        return compile_relation(catalog, name, dialect=written)

    @in_turn
    def compile_service(
        self,
        features: str | Sequence[str],
        *,
        full_feature_names: bool = False,
        dialect: str | None = None,
        from_: Any = None,
        until: Any = None,
    ) -> str:
        """The training query of ``features`` over a table ``spine`` that has the keys and ``event_timestamp``.

        In the target's dialect, or in ``dialect`` without a connection to anything but files. With ``from_`` and
        ``until``, the query takes the rows of ``spine`` from the one instant to the other, both included, and reads of
        the views' rows those alone that these can see: by plain conditions on their time columns, so that an engine
        reads the partitions that it needs.
        """
        frozen, features = self._at_versions(features)
        if frozen is not None:
            return frozen.compile_service(
                features, full_feature_names=full_feature_names, dialect=dialect, from_=from_, until=until
            )
        from asknown.store.training import compile_request, read_range

        within = read_range(from_, until)
        catalog, written = self._compiling(dialect)
        return compile_request(
            catalog,
            features,
            full_names=full_feature_names,
            dialect=written,
            options=self._plan_options,
            within=within,
        )

    @in_turn
    def preview(self, name: str, limit: int | None = 10) -> pa.Table:
        """The first rows of a model, in the engine's order; all of them if ``limit`` is None."""
        frozen, (name,) = self._at_versions([name])
        if frozen is not None:
            return frozen.preview(name, limit)
        from asknown.store.training import compile_relation

        rows = None if limit is None else check_count(limit, "limit")
        typed = self._typed
        return typed.engine.stream(compile_relation(typed, name, limit=rows)).read_all()

    @in_turn
    def session_statements(self, dialect: str | None = None) -> tuple[str, ...]:
        """The statements that a session needs before it runs compiled SQL: its time zone, and what joins need."""
        from asknown.emit.statement import head

        catalog, written = self._compiling(dialect)
        return head(written or catalog.engine.dialect)

    # -- the warehouse ---------------------------------------------------------------------------------------------

    @in_turn
    def run(
        self, models: str | Sequence[str] | None = None, on_built: Callable[[str, str], None] | None = None
    ) -> list[str]:
        """Builds the models that are materialized as tables or views, upstream first, and returns their names.

        ``models`` chooses some of them, with everything upstream. ``on_built`` gets each model's name and kind.
        """
        from asknown.store.build import build_models, read_names

        chosen = None if models is None else read_names(models, "models")
        self.close()
        return build_models(self.project, self._catalog, chosen, on_built)

    # -- online ----------------------------------------------------------------------------------------------------

    @in_turn
    def materialize(
        self,
        until: Any = None,
        views: str | Sequence[str] | None = None,
        *,
        full_refresh: bool = False,
        allow_shrink: bool = False,
        prune: bool = False,
        wait: float = 60.0,
        on_rows: Callable[[str, int], None] | None = None,
        on_wait: Callable[[str], None] | None = None,
    ) -> list[LoadReport]:
        """Loads the online table: it then holds what the training query says at ``until`` (default: now), and no more.

        ``until`` is text in ISO form, a date, a datetime, or pandas' or numpy's instant; without a zone it is UTC.

        All ``views`` (default: every feature view with ``online`` true) are loaded in one transaction, which also
        keeps the feature services. Late rows enter, edited rows take their new values, and keys that have left the
        sources leave: a load reads the whole view, or its new files where the others are what they were and the table
        will be the same. The same load twice changes nothing. If more than a tenth of a view's
        keys would leave, and at least ten, ``load-shrinks`` is raised and nothing changes, unless ``allow_shrink`` is
        True. An ``until`` before the last load's is ``load-older``; with ``full_refresh``, which drops what was stored
        before, the table may go back. ``prune`` removes views that the project no longer has, or keeps out of the
        online table. While another load runs, this one waits up to ``wait`` seconds, and calls ``on_wait`` with a
        message. ``on_rows`` is called with a view's name and its rows so far. Returns one report for each view.
        """
        from asknown.store.build import read_names
        from asknown.store.materialize import LoadOptions, load_views, read_watermark
        from asknown.store.runs import record_loads

        if isinstance(wait, bool) or not isinstance(wait, int | float):
            raise AsknownError("bad-value", f"wait: {wait!r} is not a number of seconds", hint="give wait=60")
        read_watermark(until, self.project.profile.online)  # before anything else runs
        names = self._online_views() if views is None else self._with_pins_named(read_names(views, "views"))
        for name in names:
            self._require_view(name)
        if self.project.profile.registry.enforce:
            self.registry.require_applied(names)
        self._close_reader()
        options = LoadOptions(
            until,
            full_refresh=full_refresh,
            allow_shrink=allow_shrink,
            keep=self._online_views() if prune else None,
            wait=wait,
            on_rows=on_rows,
            on_wait=on_wait,
        )
        reports = load_views(self._typed, names, options)
        self.unrecorded = record_loads(self._catalog, reports)
        return reports

    @in_turn
    def get_online_features(
        self,
        features: str | Sequence[str],
        entity_rows: Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]],
        at: Any = None,
        full_feature_names: bool = False,
    ) -> OnlineResponse:
        """The features of some entities at the instant ``at`` (default: now), from the online table alone.

        ``entity_rows`` are dicts of key columns (or one dict of columns); their order and duplicates are kept. The
        values are those of the training query at the same keys and instant over the rows loaded by then, bit for bit.
        The call needs neither the models nor the engine.
        """
        return self._online().get_online_features(features, entity_rows, at=at, full_feature_names=full_feature_names)

    def push(self, source: str, rows: Any, *, partial: bool = False, ids: Sequence[str] | None = None) -> PushAnswer:
        """Pushes rows into a source's table, and returns what became of them once they are durable and readable.

        ``source`` is a table that declares ``push``: ``orders``, or ``shop.orders``. ``rows`` is a list of dicts, a
        dict of lists, or a data frame, with every column of the table but the arrival. A repeat, by its id, changes
        nothing. All rows are refused if one is, unless ``partial``. Views that compute each row from one row of the
        source follow at once; others with the next load. Threads may push at the same time, and share commits.
        """
        return self.push_writer().push(source, rows, partial=partial, ids=ids)

    @in_turn
    def push_paths(self) -> list[PushPath]:
        """Which views follow pushes into which source, and what keeps the others from that."""
        from asknown.store.push_paths import find_paths

        return find_paths(lambda: self._typed, self.project)

    def push_writer(self) -> PushWriter:
        """The writer of :meth:`push`, for programs that do not want to wait for each answer."""
        self._turns.settle(self._abandon)
        return self._pushes or self._open_push_writer()  # does not wait while this store loads

    @in_turn
    def _open_push_writer(self) -> PushWriter:
        if self._pushes is None:
            from asknown.store.push import PushWriter

            root, target = self.project.settings.root, self.project.profile.target.name
            self._pushes = PushWriter(self.project, lambda: FeatureStore(root, target))
        return self._pushes

    @in_turn
    def doctor(self, *, max_age: str | None = None) -> Inspection:
        """Inspects the online table: damage, hashes, watermarks, age, and whether it fits the project and the engine.

        A watermark older than the view's ``freshness`` in YAML allows, or than ``max_age`` (as in ``"2 hours"``) for
        views without one, needs something done.
        ``healthy``: nothing needs to be done; ``findings``: what does, each with the command to run. Raises nothing.
        """
        from asknown.store.doctor import inspect_online

        oldest = None if max_age is None else microseconds(max_age)
        return inspect_online(self.project, lambda: self._typed, self._online_views, oldest)

    def check(self) -> list[Finding]:
        """The findings that the project's files and the columns of its sources show, by place. Reads no row."""
        return self.checks.findings()

    @property
    def checks(self) -> ProjectChecks:
        """The project's checks."""
        from asknown.store.checks import ProjectChecks

        return ProjectChecks(self.project, self._catalog, lambda: self._engine, lambda: self._typed, self._online)

    @in_turn
    def check_target(self) -> tuple[Check, ...]:
        """Connects to the target and checks its version and what it lacks. A failure is a check and raises nothing."""
        from asknown.store.doctor import check_target

        return check_target(self.project, lambda: self._engine, lambda: self._typed)

    @property
    def registry(self) -> ProjectRegistry:
        """The project's registry: what was applied, what an apply would change, and the apply itself."""
        from asknown.store.registry import ProjectRegistry

        return ProjectRegistry(self.project, self._catalog, lambda: self._typed)

    def at_version(self, name: str) -> tuple[FeatureStore, str]:
        """(a store in which the view of ``carrier_delays@v3`` is that version, the view's name)."""
        frozen, (plain,) = self._at_versions([name])
        return self if frozen is None else frozen, plain

    def _at_versions(self, names: Any) -> tuple[FeatureStore | None, list[str]]:
        """(a store with the versions that the names ask for, the names without them); None if they ask for none."""
        catalog, plain = None, self._with_pins_named(list_references(names))
        if any("@" in str(name) for name in plain):
            from asknown.store.versions import catalog_at_versions

            catalog, plain = catalog_at_versions(self._catalog, plain)
        if catalog is None:
            return None, plain
        store = FeatureStore(self.project.settings.root, self.project.profile.target.name)
        store.project, store._catalog = catalog.project, catalog
        self._frozen.append(store)
        return store, plain

    @in_turn
    def feature_view(self, name: str) -> FeatureView:
        """The feature view ``name``, with its keys, times and features and their types."""
        self._require_view(name)
        return self._typed.view(name)

    @in_turn
    def on_demand_view(self, name: str) -> OnDemandView:
        """The on-demand view ``name``, with its keys, inputs and features and their types."""
        if name not in self.project.models or not self._catalog.model(name).is_on_demand:
            raise AsknownError(
                "unknown-view",
                f"there is no on-demand view '{name}'",
                hint=did_you_mean(name, self._catalog.on_demand_views(), what="on-demand views"),
            )
        return self._typed.on_demand(name)

    @in_turn
    def needs(self, features: str | Sequence[str]) -> Needs:
        """The keys and inputs, with their types, that a spine or a read of ``features`` must bring."""
        from asknown.store.training import needs_of

        return needs_of(self._typed, features)

    @in_turn
    def lineage(self, view: str) -> dict[str, tuple[Edge, ...]]:
        """The columns of sources that each feature of a view or on-demand view comes from, with their roles."""
        from asknown.store.states import lineage_of

        return lineage_of(self._typed, self._typed.asked(view))

    @in_turn
    def columns(self, model: str) -> list[tuple[str, str]]:
        """The (name, type) of each column of a model."""
        from asknown.store.build import read_names

        (name,) = read_names(model if isinstance(model, str) else [model], "model")
        return [(column.name, column.type.name) for column in self._typed.columns(name)]

    # -- inside ------------------------------------------------------------------------------------------------------

    def _require_view(self, name: str) -> None:
        if not self._catalog.is_view(name):
            raise AsknownError(
                "unknown-view",
                f"there is no feature view '{name}'",
                hint=did_you_mean(name, self._catalog.view_names(), what="feature views"),
            )

    def _online_views(self) -> list[str]:
        from asknown.store.materialize import online_views

        return online_views(self._catalog)
