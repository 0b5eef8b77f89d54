"""The endpoints: Feast's shapes as its client sends and reads them, our own, and what a mounted application does."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from asknown import OnlineReader
from asknown.online.nodes import OnlineService, ServicePart
from asknown.online.sqlite.writer import open_writer
from asknown.serve import Application, Limits
from http_calls import call
from online_tables import NOON, load, make_view
from test_online_windows import call as aggregate
from test_online_windows import load as load_events
from test_online_windows import windowed

MOMENT = datetime(2013, 5, 1, 10)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "online.db"
    view = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "f0": "DOUBLE", "f3": "BIGINT"}, name="a")
    load(
        file,
        view,
        [{"id": 8, "ts": MOMENT, "f0": 1.5, "f3": 3}, {"id": 9, "ts": MOMENT, "f0": None, "f3": 4}],
    )
    with open_writer(file) as writer:
        writer.services([OnlineService("svc", (ServicePart("a"),))])
    return file


EPOCH = "1970-01-01T00:00:00Z"
AT = "2013-05-01T10:00:00Z"


def test_feasts_request_gets_feasts_answer(path: Path) -> None:
    # the bytes that Feast 0.67 sends and reads
    asked = {
        "entities": {"id": [8, 9, 999999]},
        "full_feature_names": False,
        "include_feature_view_version_metadata": False,
        "features": ["a:f0", "a:f3"],
    }
    answer = call(Application(path), "POST", "/get-online-features", asked)
    assert answer.status == 200
    assert answer.json() == {
        "metadata": {"feature_names": ["id", "f0", "f3"]},
        "results": [
            {"values": [8, 9, 999999], "statuses": ["PRESENT"] * 3, "event_timestamps": [EPOCH] * 3},
            {
                "values": [1.5, None, None],
                "statuses": ["PRESENT", "NULL_VALUE", "NOT_FOUND"],
                "event_timestamps": [AT, AT, EPOCH],
            },
            {
                "values": [3, 4, None],
                "statuses": ["PRESENT", "PRESENT", "NOT_FOUND"],
                "event_timestamps": [AT, AT, EPOCH],
            },
        ],
        "status": True,
    }


def test_feast_may_ask_for_a_service_and_for_full_names(path: Path) -> None:
    app = Application(path)
    asked = {"entities": {"id": [8]}, "feature_service": "svc", "full_feature_names": True}
    answer = call(app, "POST", "/get-online-features", asked).json()
    assert answer["metadata"]["feature_names"] == ["id", "a__f0", "a__f3"]
    assert [one["values"] for one in answer["results"]] == [[8], [1.5], [3]]


def test_rows_are_answered_in_rows(path: Path) -> None:
    asked = {"service": "svc", "rows": [{"id": 8, "note": "x"}], "at": None, "full_names": False}
    answer = call(Application(path), "POST", "/v1/features", asked).json()
    at = answer.pop("at")
    assert answer == {
        "rows": [{"id": 8, "note": "x", "f0": 1.5, "f3": 3}],
        "statuses": [{"f0": "PRESENT", "f3": "PRESENT"}],
        "event_timestamps": [{"f0": AT, "f3": AT}],
        "seq": 0,
    }
    assert abs(datetime.fromisoformat(at) - datetime.now().astimezone()) < timedelta(minutes=1)


def test_many_rows_and_columns_say_the_same(path: Path) -> None:
    app = Application(path)
    ids = [9, 8, None, 9, 7]
    rows = call(app, "POST", "/v1/features", {"features": ["a"], "rows": [{"id": i} for i in ids]}).json()
    columns = call(app, "POST", "/v1/features", {"features": ["a"], "columns": {"id": ids}}).json()
    for part in ("statuses", "event_timestamps"):
        assert columns[part] == {name: [row[name] for row in rows[part]] for name in ("f0", "f3")}
    assert columns["columns"] == {name: [row[name] for row in rows["rows"]] for name in ("id", "f0", "f3")}
    assert rows["statuses"][0] == {"f0": "NULL_VALUE", "f3": "PRESENT"}


def test_rows_may_lack_a_column_that_is_no_key(path: Path) -> None:
    answer = call(
        Application(path), "POST", "/v1/features", {"features": ["a"], "rows": [{"id": 8}, {"id": 9, "n": 1}]}
    )
    assert [row.get("n") for row in answer.json()["rows"]] == [None, 1]


def test_no_rows_are_no_rows(path: Path) -> None:
    app = Application(path)
    answer = call(app, "POST", "/v1/features", {"features": ["a"], "rows": []}).json()
    assert (answer["rows"], answer["statuses"], answer["event_timestamps"]) == ([], [], [])
    answer = call(app, "POST", "/v1/features", {"features": ["a"], "columns": {"id": []}}).json()
    assert answer["columns"] == {"id": [], "f0": [], "f3": []}
    answer = call(app, "POST", "/get-online-features", {"features": ["a"], "entities": {"id": []}}).json()
    assert [one["values"] for one in answer["results"]] == [[], [], []]


def test_the_instant_may_be_given(path: Path) -> None:
    app = Application(path)
    asked = {"features": ["a"], "rows": [{"id": 8}], "at": "2099-01-01T00:00:00+01:00"}
    assert call(app, "POST", "/v1/features", asked).json()["at"] == "2098-12-31T23:00:00Z"
    asked["at"] = "2000-01-01"
    answer = call(app, "POST", "/v1/features", asked)
    assert (answer.status, answer.json()["code"]) == (409, "before-watermark")
    asked["at"] = "noon"
    assert call(app, "POST", "/v1/features", asked).status == 422


def test_windows_in_the_loop_and_in_a_thread_say_what_the_reader_says(tmp_path: Path) -> None:
    file = tmp_path / "online.db"
    rows = [{"id": i % 5, "ts": MOMENT + timedelta(seconds=i)} for i in range(200)]
    load_events(file, windowed({"n": aggregate("count", None)}, name="busy"), rows)
    app = Application(file)
    with OnlineReader(file) as reader:
        for ids in ([1], [1, 2, 77], list(range(300))):
            asked: dict[str, Any] = {"features": ["busy"], "columns": {"id": ids}, "at": NOON.isoformat()}
            answer = call(app, "POST", "/v1/features", asked).json()
            expected = reader.get_online_features(["busy"], {"id": ids}, at=NOON)
            assert answer["columns"] == expected.to_dict()
            assert answer["statuses"] == expected.statuses()
            times = {
                name: [None if t is None else t.isoformat().replace("+00:00", "Z") for t in column]
                for name, column in expected.event_timestamps().items()
            }
            assert answer["event_timestamps"] == times
    asyncio.run(app.shutdown())


def test_the_services_are_described(path: Path) -> None:
    app = Application(path)
    (described,) = call(app, "GET", "/v1/services").json()["services"]
    assert described == call(app, "GET", "/v1/services/svc").json()
    assert described["keys"] == [{"name": "id", "type": "BIGINT", "example": "7"}]
    assert [one["name"] for one in described["features"]] == ["f0", "f3"]
    assert described["views"] == [{"name": "a", "watermark": "2013-05-01T12:00:00Z", "rows": 2}]


def test_a_load_is_seen_by_the_next_request_whatever_it_changed(path: Path) -> None:
    app = Application(path)
    asked = {"features": ["a:f0"], "rows": [{"id": 8}]}
    assert call(app, "POST", "/v1/features", asked).json()["rows"][0]["f0"] == 1.5
    for kind, given, value, shown in (
        ("TIMESTAMP", "2013-05-01T00:00:00Z", datetime(2013, 5, 1), "2013-05-01T00:00:00Z"),
        ("VARCHAR", "2013-05-01T00:00:00Z", "2013-05-01T00:00:00Z", "2013-05-01T00:00:00Z"),
        ("DOUBLE", "2013-05-01T00:00:00Z", float("nan"), "NaN"),
    ):
        # the key's type changes, so that a text that was an instant becomes a text; and so does the value's
        key = kind if kind != "DOUBLE" else "VARCHAR"
        stored = datetime(2013, 5, 1) if key == "TIMESTAMP" else given
        view = make_view({"id": key, "ts": "TIMESTAMP", "f0": kind}, name="a", fingerprint=kind)
        load(path, view, [{"id": stored, "ts": MOMENT, "f0": value}], full=True, shrink=True)
        for _ in range(2):
            answer = call(app, "POST", "/v1/features", {"features": ["a:f0"], "rows": [{"id": given}]})
            assert answer.json()["rows"] == [{"id": given, "f0": shown}], kind


def test_it_answers_below_another_applications_path(path: Path) -> None:
    app = Application(path)
    assert call(app, "GET", "/livez", root_path="/features").json() == {"status": "ok"}
    assert call(app, "GET", "/v1/services/svc", root_path="/features").status == 200


def test_the_host_of_a_mounted_application_starts_and_ends_it(path: Path) -> None:
    app = Application(path)

    async def live() -> list[Any]:
        sent: list[Any] = []
        messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])

        async def receive() -> Any:
            return next(messages)

        async def send(message: Any) -> None:
            sent.append(message["type"])

        await app({"type": "lifespan"}, receive, send)
        return sent

    assert asyncio.run(live()) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


def test_two_applications_share_the_metrics_of_the_process(path: Path, tmp_path: Path) -> None:
    first, second = Application(path), Application(path)
    asked = {"features": ["a"], "columns": {"id": [8, 9, 7]}}
    before = counted(call(first, "GET", "/metrics").body)
    assert call(first, "POST", "/v1/features", asked).status == 200
    assert call(second, "POST", "/v1/features", asked).status == 200
    after = counted(call(first, "GET", "/metrics").body)
    grown = {name: after[name] - before.get(name, 0) for name in after if after[name] != before.get(name, 0)}
    assert grown['asknown_requests_total{code="ok",endpoint="/v1/features"}'] == 2
    assert grown['asknown_rows_total{service=""}'] == 6
    assert grown['asknown_values_total{status="PRESENT",view="a"}'] == 6
    assert grown['asknown_values_total{status="NULL_VALUE",view="a"}'] == 2
    assert grown['asknown_values_total{status="NOT_FOUND",view="a"}'] == 4
    assert after['asknown_watermark_age_seconds{view="a"}'] > 3e8


def counted(text: bytes) -> dict[str, float]:
    lines = [line for line in text.decode().splitlines() if not line.startswith("#")]
    return {line.rpartition(" ")[0]: float(line.rpartition(" ")[2]) for line in lines}


def test_the_openapi_document_names_every_endpoint_for_callers(path: Path) -> None:
    from asknown.serve.endpoints import ENDPOINTS

    document = call(Application(path), "GET", "/openapi.json").json()
    assert document["paths"].keys() == {e.path for e in ENDPOINTS} - {"/", "/openapi.json"}
    for endpoint in ENDPOINTS:
        if endpoint.path in document["paths"]:
            assert list(document["paths"][endpoint.path]) == [endpoint.method.lower()]
    text = json.dumps(document)
    for name in {part.partition('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in document["components"]["schemas"]


def test_the_page_holds_to_its_bounds(path: Path) -> None:
    answer = call(Application(path), "GET", "/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == "default-src 'self' 'unsafe-inline'"
    assert len(answer.body) < 15_000
    assert b"http:" not in answer.body.replace(b"http://www.w3.org/2000/svg", b"") and b"https:" not in answer.body
    assert b"innerHTML" not in answer.body


def test_a_request_id_is_taken_or_made(path: Path) -> None:
    app = Application(path)
    for given, kept in (("abc-1", True), ("x" * 65, False), ("é", False), ("", False)):
        answer = call(app, "GET", "/livez", headers={"x-request-id": given} if given != "é" else {})
        assert (answer.headers["x-request-id"] == given) is kept
    ids = {call(app, "GET", "/livez").headers["x-request-id"] for _ in range(5)}
    assert len(ids) == 5


def test_limits_can_be_set_for_a_mounted_application(path: Path) -> None:
    app = Application(path, limits=Limits(rows=2))
    assert call(app, "POST", "/v1/features", {"features": ["a"], "columns": {"id": [1, 2]}}).status == 200
    assert call(app, "POST", "/v1/features", {"features": ["a"], "columns": {"id": [1, 2, 3]}}).status == 413
