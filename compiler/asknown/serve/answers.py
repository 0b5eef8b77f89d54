"""Writes the answers to reads of features: their statuses, their event times, and their bytes in JSON's two layouts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

import msgspec

from asknown.instants import EPOCH, EPOCH_IN_UTC, from_microseconds
from asknown.online.request import as_columns
from asknown.serve.metrics import Counts
from asknown.serve.wire import encode

if TYPE_CHECKING:
    from asknown.online.answer import Answer, OnlineResponse, Status
    from asknown.serve.read import Prepared


def statuses_of(prepared: Prepared, answer: Answer) -> tuple[list[list[Status]], Counts]:
    """The statuses of each output, and their counts. Outputs of one read share a list where none is NULL."""
    found: list[list[Status]] = []
    counts: dict[tuple[str, str], int] = {}
    reads: dict[int, _Base] = {}
    for output, view, values in zip(answer.outputs, prepared.views, answer.values, strict=True):
        nulls = values.count(None)
        if output.windowed or output.computed:
            found.append(_of_values(values, nulls))
            _add(counts, view, "PRESENT", len(values) - nulls)
            _add(counts, view, "NULL_VALUE", nulls)
            continue
        base = reads.get(output.read)
        if base is None:
            base = reads[output.read] = _Base(view, answer.found[output.read].statuses())
        base.outputs += 1
        if nulls == base.absent:  # no other values are NULL than those that are not there
            found.append(base.statuses)
        else:
            statuses, own = _with_nulls(base.statuses, values, nulls)
            base.nulls += own
            found.append(statuses)
    for base in reads.values():
        _add(counts, base.view, "PRESENT", base.present * base.outputs - base.nulls)
        _add(counts, base.view, "NULL_VALUE", base.nulls)
        for status in ABSENT if base.absent else ():
            _add(counts, base.view, status, base.statuses.count(status) * base.outputs)
    return found, tuple(counts.items())


class _Base:
    """The statuses of a read's rows before NULLs are considered; how many outputs it has, and NULLs in rows of it."""

    __slots__ = ("absent", "nulls", "outputs", "present", "statuses", "view")

    def __init__(self, view: str, statuses: list[Status]) -> None:
        self.view = view
        self.statuses = statuses
        self.present = statuses.count("PRESENT")
        self.absent = len(statuses) - self.present
        self.outputs = self.nulls = 0


def _add(counts: dict[tuple[str, str], int], view: str, status: str, number: int) -> None:
    if number:
        counts[view, status] = counts.get((view, status), 0) + number


ABSENT: tuple[Status, ...] = ("NOT_FOUND", "OUTSIDE_MAX_AGE")


def _of_values(values: Sequence[Any], nulls: int) -> list[Status]:
    if not nulls:
        return ["PRESENT"] * len(values)
    return ["NULL_VALUE" if value is None else "PRESENT" for value in values]


def _with_nulls(base: list[Status], values: Sequence[Any], nulls: int) -> tuple[list[Status], int]:
    """The statuses with NULL_VALUE where a row is there and its value is NULL, and how many these are."""
    statuses, place, found = base.copy(), -1, 0
    for _ in range(nulls):  # few values are NULL, so to look for them is faster than to look at all
        place = values.index(None, place + 1)
        if statuses[place] == "PRESENT":
            statuses[place] = "NULL_VALUE"
            found += 1
    return statuses, found


def _times(answer: Answer, missing: datetime | None) -> list[bytes]:
    """The JSON of the event times of each output; ``missing`` stands where there is none."""
    found: list[bytes] = []
    shared: dict[int, bytes] = {}
    for output, values in zip(answer.outputs, answer.values, strict=True):
        if output.computed:
            times = shared.get(-1)
            if times is None:
                times = shared[-1] = _spell([None] * len(values), missing)
        elif output.windowed:
            newest = (window.newest(output.place) for window in answer.found[output.read].windows)
            times = _spell([None if at is None else from_microseconds(at) for at in newest], missing)
        else:
            times = shared.get(output.read)
            if times is None:
                times = shared[output.read] = _spell(answer.found[output.read].moments, missing)
        found.append(times)
    return found


def _spell(moments: list[datetime | None], missing: datetime | None) -> bytes:
    """A JSON list of naive instants in UTC, to which msgspec gives no zone."""
    if missing is not None and None in moments:
        moments = [missing if moment is None else moment for moment in moments]
    text = encode(moments).replace(b'",', b'Z",')
    return text[:-2] + b'Z"]' if text.endswith(b'"]') else text


class Written(msgspec.Struct, frozen=True, gc=False):
    """The bytes of an answer, with its statuses by output, which the log keeps, and their counts, for the metrics."""

    body: bytes
    statuses: list[list[Status]]
    counts: Counts


def write_feast(prepared: Prepared, response: OnlineResponse, columns: Mapping[str, Sequence[Any]]) -> Written:
    """Feast's JSON: one result for each column of the request, then for each feature."""
    if len(response) == 1:
        return _write_feast_row(prepared, response.answer, columns)
    answer = response.answer
    statuses, counts = statuses_of(prepared, answer)
    count = len(response)
    present, epochs = encode(["PRESENT"] * count), _spell([None] * count, EPOCH)
    parts = [_RESULT % (encode(column), present, epochs) for column in columns.values()]
    known: dict[int, bytes] = {}
    for column, status, moments in zip(prepared.written(answer, "feast"), statuses, _times(answer, EPOCH), strict=True):
        parts.append(_RESULT % (encode(column), _once(known, status), moments))
    names = [*map(encode, columns), *prepared.keys_of_json]
    body = b'{"metadata":{"feature_names":[%b]},"results":[%b],"status":true}' % (b",".join(names), b",".join(parts))
    return Written(body, statuses, counts)


def _write_feast_row(prepared: Prepared, answer: Answer, columns: Mapping[str, Sequence[Any]]) -> Written:
    """The answer to one row, the most frequent request: one call writes it."""
    statuses = prepared.statuses_of_row(answer)
    values = prepared.written_row(answer, "feast")
    results = [{"values": c, "statuses": ("PRESENT",), "event_timestamps": (EPOCH_IN_UTC,)} for c in columns.values()]
    results += [
        {"values": (value,), "statuses": status, "event_timestamps": (moment or EPOCH_IN_UTC,)}
        for value, status, moment in zip(values, statuses.by_output, answer.moments_of(0), strict=True)
    ]
    body = {"metadata": {"feature_names": [*columns, *prepared.names]}, "results": results, "status": True}
    return Written(encode(body), statuses.by_output, statuses.counts)


_RESULT = b'{"values":%b,"statuses":%b,"event_timestamps":%b}'


def write_columns(prepared: Prepared, response: OnlineResponse, columns: Mapping[str, Sequence[Any]]) -> Written:
    """The answer of ``/v1/features`` to a request that gave columns: objects of lists."""
    answer = response.answer
    statuses, counts = statuses_of(prepared, answer)
    known: dict[int, bytes] = {}
    keys = prepared.keys_of_json
    values = [b"%b:%b" % (encode(name), encode(column)) for name, column in columns.items()]
    values += [b"%b:%b" % (k, encode(c)) for k, c in zip(keys, prepared.written(answer, "v1"), strict=True)]
    body = b'{"columns":{%b},"statuses":{%b},"event_timestamps":{%b},%b}' % (
        b",".join(values),
        b",".join([b"%b:%b" % (k, _once(known, status)) for k, status in zip(keys, statuses, strict=True)]),
        b",".join([b"%b:%b" % pair for pair in zip(keys, _times(answer, None), strict=True)]),
        _tail(response),
    )
    return Written(body, statuses, counts)


def write_rows(prepared: Prepared, response: OnlineResponse, rows: Sequence[Mapping[str, Any]]) -> Written:
    """The answer of ``/v1/features`` to a request that gave rows: a list of objects."""
    if len(rows) == 1:
        return _write_row(prepared, response, rows[0])
    answer, names = response.answer, prepared.names
    (statuses, counts), times = statuses_of(prepared, answer), _times(answer, None)
    written = prepared.written(answer, "v1")
    given = as_columns(rows).filled()
    shown = encode(_by_row([*given, *names], [*given.values(), *written], len(rows)))
    said = encode(_by_row(names, statuses, len(rows)))
    moments = encode(_by_row(names, [msgspec.json.decode(column) for column in times], len(rows)))
    body = b'{"rows":%b,"statuses":%b,"event_timestamps":%b,%b}' % (shown, said, moments, _tail(response))
    return Written(body, statuses, counts)


def _write_row(prepared: Prepared, response: OnlineResponse, row: Mapping[str, Any]) -> Written:
    """The answer to one row, the most frequent request: one call writes it."""
    answer, names = response.answer, prepared.names
    statuses = prepared.statuses_of_row(answer)
    body = {
        "rows": [{**row, **dict(zip(names, prepared.written_row(answer, "v1"), strict=True))}],
        "statuses": [statuses.json],
        "event_timestamps": [dict(zip(names, answer.moments_of(0), strict=True))],
        "at": response.at,
        "seq": response.seq,
    }
    return Written(encode(body), statuses.by_output, statuses.counts)


def _by_row(names: Sequence[str], columns: Sequence[Sequence[Any]], count: int) -> list[dict[str, Any]]:
    if not columns:
        return [{} for _ in range(count)]
    return [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]


def _once(known: dict[int, bytes], column: Sequence[Any]) -> bytes:
    """The JSON of a list that several outputs share."""
    found = known.get(id(column))
    if found is None:
        found = known[id(column)] = encode(column)
    return found


def _tail(response: OnlineResponse) -> bytes:
    return b'"at":%b,"seq":%d' % (encode(response.at), response.seq)
