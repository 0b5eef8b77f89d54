"""Whatever is asked, the answer is JSON and no answer is 5xx: requests near the schema, and far from it."""

from __future__ import annotations

import json
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from asknown.online.nodes import OnlineOnDemand, OnlineService, ServicePart, StoredFeature, StoredSource
from asknown.online.sqlite.writer import open_writer
from asknown.serve import Application
from asknown.types import Column, parse_type
from http_calls import call
from online_tables import load, make_view
from test_online_windows import call as aggregate
from test_online_windows import load as load_events
from test_online_windows import windowed

MOMENT = datetime(2013, 5, 1, 10)
KEYS: dict[str, tuple[str, Any]] = {
    "k_int": ("BIGINT", 8),
    "k_wide": ("HUGEINT", 10**30),
    "k_dec": ("DECIMAL(9,2)", Decimal("1.50")),
    "k_text": ("VARCHAR", "a"),
    "k_uuid": ("UUID", "0f8fad5b-d9cb-469f-a165-70867728950e"),
    "k_blob": ("BLOB", b"a"),
    "k_date": ("DATE", date(2013, 5, 1)),
    "k_time": ("TIMESTAMP", MOMENT),
    "k_zone": ("TIMESTAMP WITH TIME ZONE", MOMENT),
    "k_bool": ("BOOLEAN", True),
}
INPUTS = {
    "i_float": "DOUBLE",
    "i_int": "INTEGER",
    "i_dec": "DECIMAL(9,2)",
    "i_at": "TIMESTAMP",
    "i_list": "DECIMAL(9,2)[]",
}
VIEWS = [f"v_{name}" for name in KEYS]


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Application:
    file = tmp_path_factory.mktemp("fuzz") / "online.db"
    for name, (kind, value) in KEYS.items():
        view = make_view({name: kind, "ts": "TIMESTAMP", f"x_{name}": "DOUBLE"}, keys=(name,), name=f"v_{name}")
        load(file, view, [{name: value, "ts": MOMENT, f"x_{name}": float("nan")}])
    load_events(file, windowed({"n": aggregate("count", None)}, name="busy"), [{"id": 1, "ts": MOMENT}])
    on_demand = []
    for name, text in INPUTS.items():
        kind = parse_type(text)
        feature = StoredFeature(f"back_{name}", kind, ("column", text, name), (), (name,))
        source = StoredSource(name, kind, "input", name)
        on_demand.append(OnlineOnDemand(f"d_{name}", (), (Column(name, kind),), (source,), (feature,)))
    parts = (*(ServicePart(view) for view in VIEWS), *(ServicePart(view.name) for view in on_demand))
    with open_writer(file) as writer:
        writer.services([OnlineService("all", parts)], on_demand)
    return Application(file)


scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(-(2**70), 2**70),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.sampled_from(
        [
            "NaN",
            "-Infinity",
            "1.50",
            "1e5",
            "2013-05-01",
            "2013-05-01T10:00:00Z",
            "9999-12-31T23:59:59-12:00",
            "YQ==",
            "0001-01-01T00:00:00+14:00",
        ]
    ),
)
values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=5,
)
names = st.sampled_from([*KEYS, *INPUTS, "id"]) | st.text(max_size=5)
references = st.sampled_from(
    [*VIEWS, *(f"d_{name}" for name in INPUTS), "all", "busy", "v_k_int:x_k_int", "v_k_int:ts"]
) | st.text(max_size=8)


@st.composite
def near(draw: st.DrawFn) -> tuple[list[str], list[dict[str, Any]]]:
    """Features, and rows that have the keys and inputs of these, mostly."""
    some = draw(st.lists(st.sampled_from([*KEYS, *INPUTS]), min_size=1, max_size=3, unique=True))
    features = [f"v_{name}" if name in KEYS else f"d_{name}" for name in some]
    rows = draw(st.lists(st.fixed_dictionaries(dict.fromkeys(some, scalars)), min_size=1, max_size=3))
    return features, rows


bodies = st.one_of(
    values,
    st.fixed_dictionaries(
        {},
        optional={
            "service": st.just("all") | values,
            "features": st.lists(references, max_size=4) | values,
            "rows": st.lists(st.dictionaries(names, values, max_size=6), max_size=4) | values,
            "columns": st.dictionaries(names, st.lists(values, max_size=3), max_size=6) | values,
            "at": scalars,
            "full_names": st.booleans() | values,
            "entities": st.dictionaries(names, st.lists(values, max_size=3), max_size=6) | values,
            "feature_service": st.just("all") | values,
        },
    ),
)
accepts = st.sampled_from(["*/*", "application/json", "application/vnd.apache.arrow.stream"])


def check(app: Application, path: str, body: bytes, accept: str = "*/*") -> int:
    answer = call(app, "POST", path, body, {"accept": accept})
    assert answer.status < 500, (answer.status, answer.body, body)
    if answer.headers["content-type"] != "application/vnd.apache.arrow.stream":
        json.loads(answer.body, parse_constant=lambda name: pytest.fail(f"{name} in {answer.body!r}"))
    return answer.status


@hypothesis_settings(max_examples=300)
@given(body=bodies, accept=accepts)
def test_no_body_is_a_5xx(app: Application, body: Any, accept: str) -> None:
    text = json.dumps(body).encode()
    check(app, "/v1/features", text, accept)
    check(app, "/get-online-features", text)


@hypothesis_settings(max_examples=300)
@given(asked=near(), accept=accepts, at=st.none() | scalars)
def test_no_request_near_a_right_one_is_a_5xx(app: Application, asked: Any, accept: str, at: Any) -> None:
    features, rows = asked
    columns = {name: [row[name] for row in rows] for name in rows[0]}
    check(app, "/v1/features", json.dumps({"features": features, "rows": rows, "at": at}).encode(), accept)
    by_rows = check(app, "/v1/features", json.dumps({"features": features, "rows": rows}).encode())
    by_columns = check(app, "/v1/features", json.dumps({"features": features, "columns": columns}).encode())
    assert by_rows == by_columns
    check(app, "/get-online-features", json.dumps({"features": features, "entities": columns}).encode())


@hypothesis_settings(max_examples=200)
@given(body=st.binary(max_size=60) | st.text(max_size=30).map(str.encode))
def test_no_bytes_are_a_5xx(app: Application, body: bytes) -> None:
    check(app, "/v1/features", body)
    check(app, "/get-online-features", b'{"entities":' + body)


@hypothesis_settings(max_examples=200)
@given(
    method=st.sampled_from(["GET", "POST", "PUT", "HEAD", "OPTIONS", "x"]),
    path=st.lists(st.sampled_from(["", "v1", "services", "all", "features", "..", "%00", "é"]), max_size=4).map(
        "/".join
    ),
)
def test_no_path_is_a_5xx(app: Application, method: str, path: str) -> None:
    assert call(app, method, f"/{path}").status < 500


def test_the_fuzz_reaches_right_answers(app: Application, tmp_path: Path) -> None:
    # Guards the tests above against a table that answers nothing.
    row = {
        "k_int": 8,
        "k_wide": 10**30,
        "k_dec": "1.50",
        "k_text": "a",
        "k_uuid": "0f8fad5b-d9cb-469f-a165-70867728950e",
        "k_blob": "YQ==",
        "k_date": "2013-05-01",
        "k_time": "2013-05-01T10:00:00Z",
        "k_zone": "2013-05-01T10:00:00Z",
        "k_bool": True,
        **dict.fromkeys(INPUTS),
    }
    answer = call(app, "POST", "/v1/features", {"service": "all", "rows": [row]})
    assert answer.status == 200, answer.body
    found = answer.json()["rows"][0]
    assert [found[f"x_{name}"] for name in KEYS] == ["NaN"] * len(KEYS)
