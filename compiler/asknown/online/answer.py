"""The answer to an online read: values, statuses and event times, in the request's order (rules 3 and 4).

Instants are naive here, in UTC, because naive ones compare much faster.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Literal

from asknown.errors import AsknownError
from asknown.instants import from_microseconds, in_utc
from asknown.types import Kind, SqlType

if TYPE_CHECKING:
    from asknown.online.nodes import StoredView
    from asknown.online.request import Output, Request
    from asknown.online.windows import WindowAnswer


Column = Sequence[Any]


class UnreadableError(Exception):
    """A stored value does not have its column's type."""


class Found:
    """The event time that one read found for each row of the request, None where the key has no row.

    ``oldest`` is the earliest event time within the ttl, None if there is no bound. ``windows`` has the answers of
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
        old = [place for place, moment in enumerate(self.moments) if moment is not None and moment < oldest]
        kept: list[Any] = [list(column) for column in columns]
        for column in kept:
            for place in old:
                column[place] = None
        return kept

    def statuses(self) -> list[Status]:
        """The status of each row's features, before their own NULLs are considered."""
        oldest = self.oldest
        return [
            "NOT_FOUND" if moment is None else "PRESENT" if oldest is None or moment >= oldest else "OUTSIDE_MAX_AGE"
            for moment in self.moments
        ]


class Answer:
    """The values of each output, as columns. Statuses and event times are computed when they are requested.

    ``instant`` (naive, in UTC) is that of the read, and ``seq`` the number of the last pushed row that it could see: 0
    where nothing was pushed, or none of its views follows pushes. ``request`` is what was read, with the loads of its
    views.
    """

    __slots__ = ("_found", "instant", "names", "outputs", "request", "seq", "values")

    def __init__(
        self,
        names: tuple[str, ...],
        outputs: tuple[Output, ...],
        found: list[Found],
        values: list[list[Any]],
        *,
        instant: datetime,
        seq: int = 0,
        request: Request | None = None,
    ) -> None:
        self.request = request
        self.instant = instant
        self.seq = seq
        self.names = names
        self.outputs = outputs
        self.values = values
        self._found = found

    @property
    def found(self) -> Sequence[Found]:
        """The rows that each read found; ``Output.read`` counts among these."""
        return self._found

    def statuses(self) -> dict[str, list[Status]]:
        """For each output the status of each row."""
        bases = [found.statuses() for found in self._found]
        statuses: dict[str, list[Status]] = {}
        for output, values in zip(self.outputs, self.values, strict=True):
            if output.windowed or output.computed:
                statuses[output.name] = ["NULL_VALUE" if value is None else "PRESENT" for value in values]
            else:
                statuses[output.name] = [
                    "NULL_VALUE" if value is None and base == "PRESENT" else base
                    for value, base in zip(values, bases[output.read], strict=True)
                ]
        return statuses

    def event_timestamps(self) -> dict[str, list[datetime | None]]:
        """For each output the event time of each row, aware."""
        moments = [[_aware(moment) for moment in found.moments] for found in self._found]
        return {
            output.name: [None] * len(values)
            if output.computed
            else [_moment(answer.newest(output.place)) for answer in self._found[output.read].windows]
            if output.windowed
            else list(moments[output.read])
            for output, values in zip(self.outputs, self.values, strict=True)
        }

    def moments_of(self, row: int) -> list[datetime | None]:
        """The event time, aware, of each output of one row."""
        moments = [_aware(found.moments[row]) if found.moments else None for found in self._found]
        return [
            None
            if output.computed
            else _moment(self._found[output.read].windows[row].newest(output.place))
            if output.windowed
            else moments[output.read]
            for output in self.outputs
        ]


def earliest(instant: datetime, ttl: timedelta | None) -> datetime | None:
    """The earliest event time within the ttl at ``instant``, bound included (rule 3); None if there is no bound."""
    if ttl is None:
        return None
    try:
        return instant - ttl
    except OverflowError:
        return None


def before_push(view: str, pushed: datetime, instant: datetime) -> AsknownError:
    """The error for a read of a view at an instant that is before its last push; both are naive, in UTC."""
    return AsknownError(
        "before-watermark",
        f"a row was pushed into '{view}' at {pushed.isoformat(' ')} UTC, "
        f"and the read asks for {instant.isoformat(' ')} UTC, which is before that",
        hint="leave the instant out to read the newest values; for an earlier instant use a training query: "
        f"asknown train {view} --spine <your keys and instants>",
    )


def before_watermark(view: str, watermark: datetime, instant: datetime) -> AsknownError:
    """The error for a read of a view at an instant that is before its watermark; both are naive, in UTC."""
    if watermark > datetime.now(UTC).replace(tzinfo=None):
        hint = f"the view is loaded for a future instant; load it for now: asknown materialize {view} --full-refresh"
    else:
        hint = (
            "the online table answers only from its last load on; for an earlier instant use a training query: "
            f"asknown train {view} --spine <your keys and instants>; or take the view back to that instant: "
            f"asknown materialize {view} --until '{instant.isoformat(' ')}' --full-refresh"
        )
    return AsknownError(
        "before-watermark",
        f"'{view}' is loaded up to {watermark.isoformat(' ')} UTC, "
        f"and the read asks for {instant.isoformat(' ')} UTC, which is before that",
        hint=hint,
    )


def beyond_ahead(stored: StoredView, at: datetime, instant: datetime) -> AsknownError:
    """The error for a read at an instant at or after ``at``, from which on the last load has not all that counts.

    Both are naive, in UTC.
    """
    name, loaded = stored.view.name, stored.watermark.replace(tzinfo=None).isoformat(" ")
    first, asked = at.isoformat(" "), f"the read asks for {instant.isoformat(' ')} UTC"
    if stored.beyond_at is not None and stored.beyond_at.replace(tzinfo=None) == at:
        rows = "a row" if stored.beyond == 1 else f"{stored.beyond:,} rows"
        message = f"'{name}' has {rows} too far ahead for its load as of {loaded} UTC to keep, "
        message += f"the first from {first} UTC on, and {asked}"
        more = "keep more"
    else:
        message = f"the load of '{name}' as of {loaded} UTC knows its calendar up to {first} UTC, and {asked}"
        more = "know more of it"
    return AsknownError(
        "beyond-ahead",
        message,
        hint=f"load it again: asknown materialize {name}; "
        f"or {more}: config(max_ahead='…') in the model, and load again",
    )


def read_moments(times: Column) -> list[datetime | None]:
    """The instants of stored event times."""
    try:
        if None not in times:
            return list(map(datetime.fromisoformat, times))
        return [None if text is None else datetime.fromisoformat(text) for text in times]
    except (ValueError, TypeError) as error:
        raise UnreadableError(str(error)) from error


def decode_all(column: Column, decode: Callable[[Column], list[Any]] | None) -> list[Any]:
    """The decoded values of a column of stored ones."""
    if decode is None:
        return list(column)
    try:
        return decode(column)
    except (ValueError, TypeError, ArithmeticError) as error:
        raise UnreadableError(str(error)) from error


def _moment(microseconds: int | None) -> datetime | None:
    return None if microseconds is None else _aware(from_microseconds(microseconds))


def _aware(moment: datetime | None) -> datetime | None:
    return None if moment is None else in_utc(moment)


Status = Literal["PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE"]

# The pandas dtype that holds a column of this kind with its NULLs; columns of other kinds are Python objects.
_PANDAS: dict[Kind, str] = {
    "boolean": "boolean",
    "float": "float64",
    "timestamp": "datetime64[us]",
    "timestamptz": "datetime64[us, UTC]",
}


class OnlineResponse:
    """One row per row of the request, in its order: the request's own columns first, then the features asked for.

    A feature's value is None unless its status is PRESENT: NULL_VALUE (the row is there, the value is NULL),
    NOT_FOUND (no row of this key), OUTSIDE_MAX_AGE (a row, but older than the view's ttl allows).
    """

    def __init__(self, columns: dict[str, list[Any]], answer: Answer, count: int) -> None:
        self._columns = columns
        self._answer = answer
        self._count = count

    def __len__(self) -> int:
        return self._count

    def __repr__(self) -> str:
        return f"OnlineResponse({self._count} rows, features={list(self._answer.names)})"

    @property
    def answer(self) -> Answer:
        """The values, statuses and event times by output, without the request's columns."""
        return self._answer

    @property
    def given(self) -> dict[str, list[Any]]:
        """The request's own columns, with None where a row lacks one."""
        return self._columns

    @property
    def at(self) -> datetime:
        """The instant of the read, aware, in UTC."""
        return in_utc(self._answer.instant)

    @property
    def seq(self) -> int:
        """The number of the last pushed row that the read could see; 0 where its views follow no pushes."""
        return self._answer.seq

    def to_dict(self) -> dict[str, list[Any]]:
        """The columns by name, each a list with one value per row."""
        found = {name: list(column) for name, column in self._columns.items()}
        found.update(zip(self._answer.names, map(list, self._answer.values), strict=True))
        return found

    def rows(self) -> list[dict[str, Any]]:
        """The rows, each a dict from column to value."""
        columns = self.to_dict()
        return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]

    def statuses(self) -> dict[str, list[Status]]:
        """For each feature the status of each row."""
        return self._answer.statuses()

    def event_timestamps(self) -> dict[str, list[datetime | None]]:
        """For each feature the event time (aware, UTC) of the row that each value comes from; None without a row.

        An on-demand feature has none.
        """
        return self._answer.event_timestamps()

    def to_df(self) -> Any:
        """The rows as a pandas frame, with the dtypes of the training set's ``to_df()``.

        Integers are ``Int64`` (unsigned ones of 64 bits ``UInt64``), booleans ``boolean``, text is pandas' own ``str``;
        decimals and integers of 128 bits are Python objects.
        """
        try:
            import pandas as pd
        except ImportError as error:
            raise AsknownError(
                "missing-extra", "to_df() needs pandas", hint="type: pip install 'asknown[pandas]'"
            ) from error
        frame = {name: pd.Series(list(column), dtype=_dtype_of(column)) for name, column in self._columns.items()}
        for output, values in zip(self._answer.outputs, self._answer.values, strict=True):
            text = pd.Series([""]).dtype  # str, or object before pandas 3
            kind = output.column.type
            frame[output.name] = pd.Series(list(values), dtype=text if kind.kind == "text" else _dtype(kind))
        return pd.DataFrame(frame, index=range(self._count))


def _dtype_of(values: Sequence[Any]) -> str | None:
    """The dtype of a column of the request, which keeps its integers whole beside a NULL; None for pandas' own."""
    given = [value for value in values if value is not None]
    if given and all(isinstance(value, bool) for value in given):
        return "boolean"
    whole = [hasattr(value, "__index__") and not type(value).__name__.startswith("bool") for value in given]
    if given and all(whole) and all(-(2**63) <= value < 2**63 for value in given):
        return "Int64"
    return "object" if any(whole) else None


def _dtype(kind: SqlType) -> str:
    if kind.kind == "integer" and kind.bits <= 64:
        return "Int64" if kind.signed or kind.bits < 64 else "UInt64"
    return _PANDAS.get(kind.kind, "object")
