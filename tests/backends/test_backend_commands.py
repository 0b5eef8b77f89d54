"""One project through the command line over each online store: loads, reads, pushes, checks, and the same by HTTP."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

import forked
from backends.conftest import Backend
from backends.servers import fresh_name
from http_calls import serving
from push.shop import VIEWS, now, order, write_file, write_shop

WANTED = ("newest", "totals", "announced")
SERVICE = """
feature_services:
  - name: everything
    features: [newest, totals, "announced:amount"]
"""


@pytest.fixture
def project(backend: Backend, tmp_path: Path) -> Path:
    """The shop, whose online table is the backend's."""
    if backend.kind == "memory":
        pytest.skip("a table in this process's memory is not there for commands")
    folder = write_shop(tmp_path / "shop", views={name: VIEWS[name] for name in WANTED})
    (folder / "models" / "services.yml").write_text(SERVICE)
    online = backend.server.online(fresh_name())
    profile = {"shop": {"target": "dev", "outputs": {"dev": {"type": "duckdb"}}, "online": online}}
    (folder / "profiles.yml").write_text(json.dumps(profile))
    return folder


def run(folder: Path, *words: str, given: str | None = None, code: int = 0) -> str:
    """What a command prints to stdout."""
    done = subprocess.run(
        [forked.asknown(), *words], cwd=folder, input=given, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done.stdout if code == 0 else done.stdout + done.stderr


def get(folder: Path, customer: int) -> dict[str, Any]:
    """The values and statuses of a customer's features, as `asknown get` prints them."""
    words = ("get", "everything", f"customer_id={customer}", "--full-names", "--format", "json")
    (found,) = json.loads(run(folder, *words))
    return {name: (value, found["statuses"][name]) for name, value in found["values"].items()}


def rows_of(*orders: dict[str, Any]) -> str:
    """Orders as lines of JSON."""
    return "".join(json.dumps({**row, "ordered_at": row["ordered_at"].isoformat()}) + "\n" for row in orders)


def test_a_project_by_commands_and_by_http(project: Path) -> None:
    first = [{**order(n, n % 3, ago=60 * n, amount=n / 4), "_arrived": now()} for n in range(1, 9)]
    write_file(project, "a.parquet", first)
    run(project, "materialize")
    before = get(project, 1)
    assert before["newest__twice"] == (0.5, "PRESENT")
    assert before["totals__spent"] == (0.25 + 1.0 + 1.75, "PRESENT")
    assert before["announced__amount"] == (None, "NOT_FOUND")  # due in two hours
    pushed = rows_of(order("new", 1, amount=5.0), order("other", 7, amount=2.0))
    for duplicates in (0, 2):
        (answer,) = json.loads(run(project, "push", "orders", "--rows", "-", "--format", "json", given=pushed))
        assert answer["duplicates"] == duplicates
    after = get(project, 1)
    assert after["newest__twice"] == (10.0, "PRESENT")
    assert after["totals__spent"] == (3.0 + 5.0, "PRESENT")
    assert get(project, 7)["totals__spent"] == (2.0, "PRESENT")
    for words in (("materialize",), ("materialize", "--full-refresh")):  # the pushed rows have landed, and count once
        run(project, *words)
        assert get(project, 1)["totals__spent"] == after["totals__spent"]
    with serving(folder=project) as server:
        body = {"feature_service": "everything", "entities": {"customer_id": [1, 99]}, "full_feature_names": True}
        answer = server.request("POST", "/get-online-features", body)
        assert answer.status == 200, answer.body
        found = answer.json()
        by_name = dict(zip(found["metadata"]["feature_names"], found["results"], strict=True))
        assert by_name["totals__spent"]["values"] == [8.0, None]
        assert by_name["newest__twice"]["statuses"] == ["PRESENT", "NOT_FOUND"]
    run(project, "doctor")
