"""Writes rows as a table, as JSON or as CSV.

JSON is one document: a list of objects, one per line. CSV has a header, and an empty field for NULL. Both are written
as rows arrive, so they may be larger than memory.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Literal, TextIO, TypeVar

import click

from asknown.cli.progress import has_colour
from asknown.cli.table import lay_out, terminal_width
from asknown.cli.values import as_text
from asknown.cli.writing import open_file, open_stdout, safe_for
from asknown.engines.json_values import as_json

Format = Literal["table", "json", "csv"]
Rows = Iterable[Sequence[Any]]
_Function = TypeVar("_Function", bound=Callable[..., Any])

FORMATS: tuple[Format, ...] = ("table", "json", "csv")


def format_option(name: str = "kind") -> Callable[[_Function], _Function]:
    """Adds ``--format`` to a command, as its argument ``name``."""
    return click.option("--format", name, type=click.Choice(FORMATS), default="table", help="Output format.")


def write_rows(
    kind: Format,
    columns: Sequence[str],
    rows: Rows,
    *,
    null: str = "NULL",
    shorten: bool = False,
    path: Path | None = None,
) -> int:
    """Writes rows to stdout, or to the file ``path``, and returns their number.

    ``null`` and ``shorten`` are for the table: the text for None, and whether its last column may be shortened.
    """
    counted = _Counted(rows)
    with open_stdout() if path is None else open_file(path) as out:
        if kind == "json":
            _write_json(out, (dict(zip(columns, row, strict=True)) for row in counted))
        elif kind == "csv":
            _write_csv(out, columns, counted)
        else:
            width, bold = (terminal_width(), has_colour(sys.stdout)) if path is None else (None, False)
            lines = lay_out(columns, list(counted), null=null, width=width, shorten=shorten, bold=bold)
            out.writelines(f"{line}\n" for line in lines)
    return counted.count


def write_json(records: Iterable[dict[str, Any]]) -> None:
    """Writes objects to stdout as one JSON document."""
    with open_stdout() as out:
        _write_json(out, records)


def write_lines(lines: Iterable[str]) -> None:
    """Writes lines to stdout."""
    with open_stdout() as out:
        out.writelines(f"{line}\n" for line in lines)


class _Counted:
    """Counts rows as they are iterated over."""

    def __init__(self, rows: Rows) -> None:
        self._rows = rows
        self.count = 0

    def __iter__(self) -> Any:
        for row in self._rows:
            self.count += 1
            yield row


def _write_json(out: TextIO, records: Iterable[dict[str, Any]]) -> None:
    before, write = "[", safe_for(out)
    for record in records:
        write(f"{before}\n  {json.dumps(as_json(record), ensure_ascii=False, allow_nan=False)}")
        before = ","
    write("[]\n" if before == "[" else "\n]\n")


def _write_csv(out: TextIO, columns: Sequence[str], rows: Rows) -> None:
    write = safe_for(out)
    write(",".join(_quote(name) for name in columns) + "\n")
    for row in rows:
        line = ",".join("" if value is None else _quote(as_text(value)) for value in row)
        write((line or '""') + "\n")  # readers skip an empty line


def _quote(text: str) -> str:
    """The text as a CSV field. It is quoted if it needs to be, and if it is empty, to differ from NULL."""
    if text and not any(character in text for character in ',"\r\n') and text == text.strip():
        return text
    return '"' + text.replace('"', '""') + '"'
