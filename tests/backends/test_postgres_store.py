"""The store in Postgres by itself: what the protocol asks of it, its locks, its errors, and servers that go away."""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any

import psycopg
import pytest

from asknown.addresses import StoreAddress
from asknown.errors import AsknownError
from asknown.online.postgres.store import PostgresStore
from asknown.online.remote.store import Document, Get, Key, Row, Span, Table
from asknown.types import Column, parse_type
from backends.postgres_server import Server, serve

FIRST = -(2**63)
LAST = 2**64 - 1
NOON = "2020-01-01 12:00:00.000000"
COLUMNS = tuple(
    Column(name, parse_type(kind))
    for name, kind in (
        *(("id", "BIGINT"), ("word", "VARCHAR"), ("at", "TIMESTAMP"), ("text", "VARCHAR"), ("real", "DOUBLE")),
        *(("blob", "BLOB"), ("wide", "UBIGINT"), ("sum", "DECIMAL(38,9)"), ("flag", "BOOLEAN"), ("list", "DOUBLE[]")),
    )
)
_numbers = count()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with serve(tmp_path_factory.mktemp("postgres")) as running:
        yield running


@pytest.fixture
def store(server: Server) -> Iterator[PostgresStore]:
    made = PostgresStore(server.address(f"an online {next(_numbers)}"))
    yield made
    made.close()


def table(keys: tuple[str, ...] = ("id",), *, view: str = "v", generation: str = "0a") -> Table:
    return Table(view, generation, tuple(c for c in COLUMNS if c.name in keys), COLUMNS, 2, None)


def row(number: int, **cells: Any) -> Row:
    """A row whose other cells are NULL."""
    given = {"id": number, "word": "w", "at": NOON, **cells}
    return tuple(given.get(column.name) for column in COLUMNS)


def key_of(made: Table, cells: Row) -> Key:
    return tuple(cells[[c.name for c in COLUMNS].index(key.name)] for key in made.keys)


def as_stored(cell: Any) -> Any:
    """A cell that a read gave, where a NaN may be a float."""
    return "NaN" if isinstance(cell, float) and math.isnan(cell) else cell


def everything(store: PostgresStore, made: Table, part: Any = "rows") -> dict[Key, Any]:
    return {key: value for some in store.scan(made, part) for key, value in some}


EXTREMES = [
    row(1, text="", real=-0.0, blob=b"\0\xff", wide=str(LAST), sum="-1.500000000", flag=0, list="[NaN, -0.0]"),
    row(2, text="\"a,\n\\.\t'é\U0001f600", real="NaN", blob=b"", wide="0", sum="0E-9", flag=1, list="[]"),
    row(3, text="\\N", real=float("inf"), at="0001-01-01 00:00:00.000000"),
    row(4, text="NULL", real=float("-inf"), at="9999-12-31 23:59:59.999999"),
    row(2**63 - 1, real=5e-324),
    row(FIRST, real=1.7976931348623157e308),
    row(5),
]


@pytest.mark.parametrize("keys", [("id",), ("id", "word"), ("text", "blob"), ()], ids=str)
def test_cells_come_back_as_they_were(store: PostgresStore, keys: tuple[str, ...]) -> None:
    made = table(keys, view='a "view\'s" name, which is ' + "é" * 40)
    rows = [cells for cells in EXTREMES if None not in key_of(made, cells)][: None if keys else 1]
    with store.transaction(wait=5) as transaction:
        transaction.create(made)
        transaction.put(made, "rows", [(key_of(made, cells), cells) for cells in rows])
        written = transaction.held(made, "rows", [key_of(made, cells) for cells in rows])
        assert repr(written) == repr({key_of(made, cells): cells for cells in rows})
        transaction.put(made, "rows", written.items())  # by the other way in
    assert repr(sorted(everything(store, made).items(), key=repr)) == repr(sorted(written.items(), key=repr))
    wanted = [key_of(made, cells) for cells in rows]
    found = store.fetch({}, [], [Get(made, wanted, (2, 3, 4, 5, 6, 7, 8, 9))])
    assert found is not None
    cells = [tuple(map(as_stored, cells)) for cells in zip(*found.got[0].columns, strict=True)]
    assert repr(cells) == repr([cells[2:] for cells in rows])


@pytest.mark.parametrize("many", [False, True])
def test_nul_in_a_text_is_refused_and_the_row_is_named(store: PostgresStore, many: bool) -> None:
    made = table()
    said = r"'text' of 'v'.*NUL.*'a\\x00b', in row 3\n"
    with pytest.raises(AsknownError, match=said) as caught, store.transaction(wait=5) as transaction:
        transaction.create(made)
        if many:
            transaction.held(made, "rows", [])
        transaction.put(made, "rows", [((n,), row(n, text="a\0b" if n == 3 else "a")) for n in range(1, 5)])
    assert caught.value.code == "unsupported-type"
    assert store.documents() == {}
    with store.transaction(wait=5) as transaction:
        transaction.create(table(("text",)))
    found = store.fetch({}, [], [Get(table(("text",)), [("a\0b",), ("a",)], (2,))])
    assert found is not None and found.got[0].columns == [(None, None)]


def test_a_key_that_comes_twice_in_a_load_is_an_error(store: PostgresStore) -> None:
    with pytest.raises(ValueError, match="'v' has a key twice"), store.transaction(wait=5) as transaction:
        transaction.create(table())
        transaction.put(table(), "rows", [((1,), row(1)), ((1,), row(1))])


def long_load(store: PostgresStore, pieces: int) -> dict[Any, Any]:
    """Fills a generation piece by piece, by columns: the rows by key. Fields differ in length in every other piece."""
    given = {}
    with store.transaction(wait=5) as transaction:
        transaction.create(table())
        for piece in range(pieces):
            numbers = range(piece * 100, piece * 100 + 100)
            rows = [row(n, text="a" * (n % 7 * (piece % 2)), real=None if n % 14 == 1 else n / 7.0) for n in numbers]
            given.update({(n,): cells for n, cells in zip(numbers, rows, strict=True)})
            transaction.fill(table(), [(n,) for n in numbers], list(zip(*rows, strict=True)))
            if piece == 49:
                raise KeyboardInterrupt
    return given


def test_a_load_in_many_pieces_is_sent_beside_and_comes_whole(store: PostgresStore) -> None:
    given = long_load(store, 40)
    assert everything(store, table()) == given


def test_a_load_that_is_interrupted_while_it_sends_leaves_nothing(store: PostgresStore) -> None:
    with pytest.raises(KeyboardInterrupt):
        long_load(store, 100)
    assert store.documents() == {}
    assert long_load(store, 2) == everything(store, table())


def test_a_read_says_whether_its_facts_hold(store: PostgresStore) -> None:
    made = table()
    assert store.fetch({"a": "1"}, [], [Get(made, [(1,)], (2,))]) is None  # nothing was ever written
    with store.transaction(wait=5) as transaction:
        transaction.create(made)
        transaction.put(made, "rows", [((1,), row(1))])
        transaction.write("a", Document("1", "{}"))
    get = Get(made, [(1,), (7,), (None,), (1,)], (2, 0))
    found = store.fetch({"a": "1", "b": None}, ["a", "c"], [get, Get(made, [(1,)], ())])
    assert found is not None
    assert found.told == ("1", None)
    assert list(found.got[0].columns) == [(NOON, None, None, NOON), (1, None, None, 1)]
    for facts in ({"a": "2"}, {"a": None}, {"b": "1"}):
        assert store.fetch(facts, [], [get]) is None
    gone = Get(table(generation="0b"), [(1,)], (2,))
    assert store.fetch({"a": "1"}, [], [get, gone]) is None
    many = store.fetch({}, [], [Get(made, [(n,) for n in range(10_000)], (2,)), Get(made, [(1,), (2,)], (0,))])
    assert many is not None
    assert [len(got.columns[0]) for got in many.got] == [10_000, 2]
    empty = store.fetch({"a": "1"}, [], [Get(made, [], (2,))])
    assert empty is not None and list(empty.got[0].columns) == [()]


def test_a_read_gives_the_blocks_of_its_span(store: PostgresStore) -> None:
    made = table()
    blocks = tuple((start, str(place).encode()) for place, start in enumerate((FIRST, 10, 10, 20, 30)))
    with store.transaction(wait=5) as transaction:
        transaction.create(made)
        transaction.put(made, "events", [((1,), blocks), ((2,), blocks[:1])])

    def bodies(span: Span) -> list[Any]:
        found = store.fetch({}, [], [Get(made, [(1,), (2,), (3,)], (), span)])
        assert found is not None
        return [None if some is None else b"".join(body for _, body in some) for some in found.got[0].events]

    assert bodies(Span(0, 25)) == [b"0123", b"0", None]
    assert bodies(Span(10, 25)) == [b"0123", b"0", None]  # events at 10 may end the block before
    assert bodies(Span(15, 19)) == [b"12", b"0", None]
    assert bodies(Span(31, 99)) == [b"4", b"0", None]
    assert bodies(Span(5, 99, (5, 30, 31))) == [b"034", b"0", None]
    with store.transaction(wait=5) as transaction:
        transaction.put(made, "events", [((1,), blocks[2:]), ((9,), blocks[:1])])
        transaction.remove(made, "events", [(2,)])
        assert {key for some in transaction.keys(made, "events") for key in some} == {(1,), (9,)}
    assert everything(store, made, "events") == {(1,): blocks[2:], (9,): blocks[:1]}


def test_bytes_are_appended_in_order(store: PostgresStore) -> None:
    made = table(())
    with store.transaction(wait=5) as transaction:
        transaction.create(made)
        transaction.append(made, [((), b"a"), ((), b"b")])
    with store.transaction(wait=5) as transaction:
        transaction.append(made, [((), b"c")])
        assert transaction.held(made, "pushed", [()]) == {(): b"abc"}
    found = store.fetch({}, [], [Get(made, [(), ()], (), pushed=True, ahead=True)])
    assert found is not None
    assert (list(found.got[0].pushed), list(found.got[0].ahead)) == ([b"abc", b"abc"], [None, None])


def test_ids_of_different_types_differ(store: PostgresStore) -> None:
    ids: list[Any] = [1, "1", "a\0b", b"1", 1.5, "é"]
    with store.transaction(wait=5) as transaction:
        transaction.remember("s", [(one, place) for place, one in enumerate(ids)], before=0)
        assert transaction.seen("s", [*ids, 2, "2"]) == set(ids)
        assert transaction.seen("t", ids) == set()
        transaction.remember("s", [], before=3)
        assert transaction.seen("s", ids) == set(ids[3:])


def test_an_exception_undoes_all(store: PostgresStore) -> None:
    with store.transaction(wait=5) as transaction:
        transaction.create(table())
        transaction.put(table(), "rows", [((1,), row(1))])
        transaction.write("a", Document("1", ""))
    with pytest.raises(ZeroDivisionError), store.transaction(wait=5) as transaction:
        transaction.put(table(), "rows", [((1,), row(1, text="other")), ((2,), row(2))])
        transaction.write("a", Document("2", ""))
        transaction.create(table(generation="0b"))
        transaction.put(table(generation="0b"), "rows", [((1,), row(1))])
        raise ZeroDivisionError
    assert everything(store, table()) == {(1,): row(1)}
    assert store.documents() == {"a": Document("1", "")}
    assert store.fetch({}, [], [Get(table(generation="0b"), [(1,)], (2,))]) is None


def test_a_second_writer_waits(store: PostgresStore) -> None:
    other, said, order = PostgresStore(store.address), [], []

    def write() -> None:
        with other.transaction(wait=10, on_wait=said.append):
            order.append("second")

    with store.transaction(wait=5):
        with pytest.raises(AsknownError, match="another process is writing") as caught, other.transaction(wait=0):
            pass
        assert caught.value.code == "online-write"
        thread = threading.Thread(target=write)
        thread.start()
        while not said:
            time.sleep(0.01)
        order.append("first")
    thread.join()
    assert order == ["first", "second"] and "waiting up to 10 seconds" in said[0]
    with store.load_lock(wait=5), other.transaction(wait=0), pytest.raises(AsknownError), other.load_lock(wait=0.1):
        pass
    with other.load_lock(wait=0):
        pass


def test_a_retired_generation_is_dropped_later(store: PostgresStore, server: Server) -> None:
    with store.transaction(wait=5) as transaction:
        transaction.create(table())
        transaction.create(table(generation="0b"))
    with store.transaction(wait=5) as transaction:
        transaction.retire(table())
    get = Get(table(), [(1,)], (2,))
    with store.transaction(wait=5):
        pass
    assert store.fetch({}, [], [get]) is not None
    with psycopg.connect(server.postgres.dsn(), autocommit=True) as connection:
        retired = f'"{store.schema}"._asknown_retired'
        connection.execute(f"UPDATE {retired} SET at = at - interval '11 minutes'".encode())
        with store.transaction(wait=5, durable=True):
            pass
        assert store.fetch({}, [], [get]) is not None  # a push has no time for it
        with store.transaction(wait=5):
            pass
        assert store.fetch({}, [], [get]) is None
        assert connection.execute(f"SELECT count(*) FROM {retired}".encode()).fetchall() == [(0,)]


def test_a_child_has_connections_of_its_own(store: PostgresStore) -> None:
    with store.transaction(wait=5) as transaction:
        transaction.write("a", Document("1", ""))
    assert store.documents()
    child = os.fork()
    if not child:
        ended = 1
        try:
            with store.transaction(wait=5) as transaction:
                transaction.write("b", Document("1", ""))
            ended = len(store.documents()) - 2
        finally:
            os._exit(ended)
    assert os.waitpid(child, 0)[1] == 0
    assert set(store.documents()) == {"a", "b"}  # the child has not ended the parent's session


def test_a_broken_connection_is_opened_again(store: PostgresStore, server: Server) -> None:
    with store.transaction(wait=5) as transaction:
        transaction.write("a", Document("1", ""))

    def end_all() -> None:
        with psycopg.connect(server.postgres.dsn(), autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
                "WHERE application_name = 'asknown' AND datname = current_database()"
            )

    for _ in range(3):
        assert store.fetch({"a": "1"}, [], []) is not None
        end_all()
    with store.transaction(wait=5) as transaction:  # its first statement notices
        transaction.write("a", Document("2", ""))
    with pytest.raises(AsknownError) as caught, store.transaction(wait=5) as transaction:
        transaction.write("a", Document("3", ""))
        end_all()
        transaction.write("b", Document("3", ""))
    assert caught.value.code == "online-server"
    assert store.documents() == {"a": Document("2", "")}


def test_a_server_that_is_killed_and_comes_back(store: PostgresStore, server: Server) -> None:
    made = table()
    with store.transaction(wait=5) as transaction:
        transaction.create(made)
        transaction.put(made, "rows", [((n,), row(n)) for n in range(1000)])
    with store.transaction(wait=5, durable=True) as transaction:
        transaction.put(made, "rows", [((7,), row(7, text="pushed"))])
    server.kill()
    with pytest.raises(AsknownError, match="the server does not answer") as caught:
        store.documents()
    assert caught.value.code == "online-server"
    server.restart()
    found = store.fetch({}, [], [Get(made, [(7,)], (3,))])
    assert found is not None and found.got[0].columns == [("pushed",)]


def test_a_push_is_durable_whatever_the_server_says(store: PostgresStore) -> None:
    assert dict(store.describe())["synchronous_commit"] == "off"  # as this server is set
    store.check_pushes()
    with store.transaction(wait=5, durable=True) as transaction:
        connection = transaction._statements.held.connection  # type: ignore[attr-defined]
        assert connection.execute("SHOW synchronous_commit").fetchall() == [("on",)]
    assert connection.execute("SHOW synchronous_commit").fetchall() == [("off",)]


@pytest.mark.parametrize(
    ("dsn", "said"),
    [
        ("postgresql://me:geheim@localhost:1/db", "does not answer"),
        ("postgresql://me:gehe%zzim@localhost:1/db", "cannot be read"),
        ("host=localhost port=1 password='gehe im'", "does not answer"),
        ("host=localhost port=1 passwort=geheim", "cannot be read"),
    ],
)
def test_no_message_has_the_password(dsn: str, said: str) -> None:
    with pytest.raises(AsknownError, match=said) as caught:
        PostgresStore(StoreAddress("postgres", dsn, "x")).documents()
    assert caught.value.code == "online-server"
    assert not any(part in str(caught.value) for part in ("geheim", "gehe", "zzim"))


def test_rights_that_a_user_lacks(server: Server) -> None:
    with psycopg.connect(server.postgres.dsn(), autocommit=True) as connection:
        connection.execute("CREATE ROLE reader LOGIN")
    address = StoreAddress("postgres", server.postgres.dsn(user="reader"), "not there")
    store = PostgresStore(address)
    assert store.documents() == {}
    said = r"this user lacks a right .*permission denied for database"
    with pytest.raises(AsknownError, match=said) as caught, store.transaction(wait=5):
        pass
    assert caught.value.code == "online-server"
    own = PostgresStore(server.address("of another"))
    with own.transaction(wait=5) as transaction:
        transaction.write("a", Document("1", ""))
    with pytest.raises(AsknownError, match="permission denied for schema"):
        PostgresStore(StoreAddress("postgres", address.url, "of another")).documents()


def test_statements_are_not_prepared_where_they_may_not_be(server: Server) -> None:
    given = server.address("no statements")
    store = PostgresStore(StoreAddress(given.type, given.url, given.space, (("prepare", False),)))
    with store.transaction(wait=5) as transaction:
        transaction.create(table())
        for number in range(10):
            transaction.write("a", Document(str(number), ""))
            transaction.put(table(), "rows", [((number,), row(number))])
    for _ in range(10):
        assert store.fetch({"a": "9"}, [], [Get(table(), [(1,), (2,)], (2,))]) is not None
    held = store._reads.current().connection
    assert held.execute("SELECT count(*) FROM pg_prepared_statements").fetchall() == [(0,)]


def test_the_server_stops_a_slow_statement(server: Server) -> None:
    given = server.address("slow")
    store = PostgresStore(StoreAddress(given.type, given.url, given.space, (("timeout", 0.2),)))
    with pytest.raises(AsknownError, match="timeout") as caught:
        store._run(lambda held: held.cursor.execute("SELECT pg_sleep(20)"))
    assert caught.value.code == "online-server"


def test_a_server_that_is_silent_is_away(server: Server) -> None:
    given = server.address("silent")
    store = PostgresStore(StoreAddress(given.type, given.url, given.space, (("timeout", 0.5),)))

    def ask() -> Any:
        return store._run(lambda held: (held.connection.info.backend_pid, held.query(b"SELECT 1", [], prepare=True)))

    process, _ = ask()
    (main, *_) = (server.postgres.folder / "data" / "postmaster.pid").read_text().split("\n")
    os.kill(process, signal.SIGSTOP)
    try:
        other, rows = ask()  # by a new connection
        assert other != process
        assert rows == [(1,)]
        os.kill(other, signal.SIGSTOP)
        os.kill(int(main), signal.SIGSTOP)
        with pytest.raises(AsknownError) as caught:
            ask()
        assert caught.value.code == "online-server"
    finally:
        for stopped in (int(main), process, other):
            os.kill(stopped, signal.SIGCONT)
    assert ask()[1] == [(1,)]


def test_a_call_is_interrupted(store: PostgresStore) -> None:
    thread, ended = threading.get_ident(), threading.Event()

    def interrupt() -> None:
        while not ended.wait(0.05):
            store.interrupt(thread)

    beside = threading.Thread(target=interrupt)
    beside.start()
    try:
        with pytest.raises(AsknownError, match="stopped the query"):
            store._run(lambda held: held.query(b"SELECT pg_sleep(4)", [], prepare=True))
    finally:
        ended.set()
        beside.join()
    store._run(lambda held: held.cursor.execute("SELECT 1"))


def test_a_wide_request_and_a_wide_view(store: PostgresStore) -> None:
    columns = (*COLUMNS[:3], *(Column(f"f{n}", parse_type("BIGINT")) for n in range(900)))
    views = [Table(name, "0a", columns[:1], columns, 2, None) for name in ("a", "b")]
    with store.transaction(wait=5) as transaction:
        for made in views:
            transaction.create(made)
            transaction.put(made, "rows", [((1,), (1, "w", NOON, *range(900)))])
    every = tuple(range(2, len(columns)))
    for keys in ([(1,)], [(1,), (2,)]):
        found = store.fetch({}, [], [Get(made, keys, every) for made in views])
        assert found is not None
        for got in found.got:
            assert [column[0] for column in got.columns] == [NOON, *range(900)]
    too_wide = Table("w", "0a", columns[:1], (*columns, *columns[3:800]), 2, None)
    with pytest.raises(AsknownError, match="1700 columns"), store.transaction(wait=5) as transaction:
        transaction.create(too_wide)
    long = Table(
        "w", "0b", columns[:1], (*columns, *(Column(f"g{n}", parse_type("BIGINT")) for n in range(200))), 2, None
    )
    with pytest.raises(AsknownError, match="larger than Postgres can keep"), store.transaction(wait=5) as transaction:
        transaction.create(long)
        transaction.put(long, "rows", [((1,), (1, "w", NOON, *range(1_100)))])


def test_the_folder_of_the_servers_is_short(server: Server) -> None:
    assert len(str(Path(server.postgres.folder) / ".s.PGSQL.5432")) < 100
