"""The rows of a request, by columns: a list of dicts or a dict of lists, as the caller gave them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from asknown.errors import AsknownError

EntityRows = Sequence[Mapping[str, Any]] | Mapping[str, Sequence[Any]]

MISSING: Final = object()
"""Stands where a row does not give a column that other rows give."""


def as_columns(rows: EntityRows) -> tuple[dict[str, list[Any]], int]:
    """The columns, in the order first seen, and the number of rows."""
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
    return {name: [row.get(name, MISSING) for row in rows] for name in names}, len(rows)


def _from_columns(rows: Mapping[str, Any]) -> tuple[dict[str, list[Any]], int]:
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
    return columns, next(iter(lengths.values()), 0)


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
