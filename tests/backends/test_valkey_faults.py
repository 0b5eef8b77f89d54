"""Faults under the Valkey store: writers that are killed, and a server that is killed and started again.

Each transaction of these tests writes one number everywhere: into rows of two generations, into a document, into the
outbox. So whatever mixes two transactions is seen at once.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from asknown.errors import AsknownError
from asknown.online.remote.store import Document, Get, Row, Table
from asknown.online.valkey import lease
from asknown.online.valkey.store import ValkeyStore
from asknown.types import Column, parse_type
from backends.valkey_server import ValkeyServer, serve
from waiting import wait_until

KEYS = 300
COLUMNS = (
    Column("id", parse_type("BIGINT")),
    Column("ts", parse_type("TIMESTAMP")),
    Column("number", parse_type("BIGINT")),
)
TS = "2024-01-01 00:00:00.000000"


def table_of(view: str, generation: int) -> Table:
    return Table(view, f"{generation:x}", COLUMNS[:1], COLUMNS, 1, None)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with serve(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.fixture
def short_lease(monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock goes soon after its holder was killed."""
    monkeypatch.setattr(lease, "_KEPT", 1_000)


def rebuild(store: ValkeyStore, number: int) -> None:
    """Makes both views anew, with ``number`` everywhere."""
    with store.transaction(wait=20) as transaction:
        held = transaction.documents()
        for view in "ab":
            table = table_of(view, number)
            transaction.create(table)
            transaction.put(table, "rows", [((key,), (key, TS, number)) for key in range(KEYS)])
            before = held.get(f"view:{view}")
            if before is not None:
                transaction.retire(table_of(view, int(before.body)))
            transaction.write(f"view:{view}", Document(str(number), str(number)))


def push(store: ValkeyStore, number: int) -> None:
    """Writes ``number`` over the rows of both views, and queues it."""
    with store.transaction(wait=20, durable=True) as transaction:
        documents = transaction.documents()
        for view in "ab":
            table = table_of(view, int(documents[f"view:{view}"].body))
            rows: list[tuple[tuple[int], Row]] = [((key,), (key, TS, number)) for key in range(0, KEYS, 10)]
            transaction.put(table, "rows", rows)
            transaction.append(table, [((0,), number.to_bytes(8, "big"))])
        transaction.queue("source", [(number, number, "row")])
        transaction.remember("source", [(number, number)], before=number - 3_600_000_000)
        transaction.write("commit", Document(str(number), ""))


def read_all(store: ValkeyStore) -> tuple[set[Any], set[Any], str | None] | None:
    """The numbers that a read finds in rows that pushes write, and in the others; and the last push."""
    documents = store.documents()
    facts: dict[str, str | None] = {f"view:{view}": documents[f"view:{view}"].version for view in "ab"}
    tables = [table_of(view, int(documents[f"view:{view}"].body)) for view in "ab"]
    found = store.fetch(facts, ["commit"], [Get(table, [(key,) for key in range(KEYS)], (1, 2)) for table in tables])
    if found is None:
        return None
    cells = [list(got.columns[1]) for got in found.got]
    pushed = {cell for column in cells for cell in column[::10]}
    loaded = {cell for column in cells for place, cell in enumerate(column) if place % 10}
    return pushed, loaded, found.told[0]


def child(work: Any) -> int:
    """A process that works until it is killed."""
    process = os.fork()
    if not process:
        try:
            work()
        finally:
            os._exit(0)
    return process


def test_readers_during_fifty_rebuilds_see_one_load(server: ValkeyServer) -> None:
    store = ValkeyStore(server.address("rebuilds"))
    rebuild(store, 1)
    ended, wrong, reads = threading.Event(), [], []

    def look() -> None:
        last = 0
        while not ended.is_set():
            found = read_all(store)
            if found is None:
                continue
            reads.append(1)
            (number,) = found[1] if len(found[1]) == 1 else (None,)
            if number is None or found[0] != found[1] or number < last:
                wrong.append(found)
                return
            last = number

    threads = [threading.Thread(target=look) for _ in range(3)]
    for thread in threads:
        thread.start()
    for number in range(2, 52):
        rebuild(store, number)
    ended.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(reads) > 50


@pytest.mark.usefixtures("short_lease")
@pytest.mark.parametrize("work", ["rebuild", "push"])
def test_a_killed_writer_leaves_the_old_state_or_the_new(
    server: ValkeyServer, work: str, pytestconfig: pytest.Config
) -> None:
    store = ValkeyStore(server.address(f"killed:{work}"))
    rebuild(store, 1)
    push(store, 2)
    number, chance = 2, random.Random(5)
    for _ in range(10 + int(100 * pytestconfig.getoption("--soak"))):
        start = number + 1

        def write() -> None:
            own = ValkeyStore(server.address(f"killed:{work}"))
            for made in range(start, start + 1_000):  # noqa: B023
                (rebuild if work == "rebuild" else push)(own, made)

        process = child(write)
        time.sleep(chance.uniform(0.02, 0.2))
        os.kill(process, signal.SIGKILL)
        os.waitpid(process, 0)
        found = read_all(store)
        assert found is not None
        assert len(found[0]) == 1
        assert len(found[1]) == 1
        if work == "push":
            (number,) = found[0]
            assert found[2] == str(number)
            with store.transaction(wait=5, durable=True) as transaction:
                queued = [row[0] for row in transaction.queued("source")]
                assert queued == list(range(2, number + 1))
                assert transaction.seen("source", [number, number + 1]) == {number}
                held = transaction.held(table_of("a", 1), "pushed", [(0,)])[(0,)]
                assert held == b"".join(made.to_bytes(8, "big") for made in queued)
        else:
            assert found[0] <= {*found[1], 2}
            (number,) = found[1]
            number = max(number, start)
    rebuild(store, number + 2_000)
    left = {key.split(b":")[3] for key in store._server.call(b"KEYS", store._names.root + b"[ab]:*")}
    retired = {key.split(b":")[3] for key in store._server.call(b"ZRANGE", store._names.retired, b"0", b"-1")}
    assert left == retired | {b"%x" % (number + 2_000)}


class Life:
    """Pushers and readers that go on while a server dies and comes back. ``wrong`` has what must not be."""

    def __init__(self, store: ValkeyStore) -> None:
        self.store = store
        self.acknowledged: list[int] = []
        self.wrong: list[Any] = []
        self.ended = threading.Event()

    def write(self) -> None:
        """Pushes one number after the other. After an error it is not known whether a number was written."""
        number = 2
        while not self.ended.is_set():
            if self._tried(lambda number=number: push(self.store, number)):
                self.acknowledged.append(number)
                number += 1
            else:
                number += 1_000_000

    def look(self) -> None:
        """Reads: whatever was acknowledged before must be there, and nothing else beside it."""
        while not self.ended.is_set():
            before = self.acknowledged[-1] if self.acknowledged else 1
            self._tried(lambda before=before: self._read(before))

    def _read(self, before: int) -> None:
        found = read_all(self.store)
        if found is None or len(found[0]) != 1 or max(found[0]) < before:
            self.wrong.append(found)

    def _tried(self, work: Any) -> bool:
        try:
            work()
        except AsknownError as error:
            if error.code not in ("online-server", "online-write"):
                self.wrong.append(error)
            time.sleep(0.01)
            return False
        return True


def test_no_acknowledged_push_is_lost_when_the_server_is_killed(pytestconfig: pytest.Config) -> None:
    server = ValkeyServer()
    kills = 5 + int(20 * pytestconfig.getoption("--soak"))
    try:
        store = ValkeyStore(server.address("shop"))
        rebuild(store, 1)
        life = Life(store)
        threads = [threading.Thread(target=work) for work in (life.write, life.look, life.look)]
        for thread in threads:
            thread.start()
        try:
            for kill in range(1, kills + 1):
                time.sleep(0.3)
                wait_until(lambda kill=kill: len(life.acknowledged) > 4 * kill)  # type: ignore[misc]
                server.kill()
                server.restart()
            time.sleep(0.5)
        finally:
            life.ended.set()
            for thread in threads:
                thread.join()
        assert not life.wrong
        with store.transaction(wait=5, durable=True) as transaction:
            queued = {row[0] for row in transaction.queued("source")}
        assert len(life.acknowledged) > 20
        assert set(life.acknowledged) <= queued
        assert len(queued - set(life.acknowledged)) <= kills
    finally:
        server.close()


def test_pushes_of_several_processes_are_all_there(server: ValkeyServer, tmp_path: Path) -> None:
    address = server.address("several")
    store = ValkeyStore(address)
    rebuild(store, 1)

    def write(mine: int) -> None:
        own = ValkeyStore(address)
        for _ in range(20):
            with own.transaction(wait=20, durable=True) as transaction:
                last = int(transaction.documents().get("commit", Document("0", "")).version)
                transaction.queue("source", [(last + 1, mine, "row")])
                transaction.append(table_of("a", 1), [((0,), b"x")])
                transaction.write("commit", Document(str(last + 1), ""))

    processes = [child(lambda mine=mine: write(mine)) for mine in range(4)]
    assert [os.waitpid(process, 0)[1] for process in processes] == [0] * 4
    with store.transaction(wait=5, durable=True) as transaction:
        assert [row[0] for row in transaction.queued("source")] == list(range(1, 81))
        assert transaction.held(table_of("a", 1), "pushed", [(0,)]) == {(0,): b"x" * 80}
