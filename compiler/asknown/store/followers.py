"""The views that follow pushes, each with the SQL that runs over pushed rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from asknown.emit.models import source_name
from asknown.emit.pushed import pushed_query
from asknown.errors import AsknownError
from asknown.instants import from_microseconds
from asknown.model.contract import never_null
from asknown.model.nodes import FeatureView
from asknown.online.pushes import PushedRow
from asknown.project.nodes import SourceTable
from asknown.store.push_paths import PushPath, paths_from, pushable
from asknown.store.pushed_rows import RowEngine, check_types
from asknown.store.typed_catalog import TypedCatalog

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Follower:
    """A view that follows pushes into ``table``. ``sql`` gives its rows from pushed rows of the table.

    ``never_null`` are the columns that its contract says so of.
    """

    view: FeatureView
    table: SourceTable
    sql: str
    path: PushPath
    never_null: tuple[str, ...] = ()

    @property
    def source(self) -> str:
        return source_name(self.table)

    def rows(self, engine: RowEngine, pushed: Sequence[PushedRow]) -> list[pa.RecordBatch]:
        """The view's rows from rows that were pushed into its source."""
        assert self.table.push is not None
        known_at = self.table.push.known_at
        given = [{**row.values, known_at: from_microseconds(row.at)} for row in pushed]
        try:
            rows = engine.query(self.table, self.sql, given)
        except AsknownError as error:
            raise AsknownError(
                "push-row",
                f"the SQL of '{self.view.name}' fails for a pushed row: {error.message}",
                hint=error.hint or "training over this row would fail as well: leave such rows out in the model",
            ) from None
        for name in self.never_null:
            if name in rows.column_names and rows.column(name).null_count:
                raise AsknownError(
                    "contract",
                    f"'{name}' of '{self.view.name}' would be NULL for a pushed row, and its contract says not_null",
                    hint="send a value; a load that sees this row would be refused as well",
                )
        return list(rows.to_batches())


def find_followers(
    catalog: TypedCatalog, engine: RowEngine, names: Iterable[str]
) -> tuple[dict[str, Follower], list[PushPath]]:
    """The views of these ``names`` that follow pushes, and the path of each view from each source that takes them."""
    found: dict[str, Follower] = {}
    paths: list[PushPath] = []
    tables = pushable(catalog.project)
    for name in names:
        view = catalog.view(name)
        for path in paths_from(catalog, view):
            if path.why_not is None:
                table = tables[path.source]
                models = catalog.ctes_of_views([view])
                sql = pushed_query(view, table, models, catalog.reserved_names(), catalog.engine.dialect)
                try:
                    check_types(engine, view, table, sql)
                except AsknownError as error:
                    paths.append(replace(path, why_not=error.message))
                    continue
                never = tuple(never_null(view, catalog.project.docs.get(name)))
                found[name] = Follower(view, table, sql, path, never)
            paths.append(path)
    return found, paths
