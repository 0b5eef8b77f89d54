"""``asknown verify`` compares online reads with training (rule 9), and tells bugs from lags and late data."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from asknown import AsknownError, FeatureStore, OnlineReader
from asknown.checks.verify import Compared, LogVerification, Verification
from asknown.cli.group import main

NOON = datetime(2024, 1, 10, 12)
LATER = datetime(2024, 1, 11)
PROFILE = "shop: {target: dev, outputs: {dev: {type: duckdb, path: w.duckdb}}, online: {type: sqlite, path: online.db}}"
ORDERS = (
    "create or replace table orders as select i % 40 as customer, "
    "timestamp '2024-01-01' + i * interval '25 minutes' as ordered_at, "
    "ordered_at + interval '10 minutes' as loaded_at, i * 1.1::double as amount, "
    "case when i % 5 = 0 then null else i end as units from range(700) r(i) where ordered_at <= timestamp '2024-01-10'"
)


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A view with windows over a source that says when its rows were loaded, and a view over one that does not."""
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "shop"\n')
    (tmp_path / "profiles.yml").write_text(PROFILE)
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "shop.yml").write_text(
        "sources:\n- name: shop\n  tables:\n"
        "  - {name: orders, identifier: main.orders, timezone: UTC, loaded_at_field: loaded_at}\n"
        "  - {name: undated, identifier: main.orders, timezone: UTC}\n"
        "entities: [{name: customer, keys: [customer]}]\n"
        "feature_services: [{name: both, features: [orders, {view: undated, alias: u}]}]\n"
    )
    (tmp_path / "models" / "orders.sql").write_text(
        "{{ config(entity='customer', event_time='ordered_at', known_at='loaded_at', ttl='3 days') }}\n"
        "select customer, ordered_at, loaded_at, amount, units, sum(amount) over {{ last('7 days') }} as spent, "
        "stddev_samp(amount) over {{ last('9 days') }} as spread from {{ source('shop', 'orders') }}"
    )
    (tmp_path / "models" / "undated.sql").write_text(
        "{{ config(entity='customer', event_time='ordered_at') }}\n"
        "select customer, ordered_at, amount as last_amount from {{ source('shop', 'undated') }}"
    )
    (tmp_path / "models" / "asked.sql").write_text(
        "{{ config(inputs={'y': 'double'}) }}\nselect spent + y as more from {{ request('orders:spent') }}"
    )
    execute(tmp_path, ORDERS)
    with FeatureStore(tmp_path) as store:
        store.materialize(until=NOON)
    return tmp_path


def execute(shop: Path, sql: str) -> None:
    with duckdb.connect(str(shop / "w.duckdb")) as connection:
        connection.execute(sql)


def verify(shop: Path, *features: str, at: datetime = LATER, keys: int = 30) -> Verification:
    with FeatureStore(shop) as store:
        return store.checks.verify(list(features) or None, keys=keys, at=at)


def outcomes(found: Compared) -> dict[str, dict[str, int]]:
    return {feature.name: dict(feature.outcomes) for feature in found.features}


@pytest.mark.parametrize("at", [NOON, LATER, datetime(2024, 1, 19)])
def test_no_difference_after_a_load(shop: Path, at: datetime) -> None:
    found = verify(shop, at=at)
    assert {tuple(found) for found in outcomes(found).values()} == {("equal",)}
    assert found.compared == 5 * 30
    assert found.present > 25


def test_rows_that_came_after_the_load_are_a_lag(shop: Path) -> None:
    times = "timestamp '2024-01-10 20:00', timestamp '2024-01-10 20:05'"
    execute(shop, f"insert into orders select i, {times}, 5, 5 from range(10) r(i)")
    found = outcomes(verify(shop, "orders", keys=40))
    assert found["orders:amount"] == {"lag": 10, "equal": 30}
    assert found["orders:spent"] == {"lag": 10, "equal": 30}


def test_rows_that_came_after_the_read_are_late(shop: Path) -> None:
    """The rows count at the instant of the read, but reached the warehouse a day after it."""
    text = (shop / "models" / "orders.sql").read_text().replace(", known_at='loaded_at'", "")
    (shop / "models" / "orders.sql").write_text(text)
    with FeatureStore(shop) as store:
        store.materialize(until=NOON)
    execute(
        shop,
        "insert into orders select i, timestamp '2024-01-10 11:00', timestamp '2024-01-12', 5, 5 from range(10) r(i)",
    )
    found = outcomes(verify(shop, "orders", keys=40))
    assert found["orders:amount"] == {"late": 10, "equal": 30}


def test_a_stored_value_that_was_changed_is_a_bug(shop: Path) -> None:
    with closing(sqlite3.connect(shop / "online.db")) as connection:
        connection.execute("update orders set amount = amount + 1 where customer = 7")
        connection.commit()
    found = verify(shop, "orders", keys=40)
    assert outcomes(found)["orders:amount"] == {"bug": 1, "equal": 39}
    assert found.bugs == 1
    (example,) = (f.examples["bug"] for f in found.features if "bug" in f.examples)
    assert example.keys == {"customer": 7}
    assert example.online[0] == example.training[0] + 1
    arguments = ["verify", "orders", "--keys", "40", "--at", str(LATER), "--project", str(shop)]
    done = CliRunner().invoke(main, arguments)
    assert done.exit_code == 1
    assert "bug: orders:amount for customer = 7" in done.stdout
    rows = json.loads(CliRunner().invoke(main, [*arguments, "--format", "json"]).stdout)
    assert next(row for row in rows if row["feature"] == "orders:amount")["outcomes"] == {"bug": 1, "equal": 39}


def test_a_key_that_is_only_in_the_sources_is_compared(shop: Path) -> None:
    execute(shop, "insert into orders values (999, timestamp '2024-01-10 20:00', timestamp '2024-01-10 20:05', 5, 5)")
    found = verify(shop, "orders:amount", keys=100)
    assert outcomes(found) == {"orders:amount": {"equal": 40, "lag": 1}}
    (example,) = (f.examples["lag"] for f in found.features)
    assert example.online == (None, "NOT_FOUND") and example.training == (5.0, "PRESENT")


def test_sources_that_do_not_say_when_they_were_loaded(shop: Path) -> None:
    execute(shop, "update orders set amount = -1 where customer = 3")
    found = outcomes(verify(shop, "both", keys=40))
    assert found["undated:last_amount"] == {"equal": 39, "not replayable": 1}
    assert found["orders:amount"] == {"equal": 39, "bug": 1}  # edited in place: the hint of the command says so


def test_the_features_below_an_on_demand_view(shop: Path) -> None:
    assert outcomes(verify(shop, "asked")) == {"orders:spent": {"equal": 30}}


def test_what_cannot_be_compared(shop: Path) -> None:
    with pytest.raises(AsknownError, match="before") as caught:
        verify(shop, at=datetime(2024, 1, 2))
    assert caught.value.code == "before-watermark"
    with FeatureStore(shop) as store, pytest.raises(AsknownError) as caught:
        store.checks.verify("nobody")
    assert caught.value.code == "unknown-service"
    (shop / "models" / "new.sql").write_text((shop / "models" / "undated.sql").read_text())
    with pytest.raises(AsknownError, match="the online table has no view 'new'"):
        verify(shop, "new")


# -- logs --------------------------------------------------------------------------------------------------------------


def log_reads(shop: Path, *, customers: int = 40, at: datetime | None = LATER) -> Path:
    """A log of one read of each customer."""
    log = shop / "reads.jsonl"
    with closing(OnlineReader(shop / "online.db", log=log, sample=1)) as reader:
        for customer in range(customers):
            reader.get_online_features(["both"], [{"customer": customer}], at=at, full_feature_names=True)
    return log


def replayed(shop: Path, log: Path, **options: Any) -> LogVerification:
    with FeatureStore(shop) as store:
        return store.checks.verify_log(log, **options)


def test_a_log_without_differences(shop: Path) -> None:
    found = replayed(shop, log_reads(shop))
    assert found.rows == 40
    assert {tuple(counts) for counts in outcomes(found).values()} == {("equal",)}


def insert(shop: Path, customers: str, ordered_at: str, loaded_at: str) -> None:
    times = f"now()::timestamp {ordered_at}, now()::timestamp {loaded_at}"
    execute(shop, f"insert into orders select i, {times}, 5, 5 from range({customers}) r(i)")


def test_rows_that_came_after_a_logged_load_are_a_lag(shop: Path) -> None:
    """They were there at the instant of the read. What came after it changes nothing, or is late."""
    insert(shop, "10", "- interval 2 hour", "- interval 1 hour")
    log = log_reads(shop, at=None)
    insert(shop, "10, 20", "- interval 1 day", "+ interval 1 hour")
    found = replayed(shop, log)
    counted = outcomes(found)
    assert counted["orders:amount"] == {"equal": 30, "lag": 10}
    assert counted["u:last_amount"] == {"equal": 20, "not replayable": 20}
    assert found.oldest is not None and found.oldest > timedelta(days=100)


def test_one_logged_value_that_was_changed_is_a_bug(shop: Path) -> None:
    log = log_reads(shop)
    lines = log.read_text().splitlines()
    changed = json.loads(lines[7])
    changed["values"]["orders__amount"] += 1
    log.write_text("\n".join([*lines[:7], json.dumps(changed), *lines[8:], '{"half": ']))
    done = CliRunner().invoke(main, ["verify", "--log", str(log), "--project", str(shop)])
    assert done.exit_code == 1
    assert "bug: orders:amount for customer = 7" in done.stdout
    assert "1 lines of the log cannot be read" in done.stderr
    assert f"request {changed['request_id']}" in done.stdout


def test_a_log_of_another_definition_is_not_replayable(shop: Path) -> None:
    log = log_reads(shop)
    model = shop / "models" / "orders.sql"
    model.write_text(model.read_text().replace("amount, units", "amount * 2 as amount, units"))
    found = outcomes(replayed(shop, log))
    assert set(found["orders:amount"]) == {"not replayable"}
    assert set(found["orders:units"]) == {"equal"}


def _edit(shop: Path, name: str, before: str, after: str) -> None:
    model = shop / "models" / f"{name}.sql"
    assert before in model.read_text()
    model.write_text(model.read_text().replace(before, after))


def _apply(shop: Path) -> None:
    with FeatureStore(shop) as store:
        assert store.registry.apply(accept=["orders"]) is not None


def test_a_log_of_an_applied_definition_is_replayed_by_it(shop: Path) -> None:
    """Also where several came in between, and the type of a feature is another one today."""
    _apply(shop)
    log = log_reads(shop)
    _edit(shop, "orders", "amount, units", "amount * 2 as amount, units")
    _apply(shop)
    _edit(shop, "orders", "amount * 2 as amount, units", "amount::varchar as amount, units + 1 as units")
    _edit(shop, "orders", "'7 days'", "'8 days'")
    _apply(shop)
    found = replayed(shop, log)
    assert {tuple(counts) for counts in outcomes(found).values()} == {("equal",)}
    assert found.versions == ("orders@v1",)
    execute(shop, "update orders set amount = amount + 1 where customer = 7")
    counted = outcomes(replayed(shop, log))
    assert counted["orders:amount"]["bug"] == 1 and counted["orders:units"] == {"equal": 40}
    done = CliRunner().invoke(main, ["verify", "--log", str(log), "--project", str(shop)])
    assert "were replayed by orders@v1" in done.stderr


def test_a_log_of_two_definitions_is_replayed_by_each(shop: Path) -> None:
    _apply(shop)
    log = log_reads(shop)
    _edit(shop, "orders", "amount, units", "amount * 2 as amount, units")
    _apply(shop)
    with FeatureStore(shop) as store:
        store.materialize(until=NOON)
    log_reads(shop)
    insert(shop, "10", "- interval 2 hour", "- interval 1 hour")
    found = replayed(shop, log)
    assert outcomes(found)["orders:amount"] == {"equal": 80}
    assert found.versions == ("orders@v1",)


def test_a_log_of_another_expression_on_demand_is_replayed_by_it(shop: Path) -> None:
    _apply(shop)
    log = shop / "asked.jsonl"
    with closing(OnlineReader(shop / "online.db", log=log, sample=1)) as reader:
        for customer in range(40):
            reader.get_online_features(["asked"], [{"customer": customer, "y": 1.5}], at=LATER)
    assert outcomes(replayed(shop, log)) == {"asked:more": {"equal": 40}}
    _edit(shop, "asked", "spent + y", "spent - y")
    assert outcomes(replayed(shop, log))["asked:more"]["equal"] == 40
    _edit(shop, "orders", "'7 days'", "'1 day'")
    _apply(shop)
    found = replayed(shop, log)
    assert outcomes(found)["asked:more"]["equal"] == 40
    assert found.versions == ("asked@v1",)


def test_columns_that_are_hidden_cannot_be_compared(shop: Path) -> None:
    log = shop / "reads.jsonl"
    with closing(OnlineReader(shop / "online.db", log=log, sample=1, hash=["customer"])) as reader:
        reader.get_online_features(["both"], [{"customer": 3}], full_feature_names=True)
    found = replayed(shop, log)
    assert (found.rows, found.hidden) == (0, 1)
    done = CliRunner().invoke(main, ["verify", "--log", str(log), "--project", str(shop)])
    assert done.exit_code == 1
    assert "hashes or leaves out" in done.stderr and "nothing was compared" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--since", "1 day"], "give --log PATH, too"),
        (["orders", "--log", "reads.jsonl"], "leave out FEATURES"),
        (["--log", "nowhere"], "the log nowhere does not exist"),
        (["--log", "models/shop.yml"], "is no log of online reads"),
        (["--log", "models"], "models has no log"),
        (["--log", "reads.jsonl", "--service", "boht"], "did you mean 'both'"),
        (["--log", "reads.jsonl", "--since", "yestreday"], "give a duration"),
    ],
)
def test_what_verify_refuses(shop: Path, arguments: list[str], message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    log_reads(shop, customers=1)
    monkeypatch.chdir(shop)
    done = CliRunner().invoke(main, ["verify", *arguments])
    assert done.exit_code in (1, 2)
    assert message in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_the_values_in_the_online_table_are_profiled(shop: Path) -> None:
    done = CliRunner().invoke(main, ["profile", "both", "--online", "--format", "json", "--project", str(shop)])
    rows = {row["feature"]: row for row in json.loads(done.stdout)}
    assert set(rows) == {"orders:amount", "orders:units", "orders:spent", "orders:spread", "undated:last_amount"}
    assert rows["undated:last_amount"]["rows"] == 40 and rows["undated:last_amount"]["nulls"] == 0
    assert rows["orders:amount"]["statuses"] == {"OUTSIDE_MAX_AGE": 40}
    (shop / "models" / "new.sql").write_text((shop / "models" / "undated.sql").read_text())
    done = CliRunner().invoke(main, ["profile", "new", "--online", "--project", str(shop)])
    assert done.exit_code == 1 and "asknown materialize new" in done.stderr
