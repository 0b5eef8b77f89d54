"""Reads the rows that a command pushes: JSON lines, CSV or Parquet.

In CSV every value is text, which is converted to the type of its column, and an empty field is NULL.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from asknown.errors import AsknownError, Where
from asknown.json_text import read_json
from asknown.online.inputs import parse_input
from asknown.types import SqlType

STDIN = "-"


def read_rows(file: str, types: Mapping[str, SqlType]) -> list[dict[str, Any]]:
    """The rows of ``file``, or of stdin for ``-``; ``types`` are those of the source's columns.

    Raises ``bad-value`` for a file that cannot be read, and ``push-row`` for a text that is no value of its column.
    """
    ending = Path(file).suffix.casefold()
    try:
        if ending == ".parquet":
            from asknown.store.push import parquet_rows

            return parquet_rows(file)
        if ending == ".csv":
            return list(_read_csv(file, types))
        if file == STDIN or ending in (".jsonl", ".ndjson", ".json"):
            return list(_read_json(file))
    except OSError as error:
        why = error.strerror or str(error).partition("\n")[0]
        raise AsknownError(
            "bad-value", f"{file} cannot be read: {why}", hint="the path is relative to the current folder"
        ) from None
    except UnicodeDecodeError:
        raise AsknownError("bad-value", f"{_shown(file)} is not UTF-8 text") from None
    raise AsknownError(
        "bad-value",
        f"the format of {file} is unknown",
        hint="name it .jsonl, .csv or .parquet, or give - for JSON lines from stdin",
    )


def _read_json(file: str) -> Iterator[dict[str, Any]]:
    for number, line in enumerate(_lines(file), start=1):
        if not line.strip():
            continue
        try:
            row = read_json(line)
        except ValueError as error:
            raise _bad_line(file, number, f"it is not JSON: {error}") from None
        if not isinstance(row, dict):
            raise _bad_line(file, number, "it is not an object")
        yield row


def _read_csv(file: str, types: Mapping[str, SqlType]) -> Iterator[dict[str, Any]]:
    reader = csv.reader(_lines(file), strict=True)
    try:
        head = next(reader, [])
        for cells in reader:
            if not cells:
                continue
            if len(cells) != len(head):
                raise _bad_line(file, reader.line_num, f"it has {len(cells)} fields, but the header has {len(head)}")
            yield {
                name: _convert(text, types[name], name, Where(_shown(file), reader.line_num)) if name in types else text
                for name, text in zip(head, cells, strict=True)
            }
    except csv.Error as error:
        raise _bad_line(file, reader.line_num, str(error)) from None


def _convert(text: str, kind: SqlType, column: str, at: Where) -> Any:
    if not text:
        return None
    try:
        return parse_input(text, kind, column=column)
    except AsknownError as error:
        raise AsknownError("push-row", error.message, at=at, hint=error.hint) from None


def _lines(file: str) -> Iterator[str]:
    if file == STDIN:
        yield from sys.stdin
        return
    with Path(file).open(encoding="utf-8-sig", newline="") as opened:
        yield from opened


def _bad_line(file: str, line: int, why: str) -> AsknownError:
    return AsknownError("bad-value", f"the rows cannot be read: {why}", at=Where(_shown(file), line))


def _shown(file: str) -> str:
    return "stdin" if file == STDIN else file
