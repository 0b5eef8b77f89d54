"""Computes recorded training sets again: a value that is another one today was not all there was to know then."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from asknown.checks.audit import Change, FeatureAudit
from asknown.checks.compare import differing, is_rounding
from asknown.emit.compile import compile_training
from asknown.emit.statement import write
from asknown.errors import AsknownError
from asknown.plan.statuses import SUFFIX
from asknown.registry.nodes import Run
from asknown.store.content import hash_file
from asknown.store.training import Planned, plan_request, requested_features
from asknown.store.typed_catalog import TypedCatalog
from asknown.store.versions import has_version

_MOST_RUNS = 50  # recorded training sets that are looked at, the newest first


@dataclass
class PastAudit:
    """The outcome for recorded values: the features, the rows that were computed again, and what could not be."""

    features: dict[str, FeatureAudit]
    rows: int
    failures: list[str]


def audit_past(
    catalog: TypedCatalog,
    features: str | Sequence[str],
    runs: Sequence[Run],
    *,
    timestamp: str | None,
    rows: int,
    seed: int,
    tell: Callable[[str], None],
) -> PastAudit:
    """Compares up to ``rows`` rows of the newest recorded training set of each of ``features`` with today's values."""
    found = {f"{item.label}:{item.column.name}": FeatureAudit(item.label, item.column.name)
             for item in requested_features(catalog, features)}  # fmt: skip
    audit = PastAudit(found, 0, [])
    left = set(found)
    for run in [run for run in runs if run.kind == "train"][:_MOST_RUNS]:
        if not left:
            break
        try:
            names = _names(catalog, run)
            if not left & set(names.values()):
                continue
            tell(f"past: {run.path}")
            table = _read(run)
            left -= set(_compare(catalog, run, table, _Past(audit, names, left, timestamp, rows, seed)))
        except AsknownError as error:
            audit.failures.append(f"past: {error.message}")
    for name in left:
        found[name].reason = "no training set of it is recorded whose file is as it was"
    return audit


@dataclass(frozen=True)
class _Past:
    """The audit, the names of features by output, those that are still to be compared, and how many rows."""

    audit: PastAudit
    names: Mapping[str, str]
    left: set[str]
    timestamp: str | None
    rows: int
    seed: int


def _names(catalog: TypedCatalog, run: Run) -> dict[str, str]:
    """The features of a recorded training set by the short and the full names of their columns."""
    asked = [feature for feature in run.features if not has_version(feature)]
    if not asked:
        return {}
    items = requested_features(catalog, asked)
    named = {item.output: f"{item.label}:{item.column.name}" for item in items}
    return named | {item.column.name: f"{item.label}:{item.column.name}" for item in items}


def _read(run: Run) -> pa.Table:
    path = Path(run.path)
    if not path.exists():
        raise AsknownError("no-data", f"{path} of {run.at} is gone")
    try:
        if hash_file(path) != run.digest:
            raise AsknownError("no-data", f"{path} is no longer what was recorded at {run.at}")
        return pq.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise AsknownError("no-data", f"{path} cannot be read: {error}") from None


def _compare(catalog: TypedCatalog, run: Run, table: pa.Table, past: _Past) -> Iterator[str]:
    """Notes the values that differ; gives the features that were compared."""
    if table.num_rows > past.rows:
        table = table.take(sorted(random.Random(past.seed).sample(range(table.num_rows), past.rows)))
    outputs = [name for name in table.schema.names if name in past.names]
    own = {*outputs, *(name + SUFFIX for name in outputs)}
    spine = table.select([name for name in table.schema.names if name not in own])
    full_names = any(_is_full(name, past) for name in outputs)
    asked = [feature for feature in run.features if not has_version(feature)]
    planned = plan_request(catalog, spine, asked, full_names=full_names, timestamp=past.timestamp)
    today = _train(catalog, planned)
    past.audit.rows += table.num_rows
    for item in planned.requested:
        name = f"{item.label}:{item.column.name}"
        if item.output not in outputs or name not in past.left:
            continue
        feature = past.audit.features[name]
        feature.probes += table.num_rows
        recorded, now = table.column(item.output), today.column(item.output)
        if recorded.type != now.type:
            feature.reason = f"it was {recorded.type} then, and is {now.type}"
            yield name
            continue
        pairs = [(place, recorded[place].as_py(), now[place].as_py()) for place in differing(recorded, now)]
        changed = [pair for pair in pairs if not is_rounding(*pair[1:], near=False)]
        feature.rounding |= len(changed) < len(pairs)
        if changed:
            place, before, after = changed[0]
            (row,) = spine.slice(place, 1).to_pylist()
            feature.changes.append(Change("past", None, row, before, after, len(changed)))
        yield name


def _is_full(name: str, past: _Past) -> bool:
    view, _, feature = past.names[name].partition(":")
    return name == f"{view}__{feature}"


def _train(catalog: TypedCatalog, planned: Planned) -> pa.Table:
    models = catalog.ctes_of_views(planned.views)
    dialect = catalog.engine.dialect
    statement = compile_training(planned.plan, models, catalog.reserved_names(), dialect)
    return catalog.engine.stream(write(statement, dialect)).read_all()
