"""A real server in a process of its own: its end, loads beneath it, clients that send halves, tokens from a profile."""

from __future__ import annotations

import http.client
import os
import re
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from asknown.serve.auth import digest
from http_calls import ASKNOWN, Server, serving
from online_tables import NOON, load, make_view
from waiting import PATIENCE, wait_until

MOMENT = datetime(2013, 5, 1, 10)
VIEW = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "x": "BIGINT"}, name="a")
HASH = digest(b"x")
ASK = {"features": ["a"], "rows": [{"id": 8}]}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    load(tmp_path / "online.db", VIEW, [{"id": 8, "ts": MOMENT, "x": 0}])
    return tmp_path / "online.db"


def test_it_serves_a_file_without_a_project(path: Path) -> None:
    with serving("--file", "online.db", "--drain", "0.5 seconds", folder=path.parent) as server:
        assert server.request("GET", "/readyz").status == 200
        assert server.request("POST", "/v1/features", ASK).json()["rows"] == [{"id": 8, "x": 0}]
        head = server.request("HEAD", "/livez")
        assert (head.status, head.headers["allow"]) == (405, "GET")
        started = time.monotonic()
        assert server.stop() == 0
        assert time.monotonic() - started >= 0.5  # the drain ends by itself, and not before


class Readers:
    """Clients that keep their connections, each in a thread, until they are told to stop or ``until`` is true."""

    def __init__(self, server: Server, number: int, until: Callable[[], bool] = lambda: False) -> None:
        self.answers: list[tuple[int, Any]] = []
        self.failures: list[str] = []
        self._server = server
        self._until = until
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=self._run) for _ in range(number)]

    def __enter__(self) -> Readers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _run(self) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=20)
        while not (self._stop.is_set() or self._until()):
            try:
                if connection.sock is None:
                    connection.connect()
                connection.request(
                    "POST",
                    "/v1/features",
                    b'{"features":["a"],"rows":[{"id":8}]}',
                    {"content-type": "application/json"},
                )
                response = connection.getresponse()
                body = response.read()
                self.answers.append((response.status, body))
            except (OSError, http.client.HTTPException) as error:
                self.failures.append(repr(error))
                connection.close()
        connection.close()


def test_a_drain_fails_no_request(path: Path) -> None:
    with serving("--file", "online.db", "--drain", "1 minute", folder=path.parent) as server:
        unready = threading.Event()

        def watch() -> None:
            while server.request("GET", "/readyz").status == 200:
                time.sleep(0.05)
            unready.set()

        with Readers(server, 8, unready.is_set) as readers:
            wait_until(lambda: len(readers.answers) > 20)
            before = len(readers.answers)
            balancer = threading.Thread(target=watch)
            balancer.start()
            server.process.send_signal(signal.SIGTERM)
            balancer.join()
            assert server.request("POST", "/v1/features", ASK).status == 200  # who has not heard yet is served
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=PATIENCE) == 0
        assert readers.failures == []
        assert {status for status, _ in readers.answers} == {200}
        assert len(readers.answers) > before


def test_while_it_drains_connections_are_not_kept(path: Path) -> None:
    with serving("--file", "online.db", "--drain", "10 minutes", folder=path.parent) as server:
        server.process.send_signal(signal.SIGTERM)
        wait_until(lambda: server.request("GET", "/readyz").status != 200)
        answer = server.request("GET", "/readyz")
        assert (answer.status, answer.json()["code"]) == (503, "draining")
        assert server.request("GET", "/livez").headers["connection"] == "close"
        server.process.send_signal(signal.SIGTERM)  # the second ends the wait
        assert server.process.wait(timeout=PATIENCE) == 0


def test_fifty_loads_while_serving_are_seen_and_fail_no_request(path: Path) -> None:
    with serving("--file", "online.db", folder=path.parent) as server:
        with Readers(server, 4) as readers:
            for number in range(1, 51):
                at = NOON + timedelta(minutes=number)
                load(path, VIEW, [{"id": 8, "ts": MOMENT, "x": number}], watermark=at)
                assert server.request("POST", "/v1/features", ASK).json()["rows"] == [{"id": 8, "x": number}]
                assert server.request("GET", "/readyz").status == 200
        assert readers.failures == []
        assert {status for status, _ in readers.answers} == {200}
        seen = [int(re.findall(rb'"x":(\d+)', body)[0]) for _, body in readers.answers]
        assert len(set(seen)) > 10


def test_a_file_replaced_is_seen(path: Path) -> None:
    with serving("--file", "online.db", folder=path.parent) as server, Readers(server, 2) as readers:
        for number in range(1, 6):
            other = path.with_name("other.db")
            load(other, VIEW, [{"id": 8, "ts": MOMENT, "x": number}])
            other.replace(path)
            for file in path.parent.glob("other.db*"):
                file.unlink()
            time.sleep(0.1)
            assert server.request("POST", "/v1/features", ASK).json()["rows"] == [{"id": 8, "x": number}]
    assert readers.failures == []
    assert {status for status, _ in readers.answers} == {200}


def test_half_requests_keep_nobody_else_waiting_and_are_closed(path: Path) -> None:
    halves = [
        b"",
        b"POST /v1/fea",
        b"POST /v1/features HTTP/1.1\r\nhost: x\r\n",
        b"POST /v1/features HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\n{",
        b"POST /v1/features HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked\r\n\r\n5\r\n{    \r\n",
    ]
    with serving("--file", "online.db", "--receive", "2 seconds", folder=path.parent) as server:
        open_ones = []
        for number in range(200):
            one = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
            one.sendall(halves[number % len(halves)])
            open_ones.append(one)
        for _ in range(20):
            assert server.request("POST", "/v1/features", ASK).status == 200
        started = time.monotonic()
        answers = [drained(one) for one in open_ones]
        assert time.monotonic() - started < 15
        assert all(answer == b"" or answer.startswith(b"HTTP/1.1 408") for answer in answers)
        assert sum(b'"code":"too-slow"' in answer for answer in answers) == 80
        assert server.request("GET", "/readyz").status == 200
        assert server.stop() == 0


def test_what_is_no_http_gets_a_problem_too(path: Path) -> None:
    with serving("--file", "online.db", folder=path.parent) as server:
        for sent in (b"\x16\x03\x01\r\n\r\n", b"POST / HTTP/1.1\r\nhost: x\r\ncontent-length: -1\r\n\r\n"):
            one = socket.create_connection(("127.0.0.1", server.port), timeout=PATIENCE)
            one.sendall(sent)
            answer = drained(one)
            assert answer.startswith(b"HTTP/1.1 400") and b"application/problem+json" in answer, answer
            assert b'"code":"bad-request"' in answer and b'"hint"' in answer


def drained(one: socket.socket) -> bytes:
    """What comes until the connection is closed."""
    found = b""
    with one:
        while part := one.recv(65536):
            found += part
    return found


def test_a_byte_now_and_then_does_not_lengthen_the_time(path: Path) -> None:
    with serving("--file", "online.db", "--receive", "1 second", folder=path.parent) as server:
        one = socket.create_connection(("127.0.0.1", server.port), timeout=10)
        one.sendall(b"POST /v1/features HTTP/1.1\r\nhost: x\r\ncontent-length: 1000\r\n\r\n")
        started = time.monotonic()
        try:
            while time.monotonic() - started < 30:
                one.sendall(b" ")
                time.sleep(0.1)
        except OSError:
            pass
        assert time.monotonic() - started < 15
        one.close()


def test_a_connection_may_be_kept_longer_than_a_request_may_take(path: Path) -> None:
    with serving("--file", "online.db", "--receive", "1 second", folder=path.parent) as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=PATIENCE)
        for pause in (1.5, 0):
            connection.request("GET", "/livez")
            assert connection.getresponse().read() == b'{"status":"ok"}'
            place = connection.sock
            time.sleep(pause)
        assert connection.sock is place
        connection.close()


def test_a_large_body_is_refused_and_the_next_request_served(path: Path) -> None:
    with serving("--file", "online.db", folder=path.parent) as server:
        for body in (b" " * 3_000_000, b'{"features":["a"],"rows":[' + b'{"id":8},' * 300_000):
            with suppress(BrokenPipeError, ConnectionResetError):  # it may say no before all of it is sent
                assert server.request("POST", "/v1/features", body).status == 413
        assert server.request("POST", "/v1/features", ASK).status == 200


PROJECT = """
shop:
  outputs: {dev: {type: duckdb}}
  serve:
    tokens:
      - {name: checkout, sha256: "{{ env_var('CHECKOUT') }}", scopes: ["read:a"]}
      - {name: ops, sha256: %s, scopes: [metrics]}
"""


def write_project(folder: Path, profiles: str) -> None:
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "shop"\n', encoding="utf-8")
    (folder / "profiles.yml").write_text(profiles, encoding="utf-8")


def test_tokens_come_from_the_profile(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_project(path.parent, PROJECT % digest(b"two"))
    monkeypatch.setenv("CHECKOUT", digest(b"one"))
    with serving("--file", "online.db", folder=path.parent) as server:
        asked = [("one", 200), ("two", 403), ("three", 401)]
        for token, status in asked:
            answer = server.request("POST", "/v1/features", ASK, {"authorization": f"Bearer {token}"})
            assert answer.status == status
        assert server.request("GET", "/metrics", headers={"authorization": "Bearer two"}).status == 200


def refused(*arguments: str, folder: Path, **environment: str) -> str:
    done = subprocess.run(
        [ASKNOWN, "serve", *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=PATIENCE,
        env={**os.environ, **environment},
    )
    assert done.returncode == 1, done.stderr
    assert "Traceback" not in done.stderr
    return done.stderr


def test_what_the_command_refuses(path: Path) -> None:
    folder = path.parent
    assert "there are no tokens" in refused("--file", "online.db", "--host", "0.0.0.0", folder=folder)
    assert "error[no-online]" in refused("--file", "nothing.db", folder=folder)
    assert "error[no-project]" in refused(folder=folder)
    assert "error[bad-duration]: --drain" in refused("--file", "online.db", "--drain", "soon", folder=folder)
    assert "is not a scope" in refused("--new-token", "x", "--scope", "write", folder=folder)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert f"cannot listen on 127.0.0.1:{port}" in refused("--file", "online.db", "--port", port, folder=folder)


@pytest.mark.parametrize(
    ("token", "message"),
    [
        ("{name: x, sha256: abc, scopes: [read]}", "must be 64 hexadecimal digits"),
        (f"{{name: x, sha256: {HASH}, scopes: [write]}}", "a scope that does not exist"),
        (f"{{name: x, sha256: {HASH}}}", "has no 'scopes'"),
        (f"{{sha256: {HASH}, scopes: [read]}}", "lacks 'name'"),
        ("{name: x, token: abc}", "has no key 'token'"),
    ],
)
def test_a_token_that_is_wrong_is_named_and_not_shown(path: Path, token: str, message: str) -> None:
    write_project(path.parent, f"shop:\n  outputs: {{dev: {{type: duckdb}}}}\n  serve: {{tokens: [{token}]}}\n")
    shown = refused("--file", "online.db", folder=path.parent)
    assert message in shown
    assert "profiles.yml:3" in shown
    assert "abc" not in shown


def test_a_new_token_is_printed_once_with_its_line(path: Path) -> None:
    made = subprocess.run(
        [ASKNOWN, "serve", "--new-token", "checkout", "--scope", "read:a"],
        cwd=path.parent,
        capture_output=True,
        text=True,
        check=True,
    )
    token = made.stdout.strip()
    assert re.fullmatch(r"ask_[\w-]{43}", token)
    assert f"sha256: {digest(token.encode())}, scopes: [read:a]" in made.stderr
    assert token not in made.stderr


def _workers(server: Server) -> list[int]:
    """The processes that serve for it, by their numbers."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text(encoding="utf-8")
    return [int(pid) for pid in children.split() if b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()]


def test_several_processes_serve_and_count_together(path: Path) -> None:
    with serving("--file", "online.db", "--workers", "2", folder=path.parent) as server:
        for _ in range(40):
            assert server.request("POST", "/v1/features", ASK).status == 200

        def counted() -> float:
            """The requests in the metrics. A process adds its counts when it is asked something, twice a second."""
            server.request("GET", "/livez")
            text = server.request("GET", "/metrics").body.decode()
            pattern = r'^asknown_requests_total\{code="ok",endpoint="/v1/features"\} (\S+)'
            return sum(map(float, re.findall(pattern, text, re.MULTILINE)))

        wait_until(lambda: counted() >= 40)
        assert counted() == 40
        assert server.stop() == 0


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds the processes in /proc")
def test_a_process_that_dies_is_replaced(path: Path) -> None:
    with serving("--file", "online.db", "--workers", "2", folder=path.parent) as server:
        workers = _workers(server)
        assert len(workers) == 2
        os.kill(workers[0], signal.SIGKILL)
        assert server.process.stderr is not None
        assert "another takes its place" in server.process.stderr.readline()
        for _ in range(10):
            assert server.request("POST", "/v1/features", ASK).status == 200
        assert server.stop() == 0


@pytest.mark.skipif(not Path("/proc/self").exists(), reason="finds the processes in /proc")
@pytest.mark.parametrize("seconds", [0, 0.001, 0.01, 0.3])
def test_an_end_while_a_process_is_being_replaced(path: Path, seconds: float) -> None:
    with serving("--file", "online.db", "--workers", "2", folder=path.parent) as server:
        os.kill(_workers(server)[0], signal.SIGKILL)
        assert server.process.stderr is not None
        assert "another takes its place" in server.process.stderr.readline()
        time.sleep(seconds)
        assert server.stop() == 0
