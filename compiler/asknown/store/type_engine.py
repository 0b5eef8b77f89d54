"""Opens a project's typed catalog, with the type engine: the one that gives the types of its models."""

from __future__ import annotations

from asknown.catalog.catalog import Catalog
from asknown.dialects.dialect import Dialect
from asknown.engines.engine import Engine, open_engine
from asknown.errors import AsknownError
from asknown.project.nodes import Project, Target
from asknown.project.options import IN_MEMORY, DuckDBOptions, Options
from asknown.store.typed_catalog import TypedCatalog


def open_type_engine(project: Project, dialect: Dialect) -> Engine | None:
    """The type engine of the models; None if the engine of ``dialect`` gives the types itself.

    Models are written in DuckDB's SQL for every target, or in a target's own for it alone.
    """
    authored = project.settings.dialect
    if authored == dialect.name:
        return None
    if authored != "duckdb":
        raise AsknownError(
            "not-in-dialect",
            f"the project's models are written in {authored}, which is not translated to {dialect.name}",
            hint='write them in DuckDB\'s SQL (dialect = "duckdb" in pyproject.toml) to run them on any target',
        )
    return open_bare_engine(project)


def open_bare_engine(project: Project) -> Engine:
    """An engine in memory that gives the types of DuckDB's SQL, and has no tables."""
    return open_engine(Target("types", DuckDBOptions(), project.profile.target.at), project.settings.root)


def open_catalog(models: Catalog, engine: Engine) -> TypedCatalog:
    """The catalog of a project's models on the engine that has the rows."""
    return TypedCatalog(models, engine, open_type_engine(models.project, engine.dialect))


def locks_file(target: Target[Options]) -> bool:
    """Whether an open engine of the target keeps others from writing its database."""
    return isinstance(target.options, DuckDBOptions) and target.options.path != IN_MEMORY


def open_offline(models: Catalog, dialect: Dialect) -> TypedCatalog:
    """The catalog to write SQL of ``dialect`` with. It connects to nothing; DuckDB reads the sources' files."""
    project = models.project
    type_engine = open_type_engine(project, dialect)
    target = project.profile.target
    own = open_engine(target, project.settings.root) if isinstance(target.options, DuckDBOptions) else None
    return TypedCatalog(models, own, type_engine or own or open_bare_engine(project))
