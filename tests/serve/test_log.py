"""The log of served features: what was asked and answered, sampled by key, bounded, and a spine for training."""

from __future__ import annotations

import asyncio
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from asknown import FeatureStore, OnlineReader
from asknown.errors import AsknownError, Where
from asknown.online.nodes import OnlineService, ServicePart
from asknown.online.served_log import is_sampled
from asknown.online.sqlite.writer import open_writer
from asknown.project.nodes import ServiceLog
from asknown.serve import Application, Limits
from asknown.serve.auth import Token, digest
from asknown.serve.log import ServiceWriter
from http_calls import ASKNOWN, call, serving
from online_tables import NOON, load, make_view
from waiting import wait_until

MOMENT = datetime(2013, 5, 1, 10)
VIEW = make_view({"id": "BIGINT", "place": "VARCHAR", "ts": "TIMESTAMP", "x": "DOUBLE"}, keys=("id", "place"), name="a")


def how(**changes: Any) -> ServiceLog:
    return ServiceLog(
        **{"to": Path("logs"), "sample": 1.0, "omit": (), "hash": (), "keep": None, "at": Where("m.yml")} | changes
    )


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "online.db"
    load(file, VIEW, [{"id": i, "place": "north", "ts": MOMENT, "x": i / 8} for i in range(100)])
    with open_writer(file) as writer:
        writer.services([OnlineService("svc", (ServicePart("a"),))])
    return file


def logging(path: Path, log: ServiceLog, **options: Any) -> Application:
    writer = ServiceWriter("svc", log, path.parent / "logs", **options)
    return Application(path, logs={"svc": writer})


def ask(app: Application, ids: list[int], **headers: str) -> None:
    body = {"service": "svc", "columns": {"id": ids, "place": ["north"] * len(ids)}}
    assert call(app, "POST", "/v1/features", body, headers).status == 200


def logged(path: Path) -> list[dict[str, Any]]:
    files = sorted((path.parent / "logs" / "svc").rglob("*.parquet"))
    return [row for file in files for row in pq.read_table(file).to_pylist()]


def test_a_row_says_what_was_asked_and_answered(path: Path) -> None:
    app = logging(path, how())
    ask(app, [8, 999], **{"x-request-id": "r-1"})
    entities = {"id": [9], "place": ["north"]}
    assert call(app, "POST", "/get-online-features", {"feature_service": "svc", "entities": entities}).status == 200
    assert call(app, "POST", "/v1/features", {"features": ["a"], "columns": entities}).status == 200  # no service
    asyncio.run(app.shutdown())
    first, second, third = sorted(logged(path), key=lambda row: (row["request_id"] != "r-1", row["id"]))
    load_id = OnlineReader(path).views()["a"].load_id
    assert abs(first.pop("served_at") - datetime.now(UTC)) < timedelta(minutes=1)
    ((view, seen),) = first.pop("loads")
    assert (view, seen["load_id"], seen["watermark"]) == ("a", load_id, NOON)
    assert first == {
        "request_id": "r-1",
        "seq": 0,
        "token": None,
        "id": 8,
        "place": "north",
        "x": 1.0,
        "x__status": "PRESENT",
    }
    assert (second["id"], second["x"], second["x__status"]) == (999, None, "NOT_FOUND")
    assert (third["id"], third["x"]) == (9, 9 / 8)


def test_the_token_is_named(path: Path) -> None:
    app = logging(path, how())
    tokens = [Token("checkout", digest(b"one"), frozenset(["read"]))]
    guarded = Application(path, tokens, logs=app.state.logs)
    ask(guarded, [8], authorization="Bearer one")
    asyncio.run(guarded.shutdown())
    assert [row["token"] for row in logged(path)] == ["checkout"]


def test_a_sample_has_all_requests_of_some_keys(path: Path) -> None:
    app = logging(path, how(sample=0.3))
    for _ in range(3):
        ask(app, list(range(100)))
    asyncio.run(app.shutdown())
    ids = [row["id"] for row in logged(path)]
    assert 15 < len(set(ids)) < 45
    assert all(ids.count(one) == 3 for one in set(ids))
    assert set(ids) == {i for i in range(100) if is_sampled(["id", "place"], [i, "north"], 0.3)}


def test_columns_are_left_out_or_hashed(path: Path) -> None:
    app = logging(path, how(omit=("place",), hash=("id",)))
    ask(app, [8, 8, 9])
    asyncio.run(app.shutdown())
    rows = logged(path)
    assert all("place" not in row for row in rows)
    first, second, third = (row["id"] for row in rows)
    assert first == second != third
    assert first != "8" and len(first) == 32


def test_a_load_is_told_from_the_next(path: Path) -> None:
    app = logging(path, how())
    ask(app, [8])
    load(
        path,
        VIEW,
        [{"id": i, "place": "north", "ts": MOMENT, "x": 0.5} for i in range(100)],
        watermark=NOON + timedelta(days=1),
    )
    ask(app, [8])
    asyncio.run(app.shutdown())
    (_, first), (_, second) = (row["loads"][0] for row in logged(path))
    assert second["watermark"] - first["watermark"] == timedelta(days=1)
    assert [row["x"] for row in logged(path)] == [1.0, 0.5]


def test_files_are_written_while_serving(path: Path) -> None:
    app = logging(path, how(), rows=200, seconds=30)
    for _ in range(3):
        ask(app, list(range(100)))
    wait_until(lambda: bool(logged(path)))
    assert len(logged(path)) >= 200
    asyncio.run(app.shutdown())
    assert len(logged(path)) == 300
    assert list((path.parent / "logs").rglob(".*")) == []


def test_a_full_list_drops_rows_and_waits_for_nobody(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("asknown.serve.log._BOUND", 250)
    app = logging(path, how(), seconds=3600)
    for _ in range(5):
        ask(app, list(range(100)))
    text = call(app, "GET", "/metrics").body.decode()
    assert 'asknown_log_rows_total{outcome="dropped",service="svc"} 300.0' in text
    asyncio.run(app.shutdown())
    assert len(logged(path)) == 200


def test_a_folder_that_cannot_be_written_fails_no_request(path: Path) -> None:
    (path.parent / "logs").write_text("a file", encoding="utf-8")
    app = logging(path, how())
    ask(app, [8])
    asyncio.run(app.shutdown())


def test_old_days_go(path: Path) -> None:
    for day in ("2020-01-01", "2020-01-02", "notes"):
        (path.parent / "logs" / "svc" / day).mkdir(parents=True)
    app = logging(path, how(keep=86_400_000_000))
    ask(app, [8])
    asyncio.run(app.shutdown())
    (served,) = logged(path)
    days = {folder.name for folder in (path.parent / "logs" / "svc").iterdir()}
    assert days == {"notes", served["served_at"].strftime("%Y-%m-%d")}


def test_a_read_of_many_rows_in_a_thread_is_logged_too(path: Path) -> None:
    writer = ServiceWriter("svc", how(), path.parent / "logs")
    app = Application(path, limits=Limits(rows_in_loop=10), logs={"svc": writer})
    ask(app, list(range(50)))
    asyncio.run(app.shutdown())
    assert len(logged(path)) == 50


MODELS = """
sources: [{name: raw, tables: [{name: scores, path: scores.csv}]}]
entities: [{name: player, keys: [{name: player, data_type: bigint}]}]
feature_services: [{name: ranking, features: [scores], log: {to: logs/, sample: 1}}]
"""
MODEL = """
{{ config(entity='player', event_time='played_at') }}
select player::bigint as player, played_at, score, count(*) over {{ last('365000 days') }} as games
from {{ source('raw', 'scores') }}
"""


def write_project(folder: Path, models: str = MODELS) -> None:
    (folder / "models").mkdir()
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "games"\n', encoding="utf-8")
    (folder / "models" / "m.yml").write_text(models, encoding="utf-8")
    (folder / "models" / "scores.sql").write_text(MODEL, encoding="utf-8")
    rows = "".join(f"{i % 7},2024-01-{i % 28 + 1:02} 12:00:00,{i}\n" for i in range(60))
    (folder / "scores.csv").write_text("player,played_at,score\n" + rows, encoding="utf-8")


def test_a_log_is_a_spine_and_training_says_what_was_served(tmp_path: Path) -> None:
    write_project(tmp_path)
    with FeatureStore(tmp_path) as store:
        store.materialize()
        with serving(folder=tmp_path) as server:
            for number in range(30):
                body = {"service": "ranking", "rows": [{"player": number % 9}]}
                assert server.request("POST", "/v1/features", body).status == 200
            assert server.stop() == 0  # what waits is written before the end
        folder = tmp_path / "logs" / "ranking"
        job = store.get_historical_features(str(folder), ["ranking"])
        trained = sorted(job.to_arrow().to_pylist(), key=lambda row: row["request_id"])
    served = [row for file in folder.rglob("*.parquet") for row in pq.read_table(file).to_pylist()]
    served.sort(key=lambda row: row["request_id"])
    assert len(trained) == len(served) == 30
    for one, other in zip(trained, served, strict=True):
        assert [one[name] for name in ("player", "score", "games")] == [
            other[name] for name in ("player", "score", "games")
        ]
    assert {row["score__status"] for row in served} == {"PRESENT", "NOT_FOUND"}
    with FeatureStore(tmp_path) as store:
        found = store.checks.verify_log(tmp_path / "logs", service="ranking")
    assert (found.rows, found.compared, found.bugs) == (30, 60, 0)
    assert all(set(feature.outcomes) == {"equal"} for feature in found.features)


@pytest.mark.parametrize(
    ("log", "message"),
    [
        ("{}", "lacks 'to'"),
        ("{to: logs, sample: 2}", "must be above 0 and at most 1"),
        ("{to: logs, sample: much}", "must be a number"),
        ("{to: logs, keep: '1 month'}", "has no fixed length"),
        ("{to: logs, drop: [x]}", "has no key 'drop'"),
    ],
)
def test_what_the_project_refuses(tmp_path: Path, log: str, message: str) -> None:
    write_project(tmp_path, MODELS.replace("{to: logs/, sample: 1}", log))
    with pytest.raises(AsknownError, match=message) as caught:
        FeatureStore(tmp_path)
    assert str(caught.value.at).startswith("models/m.yml:4")


def test_a_column_that_the_service_does_not_take_stops_the_server(tmp_path: Path) -> None:
    write_project(tmp_path, MODELS.replace("sample: 1", "omit: [playr]"))
    with FeatureStore(tmp_path) as store:
        store.materialize()
    done = subprocess.run([ASKNOWN, "serve"], cwd=tmp_path, capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 1
    assert "error[bad-config]" in done.stderr
    assert "did you mean 'player'?" in done.stderr
