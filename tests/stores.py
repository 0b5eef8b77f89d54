"""Opens feature stores in ways that no user can: with a form of plan forced, or without the rules against hindsight."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asknown import FeatureStore
from asknown.plan.rules import PlanOptions
from asknown.store.type_engine import open_type_engine
from asknown.store.typed_catalog import TypedCatalog


def open_store(folder: Path, form: Any = None, *, window_form: Any = None) -> FeatureStore:
    """The store over a project, with ``form`` forced on every match and ``window_form`` on all windows.

    None leaves the choice to the planner.
    """
    store = FeatureStore(folder)
    store._plan_options = PlanOptions({} if form is None else {"*": form}, window_form)
    return store


def open_without_refusals(folder: Path) -> FeatureStore:
    """The store over a project whose views may look ahead, read the clock and draw lots (rule 11 is not applied)."""
    store = FeatureStore(folder)
    engine = store._engine
    types = open_type_engine(store.project, engine.dialect)
    store._opened = TypedCatalog(store.catalog, engine, types, refusals=frozenset())
    return store
