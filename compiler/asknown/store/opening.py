"""Opens the engine that a target names."""

from __future__ import annotations

from asknown.dialects.registry import find_dialect
from asknown.engines.engine import Engine
from asknown.project.nodes import Project


def open_engine(project: Project, *, writable: bool = False) -> Engine:
    """The engine of the project's target, open. ``writable`` where models are to be built in it."""
    target = project.profile.target
    find_dialect(target.type)
    find_dialect(project.settings.dialect)
    from asknown.engines.duckdb import DuckDB

    return DuckDB(target, project.settings.root, writable=writable)
