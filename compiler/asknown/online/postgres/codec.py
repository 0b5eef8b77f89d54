"""The Postgres columns that keep cells in the stored form, and conversions at this boundary.

| cell                                                   | column            |
|--------------------------------------------------------|-------------------|
| int of 64 bits, of integers and booleans               | bigint            |
| float, and the text 'NaN'                              | double precision  |
| bytes                                                  | bytea             |
| text: of texts, decimals, times, lists, large integers | text COLLATE "C"  |

So a key has one spelling, which its index finds, and text order is that of bytes, whatever the database's collation.
Postgres cannot keep a text with the character NUL.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Literal

from asknown.online.remote.store import Cell
from asknown.types import SqlType

Form = Literal["integer", "bigint", "double precision", "bytea", "text"]


def quote(name: str) -> str:
    """The name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def literal(text: str) -> str:
    """The text as an SQL literal, in a statement that is given no parameters."""
    return "'" + text.replace("'", "''") + "'"


def form_of(kind: SqlType) -> Form:
    """The type of the column that keeps a value of this type; also what a bound value is cast to."""
    if kind.kind in ("integer", "boolean") and not kind.is_wide:
        return "bigint"
    return {"float": "double precision", "blob": "bytea"}.get(kind.kind, "text")  # type: ignore[return-value]


def storage(kind: SqlType) -> str:
    """The type of the column, with its collation."""
    form = form_of(kind)
    return 'text COLLATE "C"' if form == "text" else form


def reader(forms: Sequence[Form]) -> Callable[[Sequence[Any]], tuple[Any, ...]]:
    """The function from a row as the driver has it to cells in the stored form."""
    floats = [place for place, form in enumerate(forms) if form == "double precision"]

    def read(row: Sequence[Any]) -> tuple[Any, ...]:
        for place in floats:
            value = row[place]
            if value != value:  # noqa: PLR0124 - NaN
                return tuple("NaN" if cell != cell else cell for cell in row)  # noqa: PLR0124
        return tuple(row)

    return read


def spell(cell: Cell, form: Form) -> bytes | None:
    """A cell as Postgres reads it from a bound text; None for NULL, and for a text that no row can have."""
    match cell:
        case None:
            return None
        case str():
            return None if "\0" in cell else cell.encode()
        case bytes():
            return b"\\x" + cell.hex().encode()
        case _:
            return b"%d" % cell if form == "bigint" else repr(cell).encode()


def spell_array(cells: Iterable[Cell], form: Form) -> bytes:
    """Cells as Postgres reads an array of them from a bound text."""
    match form:
        case "integer" | "bigint":
            spelled = ["NULL" if cell is None else str(cell) for cell in cells]
        case "double precision":
            spelled = ["NULL" if cell is None else repr(float(cell)) for cell in cells]
        case "bytea":
            spelled = ["NULL" if cell is None else f'"\\\\x{cell.hex()}"' for cell in cells]  # type: ignore[union-attr]
        case _:
            spelled = [_element(str(cell)) if cell is not None else "NULL" for cell in cells]
    return f"{{{','.join(spelled)}}}".encode()


def _element(text: str) -> str:
    if "\0" in text:
        return "NULL"
    if "\\" in text or '"' in text:
        text = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'
