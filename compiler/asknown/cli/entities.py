"""Reads the entities of a request, typed as ``key=value`` or written in JSON lines or CSV.

On the command line and in CSV every value is text, which is converted to the type of its key. In JSON, only texts are
converted, and only for types that JSON lacks.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from asknown.errors import AsknownError, Where, did_you_mean
from asknown.json_text import read_json
from asknown.online.inputs import parse_input
from asknown.online.keys import parse_key
from asknown.online.reader import OnlineReader
from asknown.online.request import Request, missing_input, unknown_input
from asknown.online.resolve import resolve
from asknown.types import Kind, SqlType

Row = dict[str, Any]

STDIN = "-"
# The kinds for which JSON has no type, so that they are written as text.
_TEXT_IN_JSON: frozenset[Kind] = frozenset({"decimal", "blob", "uuid", "date", "timestamp", "timestamptz"})


def read_entities(
    reader: OnlineReader, features: Sequence[str], typed: Mapping[str, str], file: str | None, *, full_names: bool
) -> list[Row]:
    """The rows of ``file``, or the one row of the ``typed`` arguments, with each key in its type.

    Errors: those of the request, ``key-type``, ``spine-key``, and ``bad-value`` for a file that cannot be read.
    """
    views, services, on_demand = reader.views(), reader.services(), reader.on_demand()
    known_keys = [key.name for stored in views.values() for key in stored.view.keys]
    _refuse_bare_keys(features, known_keys, [*views, *services, *on_demand])
    request = resolve(features, views, services, on_demand, full_names=full_names)
    fields = _fields(request)
    if file is None:
        unread = {name: _Field(name, kind, True, view) for name, (kind, view) in request.unread_inputs().items()}
        unread |= {name: _Field(name, kind, False, view) for name, (kind, view) in request.unread_keys().items()}
        _check_typed(typed, fields, unread)
        return [{name: (unread | fields)[name].parse(text) for name, text in typed.items()}]
    rows = _read_csv(file, fields) if file.casefold().endswith(".csv") else _read_json(file, fields)
    return list(rows)


@dataclass(frozen=True)
class _Field:
    """A key or an input of the request."""

    name: str
    type: SqlType
    is_input: bool
    view: str

    def parse(self, text: str) -> Any:
        """The value of a text."""
        parse = parse_input if self.is_input else parse_key
        return parse(text, self.type, column=self.name)


def _fields(request: Request) -> dict[str, _Field]:
    """Each key column and each input of the request, by name."""
    keys = {name: _Field(name, kind, False, view) for name, (kind, view) in request.keys().items()}
    return keys | {name: _Field(name, kind, True, view) for name, (kind, view) in request.inputs().items()}


def _refuse_bare_keys(features: Sequence[str], keys: Sequence[str], known: Sequence[str]) -> None:
    for name in features:
        if name in keys and name not in known:
            raise AsknownError("bad-value", f"key '{name}' has no value", hint=f"write {name}=…")


def _check_typed(typed: Mapping[str, str], fields: Mapping[str, _Field], unread: Mapping[str, _Field]) -> None:
    """Refuses what is no key or input, and missing ones. ``unread`` are those that no requested feature reads."""
    for name in (name for name in typed if name not in fields and name not in unread):
        if unread or any(field.is_input for field in fields.values()):
            raise unknown_input(name, [*fields, *unread])
        raise AsknownError(
            "spine-key",
            f"none of the requested features has a key '{name}'",
            hint=did_you_mean(name, fields, what="keys"),
        )
    missing = [name for name, field in fields.items() if name not in typed and not field.is_input]
    if missing:
        raise AsknownError(
            "spine-key",
            f"{_listed(missing)} missing",
            hint="add " + " ".join(f"{name}=…" for name in missing) + ", or give many entities with --rows",
        )

    for name, field in fields.items():
        if name not in typed:
            raise missing_input(name, field.type, field.view)


def _listed(names: Sequence[str]) -> str:
    quoted = [f"'{name}'" for name in names]
    return f"key {quoted[0]} is" if len(quoted) == 1 else f"keys {', '.join(quoted)} are"


def _read_csv(file: str, fields: Mapping[str, _Field]) -> Iterator[Row]:
    """The rows of a CSV file with a header. An empty field is NULL."""
    import csv

    reader = csv.reader(_lines(file), strict=True)
    try:
        head = next(reader, [])
        if len(set(head)) < len(head):
            raise _bad_line(file, 1, "two of its columns have the same name")
        for cells in reader:
            row = cells or [""]  # an empty line is one empty field
            if len(row) != len(head):
                if not cells:
                    continue
                raise _bad_line(file, reader.line_num, f"it has {len(row)} fields, but the header has {len(head)}")
            yield {
                name: _convert(text, fields[name], file, reader.line_num) if text and name in fields else text or None
                for name, text in zip(head, row, strict=True)
            }
    except csv.Error as error:
        raise _bad_line(file, reader.line_num, str(error)) from None


def _read_json(file: str, fields: Mapping[str, _Field]) -> Iterator[Row]:
    """The rows of a file of JSON lines, one object per line."""
    if file != STDIN and not file.casefold().endswith((".jsonl", ".ndjson", ".json")):
        raise AsknownError(
            "bad-value",
            f"the format of {file} is unknown",
            hint="name it .jsonl or .csv, or give - for JSON lines from stdin",
        )
    for number, line in enumerate(_lines(file), start=1):
        if not line.strip():
            continue
        try:
            row = read_json(line)
        except ValueError as error:
            raise _bad_line(file, number, f"it is not JSON: {error}") from None
        if not isinstance(row, dict):
            raise _bad_line(file, number, 'it is not an object, as in {"carrier": "UA"}')
        for name, field in fields.items():
            value = row.get(name)
            if isinstance(value, str) and field.type.kind in _TEXT_IN_JSON:
                row[name] = _convert(value, field, file, number)
            elif isinstance(value, float) and field.type.kind == "decimal":
                row[name] = Decimal(repr(value))
        yield row


def _convert(text: str, field: _Field, file: str, line: int) -> Any:
    try:
        return field.parse(text)
    except AsknownError as error:
        raise AsknownError(error.code, error.message, at=Where(_shown(file), line), hint=error.hint) from None


def _lines(file: str) -> Iterator[str]:
    try:
        if file == STDIN:
            yield from sys.stdin
            return
        with Path(file).open(encoding="utf-8-sig", newline="") as opened:
            yield from opened
    except OSError as error:
        raise AsknownError(
            "bad-value", f"{file} cannot be read: {error.strerror}", hint="the path is relative to the current folder"
        ) from None
    except UnicodeDecodeError:
        raise AsknownError("bad-value", f"{_shown(file)} is not UTF-8 text") from None


def _bad_line(file: str, line: int, why: str) -> AsknownError:
    return AsknownError("bad-value", f"the entities cannot be read: {why}", at=Where(_shown(file), line))


def _shown(file: str) -> str:
    return "stdin" if file == STDIN else file
