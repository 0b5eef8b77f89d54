"""Spark 4: a local session, a cluster's, or a server's over Spark Connect.

Rows of a data frame have no order in Spark. A spine gets one: a last column that numbers the rows.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING, Any

from asknown.dialects.dialect import Dialect
from asknown.dialects.spark import SPARK
from asknown.engines.engine import EngineCheck, LoadedSpine
from asknown.engines.output_files import write_batches
from asknown.engines.spark.session import SparkTarget, is_remote, open_session, quote
from asknown.engines.spark.types import columns_of, result_schema, to_spark
from asknown.engines.spark.worker import SparkWorker
from asknown.errors import AsknownError
from asknown.types import SqlType

if TYPE_CHECKING:
    import pyarrow as pa

ROW_GROUP = 131_072  # rows: what one task reads of a local spine


class Spark:
    """A Spark session of its own, beside others of the same cluster: its settings and temporary views are not theirs.

    A session that runs in this process already is joined, and left running. ``writable`` is for `asknown run`.
    """

    dialect: Dialect = SPARK
    keeps_builds = True

    def __init__(self, target: SparkTarget, root: Path, *, writable: bool = False) -> None:
        self._target = target
        self._spines = count(1)
        self._views: list[str] = []
        self._folder: Path | None = None
        self._worker = SparkWorker()
        try:
            self._session = self._worker.run(lambda: open_session(target, writable=writable))
            self._worker.adopt(self._session)
        except BaseException:
            self._worker.close()
            raise
        self._remote = is_remote(self._session)

    # -- asking ------------------------------------------------------------------------------------------------

    def describe(self, sql: str) -> list[tuple[str, SqlType]]:
        return self._worker.run(lambda: columns_of(self._session.sql(sql).schema))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        found: list[tuple[Any, ...]] = []
        for batch in self.stream(sql):
            found += zip(*(column.to_pylist() for column in batch.columns), strict=True)
        return found

    def stream(self, sql: str, *, wide: bool = False) -> pa.RecordBatchReader:
        import pyarrow as pa

        data = self._worker.run(lambda: self._session.sql(sql))
        schema = self._worker.run(lambda: result_schema(data.schema))
        return pa.RecordBatchReader.from_batches(schema, self._batches(data, schema))

    def explain(self, sql: str) -> str:
        """The physical plan that Spark makes of a query, as text."""
        ((plan,),) = self.rows(f"EXPLAIN FORMATTED {sql}")
        return str(plan)

    def _batches(self, data: Any, schema: pa.Schema) -> Iterator[pa.RecordBatch]:
        import pyarrow as pa

        for batch in self._worker.stream(lambda: data):
            columns = [column.cast(field.type) for column, field in zip(batch.columns, schema, strict=True)]
            yield pa.RecordBatch.from_arrays(columns, schema=schema)

    # -- bringing in and taking out ----------------------------------------------------------------------------

    def load_spine(self, data: pa.Table) -> LoadedSpine:
        from asknown.engines.spines import SPINE, number_rows

        table, row = number_rows(to_spark(data, times=not self._remote))
        name = f"{SPINE}_{next(self._spines)}"
        self._worker.run(lambda: self._frame(table, name).createOrReplaceTempView(name))
        self._views.append(name)
        return LoadedSpine(name, row)

    def _frame(self, table: pa.Table, name: str) -> Any:
        """Through a file where Spark runs on this machine, which is faster; through the driver elsewhere."""
        import pyarrow as pa

        local = not self._remote and str(self._session.conf.get("spark.master", "")).startswith("local")
        if not local or any(pa.types.is_time(kind) for kind in table.schema.types):  # Parquet has no times in Spark
            from pyspark.sql.pandas.types import from_arrow_schema

            return self._session.createDataFrame(table, from_arrow_schema(table.schema))
        import pyarrow.parquet as pq

        if self._folder is None:
            self._folder = Path(tempfile.mkdtemp(prefix="asknown-spark-"))
        path = self._folder / f"{name.strip('_')}.parquet"  # Spark does not see files whose names begin with _
        pq.write_table(table, path, row_group_size=ROW_GROUP)
        return self._session.read.parquet(str(path))

    def write_file(self, sql: str, path: Path, *, wide: bool = False) -> int:
        return write_batches(self.stream(sql), path)

    def write_folder(self, sql: str, url: str) -> int:
        """Writes a result to a new folder of Parquet files, from the executors, and gives the number of rows.

        ``url`` is a path that every executor can write: ``s3a://…``, ``hdfs://…``, or local where Spark is. The files'
        names are in the rows' order; a file ``_SUCCESS`` beside them says that all of them are there.
        """

        def write() -> int:
            self._session.sql(sql).write.mode("error").parquet(url)
            return int(self._session.read.parquet(url).count())

        try:
            return self._worker.run(write)
        except AsknownError as error:
            if "already exists" in error.message:
                raise AsknownError("output", f"{url} exists already", hint="name a new folder") from None
            raise

    def build(self, name: str, sql: str, *, kind: str) -> None:
        quoted = quote(name)
        self.describe(sql)  # a query that does not read leaves what there is
        older = self._kinds(name)
        if kind == "view":
            if "table" in older:
                self._command(f"DROP TABLE {quoted}")
            self._command(f"CREATE OR REPLACE VIEW {quoted} AS\n{sql}")
            return
        if "view" in older:
            self._command(f"DROP VIEW {quoted}")
        try:
            self._command(f"CREATE OR REPLACE TABLE {quoted} AS\n{sql}")  # in one step where the catalog can
        except AsknownError as error:
            if "REPLACE TABLE" not in error.message:
                raise
            self._rebuild(name, sql)

    def _rebuild(self, name: str, sql: str) -> None:
        """Makes the table under another name first, so that the older one stays until the new one is whole."""
        quoted, beside = quote(name), quote(f"{name}__asknown_new")
        self._command(f"DROP TABLE IF EXISTS {beside}")
        try:
            self._command(f"CREATE TABLE {beside} USING parquet AS\n{sql}")
            self._command(f"DROP TABLE IF EXISTS {quoted}")
            self._command(f"ALTER TABLE {beside} RENAME TO {quoted}")
        except BaseException:
            with contextlib.suppress(AsknownError):
                self._command(f"DROP TABLE IF EXISTS {beside}")
            raise

    def _kinds(self, name: str) -> set[str]:
        def look() -> set[str]:
            catalog = self._session.catalog
            if not catalog.tableExists(quote(name)):
                return set()
            return {"view" if catalog.getTable(quote(name)).tableType == "VIEW" else "table"}

        return self._worker.run(look)

    def built(self) -> Sequence[str]:
        return self._worker.run(lambda: [t.name for t in self._session.catalog.listTables() if not t.isTemporary])

    def is_open(self) -> bool:
        return not self._worker.lost

    def close(self) -> None:
        with contextlib.suppress(AsknownError):
            self._worker.cancel()
            self._worker.run(self._leave)
        self._worker.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _leave(self) -> None:
        for view in self._views:
            self._session.catalog.dropTempView(view)
        self._views.clear()
        if self._remote:
            self._session.stop()  # this session alone: the server goes on

    # -- for `asknown doctor` ----------------------------------------------------------------------------------

    def check(self) -> EngineCheck:
        ((version, zone, catalog, schema),) = self.rows(
            "SELECT version(), current_timezone(), current_catalog(), current_schema()"
        )
        master = self._worker.run(lambda: self._session.conf.get("spark.master", ""))
        facts = (
            ("master", "Spark Connect" if self._remote else str(master)),
            ("session zone", str(zone)),
            ("schema", f"{catalog}.{schema}"),
        )
        return EngineCheck(str(version).partition(" ")[0], facts)

    # -- inside ------------------------------------------------------------------------------------------------

    def _command(self, sql: str) -> None:
        self._worker.run(lambda: self._session.sql(sql))
