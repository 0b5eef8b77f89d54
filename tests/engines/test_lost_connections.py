"""A query that somebody cancels and a connection that ends: what the error says, and that the store connects anew."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import adbc_driver_postgresql.dbapi as adbc
import pytest

from asknown import AsknownError, FeatureStore
from asknown.engines import postgres
from asknown.engines.clickhouse.errors import translate as translate_clickhouse
from asknown.engines.spark.errors import translate as translate_spark
from engines.harness import Warehouse
from engines.postgres_server import PostgresServer, run_postgres
from engines.test_tables_in_spines import DECISIONS, ORDERS, write_project

OTHERS = "FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND backend_type = 'client backend'"
SPINE = "select * from main.decisions"
SLOW = {
    "before the first row": f"{SPINE} where id < (select count(*) from range(1000000) as a(i), range(1000000) as b(j))",
    "between rows": "select i as id, 1 as customer, timestamp '2024-01-02' as asked from range(1000000000) as r(i)",
}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    with run_postgres() as started:
        yield started


@pytest.fixture
def admin(server: PostgresServer) -> Iterator[Callable[[str], list[Any]]]:
    with adbc.connect(server.dsn(), autocommit=True) as connection:

        def ask(sql: str) -> list[Any]:
            with connection.cursor() as cursor:
                cursor.execute(sql)
                return list(cursor.fetchall())

        yield ask


@pytest.fixture
def store(server: PostgresServer, tmp_path: Path) -> Iterator[FeatureStore]:
    options = {"dsn": server.dsn(), "schema": "main"}
    Warehouse("postgres", options).load(tmp_path, {"orders": ORDERS, "decisions": DECISIONS})
    write_project(tmp_path, {"type": "postgres", **options}, "main")
    with FeatureStore(tmp_path) as opened:
        yield opened


def train(store: FeatureStore, spine: Any = SPINE) -> int:
    return int(store.get_historical_features(spine, ["spent"], timestamp="asked").to_arrow().num_rows)


@pytest.mark.parametrize("function", ["pg_cancel_backend", "pg_terminate_backend"])
@pytest.mark.parametrize("sql", SLOW.values(), ids=SLOW)
def test_a_query_that_is_ended_on_the_server(
    store: FeatureStore, admin: Callable[[str], list[Any]], function: str, sql: str
) -> None:
    assert train(store) == 3
    ended: list[Any] = []

    def end() -> None:
        until = time.monotonic() + 30
        while not ended and time.monotonic() < until:
            time.sleep(0.5)
            ended.extend(admin(f"SELECT {function}(pid) {OTHERS} AND state = 'active' AND query ILIKE '%generate_s%'"))

    thread = threading.Thread(target=end)
    thread.start()
    with pytest.raises(AsknownError) as raised:
        train(store, sql)
    thread.join()
    lost = function == "pg_terminate_backend"
    assert raised.value.code == ("lost-connection" if lost else "engine")
    assert ("connection to the server has ended" if lost else "cancelled on the server") in raised.value.message
    assert raised.value.at is None  # it is no fault of a file
    assert train(store) == 3


def test_a_connection_that_ends_while_nothing_runs(store: FeatureStore, admin: Callable[[str], list[Any]]) -> None:
    for spine in (SPINE, DECISIONS, "select id, customer, asked from main.decisions"):
        train(store)
        admin(f"SELECT pg_terminate_backend(pid) {OTHERS}")
        with pytest.raises(AsknownError) as raised:
            train(store, spine)
        assert (raised.value.code, raised.value.at) == ("lost-connection", None)
        assert "try again" in (raised.value.hint or "")
        assert train(store) == 3


def test_a_connection_that_was_idle_is_tried_first(
    store: FeatureStore, admin: Callable[[str], list[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    train(store)
    admin(f"SELECT pg_terminate_backend(pid) {OTHERS}")
    monkeypatch.setattr(postgres.session, "IDLE", 0.0)
    assert train(store, DECISIONS) == 3
    assert store.preview("spent").num_rows == 3


def test_a_job_whose_spine_went_with_the_connection(store: FeatureStore, admin: Callable[[str], list[Any]]) -> None:
    job = store.get_historical_features(DECISIONS, ["spent"], timestamp="asked")
    admin(f"SELECT pg_terminate_backend(pid) {OTHERS}")
    for _ in range(2):
        with pytest.raises(AsknownError) as raised:
            job.to_arrow()
        assert raised.value.code == "lost-connection"
        assert "get_historical_features() again" in (raised.value.hint or "")


@pytest.mark.parametrize(
    "error",
    [
        translate_clickhouse("Error HTTPConnectionPool(host='x', port=1): [Errno 111] Connection refused"),
        translate_clickhouse("the result ended early: the connection closed in the middle of the result"),
        translate_spark(RuntimeError("<_InactiveRpcError: status = StatusCode.UNAVAILABLE, Connection refused>")),
        translate_spark(RuntimeError("[INVALID_HANDLE.SESSION_NOT_FOUND] The handle is invalid. Session not found.")),
    ],
)
def test_other_engines_say_so_too(error: AsknownError) -> None:
    assert error.code == "lost-connection"
    assert "try again" in (error.hint or "")
