"""Times `asknown serve` beside an ASGI application written by hand for the same lookups, in one run.

`python bench/serve.py` loads --keys keys × 3 views × 10 features (as bench/reads.py does), starts both servers on the
same uvicorn, and lets 16 connections ask each of them in turn, --rounds times. The one by hand answers with values
alone: it has one SELECT a view, no statuses, no event times, no check of keys, and does not know when a load changed
the table. The last lines are the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import random
import re
import signal
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import reads
import uvicorn

ASKNOWN = Path(sys.executable).with_name("asknown")
CONNECTIONS = 16
FIVE = ("a0", "a2", "a5", "a6", "a8")
THIRTY = {view: [f"{view}{i}" for i in range(10)] for view in reads.VIEWS}
ONE = f"SELECT {', '.join(FIVE)} FROM a WHERE id = ?"
MANY = [
    f"SELECT id, {', '.join(names)} FROM {view} WHERE id IN ({', '.join('?' * 100)})" for view, names in THIRTY.items()
]


class ByHand:
    """The application by hand: ``/one`` takes one key in a row, ``/many`` a hundred in a column."""

    def __init__(self, path: str) -> None:
        connection = sqlite3.connect(f"file:{path}?mode=ro", uri=True, isolation_level=None, cached_statements=64)
        connection.execute("PRAGMA cache_size = -65536")
        self._cursor = connection.cursor()
        self._decode = msgspec.json.Decoder().decode
        self._encode = msgspec.json.Encoder().encode

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] != "http":
            return
        message = await receive()
        body = message["body"]
        while message["more_body"]:
            message = await receive()
            body += message["body"]
        asked = self._decode(body)
        answer = self._one(asked) if scope["path"] == "/one" else self._many(asked)
        found = self._encode(answer)
        head = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(found))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": found})

    def _one(self, asked: Any) -> Any:
        key = asked["rows"][0]["id"]
        row = self._cursor.execute(ONE, (key,)).fetchone() or (None,) * len(FIVE)
        return {"rows": [{"id": key, **dict(zip(FIVE, row, strict=True))}]}

    def _many(self, asked: Any) -> Any:
        keys = asked["columns"]["id"]
        columns: dict[str, list[Any]] = {"id": keys}
        for (_, names), query in zip(THIRTY.items(), MANY, strict=True):
            found = {row[0]: row for row in self._cursor.execute(query, keys).fetchall()}
            nothing = (None,) * (len(names) + 1)
            rows = [found.get(key, nothing) for key in keys]
            columns.update(zip(names, list(zip(*rows, strict=True))[1:], strict=True))
            for name in names:
                if name.endswith("9"):  # the boolean
                    columns[name] = [None if value is None else bool(value) for value in columns[name]]
        return {"columns": columns}


def serve_by_hand(path: str) -> None:
    """Runs it on a free port, which it prints."""
    config = uvicorn.Config(
        ByHand(path),
        ws="none",
        lifespan="off",
        access_log=False,
        log_config=None,
        server_header=False,
        date_header=False,
    )
    listener = config.bind_socket() if config.port == 0 else None
    if listener is None:
        import socket

        listener = socket.create_server(("127.0.0.1", 0))
    print(f"on http://127.0.0.1:{listener.getsockname()[1]}", file=sys.stderr, flush=True)
    uvicorn.Server(config).run([listener])


@contextmanager
def process(command: Sequence[str]) -> Iterator[tuple[int, int]]:
    """A server's port and process number."""
    started = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert started.stderr is not None
    found = re.search(r"http://127\.0\.0\.1:(\d+)", started.stderr.readline())
    assert found, started.stderr.read()
    try:
        yield int(found[1]), started.pid
    finally:
        started.send_signal(signal.SIGTERM)
        started.wait(timeout=20)


@dataclass
class Load:
    """What one turn of one server gave: the seconds of each request."""

    seconds: list[float] = field(default_factory=list)
    elapsed: float = 0.0
    processor: float = 0.0  # of the server

    @property
    def rate(self) -> float:
        return len(self.seconds) / self.elapsed

    @property
    def cost(self) -> float:
        """Microseconds of the server's processor a request: steadier than the rate where a machine is busy."""
        return 1e6 * self.processor / len(self.seconds)

    def quantile(self, share: float) -> float:
        return sorted(self.seconds)[int(len(self.seconds) * share)]


class Client(asyncio.Protocol):
    """One connection that asks again as soon as it has its answer."""

    def __init__(self, requests: Sequence[bytes], start: int, load: Load, done: asyncio.Future[None]) -> None:
        self._requests, self._next, self._load, self._done = requests, start, load, done
        self._left = -1
        self._head = b""
        self.until = time.perf_counter() + 3600
        self._asked = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport
        self._ask()

    def _ask(self) -> None:
        self._asked = time.perf_counter()
        self._transport.write(self._requests[self._next % len(self._requests)])
        self._next += CONNECTIONS

    def data_received(self, data: bytes) -> None:
        if self._left < 0:
            self._head += data
            end = self._head.find(b"\r\n\r\n")
            if end < 0:
                return
            assert self._head.startswith(b"HTTP/1.1 200"), self._head
            start = self._head.find(b"content-length: ") + 16
            self._left = int(self._head[start : self._head.find(b"\r", start)]) - (len(self._head) - end - 4)
            self._head = b""
        else:
            self._left -= len(data)
        if self._left <= 0:
            self._left = -1
            now = time.perf_counter()
            self._load.seconds.append(now - self._asked)
            if now < self.until:
                self._ask()
            elif not self._done.done():
                self._transport.close()
                self._done.set_result(None)


async def ask(port: int, requests: Sequence[bytes], seconds: float) -> Load:
    """Asks for so many seconds with all connections."""
    loop = asyncio.get_running_loop()
    load = Load()
    began = time.perf_counter()
    waiting = []
    for place in range(CONNECTIONS):
        done: asyncio.Future[None] = loop.create_future()
        client = Client(requests, place, load, done)
        client.until = began + seconds
        await loop.create_connection(lambda client=client: client, "127.0.0.1", port)  # type: ignore[misc]
        waiting.append(done)
    await asyncio.gather(*waiting)
    load.elapsed = time.perf_counter() - began
    return load


def request(path: str, body: Any) -> bytes:
    """The bytes of a POST."""
    text = json.dumps(body).encode()
    head = f"POST {path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: {len(text)}\r\n\r\n"
    return head.encode() + text


def cases(keys: int) -> dict[str, tuple[list[bytes], list[bytes]]]:
    """By name: the requests to ours, and those to the one by hand."""
    some = random.Random(7)
    one = [[{"id": some.randrange(keys)}] for _ in range(500)]
    many = [{"id": [some.randrange(keys) for _ in range(100)]} for _ in range(100)]
    five, thirty = [f"a:{name}" for name in FIVE], list(reads.VIEWS)
    by_hand = [request("/one", {"rows": rows}) for rows in one], [request("/many", {"columns": c}) for c in many]
    return {
        "1 key × 5, /v1/features": ([request("/v1/features", {"features": five, "rows": r}) for r in one], by_hand[0]),
        "1 key × 5, /get-online-features": (
            [request("/get-online-features", {"features": five, "entities": {"id": [r[0]["id"]]}}) for r in one],
            by_hand[0],
        ),
        "100 keys × 30, /v1/features": (
            [request("/v1/features", {"features": thirty, "columns": c}) for c in many],
            by_hand[1],
        ),
        "100 keys × 30, /get-online-features": (
            [request("/get-online-features", {"features": thirty, "entities": c}) for c in many],
            by_hand[1],
        ),
    }


def processor_seconds(pid: int) -> float:
    """The processor time that a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory(pid: int) -> float:
    """Resident megabytes."""
    pages = int(Path(f"/proc/{pid}/statm").read_text(encoding="utf-8").split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


def same(port: int, other: int, asked: tuple[list[bytes], list[bytes]]) -> None:
    """Compares the values of both, so that the same work is timed."""
    import http.client

    def body(where: int, text: bytes) -> Any:
        head, _, rest = text.partition(b"\r\n\r\n")
        connection = http.client.HTTPConnection("127.0.0.1", where)
        connection.request("POST", head.split()[1].decode(), rest, {"content-type": "application/json"})
        found = json.loads(connection.getresponse().read())
        connection.close()
        if "results" in found:
            names = found["metadata"]["feature_names"]
            return dict(zip(names, (one["values"] for one in found["results"]), strict=True))
        return found.get("columns") or {name: [value] for name, value in found["rows"][0].items()}

    for ours, by_hand in list(zip(*asked, strict=True))[:20]:
        assert body(port, ours) == {name: list(values) for name, values in body(other, by_hand).items()} or (
            body(port, ours) == {n: v if isinstance(v, list) else [v] for n, v in body(other, by_hand).items()}
        )


def main() -> None:
    """Prints a line for each case, then the ratios."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--keys", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=2.0)
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--by-hand", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.by_hand:
        serve_by_hand(options.by_hand)
        return
    with tempfile.TemporaryDirectory() as scratch:
        path = reads.load(options.folder or Path(scratch) / "reads", options.keys)
        began = time.perf_counter()
        with (
            process([str(ASKNOWN), "serve", "--file", str(path), "--port", "0", "--drain", "0 seconds"]) as (port, pid),
            process([sys.executable, __file__, "--by-hand", str(path)]) as (other, other_pid),
        ):
            print(f"both ready after {time.perf_counter() - began:.2f} s")
            ratios = []
            for name, asked in cases(options.keys).items():
                same(port, other, asked)
                turns: dict[str, list[Load]] = {"ours": [], "by hand": []}
                for number in range(options.rounds + 1):
                    sides = (("ours", port, pid, asked[0]), ("by hand", other, other_pid, asked[1]))
                    for who, where, server, requests in sides:
                        began = processor_seconds(server)
                        load = asyncio.run(ask(where, requests, options.seconds))
                        load.processor = processor_seconds(server) - began
                        if number:  # the first round warms both
                            turns[who].append(load)
                rate = {who: statistics.median(load.rate for load in loads) for who, loads in turns.items()}
                p99 = {who: statistics.median(load.quantile(0.99) for load in loads) for who, loads in turns.items()}
                cost = {who: statistics.median(load.cost for load in loads) for who, loads in turns.items()}
                for who in turns:
                    print(
                        f"{name:38} {who:8} {rate[who]:8.0f} requests/s   p99 {1000 * p99[who]:7.2f} ms"
                        f"   {cost[who]:6.0f} µs of processor a request"
                    )
                ratios.append((name, rate, p99, cost))
            for name, rate, p99, cost in ratios:
                print(
                    f"{name:38} {rate['ours'] / rate['by hand']:.2f} × the requests, "
                    f"{p99['ours'] / p99['by hand']:.2f} × the p99, "
                    f"{cost['by hand'] / cost['ours']:.2f} × the requests for the same processor time"
                )
            print(f"resident memory of asknown serve: {memory(pid):.0f} MB")


if __name__ == "__main__":
    main()
