"""The page of `asknown serve` in a real browser: `make test-site` runs this, and leaves pictures in .tmp/site/."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest

from asknown.online.nodes import OnlineOnDemand, OnlineService, ServicePart, StoredFeature, StoredSource
from asknown.online.sqlite.writer import open_writer
from asknown.serve.auth import digest
from asknown.types import Column, parse_type
from browser import DESKTOP, PHONE, Browser, find_chromium, open_browser
from http_calls import Server, serving
from online_tables import load, make_view

PICTURES = Path(__file__).parents[2] / ".tmp" / "site"
ROWS = "[...document.querySelectorAll('#answer tbody tr')].map(r => [...r.cells].map(c => c.textContent))"
HOSTILE = "<img src=x onerror=alert(1)>"

if "ASKNOWN_BROWSER" not in os.environ:
    pytest.skip("make test-site runs these, in a headless Chromium", allow_module_level=True)


def make_table(path: Path) -> None:
    columns = {
        "carrier": "VARCHAR",
        "landed_at": "TIMESTAMP",
        "last_delay": "DOUBLE",
        "flights": "BIGINT",
        "price": "DECIMAL(9,2)",
        "note": "VARCHAR",
        "late": "BOOLEAN",
    }
    view = make_view(columns, keys=("carrier",), name="carrier_delays", event_time="landed_at")
    moment = datetime(2013, 5, 1, 10)
    row = {"landed_at": moment, "last_delay": -4.5, "flights": 2**53 + 1, "note": HOSTILE, "late": True}
    load(path, view, [{"carrier": "UA", "price": 12, **row}, {"carrier": "AA", **row, "last_delay": None}])
    number = Column("amount", parse_type("BIGINT"))
    back = OnlineOnDemand(
        name="asked",
        keys=(),
        inputs=(number,),
        sources=(StoredSource("amount", number.type, "input", "amount"),),
        features=(StoredFeature("amount_asked", number.type, ("column", "BIGINT", "amount"), (), ("amount",)),),
    )
    parts = (ServicePart("carrier_delays"), ServicePart("asked"))
    with open_writer(path) as writer:
        writer.services([OnlineService("flight_delay", parts), OnlineService("other", parts[:1])], [back])


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    folder = tmp_path_factory.mktemp("page")
    make_table(folder / "online.db")
    with serving("--file", "online.db", folder=folder) as running:
        yield running


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    program = find_chromium()
    assert program is not None, "there is no Chromium; on Debian: apt-get install chromium"
    with open_browser(program, tmp_path_factory.mktemp("profile")) as browser:
        yield browser


def type_into(tab: Browser, name: str, text: str) -> None:
    tab.ask(f"document.querySelector('[name={name}], #{name}').focus()")
    tab.ask("document.activeElement.select()")
    tab.press(text)


@pytest.mark.parametrize(("size", "dark"), [(DESKTOP, False), (PHONE, False), (DESKTOP, True)])
def test_a_person_reads_features(tab: Browser, server: Server, size: tuple[int, int], dark: bool) -> None:
    tab.show(size, dark=dark)
    tab.go(f"http://127.0.0.1:{server.port}/")
    tab.wait_for("document.querySelectorAll('#fields input').length === 2")
    type_into(tab, "carrier", "UA")
    type_into(tab, "amount", "9007199254740993")
    tab.press("Enter")
    tab.wait_for("!document.getElementById('answer').hidden")
    rows = {row[0]: row[1:] for row in tab.ask(ROWS)}
    assert rows["last_delay DOUBLE"][:2] == ["-4.5", "PRESENT"]
    assert rows["flights BIGINT"][0] == "9007199254740993"  # all 54 bits
    assert rows["price DECIMAL(9,2)"][0] == "12.00"
    assert rows["note VARCHAR"][0] == HOSTILE
    assert rows["late BOOLEAN"][0] == "true"
    assert rows["amount_asked BIGINT"] == ["9007199254740993", "PRESENT", "–"]
    assert rows["last_delay DOUBLE"][2].endswith(" d")
    line = tab.ask("document.querySelector('#line pre').textContent")
    assert f"curl -s http://127.0.0.1:{server.port}/v1/features" in line
    assert json.loads(line.partition("-d '")[2][:-1])["rows"] == [{"carrier": "UA", "amount": 9007199254740993}]
    assert tab.ask("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert tab.ask("document.images.length") == 0
    tab.picture(PICTURES / f"serve-{'x'.join(map(str, size))}{'-dark' if dark else ''}.png")
    type_into(tab, "carrier", "ZZ")
    tab.press("Enter")
    tab.wait_for("document.querySelector('#answer td.NOT_FOUND') !== null")
    assert {row[0]: row[1:] for row in tab.ask(ROWS)}["last_delay DOUBLE"] == ["NULL", "NOT_FOUND", "–"]


def test_a_mistake_is_said_in_words(tab: Browser, server: Server) -> None:
    tab.show(PHONE)
    tab.go(f"http://127.0.0.1:{server.port}/")
    tab.wait_for("document.querySelectorAll('#fields input').length === 2")
    type_into(tab, "carrier", "UA")
    type_into(tab, "amount", "much")
    tab.press("Enter")
    tab.wait_for("!document.getElementById('error').hidden")
    assert "request-input: the input 'amount'" in tab.ask("document.getElementById('error').textContent")
    assert tab.ask("document.getElementById('answer').hidden")
    tab.picture(PICTURES / "serve-mistake.png")


def test_it_asks_this_server_alone_and_breaks_no_policy(tab: Browser, server: Server) -> None:
    tab.problems.clear()
    tab.requests.clear()
    tab.go(f"http://127.0.0.1:{server.port}/")
    tab.wait_for("document.querySelectorAll('#fields input').length === 2")
    tab.ask("document.getElementById('service').value = 'other'")
    tab.ask("document.getElementById('service').dispatchEvent(new Event('change'))")
    tab.wait_for("document.querySelectorAll('#fields input').length === 1")
    ours = (f"http://127.0.0.1:{server.port}/", "data:,", "about:blank")
    assert [address for address in tab.requests if not address.startswith(ours)] == []
    assert tab.problems == []


def test_it_asks_for_the_token_and_forgets_it(tab: Browser, tmp_path: Path) -> None:
    make_table(tmp_path / "online.db")
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "shop"\n', encoding="utf-8")
    token = f"{{name: x, sha256: {digest(b'ask_me')}, scopes: [read]}}"
    profile = f"shop:\n  outputs: {{dev: {{type: duckdb}}}}\n  serve: {{tokens: [{token}]}}\n"
    (tmp_path / "profiles.yml").write_text(profile, encoding="utf-8")
    with serving("--file", "online.db", folder=tmp_path) as server:
        for _ in range(2):
            tab.go(f"http://127.0.0.1:{server.port}/")
            tab.wait_for("!document.getElementById('token-field').hidden")
            assert tab.ask("document.getElementById('token').value") == ""
            type_into(tab, "token", "ask_me")
            tab.ask("document.getElementById('token').blur()")
            tab.wait_for("document.querySelectorAll('#fields input').length === 2")
            assert tab.ask("localStorage.length + sessionStorage.length + document.cookie.length") == 0
