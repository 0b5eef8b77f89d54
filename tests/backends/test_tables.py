"""Projects over each backend: reads while loads and pushes go on, and what may differ."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest

from asknown import FeatureStore
from asknown.online.remote.store import Strength
from backends.conftest import Backend
from backends.servers import fresh_name

KEYS = 500

MODELS = """
sources:
  - name: shop
    tables:
      - name: rows
        path: 'rows.parquet'
      - name: orders
        path: 'orders/*.parquet'
        push: {id: order_id, event_time: ordered_at, known_at: _arrived, land: orders/}
        columns:
          - {name: order_id, data_type: varchar}
          - {name: customer, data_type: bigint}
          - {name: ordered_at, data_type: timestamp}
          - {name: amount, data_type: double}
entities:
  - name: customer
    keys: [{name: customer, data_type: bigint}]
"""
ORDERS = """
{{ config(entity='customer', event_time='ordered_at', known_at='_arrived') }}
select customer, ordered_at, _arrived, amount as last_amount, sum(amount) over {{ last('7 days') }} as spent
from {{ source('shop', 'orders') }}
"""


def view_of(name: str, ttl: str = "") -> str:
    return (
        f"{{{{ config(entity='customer', event_time='seen_at'{ttl}) }}}}\n"
        f"select customer, seen_at, number as number_{name}, count(*) over {{{{ last('9000 days') }}}} as n_{name}\n"
        "from {{ source('shop', 'rows') }}\n"
    )


@pytest.fixture
def project(tmp_path: Path, backend: Backend, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project of two views over one table, and one that follows pushes."""
    (tmp_path / "models").mkdir()
    (tmp_path / "orders").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "shop"\nprofile = "shop"\n')
    online = backend.server.online(fresh_name())
    profile = {"shop": {"target": "dev", "outputs": {"dev": {"type": "duckdb"}}, "online": online}}
    (tmp_path / "profiles.yml").write_text(json.dumps(profile))
    (tmp_path / "models" / "shop.yml").write_text(MODELS)
    (tmp_path / "models" / "orders_view.sql").write_text(ORDERS)
    for name in "ab":
        (tmp_path / "models" / f"{name}.sql").write_text(view_of(name))
    write_rows(tmp_path, 1)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def write_rows(folder: Path, number: int, at: str = "2024-01-01") -> None:
    """The table behind both views, with one number in all of its rows."""
    made = folder / f"rows.{number}"
    query = f"select id as customer, timestamp '{at}' as seen_at, {number}::bigint as number from range({KEYS}) t(id)"
    with duckdb.connect() as connection:
        connection.execute(f"copy ({query}) to '{made}' (format parquet)")
    made.replace(folder / "rows.parquet")


def order(number: int) -> dict[str, Any]:
    at = datetime.now(UTC).replace(tzinfo=None) - timedelta(seconds=1)
    return {"order_id": f"o{number}", "customer": 7, "ordered_at": at, "amount": 1.0}


class Looking:
    """Threads that read both views, again and again. ``wrong`` has what is not of one load, and errors."""

    def __init__(self, project: Path) -> None:
        self._project = project
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=self._look) for _ in range(3)]
        self.wrong: list[Any] = []
        self.reads = 0

    def __enter__(self) -> Looking:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _look(self) -> None:
        last = 0
        with FeatureStore(self._project) as store:
            while not self._ended.is_set():
                try:
                    found = store.get_online_features(["a", "b"], {"customer": [*range(0, KEYS, 50)]}).to_dict()
                except Exception as error:
                    self.wrong.append(error)
                    return
                numbers = {*found["number_a"], *found["number_b"]}
                if len(numbers) != 1 or {*found["n_a"], *found["n_b"]} != {1} or max(numbers) < last:
                    self.wrong.append(found)
                    return
                last = max(numbers)
                self.reads += 1


@pytest.mark.parametrize("full", [True, False])
def test_readers_during_loads_see_one_load(
    project: Path, backend: Backend, pytestconfig: pytest.Config, full: bool
) -> None:
    loads = 5 + int(50 * pytestconfig.getoption("--soak"))
    with FeatureStore(project) as store:
        store.materialize(views=["a", "b"])
        with Looking(project) as looking:
            for number in range(2, 2 + loads):
                write_rows(project, number)
                store.materialize(views=["a", "b"], full_refresh=full)
    assert not looking.wrong
    assert looking.reads > 5


def test_pushes_while_loads_run_are_all_counted(project: Path, backend: Backend) -> None:
    pushed = 0
    with FeatureStore(project) as store, FeatureStore(project) as loader:
        store.push("orders", [order(0)])
        loader.materialize(views=["orders_view"])
        ended = threading.Event()

        def load() -> None:
            while not ended.is_set():
                loader.materialize(views=["orders_view"])

        thread = threading.Thread(target=load)
        thread.start()
        try:
            for pushed in range(1, 60):
                store.push("orders", [order(pushed)])
                found = store.get_online_features("orders_view:spent", {"customer": [7]}).to_dict()
                assert found["spent"] == [pushed + 1.0]
        finally:
            ended.set()
            thread.join()
        loader.materialize(views=["orders_view"])
        assert store.get_online_features("orders_view:spent", {"customer": [7]}).to_dict()["spent"] == [pushed + 1.0]


@pytest.fixture
def keeps_rows(request: pytest.FixtureRequest, backend: Backend) -> Iterator[None]:
    """Expects a failure where the backend says that rows leave by themselves."""
    strength: Strength | None = backend.strength
    if strength is not None and not strength.keeps_rows:
        request.applymarker(pytest.mark.xfail(strict=True, reason=f"{backend.kind}: rows stay {strength.rows_stay}"))
    yield


@pytest.mark.usefixtures("keeps_rows")
def test_a_row_that_is_long_past_its_ttl_is_told_from_none(project: Path, backend: Backend) -> None:
    (project / "models" / "a.sql").write_text(view_of("a", ttl=", ttl='1 day'"))
    with FeatureStore(project) as store:
        store.materialize(views=["a"])
        found = store.get_online_features("a:number_a", {"customer": [7, KEYS + 1]}).statuses()
    assert found == {"number_a": ["OUTSIDE_MAX_AGE", "NOT_FOUND"]}


def test_a_ttl_that_changed_reaches_rows_that_were_loaded(project: Path, backend: Backend) -> None:
    at = (datetime.now(UTC) - timedelta(days=2)).replace(tzinfo=None).isoformat(" ")
    write_rows(project, 1, at)
    for ttl, status in (("3 days", "PRESENT"), ("36 hours", "OUTSIDE_MAX_AGE"), ("10 days", "PRESENT")):
        (project / "models" / "a.sql").write_text(view_of("a", ttl=f", ttl='{ttl}'"))
        with FeatureStore(project) as store:
            store.materialize(views=["a"])
            assert store.get_online_features("a:number_a", {"customer": [7]}).statuses() == {"number_a": [status]}
