"""Errors over HTTP: every code that a request can end with has its status, and is the caller's or the server's."""

from __future__ import annotations

import ast
import asyncio
import subprocess
import sys
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from asknown.errors import CODES
from asknown.online.nodes import OnlineOnDemand, OnlineService, ServicePart, StoredFeature, StoredSource
from asknown.online.sqlite.writer import open_writer
from asknown.serve import Application, Limits
from asknown.serve.auth import Token, digest
from asknown.serve.problems import OVER_HTTP, STATUS, as_problem
from asknown.types import Column, parse_type
from http_calls import Answer, call
from online_tables import load, make_view

MOMENT = datetime(2013, 5, 1, 10)
ROOT = Path(__file__).parents[2]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "online.db"
    view = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "x": "DOUBLE"}, name="a")
    load(file, view, [{"id": 8, "ts": MOMENT, "x": 1.5}])
    load(file, replace(view, name="b"), [])
    number = Column("n", parse_type("BIGINT"))
    twice: Any = ("+", "BIGINT", ("column", "BIGINT", "n"), ("column", "BIGINT", "n"))
    with open_writer(file) as writer:
        writer.services(
            [OnlineService("svc", (ServicePart("a"),))],
            [
                OnlineOnDemand(
                    "echo",
                    (),
                    (number,),
                    (StoredSource("n", number.type, "input", "n"),),
                    (StoredFeature("back", number.type, ("column", "BIGINT", "n"), (), ("n",)),),
                ),
                OnlineOnDemand(
                    "twice",
                    (),
                    (number,),
                    (StoredSource("n", number.type, "input", "n"),),
                    (StoredFeature("double", number.type, twice, (), ("n",)),),
                ),
            ],
        )
    return file


def ask(**changes: Any) -> dict[str, Any]:
    return {"features": ["a"], "rows": [{"id": 8}], **changes}


CALLS: list[tuple[str, str, str, Any, int]] = [
    ("bad-request", "POST", "/v1/features", b"{", 400),
    ("bad-request", "POST", "/v1/features", b'{"features": ["\xff"]}', 400),
    ("bad-request", "POST", "/v1/features", b'{"features": ["a"], "rows": [{"id": NaN}]}', 400),
    ("bad-request", "POST", "/v1/features", b'{"features": ["a"], "rows": [{"id": 1e999}]}', 400),
    ("bad-request", "POST", "/v1/features", b'{"features":["a"],"rows":[{"id":8,"id":9}]}', 400),
    ("bad-request", "POST", "/v1/features", b'{"features":["a"],"rows":[{"id" : 8, "id"\n: 9}]}', 400),
    ("bad-request", "POST", "/v1/features", b'{"features":["a"],"rows":[{"id":8}],"rows":[{"id":9}]}', 400),
    ("bad-request", "POST", "/v1/features", b'{"features":["a"],"columns":{"id":[8],"id":[9]}}', 400),
    ("bad-request", "POST", "/get-online-features", b'{"features":["a"],"entities":{"id":[8],"id":[9]}}', 400),
    ("bad-request", "POST", "/v1/features", b"[" * 100_000, 400),
    ("bad-request", "POST", "/v1/features", [], 400),
    ("bad-request", "POST", "/v1/features", ask(rows=3), 400),
    ("bad-request", "POST", "/v1/features", ask(row=[]), 400),
    ("bad-request", "POST", "/v1/features", ask(columns={"id": [8]}), 400),
    ("bad-request", "POST", "/v1/features", {"features": ["a"]}, 400),
    ("bad-request", "POST", "/v1/features", ask(service="svc"), 400),
    ("bad-request", "POST", "/get-online-features", {"features": ["a"]}, 400),
    ("bad-request", "POST", "/get-online-features", {"entities": {"id": 8}, "features": ["a"]}, 400),
    ("bad-request", "POST", "/get-online-features", {"entities": {"id": [8]}}, 400),
    ("not-found", "GET", "/v1", None, 404),
    ("not-found", "GET", "/livez/", None, 404),
    ("not-found", "GET", "/v1/services/", None, 404),
    ("wrong-method", "GET", "/v1/features", None, 405),
    ("wrong-method", "HEAD", "/livez", None, 405),
    ("unknown-service", "POST", "/v1/features", ask(features=["nope"]), 404),
    ("unknown-service", "GET", "/v1/services/nope", None, 404),
    ("unknown-view", "POST", "/v1/features", ask(features=["nope:x"]), 404),
    ("unknown-feature", "POST", "/v1/features", ask(features=["a:nope"]), 404),
    ("before-watermark", "POST", "/v1/features", ask(at="2000-01-01"), 409),
    ("spine-key", "POST", "/v1/features", ask(rows=[{}]), 422),
    ("spine-key", "POST", "/v1/features", ask(rows=[{"id": 8}, {}]), 422),
    ("key-type", "POST", "/v1/features", ask(rows=[{"id": "8"}]), 422),
    ("key-type", "POST", "/v1/features", ask(rows=[{"id": {}}, {"id": []}]), 422),
    ("bad-value", "POST", "/v1/features", ask(features=[]), 422),
    ("bad-value", "POST", "/v1/features", ask(at="noon"), 422),
    ("bad-value", "POST", "/v1/features", {"features": ["a"], "columns": {"id": [8], "n": []}}, 422),
    ("name-clash", "POST", "/v1/features", ask(rows=[{"id": 8, "x": 1}]), 422),
    ("name-clash", "POST", "/v1/features", ask(features=["a", "b"]), 422),
    ("request-input", "POST", "/v1/features", {"features": ["echo"], "rows": [{}]}, 422),
    ("request-input", "POST", "/v1/features", {"features": ["echo"], "rows": [{"n": "x"}]}, 422),
    ("engine", "POST", "/v1/features", {"features": ["twice"], "rows": [{"n": 2**62}]}, 422),
    ("engine", "POST", "/get-online-features", {"features": ["twice"], "entities": {"n": [1, 2**62]}}, 422),
]


@pytest.mark.parametrize("mistake", CALLS, ids=lambda one: f"{one[0]}-{one[2]}")
def test_a_mistake_of_the_caller(path: Path, mistake: tuple[str, str, str, Any, int]) -> None:
    code, method, where, body, status = mistake
    answer = call(Application(path), method, where, body)
    said = problem(answer)
    assert (answer.status, said["code"]) == (status, code), said
    assert said["status"] == status == STATUS[code]
    assert said["title"] and said["hint"] and said["request_id"] == answer.headers["x-request-id"]
    assert "retry-after" not in answer.headers


def problem(answer: Answer) -> dict[str, Any]:
    assert answer.headers["content-type"] == "application/problem+json"
    said: dict[str, Any] = answer.json()
    assert said.keys() <= {"status", "code", "title", "hint", "request_id"}
    return said


HEADERS = [
    ("wrong-content", {"content-type": "text/csv"}, 415),
    ("wrong-content", {"content-encoding": "gzip"}, 415),
    ("not-acceptable", {"accept": "text/csv"}, 406),
    ("too-large", {"content-length": "2000001"}, 413),
]


@pytest.mark.parametrize(("code", "headers", "status"), HEADERS)
def test_a_head_that_the_server_does_not_take(path: Path, code: str, headers: dict[str, str], status: int) -> None:
    answer = call(Application(path), "POST", "/v1/features", ask(), headers)
    assert (answer.status, problem(answer)["code"]) == (status, code)


@pytest.mark.parametrize(
    "accept", ["*/*", "application/json", "text/html, application/*;q=0.8", "Application/JSON; q=1"]
)
def test_json_is_given_to_all_who_take_it(path: Path, accept: str) -> None:
    assert call(Application(path), "POST", "/v1/features", ask(), {"accept": accept}).status == 200


def test_a_body_is_counted_as_it_arrives(path: Path) -> None:
    answer = call(Application(path, limits=Limits(body=100)), "POST", "/v1/features", parts=[b" " * 60] * 3)
    assert (answer.status, problem(answer)["code"]) == (413, "too-large")
    assert answer.headers["connection"] == "close"


def test_rows_and_features_are_counted(path: Path) -> None:
    app = Application(path, limits=Limits(rows=3, features=3))
    assert call(app, "POST", "/v1/features", ask(rows=[{"id": 1}] * 4)).status == 413
    assert call(app, "POST", "/get-online-features", {"features": ["a"], "entities": {"id": [1] * 4}}).status == 413
    assert call(app, "POST", "/v1/features", ask(features=["a"] * 4)).status == 413


def test_a_table_that_is_not_there_yet_is_a_503_that_ends_by_itself(tmp_path: Path) -> None:
    file = tmp_path / "online.db"
    app = Application(file)
    asyncio.run(app.startup())
    for method, where, body in (
        ("POST", "/v1/features", ask()),
        ("GET", "/readyz", None),
        ("GET", "/v1/services", None),
    ):
        answer = call(app, method, where, body)
        assert (answer.status, problem(answer)["code"]) == (503, "no-online")
        assert answer.headers["retry-after"] == "1"
    assert call(app, "GET", "/livez").status == 200
    assert call(app, "GET", "/metrics").status == 200
    load(file, make_view({"id": "BIGINT", "ts": "TIMESTAMP", "x": "DOUBLE"}, name="a"), [])
    assert call(app, "POST", "/v1/features", ask()).status == 200
    assert call(app, "GET", "/readyz").json() == {"status": "ready"}


def test_a_damaged_table_is_not_ready(path: Path) -> None:
    import sqlite3

    app = Application(path)
    assert call(app, "GET", "/readyz").status == 200
    connection = sqlite3.connect(path)
    with connection:
        connection.execute("UPDATE _asknown_views SET watermark = '2013-05-01 13:00:00.000000' WHERE view = 'a'")
    connection.close()
    answer = call(app, "GET", "/readyz")
    assert (answer.status, problem(answer)["code"]) == (503, "online-corrupt")
    assert call(app, "GET", "/livez").status == 200


def test_requests_beyond_the_limit_are_refused_at_once(path: Path) -> None:
    app = Application(path, limits=Limits(concurrency=1))

    async def run() -> list[Any]:
        waiting, first, second = asyncio.Event(), [], []

        async def slow() -> Any:
            await waiting.wait()
            return {"type": "http.disconnect"}

        async def keep(message: Any) -> None:
            first.append(message)

        async def receive() -> Any:
            return {"type": "http.request", "body": b"{}"}

        async def send(message: Any) -> None:
            second.append(message)

        scope = {"type": "http", "method": "POST", "path": "/v1/features", "headers": []}
        task = asyncio.create_task(app(scope, slow, keep))
        await asyncio.sleep(0)
        await app(scope, receive, send)
        live: list[Any] = []

        async def send_live(message: Any) -> None:
            live.append(message)

        await app({**scope, "method": "GET", "path": "/livez"}, receive, send_live)
        assert live[0]["status"] == 200
        waiting.set()
        await task
        return second

    head, body = asyncio.run(run())
    assert head["status"] == 503
    assert b"overloaded" in body["body"]


def test_a_read_that_takes_too_long_is_stopped(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sqlite3

    from asknown.serve.read import Ask, Reading

    app = Application(path, limits=Limits(read=0.2, rows_in_loop=1))
    stopped: list[bool] = []
    endless = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT count(*) FROM n"

    def read(reading: Reading, ask: Ask) -> Any:
        session = reading.reader._backend.sessions.current()  # type: ignore[attr-defined]
        try:
            session.connection.execute(endless).fetchall()
        except sqlite3.OperationalError as error:
            stopped.append("interrupted" in str(error))
            raise

    monkeypatch.setattr(Reading, "read", read)

    async def run() -> None:
        from asknown.serve.problems import ProblemError

        question = Ask(("a",), {"id": [1, 2]}, False, None, lambda: {})
        with pytest.raises(ProblemError, match=r"longer than 0\.2 seconds"):
            await app.state.read_aside(question)
        for _ in range(100):
            await asyncio.sleep(0.02)
            if stopped:
                break

    asyncio.run(run())
    assert stopped == [True]


def test_a_bug_tells_the_caller_nothing_but_the_requests_id(
    path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    from asknown.serve.state import State

    def fail(*_: Any) -> None:
        raise RuntimeError("secret place /etc")

    monkeypatch.setattr(State, "check_ready", fail)
    answer = call(Application(path), "GET", "/readyz", headers={"x-request-id": "r-1"})
    assert answer.status == 500
    assert problem(answer) == {
        "status": 500,
        "code": "internal",
        "title": "The server failed; its log has the traceback under this request's id.",
        "request_id": "r-1",
    }
    assert "secret place" in caplog.text
    assert "r-1" in caplog.text


def test_values_in_messages_are_escaped_and_cut(path: Path) -> None:
    app = Application(path)
    answer = call(app, "POST", "/v1/features", ask(features=["\x1b[31m" + "x" * 100_000]))
    assert "\\x1b" in problem(answer)["title"]
    assert len(answer.body) < 3_000
    assert len(call(app, "GET", "/" + "y" * 10_000).body) < 3_000


# -- tokens --------------------------------------------------------------------------------------------------------


def token(text: str, *scopes: str) -> Token:
    return Token(text, digest(text.encode()), frozenset(scopes))


TOKENS = [token("all", "read"), token("view", "read:a"), token("svc", "read:svc"), token("ops", "metrics")]
ACCESS = [
    ("all", ask(), 200),
    ("all", ask(features=["a", "svc"]), 200),
    ("view", ask(), 200),
    ("view", ask(features=["a:x"]), 200),
    ("view", ask(features=["a:x", "b:x"]), 403),
    ("view", {"service": "svc", "rows": [{"id": 8}]}, 403),
    ("svc", {"service": "svc", "rows": [{"id": 8}]}, 200),
    ("svc", ask(), 403),  # a service's scope covers its views only through the service
    ("svc", ask(features=["nope"]), 403),
    ("ops", ask(), 403),
    ("unknown", ask(), 401),
    ("", ask(), 401),
]


@pytest.mark.parametrize(("who", "body", "status"), ACCESS)
def test_a_token_reads_what_its_scopes_say(path: Path, who: str, body: Any, status: int) -> None:
    answer = call(Application(path, TOKENS), "POST", "/v1/features", body, {"authorization": f"Bearer {who}"})
    assert answer.status == status, answer.body
    if status == 401:
        assert (problem(answer)["code"], answer.headers["www-authenticate"]) == ("unauthorized", "Bearer")
    if status == 403:
        assert problem(answer)["code"] == "forbidden"
        assert "scope 'read:" in answer.json()["title"]
    entities = {"entities": {"id": [8]}, "features": body.get("features"), "feature_service": body.get("service")}
    asked = {name: value for name, value in entities.items() if value is not None}
    assert (
        call(
            Application(path, TOKENS), "POST", "/get-online-features", asked, {"authorization": f"bearer {who}"}
        ).status
        == status
    )


def test_without_a_token_only_the_process_and_the_page_answer(path: Path) -> None:
    app = Application(path, TOKENS)
    paths = ["/livez", "/health", "/readyz", "/", "/metrics", "/openapi.json", "/v1/services", "/v1/services/svc"]
    assert [call(app, "GET", where).status for where in paths] == [200] * 4 + [401] * 4


def test_what_other_scopes_open(path: Path) -> None:
    app = Application(path, TOKENS)
    expected = {
        "/metrics": {"all": 403, "view": 403, "svc": 403, "ops": 200},
        "/openapi.json": {"all": 200, "view": 200, "svc": 200, "ops": 403},
        "/v1/services": {"all": 200, "view": 200, "svc": 200, "ops": 403},
        "/v1/services/svc": {"all": 200, "view": 403, "svc": 200, "ops": 403},
    }
    for where, allowed in expected.items():
        found = {who: call(app, "GET", where, headers={"authorization": f"Bearer {who}"}).status for who in allowed}
        assert found == allowed, where
    listed = call(app, "GET", "/v1/services", headers={"authorization": "Bearer view"}).json()
    assert listed == {"services": []}


# -- the table -----------------------------------------------------------------------------------------------------


def test_every_code_that_a_request_can_reach_has_a_row() -> None:
    """The codes that any module raises which a server has loaded, but for those that only start it."""
    modules = subprocess.run(
        [
            sys.executable,
            "-c",
            "import asknown.serve, asknown.serve.arrow, asknown.online.on_demand, asknown.online.sqlite.tiles, "
            "asknown.online.sqlite.ahead, sys; print(*[m.__file__ for n, m in sys.modules.items() "
            "if n.startswith('asknown.') and n != 'asknown.errors'])",
        ],
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert len(modules) > 30
    raised: dict[str, set[str]] = {}
    for file in map(Path, modules):
        if "online/report" in str(file):
            continue
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and node.value in CODES:
                raised.setdefault(str(node.value), set()).add(file.name)
    never = {"bad-duration", "wrong-type", "unsupported-type", "bad-name", "bad-config", "spine"}  # of no request
    missing = {code: files for code, files in raised.items() if code not in STATUS and code not in never}
    assert missing == {}
    assert {"spine-key", "key-type", "request-input", "engine", "beyond-ahead", "online-stale"} <= raised.keys()


def test_the_table_knows_no_code_that_does_not_exist() -> None:
    assert STATUS.keys() - CODES.keys() - OVER_HTTP.keys() == {"unknown-source"} - CODES.keys()
    assert OVER_HTTP.keys() & CODES.keys() == set()


def test_a_code_without_a_row_is_our_bug() -> None:
    from asknown.errors import AsknownError

    assert as_problem(AsknownError("cycle", "private")).status == 500
    assert "private" not in as_problem(AsknownError("cycle", "private")).title
