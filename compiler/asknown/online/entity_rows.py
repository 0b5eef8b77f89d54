"""The rows of a request, by columns: a list of dicts or a dict of lists, as the caller gave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from asknown.errors import AsknownError

EntityRows = Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]

MISSING: Final = object()
"""Stands where a row does not give a column that other rows give."""


@dataclass(frozen=True)
class Columns:
    """A request's columns, in the order first seen, and the number of rows. ``ragged``: some have :data:`MISSING`."""

    values: dict[str, list[Any]]
    count: int
    ragged: bool = False

    @property
    def names(self) -> tuple[str, ...] | None:
        """The columns' names; None for a request of no rows, which has none."""
        return tuple(self.values) if self.values or self.count else None

    def filled(self) -> dict[str, list[Any]]:
        """The columns with None where a value is missing."""
        if not self.ragged:
            return self.values
        return {name: [None if v is MISSING else v for v in column] for name, column in self.values.items()}


def as_columns(rows: EntityRows) -> Columns:
    """The rows by columns."""
    if isinstance(rows, Mapping):
        return _from_columns(rows)
    if isinstance(rows, (str, bytes)) or not isinstance(rows, Sequence):
        raise _bad_rows(f"it is a {type(rows).__name__}")
    names: dict[str, None] = {}
    for place, row in enumerate(rows, start=1):
        if not isinstance(row, Mapping):
            raise _bad_rows(f"row {place} is a {type(row).__name__}")
        names.update(dict.fromkeys(row))
    _check_names(names)
    ragged = any(len(row) < len(names) for row in rows)
    return Columns({name: [row.get(name, MISSING) for row in rows] for name in names}, len(rows), ragged)


def _from_columns(rows: Mapping[str, Any]) -> Columns:
    _check_names(rows)
    columns: dict[str, list[Any]] = {}
    for name, column in rows.items():
        if isinstance(column, (str, bytes, Mapping)) or not hasattr(column, "__iter__"):
            raise _bad_rows(f"the column '{name}' is a {type(column).__name__}, not a list of values")
        columns[name] = list(column)
    lengths = {name: len(column) for name, column in columns.items()}
    if len(set(lengths.values())) > 1:
        shown = ", ".join(f"'{name}' has {length}" for name, length in lengths.items())
        raise _bad_rows(f"its columns differ in length: {shown}")
    return Columns(columns, next(iter(lengths.values()), 0))


def _check_names(names: Mapping[Any, Any]) -> None:
    for name in names:
        if not isinstance(name, str):
            raise _bad_rows(f"the column name {name!r} is not a text")


def _bad_rows(why: str) -> AsknownError:
    return AsknownError(
        "bad-value",
        f"entity_rows cannot be read: {why}",
        hint='give a list of dicts, as in [{"carrier": "UA"}], or a dict of lists, as in {"carrier": ["UA", "AA"]}',
    )
