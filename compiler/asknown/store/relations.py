"""The sources and models that a query reads, and what stands in the way of reading them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Sequence

from asknown.dialects.dialect import Dialect
from asknown.emit.models import bare_table, source_name
from asknown.errors import AsknownError
from asknown.model.nodes import FeatureView, Model
from asknown.project.nodes import SourceTable


def relations_of(
    views: Iterable[FeatureView], refs: Iterable[str] = (), sources: Iterable[tuple[str, str]] = ()
) -> tuple[list[str], list[tuple[str, str]]]:
    """The models and sources that the rows of some views are read from, after ``refs`` and ``sources``.

    For a view with windows they are those of its select, which its step of the plan brings without the windows.
    """
    names, tables = list(refs), list(sources)
    for view in views:
        if view.lifted is None:
            names.append(view.name)
        else:
            names += view.model.rendered.refs
            tables += view.model.rendered.sources
    return names, tables


def sources_of(closure: Iterable[Model], more: Iterable[tuple[str, str]]) -> list[tuple[str, str]]:
    """The sources that models read, after ``more``, each once."""
    return list(dict.fromkeys([*more, *(source for model in closure for source in model.rendered.sources)]))


def refuse_hidden(tables: Iterable[SourceTable], closure: Iterable[Model], dialect: Dialect) -> None:
    """Raises ``duplicate-name`` for a source's table that the engine would take for the model of that name."""
    models = {model.name.casefold() for model in closure}
    for table in tables:
        if (name := bare_table(table)) is not None and name.casefold() in models:
            raise AsknownError(
                "duplicate-name",
                f"source '{source_name(table)}' reads the table '{name}', and {dialect.name} would read the model "
                "of that name",
                at=table.at,
                hint=f"say where the table is: identifier: schema.{name}",
            )


def refuse_unbuilt(closure: Sequence[Model], built: Callable[[], Collection[str]]) -> None:
    """Raises ``no-data`` for a materialized model that the engine has not built.

    ``built()`` gives the names of those that it has, and is called only where a model is materialized.
    """
    materialized = [m for m in closure if m.rendered.config.materialized != "ephemeral"]
    for model in materialized:
        if model.name not in built():
            raise AsknownError(
                "no-data",
                f"model '{model.name}' is materialized as a {model.rendered.config.materialized}, "
                "and has not been built in this target",
                at=model.rendered.where(model.rendered.config_line or 1),
                hint=f"run: asknown run {model.name}",
            )
