"""Builds the models that are materialized as tables or views in the target."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from asknown.catalog.catalog import Catalog
from asknown.emit.models import model_text
from asknown.emit.statement import Statement, check_sql, write
from asknown.engines.engine import open_engine
from asknown.errors import AsknownError
from asknown.project.nodes import Project
from asknown.store.type_engine import open_type_engine
from asknown.store.typed_catalog import TypedCatalog


def build_models(
    project: Project, catalog: Catalog, names: Sequence[str] | None, on_built: Callable[[str, str], None] | None
) -> list[str]:
    """Builds the materialized models among ``names`` (default: all) and their upstream models, upstream first.

    Returns their names. Calls ``on_built`` with the name and kind of each.
    """
    closure = catalog.closure(names if names is not None else catalog.names)
    materialized = [model for model in closure if model.rendered.config.materialized != "ephemeral"]
    if not materialized:
        raise AsknownError(
            "bad-value",
            "there is nothing to build: no model is materialized as a table or a view",
            hint="models become CTEs of each query; config(materialized='table') builds one in the target instead",
        )
    engine = open_engine(project.profile.target, project.settings.root, writable=True)
    try:
        if not engine.keeps_builds:
            raise AsknownError(
                "bad-value",
                f"target '{project.profile.target.name}' is in memory, so anything built there would be lost",
                at=project.profile.target.at,
                hint="give the target a path, as in: path: warehouse.duckdb",
            )
        type_engine = open_type_engine(project, engine.dialect)
        for model in materialized:
            typed = TypedCatalog(catalog, engine, type_engine)
            upstream = typed.ctes(model.rendered.refs, sources=model.rendered.sources)
            text = model_text(typed.informed(model), engine.dialect)
            body = f"SELECT * FROM (\n{text}\n) AS model" if upstream else text
            sql = check_sql(write(Statement(tuple(upstream), body), engine.dialect), engine.dialect)
            kind = model.rendered.config.materialized
            try:
                engine.build(model.name, sql, kind=kind)
            except AsknownError as error:
                message = f"in model '{model.name}': {error.message}"
                raise AsknownError(
                    error.code, message, at=error.at or model.rendered.where(1), hint=error.hint
                ) from None
            if on_built is not None:
                on_built(model.name, kind)
    finally:
        engine.close()
    return [model.name for model in materialized]


def read_names(raw: Any, parameter: str) -> list[str]:
    """The names given for ``parameter``: one as text, or several. Raises ``bad-value`` for anything else."""
    names = [raw] if isinstance(raw, str) else list(raw) if isinstance(raw, Iterable) else [raw]
    for name in names:
        if not isinstance(name, str):
            raise AsknownError(
                "bad-value", f"{parameter}: {name!r} is not a name", hint=f"give {parameter}='one' or a list of names"
            )
    return names
