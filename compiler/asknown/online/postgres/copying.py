"""Rows of cells as the CSV that COPY reads, spelled by Arrow a column at a time: row by row takes ten times as long."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from asknown.errors import AsknownError
from asknown.online.postgres.codec import Form
from asknown.online.postgres.layout import Tables
from asknown.online.remote.store import Part

_OPTIONS = csv.WriteOptions(include_header=False)  # NULL is nothing, an empty text is ""


def copied_columns(tables: Tables, part: Part) -> tuple[str, ...]:
    """The quoted columns of a part, in the order in which its rows are copied."""
    match part:
        case "rows":
            return tables.columns
        case "events":
            return (*tables.keys[: len(tables.table.keys)], '"_number"', '"_start"', '"_body"')
        case _:
            return (*tables.keys[: len(tables.table.keys)], '"_body"')


def copied_forms(tables: Tables, part: Part) -> tuple[Form, ...]:
    """The forms of these columns."""
    width = len(tables.table.keys)
    match part:
        case "rows":
            return tables.forms
        case "events":
            return (*tables.key_forms[:width], "bigint", "bigint", "bytea")
        case _:
            return (*tables.key_forms[:width], "bytea")


def to_csv(tables: Tables, part: Part, rows: Sequence[Sequence[Any]], first: int = 1) -> bytes:
    """Rows of the columns of a part as CSV; ``first`` is the number of the first, for a message."""
    forms = copied_forms(tables, part)
    arrays = [_array(cells, form) for cells, form in zip(zip(*rows, strict=True), forms, strict=True)]
    if part == "rows":
        for place, array in enumerate(arrays):
            if forms[place] == "text" and pc.any(found := pc.match_substring(array, "\0")).as_py():
                row = found.to_pylist().index(True)
                raise _nul(tables, place, array[row].as_py(), first + row)
    out = io.BytesIO()
    names = [str(place) for place in range(len(arrays))]
    csv.write_csv(pa.RecordBatch.from_arrays(arrays, names=names), out, _OPTIONS)
    return out.getvalue()


def _array(cells: Sequence[Any], form: Form) -> Any:
    match form:
        case "bigint":
            return pa.array(cells, pa.int64())
        case "bytea":
            return pa.array([None if cell is None else f"\\x{cell.hex()}" for cell in cells], pa.string())
        case "double precision":
            try:
                return pa.array(cells, pa.float64())
            except (pa.ArrowInvalid, pa.ArrowTypeError, TypeError):  # a NaN is a text
                return pa.array([None if cell is None else float(cell) for cell in cells], pa.float64())
        case _:
            return pa.array(cells, pa.string())


def refuse_nul(tables: Tables, rows: Sequence[Sequence[Any]]) -> None:
    """Refuses texts that Postgres cannot keep."""
    for place, form in enumerate(tables.forms):
        if form == "text":
            for number, row in enumerate(rows, start=1):
                if row[place] is not None and "\0" in row[place]:
                    raise _nul(tables, place, row[place], number)


def _nul(tables: Tables, place: int, cell: str, row: int) -> AsknownError:
    view, column, shown = tables.table.view, tables.table.columns[place].name, repr(cell)
    return AsknownError(
        "unsupported-type",
        f"column '{column}' of '{view}' holds a text with the character NUL, which Postgres cannot keep: "
        f"{shown if len(shown) <= 60 else shown[:57] + '…'}, in row {row:,}",
        hint=f"take it out in the model: replace({column}, chr(0), '')",
    )
