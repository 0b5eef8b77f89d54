"""Reads requests: by the plan of an earlier request of the same shape, else by what the file says now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from asknown.errors import AsknownError
from asknown.online.answer import Answer, UnreadableError
from asknown.online.backend import Library
from asknown.online.codec import decoder
from asknown.online.nodes import OnlineOnDemand, OnlineService, Owner, StoredView
from asknown.online.request import MISSING, Query
from asknown.online.resolve import resolve
from asknown.online.sqlite.connect import Session, Sessions
from asknown.online.sqlite.errors import damaged
from asknown.online.sqlite.lookup import find_facts
from asknown.online.sqlite.names import quote
from asknown.online.sqlite.read_plan import ReadPlan
from asknown.paths import absolute

_MOST_PLANS = 256  # request shapes kept resolved


class SQLiteBackend:
    """The file of ``owner`` at ``path``, open for reading with ``library``."""

    def __init__(self, path: str | Path, library: Library, owner: Owner | None = None) -> None:
        self.sessions = Sessions(absolute(path), library, owner)
        self._doubts: tuple[type[Exception], ...] = (
            AsknownError,
            UnreadableError,
            TypeError,
            *self.sessions.errors,
        )
        try:
            with self.sessions.snapshot():
                pass  # a file that cannot be read is an error now, not at the first request
        except BaseException:
            self.sessions.close()
            raise

    def views(self) -> Mapping[str, StoredView]:
        """The views in the file, by name."""
        with self.sessions.snapshot() as session:
            return session.views

    def services(self) -> Mapping[str, OnlineService]:
        """The feature services in the file, by name."""
        with self.sessions.snapshot() as session:
            return session.services

    def on_demand(self) -> Mapping[str, OnlineOnDemand]:
        """The on-demand views in the file, by name."""
        with self.sessions.snapshot() as session:
            return session.on_demand

    def interrupt(self, thread: int) -> None:
        """Stops the query that the thread runs now, if any."""
        self.sessions.interrupt(thread)

    def keys(self, view: str) -> Iterator[tuple[Any, ...]]:
        """The keys of all rows of a view, in no order that means anything."""
        with self.sessions.snapshot() as session:
            columns = session.views[view].view.keys
            decoders = [decoder(column.type) or _same for column in columns]
            names = ", ".join(quote(column.name) for column in columns) or "1"
            for row in session.cursor.execute(f"SELECT {names} FROM {quote(view)}"):
                yield tuple(decode(value) for decode, value in zip(decoders, row[: len(columns)], strict=True))

    def close(self) -> None:
        """Closes the connections of all threads."""
        self.sessions.close()

    def read(self, query: Query, instant: datetime, *, latest: bool = False) -> Answer:
        """The answer to ``query`` at ``instant`` (naive, in UTC); ``latest`` says that this is the present."""
        return self._read_as_before(query, instant) or self._read_anew(query, instant, latest=latest)

    def _read_as_before(self, query: Query, instant: datetime) -> Answer | None:
        """The answer, by a plan of an earlier read; None where there is none, or anything at all is not as it was."""
        try:
            session = self.sessions.current()
            plan = session.plans.get(query.shape)
            if plan is None or not plan.earliest <= instant < plan.beyond:
                return None
            row = query.row
            if row is not None and plan.by_row is not None:
                return plan.read_row(session.cursor, row, instant)
            with session.transaction() as cursor:
                return _read_rows(plan, cursor, query, instant)
        except self._doubts:
            return None  # it may be the plan that is out of date: the file as it is now has the last word

    def _read_anew(self, query: Query, instant: datetime, *, latest: bool) -> Answer:
        """The answer, by what the file says now. All errors of a read come from here."""
        query.check()
        with self.sessions.snapshot() as session:
            plan = session.plans.get(query.shape)
            if plan is None:
                plan = _make_plan(session, query)
                if len(session.plans) >= _MOST_PLANS:
                    session.plans.clear()
                session.plans[query.shape] = plan
            instant = plan.after_pushes(session.cursor, instant, latest=latest)
            plan.check_instant(instant)
            try:
                if query.row is not None and plan.by_row is not None:
                    answer = plan.read_row(session.cursor, query.row, instant)
                else:
                    answer = _read_rows(plan, session.cursor, query, instant)
            except UnreadableError as error:
                raise damaged(self.sessions.path, f"a value is not of its column's type: {error}") from error
        assert answer is not None, "a plan fits the state of the file that it was made in"
        return answer


def _same(value: Any) -> Any:
    return value


def _read_rows(plan: ReadPlan, cursor: Any, query: Query, instant: datetime) -> Answer | None:
    if query.columns.ragged:
        plan.request.check_rows(query.columns.values, MISSING)
    return plan.read_rows(cursor, query.columns.values, query.columns.count, instant)


def _make_plan(session: Session, query: Query) -> ReadPlan:
    """The plan of a query, checked against the columns given; a query of no rows has none to check."""
    references, full_names, names = query.shape
    request = resolve(references, session.views, session.services, session.on_demand, full_names=full_names)
    if names is not None:
        request.check_columns(names)
    return ReadPlan(request, find_facts(session.cursor, request, references, session.services))
