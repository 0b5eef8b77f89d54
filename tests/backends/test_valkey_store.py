"""The Valkey store below what all stores share: bytes, names, locks, settings, broken connections, expiry."""

from __future__ import annotations

import math
import os
import struct
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asknown.addresses import StoreAddress
from asknown.errors import AsknownError
from asknown.online.remote.store import Block, Document, Get, Row, Span, Table
from asknown.online.valkey import lease, scripts
from asknown.online.valkey import transaction as transactions
from asknown.online.valkey.codec import RowFormat, pack_blocks, unpack_blocks
from asknown.online.valkey.connect import AwayError
from asknown.online.valkey.names import escape, read_key, spell_key, unescape
from asknown.online.valkey.store import ValkeyStore
from asknown.types import Column, parse_type
from backends.valkey_server import ValkeyServer, serve

WAIT = 5.0


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ValkeyServer]:
    with serve(tmp_path_factory.mktemp("valkey")) as running:
        yield running


@pytest.fixture
def store(server: ValkeyServer, request: pytest.FixtureRequest) -> Iterator[ValkeyStore]:
    store = ValkeyStore(server.address(f"{request.node.name}:{os.getpid()}"))
    yield store
    store.close()


COLUMNS = tuple(
    Column(name, parse_type(kind))
    for name, kind in {
        "id": "BIGINT",
        "ts": "TIMESTAMP",
        "flag": "BOOLEAN",
        "number": "BIGINT",
        "amount": "DOUBLE",
        "wide": "HUGEINT",
        "price": "DECIMAL(38,10)",
        "note": "VARCHAR",
        "photo": "BLOB",
        "tags": "VARCHAR[]",
        "code": "UUID",
    }.items()
)


def make_table(generation: str = "a1", ttl: int | None = None, columns: tuple[Column, ...] = COLUMNS) -> Table:
    return Table("orders", generation, columns[:1], columns, 1, ttl)


def make_row(key: int, note: str | None = "x", ts: str = "2024-01-01 00:00:00.000000") -> Row:
    return (key, ts, 1, key * 2, 0.5, str(2**100), "1.5000000000", note, b"\0\xff", '["a", "b"]', "u")


# -- bytes -------------------------------------------------------------------------------------------------------------

CELLS: dict[str, st.SearchStrategy[Any]] = {
    "BOOLEAN": st.integers(0, 1),
    "BIGINT": st.integers(-(2**63), 2**63 - 1),
    "DOUBLE": st.one_of(st.floats(allow_nan=False), st.just("NaN"), st.just(-0.0)),
    "HUGEINT": st.integers(-(2**127), 2**127 - 1).map(str),
    "DECIMAL(38,10)": st.decimals(-(10**20), 10**20, places=10).map(str),
    "VARCHAR": st.text(st.characters(exclude_categories=["Cs"])),
    "BLOB": st.binary(),
    "TIMESTAMP": st.datetimes().map(lambda moment: moment.isoformat(" ", "microseconds")),
    "DATE": st.dates().map(str),
    "VARCHAR[]": st.just('["\\u0000", null]'),
}


@st.composite
def rows_of_columns(draw: st.DrawFn) -> tuple[list[Column], list[Any]]:
    kinds = draw(st.lists(st.sampled_from(sorted(CELLS)), min_size=1, max_size=20))
    columns = [Column(f"c{place}", parse_type(kind)) for place, kind in enumerate(kinds)]
    return columns, [draw(st.one_of(st.none(), CELLS[kind])) for kind in kinds]


def spelt(cells: Any) -> list[str]:
    return [repr(cell) for cell in cells]  # tells -0.0 from 0.0, and 1 from 1.0


@given(rows_of_columns(), st.data())
def test_a_row_comes_back_as_it_was(given_row: tuple[list[Column], list[Any]], data: st.DataObject) -> None:
    columns, cells = given_row
    made = RowFormat(columns)
    packed = made.pack(cells)
    assert spelt(made.unpack(packed)) == spelt(cells)
    places = data.draw(st.lists(st.integers(0, len(columns) - 1), max_size=8))
    read = [("NaN" if cell != cell else cell) for cell in made.reader(places)(packed)]  # noqa: PLR0124
    assert spelt(read) == spelt(cells[place] for place in places)


def test_a_row_that_is_no_row_is_not_read() -> None:
    made = RowFormat(COLUMNS)
    packed = made.pack(make_row(1))
    for broken in (b"", packed[:-1], packed[:10], b"\x09" + packed[1:]):
        with pytest.raises((ValueError, struct.error)):
            made.unpack(broken)
        with pytest.raises((ValueError, struct.error)):
            made.reader([10])(broken)


@given(st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.binary(max_size=20)), max_size=6))
def test_blocks_come_back_as_they_were(blocks: list[Block]) -> None:
    blocks.sort()
    assert unpack_blocks(pack_blocks(blocks)) == tuple(blocks)


@given(
    st.lists(st.integers(0, 20), min_size=1, max_size=8),
    st.integers(0, 20),
    st.integers(0, 20),
    st.lists(st.integers(0, 20), max_size=3),
)
def test_blocks_that_a_span_needs_are_given(starts: list[int], low: int, high: int, marks: list[int]) -> None:
    blocks = [(start, bytes([place])) for place, start in enumerate(sorted(starts))]
    found = unpack_blocks(pack_blocks(blocks), Span(min(low, high), max(low, high), tuple(marks)))
    assert list(found) == sorted(found)
    assert set(found) <= set(blocks)
    for mark in marks:
        before = [block for block in blocks if block[0] < mark]
        assert not before or before[-1] in found
    if not marks:
        before = [block for block in blocks if block[0] < min(low, high)]
        inside = [block for block in blocks if min(low, high) <= block[0] <= max(low, high)]
        assert {*before[-1:], *inside} <= set(found)


@given(st.binary())
def test_an_escaped_name_has_no_separator(text: bytes) -> None:
    assert unescape(escape(text)) == text
    assert not set(b":{}*?[]") & set(escape(text))


@given(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.integers(-9, 9), st.binary()))
def test_a_key_comes_back_as_it_was(key: tuple[str, int, bytes]) -> None:
    columns = [Column("a", parse_type("VARCHAR")), Column("b", parse_type("INTEGER")), Column("c", parse_type("BLOB"))]
    assert read_key(columns)(spell_key(columns)(key)) == key


# -- transactions ------------------------------------------------------------------------------------------------------


def read(store: ValkeyStore, table: Table, *keys: int, version: str = "1") -> Any:
    get = Get(table, [(key,) for key in keys], (1, 7))
    found = store.fetch({"view:orders": version}, [], [get])
    return None if found is None else list(found.got[0].columns[1])


def load(store: ValkeyStore, table: Table, rows: list[Row], version: str = "1") -> None:
    with store.transaction(wait=WAIT) as transaction:
        transaction.create(table)
        transaction.put(table, "rows", [(row[:1], row) for row in rows])
        transaction.write("view:orders", Document(version, "{}"))


def test_rows_documents_and_facts(store: ValkeyStore) -> None:
    table = make_table()
    load(store, table, [make_row(1), make_row(2, None), make_row(3, "a\0b")])
    assert read(store, table, 1, 9, 3, 2) == ["x", None, "a\0b", None]
    assert read(store, table, 1, version="2") is None
    assert store.documents() == {"view:orders": Document("1", "{}")}
    assert dict(pair for some in store.scan(table, "rows") for pair in some)[(3,)] == make_row(3, "a\0b")
    assert sorted(key for some in store.keys(table, "rows") for key in some) == [(1,), (2,), (3,)]
    with store.transaction(wait=WAIT) as transaction:
        assert transaction.held(table, "rows", [(1,), (9,), (None,)]) == {(1,): make_row(1)}


def test_a_failed_transaction_leaves_nothing(store: ValkeyStore) -> None:
    old, new = make_table("a1"), make_table("b2")
    load(store, old, [make_row(1)])
    with pytest.raises(KeyError), store.transaction(wait=WAIT) as transaction:
        transaction.create(new)
        transaction.put(new, "rows", [((1,), make_row(1, "new"))])
        transaction.put(old, "rows", [((1,), make_row(1, "new"))])
        transaction.write("view:orders", Document("2", "{}"))
        raise KeyError
    assert read(store, old, 1) == ["x"]
    assert list(store.keys(new, "rows")) == []


@pytest.mark.parametrize("again", [True, False])
@pytest.mark.parametrize("done", [True, False])
def test_a_commit_whose_answer_is_lost(
    store: ValkeyStore, monkeypatch: pytest.MonkeyPatch, again: bool, done: bool
) -> None:
    old, new = make_table("a1"), make_table("b2")
    load(store, old, [make_row(1)])
    run = store._server.run

    def lose(script: Any, *given: Any) -> Any:
        if script is scripts.COMMIT:
            if done:
                run(script, *given)
            raise AwayError("lost", again=again)
        return run(script, *given)

    monkeypatch.setattr(store._server, "run", lose)
    if again and done:
        load(store, new, [make_row(1, "new")], version="2")
    else:
        with pytest.raises(AsknownError, match="cannot be reached"):
            load(store, new, [make_row(1, "new")], version="2")
    monkeypatch.undo()
    assert (read(store, old, 1), read(store, new, 1, version="2")) == ((None, ["new"]) if done else (["x"], None))
    assert bool(list(store.keys(new, "rows"))) == done


def test_a_transaction_sees_its_own_writes(store: ValkeyStore) -> None:
    table = make_table()
    load(store, table, [make_row(1), make_row(2), make_row(3)])
    with store.transaction(wait=WAIT) as transaction:
        transaction.append(table, [((1,), b"ab"), ((2,), b"x")])
    with store.transaction(wait=WAIT) as transaction:
        transaction.put(table, "rows", [((4,), make_row(4)), ((1,), make_row(1, "new"))])
        transaction.remove(table, "rows", [(2,)])
        transaction.append(table, [((1,), b"cd"), ((5,), b"e")])
        held = transaction.held(table, "rows", [(1,), (2,), (3,), (4,)])
        assert held == {(1,): make_row(1, "new"), (3,): make_row(3), (4,): make_row(4)}
        assert sorted(key for some in transaction.keys(table, "rows") for key in some) == [(1,), (3,), (4,)]
        assert transaction.held(table, "pushed", [(1,), (5,)]) == {(1,): b"abcd", (5,): b"e"}
        assert read(store, table, 1, 2, 4) == ["x", "x", None]
    assert read(store, table, 1, 2, 4) == ["new", None, "x"]
    with store.transaction(wait=WAIT) as transaction:
        assert transaction.held(table, "pushed", [(1,), (2,), (5,)]) == {(1,): b"abcd", (2,): b"x", (5,): b"e"}
        transaction.clear(table, "pushed")
        assert transaction.held(table, "pushed", [(1,), (2,), (5,)]) == {}
        transaction.append(table, [((1,), b"new")])
    found = store.fetch({}, [], [Get(table, [(1,), (2,)], (), pushed=True)])
    assert found is not None
    assert found.got[0].pushed == [b"new", None]


@pytest.mark.parametrize("most", [3, 10**9])
def test_many_writes_in_one_transaction(store: ValkeyStore, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(transactions, "MOST_WAITING", most)
    monkeypatch.setattr(transactions, "_MOST_IN_SCRIPT", 100)
    table = make_table()
    load(store, table, [make_row(key) for key in range(500)])
    with store.transaction(wait=WAIT) as transaction:
        transaction.put(table, "rows", [((key,), make_row(key, "new")) for key in range(400)])
        transaction.remove(table, "rows", [(key,) for key in range(400, 450)])
    assert read(store, table, *range(500)) == ["new"] * 400 + [None] * 50 + ["x"] * 50


@pytest.mark.xfail(strict=True, reason="more values than may wait are written before the commit, each whole")
def test_a_load_of_many_changes_is_seen_whole(store: ValkeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transactions, "MOST_WAITING", 3)
    table = make_table()
    load(store, table, [make_row(key) for key in range(10)])
    with store.transaction(wait=WAIT) as transaction:
        transaction.put(table, "rows", [((key,), make_row(key, "new")) for key in range(5)])
        assert read(store, table, *range(10)) == ["x"] * 10


def test_the_outbox_and_the_ids(store: ValkeyStore) -> None:
    with store.transaction(wait=WAIT, durable=True) as transaction:
        transaction.queue("shop.orders", [(1, 10, "a"), (2, 11, "b\0")])
        transaction.remember("shop.orders", [("o1", 10), (5, 11)], before=10 - 60_000_000)
        assert transaction.queued("shop.orders") == [(1, 10, "a"), (2, 11, "b\0")]
    assert store.has_queued(["x", "shop.orders"])
    with store.transaction(wait=WAIT, durable=True) as transaction:
        assert transaction.seen("shop.orders", ["o1", "5", 5, "o2"]) == {"o1", 5}
        transaction.queue("shop.orders", [(3, 12, "c")])
        assert transaction.queued("shop.orders", upto=2) == [(1, 10, "a"), (2, 11, "b\0")]
        transaction.unqueue("shop.orders", 2)
        assert transaction.queued("shop.orders") == [(3, 12, "c")]
    with store.transaction(wait=WAIT, durable=True) as transaction:
        assert transaction.queued("shop.orders") == [(3, 12, "c")]
        transaction.unqueue("shop.orders", 3)
    assert not store.has_queued(["shop.orders"])


# -- generations -------------------------------------------------------------------------------------------------------


def test_a_retired_generation_goes_when_its_time_has_come(store: ValkeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = make_table("a1"), make_table("b2")
    load(store, old, [make_row(1)])
    with store.transaction(wait=WAIT) as transaction:
        transaction.create(new)
        transaction.put(new, "rows", [((1,), make_row(1, "new"))])
        transaction.retire(old)
        transaction.write("view:orders", Document("2", "{}"))
    with store.transaction(wait=WAIT):
        pass
    assert read(store, old, 1, version="2") == ["x"]
    later = time.time() + 601
    monkeypatch.setattr(transactions.time, "time", lambda: later)
    with store.transaction(wait=WAIT):
        pass
    assert read(store, old, 1, version="2") == [None]
    assert read(store, new, 1, version="2") == ["new"]


def test_a_load_that_did_not_end_is_removed_by_the_next(store: ValkeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_KEPT", 4_000)
    table = make_table("c3")
    child = os.fork()
    if not child:
        with store.transaction(wait=WAIT) as transaction:
            transaction.create(table)
            transaction.put(table, "rows", [((1,), make_row(1))])
            os._exit(1)
    os.waitpid(child, 0)
    assert list(store.keys(table, "rows")) == [[(1,)]]
    waited: list[str] = []
    with store.transaction(wait=60, on_wait=waited.append):
        pass
    assert f"process {child}" in waited[0]
    assert list(store.keys(table, "rows")) == []


def test_one_writer_at_a_time(store: ValkeyStore) -> None:
    with store.transaction(wait=WAIT) as transaction:
        transaction.write("view:orders", Document("1", "{}"))
        with pytest.raises(AsknownError, match="another process is writing") as raised, store.transaction(wait=0.1):
            pass
        assert raised.value.code == "online-write"
        with store.load_lock(wait=0):
            pass
    with store.load_lock(wait=0), pytest.raises(AsknownError, match="another process"), store.load_lock(wait=0):
        pass


def test_a_writer_whose_lock_was_taken_writes_nothing(store: ValkeyStore, server: ValkeyServer) -> None:
    with pytest.raises(AsknownError, match="has taken the lock"), store.transaction(wait=WAIT, durable=True) as first:
        first.write("view:orders", Document("1", "{}"))
        server.call("DEL", store._names.lock.decode())
        with store.transaction(wait=WAIT, durable=True) as second:
            second.write("view:orders", Document("2", "{}"))
    assert store.documents() == {"view:orders": Document("2", "{}")}


def test_a_long_load_keeps_its_lock(store: ValkeyStore, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease, "_KEPT", 1_500)
    with store.transaction(wait=WAIT) as transaction:
        transaction.write("view:orders", Document("1", "{}"))
        time.sleep(2)
    assert store.documents() == {"view:orders": Document("1", "{}")}


# -- expiry ------------------------------------------------------------------------------------------------------------


def test_rows_expire_after_ttl_and_grace(server: ValkeyServer) -> None:
    day = 86_400_000_000
    now = datetime.now(UTC).replace(tzinfo=None)
    times = {1: now, 2: now - timedelta(days=1.5), 3: now - timedelta(days=2.5), 4: datetime(1, 1, 1)}
    rows = [make_row(key, ts=at.isoformat(" ", "microseconds")) for key, at in times.items()]
    for grace, there in ((None, ["x", "x", None, None]), (0.0, ["x", None, None, None])):
        options = () if grace is None else (("grace", grace),)
        store = ValkeyStore(StoreAddress("valkey", server.url, f"expiry:{grace}", options))
        table = make_table(ttl=day)
        load(store, table, rows)
        assert read(store, table, 1, 2, 3, 4) == there
        with store.transaction(wait=WAIT, durable=True) as transaction:
            transaction.put(table, "rows", [(row[:1], row) for row in rows])
        assert read(store, table, 1, 2, 3, 4) == there
        store.close()


# -- the server --------------------------------------------------------------------------------------------------------


def test_settings_that_lose_rows_are_refused(tmp_path: Path) -> None:
    server = ValkeyServer(**{"appendfsync": "everysec", "maxmemory": "100mb", "maxmemory-policy": "allkeys-lru"})
    try:
        store = ValkeyStore(server.address("x"))
        with pytest.raises(AsknownError, match="maxmemory-policy allkeys-lru") as raised:
            store.check_reads()
        assert raised.value.code == "online-settings"
        with pytest.raises(AsknownError, match="appendfsync everysec") as raised:
            store.check_pushes()
        assert raised.value.code == "online-settings"
        server.call("CONFIG", "SET", "maxmemory-policy", "noeviction")
        server.call("CONFIG", "SET", "appendfsync", "always")
        store.check_reads()
        store.check_pushes()
        assert ("appendfsync", "always") in store.describe()
    finally:
        server.close()


def test_a_cluster_is_refused() -> None:
    server = ValkeyServer(**{"cluster-enabled": "yes"})
    try:
        with pytest.raises(AsknownError, match="is a cluster") as raised:
            ValkeyStore(server.address("x")).check_reads()
        assert raised.value.code == "online-settings"
    finally:
        server.close()


def test_a_full_server_refuses_a_load_and_keeps_the_rows(tmp_path: Path) -> None:
    server = ValkeyServer(maxmemory="14mb")
    try:
        store = ValkeyStore(server.address("x"))
        old = make_table("a1")
        load(store, old, [make_row(key, "x" * 500) for key in range(10_000)])
        with pytest.raises(AsknownError, match="bytes of memory left") as raised:
            load(store, make_table("b2"), [make_row(1)], version="2")
        assert raised.value.code == "online-server"
        server.call("DEL", store._names.sizes.decode())
        with pytest.raises(AsknownError, match="its memory is full") as raised:
            load(store, make_table("c3"), [make_row(key, "y" * 2000) for key in range(100_000)], version="2")
        assert raised.value.code == "online-server"
        assert list(store.keys(make_table("c3"), "rows")) == []
        assert read(store, old, *range(100)) == ["x" * 500] * 100
    finally:
        server.close()


def test_an_absent_server_is_one_clear_error_without_the_password() -> None:
    store = ValkeyStore(StoreAddress("valkey", "valkey://joe:geheim@127.0.0.1:1/0", "shop"))
    for call in (store.documents, store.check_reads, store.describe):
        with pytest.raises(AsknownError) as raised:
            call()
        assert raised.value.code == "online-server"
        assert "geheim" not in str(raised.value) + repr(raised.value)
        assert "127.0.0.1:1" in str(raised.value)


def test_a_wrong_password_is_told_and_not_shown() -> None:
    server = ValkeyServer(requirepass="right")
    try:
        store = ValkeyStore(StoreAddress("valkey", f"unix://:geheim@{server.socket}", "shop"))
        with pytest.raises(AsknownError, match="refuses the login") as raised:
            store.documents()
        assert "geheim" not in str(raised.value) + repr(raised.value)
        assert ValkeyStore(StoreAddress("valkey", f"unix://:right@{server.socket}", "shop")).documents() == {}
    finally:
        server.close()


@pytest.mark.parametrize("url", ["nonsense", "http://x", "valkey://host:port", ""])
def test_an_address_that_is_none(url: str) -> None:
    with pytest.raises(AsknownError) as raised:
        ValkeyStore(StoreAddress("valkey", url, "shop")).documents()
    assert raised.value.code in ("bad-value", "online-server")


def test_a_restart_is_not_noticed_by_readers_and_writers() -> None:
    server = ValkeyServer()
    try:
        store, table = ValkeyStore(server.address("x")), make_table()
        load(store, table, [make_row(1)])
        server.kill()
        with pytest.raises(AsknownError) as raised:
            read(store, table, 1)
        assert raised.value.code == "online-server"
        server.restart()
        assert read(store, table, 1) == ["x"]
        server.kill()
        server.restart()
        with store.transaction(wait=WAIT, durable=True) as transaction:  # the script is not known any more
            transaction.put(table, "rows", [((1,), make_row(1, "new"))])
        assert read(store, table, 1) == ["new"]
    finally:
        server.close()


def test_a_slow_server_is_an_error_after_the_timeout(server: ValkeyServer) -> None:
    store = ValkeyStore(StoreAddress("valkey", server.url, "slow", (("timeout", 1),)))
    assert store.documents() == {}
    server.call("CLIENT", "PAUSE", "60000")
    started = time.monotonic()
    with pytest.raises(AsknownError) as raised:
        store.documents()
    assert raised.value.code == "online-server"
    assert time.monotonic() - started < 20
    server.call("CLIENT", "UNPAUSE")
    assert store.documents() == {}


def test_threads_and_forks_have_their_own_connections(store: ValkeyStore) -> None:
    table = make_table()
    load(store, table, [make_row(key, str(key)) for key in range(100)])
    wrong: list[Any] = []

    def look() -> None:
        for key in range(100):
            if read(store, table, key) != [str(key)]:
                wrong.append(key)  # noqa: PERF401

    threads = [threading.Thread(target=look) for _ in range(8)]
    for thread in threads:
        thread.start()
    child = os.fork()
    if not child:
        look()
        os._exit(len(wrong))
    look()
    for thread in threads:
        thread.join()
    assert os.waitpid(child, 0)[1] == 0
    assert not wrong
    assert len(store._server._open) <= 9


def test_a_call_can_be_stopped(server: ValkeyServer) -> None:
    store = ValkeyStore(server.address("stop"))
    store.documents()
    server.call("CLIENT", "PAUSE", "60000")
    me, ended = threading.get_ident(), threading.Event()

    def interrupt() -> None:
        while not ended.wait(0.1):  # the call may not have begun yet
            store.interrupt(me)

    beside = threading.Thread(target=interrupt)
    beside.start()
    started = time.monotonic()
    with pytest.raises(AsknownError):
        store.documents()
    assert time.monotonic() - started < 20
    ended.set()
    beside.join()
    server.call("CLIENT", "UNPAUSE")


def test_nan_and_zero_are_told_apart(store: ValkeyStore) -> None:
    columns = (*COLUMNS[:2], Column("amount", parse_type("DOUBLE")))
    table = make_table(columns=columns)
    moment = "9999-12-31 23:59:59.999999"
    rows: list[Row] = [(1, moment, "NaN"), (2, moment, -0.0), (3, "0001-01-01 00:00:00.000000", None)]
    load(store, table, rows)
    with store.transaction(wait=WAIT) as transaction:
        held = transaction.held(table, "rows", [(1,), (2,), (3,)])
    assert spelt(held.values()) == spelt(rows)
    found = store.fetch({}, [], [Get(table, [(1,), (2,), (3,)], (1, 2))])
    assert found is not None
    nan, zero, null = found.got[0].columns[1]
    assert isinstance(nan, float) and math.isnan(nan)
    assert repr(zero) == "-0.0"
    assert null is None
