"""Reads features from the online table, at serving latency, with the standard library alone.

Safe beside a running load: every call sees one finished state of the file, the same for all its views.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know the name, and importing typing takes longer than everything else here

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType
    from typing import Any

    from asknown.addresses import Address
    from asknown.online.answer import OnlineResponse
    from asknown.online.backend import Library
    from asknown.online.nodes import OnlineOnDemand, OnlineService, Owner, StoredView
    from asknown.online.read_log import ReadLog
    from asknown.online.request import EntityRows


class OnlineReader:
    """The online table at ``path``, open for reading. May be shared by threads and carried across a fork.

    ``path`` is an SQLite file, or the address of a store on a server, as ``FeatureStore`` reads it from profiles.yml.

    ``library`` is what reads the file: Python's own ``sqlite3``, or ``apsw`` (``pip install 'asknown[apsw]'``), which
    is a current SQLite, for processes that only read. Where ``owner`` is given, the table must be that of this project
    and target. Errors: ``no-online`` (nothing there yet), ``online-corrupt``, ``online-layout``, ``online-owner``,
    ``online-server``, ``online-settings``, ``missing-extra``.

    ``log`` is a file of JSON lines that a thread adds to: what was read and answered, for the share ``sample`` of all
    keys. The columns of keys and inputs in ``omit`` are left out there, and those in ``hash`` hashed. No read waits for
    the log or fails with it.
    """

    def __init__(
        self,
        path: str | Address,
        *,
        library: Library = "sqlite3",
        owner: Owner | None = None,
        log: str | Path | None = None,
        sample: float = 0.01,
        omit: Sequence[str] = (),
        hash: Sequence[str] = (),  # noqa: A002 - the word of log: in YAML
    ) -> None:
        # imported with the first reader, because not every program that imports this reads
        from asknown.addresses import StoreAddress
        from asknown.online.answer import OnlineResponse
        from asknown.online.backend import open_backend
        from asknown.online.request import make_query, read_at
        from asknown.paths import absolute, check_path

        if not isinstance(path, StoreAddress):
            check_path(path, "path")
            path = absolute(path)
        self._make_query, self._read_at, self._respond = make_query, read_at, OnlineResponse
        self.log: ReadLog | None = None
        if log is not None:
            from asknown.online.read_log import ReadLog

            self.log = ReadLog(log, sample, omit, hash)
        self._backend = open_backend(path, library, owner)
        self.path: Address = path

    def __enter__(self) -> OnlineReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections of all threads, after which the reader cannot be used. What waits to be logged is."""
        self._backend.close()
        if self.log is not None:
            self.log.close()

    def interrupt(self, thread: int) -> None:
        """Stops the query that a thread (by its ident) runs now, which then raises; does nothing between queries."""
        self._backend.interrupt(thread)

    def views(self) -> dict[str, StoredView]:
        """The views the table holds, by name, with their watermarks, sizes, keys and features."""
        return dict(self._backend.views())

    def services(self) -> dict[str, OnlineService]:
        """The feature services the table knows, by name."""
        return dict(self._backend.services())

    def on_demand(self) -> dict[str, OnlineOnDemand]:
        """The on-demand views that the table knows, by name: their inputs, keys and features."""
        return dict(self._backend.on_demand())

    def keys(self, view: str) -> Iterator[tuple[Any, ...]]:
        """The keys of all rows of a view, in no order that means anything."""
        return self._backend.keys(view)

    def get_online_features(
        self,
        features: str | Sequence[str],
        entity_rows: EntityRows,
        *,
        at: datetime | str | None = None,
        full_feature_names: bool = False,
    ) -> OnlineResponse:
        """The features of each entity row at the instant ``at`` (default now; naive is UTC), in the order asked.

        ``features`` names views, ``view:feature``s or services. ``entity_rows`` is a list of dicts or a dict of
        lists, with every key's column and the inputs of on-demand views. Other columns come back unchanged, or are an
        error where an on-demand feature is requested: one could be a misspelt input. Errors:
        ``unknown-view``, ``unknown-feature``, ``unknown-service``, ``name-clash``, ``spine-key``, ``key-type``,
        ``request-input``, ``bad-value``, ``before-watermark``, and ``engine`` where an on-demand feature cannot be
        computed.
        """
        query = self._make_query(features, entity_rows, full_feature_names)
        answer = self._backend.read(query, self._read_at(at), latest=at is None)
        columns, count = query.given()
        if self.log is not None:
            self.log.add(query, answer, columns, count)
        return self._respond(columns, answer, count)
