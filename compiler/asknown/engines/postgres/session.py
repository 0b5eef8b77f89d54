"""Postgres 14 and newer: a server by its address, asked through ADBC, in Arrow both ways."""

from __future__ import annotations

import contextlib
import time
import weakref
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from asknown.dialects.dialect import Dialect
from asknown.dialects.postgres import POSTGRES
from asknown.engines.engine import EngineCheck, LoadedSpine
from asknown.engines.interrupt import Worker
from asknown.engines.postgres.errors import translate, unreachable
from asknown.engines.postgres.options import address, check_options
from asknown.errors import AsknownError
from asknown.project.nodes import Target
from asknown.project.options import PostgresOptions
from asknown.types import SqlType

if TYPE_CHECKING:
    import pyarrow as pa

    from asknown.engines.postgres.types import OwnType

OLDEST = 140_000
# A query whose reader was killed ends within so many milliseconds. Not every system that Postgres runs on can look.
IDLE = 10.0
"""Seconds after which a server, or what lies between, may have ended a connection that nobody used."""
LOOK_FOR_READER = "SET client_connection_check_interval = 2000"
_Result = TypeVar("_Result")


class Postgres:
    """A session of a Postgres server. It reads only, but for temporary tables, unless it is ``writable``."""

    dialect: Dialect = POSTGRES
    keeps_builds = True

    def __init__(self, target: Target[PostgresOptions], root: Path, *, writable: bool = False) -> None:
        self._target = target
        check_options(target)
        self._options = target.options
        self._writable = writable
        self._spines = 0
        self._lost = False
        self._used = time.monotonic()
        self._reading: weakref.ref[Generator[pa.RecordBatch]] | None = None  # the result that is being read
        self._adbc, connect = _load_driver()
        self._worker = Worker("asknown-postgres")
        try:
            self._con = connect(address(self._options), autocommit=True)
        except self._adbc.Error as error:
            raise unreachable(str(error), target) from None
        try:
            self._pin()
        except BaseException:
            self._con.close()
            raise

    def _pin(self) -> None:
        with contextlib.suppress(AsknownError):
            self._do(LOOK_FOR_READER)
        for statement in POSTGRES.planning:  # the target's own settings overrule these
            self._do(statement)
        for name, value in self._options.settings.items():
            self._do(f"SET {name} = {_literal(value)}")
        if role := self._options.role:
            self._do(f"SET ROLE {_quote(role)}")
        for statement in POSTGRES.session:  # last, for results depend on them
            self._do(statement)
        ((version, shown),) = self.rows("SELECT current_setting('server_version_num')::int4, version()")
        if version < OLDEST:
            raise AsknownError(
                "engine",
                f"the server of target '{self._target.name}' is {str(shown).split(' on ')[0]}",
                at=self._target.at,
                hint=f"asknown needs PostgreSQL {OLDEST // 10_000} or newer",
            )
        ((self._knows_letters,),) = self.rows(f"SELECT {_KNOWS_LETTERS} AS known")
        if not self._knows_letters:
            self.dialect = _without_letters()
        if schema := self._options.schema:
            if self._writable:
                self._do(f"CREATE SCHEMA IF NOT EXISTS {_quote(schema)}")
            self._do(f"SELECT set_config('search_path', {_literal(_quote(schema))} || ', public', false)")
        if not self._writable:
            self._do("SET default_transaction_read_only = on")

    # -- asking ------------------------------------------------------------------------------------------------

    def describe(self, sql: str) -> list[tuple[str, SqlType]]:
        from asknown.engines.postgres.types import read_type, unknown_name

        with self._cursor() as cursor:
            schema = self._run(lambda: cursor.adbc_execute_schema(sql))
        own = self._own_types([name for field in schema if (name := unknown_name(field)) is not None])
        return [(field.name, read_type(field, own)) for field in schema]

    def _own_types(self, names: Sequence[str]) -> dict[str, OwnType]:
        """Types by their names or oids. Of several types of one name, only what holds for all of them is said."""
        from asknown.engines.postgres.types import OwnType

        if not names:
            return {}
        listed = ", ".join(map(_literal, names))
        found = self.rows(
            "SELECT k.key, MIN(t.typname)::text, BOOL_AND(t.typtype = 'e') FROM pg_catalog.pg_type AS t "
            "CROSS JOIN LATERAL (VALUES (t.typname::text), (t.oid::text)) AS k (key) "
            f"WHERE k.key IN ({listed}) GROUP BY k.key"
        )
        return {str(key): OwnType(str(name), bool(is_enum)) for key, name, is_enum in found}

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        table = self.stream(sql).read_all()
        return list(zip(*(column.to_pylist() for column in table.columns), strict=True))

    def stream(self, sql: str, *, wide: bool = False) -> pa.RecordBatchReader:
        import pyarrow as pa

        from asknown.engines.postgres.types import arrow_type

        described = self.describe(sql)
        fields = [pa.field(name, arrow_type(kind, column=name)) for name, kind in described]
        batches = self._batches(_in_one_dimension(sql, described), described, pa.schema(fields))
        return pa.RecordBatchReader.from_batches(pa.schema(fields), batches)

    def _batches(
        self, sql: str, described: Sequence[tuple[str, SqlType]], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        from asknown.engines.postgres.types import convert

        with self._cursor() as cursor:
            self._run(lambda: cursor.execute(_closed(sql)))
            raw = self._raw_batches(cursor, cursor.fetch_record_batch())
            self._reading = weakref.ref(raw)
            try:
                for batch in raw:
                    columns = [
                        convert(column, kind, field.type, name=field.name)
                        for column, (_, kind), field in zip(batch.columns, described, schema, strict=True)
                    ]
                    yield pa.RecordBatch.from_arrays(columns, schema=schema)
            finally:
                raw.close()

    def _raw_batches(self, cursor: Any, reader: Any) -> Generator[pa.RecordBatch]:
        """The driver's batches. Whoever stops before the end stops the query on the server too."""
        batches = iter(reader)
        ended = False
        try:
            while not ended:
                try:
                    batch = self._run(lambda: next(batches, None))
                except BaseException:
                    ended = True
                    raise
                if batch is None:
                    ended = True
                else:
                    yield batch
        finally:
            self._reading = None
            if not ended:
                with contextlib.suppress(self._adbc.Error, OSError):
                    cursor.adbc_cancel()
                    for _ in batches:  # what was sent before the server heard of it
                        pass

    # -- bringing in and taking out ----------------------------------------------------------------------------

    def load_spine(self, data: pa.Table) -> LoadedSpine:
        """The spine in a temporary table, whose last column counts its rows from 1."""
        import pyarrow as pa

        from asknown.engines.postgres.spine import to_columns
        from asknown.engines.spines import SPINE, number_rows

        self._spines += 1
        name = f"{SPINE}_{self._spines}"
        numbered, row = number_rows(data)
        columns = to_columns(numbered)
        defined = ", ".join(f"{_quote(column.name)} {column.kind}" for column in columns)
        rows = pa.Table.from_arrays([column.data for column in columns], numbered.column_names)
        with self._transaction(), self._cursor() as cursor:
            self._do(f"CREATE TEMPORARY TABLE {name} ({defined} NOT NULL)")
            if data.num_rows:
                self._run(lambda: cursor.adbc_ingest(name, rows, mode="append", temporary=True))
            self._do(f"ANALYZE {name}")
        return LoadedSpine(f"pg_temp.{name}", row)

    def write_file(self, sql: str, path: Path, *, wide: bool = False) -> int:
        from asknown.engines.output_files import write_batches

        try:
            return write_batches(self.stream(sql), path)
        finally:
            self._stop_reading()

    def build(self, name: str, sql: str, *, kind: str) -> None:
        quoted = _quote(name)
        with self._transaction():
            older = self._kind_of(name)
            if older == kind and self.describe(f"SELECT * FROM {quoted}") == self.describe(sql):
                # In place, so that what others have built upon it stays.
                if kind == "view":
                    self._do(f"CREATE OR REPLACE VIEW {quoted} AS\n{sql}")
                    return
                self._do(f"CREATE TEMPORARY TABLE _asknown_built ON COMMIT DROP AS\n{sql}")
                self._do(f"TRUNCATE {quoted}")
                self._do(f"INSERT INTO {quoted} SELECT * FROM pg_temp._asknown_built")
            else:
                if older:
                    self._do(f"DROP {older.upper()} {quoted}")
                self._do(f"CREATE {kind.upper()} {quoted} AS\n{sql}")
            if kind == "table":
                self._do(f"ANALYZE {quoted}")

    def _kind_of(self, name: str) -> str | None:
        return next((kind for found, kind in self._relations() if found == name), None)

    def built(self) -> Sequence[str]:
        return [name for name, _ in self._relations()]

    def _relations(self) -> list[tuple[str, str]]:
        found = self.rows(
            "SELECT relname::text, CASE relkind WHEN 'v' THEN 'view' ELSE 'table' END FROM pg_catalog.pg_class "
            "WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'v')"
        )
        return [(str(name), str(kind)) for name, kind in found]

    def check(self) -> EngineCheck:
        (facts,) = self.rows(
            "SELECT current_setting('server_version'), current_setting('TimeZone'), current_database()::text, "
            "current_user::text, current_schema()::text, current_setting('server_encoding'), "
            "has_database_privilege(current_database(), 'TEMPORARY'), pg_is_in_recovery(), "
            "'B' < 'a' AND '_' < 'a' AND 'a b' < 'aa'"
        )
        ((default_zone, timeout, work_mem),) = self.rows(
            "SELECT MAX(reset_val) FILTER (WHERE name = 'TimeZone')::text, "
            "MAX(setting) FILTER (WHERE name = 'statement_timeout')::text, current_setting('work_mem') "
            "FROM pg_catalog.pg_settings"
        )
        version, zone, database, user, schema, encoding, temporary, recovering, by_bytes = facts
        missing = []
        if not temporary or recovering:
            missing.append("temporary tables: a spine can only be SQL, a model or a table there")
        if not by_bytes:
            missing.append(
                "text in order of its bytes: models that compare or order text do it by the database's rules"
            )
        if encoding != "UTF8":
            missing.append(f"UTF8 as the database's encoding: text of {encoding} may order differently")
        if not self._knows_letters:
            missing.append(f"a locale that knows Unicode: lower() and upper() are refused; {_UNICODE}")
        if (named := self._options.schema) is not None and schema != named:
            missing.append(f"the schema {named}: `asknown run` makes it, or the user may not use it")
        elif schema is not None and not self._may_create(str(schema)):
            missing.append(f"the right to create tables in schema {schema}: `asknown run` builds models there")
        if timeout != "0":
            missing.append(f"time: the server ends each query after statement_timeout = {timeout} ms")
        names = ("session zone", "server zone", "database", "user", "schema", "work_mem")
        values = (zone, default_zone, database, user, schema or "none", work_mem)
        return EngineCheck(
            str(version), tuple(zip(names, map(str, values), strict=True)), tuple(missing), str(default_zone)
        )

    def _may_create(self, schema: str) -> bool:
        ((may,),) = self.rows(f"SELECT has_schema_privilege({_literal(schema)}, 'CREATE') AS may")
        return bool(may)

    def is_open(self) -> bool:
        if not self._lost and self._reading is None and time.monotonic() - self._used > IDLE:
            with contextlib.suppress(AsknownError):
                self._do("SELECT 1")
        return not self._lost

    def close(self) -> None:
        self._stop_reading()
        self._worker.close()
        self._con.close()

    # -- inside ------------------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def _cursor(self) -> Iterator[Any]:
        self._require_idle()
        with contextlib.closing(self._con.cursor()) as cursor:
            yield cursor

    def _do(self, statement: str) -> None:
        with self._cursor() as cursor:
            self._run(lambda: cursor.executescript(statement))

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._do("BEGIN READ WRITE")
        try:
            yield
            self._do("COMMIT")
        except BaseException:
            with contextlib.suppress(AsknownError):
                self._do("ROLLBACK")
            raise

    def _run(self, work: Callable[[], _Result]) -> _Result:
        self._used = time.monotonic()
        try:
            return self._worker.run(work, self._con.adbc_cancel)
        except (self._adbc.Error, OSError) as error:
            told = translate(error)
            self._lost = self._lost or told.code == "lost-connection"
            raise told from None

    def _require_idle(self) -> None:
        # The server would break off the earlier one.
        if self._reading is not None:
            raise AsknownError(
                "engine",
                "an earlier result is still being read, and a Postgres session runs one query at a time",
                hint="read it to the end or close it first",
            )

    def _stop_reading(self) -> None:
        raw = self._reading() if self._reading is not None else None
        if raw is not None:
            raw.close()


_KNOWS_LETTERS = "LOWER('ÀΣЖԱ' COLLATE \"default\") = 'àσжա' AND UPPER('àσжա' COLLATE \"default\") = 'ÀΣЖԱ'"
_UNICODE = "make the database with a locale such as C.UTF-8"


def _without_letters() -> Dialect:
    """The dialect for a database whose locale knows ASCII alone: it leaves other letters as they are."""
    words = dict.fromkeys(("lower", "upper", "ilike"), f"the database's locale does not know Unicode: {_UNICODE}")
    refused = {**POSTGRES.translation.refused, **words}
    return replace(POSTGRES, translation=replace(POSTGRES.translation, refused=refused))


def _load_driver() -> tuple[Any, Callable[..., Any]]:
    try:
        import adbc_driver_manager
        import adbc_driver_postgresql.dbapi  # type: ignore[import-untyped, import-not-found, unused-ignore]
    except ImportError:
        raise AsknownError(
            "missing-extra", "the driver for Postgres is not installed", hint="pip install 'asknown[postgres]'"
        ) from None
    return adbc_driver_manager, adbc_driver_postgresql.dbapi.connect


def _in_one_dimension(sql: str, described: Sequence[tuple[str, SqlType]]) -> str:
    """The query, made to fail where a list holds lists: Postgres has one type for both, and the driver makes them one.

    The cast is of a text that depends on the row, or it would fail while the query is planned.
    """
    if all(kind.kind != "list" for _, kind in described):
        return sql
    columns = []
    for name, kind in described:
        column = _quote(name)
        if kind.kind == "list":
            problem = _literal(f"asknown: column '{name}' holds lists of lists, which are not kept: ")
            failed = f"CAST({problem} || array_ndims({column}) AS INT)"
            column = f"CASE WHEN array_ndims({column}) > 1 AND {failed} > 0 THEN NULL ELSE {column} END AS {column}"
        columns.append(column)
    return f"SELECT {', '.join(columns)} FROM (\n{sql}\n) AS listed"


def _closed(sql: str) -> str:
    """The query such that a comment at its end does not swallow what the driver writes behind it."""
    return f"{sql}\n"


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'
