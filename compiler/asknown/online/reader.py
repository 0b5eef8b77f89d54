"""Reads features from the online table, at serving latency, with the standard library alone.

Safe beside a running load: every call sees one finished state of the file, the same for all its views.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType
from typing import Any

from asknown.errors import AsknownError
from asknown.online.answer import Found, Row, UnreadableError, answer, microseconds_of
from asknown.online.entity_rows import MISSING, EntityRows, as_columns
from asknown.online.faults import damaged
from asknown.online.keys import ABSENT
from asknown.online.nodes import OnlineService, StoredView
from asknown.online.request import Read, Request, missing_key, resolve
from asknown.online.response import OnlineResponse
from asknown.online.session import Session, Sessions

_MOST_KEYS = 200  # keys in one statement
_MOST_REQUESTS = 256  # request shapes kept resolved


class OnlineReader:
    """The online table at ``path``, open for reading. May be shared by threads and carried across a fork.

    Errors: ``no-online`` (nothing there yet), ``online-corrupt``, ``online-layout``.
    """

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path).absolute()
        self._sessions = Sessions(self.path)
        with self._sessions.snapshot():
            pass  # a file that cannot be read is an error now, not at the first request

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
        references = _references(features)
        instant = _instant(at)
        columns, count = as_columns(entity_rows)
        with self._sessions.snapshot() as session:
            request = _resolved(session, references, full_feature_names, tuple(columns) if columns or count else None)
            _check_watermarks(request, instant)
            found = [_find(session, read, _encode_keys(read, columns, count), instant) for read in request.reads]
        try:
            answers = answer(request, found, instant)
        except UnreadableError as error:
            raise damaged(self.path, f"the value {error} is not of its column's type") from error
        return OnlineResponse(
            columns={name: [None if v is MISSING else v for v in column] for name, column in columns.items()},
            values=answers.values,
            statuses=answers.statuses,
            event_timestamps=answers.times,
            types={output.name: output.column.type for output in request.outputs},
            count=count,
        )


def _references(features: str | Sequence[str]) -> tuple[str, ...]:
    references = (features,) if isinstance(features, str) else tuple(features)
    if not references or not all(isinstance(reference, str) for reference in references):
        raise AsknownError(
            "bad-value",
            f"{features!r} names no features",
            hint="give a list such as ['view:feature', 'view'], or the name of a feature service",
        )
    return references


def _instant(at: datetime | str | None) -> datetime:
    if at is None:
        return datetime.now(UTC)
    try:
        moment = datetime.fromisoformat(at) if isinstance(at, str) else at
        if not isinstance(moment, datetime):
            raise TypeError(at)
        return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        raise AsknownError(
            "bad-value",
            f"{at!r} is not an instant",
            hint="write it like 2013-05-01T12:00:00Z (without a zone it is UTC), or give a datetime",
        ) from None


def _resolved(
    session: Session, references: tuple[str, ...], full_names: bool, columns: tuple[str, ...] | None
) -> Request:
    """The request, checked against the columns given; a request of no rows has none to check."""
    shape = (references, full_names, columns)
    request = session.requests.get(shape)
    if request is None:
        request = resolve(references, session.views, session.services, full_names=full_names)
        if columns is not None:
            request.check_columns(columns)
        if len(session.requests) >= _MOST_REQUESTS:
            session.requests.clear()
        session.requests[shape] = request
    return request


def _check_watermarks(request: Request, instant: datetime) -> None:
    for read in request.reads:
        if instant < read.stored.watermark:
            view = read.stored.view.name
            raise AsknownError(
                "before-watermark",
                f"'{view}' is loaded up to {_spell(read.stored.watermark)}, "
                f"and the read asks for {_spell(instant)}, which is before that",
                hint="the online table keeps only the newest row of a key; an earlier instant is a training query: "
                f"asknown train {view} --spine <your keys and instants>",
            )


def _spell(moment: datetime) -> str:
    return moment.replace(tzinfo=None).isoformat(" ") + " UTC"


def _encode_keys(read: Read, columns: Mapping[str, list[Any]], count: int) -> list[Row | None]:
    """Each row's key as it is stored; None where no row can have it."""
    if not read.keys or not count:
        return [()] * count
    encoded = []
    for name, encode in read.keys:
        column = columns[name]
        for row, value in enumerate(column, start=1):
            if value is MISSING:
                raise missing_key(name, read.stored.view.name, (), row)
        encoded.append([encode(value) for value in column])
    return [None if ABSENT in key else key for key in zip(*encoded, strict=True)]


def _find(session: Session, read: Read, keys: list[Row | None], instant: datetime) -> Found:
    """All that a read needs to know of these keys."""
    rows = _look_up(session, read, keys) if read.looks_up else []
    if read.windows is None:
        return Found(keys, rows, {})
    at, cursor = microseconds_of(instant), session.cursor
    return Found(keys, rows, {key: read.windows.fetch(cursor, key, at) for key in dict.fromkeys(keys)})


def _look_up(session: Session, read: Read, keys: list[Row | None]) -> list[Row | None]:
    """For each key its row (event time, the read's features, its hidden columns), or None."""
    width = len(read.keys)
    distinct = list(dict.fromkeys(key for key in keys if key is not None))
    found: dict[Row, Row] = {}
    for start in range(0, len(distinct), _MOST_KEYS):
        some = distinct[start : start + _MOST_KEYS]
        for row in session.cursor.execute(read.query(len(some)), [part for key in some for part in key]):
            found[row[:width]] = row[width:]
    return [None if key is None else found.get(key) for key in keys]
