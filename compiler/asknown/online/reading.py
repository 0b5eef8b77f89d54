"""Reads requests: by the plan of an earlier request of the same shape, else by what the file says now."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from asknown.errors import AsknownError
from asknown.instants import read_instant
from asknown.online.answer import Answer, UnreadableError
from asknown.online.entity_rows import MISSING, Columns, EntityRows, as_columns
from asknown.online.faults import damaged
from asknown.online.lookup import find_facts
from asknown.online.read_plan import ReadPlan
from asknown.online.request import resolve
from asknown.online.response import OnlineResponse
from asknown.online.session import Session, Sessions
from asknown.online.sqlite import Library

_MOST_PLANS = 256  # request shapes kept resolved
_EPOCH = datetime(1970, 1, 1)
_EPOCH_IN_UTC = datetime(1970, 1, 1, tzinfo=UTC)

Names = tuple[str, ...] | None
Shape = tuple[tuple[str, ...], bool, Names]


class Reading:
    """The file at ``path`` as it is read: its sessions, and the ways of a request through them."""

    def __init__(self, path: str | Path, library: Library) -> None:
        self.sessions = Sessions(Path(path).absolute(), library)
        self._doubts: tuple[type[Exception], ...] = (
            AsknownError,
            UnreadableError,
            TypeError,
            *self.sessions.errors,
        )
        with self.sessions.snapshot():
            pass  # a file that cannot be read is an error now, not at the first request

    def read(
        self, features: str | Sequence[str], entity_rows: EntityRows, at: datetime | str | None, full_names: bool
    ) -> OnlineResponse:
        """The response to a request, as :meth:`OnlineReader.get_online_features` describes it."""
        references = (features,) if isinstance(features, str) else _references(features)
        row, columns = _by_row_or_columns(entity_rows)
        shape = (references, full_names, tuple(row) if columns is None else columns.names)
        instant = _instant(at)
        answer = self._read_as_before(shape, row, columns, instant)
        if answer is None:
            answer = self._read_anew(shape, row, columns, instant)
        if columns is None:
            return OnlineResponse({name: [value] for name, value in row.items()}, answer, 1)
        return OnlineResponse(columns.filled(), answer, columns.count)

    def _read_as_before(
        self, shape: Shape, row: Mapping[str, Any], columns: Columns | None, instant: datetime
    ) -> Answer | None:
        """The answer, by a plan of an earlier read; None where there is none, or anything at all is not as it was."""
        try:
            session = self.sessions.current()
            plan = session.plans.get(shape)
            if plan is None or instant < plan.earliest:
                return None
            if columns is None and plan.by_row is not None:
                return plan.read_row(session.cursor, row, instant)
            with session.transaction() as cursor:
                return _read_rows(plan, cursor, row, columns, instant)
        except self._doubts:
            return None  # it may be the plan that is out of date: the file as it is now has the last word

    def _read_anew(self, shape: Shape, row: Mapping[str, Any], columns: Columns | None, instant: datetime) -> Answer:
        """The answer, by what the file says now. All errors of a read come from here."""
        references, full_names, names = shape
        _check_references(references)
        if columns is None:
            as_columns([row])  # refuses names that are none
        with self.sessions.snapshot() as session:
            plan = session.plans.get(shape)
            if plan is None:
                plan = _make_plan(session, references, full_names, names)
                if len(session.plans) >= _MOST_PLANS:
                    session.plans.clear()
                session.plans[shape] = plan
            plan.check_watermarks(instant)
            try:
                if columns is None and plan.by_row is not None:
                    answer = plan.read_row(session.cursor, row, instant)
                else:
                    answer = _read_rows(plan, session.cursor, row, columns, instant)
            except UnreadableError as error:
                raise damaged(self.sessions.path, f"a value is not of its column's type: {error}") from error
        assert answer is not None, "a plan fits the state of the file that it was made in"
        return answer


def _by_row_or_columns(entity_rows: EntityRows) -> tuple[Mapping[str, Any], Columns | None]:
    """The row of a request for one, or the columns of one for many, which has no row."""
    if type(entity_rows) is list and len(entity_rows) == 1 and type(entity_rows[0]) is dict:
        return entity_rows[0].copy(), None
    columns = as_columns(entity_rows)
    if columns.count == 1:
        return {name: column[0] for name, column in columns.values.items()}, None
    return {}, columns


def _read_rows(
    plan: ReadPlan, cursor: Any, row: Mapping[str, Any], columns: Columns | None, instant: datetime
) -> Answer | None:
    if columns is None:
        return plan.read_rows(cursor, {name: [value] for name, value in row.items()}, 1, instant)
    if columns.ragged:
        plan.request.check_rows(columns.values, MISSING)
    return plan.read_rows(cursor, columns.values, columns.count, instant)


def _make_plan(session: Session, references: tuple[str, ...], full_names: bool, names: Names) -> ReadPlan:
    """The plan of a request, checked against the columns given; a request of no rows has none to check."""
    request = resolve(references, session.views, session.services, full_names=full_names)
    if names is not None:
        request.check_columns(names)
    return ReadPlan(request, find_facts(session.cursor, request, references, session.services))


def _references(features: Any) -> tuple[Any, ...]:
    try:
        return tuple(features)
    except TypeError:
        _check_references((features,))
        raise


def _check_references(references: tuple[str, ...]) -> None:
    if not references or not all(isinstance(reference, str) for reference in references):
        raise AsknownError(
            "bad-value",
            f"{list(references)!r} names no features",
            hint="give a list such as ['view:feature', 'view'], or the name of a feature service",
        )


def _instant(at: datetime | str | None) -> datetime:
    """The instant, naive, in UTC."""
    if at is None:
        return _EPOCH + (datetime.now(UTC) - _EPOCH_IN_UTC)  # replace(tzinfo=None) takes three times as long
    return read_instant(at, "at")
