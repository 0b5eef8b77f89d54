"""Opens feature stores whose plans take a form that the planner might not choose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from asknown import FeatureStore
from asknown.plan.rules import PlanOptions


def open_store(folder: Path, form: Any = None, *, window_form: Any = None) -> FeatureStore:
    """The store over a project, with ``form`` forced on every match and ``window_form`` on all windows.

    None leaves the choice to the planner.
    """
    store = FeatureStore(folder)
    store._plan_options = PlanOptions({} if form is None else {"*": form}, window_form)
    return store
