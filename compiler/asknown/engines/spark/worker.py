"""A thread that calls Spark, so that an interrupt reaches a caller that only waits, not one in the middle of a message.

Everything that a call starts on the cluster runs in a job group (over Spark Connect, under a tag) of the worker's
own, and is cancelled by it.
"""

from __future__ import annotations

import contextlib
import uuid
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from asknown.engines.interrupt import Worker
from asknown.engines.spark.errors import translate
from asknown.engines.spark.session import THREAD, SparkSession, is_remote

if TYPE_CHECKING:
    import pyarrow as pa

_Result = TypeVar("_Result")
_END = object()
STOPPING = 15.0  # seconds that a cancelled job gets to end


class SparkWorker:
    """Runs calls one at a time. Errors of Spark come out as ours."""

    def __init__(self) -> None:
        self._worker = Worker(THREAD, patience=STOPPING)
        self._session: SparkSession | None = None
        self._tag = f"asknown-{uuid.uuid4()}"
        self.lost = False

    def adopt(self, session: SparkSession) -> None:
        """From now on, calls run in this session and can be cancelled there."""
        self._session = session
        self.run(self._mark)

    def run(self, work: Callable[[], _Result]) -> _Result:
        """Runs ``work`` on the worker's thread and returns its result. An interrupt cancels it and is raised again."""
        try:
            return self._worker.run(work, self.cancel)
        except Exception as error:
            if type(error).__module__.split(".")[0] in ("pyspark", "py4j", "grpc"):
                told = translate(error)
                self.lost = self.lost or told.code == "lost-connection"
                raise told from None
            raise

    def stream(self, data: Callable[[], Any]) -> Generator[pa.RecordBatch]:
        """The batches of a data frame in order, one partition after another, as Spark gives them."""
        batches = self.run(lambda: _batches(data()))
        done = False
        try:
            while (batch := self.run(lambda: next(batches, _END))) is not _END:
                yield batch
            done = True
        finally:
            if not done:
                self.cancel()

    def cancel(self) -> None:
        """Ends what the worker has started on the cluster."""
        session = self._session
        if session is None:
            return
        with contextlib.suppress(Exception):
            if is_remote(session):
                session.interruptTag(self._tag)
            else:
                session.sparkContext.cancelJobGroup(self._tag)

    def close(self) -> None:
        self._worker.close()

    def _mark(self) -> None:
        assert self._session is not None
        if is_remote(self._session):
            self._session.addTag(self._tag)
        else:
            self._session.sparkContext.setJobGroup(self._tag, "asknown", interruptOnCancel=True)


def _batches(data: Any) -> Iterator[pa.RecordBatch]:
    return _from_server(data) if is_remote(data.sparkSession) else _from_cluster(data)


def _from_server(data: Any) -> Iterator[pa.RecordBatch]:
    """Over Spark Connect. ``toLocalIterator`` reads the same stream, and would make Python rows of it."""
    import pyarrow as pa

    client = data.sparkSession.client
    for part in client.to_table_as_iterator(data._plan.to_proto(client), {}):
        if isinstance(part, pa.Table):
            yield from part.to_batches()


def _from_cluster(data: Any) -> Iterator[pa.RecordBatch]:
    """From executors through this machine's JVM, the next partition computed while one is read.

    ``toArrow`` would hold the whole result, and ``toLocalIterator`` makes Python rows: this is the latter over the
    former's batches.
    """
    import pyarrow as pa
    from pyspark.serializers import NoOpSerializer
    from pyspark.sql.pandas.types import to_arrow_schema
    from pyspark.util import _local_iterator_from_socket

    schema = to_arrow_schema(data.schema, timezone="UTC")
    jvm: Any = data.sparkSession.sparkContext._jvm
    served = jvm.PythonRDD.toLocalIteratorAndServe(data._jdf.toArrowBatchRdd(), True)
    for payload in _local_iterator_from_socket(served, NoOpSerializer()):
        yield pa.ipc.read_record_batch(pa.py_buffer(payload), schema)
