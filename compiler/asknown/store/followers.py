"""The views that follow pushes, each with the SQL that runs over pushed rows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from asknown.emit.load import event_columns, kept_columns
from asknown.emit.models import source_name
from asknown.emit.pushed import ROWS, pushed_query
from asknown.errors import AsknownError
from asknown.instants import from_microseconds
from asknown.model.contract import never_null
from asknown.model.expressions.types import NotPortableError
from asknown.model.nodes import FeatureView
from asknown.model.row_program import read_program
from asknown.online.pushes import PushedRow, ValueRows
from asknown.project.nodes import SourceTable
from asknown.store.push_paths import PushPath, paths_from, pushable
from asknown.store.pushed_rows import RowEngine, check_types
from asknown.store.row_functions import RowFunction, check_results, find_difference
from asknown.store.typed_catalog import TypedCatalog
from asknown.types import parse_type
from asknown.values.errors import EvaluationError

if TYPE_CHECKING:
    import pyarrow as pa


@dataclass(frozen=True)
class Follower:
    """A view that follows pushes into ``table``. ``sql`` gives its rows from pushed rows of the table.

    ``never_null`` are the columns that its contract says so of. ``function`` gives the same rows as ``sql``, to the
    bit, without the engine; None where ``path.why_engine`` keeps it from that.
    """

    view: FeatureView
    table: SourceTable
    sql: str
    path: PushPath
    never_null: tuple[str, ...] = ()
    function: RowFunction | None = None

    @property
    def source(self) -> str:
        return source_name(self.table)

    def rows(self, engine: RowEngine, pushed: Sequence[PushedRow]) -> list[pa.RecordBatch | ValueRows]:
        """The view's rows from rows that were pushed into its source."""
        assert self.table.push is not None
        known_at = self.table.push.known_at
        given = [{**row.values, known_at: from_microseconds(row.at)} for row in pushed]
        found = self._compute(engine, given)
        for batch in found:
            for name in self.never_null:
                _check_not_null(self.view, name, batch)
        return found

    def _compute(self, engine: RowEngine, given: Sequence[Mapping[str, Any]]) -> list[pa.RecordBatch | ValueRows]:
        if self.function is not None:
            with suppress(EvaluationError):  # the engine may still compute it, or says why it cannot
                return [self.function.rows(given)]
        try:
            return list(engine.query(self.table, self.sql, given).to_batches())
        except AsknownError as error:
            raise AsknownError(
                "push-row",
                f"the SQL of '{self.view.name}' fails for a pushed row: {error.message}",
                hint=error.hint or "training over this row would fail as well: leave such rows out in the model",
            ) from None


def _check_not_null(view: FeatureView, name: str, batch: Any) -> None:
    """Raises ``contract`` where the column called ``name``, if the rows have it, is NULL."""
    if isinstance(batch, ValueRows):
        missing = None in batch.columns.get(name, ())
    else:
        missing = name in batch.schema.names and batch.column(name).null_count > 0
    if missing:
        raise AsknownError(
            "contract",
            f"'{name}' of '{view.name}' would be NULL for a pushed row, and its contract says not_null",
            hint="send a value; a load that sees this row would be refused as well",
        )


def _with_function(follower: Follower, engine: RowEngine) -> Follower:
    """The follower with its function, where Python computes what its SQL says."""
    types = {column.name: parse_type(str(column.data_type)) for column in follower.table.columns}
    columns = tuple(dict.fromkeys([*kept_columns(follower.view), *event_columns(follower.view)]))
    try:
        check_results(columns)
        function = RowFunction(read_program(follower.sql, ROWS, types, columns), types, columns)

        def on_engine(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
            return engine.query(follower.table, follower.sql, rows)

        different = find_difference(function, on_engine, types, columns)
    except NotPortableError as reason:
        return _on_engine(follower, str(reason).partition(": ")[0])  # without the advice, which is for on-demand views
    if different is not None:
        return _on_engine(follower, f"it computes another row than Python from {different}")
    return replace(follower, function=function)


def _on_engine(follower: Follower, reason: str) -> Follower:
    return replace(follower, path=replace(follower.path, why_engine=reason))


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
                found[name] = _with_function(Follower(view, table, sql, path, never), engine)
                paths.append(found[name].path)
            else:
                paths.append(path)
    return found, paths
