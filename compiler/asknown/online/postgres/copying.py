"""Spells rows of cells in the binary format of COPY, a column at a time.

The server reads this format several times as fast as text, and a double keeps its bits without being spelled.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain, repeat
from struct import Struct
from typing import Any

from asknown.errors import AsknownError
from asknown.online.postgres.codec import Form
from asknown.online.postgres.layout import Tables
from asknown.online.remote.store import Part

BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""The bytes before the first row: a signature, no flags, no extension."""

END = b"\xff\xff"
"""The bytes after the last row."""

_NUMBERS: dict[Form, tuple[str, int]] = {"integer": ("i", 4), "bigint": ("q", 8), "double precision": ("d", 8)}
_NULL = b"\xff\xff\xff\xff"  # in place of a field's length and bytes


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
            return (*tables.key_forms[:width], "integer", "bigint", "bytea")
        case _:
            return (*tables.key_forms[:width], "bytea")


def to_binary(tables: Tables, part: Part, columns: Sequence[Sequence[Any]], first: int = 1) -> bytes:
    """Rows of a part, given by the cells of each copied column, as they come between :data:`BEGIN` and :data:`END`.

    ``first`` is the number of the first row, for a message.
    """
    forms = copied_forms(tables, part)
    if part == "rows":
        _refuse_nul(tables, columns, first)
    pieces: list[Iterator[bytes]] = []  # each gives some bytes of each row
    code, values = ">h", list[Iterable[Any]]([repeat(len(forms))])  # what struct packs of a row next
    for cells, form in zip(columns, forms, strict=True):
        fixed = _fixed(cells, form)
        if fixed is None:
            if values:
                pieces.append(map(Struct(code).pack, *values))
            pieces.append(map(_FIELD[form], cells))
            code, values = ">", []
        else:
            code, values = code + fixed[0], [*values, *fixed[1]]
    if values:
        pieces.append(map(Struct(code).pack, *values))
    return b"".join(chain.from_iterable(zip(*pieces)))  # noqa: B905 - what repeats does not end


def _fixed(cells: Sequence[Any], form: Form) -> tuple[str, list[Iterable[Any]]] | None:
    """The code and the values by which struct packs a column; None if its fields differ in length, or one is NULL."""
    kinds = set(map(type, cells))
    if form in _NUMBERS:
        code, length = _NUMBERS[form]
        return (f"i{code}", [repeat(length), cells]) if kinds <= {int, float} else None
    if type(None) in kinds:
        return None
    fields = [cell.encode() for cell in cells] if form == "text" else cells
    lengths = set(map(len, fields))
    if len(lengths) > 1:
        return None
    (length,) = lengths
    return f"i{length}s", [repeat(length), fields]


def _number_field(form: Form) -> Callable[[Any], bytes]:
    """The function from a number, the text of a NaN, or None, to its length and bytes."""
    code, length = _NUMBERS[form]
    pack = Struct(f">i{code}").pack
    convert = float if form == "double precision" else int
    return lambda cell: _NULL if cell is None else pack(length, convert(cell))


def _text_field(cell: str | None) -> bytes:
    return _bytes_field(None if cell is None else cell.encode())


def _bytes_field(cell: bytes | None) -> bytes:
    """The length and the bytes of a field."""
    return _NULL if cell is None else len(cell).to_bytes(4, "big") + cell


_FIELD: dict[Form, Callable[[Any], bytes]] = {
    **{form: _number_field(form) for form in _NUMBERS},
    "text": _text_field,
    "bytea": _bytes_field,
}


def _refuse_nul(tables: Tables, columns: Sequence[Sequence[Any]], first: int = 1) -> None:
    """Refuses texts that Postgres cannot keep; ``first`` is the number of the first row."""
    for place, (cells, form) in enumerate(zip(columns, tables.forms, strict=True)):
        if form == "text" and "\0" in "".join(cell for cell in cells if cell is not None):
            row = next(number for number, cell in enumerate(cells) if cell is not None and "\0" in cell)
            raise _nul(tables, place, cells[row], first + row)


def refuse_nul(tables: Tables, rows: Sequence[Sequence[Any]]) -> None:
    """Refuses rows with texts that Postgres cannot keep."""
    _refuse_nul(tables, list(zip(*rows, strict=True)))


def _nul(tables: Tables, place: int, cell: str, row: int) -> AsknownError:
    view, column, shown = tables.table.view, tables.table.columns[place].name, repr(cell)
    return AsknownError(
        "unsupported-type",
        f"column '{column}' of '{view}' holds a text with the character NUL, which Postgres cannot keep: "
        f"{shown if len(shown) <= 60 else shown[:57] + '…'}, in row {row:,}",
        hint=f"take it out in the model: replace({column}, chr(0), '')",
    )
