"""Checks a target, and the online table against the project and the engine."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace

from asknown.durations import spell
from asknown.emit.models import source_name
from asknown.emit.probe import compile_first
from asknown.emit.statement import write
from asknown.emit.unknown_types import is_unknown
from asknown.engines.engine import Engine
from asknown.errors import AsknownError, hidden
from asknown.online.backend import inspect_table
from asknown.online.nodes import OnlineOnDemand, OnlineView, Owner
from asknown.online.report import Check, Inspection, State
from asknown.project.nodes import Project, SourceTable
from asknown.store.materialize import read_definitions
from asknown.store.parity import check_parity, compare_engine
from asknown.store.typed_catalog import TypedCatalog


def inspect_online(
    project: Project,
    catalog: Callable[[], TypedCatalog],
    views: Callable[[], Sequence[str]],
    max_age: int | None = None,
) -> Inspection:
    """Inspects the online table of ``views``. A project or engine that fails is a finding and raises nothing.

    A watermark may be as old as the view's ``freshness`` says, else ``max_age`` microseconds, where that is given.
    """
    definitions: Mapping[str, OnlineView | OnlineOnDemand | AsknownError] | AsknownError
    checks: tuple[Check, ...] = ()
    try:
        typed = catalog()
        comparison = compare_engine(typed.engine)
        checks = check_parity(comparison)
        definitions = read_definitions(typed, views(), comparison)
    except AsknownError as error:
        definitions = error
    online = project.profile.online
    inspection = inspect_table(online.address, definitions, owner=Owner(online.project, online.target))
    aged = [judge_age(check, project, max_age) for check in inspection.checks]
    return replace(inspection, checks=(*aged, *checks))


def judge_age(check: Check, project: Project, max_age: int | None) -> Check:
    """The check of a watermark with its age judged; any other check as it is."""
    age = check.facts.get("age_seconds")
    if check.check != "watermark" or check.state == "act" or age is None:
        return check
    doc = project.docs.get(check.of)
    if doc is not None and doc.freshness is not None:
        limits: tuple[tuple[State, int | None], ...] = (
            ("act", doc.freshness.error_after),
            ("note", doc.freshness.warn_after),
        )
    else:
        limits = (("act", max_age),)
    for state, limit in limits:
        if limit is not None and age * 1_000_000 > limit:
            facts = {**check.facts, "max_age_seconds": limit / 1_000_000}
            found = f"{check.found}: it may be {spell(limit)} old"
            return replace(check, state=state, found=found, run=f"asknown materialize {check.of}", facts=facts)
    return check


def check_target(
    project: Project, engine: Callable[[], Engine], catalog: Callable[[], TypedCatalog]
) -> tuple[Check, ...]:
    """Connects to the target and checks its version and settings, what it lacks, and its sources.

    Of a source: whether it can be read, which of its types only the engine knows, and whether the zone of its times is
    in doubt. A failure is a check and raises nothing.
    """
    target = project.profile.target
    try:
        found = engine().check()
    except AsknownError as error:
        return (Check("connection", target.name, "act", error.message, error.hint),)
    checks = [Check("connection", target.name, "ok", f"a {target.type} target that answers")]
    facts = (("version", found.version), *found.facts)
    checks += [Check(fact, target.name, "ok", hidden(value)) for fact, value in facts]
    checks += [Check("missing", target.name, "note", lack) for lack in found.missing]
    lost = catalog().sources.missing()
    if len(project.sources) > len(lost):
        checks.append(Check("sources", target.name, "ok", f"{len(project.sources) - len(lost)} found"))
    checks += [Check("source", source, "act", error.message, error.hint) for source, error in lost.items()]
    for key, table in project.sources.items():
        if source_name(table) not in lost:
            checks += _check_source(key, table, catalog(), found.zone)
    return tuple(checks)


def _check_source(key: tuple[str, str], table: SourceTable, catalog: TypedCatalog, zone: str) -> Iterator[Check]:
    """Reads one row of a source, and looks at the types of its columns."""
    name, dialect = source_name(table), catalog.engine.dialect
    try:
        (source,) = catalog.ctes([], sources=[key])
        catalog.engine.rows(write(compile_first(source), dialect))
    except AsknownError as error:
        denied = "permission denied" in error.message or "Not enough privileges" in error.message
        user = "grant the target's user the right to read it: grant select on … to …" if denied else error.hint
        yield Check("source", name, "act", f"cannot be read: {error.message}", user)
        return
    columns = catalog.sources.columns(key)
    unknown = [f"{column.name} ({column.type})" for column in columns if is_unknown(column.type)]
    if unknown and catalog.translates:
        yield Check(
            "types",
            name,
            "note",
            f"only {dialect.name} knows the type of {', '.join(unknown)}",
            "declare a data_type for those that models compute with, or cast them there",
        )
    naive = [column.name for column in columns if column.type.kind == "timestamp"]
    if naive and zone not in _UTC and table.timezone is None and table.path is None:
        yield Check(
            "zones",
            name,
            "note",
            f"the server is in {zone}, and {', '.join(naive)} have no zone: they count as UTC",
            f"where they are local times, declare timezone: {zone}; timezone: UTC says that they are not",
        )


_UTC = frozenset(("UTC", "Etc/UTC", "GMT", "Etc/GMT", "Z", "Zulu", "Etc/Zulu", "UCT", "Etc/UCT", "Universal"))
