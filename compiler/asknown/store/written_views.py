"""Turns a row of a view back into a row of its source, where the view does nothing but select and rename its columns.

Feast's clients write rows of views. A row without a source would have no offline copy, so it is pushed as a row of the
source, which gives the same row of the view.
"""

from __future__ import annotations

from dataclasses import dataclass

from asknown.emit.models import source_name
from asknown.errors import AsknownError, did_you_mean
from asknown.model.row_path import plain_columns
from asknown.store.push_paths import find_pushable
from asknown.store.typed_catalog import TypedCatalog


@dataclass(frozen=True)
class WrittenView:
    """A view whose rows can be written: the source that they are pushed into, and its column for each of the view's.

    ``event_time`` and ``created_at`` name the view's columns that are these; ``created_at`` may be None.
    """

    source: str
    columns: dict[str, str]
    event_time: str
    created_at: str | None


def written_view(catalog: TypedCatalog, name: str) -> WrittenView:
    """How rows of the view called ``name`` are pushed. Errors: ``unknown-view``, ``push-view``, ``push-source``."""
    views = catalog.models.views()
    if name not in views:
        raise AsknownError("unknown-view", f"there is no view '{name}'", hint=did_you_mean(name, views, what="views"))
    sources = _sources(catalog, name)
    view = catalog.view(name)
    models = catalog.models.closure([name])
    columns: dict[str, str] | None = None
    for model in models:  # upstream first
        reads_one = len(model.rendered.refs) + len(model.rendered.sources) == 1
        own = plain_columns(model.tree) if reads_one else None
        if own is None:
            raise _not_plain(name, [source_name(catalog.project.sources[key]) for key in sources])
        columns = own if columns is None else _through(own, columns)
    (key,) = sources
    table = find_pushable(catalog.project, source_name(catalog.project.sources[key]))
    assert table.push is not None and columns is not None
    known = {column.name.casefold(): column.name for column in table.columns}
    found = {column: known.get(source.casefold(), source) for column, source in columns.items()}
    if view.event_time.name not in found or found[view.event_time.name] == table.push.known_at:
        raise _not_plain(name, [source_name(table)])
    missing = [c.name for c in table.columns if c.name not in found.values() and c.name != table.push.known_at]
    if missing:
        raise AsknownError(
            "push-view",
            f"a row of view '{name}' says nothing of the column '{missing[0]}' of its source '{source_name(table)}'",
            hint=f"push rows of '{source_name(table)}'",
        )
    arrival = table.push.known_at
    kept = {column: source for column, source in found.items() if source != arrival}
    created = None if view.created_at is None else view.created_at.name
    return WrittenView(source_name(table), kept, view.event_time.name, created)


def _sources(catalog: TypedCatalog, view: str) -> list[tuple[str, str]]:
    return list(dict.fromkeys(key for model in catalog.models.closure([view]) for key in model.rendered.sources))


def _through(own: dict[str, str], below: dict[str, str]) -> dict[str, str]:
    folded = {name.casefold(): source for name, source in below.items()}
    return {name: folded.get(column.casefold(), column) for name, column in own.items()}


def _not_plain(view: str, sources: list[str]) -> AsknownError:
    return AsknownError(
        "push-view",
        f"rows of view '{view}' cannot be turned back into rows of a source, because it does more than select and "
        "rename columns of one",
        hint=f"push rows of {' or '.join(repr(source) for source in sources) or 'a source'}",
    )
