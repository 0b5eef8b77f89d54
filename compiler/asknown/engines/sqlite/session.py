"""SQLite: embedded, over a database file that it opens read-only, or in memory. The floor of what asknown runs on."""

from __future__ import annotations

import contextlib
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from asknown.dialects.dialect import Dialect
from asknown.dialects.sqlite import SQLITE
from asknown.engines.engine import LoadedSpine
from asknown.engines.sqlite.functions import register
from asknown.errors import AsknownError, did_you_mean
from asknown.model.nodes import Column
from asknown.model.sqlite_types import ANY, declared_type, query_types
from asknown.project.nodes import Target
from asknown.types import SqlType

if TYPE_CHECKING:
    import pyarrow as pa

SPINE = "_asknown_spine"
DESCRIBED = "_asknown_described"
BATCH_ROWS = 65_536
OLDEST = (3, 37, 0)
STEPS = 20_000  # of SQLite's machine between two looks at whether the user has pressed Ctrl-C
SESSION = ("PRAGMA case_sensitive_like = 1", "PRAGMA automatic_index = 1")
_Result = TypeVar("_Result")


class SQLite:
    """An SQLite session over the target's database file, or in memory.

    The file is opened read-only, so that others may use it too; ``writable`` is for `asknown run`. The connection
    brings functions of its own (:mod:`asknown.engines.sqlite.functions`).
    """

    dialect: Dialect = SQLITE

    def __init__(self, target: Target, root: Path, *, writable: bool = False) -> None:
        self._target = target
        self._spines: dict[str, tuple[Column, ...]] = {}
        self._raised: list[BaseException] = []
        self._con = self._connect(root, writable=writable)
        try:
            self._require_version()
            self._con.set_progress_handler(self._look_up, STEPS)
            register(self._con, self._raised)
            for statement in SESSION:
                self._con.execute(statement)
            self._ask("SELECT COUNT(*) FROM main.sqlite_schema")  # says whether the file is a database
        except BaseException:
            self._con.close()
            raise

    # -- asking ------------------------------------------------------------------------------------------------

    def describe(self, sql: str) -> list[tuple[str, SqlType]]:
        """The names and types of a query's columns; ``ANY`` where SQLite does not say (:mod:`model.sqlite_types`)."""
        sql = quote_strictly(sql)
        declared = self._declared(sql)
        _refuse_names(token[0][1:-1] for token in _TOKEN.finditer(sql) if token[0].startswith("`"))
        types = query_types(sql, self._columns_of)
        if types is None or len(types) != len(declared):
            return declared
        return [(name, found) for (name, _), found in zip(declared, types, strict=True)]

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """The rows of a small result, with dates, timestamps and decimals as Python has them where a type is known."""
        from asknown.engines.sqlite.values import to_array

        described = self.describe(sql)
        rows = self._ask(quote_strictly(sql))
        if not rows:
            return []
        columns: list[Sequence[Any]] = list(zip(*rows, strict=True))
        for place, (name, kind) in enumerate(described):
            if kind.kind in ("boolean", "date", "time", "timestamp", "decimal", "timestamptz"):
                columns[place] = to_array(columns[place], kind, column=name).to_pylist()
        return list(zip(*columns, strict=True))

    def stream(self, sql: str) -> pa.RecordBatchReader:
        import pyarrow as pa

        from asknown.engines.sqlite.values import arrow_type, untyped

        described = self.describe(sql)
        fields = []
        for name, kind in described:
            arrow = arrow_type(kind)
            if arrow is None:
                raise untyped(name, kind)
            fields.append(pa.field(name, arrow))
        schema = pa.schema(fields)
        return pa.RecordBatchReader.from_batches(schema, self._batches(sql, described, schema))

    def _batches(
        self, sql: str, described: Sequence[tuple[str, SqlType]], schema: pa.Schema
    ) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        from asknown.engines.sqlite.values import to_array

        cursor = self._con.cursor()
        try:
            self._run(cursor.execute, quote_strictly(sql))
            while rows := self._run(cursor.fetchmany, BATCH_ROWS):
                columns = zip(*rows, strict=True)
                arrays = [to_array(v, kind, column=name) for v, (name, kind) in zip(columns, described, strict=True)]
                yield pa.RecordBatch.from_arrays(arrays, schema=schema)
        finally:
            cursor.close()

    # -- bringing in and taking out ----------------------------------------------------------------------------

    def load_spine(self, data: pa.Table) -> LoadedSpine:
        """Puts a spine into a temporary table of the connection's own, which is read in the order of its rows."""
        from asknown.engines.sqlite.values import sql_type, to_values

        columns = tuple(Column(field.name, sql_type(field.type, column=field.name)) for field in data.schema)
        name = f"{SPINE}_{len(self._spines) + 1}"
        # No declared types: SQLite then keeps each value as it is, the sign of a zero included.
        listed = ", ".join(_quote(column.name) for column in columns)
        insert = f"INSERT INTO temp.{name} VALUES ({', '.join('?' * len(columns))})"
        try:
            with self._transaction():
                self._execute(f"CREATE TEMP TABLE {name} ({listed})")
                for start in range(0, data.num_rows, BATCH_ROWS):
                    some = data.slice(start, BATCH_ROWS)
                    values = [to_values(some.column(n), c.type, column=c.name) for n, c in enumerate(columns)]
                    self._run(self._con.executemany, insert, zip(*values, strict=True))
        except OverflowError:
            raise AsknownError("unsupported-type", "the spine holds an integer beyond 64 bits") from None
        self._spines[name] = columns
        return LoadedSpine(f"temp.{name}")

    def write_file(self, sql: str, path: Path) -> int:
        import pyarrow.csv
        import pyarrow.parquet

        reader = self.stream(sql)
        beside = path.with_name(f".{path.name}.part")
        rows = 0
        try:
            writer = (
                pyarrow.csv.CSVWriter(beside, reader.schema)
                if path.suffix == ".csv"
                else pyarrow.parquet.ParquetWriter(beside, reader.schema, compression="zstd")
            )
            with writer:
                for batch in reader:
                    writer.write_batch(batch)
                    rows += batch.num_rows
            beside.replace(path)
        except OSError as error:
            raise AsknownError("output", f"cannot write {path}: {error.strerror or error}") from None
        finally:
            beside.unlink(missing_ok=True)
        return rows

    def build(self, name: str, sql: str, *, kind: str) -> None:
        sql = quote_strictly(sql)
        described = self.describe(sql)
        quoted = f"main.{_quote(name)}"
        with self._transaction():
            older = "SELECT type FROM main.sqlite_schema WHERE type IN ('table', 'view') AND lower(name) = lower(?)"
            for (older_kind,) in self._ask(older, name):
                self._execute(f"DROP {older_kind} {quoted}")
            if kind == "view":
                self._execute(f"CREATE VIEW {quoted} AS\n{sql}")
                return
            columns = ", ".join(f"{_quote(column)} {_declaration(type_)}" for column, type_ in described)
            self._execute(f"CREATE TABLE {quoted} ({columns})")
            self._execute(f"INSERT INTO {quoted}\n{sql}")

    def built(self) -> Sequence[str]:
        found = self.rows("SELECT name FROM main.sqlite_schema WHERE type IN ('table', 'view')")
        return [str(name) for (name,) in found]

    def check(self) -> dict[str, str]:
        """What `asknown doctor` says of the target: facts by name."""
        options = {str(option) for (option,) in self._ask("PRAGMA compile_options")}
        path = self._target.options.get("path") or ":memory:"
        facts = {
            "engine": f"SQLite {sqlite3.sqlite_version}",
            "database": str(path),
            "time zone": "UTC (SQLite has no other)",
        }
        if "ENABLE_MATH_FUNCTIONS" not in options:
            facts["missing"] = "SQLite's mathematical functions (sqrt, ln, floor, …): it was built without them"
        return facts

    def close(self) -> None:
        self._con.close()

    # -- inside ------------------------------------------------------------------------------------------------

    def _connect(self, root: Path, *, writable: bool) -> sqlite3.Connection:
        given = self._checked_path()
        if given == ":memory:":
            return sqlite3.connect(":memory:", isolation_level=None)
        path = root / Path(given).expanduser()
        if not writable and not path.exists():
            raise AsknownError(
                "no-data",
                f"the database {given} of target '{self._target.name}' does not exist",
                at=self._target.at,
                hint="correct its path, or make it with `asknown run`",
            )
        mode = "rwc" if writable else "ro"
        try:
            return sqlite3.connect(f"{path.absolute().as_uri()}?mode={mode}", uri=True, isolation_level=None)
        except sqlite3.Error as error:
            raise AsknownError(
                "no-data",
                f"the database {given} of target '{self._target.name}' cannot be opened: {error}",
                at=self._target.at,
            ) from None

    def _checked_path(self) -> str:
        who = f"target '{self._target.name}'"
        for key in self._target.options:
            if key != "path":
                hint = did_you_mean(key, ["path"], what="its keys")
                raise AsknownError("unknown-key", f"{who} has no key '{key}'", at=self._target.at, hint=hint)
        given = self._target.options.get("path") or ":memory:"
        if not isinstance(given, str):
            raise AsknownError("wrong-type", f"'path' of {who} must be text", at=self._target.at)
        return given

    def _require_version(self) -> None:
        if sqlite3.sqlite_version_info < OLDEST:
            needed = ".".join(map(str, OLDEST))
            raise AsknownError(
                "engine",
                f"this Python brings SQLite {sqlite3.sqlite_version}, and asknown needs {needed} or newer",
                at=self._target.at,
            )

    def _declared(self, sql: str) -> list[tuple[str, SqlType]]:
        """A query's columns by the declared types that SQLite itself follows; it compiles the query, no more."""
        self._execute(f"EXPLAIN {sql}").close()
        self._execute(f"CREATE TEMP VIEW {DESCRIBED} AS\n{sql}")
        try:
            return self._declarations("temp", DESCRIBED)
        finally:
            self._con.execute(f"DROP VIEW temp.{DESCRIBED}")

    def _columns_of(self, schema: str, name: str) -> tuple[Column, ...] | None:
        """The columns of a stored table or view, or None where there is none of this name.

        A spine's are as they were given, a table's as they are declared, a view's as its query says.
        """
        if schema in ("", "temp") and name in self._spines:
            return self._spines[name]
        columns = tuple(Column(column, kind) for column, kind in self._declarations(schema, name))
        _refuse_names(column.name for column in columns)
        view = "SELECT sql FROM main.sqlite_schema WHERE type = 'view' AND lower(name) = lower(?)"
        for (text,) in self._ask(view, name) if schema in ("", "main") else ():
            types = query_types(str(text), self._columns_of)
            if types is not None and len(types) == len(columns):
                return tuple(Column(c.name, kind) for c, kind in zip(columns, types, strict=True))
        return columns or None

    def _declarations(self, schema: str, name: str) -> list[tuple[str, SqlType]]:
        pragma = f"PRAGMA {_quote(schema) + '.' if schema else ''}table_xinfo({_quote(name)})"
        return [(str(column), declared_type(kind) if kind else ANY) for _, column, kind, *_ in self._ask(pragma)]

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._execute("BEGIN")
        try:
            yield
            self._execute("COMMIT")
        except BaseException:
            with contextlib.suppress(sqlite3.Error):
                self._con.execute("ROLLBACK")
            raise

    def _look_up(self) -> int:
        # Python sees to signals while this runs; a KeyboardInterrupt here ends the query.
        return 0

    def _execute(self, sql: str, *values: Any) -> sqlite3.Cursor:
        return self._run(self._con.execute, sql, values)

    def _ask(self, sql: str, *values: Any) -> list[tuple[Any, ...]]:
        return self._run(self._execute(sql, *values).fetchall)

    def _run(self, work: Callable[..., _Result], *arguments: Any) -> _Result:
        self._raised.clear()
        try:
            return work(*arguments)
        except sqlite3.Error as error:
            if self._raised:
                raise self._raised.pop() from None
            if str(error) == "interrupted" or "user-defined" in str(error):  # Ctrl-C between two lines of a function
                raise KeyboardInterrupt from None
            raise translate(error) from None


_DECLARATIONS = {"INTEGER": "INT4", "FLOAT": "FLOAT4", "VARCHAR": "TEXT", "TIMESTAMP WITH TIME ZONE": "TIMESTAMPTZ"}


def _declaration(kind: SqlType) -> str:
    """How a table that asknown makes declares a column, so that :func:`declared_type` reads the same type back."""
    if kind.kind in ("list", "struct"):
        return _quote(kind.name)
    return "" if kind.name == "ANY" else _DECLARATIONS.get(kind.name, kind.name)


def _quote(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _refuse_names(names: Iterable[str]) -> None:
    """Raises ``not-in-dialect`` for a name that SQLite forgets: in a subquery it calls such a column column1."""
    for name in names:
        if name.casefold() in ("true", "false"):
            raise AsknownError(
                "not-in-dialect",
                f"SQLite does not keep the name of a column called '{name}'",
                hint=f"give it another name in the table or the select, as in is_{name.casefold()}",
            )


_TOKEN = re.compile(
    r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | `(?:[^`]|``)*` | \[[^]]*\] | --[^\n]* | /\*.*?\*/""", re.X | re.S
)


def quote_strictly(sql: str) -> str:
    """The same SQL with names in backticks: SQLite reads a name in double quotes that does not exist as a text."""

    def put(found: re.Match[str]) -> str:
        token = found[0]
        if not token.startswith('"'):
            return token
        return "`" + token[1:-1].replace('""', '"').replace("`", "``") + "`"

    return _TOKEN.sub(put, sql)


def translate(error: sqlite3.Error) -> AsknownError:
    """SQLite's error as one of ours, the names in it quoted."""
    message = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
    if found := re.fullmatch(r"no such (column|table|function): (.+)", message):
        what, name = found.groups()
        message = f"no such {what}: '{name}'"
        if what == "table":
            return AsknownError("no-data", message, hint="is it a model? then write {{ ref('…') }}")
        if what == "function":
            return AsknownError("engine", message, hint="SQLite has few functions: sqlite.org/lang_corefunc.html")
    if "locked" in message:
        return AsknownError("engine", message, hint="another process is writing to the database; wait for it")
    if "not a database" in message or "malformed" in message:
        return AsknownError("no-data", f"the target's file is damaged or no SQLite database: {message}")
    return AsknownError("engine", message)
