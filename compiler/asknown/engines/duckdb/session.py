"""DuckDB: embedded, in memory or over a database file that it opens read-only."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence, Set
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from asknown.dialects.dialect import Dialect
from asknown.dialects.duckdb import DUCKDB, under_a_limit
from asknown.engines.duckdb.errors import reason, translate
from asknown.engines.duckdb.plan import read_calls
from asknown.engines.engine import EngineCheck, LoadedSpine
from asknown.engines.interrupt import Worker
from asknown.errors import AsknownError
from asknown.model.nodes import Call
from asknown.project.nodes import Target
from asknown.project.options import IN_MEMORY, DuckDBOptions
from asknown.project.targets import is_address
from asknown.types import SqlType, parse_type

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SPINE = "_asknown_spine"
WAREHOUSE = "_asknown_warehouse"
BATCH_ROWS = 122_880
_NOT_THERE = re.compile(r'(?:Table|Schema|Catalog) with name "?([^"]+?)"? does not exist')
# DuckDB 2.0.1: 50 views of 20 features take 29 s of projection_pullup; 100 features of a view with 200 take 45 s of
# projection_placement.
_SLOW_WHEN_WIDE = ("projection_pullup", "projection_placement")
# DuckDB 2.0.1 takes CTEs for empty where many stand before them, and joins what is empty by loops over all rows. The
# last 9 of 50 views then take more CPU time on 100,000 rows than all others. Narrow queries of few rows gain by loops.
_NO_LOOPS = "SET asof_loop_join_threshold = 0"
# With less than so many bytes for each thread, windows over long text ran out of memory (DuckDB 2.0.0 and 2.0.1).
MEMORY_OF_A_THREAD = 70_000_000
_UNITS = {unit: 1024**power for power, unit in enumerate(("bytes", "KiB", "MiB", "GiB", "TiB", "PiB"))}
_Result = TypeVar("_Result")


class DuckDB:
    """A DuckDB session: in memory, with the target's database file attached where it names one.

    The file is attached read-only, so that others may read it too; ``writable`` is for `asknown run`.
    """

    def __init__(self, target: Target[DuckDBOptions], root: Path, *, writable: bool = False) -> None:
        import duckdb

        self._duckdb = duckdb
        self._target = target
        self._root = root
        self._spines = 0
        self._absent: Path | None = None  # the database's file, where it is not there: it counts as empty
        options = target.options
        self.keeps_builds = options.path != IN_MEMORY
        limited = options.memory_limit or "memory_limit" in options.settings
        self._con = duckdb.connect(":memory:", config=_config(options))
        self._worker = Worker("asknown-duckdb")
        try:
            for name, value in options.settings.items():
                self._set(name, value)
            self.dialect: Dialect = self._under_a_limit() if limited else DUCKDB
            for statement in DUCKDB.session:  # last, for results depend on them
                self._con.execute(statement)
            self._set("file_search_path", str(root))
            if self.keeps_builds:
                self._attach(Path(options.path), writable=writable)
        except BaseException:
            self._con.close()
            raise

    # -- asking ------------------------------------------------------------------------------------------------

    def describe(self, sql: str) -> list[tuple[str, SqlType]]:
        rows = self._run(lambda: self._con.execute(f"DESCRIBE {sql}").fetchall())
        return [(str(name), parse_type(str(kind))) for name, kind, *_ in rows]

    def calls(self, sql: str, functions: Set[str]) -> list[Call] | None:
        plan = self._run(lambda: self._con.execute("SELECT json_serialize_plan(?)", [sql]).fetchall())[0][0]
        return read_calls(str(plan), sql, functions)

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        return self._run(lambda: self._con.execute(sql).fetchall())

    def stream(self, sql: str, *, wide: bool = False) -> pa.RecordBatchReader:
        import pyarrow as pa

        cursor = self._cursor(wide=wide)  # an open reader holds its connection

        def begin() -> pa.RecordBatchReader:
            with self._planning(wide=wide):
                return cursor.sql(sql).to_arrow_reader(BATCH_ROWS)

        reader = self._run(begin, cursor)
        return pa.RecordBatchReader.from_batches(reader.schema, self._batches(reader, cursor))

    def _batches(self, reader: pa.RecordBatchReader, cursor: Any) -> Iterator[pa.RecordBatch]:
        try:
            while True:
                try:
                    yield self._run(reader.read_next_batch, cursor)
                except StopIteration:
                    return
        finally:
            cursor.close()

    def rows_over(self, sql: str, relation: str, data: pa.Table) -> pa.Table | None:
        """The result of a small query that reads ``data`` under the name ``relation``; None of another statement.

        It runs on the caller's thread: it is too short to be interrupted, and a change of threads takes longer.
        """
        try:
            self._con.register(relation, data)
            try:
                result = self._con.sql(sql)
                return None if result is None else result.to_arrow_table()
            finally:
                self._con.unregister(relation)
        except self._duckdb.Error as error:
            raise translate(error) from None

    # -- bringing in and taking out ----------------------------------------------------------------------------

    def load_spine(self, data: pa.Table) -> LoadedSpine:
        # A table of the in-memory database, not a temporary one: every cursor sees it.
        self._spines += 1
        name = f"memory.main.{SPINE}_{self._spines}"

        def load() -> None:
            self._con.register(SPINE, data)
            try:
                self._con.execute(f"CREATE TABLE {name} AS FROM {SPINE}")
            finally:
                self._con.unregister(SPINE)

        self._run(load)
        return LoadedSpine(name)

    def write_file(self, sql: str, path: Path, *, wide: bool = False) -> int:
        from asknown.engines.output_files import whole_file, write_batches

        if path.suffix == ".csv":
            return write_batches(self.stream(self._in_text(sql), wide=wide), path)
        with whole_file(path) as beside:
            query = self._in_parquet_types(sql)
            copy = f"COPY (\n{query}\n) TO {_literal(str(beside))} (FORMAT PARQUET, COMPRESSION zstd)"

            def run() -> list[tuple[Any, ...]]:
                with self._planning(wide=wide):
                    return cursor.execute(copy).fetchall()

            with contextlib.closing(self._cursor(wide=wide)) as cursor:
                rows = self._run(run, cursor)
        return int(rows[0][0])

    def _cursor(self, *, wide: bool) -> duckdb.DuckDBPyConnection:
        """A connection of its own, with the session's settings; for a ``wide`` query, as-of joins make no loops."""
        cursor = self._con.cursor()
        self._pin(cursor)
        if wide:
            cursor.execute(_NO_LOOPS)
        return cursor

    @contextlib.contextmanager
    def _planning(self, *, wide: bool) -> Iterator[None]:
        """Plans a ``wide`` query without the optimizers whose time grows with the square of the columns or worse.

        The setting holds for the whole database, so only the worker may open this: it does one piece at a time.
        """
        if not wide:
            yield
            return
        before = str(self._con.execute("SELECT current_setting('disabled_optimizers')").fetchall()[0][0])
        without = ",".join(filter(None, (before, *_SLOW_WHEN_WIDE)))
        self._con.execute(f"SET disabled_optimizers = {_literal(without)}")
        try:
            yield
        finally:
            self._con.execute(f"SET disabled_optimizers = {_literal(before)}")

    def _in_text(self, sql: str) -> str:
        """The query, with those columns cast to text that Arrow has no text for: intervals, bits, unions, maps."""
        others = [name for name, kind in self.describe(sql) if kind.kind == "other"]
        if not others:
            return sql
        casts = ", ".join(f"CAST({_quote(name)} AS VARCHAR) AS {_quote(name)}" for name in others)
        return f"SELECT * REPLACE ({casts}) FROM (\n{sql}\n)"

    def _in_parquet_types(self, sql: str) -> str:
        """The query with decimals of 38 digits for integers of 128 bits, as in Arrow. DuckDB would write doubles."""
        columns = self.describe(sql)
        casts = {name: _parquet_type(kind) for name, kind in columns if "HUGEINT" in kind.name.upper()}
        if not casts:
            return sql
        if lost := next((name for name, kind in casts.items() if kind is None), None):
            message = f"column '{lost}' holds integers of 128 bits in a {dict(columns)[lost]}, and Parquet has none"
            raise AsknownError("output", message, hint="cast it to decimal(38,0), or write a CSV")
        written = ", ".join(f"CAST({_quote(name)} AS {kind}) AS {_quote(name)}" for name, kind in casts.items())
        return f"SELECT * REPLACE ({written}) FROM (\n{sql}\n)"

    def build(self, name: str, sql: str, *, kind: str) -> None:
        quoted = _quote(name)
        self._run(lambda: self._con.execute("BEGIN"))
        try:
            for older in self._kinds(name) - {kind}:
                self._con.execute(f"DROP {older.upper()} main.{quoted}")
            self._run(lambda: self._con.execute(f"CREATE OR REPLACE {kind.upper()} main.{quoted} AS\n{sql}"))
            self._con.execute("COMMIT")
        except BaseException:
            with contextlib.suppress(self._duckdb.Error):
                self._con.execute("ROLLBACK")
            raise

    def _kinds(self, name: str) -> set[str]:
        found = self.rows(
            "select lower(table_type) from information_schema.tables "
            f"where table_catalog = current_database() and table_schema = 'main' and table_name = {_literal(name)}"
        )
        return {str(kind).removeprefix("base ") for (kind,) in found}

    def built(self) -> Sequence[str]:
        found = self.rows(
            "select table_name from information_schema.tables "
            "where table_catalog = current_database() and table_schema = 'main'"
        )
        return [str(name) for (name,) in found]

    def check(self) -> EngineCheck:
        ((version, zone, threads, memory),) = self.rows(
            "select version(), current_setting('TimeZone'), current_setting('threads')::varchar, "
            "current_setting('memory_limit')"
        )
        names = ("database", "session zone", "threads", "memory limit")
        facts = tuple(zip(names, (self._target.options.path, zone, threads, memory), strict=True))
        missing = () if self._absent is None else ("the database file: it counts as empty until `asknown run`",)
        return EngineCheck(version, facts, missing)

    def close(self) -> None:
        self._worker.close()
        self._con.close()

    def _under_a_limit(self) -> Dialect:
        """The dialect for the session's limit of memory. Threads for which the limit has no room are put aside."""
        ((text, threads),) = self.rows("select current_setting('memory_limit'), current_setting('threads')")
        number, unit = str(text).split()
        memory = int(float(number) * _UNITS[unit])
        with_room = max(memory // MEMORY_OF_A_THREAD, 1)
        if threads > with_room:
            self._set("threads", str(with_room))
        return under_a_limit(memory)

    # -- inside ------------------------------------------------------------------------------------------------

    def _attach(self, path: Path, *, writable: bool) -> None:
        if not writable and _is_absent(path):
            self._absent = path
            # Whoever needs nothing from it does not miss it; nobody but `asknown run` makes the file.
            self._con.execute(f"ATTACH ':memory:' AS {WAREHOUSE}")
        else:
            mode = "" if writable else " (READ_ONLY)"
            try:
                self._con.execute(f"ATTACH {_literal(str(path))} AS {WAREHOUSE}{mode}")
            except self._duckdb.Error as error:
                raise self._unopened(translate(error), path) from None
        self._run(lambda: self._con.execute(f"USE {WAREHOUSE}"))

    def _missing(self, needed: str) -> AsknownError:
        """The error for a database that is not there, where something ``needed`` would have been in it."""
        return AsknownError(
            "no-data",
            f"the database {self._absent} of target '{self._target.name}' does not exist{needed}",
            at=self._target.at,
            hint="correct the target's path in profiles.yml, or create it with `asknown run`",
        )

    def _unopened(self, error: AsknownError, path: Path) -> AsknownError:
        """The error for a database that cannot be opened; a path is the target's, and no source's."""
        message = f"the database {path} of target '{self._target.name}' cannot be opened: {error.message}"
        hint = error.hint if error.code == "engine" and error.hint else "correct the target's path in profiles.yml"
        return AsknownError("engine", message, at=self._target.at, hint=hint)

    def _pin(self, cursor: duckdb.DuckDBPyConnection) -> None:
        # Settings of the database hold for every cursor; the ones of a session do not.
        for statement in DUCKDB.session:
            cursor.execute(statement)
        cursor.execute(f"SET file_search_path = {_literal(str(self._root))}")
        if self.keeps_builds:
            cursor.execute(f"USE {WAREHOUSE}")

    def _set(self, name: str, value: str) -> None:
        if not re.fullmatch(r"[a-z_]+", name):
            raise AsknownError("unknown-key", f"'{name}' is not the name of a DuckDB setting", at=self._target.at)
        try:
            self._con.execute(f"SET {name} = {_literal(value)}")
        except self._duckdb.Error as error:
            raise AsknownError(
                "wrong-type", f"DuckDB does not take the setting {name}: {reason(error)}", at=self._target.at
            ) from None

    def _run(self, work: Callable[[], _Result], connection: duckdb.DuckDBPyConnection | None = None) -> _Result:
        try:
            return self._worker.run(work, (connection or self._con).interrupt)
        except self._duckdb.Error as error:
            found = _NOT_THERE.search(str(error)) if self._absent is not None else None
            raise translate(error) if found is None else self._missing(f", and {found[1]} would be in it") from None


def _is_absent(path: Path) -> bool:
    if is_address(str(path)):
        return False  # DuckDB alone knows what is there
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:
        return False  # something is there, or may be: opening it says why it cannot be read
    return False


def _parquet_type(kind: SqlType) -> str | None:
    """The type in which Parquet keeps values of ``kind`` with its integers of 128 bits; None if there is none."""
    match kind.kind:
        case "integer" if kind.bits > 64:
            return "DECIMAL(38,0)"
        case "list" if kind.element is not None:
            element = _parquet_type(kind.element)
            return None if element is None else element + kind.name[len(kind.element.name) :]
        case "struct":
            fields = [(name, _parquet_type(inner)) for name, inner in kind.fields]
            known = [f"{_quote(name)} {inner}" for name, inner in fields if inner is not None]
            return f"STRUCT({', '.join(known)})" if len(known) == len(fields) else None
        case _:
            return None if "HUGEINT" in kind.name.upper() else kind.name


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def _config(options: DuckDBOptions) -> dict[str, Any]:
    config = {
        "threads": options.threads,
        "memory_limit": options.memory_limit,
        "temp_directory": options.temp_directory,
        "python_enable_replacements": "false",
    }
    return {name: value for name, value in config.items() if value is not None}
