"""Faults under the Postgres store: writers that are killed, a server that is killed and started again, busy readers.

Each transaction of these tests writes one number everywhere: into all rows of two views, into a document, into the
outbox. So whatever mixes two transactions is seen at once.
"""

from __future__ import annotations

import os
import random
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from itertools import count
from typing import Any

import pytest

from asknown.errors import AsknownError
from asknown.online.postgres.store import PostgresStore
from asknown.online.remote.store import Document, Get, Key, Table, Transaction
from asknown.types import Column, parse_type
from backends.postgres_server import Server, serve
from waiting import wait_until

KEYS = 300
COLUMNS = (
    Column("id", parse_type("BIGINT")),
    Column("ts", parse_type("TIMESTAMP")),
    Column("number", parse_type("BIGINT")),
)
TS = "2024-01-01 00:00:00.000000"
SOURCE = "shop.orders"
_names = count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture
def store(server: Server) -> Iterator[PostgresStore]:
    made = PostgresStore(server.address(f"faults{next(_names)}"))
    yield made
    made.close()


@pytest.fixture
def rounds(request: pytest.FixtureRequest) -> int:
    """How often a fault is tried."""
    return int(8 + 92 * request.config.getoption("--soak"))


def table_of(view: str, generation: str) -> Table:
    return Table(view, generation, COLUMNS[:1], COLUMNS, 1, None)


def tables(documents: dict[str, Document]) -> list[Table]:
    """The live generations of both views."""
    return [table_of(view, documents[f"view:{view}"].body) for view in "ab"]


def rebuild(store: PostgresStore, number: int) -> None:
    """Makes both views anew, with ``number`` everywhere."""
    with store.transaction(wait=30) as transaction:
        held = dict(transaction.documents())
        for view in "ab":
            table = table_of(view, f"{number:x}")
            transaction.create(table)
            transaction.put(table, "rows", [((key,), (key, TS, number)) for key in range(KEYS)])
            if f"view:{view}" in held:
                transaction.retire(table_of(view, held[f"view:{view}"].body))
            transaction.write(f"view:{view}", Document(str(number), table.generation))


def write_over(store: PostgresStore, number: int, *, durable: bool) -> None:
    """Writes ``number`` over all rows of both views, into the outbox, and into a document: a push, or a load."""
    with store.transaction(wait=30, durable=durable) as transaction:
        put_number(transaction, number)


def put_number(transaction: Transaction, number: int) -> None:
    for table in tables(dict(transaction.documents())):
        transaction.put(table, "rows", [((key,), (key, TS, number)) for key in range(KEYS)])
        transaction.append(table, [((1,), b"%d\n" % number)])
    transaction.queue(SOURCE, [(number, number, "{}")])
    transaction.remember(SOURCE, [(f"id{number}", number)], before=0)
    transaction.write("commit", Document(str(number), ""))


class Reader:
    """Reads both views by the documents that it knows, as plans do."""

    def __init__(self, store: PostgresStore) -> None:
        self.store = store
        self.documents = dict(store.documents())

    def numbers(self, keys: list[Key]) -> set[int]:
        """All numbers that one read gives."""
        while True:
            facts = {f"view:{view}": self.documents[f"view:{view}"].version for view in "ab"}
            gets = [Get(table, keys, (1, 2)) for table in tables(self.documents)]
            found = self.store.fetch(facts, [], gets)
            if found is not None:
                return {int(cell) for got in found.got for cell in got.columns[1]}  # type: ignore[arg-type]
            self.documents = dict(self.store.documents())


def written(store: PostgresStore) -> set[int]:
    """The numbers of all rows, of the outbox and of the ids: one, if no transaction was cut in two."""
    found = Reader(store)
    numbers = found.numbers([(key,) for key in range(KEYS)])
    with store.transaction(wait=30) as transaction:
        waiting = [seq for seq, _, _ in transaction.queued(SOURCE)]
        assert waiting == list(range(1, len(waiting) + 1))
        assert len(transaction.seen(SOURCE, [f"id{number}" for number in range(1, 10_000)])) == len(waiting)
        for table in tables(dict(transaction.documents())):
            data = transaction.held(table, "pushed", [(1,)]).get((1,), b"")
            assert isinstance(data, bytes)
            assert sorted(map(int, data.split())) in (waiting, [])
    return numbers


def in_child(work: Callable[[], None]) -> int:
    """Runs ``work`` in a child process, which ends with it."""
    child = os.fork()
    if child:
        return child
    try:
        with suppress(BaseException):
            work()
    finally:
        os._exit(0)


@pytest.mark.parametrize("durable", [False, True], ids=["load", "push"])
def test_kill_a_writer(store: PostgresStore, rounds: int, durable: bool) -> None:
    rebuild(store, 0)
    random.seed(durable)
    done = 0
    for kill in range(rounds):
        told, tell = os.pipe()

        def write(tell: int = tell, done: int = done) -> None:
            own = PostgresStore(store.address)
            for number in range(done + 1, done + 1_000):
                write_over(own, number, durable=durable)
                os.write(tell, b".")

        child = in_child(write)
        os.close(tell)
        acknowledged = len(os.read(told, 1)) if kill % 3 else 0  # some are killed before they have written anything
        time.sleep(0.05 + random.random() * 0.4)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        while some := os.read(told, 4096):
            acknowledged += len(some)
        os.close(told)
        (number,) = written(store)
        assert number in (done + acknowledged, done + acknowledged + 1)  # the last may have had no time to say so
        done = number
    assert done > rounds / 2


def test_kill_a_rebuild(store: PostgresStore, rounds: int) -> None:
    rebuild(store, 0)
    random.seed(3)
    done = 0
    for _ in range(rounds):

        def write(done: int = done) -> None:
            own = PostgresStore(store.address)
            for number in range(done + 1, done + 1_000):
                rebuild(own, number)

        child = in_child(write)
        time.sleep(0.05 + random.random() * 0.3)
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        (number,) = written(store)
        assert number >= done
        done = number
    names = store._run(
        lambda held: held.cursor.execute(
            "SELECT tablename FROM pg_tables WHERE schemaname = $1", [store.schema]
        ).fetchall()
    )
    kept = {f"{name}__{number:x}" for name in "ab" for number in range(done + 1)}
    assert {
        name for (name,) in names if not name.startswith("_") and name.count("__") == 1
    } <= kept  # nothing is left over


def test_readers_during_rebuilds(store: PostgresStore, rounds: int) -> None:
    rebuild(store, 0)
    ended, failures, reads = threading.Event(), list[Any](), [0]

    def read() -> None:
        try:
            reader, last = Reader(store), -1
            while not ended.is_set():
                for keys in ([(random.randrange(KEYS),)], [(key,) for key in range(0, KEYS, 7)]):
                    numbers = reader.numbers(keys)
                    if len(numbers) != 1 or min(numbers) < last:
                        failures.append((last, numbers))
                    last = max(numbers)
                    reads[0] += 1
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(3)]
    for thread in threads:
        thread.start()
    number = 0
    for _ in range(max(rounds, 20)):
        rebuild(store, number := number + 1)
        with store.transaction(wait=30) as transaction:  # an incremental load is seen whole as well
            number += 1
            for table in tables(dict(transaction.documents())):
                transaction.put(table, "rows", [((key,), (key, TS, number)) for key in range(KEYS)])
    ended.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert reads[0] > 50
    print(f"{max(rounds, 20)} rebuilds, {reads[0]} reads: 0 errors, 0 mixed")


class Traffic:
    """A pusher and readers, which go on while the server is killed, and count what they see."""

    def __init__(self, store: PostgresStore) -> None:
        self.store = store
        self.ended = threading.Event()
        self.failures: list[Any] = []
        self.acknowledged = self.refused = 0

    def repeat(self, work: Callable[[], None]) -> None:
        """Does the work until the end. Only an absent server is no failure."""
        try:
            while not self.ended.is_set():
                try:
                    work()
                except AsknownError as error:
                    if error.code != "online-server":
                        raise
                    self.refused += 1
                    time.sleep(0.02)
        except BaseException as error:
            self.failures.append(error)

    def push(self) -> None:
        """Pushes the next number. It is sent again where the answer was lost, and then may be there."""
        number = self.acknowledged + 1
        with self.store.transaction(wait=30, durable=True) as transaction:
            if not transaction.seen(SOURCE, [f"id{number}"]):
                put_number(transaction, number)
        self.acknowledged = number

    def read(self) -> None:
        """Reads for as long as the server is there."""
        reader, last = Reader(self.store), 0
        while not self.ended.is_set():
            before = self.acknowledged
            numbers = reader.numbers([(key,) for key in range(0, KEYS, 11)])
            assert len(numbers) == 1
            assert min(numbers) >= max(last, before)
            last = max(numbers)


def test_kill_the_server_under_readers_and_pushers(store: PostgresStore, server: Server, rounds: int) -> None:
    rebuild(store, 0)
    traffic = Traffic(store)
    works = (traffic.push, traffic.read, traffic.read)
    threads = [threading.Thread(target=traffic.repeat, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    restarts = max(2, rounds // 8)
    try:
        for restart in range(restarts):
            time.sleep(0.7)
            wait_until(lambda restart=restart: traffic.acknowledged > restart)  # type: ignore[misc]
            refused = traffic.refused
            server.kill()
            wait_until(lambda refused=refused: traffic.refused > refused)  # type: ignore[misc]
            server.restart()
        wait_until(lambda: traffic.acknowledged > restarts)
    finally:
        traffic.ended.set()
        for thread in threads:
            thread.join()
    assert traffic.failures == []
    assert written(store) == {traffic.acknowledged}
    assert traffic.acknowledged > restarts
    assert traffic.refused
    print(f"{restarts} restarts, {traffic.acknowledged} acknowledged, {traffic.refused} refused: 0 lost")
