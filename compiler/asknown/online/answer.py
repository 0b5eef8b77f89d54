"""From what was found to the response: values, statuses and event times (rules 3 and 4).

Instants are naive here, in UTC: they are compared a good deal faster so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asknown.online.request import Output
    from asknown.online.response import Status
    from asknown.online.windows import WindowAnswer

_EPOCH = datetime(1970, 1, 1)
_TICK = timedelta(microseconds=1)

Column = Sequence[Any]


class UnreadableError(Exception):
    """A stored value is not what its column's type says."""


class Look:
    """What one read found for each row of the request: the event time of the key's row, None where there is none.

    ``oldest`` is the earliest event time that is in age, None where there is no bound. ``windows`` has the answers of
    the read's trailing windows.
    """

    __slots__ = ("moments", "oldest", "windows")

    def __init__(
        self, moments: list[datetime | None], oldest: datetime | None, windows: Sequence[WindowAnswer] = ()
    ) -> None:
        self.moments = moments
        self.oldest = oldest
        self.windows = windows

    def in_age(self, columns: list[Column]) -> list[Column]:
        """The columns, with None in the rows that are too old."""
        oldest = self.oldest
        if oldest is None or min(filter(None, self.moments), default=oldest) >= oldest:
            return columns
        young = [moment is not None and moment >= oldest for moment in self.moments]
        return [[value if kept else None for value, kept in zip(column, young, strict=True)] for column in columns]

    def statuses(self) -> list[Status]:
        """The status that the row's features have but for their own NULLs."""
        oldest = self.oldest
        return [
            "NOT_FOUND" if moment is None else "PRESENT" if oldest is None or moment >= oldest else "OUTSIDE_MAX_AGE"
            for moment in self.moments
        ]


class Answer:
    """The values of each output, a column each; and, worked out when they are asked for, statuses and event times."""

    __slots__ = ("_looks", "names", "outputs", "values")

    def __init__(
        self, names: tuple[str, ...], outputs: tuple[Output, ...], looks: list[Look], values: list[list[Any]]
    ) -> None:
        self.names = names
        self.outputs = outputs
        self.values = values
        self._looks = looks

    def statuses(self) -> dict[str, list[Status]]:
        """For each output the status of each row."""
        bases = [look.statuses() for look in self._looks]
        found: dict[str, list[Status]] = {}
        for output, values in zip(self.outputs, self.values, strict=True):
            if output.windowed:
                found[output.name] = ["NULL_VALUE" if value is None else "PRESENT" for value in values]
            else:
                found[output.name] = [
                    "NULL_VALUE" if value is None and base == "PRESENT" else base
                    for value, base in zip(values, bases[output.read], strict=True)
                ]
        return found

    def event_timestamps(self) -> dict[str, list[datetime | None]]:
        """For each output the event time of each row, aware."""
        moments = [[_in_utc(moment) for moment in look.moments] for look in self._looks]
        return {
            output.name: [_moment(given.newest(output.place)) for given in self._looks[output.read].windows]
            if output.windowed
            else list(moments[output.read])
            for output in self.outputs
        }


def microseconds_of(instant: datetime) -> int:
    """The instant as the events' table has it: microseconds since 1970."""
    return (instant - _EPOCH) // _TICK


def earliest(instant: datetime, ttl: timedelta | None) -> datetime | None:
    """The earliest event time that is in age at ``instant``; both ends count (rule 3). None: no bound."""
    if ttl is None:
        return None
    try:
        return instant - ttl
    except OverflowError:
        return None


def read_moments(times: Column) -> list[datetime | None]:
    """The event times, as they are stored, as instants."""
    try:
        if None not in times:
            return list(map(datetime.fromisoformat, times))
        return [None if text is None else datetime.fromisoformat(text) for text in times]
    except (ValueError, TypeError) as error:
        raise UnreadableError(str(error)) from error


def decode_all(column: Column, decode: Callable[[Column], list[Any]] | None) -> list[Any]:
    """The values that a column of stored ones stands for."""
    if decode is None:
        return list(column)
    try:
        return decode(column)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise UnreadableError(str(error)) from error


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _in_utc(_EPOCH + timedelta(microseconds=microseconds))


def _in_utc(moment: datetime | None) -> datetime | None:
    return None if moment is None else moment.replace(tzinfo=UTC)
