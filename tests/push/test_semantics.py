"""What a pushed row may be, and what becomes of it (rule 14): each outcome is defined, counted and durable."""

from __future__ import annotations

import json
import shutil
import sqlite3
import subprocess
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from shop import FOLLOWERS, PUSH, SOURCE, edit_files, now, offline_ids, order, write_file, write_shop
from sqlglot import parse_one

import forked
from asknown import AsknownError, FeatureStore
from asknown.cli.pushed import read_rows
from asknown.model import row_path
from asknown.online.backend import inspect_table
from asknown.serve.messages import MessageError, read_json
from asknown.store import landing, push
from asknown.store.push import PushWriter


def read(store: FeatureStore, view: str = "totals", customer: int = 1, at: Any = None) -> dict[str, Any]:
    (row,) = store.get_online_features(view, [{"customer_id": customer}], at=at).rows()
    return row


def refused(store: FeatureStore, row: Any, **more: Any) -> AsknownError:
    with pytest.raises(AsknownError) as caught:
        store.push("orders", [order(99), row], **more)
    assert read(store)["spent"] == 10.0, "no row of a refused request is pushed"
    return caught.value


def test_a_row_is_readable_durable_and_queued_when_it_is_acknowledged(store: FeatureStore, shop: Path) -> None:
    answer = store.push("orders", [order(1, amount=5.0), order(2, 2, amount=None)])
    assert answer.to_dict() == {
        "seq": 2, "rows": 2, "new": 2, "older": 0, "duplicates": 0, "late": 0, "skipped": 0,
        "views": sorted(FOLLOWERS),
    }  # fmt: skip
    found = read(store)
    assert (found["spent"], found["note"]) == (15.0, "n")
    assert read(store, "newest")["twice"] == 10.0
    with closing(sqlite3.connect(shop / "online.db")) as connection:
        rows = connection.execute("select seq, source, row from _asknown_outbox order by seq").fetchall()
    assert [(seq, source, json.loads(row)["order_id"]) for seq, source, row in rows] == [
        (1, "shop.orders", "o1"),
        (2, "shop.orders", "o2"),
    ]


def test_another_reader_sees_the_row_as_soon_as_it_is_acknowledged(store: FeatureStore, shop: Path) -> None:
    with FeatureStore(shop) as other:
        assert read(other)["spent"] == 10.0
        for number in range(20):
            store.push("orders", [order(number, amount=1.0)])
            assert read(other)["spent"] == 11.0 + number


def test_a_duplicate_changes_nothing_and_is_counted(store: FeatureStore) -> None:
    row = order(1, amount=5.0)
    assert store.push("orders", [row, row | {"amount": 7.0}]).duplicates == 1
    answer = store.push("orders", [row | {"amount": 9.0}])
    assert (answer.duplicates, answer.new, answer.seq) == (1, 0, 1)
    assert read(store)["spent"] == 15.0


def test_an_id_is_forgotten_after_dedupe(shop: Path) -> None:
    write_shop(shop, source=SOURCE % PUSH.replace("}", ", dedupe: '0 seconds'}"))
    with FeatureStore(shop) as store:
        row = order(1, amount=5.0)
        store.push("orders", [row])
        store.push("orders", [order(2, amount=5.0)])
        assert store.push("orders", [row]).duplicates == 0


def test_a_late_row_counts_in_windows_and_wins_no_key(store: FeatureStore) -> None:
    answer = store.push("orders", [order(1, ago=7200, amount=5.0, note="late")])
    assert (answer.older, answer.new) == (0, 1), "in 'announced' it is the newest"
    found = read(store)
    assert (found["spent"], found["note"]) == (15.0, "n")
    assert read(store, "plain")["amount"] == 10.0


def test_a_row_that_becomes_visible_later_counts_as_new_and_from_its_instant_on(store: FeatureStore) -> None:
    row = order(1, 5, amount=5.0)
    assert store.push("orders", [row]).new == 1
    due = row["ordered_at"] + timedelta(hours=2)
    assert read(store, "announced", 5)["spent"] is None
    assert read(store, "announced", 5, at=due - timedelta(microseconds=1))["amount"] is None
    assert read(store, "announced", 5, at=due) == {"customer_id": 5, "amount": 5.0, "spent": 5.0}


def test_a_late_row_before_every_window_is_counted_as_late(store: FeatureStore, shop: Path) -> None:
    store.push("orders", [order(0, ago=3 * 3600, amount=0.0)])
    answer = store.push("orders", [order(1, ago=30 * 86400, amount=5.0)])
    assert (answer.late, answer.older, answer.new) == (1, 0, 0)
    assert read(store)["spent"] == 10.0
    landing.land_all(store.project, wait=0)
    assert "o1" in offline_ids(shop)


def test_a_row_without_a_key_or_an_event_time_is_kept_offline(store: FeatureStore, shop: Path) -> None:
    answer = store.push("orders", [order(1, None), order(2) | {"ordered_at": None}])
    assert (answer.skipped, answer.new) == (2, 0)
    assert read(store)["spent"] == 10.0
    landing.land_all(store.project, wait=0)
    assert {"o1", "o2"} <= set(offline_ids(shop))


def test_a_row_of_the_future_is_refused_beyond_max_skew_and_waits_within(store: FeatureStore) -> None:
    assert refused(store, order(1, ago=-60)).code == "push-future"
    began = time.monotonic()
    row = order(2, ago=-1.0, amount=5.0)
    store.push("orders", [row])
    assert 0.8 < time.monotonic() - began < 5
    assert now() >= row["ordered_at"]
    assert read(store)["spent"] == 15.0


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"amount": "5"}, "'amount' is DOUBLE, and the str '5' was given"),
        ({"customer_id": "1"}, "'customer_id' is BIGINT"),
        ({"customer_id": 2**63}, "'customer_id' is BIGINT"),
        ({"customer_id": 1.5}, "'customer_id' is BIGINT"),
        ({"note": 7}, "'note' is VARCHAR"),
        ({"ordered_at": "yesterday"}, "'ordered_at' is TIMESTAMP"),
        ({"order_id": None}, "its id 'order_id' is NULL"),
        ({"_arrived": now()}, "it brings '_arrived', which is the arrival"),
        ({"_seq": 7}, "the source has no column '_seq'"),
        ({"colour": "red"}, "the source has no column 'colour'"),
    ],
)
def test_a_value_of_another_type_or_column_is_refused(store: FeatureStore, change: Any, said: str) -> None:
    error = refused(store, order(1) | change)
    assert error.code == "push-row" and said in error.message and "row 2 for 'shop.orders'" in error.message
    assert error.hint


def test_a_partial_row_is_refused(store: FeatureStore) -> None:
    row = order(1)
    del row["note"]
    error = refused(store, row)
    assert "it lacks 'note'" in error.message and error.hint == "send null where there is no value: note: null"


def test_a_partial_request_pushes_the_other_rows_and_names_those_refused(store: FeatureStore) -> None:
    answer = store.push("orders", [order(1, amount=5.0), order(2) | {"note": 1}, order(3, ago=-60)], partial=True)
    assert (answer.rows, answer.new) == (3, 1)
    assert [(o.row, o.code) for o in answer.outcomes] == [(2, "push-row"), (3, "push-future")]
    assert read(store)["spent"] == 15.0


def test_what_json_has_no_type_for_is_read_from_text(store: FeatureStore) -> None:
    row = order(1, amount=5) | {"ordered_at": f"{now().isoformat()}Z"}
    assert store.push("orders", [row]).new == 1
    assert read(store)["spent"] == 15.0


NUMBERS = [
    ("1e400", None),
    ("1e-400", None),
    ("0.12345678901234567891", None),
    ("0.1000000000000000055", 0.1),
    ("179769313486231570000000000000000000000.0", 1.7976931348623157e38),
    ("0.10", 0.1),
    ("8", 8.0),
]


@pytest.mark.parametrize(("text", "number"), NUMBERS)
def test_a_number_that_no_float_keeps_is_refused(
    store: FeatureStore, tmp_path: Path, text: str, number: float | None
) -> None:
    line = '{"order_id": "n", "customer_id": 1, "ordered_at": "%s", "amount": %s, "note": null}'
    (tmp_path / "rows.jsonl").write_text(line % (datetime.now(UTC).isoformat(), text))
    (row,) = read_rows(str(tmp_path / "rows.jsonl"), {})
    message = read_json((tmp_path / "rows.jsonl").read_bytes())
    assert message == row
    if number is None:
        with pytest.raises(AsknownError, match="'amount' is DOUBLE"):
            store.push("orders", [row])
    else:
        assert store.push("orders", [row]).new == 1
        assert store.get_online_features(["newest:twice"], [{"customer_id": 1}]).to_dict()["twice"] == [number * 2]


def test_an_object_with_a_key_twice_is_no_row(tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"a": 1, "a": 2}')
    with pytest.raises(AsknownError, match="an object has the key 'a' twice"):
        read_rows(str(tmp_path / "rows.jsonl"), {})
    with pytest.raises(MessageError, match="an object has the key 'a' twice"):
        read_json(b'{"a": 1, "a": 2}')


def test_a_source_without_an_id_that_feeds_windows_needs_ids(shop: Path) -> None:
    write_shop(shop, source=SOURCE % PUSH.replace("id: order_id, ", ""))
    with FeatureStore(shop) as store:
        with pytest.raises(AsknownError) as caught:
            store.push("orders", [order(1)])
        assert caught.value.code == "push-no-id" and "'announced'" in caught.value.message
        assert store.push("orders", [order(1, amount=5.0)], ids=["k"]).new == 1
        assert store.push("orders", [order(1, amount=5.0)], ids=["k"]).duplicates == 1
        assert read(store)["spent"] == 15.0


def test_a_batch_only_view_follows_loads_alone(store: FeatureStore) -> None:
    before = read(store, "ranked")
    answer = store.push("orders", [order(1, amount=5.0)])
    assert "ranked" not in answer.views
    assert read(store, "ranked") == before
    store.materialize(allow_shrink=True)
    assert read(store, "ranked")["amount"] == 15.0
    why = {path.view: path.why_not for path in store.push_writer().paths()}
    assert why["ranked"] == "'ranked' reads more than one relation"
    assert [view for view, reason in why.items() if reason is None] == sorted(FOLLOWERS)


def test_a_read_before_the_last_push_is_an_error(store: FeatureStore) -> None:
    at = now()
    assert read(store, at=at)["spent"] == 10.0
    store.push("orders", [order(1)])
    with pytest.raises(AsknownError) as caught:
        read(store, at=at)
    assert caught.value.code == "before-watermark" and "a row was pushed" in caught.value.message
    assert read(store, "ranked", at=at)["amount"] == 20.0, "it does not follow pushes"


def test_a_read_as_of_now_is_never_before_the_last_push(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    there = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: there() + 60_000_000_000)  # the writer's clock is a minute ahead
    store.push("orders", [order(1, amount=5.0)])
    monkeypatch.undo()
    response = store.get_online_features("totals", [{"customer_id": 1}])
    assert next(iter(response.rows()))["spent"] == 15.0
    assert response.at.replace(tzinfo=None) > now() + timedelta(seconds=50)


def test_a_clock_that_steps_back_steps_no_arrival_back(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.push("orders", [order(1, ago=600)])
    there = time.time_ns
    monkeypatch.setattr(time, "time_ns", lambda: there() - 300_000_000_000)
    store.push("orders", [order(2, ago=600)])
    monkeypatch.undo()
    assert read(store)["spent"] == 12.0
    with closing(sqlite3.connect(store.project.profile.online.address)) as connection:
        arrivals = [at for (at,) in connection.execute("select at from _asknown_outbox order by seq")]
    assert arrivals[1] == arrivals[0] + 1


def test_a_row_that_the_sql_fails_for_fails_alone(shop: Path) -> None:
    write_shop(shop, views={"plain": PLAIN_CAST})
    with FeatureStore(shop) as store:
        store.materialize()
        writer = store.push_writer()
        good = [writer.submit("orders", [order(number, note="7")]) for number in range(5)]
        bad = writer.submit("orders", [order("bad", note="seven")])
        good += [writer.submit("orders", [order(number, note="7")]) for number in range(5, 9)]
        assert sum(future.result().new for future in good) == 9
        with pytest.raises(AsknownError) as caught:
            bad.result()
        assert caught.value.code == "push-row" and "the SQL of 'plain' fails" in caught.value.message


PLAIN_CAST = """
{{ config(entity='customer', event_time='ordered_at') }}
select customer_id, ordered_at, case when note = 'n' then 0 else cast(note as bigint) end as seven
from {{ source('shop', 'orders') }}
"""


def test_a_view_of_another_definition_stops_pushes_until_it_is_loaded(shop: Path) -> None:
    newer = {"plain": PLAIN_CAST.replace("as seven", "as eight")}
    write_shop(shop, views=newer)
    with FeatureStore(shop) as store:
        with pytest.raises(AsknownError) as caught:
            store.push("orders", [order(1, note="8")])
        assert caught.value.code == "online-stale" and "asknown materialize plain" in str(caught.value.hint)
        store.materialize()
        assert read(store, "plain")["eight"] == 0
    with FeatureStore(shop) as store:
        store.push("orders", [order(2, note="8")])
        assert read(store, "plain")["eight"] == 8


def test_two_processes_push_and_neither_loses_or_repeats_a_number(store: FeatureStore, shop: Path) -> None:
    code = (
        "import sys; sys.path[:0] = sys.argv[2:]\n"
        "from shop import order\nfrom asknown import FeatureStore\n"
        "with FeatureStore(sys.argv[1]) as store:\n"
        "    for n in range(30): store.push('orders', [order(f'other{n}', amount=1.0)])\n"
    )
    paths = [str(Path(__file__).parent), str(Path(__file__).parents[1])]
    other = subprocess.Popen([forked.python(), "-c", code, str(shop), *paths])
    for number in range(30):
        store.push("orders", [order(number, amount=1.0)])
    assert other.wait(120) == 0
    assert read(store)["spent"] == 70.0
    landing.land_all(store.project, wait=10)
    assert len(set(offline_ids(shop))) == len(offline_ids(shop)) == 61


def test_many_callers_share_commits(store: FeatureStore) -> None:
    writer = store.push_writer()
    threads = [
        threading.Thread(target=lambda n=n: [writer.push("orders", [order(f"{n}-{i}")]) for i in range(5)])
        for n in range(16)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read(store)["spent"] == 90.0
    assert store.push("orders", [order("last")]).seq == 81


def test_a_full_queue_is_an_error(store: FeatureStore, monkeypatch: pytest.MonkeyPatch) -> None:
    with PushWriter(store.project, lambda: FeatureStore(store.project.settings.root), waiting=3) as writer:
        waits = writer.submit("orders", [order(number, ago=-1.5) for number in range(3)])
        with pytest.raises(AsknownError) as caught:
            writer.submit("orders", [order(9)])
        assert caught.value.code == "push-full"
        assert waits.result().new == 3


# -- loads beside pushes ---------------------------------------------------------------------------------------------


def test_load_keeps_unseen_rows_that_are_pushed_while_it_runs(
    store: FeatureStore, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from asknown.store import materialize

    write = materialize._write_loads
    with FeatureStore(shop) as other:

        def pushes_first(*given: Any) -> Any:
            assert other.push("orders", [order(1, amount=5.0)]).new == 1  # the queries have run, the table is free
            with pytest.raises(AsknownError, match="another load is writing"):
                landing.try_landing(other.project)
            return write(*given)

        monkeypatch.setattr(materialize, "_write_loads", pushes_first)
        store.materialize()
        monkeypatch.undo()
        assert read(store)["spent"] == 15.0
        assert read(store, "newest")["twice"] == 10.0
        store.materialize()
        assert read(store)["spent"] == 15.0


def test_load_replaces_seen_rows_that_the_warehouse_corrected(store: FeatureStore, shop: Path) -> None:
    store.push("orders", [order(1, amount=5.0), order(2, 2, amount=5.0)])
    landing.land_all(store.project, wait=0)
    edit_files(shop, "update t set amount = 1 where order_id = 'o1'; delete from t where order_id = 'o2'")
    store.materialize(allow_shrink=True)
    assert read(store)["spent"] == 11.0
    assert read(store, "newest", 2)["twice"] is None


def test_two_loads_of_which_the_second_has_nothing_to_do_write_nothing(store: FeatureStore, shop: Path) -> None:
    store.push("orders", [order(1, amount=5.0)])
    until = now()
    store.materialize(until=until)
    content = (shop / "online.db").read_bytes()
    store.materialize(until=until)
    assert (shop / "online.db").read_bytes() == content


def test_a_load_as_of_the_past_keeps_the_rows_that_were_pushed_since(store: FeatureStore) -> None:
    time.sleep(0.01)
    until = now()
    store.push("orders", [order(1, amount=5.0)])
    store.materialize(until=until)
    assert read(store)["spent"] == 15.0
    with pytest.raises(AsknownError) as caught:
        store.materialize(until=until, full_refresh=True)
    assert caught.value.code == "load-older"


def test_a_file_with_the_id_of_a_pushed_row_stops_the_load(store: FeatureStore, shop: Path) -> None:
    row = order(1, amount=5.0)
    store.push("orders", [row])
    write_file(shop, "again.parquet", [row | {"_arrived": now()}])
    with pytest.raises(AsknownError) as caught:
        store.materialize()
    assert caught.value.code == "push-twice"
    assert "again.parquet" in caught.value.message and "'o1'" in caught.value.message
    assert read(store)["spent"] == 15.0


def test_a_new_online_table_goes_on_with_the_numbers_of_the_landed_files(shop: Path) -> None:
    with FeatureStore(shop) as store:
        store.push("orders", [order(1), order(2)])
    for file in shop.glob("online.db*"):
        file.unlink()
    with FeatureStore(shop) as store:
        store.materialize()
        assert store.push("orders", [order(3)]).seq == 3
        assert read(store)["spent"] == 13.0


def test_plans_are_not_made_again_after_pushes(store: FeatureStore) -> None:
    read(store)
    read(store, "newest")
    assert store._reader is not None
    backend: Any = store._reader._backend
    plans = dict(backend.sessions.current().plans)
    assert len(plans) == 2
    for number in range(200):
        store.push("orders", [order(number)])
        read(store)
        read(store, "newest")
        if number == 100:
            store._reader.views()  # reads the metadata again
    now_there = backend.sessions.current().plans
    assert {shape: id(plan) for shape, plan in now_there.items()} == {shape: id(plan) for shape, plan in plans.items()}


def test_verify_finds_no_difference_after_pushes(store: FeatureStore) -> None:
    store.push("orders", [order(number, number % 3, ago=number, amount=0.1) for number in range(50)])
    found = store.checks.verify(["totals", "newest", "announced"])
    assert found.compared > 20 and found.present > 10
    assert {outcome for feature in found.features for outcome in feature.outcomes} == {"equal"}, found


def test_check_says_which_views_follow_and_what_keeps_the_others(store: FeatureStore, shop: Path) -> None:
    done = subprocess.run(
        [forked.asknown(), "--project", str(shop), "check"], capture_output=True, text=True, check=False
    )
    said = done.stderr.splitlines()
    assert "'totals' follows pushes into shop.orders" in said
    assert "'ranked' does not follow pushes into shop.orders, only loads: 'ranked' reads more than one relation" in said
    assert [path.view for path in store.push_paths() if path.why_not is None] == sorted(FOLLOWERS)


def test_check_needs_no_file_of_a_source_whose_columns_are_listed(shop: Path) -> None:
    shutil.rmtree(shop / "data")
    with FeatureStore(shop) as store:
        assert {finding.code for finding in store.check() if finding.severity == "error"} == {"known-at-missing"}


BREAKS = {
    "a join": "select a.* from t as a join t as b on a.id = b.id",
    "an aggregate": "select id, sum(x) as x from t",
    "GROUP BY": "select id from t group by id",
    "DISTINCT": "select distinct id from t",
    "LIMIT": "select id from t limit 3",
    "a set operation": "select id from t union all select id from t",
    "UNNEST": "select id, unnest(xs) as x from t",
    "a window": "select id, row_number() over (order by id) as n from t",
    "a subquery": "select id, (select max(x) from t) as most from t",
    "a table function": "select * from range(3)",
    "a SELECT without FROM": "select 1 as id",
    "a function that may see other rows, or chance": "select id, product(x) as x from t",
}


@pytest.mark.parametrize("words", BREAKS)
def test_what_is_not_row_by_row_breaks_the_path(words: str) -> None:
    found = row_path.break_of(parse_one(BREAKS[words], dialect="duckdb"))
    assert found is not None and row_path.words_for(found) == words


@pytest.mark.parametrize(
    "sql",
    [
        "select id, x * 2 as y, case when x > 1 then 'a' end as z from t where x is not null",
        "with a as (select * from t), b as (select id, upper(s) as s from a where id > 1) select * from b",
        "select id from (select id, x from t) as s where x in (1, 2)",
        "select id, date_trunc('day', at) as day, at + interval '1 hour' as later, coalesce(x, 0) as x from t",
    ],
)
def test_projections_filters_and_expressions_do_not(sql: str) -> None:
    assert row_path.break_of(parse_one(sql, dialect="duckdb")) is None


def test_doctor_covers_the_tables_of_pushes(store: FeatureStore, shop: Path) -> None:
    store.push("orders", [order(1, amount=5.0)])
    path = shop / "online.db"
    assert [check.state for check in inspect_table(path).checks if check.check == "content"] == ["ok"] * 6
    (waiting,) = [check for check in inspect_table(path).checks if check.check == "pushes"]
    assert waiting.state == "note" and waiting.facts["waiting"] == 1
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute('delete from "totals.pushed"')
    (found,) = [check for check in inspect_table(path).checks if check.check == "content" and check.state == "act"]
    assert found.of == "totals.pushed"


def test_a_row_that_breaks_a_contract_is_refused(shop: Path) -> None:
    contract = """
models:
  - name: plain
    contract: {enforced: true}
    columns:
      - {name: customer_id, data_type: bigint}
      - {name: ordered_at, data_type: timestamp}
      - {name: amount, data_type: double, constraints: [{type: not_null}]}
      - {name: note, data_type: varchar}
"""
    write_shop(shop, source=SOURCE % PUSH + contract)
    with FeatureStore(shop) as store:
        store.materialize()
        with pytest.raises(AsknownError) as caught:
            store.push("orders", [order(1, amount=None)])
        assert caught.value.code == "contract" and "'amount' of 'plain'" in caught.value.message
        assert store.push("orders", [order(1, amount=1.0)]).new == 1


# -- the declaration -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("push_rules", "code", "said"),
    [
        ("{event_time: ordered_at, known_at: a}", "missing-key", "lacks 'land'"),
        ("{id: order_id}", "missing-key", "lacks 'event_time', 'known_at', 'land'"),
        ("{event_time: ordered_at, known_at: a, land: data/orders, colour: red}", "unknown-key", "has no key 'colour'"),
        ("{event_time: ordered, known_at: a, land: data/orders}", "push-source", "'ordered', which is not among"),
        ("{id: no, event_time: ordered_at, known_at: a, land: data/orders}", "push-source", "'no', which is not"),
        ("{event_time: amount, known_at: a, land: data/orders}", "push-source", "which is no instant"),
        ("{event_time: ordered_at, known_at: note, land: data/orders}", "push-source", "arrivals are timestamps"),
        ("{event_time: ordered_at, known_at: a, land: data/other}", "push-source", "are not read by the path"),
        ("{event_time: ordered_at, known_at: a, land: data/orders, max_skew: soon}", "bad-duration", "'soon'"),
    ],
)
def test_a_declaration_that_cannot_be_is_an_error(tmp_path: Path, push_rules: str, code: str, said: str) -> None:
    write_shop(tmp_path, source=SOURCE % push_rules)
    with pytest.raises(AsknownError) as caught:
        FeatureStore(tmp_path)
    assert caught.value.code == code and said in caught.value.message
    assert caught.value.at is not None and caught.value.at.path == "models/shop.yml"


def test_a_file_without_a_column_of_the_source_is_an_error(store: FeatureStore, shop: Path) -> None:
    import duckdb

    with duckdb.connect() as connection:
        connection.execute(f"copy (select 'x' as order_id) to '{shop}/data/orders/other.parquet' (format parquet)")
    with pytest.raises(AsknownError) as caught:
        store.materialize()
    assert caught.value.code == "push-source" and "has no column 'customer_id'" in caught.value.message


def test_an_unknown_source_or_one_that_takes_no_pushes_is_an_error(store: FeatureStore) -> None:
    with pytest.raises(AsknownError) as caught:
        store.push("order", [])
    assert caught.value.code == "unknown-source" and "shop.orders" in str(caught.value.hint)
    assert store.push("shop.orders", []).rows == 0


def test_models_do_not_see_the_numbers_of_landed_rows(store: FeatureStore) -> None:
    store.push("orders", [order(1)])
    landing.land_all(store.project, wait=0)
    store.typed_catalog.columns("cleaned")
    columns = store.typed_catalog.sources.columns(("shop", "orders"))
    assert [column.name for column in columns][-1] == "_arrived"


def test_rows_land_after_a_while_by_themselves(
    store: FeatureStore, shop: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(push, "_LAND_ROWS", 3)
    store.push("orders", [order(number) for number in range(3)])
    until = time.monotonic() + 20
    while not list((shop / "data" / "orders").glob("push-1-3.parquet")):
        assert time.monotonic() < until
        time.sleep(0.02)
    assert sorted(offline_ids(shop)) == ["o0", "o1", "o2", "ofirst"]
    assert Decimal(read(store)["spent"]) == 13
