"""Opens feature stores in ways that no user can: with a form of plan forced, or without the rules against hindsight."""

from __future__ import annotations

from functools import cached_property
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


class _WithoutRefusals(FeatureStore):
    """A store whose catalog applies no refusal, and stays the same while files change."""

    @cached_property
    def _typed(self) -> TypedCatalog:
        types = open_type_engine(self.project, self._engine.dialect)
        return TypedCatalog(self.catalog, self._engine, types, refusals=frozenset())


def open_without_refusals(folder: Path) -> FeatureStore:
    """The store over a project whose views may look ahead, read the clock and draw lots (rule 11 is not applied)."""
    return _WithoutRefusals(folder)
