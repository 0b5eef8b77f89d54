"""Reads the ``push:`` of a source's table: which column is the id, which are the times, and where pushed rows land."""

from __future__ import annotations

import re
from collections.abc import Sequence

from asknown.durations import microseconds
from asknown.errors import AsknownError, Where
from asknown.project.nodes import ColumnDoc, PushRules
from asknown.project.reader import Reader
from asknown.types import Kind, SqlType, parse_type

KEYS = ("id", "event_time", "known_at", "land", "max_skew", "dedupe")
SEQUENCE = "_seq"
"""The column of a landed file that numbers its rows. No model sees it."""

_MAX_SKEW, _DEDUPE = "5 seconds", "7 days"
_TIMES = ("timestamp", "timestamptz")
_KINDS: frozenset[Kind] = frozenset(
    {"boolean", "integer", "float", "decimal", "text", "uuid", "date", "timestamp", "timestamptz", "list"}
)
_EXAMPLE = "push: {id: order_id, event_time: ordered_at, known_at: _arrived, land: data/orders/}"


def read_push(
    table: Reader, what: str, *, path: str | None, timezone: str | None, columns: Sequence[ColumnDoc]
) -> PushRules | None:
    """The ``push:`` of a source's table; None where the table takes no pushes.

    Raises ``unknown-key``, ``missing-key``, ``wrong-type`` or ``bad-duration``, and ``push-source`` for a table that
    cannot take pushes.
    """
    value = table.value("push")
    if value is None:
        return None
    reader = Reader(value, f"'push' of {what}", KEYS)
    reader.require(("event_time", "known_at", "land"), hint=_EXAMPLE)
    event_time = reader.text("event_time", hint=_EXAMPLE)
    known_at = reader.text("known_at", hint=_EXAMPLE)
    land = reader.text("land", hint=_EXAMPLE)
    key = reader.text("id") if reader.value("id") is not None else None
    rules = PushRules(
        id=key,
        event_time=event_time,
        known_at=known_at,
        land=land,
        max_skew=_duration(reader, "max_skew", _MAX_SKEW),
        dedupe=_duration(reader, "dedupe", _DEDUPE),
        at=reader.at,
    )
    types = _types(columns, what, reader.at)
    for role, name in (("id", key), ("event_time", event_time)):
        if name is not None and name not in types:
            raise _refused(f"'{role}' of {reader.what} names '{name}', which is not among its columns", reader, role)
    if types[event_time].kind not in (*_TIMES, "date"):
        raise _refused(f"'{event_time}' of {what} is {types[event_time]}, which is no instant", reader, "event_time")
    if key is not None and types[key].kind == "list":
        raise _refused(f"the id '{key}' of {what} is {types[key]}, which cannot tell rows apart", reader, "id")
    if known_at in types and types[known_at].kind not in _TIMES:
        raise _refused(f"'{known_at}' of {what} is {types[known_at]}, and arrivals are timestamps", reader, "known_at")
    if timezone is not None:
        raise _refused(f"{what} has a 'timezone', and pushed rows have instants in UTC", reader, "event_time")
    _check_folder(path, land, what, reader)
    return rules


def with_arrival(columns: Sequence[ColumnDoc], push: PushRules) -> tuple[ColumnDoc, ...]:
    """The columns with that of the arrival, a timestamp where they do not list it."""
    if any(column.name == push.known_at for column in columns):
        return tuple(columns)
    return (*columns, ColumnDoc(push.known_at, "When the row arrived.", "timestamp", push.at))


def _duration(reader: Reader, key: str, default: str) -> int:
    return microseconds(reader.optional_text(key) or default, at=reader.place(key))


def _types(columns: Sequence[ColumnDoc], what: str, at: Where) -> dict[str, SqlType]:
    """The declared columns with their types. All need one, because a pushed row is checked against them."""
    if not columns:
        raise AsknownError(
            "push-source",
            f"{what} takes pushes, and does not list its columns",
            at=at,
            hint="list them: columns: [{name: order_id, data_type: varchar}, …]",
        )
    types: dict[str, SqlType] = {}
    for column in columns:
        if column.data_type is None:
            raise AsknownError(
                "push-source",
                f"{what} takes pushes, and its column '{column.name}' has no data_type",
                at=column.at,
                hint=f"{{name: {column.name}, data_type: …}}, with DuckDB's names for types",
            )
        kind = types[column.name] = parse_type(column.data_type)
        if kind.kind not in _KINDS or (kind.element is not None and kind.element.kind not in _KINDS - {"list"}):
            raise AsknownError(
                "push-source",
                f"column '{column.name}' of {what} is {kind}, and rows with such a column cannot be pushed",
                at=column.at,
                hint="columns of pushed rows are booleans, numbers, text, UUIDs, dates, timestamps, and lists of these",
            )
        if column.name.casefold() == SEQUENCE:
            raise AsknownError(
                "push-source",
                f"{what} has a column '{column.name}', which is the name that landed files have for their numbers",
                at=column.at,
                hint="rename the column",
            )
    return types


def _check_folder(path: str | None, land: str, what: str, reader: Reader) -> None:
    """Refuses a ``land`` whose files the table's own path would not read."""
    if path is None or "://" in path or not _is_parquet(path):
        raise AsknownError(
            "push-source",
            f"{what} takes pushes, which land as Parquet files, and it reads {path or 'a table of the target'}",
            at=reader.at,
            hint="read a folder of Parquet files on this machine: path: data/orders/*.parquet",
        )
    if not re.fullmatch(_as_pattern(path), _normal(f"{land.rstrip('/')}/push-1-1.parquet")):
        raise _refused(f"files in '{land}' are not read by the path of {what}, {path}", reader, "land")


def _is_parquet(path: str) -> bool:
    """Whether the path reads Parquet files, and can read several of them."""
    last = path.rstrip("/").rpartition("/")[2]
    return ("*" in path and path.casefold().endswith((".parquet", "*"))) or "." not in last


def _as_pattern(path: str) -> str:
    """The pattern of the files that the path reads."""
    if "*" not in path:
        path = f"{path.rstrip('/')}/**/*.parquet"
    parts = re.split(r"(\*\*/|\*|\?)", _normal(path))
    spelled = {"**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}
    return "".join(spelled.get(part) or re.escape(part) for part in parts)


def _normal(path: str) -> str:
    return re.sub(r"^(\./)+", "", re.sub(r"/+", "/", path))


def _refused(message: str, reader: Reader, key: str) -> AsknownError:
    return AsknownError("push-source", message, at=reader.place(key), hint=f"for example {_EXAMPLE}")
