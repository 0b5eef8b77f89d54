"""Stores on a server through the library: parity with training queries, and one clear error for what goes wrong."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from asknown import AsknownError, FeatureStore, OnlineReader
from asknown.addresses import StoreAddress
from asknown.cli.group import main
from asknown.instants import from_microseconds
from asknown.store import landing
from backends.conftest import Backend
from backends.servers import fresh_name
from push.shop import FOLLOWERS, VIEWS, online, order, trained, write_file, write_shop

KINDS = ("postgres", "valkey")  # tests/push and tests/cli do this with a file
FOLLOWED = {name: VIEWS[name] for name in ("newest", "totals", "announced")}
KEYS = (1, 2, 3, None)
SECRET = "hunter2-not-the-password"
AWAY = {"postgres": f"postgresql://reader:{SECRET}@127.0.0.1:9/db", "valkey": f"redis://:{SECRET}@127.0.0.1:9/0"}


def run(*words: str) -> Result:
    return CliRunner().invoke(main, list(words), prog_name="asknown")


def refused(code: str, *words: str) -> str:
    """What a command says that stops with this error: no traceback, and no secret."""
    done = run(*words)
    assert done.exit_code == 1, done.output
    assert code in done.output and "Traceback" not in done.output and SECRET not in done.output
    return done.output


def profile(given: dict[str, Any]) -> str:
    """A profiles.yml with this online table."""
    return f"shop: {{target: dev, outputs: {{dev: {{type: duckdb}}}}, online: {json.dumps(given)}}}\n"


@pytest.fixture
def shop(backend: Backend, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that takes pushes, whose online table is in the store."""
    folder = write_shop(tmp_path / "shop", views=FOLLOWED)
    (folder / "profiles.yml").write_text(profile(backend.server.online(fresh_name())))
    rows = [
        order(f"h{place}", key, ago=3600 * place, amount=amount, note="n")
        for place, (key, amount) in enumerate([(1, 0.1), (2, 0.2), (1, 7.0), (3, None), (2, -0.0)], start=1)
    ]
    write_file(folder, "history.parquet", [row | {"_arrived": row["ordered_at"]} for row in rows])
    monkeypatch.chdir(folder)
    return folder


def check_parity(store: FeatureStore, folder: Path) -> None:
    """Asserts that the online table answers as the training query does, at its last push and later."""
    assert store._reader is not None
    stored = store._reader.views().values()
    last = max(from_microseconds(view.pushes.at) for view in stored if view.pushes is not None)
    first = max(last, *(view.watermark.replace(tzinfo=None) for view in stored))
    views = [name for name in FOLLOWERS if name in FOLLOWED]
    instants = [first, first + timedelta(minutes=61), first + timedelta(hours=3)]
    answers = [row for at in instants for row in online(store, KEYS, at, views)]
    assert answers == trained(folder, KEYS, instants, views)


def test_pushes_beside_loads_answer_as_training_does(shop: Path) -> None:
    with FeatureStore(shop) as store:
        store.materialize()
        assert store.push("orders", [order("a", 1, amount=5.0), order("b", 2, ago=7200, amount=0.7)]).rows == 2
        assert store.push("orders", [order("a", 1, amount=6.0), order("c", 3, amount=None)]).duplicates == 1
        assert store.get_online_features(["newest:twice"], [{"customer_id": 1}]).rows()[0]["twice"] == 10.0
        check_parity(store, shop)
        assert store.doctor().healthy
        landing.try_landing(store.project)
        store.push("orders", [order("d", 1, amount=0.3)])
        store.materialize(full_refresh=True)
        store.push("orders", [order("e", 2, amount=0.4)])
        store.get_online_features(["newest"], [{"customer_id": 1}])
        check_parity(store, shop)
        found = store.doctor()
        assert found.healthy and {check.of for check in found.checks if check.check == "strength"} >= {"newest wins"}
        with OnlineReader(store.project.profile.online.address) as reader:
            assert sorted(reader.keys("newest")) == [(1,), (2,), (3,)]


def test_what_goes_wrong_is_one_clear_error(shop: Path, backend: Backend) -> None:
    get = ("get", "newest", "customer_id=1")
    assert "asknown materialize" in refused("no-online", *get)
    with FeatureStore(shop) as store:
        store.materialize(views=["newest"])
    assert "type: sqlite" in refused("online-file", "publish", "published")
    pyproject, profiles = shop / "pyproject.toml", shop / "profiles.yml"
    written = pyproject.read_text()
    pyproject.write_text(written.replace('name = "shop"', 'name = "other"'))
    assert "project 'shop'" in refused("online-owner", *get)
    assert "project 'shop'" in refused("online-owner", "materialize", "newest")
    pyproject.write_text(written)
    given = backend.server.online(fresh_name())
    url = next(key for key in given if key in ("dsn", "url"))
    profiles.write_text(profile({**given, url: AWAY[backend.kind]}))
    for words in (get, ("materialize", "newest")):
        assert "127.0.0.1" in refused("online-server", *words)
    assert "127.0.0.1" in refused("server", "doctor")


def test_a_load_that_would_shrink_a_view_writes_nothing(shop: Path) -> None:
    rows = [order(f"m{key}", key, ago=60) for key in range(100, 140)]
    file = write_file(shop, "more.parquet", [row | {"_arrived": row["ordered_at"]} for row in rows])
    with FeatureStore(shop) as store:
        store.materialize(views=["newest"])
        file.unlink()
        with pytest.raises(AsknownError) as caught:
            store.materialize(views=["newest"])
        assert caught.value.code == "load-shrinks"
        response = store.get_online_features(["newest:twice"], [{"customer_id": 101}])
        assert response.statuses()["twice"] == ["PRESENT"]
        store.materialize(views=["newest"], allow_shrink=True)
        response = store.get_online_features(["newest:twice"], [{"customer_id": 101}])
        assert response.statuses()["twice"] == ["NOT_FOUND"]


def test_a_killed_server_loses_nothing_that_was_acknowledged(shop: Path, backend: Backend) -> None:
    with FeatureStore(shop) as store:
        store.materialize(views=["newest"])
        store.push("orders", [order("k", 3, amount=11.0)])
        backend.server.kill()
        with pytest.raises(AsknownError) as caught:
            store.get_online_features(["newest"], [{"customer_id": 3}])
        assert caught.value.code == "online-server"
        backend.server.restart()
        assert store.get_online_features(["newest"], [{"customer_id": 3}]).rows()[0]["twice"] == 22.0


def test_an_address_shows_no_secret(backend: Backend) -> None:
    address = StoreAddress(backend.kind, AWAY[backend.kind], "shop")
    assert str(address) == f"{backend.kind} store 'shop' at 127.0.0.1:9"
    assert SECRET not in repr(address)
