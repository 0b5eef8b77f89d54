"""Opens the engine that a target names."""

from __future__ import annotations

from importlib import import_module

from asknown.dialects.dialect import Dialect
from asknown.dialects.registry import find_dialect
from asknown.engines.engine import Engine
from asknown.errors import AsknownError
from asknown.project.nodes import Project, Target

# By a target's type: the module, imported when it is used, and the class in it.
ENGINES = {
    "clickhouse": ("asknown.engines.clickhouse", "ClickHouse"),
    "duckdb": ("asknown.engines.duckdb", "DuckDB"),
    "postgres": ("asknown.engines.postgres", "Postgres"),
    "spark": ("asknown.engines.spark", "Spark"),
}


def open_engine(project: Project, *, writable: bool = False) -> Engine:
    """The engine of the project's target, open. ``writable`` where models are to be built in it."""
    target = project.profile.target
    if target.type not in ENGINES:
        find_dialect(target.type)
        raise AsknownError(
            "not-yet",
            f"asknown writes SQL for {target.type}, and does not run it",
            at=target.at,
            hint=f"asknown compile NAME --dialect {target.type}; targets that run: {', '.join(ENGINES)}",
        )
    return _open(target, project, writable=writable)


def open_type_engine(project: Project, dialect: Dialect) -> Engine | None:
    """The engine that says which types the models have, or None where the one of ``dialect`` does.

    Models are written in DuckDB's SQL for every target, or in a target's own for it alone.
    """
    authored = project.settings.dialect
    if authored == dialect.name:
        return None
    if authored != "duckdb":
        raise AsknownError(
            "not-in-dialect",
            f"the project's models are written in {authored}, and are not translated to {dialect.name}",
            hint='write them in DuckDB\'s SQL (dialect = "duckdb" in pyproject.toml) to run them on any target',
        )
    return open_bare_engine(project)


def open_bare_engine(project: Project) -> Engine:
    """An engine in memory that says which types DuckDB's SQL has, and holds no table."""
    return _open(Target("types", "duckdb", {}, project.profile.target.at), project)


def open_offline(project: Project, dialect: Dialect) -> tuple[Engine | None, Engine]:
    """(the engine that reads the sources' files, if that takes no connection; the one that says types)."""
    type_engine = open_type_engine(project, dialect)
    own = _open(project.profile.target, project) if project.profile.target.type == "duckdb" else None
    return own, type_engine or own or open_bare_engine(project)


def _open(target: Target, project: Project, *, writable: bool = False) -> Engine:
    module, name = ENGINES[target.type]
    engine: Engine = getattr(import_module(module), name)(target, project.settings.root, writable=writable)
    return engine
