"""Messages of a Kafka topic are pushed once each, whatever stops the process. The broker is librdkafka's own mock."""

from __future__ import annotations

import base64
import io
import json
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import confluent_kafka
import fastavro
import pytest
from shop import offline_ids, order

import forked
from asknown import AsknownError, FeatureStore
from asknown.serve.kafka import TopicPush, TopicReader, check_ids, parse_topic, read_config
from asknown.serve.messages import AvroMessages, MessageError, decoder, read_debezium, read_json
from asknown.store.push_paths import find_pushable

ASKNOWN = Path(sys.executable).with_name("asknown")


class Broker:
    """A mock cluster, and a producer for it."""

    def __init__(self) -> None:
        self._producer = confluent_kafka.Producer(
            {"test.mock.num.brokers": 1, "bootstrap.servers": "mock", "log_level": 0}
        )
        (broker,) = self._producer.list_topics(timeout=10).brokers.values()
        self.address = f"{broker.host}:{broker.port}"

    def send(self, topic: str, *values: Any, partition: int = 0) -> None:
        """Sends messages; what is not bytes is sent as JSON."""
        for value in values:
            data = value if value is None or isinstance(value, bytes) else json.dumps(value, default=str).encode()
            self._producer.produce(topic, data, partition=partition, key=b"k")
        assert self._producer.flush(10) == 0


@pytest.fixture(scope="module")
def broker() -> Broker:
    return Broker()


@pytest.fixture
def topic(broker: Broker, request: pytest.FixtureRequest) -> str:
    """The name of a topic of the test's own."""
    return f"t{abs(hash(request.node.nodeid))}"


def take(store: FeatureStore, broker: Broker, topic: str, count: int, **options: Any) -> TopicPush:
    """Pushes messages until ``count`` of them have been taken."""
    pushing = TopicPush(store.push_writer(), "orders", options.pop("decode", read_json), **options)
    stop = threading.Event()
    with TopicReader(parse_topic(f"kafka://{broker.address}/{topic}"), {}) as reader:
        failed: list[BaseException] = []

        def run() -> None:
            try:
                pushing.run(reader, stop)
            except AsknownError as error:
                failed.append(error)

        thread = threading.Thread(target=run)
        thread.start()
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline and thread.is_alive():
            if pushing.taken.counts["rows"] + pushing.taken.bad >= count:
                break
            time.sleep(0.02)
        stop.set()
        thread.join()
    if failed:
        raise failed[0]
    return pushing


def spent(store: FeatureStore, customer: int) -> Any:
    return store.get_online_features("totals:spent", [{"customer_id": customer}]).to_dict()["spent"][0]


def test_messages_are_pushed_and_a_restart_goes_on(store: FeatureStore, broker: Broker, topic: str) -> None:
    broker.send(topic, *[order(f"k{n}", 7, amount=1.0) for n in range(30)])
    broker.send(topic, *[order(f"m{n}", 7, amount=1.0) for n in range(20)], partition=2)
    first = take(store, broker, topic, 50)
    assert first.taken.counts == {"rows": 50, "new": 50, "older": 0, "late": 0, "duplicates": 0, "skipped": 0}
    assert spent(store, 7) == 50.0
    broker.send(topic, order("k30", 7, amount=2.0))
    second = take(store, broker, topic, 1)
    assert second.taken.counts["rows"] == second.taken.counts["new"] == 1
    assert spent(store, 7) == 52.0


def test_a_repeated_message_counts_once(store: FeatureStore, broker: Broker, topic: str) -> None:
    row = order("twice", 8, amount=3.0)
    broker.send(topic, row, row)
    assert take(store, broker, topic, 2).taken.counts["duplicates"] == 1
    assert spent(store, 8) == 3.0


def test_a_message_that_is_no_row_stops_after_those_before_it(store: FeatureStore, broker: Broker, topic: str) -> None:
    broker.send(topic, order("good", 9, amount=4.0), b"{not json", order("after", 9, amount=5.0))
    for _ in range(2):  # it stays in the way
        with pytest.raises(AsknownError, match=r"offset 1 of partition 0 of .* is no row of 'orders': it is not JSON"):
            take(store, broker, topic, 3)
    assert spent(store, 9) == 4.0


def test_bad_messages_are_written_and_the_others_pushed(
    store: FeatureStore, broker: Broker, topic: str, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.jsonl"
    wrong = order("wrong", 9) | {"amount": "much"}
    broker.send(topic, order("g1", 10, amount=1.0), b"\xff\xfe", wrong, None, order("g2", 10, amount=2.0), b"[]")
    pushed = take(store, broker, topic, 6, bad=bad)
    assert (pushed.taken.counts["rows"], pushed.taken.bad) == (2, 4)
    assert spent(store, 10) == 3.0
    lines = [json.loads(line) for line in bad.read_text().splitlines()]
    assert [line["offset"] for line in lines] == [1, 2, 3, 5]
    assert lines[0]["value_base64"] == base64.b64encode(b"\xff\xfe").decode() and lines[2]["value"] is None
    assert "'amount' is DOUBLE, and the str 'much' was given" in lines[1]["why"] and lines[1]["key"] == "k"
    broker.send(topic, order("g3", 10, amount=3.0))
    again = take(store, broker, topic, 1, bad=bad)
    assert (again.taken.counts["rows"], again.taken.bad) == (1, 0)


def test_a_row_that_a_view_fails_for_is_found(store: FeatureStore, broker: Broker, topic: str, tmp_path: Path) -> None:
    view = """
{{ config(entity='customer', event_time='ordered_at', known_at='_arrived') }}
select customer_id, ordered_at, _arrived, cast(note as integer) as n from {{ source('shop', 'orders') }}
"""
    (store.project.settings.root / "models" / "counted.sql").write_text(view)
    rows = [order(f"c{n}", 11, amount=1.0, note="12") for n in range(20)]
    rows[13]["note"] = "dozen"
    broker.send(topic, *rows)
    with FeatureStore(store.project.settings.root) as anew:
        anew.push("orders", [order("before", 11, note="1")])
        for file in (store.project.settings.root / "data" / "orders").glob("history*"):
            file.unlink()  # its notes are no numbers
        anew.materialize(views="counted", allow_shrink=True)
        bad = tmp_path / "bad.jsonl"
        pushed = take(anew, broker, topic, 20, bad=bad)
        assert (pushed.taken.counts["rows"], pushed.taken.bad) == (19, 1)
        assert [json.loads(line)["offset"] for line in bad.read_text().splitlines()] == [13]
        assert take(anew, broker, topic, 0).taken.counts["rows"] == 0


def test_no_broker_and_no_topic_are_one_error(store: FeatureStore, broker: Broker, monkeypatch: Any) -> None:
    monkeypatch.setattr("asknown.serve.kafka._TIMEOUT", 0.5)
    with pytest.raises(AsknownError, match="no broker answers at localhost:1: "):
        TopicPush(store.push_writer(), "orders", read_json).run(
            TopicReader(parse_topic("kafka://localhost:1/orders"), {}), threading.Event()
        )
    with pytest.raises(AsknownError, match=r"'nowhere' cannot be read: .*Unknown topic"):
        take(store, broker, "nowhere", 1)


@pytest.mark.parametrize("url", ["orders", "http://a/b", "kafka://host", "kafka:///orders", "kafka://h/a/b"])
def test_an_address_that_is_none_is_refused(url: str) -> None:
    with pytest.raises(AsknownError, match="is no address of a topic"):
        parse_topic(url)


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(AsknownError, match="no name or password") as caught:
        parse_topic("kafka://user:hunter22@host/orders")
    assert "hunter22" not in str(caught.value)


def test_settings_are_read_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "kafka.conf"
    file.write_text("# ours\n\nsecurity.protocol = SASL_SSL\nsasl.password=a=b#c\n")
    assert read_config(file) == {"security.protocol": "SASL_SSL", "sasl.password": "a=b#c"}
    file.write_text("enable.auto.commit=true\n")
    with pytest.raises(AsknownError, match=r"line 1 sets enable.auto.commit, which asknown sets itself"):
        read_config(file)
    file.write_text("hunter22\n")
    with pytest.raises(AsknownError, match="line 1 is no setting") as caught:
        read_config(file)
    assert "hunter22" not in str(caught.value)
    with pytest.raises(AsknownError, match="cannot be read: No such file"):
        read_config(tmp_path / "none.conf")


def test_a_setting_that_the_client_does_not_know_is_one_error() -> None:
    with pytest.raises(AsknownError, match=r"refuses its settings: .*no.such.setting"):
        TopicReader(parse_topic("kafka://localhost:1/orders"), {"no.such.setting": "1"})


# -- messages ----------------------------------------------------------------------------------------------------------


def test_change_events_are_read_as_their_schema_says() -> None:
    fields = [
        {"field": "id", "type": "int64"},
        {"field": "made", "type": "int64", "name": "io.debezium.time.MicroTimestamp"},
        {"field": "seen", "type": "int64", "name": "io.debezium.time.Timestamp"},
        {"field": "day", "type": "int32", "name": "io.debezium.time.Date"},
        {"field": "zoned", "type": "string", "name": "io.debezium.time.ZonedTimestamp"},
        {"field": "price", "type": "bytes", "name": "org.apache.kafka.connect.data.Decimal",
         "parameters": {"scale": "2"}},
        {"field": "none", "type": "int32", "name": "io.debezium.time.Date"},
    ]  # fmt: skip
    after = {
        "id": 1,
        "made": 1_700_000_000_000_001,
        "seen": 1_700_000_000_500,
        "day": 19_000,
        "zoned": "2024-01-01T02:00:00.5+02:00",
        "price": base64.b64encode((-12345).to_bytes(2, "big", signed=True)).decode(),
        "none": None,
    }
    event = {"schema": {"fields": [{"field": "after", "fields": fields}]}, "payload": {"before": None, "after": after}}
    assert read_debezium(json.dumps(event).encode()) == {
        "id": 1,
        "made": datetime(2023, 11, 14, 22, 13, 20, 1),
        "seen": datetime(2023, 11, 14, 22, 13, 20, 500_000),
        "day": date(2022, 1, 8),
        "zoned": datetime(2024, 1, 1, 0, 0, 0, 500_000),
        "price": Decimal("-123.45"),
        "none": None,
    }
    assert read_debezium(b'{"before": {"id": 1}, "after": {"id": 2}, "op": "u"}') == {"id": 2}
    with pytest.raises(MessageError, match="a deletion"):
        read_debezium(b'{"before": {"id": 1}, "after": null, "op": "d"}')
    with pytest.raises(MessageError, match="no change event"):
        read_debezium(b'{"id": 1}')
    event["payload"]["after"]["made"] = "today"  # type: ignore[index]
    with pytest.raises(MessageError, match="'made' is 'today', which is not what its schema says"):
        read_debezium(json.dumps(event).encode())


def test_change_events_need_a_source_without_an_id(store: FeatureStore) -> None:
    table = find_pushable(store.project, "orders")
    check_ids(table, "json")
    with pytest.raises(AsknownError, match="change events of one row all have its 'order_id'"):
        check_ids(table, "debezium")


@pytest.fixture
def registry() -> Iterator[str]:
    """The address of a schema registry that has schema 3."""
    schema = {
        "type": "record",
        "name": "o",
        "fields": [
            {"name": "order_id", "type": "string"},
            {"name": "ordered_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
            {"name": "amount", "type": ["null", "double"]},
        ],
    }

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            known = self.path == "/schemas/ids/3"
            body = json.dumps({"schema": json.dumps(schema)} if known else {"message": "no such schema"}).encode()
            self.send_response(200 if known else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    Handler.schema = fastavro.parse_schema(schema)  # type: ignore[attr-defined]
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


def test_avro_messages_are_read_by_the_registrys_schema(registry: str) -> None:
    decode = decoder("avro", {"schema.registry.url": registry})
    schema = fastavro.parse_schema(
        {
            "type": "record",
            "name": "o",
            "fields": [
                {"name": "order_id", "type": "string"},
                {"name": "ordered_at", "type": {"type": "long", "logicalType": "timestamp-micros"}},
                {"name": "amount", "type": ["null", "double"]},
            ],
        }
    )
    written = io.BytesIO()
    row = {"order_id": "a", "ordered_at": datetime(2024, 1, 1, 12, 0, 0, 1), "amount": None}
    fastavro.schemaless_writer(written, schema, {**row, "ordered_at": 1_704_110_400_000_001})
    assert decode(b"\x00\x00\x00\x00\x03" + written.getvalue()) == row
    with pytest.raises(MessageError, match="begin with a zero byte"):
        decode(b"\x01\x00")
    with pytest.raises(MessageError, match="no row of schema 3"):
        decode(b"\x00\x00\x00\x00\x03\xff")
    with pytest.raises(AsknownError, match="does not give schema 4"):
        decode(b"\x00\x00\x00\x00\x04")
    with pytest.raises(AsknownError, match=r"need the schema registry's address"):
        decoder("avro", {})
    assert isinstance(decode, AvroMessages)


# -- the command, and kills --------------------------------------------------------------------------------------------


def test_the_command_runs_until_it_is_stopped(shop: Path, broker: Broker, topic: str) -> None:
    broker.send(topic, *[order(f"q{n}", 20, amount=1.0) for n in range(10)])
    command = [forked.asknown(), "push", "orders", "--from", f"kafka://{broker.address}/{topic}", "--format", "json"]
    with subprocess.Popen(command, cwd=shop, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        with FeatureStore(shop) as store:
            deadline = time.monotonic() + 60
            while spent(store, 20) != 10.0 and time.monotonic() < deadline:
                time.sleep(0.1)
            assert spent(store, 20) == 10.0
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=30)
    assert process.returncode == 0, err
    assert json.loads(out) == [{"rows": 10, "new": 10, "older": 0, "late": 0, "duplicates": 0, "skipped": 0, "bad": 0}]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--rows", "a.jsonl", "--bad", "b.jsonl"), "--bad belongs to --from"),
        (("--rows", "a.jsonl", "--messages", "json"), "--messages belongs to --from"),
        (("--rows", "a.jsonl", "--config", "c"), "--config belongs to --from"),
        (("--from", "kafka://localhost:1/t", "--partial"), "--partial belongs to --rows"),
        ((), "push takes either --rows or --from"),
    ],
)
def test_an_option_that_would_do_nothing_is_refused(shop: Path, words: tuple[str, ...], why: str) -> None:
    command = [forked.asknown(), "push", "orders", *words]
    done = subprocess.run(command, cwd=shop, capture_output=True, text=True, check=False)
    assert done.returncode != 0 and why in done.stderr and "Traceback" not in done.stderr


def test_killed_consumers_lose_nothing_and_count_nothing_twice(shop: Path, broker: Broker, topic: str) -> None:
    total = 9_000
    for partition in range(3):
        rows = [order(f"p{partition}-{n}", 30 + n % 3, ago=1, amount=1.0) for n in range(total // 3)]
        broker.send(topic, *rows, partition=partition)
    command = [ASKNOWN, "push", "orders", "--from", f"kafka://{broker.address}/{topic}"]
    with FeatureStore(shop) as store:

        def pushed() -> float:
            return sum(spent(store, key) or 0 for key in (30, 31, 32))

        def run_until(enough: float) -> subprocess.Popen[bytes]:
            process = subprocess.Popen(command, cwd=shop, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            deadline = time.monotonic() + 60
            while pushed() < enough and time.monotonic() < deadline:
                time.sleep(0.002)
            return process

        for delay in (0.0, 0.03):
            process = run_until(pushed() + 1)
            time.sleep(delay)
            process.kill()
            process.wait()
        assert 0 < pushed() < total  # the kills came in the middle
        process = run_until(total)
        process.send_signal(signal.SIGTERM)
        process.wait(timeout=30)
        assert [spent(store, key) for key in (30, 31, 32)] == [3000.0] * 3
    ids = [one for one in offline_ids(shop) if one.startswith("op")]
    assert len(ids) == len(set(ids)) == total
