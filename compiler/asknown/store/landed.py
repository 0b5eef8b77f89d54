"""Tells which pushed rows a load had seen, by the files in which they landed."""

from __future__ import annotations

from datetime import UTC, datetime

from asknown.emit.pushed import arrivals_query, arrived_query
from asknown.store.altered import SourceKey
from asknown.store.landing import has_landed, landed_until
from asknown.store.typed_catalog import TypedCatalog

_MOST = 8  # numbers that a load may have seen up to


class Landed:
    """The landed rows of a project's sources, as they are now."""

    def __init__(self, catalog: TypedCatalog) -> None:
        self._catalog = catalog
        self._files: dict[SourceKey, list[tuple[int, datetime]]] = {}
        self._until: dict[tuple[SourceKey, datetime], int | None] = {}

    def of_load(self, key: SourceKey, watermark: datetime, loaded_at: datetime) -> list[int | None]:
        """The numbers up to which a load may have seen pushed rows, the likeliest first; [None] where none are pushed.

        A load sees whole files, because nothing lands while it runs: those that were there when it began, shortly
        before its watermark, or, as of an earlier one, shortly before its clock.
        """
        if not self._takes_pushes(key):
            return [None]
        files = self._arrivals(key)
        before = [seq for seq, at in files if at <= watermark]
        between = [seq for seq, at in files if watermark < at <= loaded_at]
        found = [*reversed(before[-2:]), *reversed(between[2 - _MOST :])]
        return [*found, 0] if len(before) < 2 else list(found)

    def until(self, key: SourceKey, at: datetime) -> int | None:
        """The number of the last row that had arrived by an instant; None where none are pushed."""
        if not self._takes_pushes(key):
            return None
        if (key, at) not in self._until:
            table = self._catalog.sources.located(key)
            ((seq,),) = self._catalog.engine.rows(arrived_query(table, at))
            self._until[key, at] = 0 if seq is None else int(seq)
        return self._until[key, at]

    def _takes_pushes(self, key: SourceKey) -> bool:
        table = self._catalog.project.sources[key]
        return table.push is not None and has_landed(self._catalog.project, table)

    def _arrivals(self, key: SourceKey) -> list[tuple[int, datetime]]:
        """The last row of each file: its number and its arrival."""
        if key not in self._files:
            numbers = landed_until(self._catalog.project, self._catalog.project.sources[key])
            query = arrivals_query(self._catalog.sources.located(key), numbers)
            self._files[key] = [(int(seq), _naive(at)) for seq, at in self._catalog.engine.rows(query)]
        return self._files[key]


def _naive(moment: datetime) -> datetime:
    return moment if moment.tzinfo is None else moment.astimezone(UTC).replace(tzinfo=None)
