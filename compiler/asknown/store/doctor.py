"""Checks a target, and the online table against the project and the engine."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from asknown.engines.engine import Engine
from asknown.errors import AsknownError, hidden
from asknown.online.backend import inspect_table
from asknown.online.nodes import OnlineOnDemand, OnlineView, Owner
from asknown.online.report import Check, Inspection
from asknown.project.nodes import Project
from asknown.store.materialize import read_definitions
from asknown.store.parity import check_parity, compare_engine
from asknown.store.typed_catalog import TypedCatalog


def inspect_online(
    project: Project, catalog: Callable[[], TypedCatalog], views: Callable[[], Sequence[str]]
) -> Inspection:
    """Inspects the online table of ``views``. A project or engine that fails is a finding and raises nothing."""
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
    return replace(inspection, checks=(*inspection.checks, *checks))


def check_target(
    project: Project, engine: Callable[[], Engine], catalog: Callable[[], TypedCatalog]
) -> tuple[Check, ...]:
    """Connects to the target and checks its version and what it lacks. A failure is a check and raises nothing."""
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
    return tuple(checks)
