"""A ClickHouse server for tests: the HTTP interface, as far as a client uses it, over the engine of the chdb wheel.

There is no wheel of the server itself. The engine behind this is ClickHouse's own; the HTTP around it is not. Started
as a program of its own, as a server is: ``python clickhouse_server.py PORT [PASSWORD]``.
"""

from __future__ import annotations

import base64
import http.server
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

FORMAT = re.compile(r"\s*FORMAT\s+(\w+)\s*;?\s*$", re.IGNORECASE)
NO_SETTINGS = frozenset(
    [
        "query",
        "query_id",
        "session_id",
        "session_timeout",
        "default_format",
        "database",
        "client_protocol_version",
        "compress",
        "wait_end_of_query",
        "user",
        "password",
        "send_progress_in_http_headers",
        "http_headers_progress_interval_ms",
    ]
)


@contextmanager
def run_server(password: str = "") -> Iterator[int]:
    """The port of a server that runs meanwhile."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = int(free.getsockname()[1])
    process = subprocess.Popen([sys.executable, str(Path(__file__)), str(port), password])
    try:
        deadline = time.monotonic() + 60
        while process.poll() is None:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            assert time.monotonic() < deadline, "the server did not start"
            time.sleep(0.05)
        assert process.poll() is None, "the server ended"
        yield port
    finally:
        process.kill()
        process.wait()


class Sessions:
    """Connections by session id; one query at a time in each."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, threading.Lock]] = {}

    def find(self, name: str | None):  # type: ignore[no-untyped-def]
        import chdb

        if name is None:
            return chdb.connect(":memory:"), threading.Lock()
        if name not in self._known:
            self._known[name] = (chdb.connect(":memory:"), threading.Lock())
        return self._known[name]


SESSIONS = Sessions()
PASSWORD = ""


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None: ...

    def do_GET(self) -> None:
        self.answer(b"")

    def do_POST(self) -> None:
        self.answer(self.read_body())

    def read_body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") != "chunked":
            return self.rfile.read(int(self.headers.get("Content-Length") or 0))
        parts = []
        while size := int(self.rfile.readline(), 16):
            parts.append(self.rfile.read(size))
            self.rfile.readline()
        self.rfile.readline()
        return b"".join(parts)

    def answer(self, body: bytes) -> None:
        url = urllib.parse.urlparse(self.path)
        asked = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        if url.path == "/ping":
            self.send_whole(200, b"Ok.\n")
            return
        sent = base64.b64decode((self.headers.get("Authorization") or "Basic Og==").split()[-1]).decode()
        if sent.partition(":")[2] != PASSWORD:
            self.fail("Code: 516. DB::Exception: default: Authentication failed. (AUTHENTICATION_FAILED)", 516)
            return
        connection, lock = SESSIONS.find(asked.get("session_id"))
        if not lock.acquire(blocking=False):
            self.fail("Code: 373. DB::Exception: Session is locked by a concurrent client. (SESSION_IS_LOCKED)", 373)
            return
        try:
            self.execute(connection, asked, body)
        except RuntimeError as error:
            connection.query("SELECT 1", "TSV")  # what the failed query had written stands before the next result
            found = re.search(r"Code: (\d+)\..*", str(error), re.S)
            if self.close_connection:
                return
            with suppress(OSError):  # the client may be gone
                self.fail(found[0] if found else str(error), int(found[1]) if found else 1)
        finally:
            lock.release()
            if "session_id" not in asked:
                connection.close()

    def execute(self, connection, asked: dict[str, str], body: bytes) -> None:  # type: ignore[no-untyped-def]
        for name, value in asked.items():
            if name not in NO_SETTINGS:
                connection.query(f"SET {name} = '{value}'")
        text = b"\n".join(part for part in (asked.get("query", "").encode(), body) if part)
        if text[:6].upper() == b"INSERT":
            statement, _, data = text.partition(b" FORMAT ArrowStream\n")
            insert = connection.send_insert(statement.decode(), "ArrowStream")
            insert.append(data)
            insert.finish()
            self.send_whole(200, b"")
            return
        sql = text.decode()
        found = FORMAT.search(sql)
        kind = found[1] if found else asked.get("default_format", "TSV")
        sql = FORMAT.sub("", sql)
        if killed := re.match(r"KILL QUERY WHERE query_id = '(\w+)'", sql):
            half = len(killed[1]) // 2
            sql = f"KILL QUERY WHERE query LIKE '%{killed[1][:half]}' || '{killed[1][half:]}%' SYNC"
            kind = "Null"
        sql = f"/* {asked.get('query_id', '')} */ {sql}"
        if kind == "ArrowStream" and not re.search(r"\*/\s*DESCRIBE", sql):
            result = connection.send_query(sql, kind)
            if (first := result.fetch()) is not None:
                self.send_arrow(first, result)
                return
        self.send_whole(200, connection.query(sql, kind).bytes() or b"")

    def send_arrow(self, first, result) -> None:  # type: ignore[no-untyped-def]
        import pyarrow as pa

        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        try:
            reader = pa.ipc.open_stream(first.bytes())
            writer = pa.ipc.new_stream(pa.PythonFile(self, mode="w"), reader.schema)
            writer.write_table(reader.read_all())
            while (piece := result.fetch()) is not None:
                writer.write_table(pa.ipc.open_stream(piece.bytes()).read_all())
            writer.close()
        except RuntimeError as error:  # the server writes it behind what it has sent, and closes
            self.write(f"\r\n__exception__\r\n{error}".encode())
            self.close_connection = True
            raise
        except OSError:  # the client is gone
            self.close_connection = True
            return
        finally:
            result.close()
        self.wfile.write(b"0\r\n\r\n")

    closed = False

    def writable(self) -> bool:
        return True

    def readable(self) -> bool:
        return False

    def seekable(self) -> bool:
        return False

    def write(self, data: bytes) -> int:
        piece = bytes(data)
        if piece:
            self.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        return len(piece)

    def flush(self) -> None:
        self.wfile.flush()

    def send_whole(self, status: int, data: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (*headers, ("Content-Length", str(len(data))), ("X-ClickHouse-Timezone", "UTC")):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def fail(self, text: str, code: int) -> None:
        status = 404 if code in (60, 81) else 403 if code == 516 else 500
        self.send_whole(status, text.encode(), ("X-ClickHouse-Exception-Code", str(code)))


class Server(http.server.ThreadingHTTPServer):
    def handle_error(self, *_: object) -> None:
        if not isinstance(sys.exception(), OSError):  # a client that is gone is no error
            super().handle_error(*_)


if __name__ == "__main__":
    PASSWORD = sys.argv[2] if len(sys.argv) > 2 else ""
    Server(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
