"""Puts the pushed rows that a load cannot have seen beside what it brings (rules 10 and 14)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta

from asknown.emit.models import source_name
from asknown.emit.pushed import twice_query
from asknown.errors import AsknownError
from asknown.online.backend import LoadWriter
from asknown.online.nodes import OnlineView
from asknown.store.followers import find_followers
from asknown.store.landing import has_landed
from asknown.store.push_paths import pushable
from asknown.store.pushed_rows import RowEngine, row_type
from asknown.store.typed_catalog import TypedCatalog


class PushesBeside:
    """The pushed rows of one load of the views ``names``, while nothing lands."""

    def __init__(self, catalog: TypedCatalog, names: Iterable[str]) -> None:
        self._catalog = catalog
        self._engine = RowEngine(catalog.project)
        try:
            self._followers, self._paths = find_followers(catalog, self._engine, names)
        except BaseException:
            self._engine.close()
            raise

    def check_ids(self, watermark: datetime) -> None:
        """Raises ``push-twice`` if a file that push did not write has the id of a pushed row."""
        read = {path.source for path in self._paths}
        for name, table in pushable(self._catalog.project).items():
            assert table.push is not None
            if name not in read or table.push.id is None or not has_landed(self._catalog.project, table):
                continue
            located = self._catalog.sources.located((table.source, table.name))
            since = watermark - timedelta(microseconds=table.push.dedupe)
            for key, file in self._catalog.engine.rows(twice_query(located, since)):
                raise AsknownError(
                    "push-twice",
                    f"{file} has a row with {table.push.id} = {key!r}, which was pushed into '{name}' as well",
                    at=table.push.at,
                    hint="remove the row from this file: pushed rows lie in the files push-….parquet of "
                    f"{table.push.land}",
                )

    def put(self, writer: LoadWriter, online: OnlineView) -> None:
        """Puts the rows that have not landed into a view that has just been loaded."""
        follower = self._followers.get(online.name)
        if follower is None:
            if writer.stored()[online.name].pushes is not None:
                writer.load_pushed(online, None)
            return
        rows = writer.unlanded(source_name(follower.table), row_type(follower.table))
        if rows:
            batches = follower.rows(self._engine, rows)
            writer.load_pushed(online, follower.source, batches, at=rows[-1].at, seq=rows[-1].seq)
        else:
            writer.load_pushed(online, follower.source)

    def close(self) -> None:
        """Closes the engine."""
        self._engine.close()
