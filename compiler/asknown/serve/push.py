"""The endpoints that push rows: our own, and Feast's. An answer comes after the rows are durable and readable.

They are there where the application was given a writer of pushes, which needs the project.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from decimal import Decimal
from io import BytesIO
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import msgspec

from asknown.json_text import check_keys
from asknown.serve.app import Call, Endpoint, Reply
from asknown.serve.auth import require
from asknown.serve.limits import read_body
from asknown.serve.metrics import metrics
from asknown.serve.problems import ProblemError
from asknown.serve.state import State
from asknown.serve.wire import JSON_TYPES, B, FeastPush, FeastWrite, check_encoding, check_json, parser_of, read_body_as

if TYPE_CHECKING:
    from asknown.store.push import PushWriter
    from asknown.store.push_answers import PushAnswer
    from asknown.types import SqlType

_LINES = (b"application/x-ndjson", b"application/jsonl", b"application/jsonlines")
_ARROW = b"application/vnd.apache.arrow.stream"

# Fractions are read as decimals, so that a decimal column gets the digits that were sent.
_rows = msgspec.json.Decoder(float_hook=Decimal)
_feast = msgspec.json.Decoder(FeastPush, float_hook=Decimal)
_feast_write = msgspec.json.Decoder(FeastWrite, float_hook=Decimal)
EVENT_TIMESTAMP, CREATED = "event_timestamp", "created"
"""Feast's names for the times of a view's row, whatever the view calls them."""


async def push(state: State, call: Call) -> Reply:
    """``POST /v1/push/{source}``: JSON rows, JSON lines, or an Arrow stream."""
    require(call.token, "push", [call.name])
    writer = _writer(state)
    kinds = writer.columns(call.name)  # a source that takes no pushes is an error before the body is read
    kind = call.headers.get(b"content-type", b"application/json").partition(b";")[0].strip().lower()
    check_encoding(call.headers)
    body = await read_body(call.receive, state.limits.body, call.headers.get(b"content-length"))
    rows = _read_rows(kind, body, kinds)
    asked = parse_qs(call.query.decode("latin-1"))
    partial = asked.get("partial", ["false"])[-1]
    if asked.keys() - {"partial"} or partial not in ("true", "false"):
        raise ProblemError("bad-request", "The query can have 'partial' alone, true or false.", hint="?partial=true")
    return await _push(state, call, call.name, rows, partial=partial == "true")


async def feast_push(state: State, call: Call) -> Reply:
    """Feast's ``POST /push``; the push source is the source's table."""
    asked = await _read_feast(state, call, _feast)
    require(call.token, "push", [asked.push_source_name])
    if asked.to not in ("online", "online_and_offline"):
        raise ProblemError(
            "bad-value", f"Rows cannot be pushed to '{asked.to}' alone.", hint="a push is online and offline, in one"
        )
    kinds = _writer(state).columns(asked.push_source_name)
    return await _push(state, call, asked.push_source_name, _converted(_by_row(asked.df), kinds), partial=False)


async def feast_write(state: State, call: Call) -> Reply:
    """Feast's ``POST /write-to-online-store``: rows of a view that are turned back into rows of its source."""
    asked = await _read_feast(state, call, _feast_write)
    if call.token is not None and not any(scope.partition(":")[0] == "push" for scope in call.token.scopes):
        require(call.token, "push")
    view = await asyncio.to_thread(_writer(state).view, asked.feature_view_name)
    require(call.token, "push", [view.source])
    names = dict(view.columns)
    names[EVENT_TIMESTAMP] = names.pop(view.event_time)
    if view.created_at in view.columns:
        names[CREATED] = view.columns[view.created_at]
    # a view without such a time has nothing to do with the one that Feast sends
    df = {names.get(name, name): column for name, column in asked.df.items() if name in names or name != CREATED}
    kinds = _writer(state).columns(view.source)
    return await _push(state, call, view.source, _converted(_by_row(df), kinds), partial=False)


async def _read_feast(state: State, call: Call, decoder: msgspec.json.Decoder[B]) -> B:
    check_json(call.headers)
    body = await read_body(call.receive, state.limits.body, call.headers.get(b"content-length"))
    return read_body_as(decoder, body)


def _by_row(columns: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    if len({len(column) for column in columns.values()}) > 1:
        raise ProblemError("bad-value", "The columns of 'df' differ in length.", hint="give every row a value, or null")
    return [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]


async def _push(state: State, call: Call, source: str, rows: Sequence[Any], *, partial: bool) -> Reply:
    state.limits.check_rows(len(rows))
    given = call.headers.get(b"idempotency-key")
    key = None if given is None else given.decode("latin-1")
    ids = None if key is None else [f"{key}:{number}" for number in range(1, len(rows) + 1)]
    answer = await asyncio.wrap_future(_writer(state).submit(source, rows, partial=partial, ids=ids))
    _count(source, answer)
    return Reply(msgspec.json.encode(answer.to_dict()))


def _writer(state: State) -> PushWriter:
    assert state.pushes is not None, "the endpoints are there with a writer alone"
    return state.pushes


def _count(source: str, answer: PushAnswer) -> None:
    found = metrics()
    for outcome in ("new", "older", "late", "duplicates", "skipped"):
        if number := getattr(answer, outcome):
            found.push_rows(source, outcome, number)
    if answer.outcomes:
        found.push_rows(source, "refused", len(answer.outcomes))


def _read_rows(kind: bytes, body: bytes, kinds: Mapping[str, SqlType]) -> list[Any]:
    """The rows of a body, in the values that the writer takes."""
    if kind == _ARROW:
        return _arrow_rows(body)
    if kind not in (*JSON_TYPES, *_LINES):
        raise ProblemError(
            "wrong-content",
            f"The body is {kind.decode('latin-1')}.",
            hint="send application/json, application/x-ndjson or an Arrow stream",
        )
    lines = [line for line in body.splitlines() if line.strip()] if kind in _LINES else [body]
    try:
        read = [_rows.decode(line) for line in lines]
        for line, one in zip(lines, read, strict=True):
            check_keys(line, _members(one))
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ProblemError("bad-request", f"The body cannot be read: {error}.", hint='send [{"id": 1, …}]') from None
    found = read if kind in _LINES else read[0]
    if isinstance(found, dict) and found.keys() == {"rows"}:
        found = found["rows"]
    if not isinstance(found, list):
        raise ProblemError("bad-request", "The body is no list of rows.", hint='send [{"id": 1, …}]')
    return _converted(found, kinds)


def _members(found: Any) -> int:
    """The members of the objects in a value of JSON."""
    if isinstance(found, dict):
        return len(found) + sum(map(_members, found.values()))
    return sum(map(_members, found)) if isinstance(found, list) else 0


def _arrow_rows(body: bytes) -> list[Any]:
    import pyarrow as pa

    try:
        with pa.ipc.open_stream(BytesIO(body)) as stream:
            rows: list[Any] = stream.read_all().to_pylist()
    except (pa.ArrowException, OSError, ValueError, OverflowError) as error:
        why = str(error).partition("\n")[0]
        raise ProblemError(
            "bad-request", f"The Arrow stream cannot be read: {why}.", hint="send a whole stream"
        ) from None
    return rows


def _converted(rows: Sequence[Any], kinds: Mapping[str, SqlType]) -> list[Any]:
    """The rows with the values that their JSON stands for. What is no value of its type is refused by the writer."""
    parsers = {name: parse for name, kind in kinds.items() if (parse := parser_of(kind, is_input=True)) is not None}

    def convert(name: Any, value: Any) -> Any:
        parse = parsers.get(name)
        if parse is None or value is None:
            return value
        try:
            return parse(value)
        except (ValueError, ArithmeticError, KeyError):
            return value

    return [{n: convert(n, v) for n, v in row.items()} if isinstance(row, dict) else row for row in rows]


PUSH_ENDPOINTS = (
    Endpoint("/v1/push/{source}", "POST", push),
    Endpoint("/push", "POST", feast_push),
    Endpoint("/write-to-online-store", "POST", feast_write),
)
"""The endpoints of an application with a writer of pushes."""
