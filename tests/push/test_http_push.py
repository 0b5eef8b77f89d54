"""Pushes over HTTP: our endpoint in its three forms, and Feast's."""

from __future__ import annotations

import http.client
import json
import os
import signal
import threading
import time
from collections.abc import Iterator
from datetime import UTC
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from shop import FOLLOWERS, offline_ids, order

from asknown import FeatureStore
from asknown.serve import Application, Limits, Token
from asknown.serve.auth import digest
from asknown.serve.problems import STATUS
from http_calls import Answer, call, serving


@pytest.fixture
def app(store: FeatureStore, shop: Path) -> Iterator[Application]:
    yield Application(shop / "online.db", pushes=store.push_writer())


def row(number: int | str, customer: int | None = 1, **more: Any) -> dict[str, Any]:
    """An order as JSON has it."""
    made = order(number, customer, **more)
    return made | {"ordered_at": made["ordered_at"].replace(tzinfo=UTC).isoformat()}


def post(app: Application, body: Any, where: str = "/v1/push/orders", **headers: str) -> Answer:
    return call(app, "POST", where, body, {name.replace("_", "-"): value for name, value in headers.items()})


def spent(app: Application) -> Any:
    asked = {"features": ["totals:spent"], "rows": [{"customer_id": 1}]}
    return call(app, "POST", "/v1/features", asked).json()["rows"][0]["spent"]


def test_a_pushed_row_is_read_by_the_next_request(app: Application) -> None:
    assert spent(app) == 10.0
    answer = post(app, [row(1, amount=5.0)])
    assert answer.status == 200, answer.body
    assert answer.json() == {
        "seq": 1,
        "rows": 1,
        "new": 1,
        "older": 0,
        "duplicates": 0,
        "late": 0,
        "skipped": 0,
        "views": sorted(FOLLOWERS),
    }
    assert spent(app) == 15.0
    assert post(app, [row(1, amount=5.0)], where="/v1/push/shop.orders").json()["duplicates"] == 1
    assert spent(app) == 15.0


def test_rows_come_in_three_forms(app: Application) -> None:
    assert post(app, {"rows": [row(1)]}).json()["new"] == 1
    lines = "\n".join(json.dumps(row(number)) for number in (2, 3)).encode()
    assert post(app, lines, content_type="application/x-ndjson").json()["new"] == 2
    table = pa.Table.from_pylist([order(number) for number in (4, 5)])
    stream = BytesIO()
    with pa.ipc.new_stream(stream, table.schema) as writer:
        writer.write_table(table)
    assert post(app, stream.getvalue(), content_type="application/vnd.apache.arrow.stream").json()["new"] == 2
    assert spent(app) == 15.0


def test_feasts_push(app: Application) -> None:
    made = row(1, amount=2.5)
    asked = {
        "push_source_name": "orders",
        "df": {name: [value] for name, value in made.items()},
        "to": "online_and_offline",
        "allow_registry_cache": True,
    }
    assert post(app, asked, where="/push").json()["new"] == 1
    assert spent(app) == 12.5
    assert post(app, asked | {"to": "offline"}, where="/push").status == 422


def test_values_are_those_of_the_columns(app: Application) -> None:
    assert post(app, [row(1, amount="NaN")]).status == 200
    text = json.dumps([row(2, amount=0.0)]).replace("0.0", "0.1000000000000000055")
    assert post(app, text.encode()).status == 200
    assert post(app, [row(3, amount=None, note=None)]).status == 200


BAD: list[tuple[Any, str, dict[str, str]]] = [
    (json.dumps([row(1, amount=0.5)]).replace("0.5", "1e400").encode(), "push-row", {}),
    (json.dumps([row(1, amount=0.5)]).replace("0.5", "1e-400").encode(), "push-row", {}),
    (json.dumps([row(1, amount=0.5)]).replace("0.5", "0.12345678901234567891").encode(), "push-row", {}),
    ([{"order_id": "x"}], "push-row", {}),
    ([row(1, note=7)], "push-row", {}),
    ([row(1, amount="much")], "push-row", {}),
    ([row(1) | {"_arrived": "2024-01-01"}], "push-row", {}),
    ([row(1) | {"ordered_at": "soon"}], "push-row", {}),
    ([row(1), 7], "push-row", {}),
    ([row(1, ago=-3600)], "push-future", {}),
    (7, "bad-request", {}),
    (b"[", "bad-request", {}),
    (b"abc", "bad-request", {"content_type": "application/vnd.apache.arrow.stream"}),
    (json.dumps([row(1)]).replace('"order_id"', '"amount": 1, "order_id"').encode(), "bad-request", {}),
    (
        json.dumps(row(1)).replace('"order_id"', '"amount" : 1, "order_id"').encode(),
        "bad-request",
        {"content_type": "application/x-ndjson"},
    ),
    ([row(1) | {"ordered_at": "2024-01-01T00:00:00.1234567Z"}], "push-row", {}),
    (b"a,b", "wrong-content", {"content_type": "text/csv"}),
    (b"", "wrong-content", {"content_encoding": "gzip"}),
]


@pytest.mark.parametrize(("body", "code", "headers"), BAD)
def test_a_mistake_pushes_nothing(app: Application, body: Any, code: str, headers: dict[str, str]) -> None:
    answer = post(app, body, **headers)
    assert (answer.status, answer.json()["code"]) == (STATUS[code], code)
    assert answer.status < 500
    assert spent(app) == 10.0


def test_other_mistakes(app: Application) -> None:
    assert post(app, [row(1)], where="/v1/push/nothing").json()["code"] == "unknown-source"
    assert post(app, {"push_source_name": "nothing", "df": {}}, where="/push").json()["code"] == "unknown-source"
    assert post(app, {"df": {}}, where="/push").json()["code"] == "bad-request"
    twice = b'{"push_source_name": "orders", "df": {"order_id": ["a"], "order_id": ["b"]}}'
    assert post(app, twice, where="/push").json()["code"] == "bad-request"
    assert post(app, b"", where="/push", content_type="text/csv").json()["code"] == "wrong-content"
    assert post(app, b"", where="/push", content_encoding="gzip").json()["code"] == "wrong-content"
    uneven = {"push_source_name": "orders", "df": {"order_id": ["a", "b"], "amount": [1]}}
    assert post(app, uneven, where="/push").json()["code"] == "bad-value"
    assert spent(app) == 10.0


def test_the_others_are_pushed_where_that_is_asked(store: FeatureStore, shop: Path) -> None:
    app = Application(shop / "online.db", pushes=store.push_writer())
    body = [row(1), row(2, note=7), row(3, 2)]
    answer = call(app, "POST", "/v1/push/orders", body, query=b"partial=true").json()
    assert (answer["rows"], answer["new"]) == (3, 2)
    assert [(one["row"], one["code"]) for one in answer["outcomes"]] == [(2, "push-row")]
    assert call(app, "POST", "/v1/push/orders", body, query=b"partial=perhaps").status == 400
    assert call(app, "POST", "/v1/push/orders", body, query=b"all=true").status == 400


def test_rows_and_bytes_are_limited(store: FeatureStore, shop: Path) -> None:
    app = Application(shop / "online.db", pushes=store.push_writer(), limits=Limits(rows=2, body=2_000))
    assert post(app, [row(number) for number in range(3)]).status == 413
    assert post(app, [row(1, note="x" * 3_000)]).status == 413


def test_a_token_pushes_what_its_scopes_say(store: FeatureStore, shop: Path) -> None:
    tokens = [
        Token(name, digest(name.encode()), frozenset([name])) for name in ("push", "push:orders", "push:others", "read")
    ]
    app = Application(shop / "online.db", tokens, pushes=store.push_writer())
    expected = {"push": 200, "push:orders": 200, "push:others": 403, "read": 403, "nobody": 401}
    for who, status in expected.items():
        assert post(app, [row(who)], authorization=f"Bearer {who}").status == status, who
        asked = {"push_source_name": "orders", "df": {name: [value] for name, value in row(who).items()}}
        assert post(app, asked, where="/push", authorization=f"Bearer {who}").status == status, who


def test_without_a_writer_there_are_no_such_paths(shop: Path) -> None:
    app = Application(shop / "online.db")
    assert post(app, [row(1)]).json()["code"] == "not-found"
    assert "/push" not in call(app, "GET", "/openapi.json").json()["paths"]


def test_they_are_described_and_counted(app: Application) -> None:
    assert {"/push", "/v1/push/{source}"} <= call(app, "GET", "/openapi.json").json()["paths"].keys()
    post(app, [row(1), row(1), row(2, None)])
    text = call(app, "GET", "/metrics").body.decode()
    for outcome in ("new", "duplicates", "skipped"):
        assert f'asknown_push_rows_total{{outcome="{outcome}",source="orders"}}' in text


def test_a_server_takes_pushes_of_many_and_keeps_them_all(shop: Path) -> None:
    with serving("--push", folder=shop, first="'") as server:
        answers: list[Answer] = []

        def send(start: int) -> None:
            orders = ([row(number, amount=1.0)] for number in range(start, start + 10))
            answers.extend(server.request("POST", "/v1/push/orders", one) for one in orders)

        threads = [threading.Thread(target=send, args=(10 * place,)) for place in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert {answer.status for answer in answers} == {200}
        asked = {"features": ["totals:spent"], "rows": [{"customer_id": 1}]}
        assert server.request("POST", "/v1/features", asked).json()["rows"][0]["spent"] == 50.0
        assert server.stop() == 0
    assert offline_ids(shop) == sorted(["ofirst", *(f"o{number}" for number in range(40))])  # landed at the end


def test_an_answer_says_which_push_it_could_see(app: Application) -> None:
    shapes: list[dict[str, Any]] = [
        {"features": ["newest"], "rows": [{"customer_id": 1}]},  # one statement
        {"features": ["newest"], "columns": {"customer_id": [1, 2]}},
        {"features": ["totals"], "rows": [{"customer_id": 1}]},  # windows
    ]
    for number in range(3):
        seqs = [call(app, "POST", "/v1/features", asked).json()["seq"] for asked in shapes]
        assert seqs == [number] * 3
        assert post(app, [row(number)]).json()["seq"] == number + 1
    batch_only = {"features": ["ranked"], "rows": [{"customer_id": 1}]}
    assert call(app, "POST", "/v1/features", batch_only).json()["seq"] == 0


def test_several_processes_take_pushes(shop: Path) -> None:
    """Every acknowledged row counts once, whichever process took it, and when one is killed."""
    with serving("--push", "--workers", "2", folder=shop, first="'") as server:
        accepted: list[str] = []

        def push(caller: int) -> None:
            for number in range(25):
                given = row(f"w{caller}-{number}", 40, amount=1.0)
                try:
                    answer = server.request("POST", "/v1/push/orders", {"rows": [given]})
                except (OSError, http.client.HTTPException):
                    continue  # its process was killed: whether the row is kept is unknown
                if answer.status == 200:
                    accepted.append(given["order_id"])

        callers = [threading.Thread(target=push, args=(caller,)) for caller in range(6)]
        for caller in callers:
            caller.start()
        children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
        workers = [pid for pid in children if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]
        while len(accepted) < 30:
            time.sleep(0.01)
        os.kill(int(workers[0]), signal.SIGKILL)
        for caller in callers:
            caller.join()
        asked = {"features": ["totals:n"], "rows": [{"customer_id": 40}]}
        found = server.request("POST", "/v1/features", asked).json()["rows"][0]["n"]
        assert server.stop() == 0
    ids = [one for one in offline_ids(shop) if one.startswith("ow")]
    assert len(ids) == len(set(ids)) == found
    assert set(accepted) <= set(ids)
