"""A training query as a job: it can be shown, explained, run, and written to a file."""

from __future__ import annotations

import os
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from asknown.emit.compile import compile_training
from asknown.emit.probe import compile_hindsight
from asknown.emit.statement import Cte, check_sql, standalone, write
from asknown.engines.engine import Engine, WritesFolders
from asknown.errors import AsknownError
from asknown.paths import absolute, check_count, check_path
from asknown.plan.nodes import AsOfJoin, Plan
from asknown.store.failures import explain_failure, is_on_demand
from asknown.store.outputs import InputFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FILE_ENDINGS = (".parquet", ".csv")


class RetrievalJob:
    """A point-in-time training query: the spine's rows, once each and in order, then the features asked for.

    Nothing runs until one of the ``to_…`` methods is called, and each call runs the query again. Instants are UTC
    (rule 1), and types are those of the models' SQL (rule 7).
    """

    def __init__(
        self, plan: Plan, models: list[Cte], reserved_names: list[str], engine: Engine, inputs: InputFiles
    ) -> None:
        self.plan = plan
        self._models = models
        self._reserved_names = reserved_names
        self._opened = engine
        self._process = os.getpid()
        self._inputs = inputs
        self.record: Callable[[Path], str | None] | None = None
        self.unrecorded: str | None = None
        """Why the registry does not know of the last file, if it should."""

    @property
    def _engine(self) -> Engine:
        if os.getpid() != self._process:
            raise AsknownError(
                "engine",
                "this training set belongs to the process before a fork",
                hint="call get_historical_features() in this process",
            )
        return self._opened

    def sql(self) -> str:
        """The SQL that runs, in the target's dialect: one statement, formatted, its CTEs named after the views.

        A session that is not asknown's first needs ``FeatureStore.session_statements()``.
        """
        return check_sql(standalone(self._written, self._engine.dialect), self._engine.dialect)

    @cached_property
    def _written(self) -> str:
        # Only text that is handed out is parsed again as a check. Where the text runs, the engine parses it.
        statement = compile_training(self.plan, self._models, self._reserved_names, self._engine.dialect)
        return write(statement, self._engine.dialect)

    @property
    def _is_wide(self) -> bool:
        wide = self._engine.dialect.plans.wide
        return wide is not None and self.plan.width >= wide

    def explain(self) -> str:
        """The plan as text: each step's view, keys, times and features, and the form of match with its reason."""
        from asknown.plan.explain import explain_plan

        return explain_plan(self.plan)

    def head(self, rows: int) -> RetrievalJob:
        """A job for the first ``rows`` rows of the spine."""
        spine = self.plan.spine
        relation = spine.relation
        order = "" if relation.row is None else f"\nORDER BY {relation.row}"
        sql = f"SELECT * FROM (\n{relation.sql}\n) AS spine{order}\nLIMIT {check_count(rows, 'rows')}"
        first = replace(spine, relation=replace(relation, sql=sql))
        first_rows = replace(self.plan, spine=first)
        return RetrievalJob(first_rows, self._models, self._reserved_names, self._engine, self._inputs)

    def to_batches(self) -> pa.RecordBatchReader:
        """The training set as a stream of Arrow batches; it need not fit in memory."""
        self._inputs.inspected.check()
        if not is_on_demand(self.plan):
            return self._engine.stream(self._written, wide=self._is_wide)
        try:
            stream = self._engine.stream(self._written, wide=self._is_wide)
        except AsknownError as error:
            raise self._explained(error) from None
        return pa.RecordBatchReader.from_batches(stream.schema, self._explaining(stream))

    def _explaining(self, stream: pa.RecordBatchReader) -> Iterator[pa.RecordBatch]:
        """The batches of ``stream``, whose errors name the on-demand feature that is their cause."""
        try:
            yield from stream
        except AsknownError as error:
            stream.close()
            raise self._explained(error) from None

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows as an Arrow C stream, so that whatever takes one takes a job: Polars, DuckDB, another request."""
        return self.to_batches().__arrow_c_stream__(requested_schema)

    def to_arrow(self) -> pa.Table:
        """The training set as one Arrow table, ``(rows of the spine) × (its columns + the features)``."""
        return self.to_batches().read_all()

    def _explained(self, error: AsknownError) -> AsknownError:
        """The error of the engine, with feature and row where an on-demand feature is its cause."""
        if error.code != "engine" or not is_on_demand(self.plan):
            return error

        def run(plan: Plan) -> pa.RecordBatchReader:
            statement = compile_training(plan, self._models, self._reserved_names, self._engine.dialect)
            return self._engine.stream(write(statement, self._engine.dialect))

        return explain_failure(error, self.plan, run)

    def to_df(self) -> Any:
        """The training set as a pandas frame. Integers and booleans with missing values become nullable types."""
        from asknown.engines.frames import to_pandas

        return to_pandas(self.to_arrow())

    def to_polars(self) -> Any:
        """The training set as a polars frame."""
        from asknown.engines.frames import to_polars

        return to_polars(self.to_arrow())

    def to_parquet(self, path: str | Path) -> int:
        """Writes the training set to a Parquet file (or CSV, if the name ends in .csv) and returns its number of rows.

        The file appears whole or not at all. A file that the project or the spine reads is refused. The engine writes
        the file, so it may be larger than memory. A path that ends in / is a new folder, on this machine or elsewhere
        (``s3a://…/train/``), into which Spark's executors write Parquet files.
        """
        check_path(path, "path")
        if str(path).endswith("/"):
            return self._to_folder(str(path))
        if "://" in str(path):
            raise AsknownError(
                "output", f"{path} is not on this machine", hint="a folder that Spark writes to ends in /"
            )
        path = Path(path)
        if path.suffix not in FILE_ENDINGS:
            raise AsknownError(
                "output",
                f"the format of {path} is unknown",
                hint=f"end it in {' or '.join(FILE_ENDINGS)}",
            )
        self.check_output(path)
        self._inputs.inspected.check()
        try:
            count = self._engine.write_file(self._written, absolute(path), wide=self._is_wide)
        except AsknownError as error:
            raise self._explained(error) from None
        if self.record is not None and path.suffix == ".parquet":
            self.unrecorded = self.record(path)
        return count

    def check_output(self, path: str | Path) -> None:
        """Raises ``output`` if the training set cannot go to the file ``path``, or would replace what it is made of."""
        check_path(path, "path")
        self._inputs.check_output(Path(path))

    def _to_folder(self, url: str) -> int:
        if not isinstance(self._engine, WritesFolders):
            raise AsknownError(
                "output",
                f"{url} is a folder, and {self._engine.dialect.name} writes one file",
                hint=f"end it in {' or '.join(FILE_ENDINGS)}",
            )
        self._inputs.inspected.check()
        try:
            return self._engine.write_folder(self._written, url)
        except AsknownError as error:
            raise self._explained(error) from None

    def hindsight(self) -> dict[str, int]:
        """By view with a ``known_at``: the number of spine rows that would see a row too early if it had none."""
        found: dict[str, int] = {}
        for place, step in enumerate(self.plan.steps):
            if not isinstance(step, AsOfJoin) or step.view.known_at is None or place in self.plan.steps_of_statuses:
                continue
            if not set(step.keys) <= set(self.plan.spine.columns):
                continue  # it is looked up by values of other steps
            alone = replace(self.plan, steps=(step,), outputs=(), statuses=())
            statement = compile_hindsight(alone, self._models, self._reserved_names, self._engine.dialect)
            ((rows,),) = self._engine.rows(write(statement, self._engine.dialect))
            found[step.label] = found.get(step.label, 0) + int(rows)
        return found
