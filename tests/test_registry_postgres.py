"""A registry in Postgres for many writers, and copies of a registry that others only read."""

from __future__ import annotations

import random
import shutil
import signal
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
from click.testing import CliRunner

import forked
from asknown import FeatureStore
from asknown.cli.group import main
from engines.postgres_server import PostgresServer, chosen_postgres

FILES = {
    "pyproject.toml": '[tool.asknown]\nname = "shop"\n',
    "models/shop.yml": """sources:
  - {name: raw, tables: [{name: orders, path: FOLDER/orders.csv}]}
entities: [{name: customer, keys: [customer_id]}]
models:
  - name: orders
    access: public
    description: What a customer ordered.
""",
    "models/orders.sql": "{{ config(entity='customer', event_time='ordered_at', owner='growth') }}\n"
    "select customer_id, ordered_at, amount as last_amount, avg(amount) over {{ last('7 days') }} as avg_amount_7d\n"
    "from {{ source('raw', 'orders') }}\n",
    "orders.csv": "customer_id,ordered_at,amount\n1,2024-01-01 00:00,5.5\n1,2024-01-02 00:00,7.25\n",
}


@pytest.fixture(scope="module")
def server() -> Iterator[PostgresServer]:
    """A Postgres server."""
    with chosen_postgres() as server:
        yield server


@pytest.fixture
def dsn(server: PostgresServer, request: pytest.FixtureRequest) -> Iterator[str]:
    """An empty database."""
    name = f"d{abs(hash(request.node.nodeid))}"
    with psycopg.connect(server.dsn(), autocommit=True) as connection:
        connection.execute(f"create database {name}")
        yield server.dsn(name)
        connection.execute(f"drop database {name} with (force)")


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project as the current folder."""
    folder = tmp_path / "shop"
    for name, text in FILES.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.replace("FOLDER", str(folder)), encoding="utf-8")
    monkeypatch.chdir(folder)
    return folder


def profiles(registry: str, project: str = "shop", folder: Path | None = None) -> None:
    text = f"{project}:\n  outputs: {{dev: {{type: duckdb}}}}\n  registry: {registry}\n"
    ((folder or Path()) / "profiles.yml").write_text(text, encoding="utf-8")


def run(*arguments: str, code: int = 0) -> str:
    """What a command prints and says; it must end with this exit code."""
    done = CliRunner().invoke(main, arguments, prog_name="asknown")
    assert done.exit_code == code, f"{arguments}: {done.output}"
    assert "Traceback" not in done.output
    return done.output


def edit(old: str, new: str, name: str = "models/orders.sql") -> None:
    text = Path(name).read_text(encoding="utf-8")
    assert old in text
    Path(name).write_text(text.replace(old, new), encoding="utf-8")


def test_everything_that_a_file_does(shop: Path, dsn: str) -> None:
    profiles(f"{{type: postgres, dsn: '{dsn}'}}")
    assert "Nothing of shop was applied yet" in run("plan")
    assert "nothing was applied yet" in run("search", "amount")
    run("materialize")  # works without a registry, and makes none
    assert "revision 1 of shop written to postgres store 'asknown_registry'" in run("apply", "--yes", "-m", "first")
    assert "Nothing to do" in run("plan")
    edit("amount as last_amount", "amount * 2 as last_amount")
    assert "last_amount  values  amount  →  amount * 2" in run("apply", "--yes")
    assert "first" in run("history") and "v2: values" in run("history", "orders")
    run("materialize")
    assert "orders@v2" in run("history", "--runs")
    assert "orders:last_amount" in run("search", "orders", "amo")
    run("search", 'carrier:delay "x C++ weath', "user's")
    assert "amount * 2" not in run("compile", "orders@v1")
    run("rollback", "1", "--yes")
    assert "v1 → v3" in run("plan")
    run("docs", "-o", "site")
    with psycopg.connect(dsn) as connection:
        counted = connection.execute("select count(*) from asknown_registry.revision").fetchone()
        assert counted == (3,)
        for table in ("object", "revision"):
            with pytest.raises(psycopg.errors.RaiseException, match="never changes"):
                connection.execute(f"delete from asknown_registry.{table}")
            connection.rollback()


def test_projects_share_views_through_it(shop: Path, dsn: str, monkeypatch: pytest.MonkeyPatch) -> None:
    registry = f"{{type: postgres, dsn: '{dsn}', schema: features}}"
    profiles(registry)
    run("apply", "--yes")
    other = shop.parent / "pricing"
    shutil.copytree(shop, other)
    monkeypatch.chdir(other)
    profiles(registry, "pricing")
    edit("shop", "pricing", "pyproject.toml")
    edit("entities:", "feature_services: [{name: risk, features: ['shop.orders@v1']}]\nentities:", "models/shop.yml")
    run("pin")
    run("apply", "--yes")
    monkeypatch.chdir(shop)
    edit("amount as last_amount", "amount * 2 as last_amount")
    assert "stays as it is for pricing.risk at v1" in run("apply", "--yes")


APPLIER = """
import sys
from pathlib import Path
from asknown import AsknownError, FeatureStore
view, name, rounds = Path("models/orders.sql"), sys.argv[1], int(sys.argv[2])
text, done = view.read_text(), 0
while done < rounds:
    store = FeatureStore(".")
    file = store.project.models["orders"]
    changed = text.replace("amount as last_amount", f"amount + {done} as last_amount")
    store.project.models["orders"] = file.__class__("orders", view, "orders.sql", changed)
    try:
        if store.registry.apply(message=f"{name}:{done}", accept=["orders"]) is not None:
            print(f"{name}:{done}", flush=True)
        done += 1
    except AsknownError as error:
        assert error.code in ("registry-moved", "registry-write"), error
"""


def test_applies_side_by_side_and_kills_lose_nothing(shop: Path, dsn: str) -> None:
    profiles(f"{{type: postgres, dsn: '{dsn}'}}")
    logs = [shop / f"log{n}" for n in range(4)]
    workers = []
    for n, log in enumerate(logs):
        with log.open("w", encoding="utf-8") as out:
            command = [forked.python(), "-c", APPLIER, f"w{n}", "5"]
            workers.append(subprocess.Popen(command, stdout=out, stderr=subprocess.PIPE, text=True))
    victim = workers[0]
    while victim.poll() is None and not logs[0].read_text(encoding="utf-8"):
        time.sleep(0.01)
    time.sleep(random.Random(7).random() / 2)
    victim.send_signal(signal.SIGKILL)
    for worker in workers:
        _, said = worker.communicate()
        assert worker.returncode == 0 or worker is victim, said
    told = {line for log in logs for line in log.read_text(encoding="utf-8").split()}
    with psycopg.connect(dsn) as connection:
        chain = connection.execute("select n, parent, message from asknown_registry.revision order by n").fetchall()
        assert [(n, parent) for n, parent, _ in chain] == [(n, n - 1) for n in range(1, len(chain) + 1)]
        assert told <= {message for _, _, message in chain}
        lost = "select count(*) from asknown_registry.version v where not exists "
        lost += "(select 1 from asknown_registry.object o where o.hash = v.hash)"
        assert connection.execute(lost).fetchone() == (0,)
    run("plan")


def test_a_role_that_may_only_read(shop: Path, dsn: str, server: PostgresServer) -> None:
    profiles(f"{{type: postgres, dsn: '{dsn}'}}")
    run("apply", "--yes")
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create role reader login")
        connection.execute("grant usage on schema asknown_registry to reader")
        connection.execute("grant select on all tables in schema asknown_registry to reader")
    profiles(f"{{type: postgres, dsn: '{dsn.replace('postgres@', 'reader@')}'}}")
    assert "Nothing to do" in run("plan")
    edit("amount as last_amount", "amount * 2 as last_amount")
    assert "this user lacks a right" in run("apply", "--yes", code=1)
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("drop owned by reader")
        connection.execute("drop role reader")


@pytest.mark.parametrize(
    ("registry", "message"),
    [
        ("{type: postgres}", "lacks 'dsn'"),
        ("{type: postgers, dsn: x}", "did you mean 'postgres'"),
        ("{type: postgres, dsn: 'postgresql://u:secretword@/x?host=/nowhere'}", "cannot be reached"),
        ("{type: postgres, dsn: 'host=/nowhere secretword'}", "dsn of the registry cannot be read"),
        ("{type: postgres, dsn: x, schema: 'a b'}", "is no name"),
        ("{type: postgres, dsn: x, path: y}", "has no key 'path'"),
        ("{type: object_store, url: registry.db}", "is no address"),
        ("{type: object_store, url: 'file:///nowhere/registry.db'}", "there is no copy of a registry"),
        ("{type: object_store, url: 'sss://nowhere/registry.db'}", "cannot be reached"),
        ("{type: object_store}", "lacks 'url'"),
        ("{type: sqlite, path: registry.db, read_only: 1}", "must be true or false"),
    ],
)
def test_mistakes_in_where_it_is(shop: Path, registry: str, message: str) -> None:
    profiles(registry)
    said = run("plan", code=1)
    assert message in said and "secretword" not in said


def test_a_schema_of_something_else_is_refused(shop: Path, dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute("create schema other")
        connection.execute("create table other.things (x int)")
    profiles(f"{{type: postgres, dsn: '{dsn}', schema: other}}")
    assert "is no registry" in run("plan", code=1)
    assert "is no registry" in run("apply", "--yes", code=1)


@pytest.mark.parametrize("kind", ["sqlite", "postgres"])
def test_a_copy_is_published_and_others_read_it(shop: Path, dsn: str, kind: str) -> None:
    at = "type: sqlite, path: registry.db" if kind == "sqlite" else f"type: postgres, dsn: '{dsn}'"
    url = (shop.parent / "store" / "registry.db").as_uri()
    (shop.parent / "store").mkdir()
    profiles(f"{{{at}, publish: '{url}'}}")
    run("apply", "--yes", "-m", "first")
    profiles(f"{{type: object_store, url: '{url}'}}")
    assert "Nothing to do" in run("plan")
    assert "orders:last_amount" in run("search", "amount")
    assert "amount * 2" not in run("compile", "orders@v1")
    run("materialize")  # is not recorded, and says nothing
    edit("amount as last_amount", "amount * 2 as last_amount")
    assert "is a copy, which this project only reads" in run("apply", "--yes", code=1)
    profiles(f"{{{at}, publish: ../store/registry.db}}")
    run("apply", "--yes", "-m", "second")
    profiles(f"{{type: object_store, url: '{url}'}}")
    assert "second" in run("history")
    profiles("{type: sqlite, path: ../store/registry.db, read_only: true}")
    assert "second" in run("history")
    assert "only reads" in run("rollback", "1", "--yes", code=1)
    with sqlite3.connect(shop.parent / "store" / "registry.db") as connection:
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        connection.execute("insert into search (search) values ('integrity-check')")
    profiles(f"{{{at}, publish: /nowhere/registry.db}}")
    edit("amount * 2", "amount * 3")
    assert "warning: the copy of the registry was not published" in run("apply", "--yes")
    assert "Nothing to do" in run("plan")


def test_the_library_says_when_a_copy_was_not_published(shop: Path) -> None:
    profiles("{type: sqlite, path: registry.db, publish: /nowhere/registry.db}")
    with FeatureStore(".") as store:
        registry = store.registry
        assert registry.apply() is not None
        assert registry.unpublished is not None and "/nowhere" in registry.unpublished
