"""Reads logs of online reads: the Parquet files of `asknown serve`, and the JSON lines of an ``OnlineReader``."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from asknown.engines.arrow import arrow_type
from asknown.errors import AsknownError
from asknown.online.log_values import from_json
from asknown.online.served_log import LOADS, OWN, REQUEST_ID, SEQ, SERVED_AT, log_files, read_facts
from asknown.plan.statuses import SUFFIX
from asknown.types import SqlType

_LINES = 50_000  # of a log of JSON lines, read at a time


@dataclass(frozen=True)
class SeenLoad:
    """The load of a view that a read saw. Instants are naive, in UTC. A log of before had no fingerprint."""

    load_id: str
    watermark: datetime
    loaded_at: datetime
    fingerprint: str | None


@dataclass(frozen=True)
class LoggedReads:
    """Rows of a log that were asked for in one way: by ``references``, and by short or full names.

    ``given`` has the keys and inputs. ``hidden`` are those of them that the log hashed or left out. ``values`` are by
    output and then by row, where ``read_value`` turns one into what an online read gives. ``statuses`` are alike.
    """

    references: tuple[str, ...]
    full_names: bool
    given: pa.Table
    hidden: tuple[str, ...]
    served_at: Sequence[datetime]
    seqs: Sequence[int]
    requests: Sequence[str | None]
    values: Mapping[str, Sequence[Any]]
    statuses: Mapping[str, Sequence[str]]
    loads: Callable[[int], dict[str, SeenLoad]]
    as_json: bool = False

    def __len__(self) -> int:
        return len(self.served_at)

    def take(self, rows: Sequence[int]) -> LoggedReads:
        """Some of the rows, in this order."""
        return replace(
            self,
            given=self.given.take(pa.array(rows, pa.int64())),
            served_at=[self.served_at[row] for row in rows],
            seqs=[self.seqs[row] for row in rows],
            requests=[self.requests[row] for row in rows],
            values={name: [values[row] for row in rows] for name, values in self.values.items()},
            statuses={name: [values[row] for row in rows] for name, values in self.statuses.items()},
            loads=lambda row: self.loads(rows[row]),
        )


@dataclass
class Torn:
    """How many lines of a log cannot be read: those that a full disk cut, say."""

    lines: int = 0


Kinds = Callable[[tuple[str, ...]], Mapping[str, SqlType]]
"""The types of the keys and inputs that some references need."""


def read_reads(
    path: Path, kinds: Kinds, *, since: datetime | None, service: str | None, torn: Torn
) -> Iterator[LoggedReads]:
    """The reads of a log since an instant (naive, in UTC), of one ``service`` where it is named.

    ``path`` is a folder of Parquet files, one of these, or a file of JSON lines. Raises ``no-data`` for anything else.
    """
    if not path.exists():
        raise AsknownError("no-data", f"the log {path} does not exist", hint="name the folder or the file of a log")
    if path.is_file() and path.suffix != ".parquet":
        yield from _of_lines(path, kinds, since, service, torn)
        return
    found = False
    for file in [path] if path.is_file() else log_files(path):
        facts = read_facts(file)
        if facts is None:
            raise AsknownError(
                "no-data",
                f"{file} is no log of asknown serve",
                hint="asknown serve writes logs where a feature service has log: {to: logs/}",
            )
        found = True
        if service is None or facts["service"] == service:
            reads = _of_file(file, facts, since)
            if len(reads):
                yield reads
    if not found:
        raise AsknownError("no-data", f"{path} has no log", hint="name the folder of a log, as in logs/SERVICE")


def _of_file(file: Path, facts: Mapping[str, Any], since: datetime | None) -> LoggedReads:
    table = pq.read_table(file)
    if since is not None:
        table = table.filter(pc.greater_equal(table.column(SERVED_AT), pa.scalar(since.replace(tzinfo=UTC))))
    names = table.schema.names
    outputs = facts.get("features") or [name for name in names if name + SUFFIX in names and name not in OWN]
    loads = table.column(LOADS)

    def loads_of(row: int) -> dict[str, SeenLoad]:
        return {view: _seen_load(load) for view, load in loads[row].as_py()}

    return LoggedReads(
        (facts["service"],),
        facts.get("full_names", False),
        table.select([*facts["columns"], SERVED_AT]).replace_schema_metadata(),
        tuple(facts["hidden"]),
        [moment.replace(tzinfo=None) for moment in table.column(SERVED_AT).to_pylist()],
        table.column(SEQ).to_pylist(),
        table.column(REQUEST_ID).to_pylist(),
        {name: table.column(name).to_pylist() for name in outputs},
        {name: table.column(name + SUFFIX).to_pylist() for name in outputs},
        loads_of,
    )


def _seen_load(load: Mapping[str, Any]) -> SeenLoad:
    return SeenLoad(load["load_id"], _naive(load["watermark"]), _naive(load["loaded_at"]), load.get("fingerprint"))


def _naive(moment: datetime | str) -> datetime:
    read = datetime.fromisoformat(moment) if isinstance(moment, str) else moment
    return read.astimezone(UTC).replace(tzinfo=None)


def _of_lines(
    path: Path, kinds: Kinds, since: datetime | None, service: str | None, torn: Torn
) -> Iterator[LoggedReads]:
    """The reads of a file of JSON lines, those that were asked for alike together, some at a time."""
    waiting: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    count = 0
    for line in read_lines(path, torn):
        if service is not None and line["features"] != [service]:
            continue
        if since is not None and datetime.fromisoformat(line[SERVED_AT]) < since:
            continue
        shape = (tuple(line["features"]), line["full_names"], tuple(line["hidden"]), tuple(line["values"]))
        waiting.setdefault(shape, []).append(line)
        count += 1
        if count == _LINES:
            yield from (_of_alike(lines, kinds) for lines in waiting.values())
            waiting, count = {}, 0
    yield from (_of_alike(lines, kinds) for lines in waiting.values())


def read_lines(path: Path, torn: Torn) -> Iterator[dict[str, Any]]:
    """The lines of a log of JSON lines. Those that cannot be read are counted in ``torn``."""
    seen = False
    with path.open("rb") as file:
        for text in file:
            if not text.strip():
                continue
            try:
                line = json.loads(text)
                assert {"features", "full_names", "hidden", "given", "values", "statuses", *OWN} - {"token"} <= {*line}
            except (ValueError, AssertionError, TypeError):
                torn.lines += 1
                continue
            seen = True
            yield line
    if torn.lines and not seen:
        raise AsknownError(
            "no-data",
            f"{path} is no log of online reads",
            hint="name the folder of asknown serve's log, or the file of OnlineReader(…, log='reads.jsonl')",
        )


def _of_alike(lines: Sequence[Mapping[str, Any]], kinds: Kinds) -> LoggedReads:
    first = lines[0]
    references, hidden = tuple(first["features"]), tuple(first["hidden"])
    types = kinds(references)
    columns: dict[str, pa.Array] = {}
    for name in first["given"]:
        kind = types.get(name)
        if name in hidden or kind is None:
            continue
        values = [from_json(line["given"][name], kind) for line in lines]
        columns[name] = pa.array([str(v) if kind.kind == "uuid" and v else v for v in values], arrow_type(kind))
    served = [datetime.fromisoformat(line[SERVED_AT]) for line in lines]
    columns[SERVED_AT] = pa.array(served, pa.timestamp("us"))
    return LoggedReads(
        references,
        first["full_names"],
        pa.table(columns),
        hidden,
        served,
        [line[SEQ] for line in lines],
        [line[REQUEST_ID] for line in lines],
        {name: [line["values"][name] for line in lines] for name in first["values"]},
        {name: [line["statuses"][name] for line in lines] for name in first["values"]},
        lambda row: {view: _seen_load(load) for view, load in lines[row][LOADS].items()},
        as_json=True,
    )
