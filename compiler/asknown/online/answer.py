"""From the rows found to the response: values, statuses and event times (DESIGN section 3, rules 3 and 4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from asknown.online.codec import read_instant
from asknown.online.request import Read, Request
from asknown.online.response import Status
from asknown.online.windows import Answer, Events

_EARLIEST = datetime.min.replace(tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TICK = timedelta(microseconds=1)

Row = tuple[Any, ...]


class UnreadableError(Exception):
    """A stored value is not what its column's type says."""


@dataclass(frozen=True)
class Found:
    """What one read found, for each row of the request: its key, and the key's row in the view's table, or None.

    ``events`` holds, by key, what the windows are computed from. The key is None where no row can have it.
    """

    keys: list[Row | None]
    rows: list[Row | None]
    events: Mapping[Row | None, Events]


@dataclass(frozen=True)
class Answers:
    """The event times, statuses and values, by the output's name."""

    times: dict[str, list[datetime | None]]
    statuses: dict[str, list[Status]]
    values: dict[str, list[Any]]


def microseconds_of(instant: datetime) -> int:
    """The instant as the events' table has it: microseconds since 1970."""
    return (instant - _EPOCH) // _TICK


def answer(request: Request, found: Sequence[Found], instant: datetime) -> Answers:
    """The answer to a request at ``instant``, from what each of its reads found."""
    looked = [_Look(read, some, instant) for read, some in zip(request.reads, found, strict=True)]
    answers = Answers({}, {}, {})
    for output in request.outputs:
        look = looked[output.read]
        name, place = output.name, output.place
        if output.windowed:
            values = [given.values[place] for given in look.windows]
            answers.times[name] = [_moment(given.newest[place]) for given in look.windows]
            answers.statuses[name] = ["NULL_VALUE" if value is None else "PRESENT" for value in values]
        else:
            values = look.column(place, output.decode)
            answers.times[name] = look.moments
            answers.statuses[name] = [
                "NULL_VALUE" if value is None and base == "PRESENT" else base
                for value, base in zip(values, look.bases, strict=True)
            ]
        answers.values[name] = values
    return answers


class _Look:
    """One read's rows, each with its event time and with the status that its features have but for their own NULLs."""

    def __init__(self, read: Read, found: Found, instant: datetime) -> None:
        self.rows = found.rows
        self.moments: list[datetime | None] = []
        self.bases: list[Status] = []
        if read.looks_up:
            oldest = _oldest(instant, read.stored.view.ttl)
            self.moments = [_decoded(row[0], read_instant) if row is not None else None for row in found.rows]
            self.bases = [_base_status(moment, oldest) for moment in self.moments]
        self.windows = self._windows(read, found, microseconds_of(instant)) if read.windows is not None else []

    def column(self, place: int, decode: Callable[[Any], Any] | None) -> list[Any]:
        """The values of an as-of column: None where there is no row, or none that is young enough."""
        stored = [
            row[place + 1] if row is not None and base == "PRESENT" else None
            for row, base in zip(self.rows, self.bases, strict=True)
        ]
        return stored if decode is None else [None if value is None else _decoded(value, decode) for value in stored]

    def _windows(self, read: Read, found: Found, instant: int) -> list[Answer]:
        """The windows' features of each row; a key is answered once."""
        assert read.windows is not None
        hidden = {
            name: self.column(len(read.features) + place, decode) for place, (name, decode) in enumerate(read.hidden)
        }
        known: dict[Row | None, Answer] = {}
        for place, key in enumerate(found.keys):
            if key not in known:
                kept = {name: column[place] for name, column in hidden.items()}
                try:
                    known[key] = read.windows.answer(found.events[key], instant, kept)
                except (ValueError, TypeError) as error:
                    raise UnreadableError(str(error)) from error
        return [known[key] for key in found.keys]


def _decoded(stored: Any, decode: Callable[[Any], Any]) -> Any:
    try:
        return decode(stored)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise UnreadableError(repr(stored)) from error


def _base_status(moment: datetime | None, oldest: datetime) -> Status:
    if moment is None:
        return "NOT_FOUND"
    return "PRESENT" if moment >= oldest else "OUTSIDE_MAX_AGE"


def _oldest(instant: datetime, ttl: int) -> datetime:
    """The earliest event time that is in age at ``instant``; both ends count (rule 3)."""
    if not ttl:
        return _EARLIEST
    try:
        return instant - timedelta(microseconds=ttl)
    except OverflowError:
        return _EARLIEST


@lru_cache(maxsize=1024)
def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _EPOCH + timedelta(microseconds=microseconds)
