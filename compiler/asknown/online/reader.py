"""Reads features from the online table, at serving latency, with the standard library alone.

Safe beside a running load: every call sees one finished state of the file, the same for all its views.
"""

from __future__ import annotations

TYPE_CHECKING = False  # type checkers know the name; importing typing takes longer than all the rest of this

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from pathlib import Path
    from types import TracebackType

    from asknown.online.entity_rows import EntityRows
    from asknown.online.nodes import OnlineService, StoredView
    from asknown.online.response import OnlineResponse
    from asknown.online.sqlite import Library


class OnlineReader:
    """The online table at ``path``, open for reading. May be shared by threads and carried across a fork.

    ``library`` is what reads the file: Python's own ``sqlite3``, or ``apsw`` (``pip install 'asknown[apsw]'``), which
    is a current SQLite, for processes that only read. Errors: ``no-online`` (nothing there yet), ``online-corrupt``,
    ``online-layout``, ``missing-extra``.
    """

    def __init__(self, path: str | Path, *, library: Library = "sqlite3") -> None:
        from asknown.online.reading import Reading  # with the first reader: not all who import this will read

        self._reading = Reading(path, library)
        self._sessions = self._reading.sessions
        self.path: Path = self._sessions.path

    def __enter__(self) -> OnlineReader:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Closes the connections of all threads; the reader cannot be used after it."""
        self._sessions.close()

    def views(self) -> dict[str, StoredView]:
        """The views the table holds, by name, with their watermarks, sizes, keys and features."""
        with self._sessions.snapshot() as session:
            return dict(session.views)

    def services(self) -> dict[str, OnlineService]:
        """The feature services the table knows, by name."""
        with self._sessions.snapshot() as session:
            return dict(session.services)

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
        lists, with every key's column; other columns come back unchanged. Errors: ``unknown-view``,
        ``unknown-feature``, ``unknown-service``, ``name-clash``, ``spine-key``, ``key-type``, ``bad-value``,
        ``before-watermark``.
        """
        return self._reading.read(features, entity_rows, at, full_feature_names)
