"""Finds out what a load must read of a view's sources: all rows, those of new files, or none.

Less than all is read only where the tables will surely be those of a load of all rows. So the last load has noted the
files that it read, and everything else that the rows follow from; see :mod:`asknown.store.source_files` for how a file
is told to be the same. New files alone are read for a view that computes each row from one row of one source.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from asknown import __version__
from asknown.emit.models import glob_query, source_name, source_query, with_files
from asknown.emit.statement import Cte, write
from asknown.instants import from_microseconds, to_microseconds
from asknown.model.contract import never_null
from asknown.model.nodes import FeatureView, Model
from asknown.model.row_path import reads_names_alone
from asknown.online.nodes import OnlineView, StoredView
from asknown.online.report import Read
from asknown.project.nodes import SourceTable
from asknown.project.options import DuckDBOptions
from asknown.store.push_paths import break_in
from asknown.store.source_files import Changes, Seen, are_as_seen, compare, look_at
from asknown.store.typed_catalog import TypedCatalog

_SMALL = 1 << 23  # bytes


@dataclass(frozen=True)
class Reading:
    """The part of a view's sources that a load reads.

    ``why`` is the reason for which all is read although there was a load before. ``files`` are those to be read, by the
    name of their source, and ``seen`` all files of the sources as they are; both are empty where files cannot be told.
    ``definition`` is the hash of what the view's rows follow from besides.
    """

    read: Read
    why: str | None = None
    files: Mapping[str, Sequence[str]] = field(default_factory=dict)
    seen: Mapping[str, Seen] = field(default_factory=dict)
    definition: str | None = None

    def narrowed(self, ctes: Sequence[Cte]) -> list[Cte]:
        """The CTEs that a query reads, where sources are read from the files alone that this names."""
        return [
            replace(cte, body=with_files(cte.body, self.files[cte.name])) if cte.name in self.files else cte
            for cte in ctes
        ]

    def note(self) -> str | None:
        """The note for the next load, now that the queries have run. None if the files changed meanwhile."""
        if self.definition is None or not all(map(are_as_seen, self.seen.values())):
            return None
        return json.dumps({"definition": self.definition, "files": self.seen}, ensure_ascii=False, sort_keys=True)

    @property
    def count(self) -> int | None:
        """The number of files of the sources."""
        return None if self.definition is None else sum(map(len, self.seen.values()))

    @property
    def count_read(self) -> int | None:
        """The number of files that are read."""
        return None if self.definition is None else sum(map(len, self.files.values()))


def find_reading(
    catalog: TypedCatalog,
    view: FeatureView,
    online: OnlineView,
    *,
    held: StoredView | None,
    noted: str | None,
    at: datetime,
) -> Reading:
    """The part of the sources that a load as of ``at`` must read.

    ``held`` is the view as the table has it, None if it is to be made anew; ``noted`` is what its last load noted.
    """
    tables = _tables(catalog, view)
    why = _why_unknown(catalog, view, tables.values())
    if why is not None:
        return Reading("all", None if held is None else why)
    try:
        seen = {name: look_at(_files(catalog, table)) for name, table in tables.items()}
    except OSError as error:
        return Reading("all", None if held is None else f"a file cannot be looked at: {error}")
    whole = Reading(
        "all", files={name: list(files) for name, files in seen.items()}, seen=seen,
        definition=_definition(catalog, view, online, tables),
    )  # fmt: skip
    if held is None:
        return whole
    before = None if noted is None else json.loads(noted)
    if before is None:
        return replace(whole, why="the load before did not note what it read")
    if before["definition"] != whole.definition:
        return replace(whole, why="the view, its columns, or what computes them differ from the load before")
    if held.beyond_at is not None and held.beyond_at.replace(tzinfo=None) <= _reach(at, view.max_ahead):
        return replace(whole, why="rows that were too far ahead to keep are not so any more")
    earlier = {name: {file: tuple(facts) for file, facts in files.items()} for name, files in before["files"].items()}
    changes = {name: compare(earlier[name], files) for name, files in seen.items()}
    why = _why_not_added(catalog, view, tables, changes)
    if why is not None:
        return replace(whole, why=why)
    new = {name: found.new for name, found in changes.items() if found.new}
    if not new:
        return replace(whole, read="nothing", files={})
    why = _why_not_alone(catalog, view, tables, new, seen)
    return replace(whole, why=why) if why is not None else replace(whole, read="new files", files=new)


def _tables(catalog: TypedCatalog, view: FeatureView) -> dict[str, SourceTable]:
    """The sources below a view, by their names."""
    keys = dict.fromkeys(key for model in catalog.models.closure([view.name]) for key in model.rendered.sources)
    return {source_name(catalog.project.sources[key]): catalog.sources.located(key) for key in keys}


def _why_unknown(catalog: TypedCatalog, view: FeatureView, tables: Any) -> str | None:
    """Why nobody can tell what is new in the sources of a view; None where one can."""
    if catalog.engine.dialect.sqlglot != "duckdb":
        return f"{catalog.engine.dialect.name} does not tell which rows are new"
    for model in catalog.models.closure([view.name]):
        if model.rendered.config.materialized != "ephemeral":
            return f"'{model.name}' is materialized as a {model.rendered.config.materialized}"
        if not reads_names_alone(model.tree):
            return f"'{model.name}' reads a table function"
    if not view.repeatable:
        return "its SQL may give other rows when it runs again"
    for table in tables:
        if table.push is not None:
            return f"source '{source_name(table)}' takes pushes"
        if table.path is not None and "://" in table.path:
            return f"the files of source '{source_name(table)}' are not on this machine"
        if table.read is None or table.path is None:
            return f"source '{source_name(table)}' does not tell which of its rows are new"
    return None


def _files(catalog: TypedCatalog, table: SourceTable) -> list[str]:
    """The files of a source, as DuckDB finds them."""
    assert table.path is not None
    return [str(name) for (name,) in catalog.engine.rows(glob_query(table.path))]


def _definition(catalog: TypedCatalog, view: FeatureView, online: OnlineView, tables: Mapping[str, SourceTable]) -> str:
    """A hash of all that the rows of a view follow from, besides the rows of its files."""
    options = catalog.project.profile.target.options
    facts = {
        "view": repr(replace(online, ttl=None)),
        "max_ahead": view.max_ahead,
        "never_null": never_null(view, catalog.project.docs.get(view.name)),
        "sources": [(name, _reading_of(table), _columns(catalog, table)) for name, table in sorted(tables.items())],
        "engine": [__version__, catalog.engine.check().version],
        "settings": sorted(options.settings.items()) if isinstance(options, DuckDBOptions) else (),
    }
    return hashlib.sha256(json.dumps(facts, default=repr, sort_keys=True).encode()).hexdigest()[:32]


def _reading_of(table: SourceTable) -> str:
    """How the files of a source are read, without what follows from their number."""
    assert table.read is not None
    arguments = [(name, value) for name, value in table.read.arguments if (name, value) != ("union_by_name", True)]
    return repr((table.path, table.timezone, table.read.function, arguments, table.read.casts))


def _columns(catalog: TypedCatalog, table: SourceTable, files: Sequence[str] = ()) -> list[tuple[str, str]]:
    """The columns of a source, or of some of its files alone."""
    query = source_query(table, catalog.engine.dialect)
    if files:
        query = replace(query, body=with_files(query.body, files))
    return [(name, kind.name) for name, kind in catalog.engine.describe(write(query, catalog.engine.dialect))]


def _reach(at: datetime, max_ahead: int) -> datetime:
    """The last instant at which a row that is kept may become visible."""
    return from_microseconds(min(to_microseconds(at) + max_ahead, to_microseconds(datetime.max)))


def _why_not_added(
    catalog: TypedCatalog, view: FeatureView, tables: Mapping[str, SourceTable], changes: Mapping[str, Changes]
) -> str | None:
    """Why more has happened to the files of a view than that some came; None where that is all."""
    root = catalog.project.settings.root
    for found in changes.values():
        for names, what in ((found.changed, "has changed"), (found.gone, "is gone")):
            if names:
                path = Path(names[0])
                name = path.relative_to(root) if path.is_relative_to(root) else path
                more = f", and so {'has' if what == 'has changed' else 'is'} {len(names) - 1:,} more"
                return f"{name} {what}{more if len(names) > 1 else ''}"
    if not any(found.new for found in changes.values()):
        return None
    if len(tables) != 1:
        return "it reads more than one source, and there are new files"
    for model in _from_view_down(catalog, view):
        if (found_break := break_in(model, view)) is not None:
            return f"there are new files, and it does not compute each row from one row of them: {found_break}"
    return None


def _from_view_down(catalog: TypedCatalog, view: FeatureView) -> list[Model]:
    return list(reversed(catalog.models.closure([view.name])))


def _why_not_alone(
    catalog: TypedCatalog,
    view: FeatureView,
    tables: Mapping[str, SourceTable],
    new: Mapping[str, Sequence[str]],
    seen: Mapping[str, Seen],
) -> str | None:
    """Why the new files of a source cannot be read without the others; None where they can."""
    ((name, files),) = new.items()
    sizes = {file: Path(file).stat().st_size for file in seen[name]}
    if 2 * sum(sizes[file] for file in files) > sum(sizes.values()) > _SMALL:  # then a load of all rows costs less
        return "the new files are more than half of all"
    if _columns(catalog, tables[name], files) != _columns(catalog, tables[name]):
        return "the columns of the new files alone have other names or types"
    return None
