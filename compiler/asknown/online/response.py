"""The answer to an online read: values, statuses and event timestamps, in the request's order."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal

from asknown.errors import AsknownError
from asknown.types import Kind, SqlType

if TYPE_CHECKING:
    from asknown.online.answer import Answer

Status = Literal["PRESENT", "NULL_VALUE", "NOT_FOUND", "OUTSIDE_MAX_AGE"]

# The pandas dtype that keeps a column of this kind with its NULLs; what is not here stays Python objects.
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
        """For each feature the event time (aware, UTC) of the row that each value comes from; None without a row."""
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
        frame = {name: pd.Series(list(column)) for name, column in self._columns.items()}
        for output, values in zip(self._answer.outputs, self._answer.values, strict=True):
            text = pd.Series([""]).dtype  # str, or object before pandas 3
            kind = output.column.type
            frame[output.name] = pd.Series(list(values), dtype=text if kind.kind == "text" else _dtype(kind))
        return pd.DataFrame(frame, index=range(self._count))


def _dtype(kind: SqlType) -> str:
    if kind.kind == "integer" and kind.bits <= 64:
        return "Int64" if kind.signed or kind.bits < 64 else "UInt64"
    return _PANDAS.get(kind.kind, "object")
