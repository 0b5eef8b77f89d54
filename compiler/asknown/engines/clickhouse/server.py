"""ClickHouse on a server, over HTTP, through clickhouse-connect."""

from __future__ import annotations

import contextlib
import re
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from functools import partial
from typing import Any, TypeVar

import pyarrow as pa

from asknown.engines.clickhouse.session import FORMAT, Batches, ServerError, missing
from asknown.errors import AsknownError, Where

END = b"\xff\xff\xff\xff\x00\x00\x00\x00"  # of an Arrow stream
PATIENCE = 100  # times 50 ms
_SESSION = {"session_timeout": "3600"}  # seconds that the spine lives without a query; an hour is all that servers give
_Result = TypeVar("_Result")


class Server:
    """A session on a server."""

    def __init__(self, options: Mapping[str, Any], target: str, at: Where) -> None:
        try:
            import clickhouse_connect
            from clickhouse_connect.driver import exceptions
        except ImportError:
            raise missing("clickhouse-connect", "clickhouse") from None
        self._error = exceptions.Error
        self._options = dict(options)
        self._connect: Callable[..., Any] = clickhouse_connect.get_client
        try:
            self._client = self._connect(**self._options, autogenerate_session_id=True, settings=_SESSION)
        except (exceptions.Error, OSError, ValueError) as error:
            raise _unreachable(self._options, target, at, error) from None

    def set(self, settings: Mapping[str, str]) -> None:
        # With every request: a session that timed out on the server would come back without them.
        for name, value in settings.items():
            self._asked(partial(self._client.set_client_setting, name, value))

    def run(self, sql: str) -> pa.Table:
        if re.match(r"\s*(SELECT|WITH|DESCRIBE|SHOW)\b", sql, re.IGNORECASE):
            batches = list(self.stream(sql))
            return pa.Table.from_batches(batches) if batches else pa.table({})
        with self._cancelling() as query:
            self._asked(lambda: self._client.command(sql, settings=query))
        return pa.table({})

    def stream(self, sql: str) -> Batches:
        with self._cancelling() as query:
            body = _Body(self._asked(lambda: self._client.raw_stream(sql, fmt=FORMAT, settings=query)))
            try:
                reader = body.read_whole(lambda: pa.ipc.open_stream(pa.PythonFile(body, mode="r")))
                while (batch := body.read_whole(lambda: _next(reader))) is not None:
                    yield batch
                body.require_end()
            finally:
                body.close()

    def insert(self, relation: str, batches: Iterable[bytes]) -> None:
        statement = f"INSERT INTO {relation} FORMAT {FORMAT}\n".encode()

        def pieces() -> Generator[bytes, None, None]:
            yield statement
            yield from batches

        with self._cancelling() as query:
            self._asked(lambda: self._client.raw_insert("", insert_block=pieces(), settings=query))

    def close(self) -> None:
        with contextlib.suppress(self._error, OSError):
            self._client.close()

    def _asked(self, work: Callable[[], _Result]) -> _Result:
        try:
            return work()
        except self._error as error:
            raise ServerError(str(error)) from None

    @contextlib.contextmanager
    def _cancelling(self) -> Iterator[dict[str, str]]:
        """The id of a query that is ended on the server where it is not read to its end."""
        query = uuid.uuid4().hex
        try:
            yield {"query_id": query}
        except ServerError:
            raise
        except BaseException:
            self._kill(query)
            raise

    def _kill(self, query: str) -> None:
        # The session is busy with the query, so another one tells the server.
        with contextlib.suppress(Exception):
            other = self._connect(**self._options, autogenerate_session_id=False)
            other.command(f"KILL QUERY WHERE query_id = '{query}' SYNC")
            other.close()
        for _ in range(PATIENCE):  # the server lets go of the session a little later
            try:
                self._client.command("SELECT 1")
            except self._error as error:
                if "SESSION_IS_LOCKED" in str(error):
                    time.sleep(0.05)
                    continue
            return


class _Body:
    """An HTTP response that knows whether the Arrow stream in it came to its end."""

    def __init__(self, response: Any) -> None:
        self._response = response
        self._tail = b""
        self.closed = False

    def read(self, size: int = -1) -> bytes:
        try:
            data: bytes = self._response.read(size) if size is not None and size >= 0 else self._response.read()
        except Exception as error:  # the HTTP library's own, of several kinds; one holds what did come
            partial = getattr(error.args[-1] if error.args else None, "partial", b"")
            self._tail += partial if isinstance(partial, bytes) else b""
            raise OSError("the connection closed in the middle of the result") from None
        self._tail = (self._tail + data)[-4096:]
        return data

    def read_whole(self, work: Callable[[], _Result]) -> _Result:
        try:
            return work()
        except (pa.ArrowInvalid, OSError, EOFError) as error:
            self._fail(str(error))
            raise

    def require_end(self) -> None:
        """Raises where the result stops short of its end: the server writes an error behind what it has sent."""
        ended = self._tail.endswith(END)
        if self.read() or not ended:
            self._fail("the connection closed in the middle of the result")

    def _fail(self, reason: str) -> None:
        with contextlib.suppress(Exception):
            self.read()
        found = re.search(r"Code: \d+\. DB::.*", self._tail.decode("utf-8", "replace"), re.S)
        raise ServerError(found[0] if found else f"the result ended early: {reason}") from None

    def close(self) -> None:
        self.closed = True
        with contextlib.suppress(Exception):
            self._response.close()

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return False

    def writable(self) -> bool:
        return False


def _next(reader: pa.RecordBatchReader) -> pa.RecordBatch | None:
    try:
        return reader.read_next_batch()
    except StopIteration:
        return None


def _unreachable(options: Mapping[str, Any], target: str, at: Where, error: Exception) -> AsknownError:
    """Says which target could not be reached. The error's own text may hold the user and the password."""
    said = str(error)
    found = re.search(r"\[Errno -?\d+\] [^)'\"]+|timed out|SSL: \w+", said)
    reason = found[0] if found else type(error).__name__
    if re.search(r"AUTHENTICATION_FAILED|Code: 516|REQUIRED_PASSWORD|Code: 194", said):
        reason = "the user or the password is wrong"
    elif re.search(r"UNKNOWN_DATABASE|Code: 81\b", said):
        reason = "its database does not exist"
    where = f" at {options['host']}" if options.get("host") else ""
    return AsknownError(
        "engine",
        f"cannot connect to the ClickHouse server{where} of target '{target}': {reason}",
        at=at,
        hint="check host, port (of HTTP: 8123, or 8443 with secure: true), user, password and database",
    )
