"""ClickHouse: a server by its address, or in this process over a folder."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import pyarrow as pa

from asknown.dialects.clickhouse import CLICKHOUSE
from asknown.dialects.clickhouse.settings import REQUIRED
from asknown.dialects.dialect import Dialect
from asknown.engines.clickhouse.arrow import arrow_type, convert
from asknown.engines.clickhouse.embedded import Embedded
from asknown.engines.clickhouse.errors import translate
from asknown.engines.clickhouse.options import FASTER, WISHED, check_options, client_options
from asknown.engines.clickhouse.server import Server
from asknown.engines.clickhouse.session import ServerError, Session
from asknown.engines.clickhouse.spine import to_columns
from asknown.engines.clickhouse.types import quote, to_sql_type
from asknown.engines.engine import EngineCheck, LoadedSpine
from asknown.engines.output_files import write_batches
from asknown.engines.spines import SPINE
from asknown.errors import AsknownError
from asknown.project.nodes import Target
from asknown.project.options import IN_MEMORY, ClickHouseOptions
from asknown.types import SqlType

INSERT_BYTES = 16_000_000
_Result = TypeVar("_Result")


class ClickHouse:
    """A session of ClickHouse: on the target's server, or over the target's ``path`` in this process."""

    dialect: Dialect = CLICKHOUSE

    def __init__(self, target: Target[ClickHouseOptions], root: Path, *, writable: bool = False) -> None:
        self._target = target
        self._spines: list[str] = []
        self._streaming = False
        self.keeps_builds = target.options.path != IN_MEMORY
        check_options(target)
        self._session = self._open(target.options, writable=writable)
        try:
            self._pin()
        except BaseException:
            self._session.close()
            raise

    def _open(self, options: ClickHouseOptions, *, writable: bool) -> Session:
        if path := options.path:
            folder = None if path == IN_MEMORY else Path(path)
            if folder and not writable and not folder.is_dir():
                raise AsknownError(
                    "no-data",
                    f"the folder {folder} of target '{self._target.name}' does not exist",
                    at=self._target.at,
                    hint="correct its path, or create it with `asknown run`",
                )
            return Embedded(folder, options.database)
        return Server(client_options(options), self._target.name, self._target.at)

    def _pin(self) -> None:
        known = {name for (name,) in self.rows("SELECT name FROM system.settings")}
        if missing := sorted(set(REQUIRED) - known):
            raise AsknownError(
                "engine", f"the ClickHouse of target '{self._target.name}' is too old: it has no setting {missing[0]}"
            )
        if unknown := CLICKHOUSE.settings.keys() - known:
            settings = {name: value for name, value in CLICKHOUSE.settings.items() if name not in unknown}
            self.dialect = replace(CLICKHOUSE, settings=settings)
        wished = {name: value for name, value in WISHED.items() if name in known}
        faster = {name: value for name, value in FASTER.items() if name in known}
        settings = faster | dict(self._target.options.settings) | wished | REQUIRED
        self._ask(lambda: self._session.set(settings))

    # -- asking ------------------------------------------------------------------------------------------------

    def describe(self, sql: str) -> list[tuple[str, SqlType]]:
        return [(name, to_sql_type(kind)) for name, kind in self._kinds(sql)]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        table = self.stream(sql).read_all()
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def stream(self, sql: str, *, wide: bool = False) -> pa.RecordBatchReader:
        kinds = self._kinds(sql)
        schema = pa.schema([pa.field(name, arrow_type(kind, column=name)) for name, kind in kinds])
        batches = self._batches(sql, kinds, schema)
        return pa.RecordBatchReader.from_batches(schema, batches)

    def _batches(self, sql: str, kinds: Sequence[tuple[str, str]], schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        self._require_idle()
        raw = self._session.stream(sql)
        self._streaming = True
        try:
            while (batch := self._told(lambda: next(raw, None))) is not None:
                columns = [
                    convert(column, kind, field.type, column=field.name)
                    for column, (_, kind), field in zip(batch.columns, kinds, schema, strict=True)
                ]
                yield pa.RecordBatch.from_arrays(columns, schema=schema)
        finally:
            self._streaming = False
            raw.close()

    def _kinds(self, sql: str) -> list[tuple[str, str]]:
        """The names and types of a query's columns, in ClickHouse's words."""
        described = self._ask(lambda: self._session.run(f"DESCRIBE TABLE (\n{sql}\n)"))
        return list(zip(described.column("name").to_pylist(), described.column("type").to_pylist(), strict=True))

    # -- bringing in and taking out ----------------------------------------------------------------------------

    def load_spine(self, data: pa.Table) -> LoadedSpine:
        name = f"{SPINE}_{len(self._spines) + 1}"
        columns = to_columns(data)
        defined = ", ".join(f"{quote(column.name)} {column.kind}" for column in columns)
        self._ask(lambda: self._session.run(f"CREATE TEMPORARY TABLE {name} ({defined}) ENGINE = Memory"))
        self._spines.append(name)
        row = columns[-1].name
        if data.num_rows:
            relation = f"{name} ({', '.join(quote(column.name) for column in columns)})"
            arrow = pa.Table.from_arrays([column.data for column in columns], [column.name for column in columns])
            self._ask(lambda: self._session.insert(relation, _pieces(arrow)))
        return LoadedSpine(name, row)

    def write_file(self, sql: str, path: Path, *, wide: bool = False) -> int:
        return write_batches(self.stream(sql), path)

    def build(self, name: str, sql: str, *, kind: str) -> None:
        # Beside the older one, which stays until the new one is whole.
        beside = quote(f"_asknown_building_{name}")
        engine = " ENGINE = MergeTree ORDER BY tuple()" if kind == "table" else ""
        self._drop(f"_asknown_building_{name}")
        try:
            self._ask(lambda: self._session.run(f"CREATE {kind.upper()} {beside}{engine} AS\n{sql}"))
            if name in self.built():
                self._ask(lambda: self._session.run(f"EXCHANGE TABLES {beside} AND {quote(name)}"))
            else:
                self._ask(lambda: self._session.run(f"RENAME TABLE {beside} TO {quote(name)}"))
        finally:
            self._drop(f"_asknown_building_{name}")

    def _drop(self, name: str) -> None:
        for other, kind in self._relations():
            if other == name:
                self._ask(partial(self._session.run, f"DROP {kind} IF EXISTS {quote(name)} SYNC"))

    def built(self) -> Sequence[str]:
        return [name for name, _ in self._relations()]

    def _relations(self) -> list[tuple[str, str]]:
        return [
            (str(name), "VIEW" if engine == "View" else "TABLE")
            for name, engine in self.rows(
                "SELECT name, engine FROM system.tables WHERE database = currentDatabase() AND NOT is_temporary"
            )
        ]

    def check(self) -> EngineCheck:
        ((version, *facts),) = self.rows("SELECT version(), timezone(), currentDatabase(), currentUser()")
        known = dict(self.rows("SELECT name, value FROM system.settings"))
        missing = [f"settings that it is too old for: {', '.join(sorted(set(WISHED) - known.keys()))}"]
        missing = missing if set(WISHED) - known.keys() else []
        if (seconds := str(known.get("max_execution_time", "0"))) != "0":
            missing.append(f"time: the server ends each query after max_execution_time = {seconds} s")
        if str(known.get("readonly", "0")) == "1":
            missing.append("the right to change settings and to make temporary tables: the user is readonly = 1")
        where = "in this process" if isinstance(self._session, Embedded) else "a server"
        named = zip(("session zone", "database", "user"), map(str, facts), strict=True)
        return EngineCheck(
            str(version),
            (("runs as", where), *named),
            tuple(missing),
        )

    def close(self) -> None:
        for name in self._spines:
            with suppress(AsknownError, ServerError):
                self._session.run(f"DROP TEMPORARY TABLE IF EXISTS {name}")
        self._spines.clear()
        self._session.close()

    # -- inside ------------------------------------------------------------------------------------------------

    def _ask(self, work: Callable[[], _Result]) -> _Result:
        self._require_idle()
        return self._told(work)

    def _told(self, work: Callable[[], _Result]) -> _Result:
        try:
            return work()
        except ServerError as failure:
            raise translate(str(failure)) from None

    def _require_idle(self) -> None:
        # ClickHouse would answer with nothing, or that the session is locked.
        if self._streaming:
            raise AsknownError(
                "engine",
                "an earlier result is still being read, and a ClickHouse session runs one query at a time",
                hint="read it to the end or close it first",
            )


def _pieces(table: pa.Table) -> Iterator[bytes]:
    """An Arrow stream of a table, in pieces."""
    sink = io.BytesIO()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        for batch in table.to_batches(max_chunksize=65_536):
            writer.write_batch(batch)
            if sink.tell() > INSERT_BYTES:
                yield sink.getvalue()
                sink.seek(0)
                sink.truncate()
    yield sink.getvalue()
