"""Audits features: trains again on sources without what was not known yet, or with other values for it (rule 11)."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from asknown.checks.audit import PROBES, AuditReport, Cause, Change, FeatureAudit, ProbeKind, choose_cuts
from asknown.checks.compare import differing, is_rounding, same
from asknown.emit.altered import (
    Alteration,
    KnownBy,
    Poisoned,
    Shuffled,
    Timed,
    compile_counts,
    compile_known_at,
    compile_moments,
)
from asknown.emit.compile import compile_training
from asknown.emit.identifiers import Names
from asknown.emit.models import relation_query
from asknown.emit.statement import Cte, Statement, write
from asknown.errors import AsknownError
from asknown.instants import read_instant
from asknown.model.nodes import FeatureColumn, FeatureView, OnDemandView, View
from asknown.plan.build import build_plan
from asknown.plan.request import RequestedFeature
from asknown.plan.rules import PlanOptions
from asknown.store.altered import ctes_of_altered_views, sources_of, timed_relations, times_of_model, times_of_source
from asknown.store.spine import read_spine
from asknown.store.states import lineage_of
from asknown.store.training import Planned, plan_request
from asknown.store.typed_catalog import TypedCatalog

if TYPE_CHECKING:
    import pyarrow as pa

_SHUFFLES = 2


def audit_features(
    catalog: TypedCatalog,
    features: str | Sequence[str],
    spine: Any,
    *,
    timestamp: str | None,
    cuts: int,
    rows: int,
    seed: int,
    probes: Sequence[ProbeKind] = PROBES,
    options: PlanOptions | None = None,
    on_step: Callable[[str], None] | None = None,
) -> AuditReport:
    """The audit of ``features`` over up to ``rows`` random rows of a spine.

    ``on_step`` is called with what the audit is about to do.
    """
    given = _sampled(catalog, spine, timestamp, rows, seed)
    planned = plan_request(catalog, given, features, full_names=True, timestamp=timestamp, options=options)
    audit = _Audit(catalog, planned, timestamp, on_step or (lambda _: None))
    audit.run_probes(probes, cuts, seed)
    return audit.report(seed)


def _sampled(catalog: TypedCatalog, spine: Any, timestamp: str | None, rows: int, seed: int) -> pa.Table:
    """Random rows of the spine, in its order. They are kept apart, because the spine may read what is altered."""
    relation = read_spine(spine, catalog, catalog.models.renderer, timestamp=timestamp).relation
    dialect = catalog.engine.dialect
    name = Names(catalog.reserved_names()).fresh("spine_rows")
    ctes = [*catalog.ctes(relation.refs, sources=relation.sources), Cte(name, relation.sql)]
    statement = Statement(tuple(ctes), relation_query(name, dialect))
    table = catalog.engine.stream(write(statement, dialect)).read_all()
    table = table.select([column.name for column in relation.columns])
    if table.num_rows <= rows:
        return table
    return table.take(sorted(random.Random(seed).sample(range(table.num_rows), rows)))


class _Audit:
    """One audit: the values over all rows, and what each probe made of them."""

    def __init__(
        self,
        catalog: TypedCatalog,
        planned: Planned,
        timestamp: str | None,
        tell: Callable[[str], None],
    ) -> None:
        self._catalog = catalog
        self._planned = planned
        self._timestamp = timestamp
        self._tell = tell
        self._reads = {item.output: tuple(_views_of(item.view, item)) for item in planned.requested}
        tell("the values over all rows")
        self._full = self._train(None)
        instants = self._full.column(planned.plan.spine.instant.name).to_pylist()
        self._instants = [None if when is None else read_instant(when, "the spine's instant") for when in instants]
        self._found = {item.output: FeatureAudit(item.label, item.column.name) for item in planned.requested}
        self._failures: list[str] = []
        self._cuts: tuple[datetime, ...] = ()

    # -- probes ------------------------------------------------------------------------------------------------------

    def run_probes(self, probes: Sequence[ProbeKind], cuts: int, seed: int) -> None:
        """Runs the probes and notes each feature's first change by each of them."""
        self._note_reasons()
        if "rerun" in probes:
            self._compare("rerun", None, None)
        if "order" in probes:
            self._shuffle(seed)
        if not {"future", "poison"} & set(probes):
            return
        self._cuts = choose_cuts([when for when in self._instants if when is not None], cuts, seed)
        counts = {view.name: self._counts(view, None) for view in self._planned.views}
        for number, cut in enumerate(self._cuts):
            high = number // 2 % 2 == 0
            alterations: dict[ProbeKind, Alteration] = {"future": KnownBy(cut), "poison": Poisoned(cut, high=high)}
            ran = [
                self._compare(probe, cut, alteration) for probe, alteration in alterations.items() if probe in probes
            ]
            if all(ran):  # a query that could not run has shown nothing
                self._count_probes(cut, counts)

    def _shuffle(self, seed: int) -> None:
        dialect = self._catalog.engine.dialect
        if "shuffled" not in dialect.snippets:
            self._failures.append(f"order: {dialect.name} is not made to read rows in another order")
            return
        for number in range(_SHUFFLES):
            self._compare("order", None, Shuffled(seed + number))

    def _compare(self, probe: ProbeKind, cut: datetime | None, alteration: Alteration | None) -> bool:
        """Notes the changes that a probe makes. False if its query could not run."""
        self._tell(probe if cut is None else f"{probe} at {cut}")
        try:
            table = self._train(alteration)
        except AsknownError as error:
            self._failures.append(f"{probe} at {cut}: {error.message}" if cut else f"{probe}: {error.message}")
            return False
        places = [p for p, when in enumerate(self._instants) if cut is None or (when is not None and when <= cut)]
        full, other = self._full.take(places), table.take(places)
        for name, feature in self._found.items():
            pairs = [(place, full.column(name)[place].as_py(), other.column(name)[place].as_py())
                     for place in differing(full.column(name), other.column(name))]  # fmt: skip
            near = feature.rounding or probe == "order"
            changed = [pair for pair in pairs if not is_rounding(*pair[1:], near=near)]
            feature.rounding |= len(changed) < len(pairs)
            if not changed or any(change.probe == probe for change in feature.changes):
                continue
            place, before, after = changed[0]
            (row,) = self._spine_rows(full, place).to_pylist()
            change = Change(probe, cut, row, before, after, len(changed))
            if cut is not None:
                change = replace(change, cause=self._cause(name, self._spine_rows(full, place), change, alteration))
            feature.changes.append(change)
        return True

    def _spine_rows(self, table: pa.Table, place: int) -> pa.Table:
        return table.select([column.name for column in self._planned.plan.spine.columns]).slice(place, 1)

    def _train(self, alteration: Alteration | None, planned: Planned | None = None) -> pa.Table:
        planned = planned or self._planned
        catalog, dialect = self._catalog, self._catalog.engine.dialect
        models = ctes_of_altered_views(catalog, planned.views, alteration)
        statement = compile_training(planned.plan, models, catalog.reserved_names(), dialect)
        wide = dialect.plans.wide is not None and planned.plan.width >= dialect.plans.wide
        return catalog.engine.stream(write(statement, dialect), wide=wide).read_all()

    # -- what was tested ---------------------------------------------------------------------------------------------

    def _note_reasons(self) -> None:
        """Notes for each feature whether all that it reads is static, or what it reads whose times nobody tells."""
        catalog, project = self._catalog, self._catalog.project
        silent: dict[str, set[str]] = {}
        for view in self._planned.views:
            closure = catalog.models.closure([view.name])
            silent[view.name] = set()
            for key in sources_of(closure):
                table = project.sources[key]
                between = (m for m in closure if key in _sources_below(catalog, m.name))
                told = times_of_source(table, project).tells or any(
                    times_of_model(project.docs.get(model.name)).tells for model in between
                )
                if not told and not table.static:
                    silent[view.name].add(f"{table.source}.{table.name}")
        static = {f"{table.source}.{table.name}" for table in project.sources.values() if table.static}
        for item in self._planned.requested:
            edges = lineage_of(catalog, item.view).get(item.column.name, ())
            tables = {edge.table for edge in edges}
            feature = self._found[item.output]
            unknown = sorted(tables & set().union(*(silent[view.name] for view in self._reads[item.output])))
            feature.is_static = bool(tables) and tables <= static
            if unknown:
                feature.reason = f"{', '.join(unknown)} does not say when its rows were known"

    def _counts(self, view: FeatureView, alteration: Alteration | None) -> dict[Any, tuple[int, ...]]:
        """Each key's number of rows and values in a view."""
        dialect = self._catalog.engine.dialect
        models = ctes_of_altered_views(self._catalog, [view], alteration)
        statement = compile_counts(view, models, self._catalog.reserved_names(), dialect)
        width = len(view.keys)
        return {row[:width]: row[width:] for row in self._catalog.engine.rows(write(statement, dialect))}

    def _count_probes(self, cut: datetime, counts: dict[str, dict[Any, tuple[int, ...]]]) -> None:
        """Adds the rows of the spine at or before the cut whose keys lost a row or a value at it."""
        lost: dict[str, set[Any]] = {}
        for view in self._planned.views:
            left = self._counts(view, KnownBy(cut))
            lost[view.name] = {key for key, count in counts[view.name].items() if left.get(key) != count}
        before = [place for place, when in enumerate(self._instants) if when is not None and when <= cut]
        columns = self._planned.plan.spine.columns
        rows = self._full.select([column.name for column in columns]).rename_columns(
            [column.name.casefold() for column in columns]
        )
        asked = rows.take(before).to_pylist()
        for item in self._planned.requested:
            renamed = dict(item.keys)
            keys = [
                (view.name, [renamed.get(key.name, key.name).casefold() for key in view.keys])
                for view in self._reads[item.output]
            ]
            hit = sum(any(tuple(row.get(key) for key in names) in lost[view] for view, names in keys) for row in asked)
            self._found[item.output].probes += hit

    # -- causes ------------------------------------------------------------------------------------------------------

    def _cause(self, output: str, row: pa.Table, change: Change, alteration: Alteration | None) -> Cause | None:
        """The row that became known after the cut and changed a value, found by bisecting the instant of the cut."""
        assert change.cut is not None
        item = next(item for item in self._planned.requested if item.output == output)
        relations = {timed.name: timed for view in self._reads[output] for timed in self._timed(view)}
        moments = sorted({moment for timed in relations.values() for moment in self._moments(timed, change.cut)})
        if not moments:
            return None
        alone = self._planned_alone(item, row)

        def is_full(place: int) -> bool:
            moment = moments[place]
            cut = replace(alteration, at=moment) if isinstance(alteration, KnownBy | Poisoned) else alteration
            return same(self._train(cut, alone).column(output)[0].as_py(), change.full)

        low, high = -1, len(moments) - 1  # the value differs at low, and is the full one at high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (low, middle) if is_full(middle) else (middle, high)
        for timed in relations.values():
            rows = self._rows_known_at(timed, moments[high])
            if rows:
                return Cause(timed.name, moments[high], rows[0])
        return None

    def _planned_alone(self, item: RequestedFeature, row: pa.Table) -> Planned:
        """The plan of one feature over one row of the spine."""
        catalog = self._catalog
        spine = read_spine(row, catalog, catalog.models.renderer, timestamp=self._timestamp)
        plan = build_plan(spine, [item], catalog.sample, catalog.engine.dialect)
        return Planned(plan, (item,), tuple(self._reads[item.output]))

    def _timed(self, view: FeatureView) -> Iterable[Timed]:
        return timed_relations(self._catalog, view.name)

    def _moments(self, timed: Timed, after: datetime) -> Iterator[datetime]:
        statement = compile_moments(self._ctes_to(timed), timed, after, self._catalog.engine.dialect)
        for (moment,) in self._catalog.engine.rows(write(statement, self._catalog.engine.dialect)):
            yield read_instant(moment, timed.name)

    def _rows_known_at(self, timed: Timed, moment: datetime) -> list[dict[str, Any]]:
        statement = compile_known_at(self._ctes_to(timed), timed, moment, self._catalog.engine.dialect)
        table = self._catalog.engine.stream(write(statement, self._catalog.engine.dialect)).read_all()
        return [dict(row) for row in table.to_pylist()]

    def _ctes_to(self, timed: Timed) -> list[Cte]:
        """The CTEs of a relation, unaltered."""
        if timed.name in self._catalog.project.models:
            return ctes_of_altered_views(self._catalog, (), None, refs=[timed.name])
        key = next(k for k, t in self._catalog.project.sources.items() if f"{t.source}.{t.name}" == timed.name)
        return ctes_of_altered_views(self._catalog, (), None, sources=[key])

    def report(self, seed: int) -> AuditReport:
        """The audit of each feature, by the probes that have run."""
        return AuditReport(
            tuple(self._found.values()), self._full.num_rows, self._cuts, seed, tuple(dict.fromkeys(self._failures))
        )


def _views_of(view: View, item: RequestedFeature) -> Iterator[FeatureView]:
    """The feature views that a feature is computed from."""
    if isinstance(view, FeatureView):
        yield view
        return
    assert isinstance(view, OnDemandView)
    for name in view.read_by(item.column.name):
        origin = view.column(name).origin
        if isinstance(origin, FeatureColumn):
            yield from _views_of(origin.view, replace(item, column=origin.column))


def _sources_below(catalog: TypedCatalog, model: str) -> set[tuple[str, str]]:
    return set(sources_of(catalog.models.closure([model])))
