"""Every value on the wire: what goes out in the three forms, and what comes in as a key or an input."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from asknown.online.nodes import OnlineOnDemand, StoredFeature, StoredSource
from asknown.online.sqlite.writer import open_writer
from asknown.serve import Application
from asknown.types import Column, parse_type
from http_calls import call
from online_tables import NOON, load, make_view

MOMENT = datetime(2013, 5, 1, 10)
UUID_TEXT = "0f8fad5b-d9cb-469f-a165-70867728950e"

# type, value, its JSON on /v1, its JSON on Feast's endpoint; the text of JSON, so that digits count
VALUES: list[tuple[str, Any, str, str]] = [
    ("DOUBLE", 0.1, "0.1", "0.1"),
    ("DOUBLE", -0.0, "-0.0", "-0.0"),
    ("DOUBLE", math.nan, '"NaN"', "null"),
    ("BIGINT", 2**53 + 1, "9007199254740993", "9007199254740993"),
    ("UBIGINT", 2**64 - 1, "18446744073709551615", "18446744073709551615"),
    ("HUGEINT", 10**30, '"1000000000000000000000000000000"', '"1000000000000000000000000000000"'),
    ("HUGEINT", 7, '"7"', '"7"'),
    ("DECIMAL(9,2)", Decimal("1.50"), '"1.50"', "1.50"),
    ("DECIMAL(38,20)", Decimal("0.00000000000000000001"), '"0.00000000000000000001"', "0.00000000000000000001"),
    ("TIMESTAMP", datetime(2013, 5, 1, 12), '"2013-05-01T12:00:00Z"', '"2013-05-01T12:00:00Z"'),
    (
        "TIMESTAMP",
        datetime(2013, 5, 1, 12, 0, 0, 120),
        '"2013-05-01T12:00:00.000120Z"',
        '"2013-05-01T12:00:00.000120Z"',
    ),
    ("TIMESTAMP WITH TIME ZONE", datetime(1, 1, 1, tzinfo=UTC), '"0001-01-01T00:00:00Z"', '"0001-01-01T00:00:00Z"'),
    ("DATE", date(2013, 5, 1), '"2013-05-01"', '"2013-05-01"'),
    ("TIME", time(1, 2, 3, 4), '"01:02:03.000004"', '"01:02:03.000004"'),
    ("BLOB", b"\x00\xff", '"AP8="', '"AP8="'),
    ("UUID", UUID_TEXT, f'"{UUID_TEXT}"', f'"{UUID_TEXT}"'),
    ("BOOLEAN", True, "true", "true"),
    ("VARCHAR", 'a "b" é', '"a \\"b\\" é"', '"a \\"b\\" é"'),
    ("DOUBLE[]", [1.5, math.nan, None], '[1.5,"NaN",null]', "[1.5,null,null]"),
    ("DECIMAL(9,2)[]", [Decimal("1.50")], '["1.50"]', "[1.50]"),
]


def table(path: Path, kind: str, value: Any) -> Application:
    view = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "x": kind}, name="v")
    load(path, view, [{"id": 1, "ts": MOMENT, "x": value}, {"id": 2, "ts": MOMENT, "x": None}])
    return Application(path)


@pytest.mark.parametrize(("kind", "value", "own", "feast"), VALUES)
def test_a_value_in_every_form(tmp_path: Path, kind: str, value: Any, own: str, feast: str) -> None:
    app = table(tmp_path / "online.db", kind, value)
    body = {"features": ["v"], "rows": [{"id": 1}]}
    assert f'"x":{own}}}'.encode() in call(app, "POST", "/v1/features", body).body
    body = {"features": ["v"], "columns": {"id": [1, 2, 3]}}
    answer = call(app, "POST", "/v1/features", body)
    assert f'"x":[{own},null,null]'.encode() in answer.body
    assert answer.json()["statuses"]["x"] == ["PRESENT", "NULL_VALUE", "NOT_FOUND"]
    answer = call(app, "POST", "/get-online-features", {"features": ["v"], "entities": {"id": [1, 2, 3]}})
    assert f'"values":[{feast},null,null],"statuses":["PRESENT","NULL_VALUE","NOT_FOUND"]'.encode() in answer.body


@pytest.mark.parametrize(("kind", "value", "own", "feast"), VALUES)
def test_a_value_in_arrow(tmp_path: Path, kind: str, value: Any, own: str, feast: str) -> None:
    app = table(tmp_path / "online.db", kind, value)
    body = {"features": ["v"], "columns": {"id": [1, 2, 3]}}
    answer = call(app, "POST", "/v1/features", body, {"accept": "application/vnd.apache.arrow.stream"})
    assert answer.headers["content-type"] == "application/vnd.apache.arrow.stream"
    found = pa.ipc.open_stream(BytesIO(answer.body)).read_all()
    assert found.column_names == ["id", "x", "x__status", "x__timestamp"]
    first, *others = found["x"].to_pylist()
    assert str(first) == str(value)
    assert others == [None, None]
    assert found["x__status"].to_pylist() == ["PRESENT", "NULL_VALUE", "NOT_FOUND"]
    assert found["x__timestamp"].to_pylist() == [MOMENT.replace(tzinfo=UTC)] * 2 + [None]
    assert found.schema.metadata[b"seq"] == b"0"


@pytest.mark.parametrize(("value", "text"), [(math.inf, '"Infinity"'), (-math.inf, '"-Infinity"')])
def test_infinity_is_text_in_our_form_and_an_error_in_feasts(tmp_path: Path, value: float, text: str) -> None:
    app = table(tmp_path / "online.db", "DOUBLE", value)
    assert f'"x":{text}'.encode() in call(app, "POST", "/v1/features", {"features": ["v"], "rows": [{"id": 1}]}).body
    answer = call(app, "POST", "/get-online-features", {"features": ["v"], "entities": {"id": [1]}})
    assert (answer.status, answer.json()["code"]) == (422, "bad-value")
    assert "/v1/features" in answer.json()["hint"]


def test_huge_floats_that_add_up_to_infinity_are_numbers(tmp_path: Path) -> None:
    view = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "x": "DOUBLE"}, name="v")
    load(tmp_path / "online.db", view, [{"id": i, "ts": MOMENT, "x": 1.7e308} for i in (1, 2)])
    body = {"features": ["v"], "columns": {"id": [1, 2]}}
    assert (
        call(Application(tmp_path / "online.db"), "POST", "/v1/features", body).json()["columns"]["x"] == [1.7e308] * 2
    )


KEYS: list[tuple[str, Any, Any]] = [
    ("BIGINT", 2**53 + 1, 2**53 + 1),
    ("BIGINT", 8, 8.0),
    ("HUGEINT", 10**30, "1000000000000000000000000000000"),
    ("HUGEINT", 10**20, 10**20),
    ("DECIMAL(9,2)", Decimal("1.50"), "1.50"),
    ("DECIMAL(9,2)", Decimal("1.50"), 1.5),
    ("UUID", UUID_TEXT, UUID_TEXT.upper()),
    ("BLOB", b"\x00\xff", "AP8="),
    ("DATE", date(2013, 5, 1), "2013-05-01"),
    ("TIMESTAMP", datetime(2013, 5, 1, 12), "2013-05-01T14:00:00+02:00"),
    ("BOOLEAN", True, True),
    ("VARCHAR", "é", "é"),
]


@pytest.mark.parametrize(("kind", "stored", "given"), KEYS)
def test_a_key_of_every_type_is_found(tmp_path: Path, kind: str, stored: Any, given: Any) -> None:
    view = make_view({"id": kind, "ts": "TIMESTAMP", "x": "BIGINT"}, name="v")
    load(tmp_path / "online.db", view, [{"id": stored, "ts": MOMENT, "x": 7}])
    app = Application(tmp_path / "online.db")
    for _ in range(2):  # by a new plan, and by the one of the first read
        answer = call(app, "POST", "/v1/features", {"features": ["v"], "rows": [{"id": given}]})
        assert answer.json()["rows"] == [{"id": given, "x": 7}]
    answer = call(app, "POST", "/get-online-features", {"features": ["v"], "entities": {"id": [given, None]}})
    assert [one["values"] for one in answer.json()["results"]] == [[given, None], [7, None]]


def test_a_decimal_key_is_read_with_all_its_digits(tmp_path: Path) -> None:
    view = make_view({"id": "DECIMAL(38,20)", "ts": "TIMESTAMP", "x": "BIGINT"}, name="v")
    load(tmp_path / "online.db", view, [{"id": Decimal("0.10000000000000000001"), "ts": MOMENT, "x": 7}])
    body = b'{"features":["v"],"rows":[{"id":0.10000000000000000001}]}'
    answer = call(Application(tmp_path / "online.db"), "POST", "/v1/features", body)
    assert answer.json()["rows"][0]["x"] == 7


@pytest.mark.parametrize(
    ("kind", "given"),
    [("TIMESTAMP", "noon"), ("DECIMAL(9,2)", "1e5"), ("BLOB", "?"), ("HUGEINT", "1.0"), ("UUID", "x")],
)
def test_a_text_that_is_no_value_of_the_key_is_the_callers_mistake(tmp_path: Path, kind: str, given: str) -> None:
    view = make_view({"id": kind, "ts": "TIMESTAMP", "x": "BIGINT"}, name="v")
    load(tmp_path / "online.db", view, [])
    answer = call(
        Application(tmp_path / "online.db"), "POST", "/v1/features", {"features": ["v"], "rows": [{"id": given}]}
    )
    assert (answer.status, answer.json()["code"]) == (422, "key-type")


def with_input(path: Path, kind: str) -> Application:
    """A table with an on-demand view that gives its one input back."""
    view = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "x": "BIGINT"}, name="v")
    column = Column("given", parse_type(kind))
    echo = OnlineOnDemand(
        name="echo",
        keys=(),
        inputs=(column,),
        sources=(StoredSource("given", column.type, "input", "given"),),
        features=(StoredFeature("back", column.type, ("column", kind, "given"), (), ("given",)),),
    )
    load(path, view, [{"id": 1, "ts": MOMENT, "x": 7}], watermark=NOON)
    with open_writer(path) as writer:
        writer.services([], [echo])
    return Application(path)


INPUTS = [
    ("DOUBLE", 12.5),
    ("DOUBLE", "NaN"),
    ("DOUBLE", "-Infinity"),
    ("BIGINT", 2**63 - 1),
    ("HUGEINT", "1000000000000000000000000000000"),
    ("DECIMAL(9,2)", "1.50"),
    ("TIMESTAMP", "2013-05-01T12:00:00Z"),
    ("DATE", "2013-05-01"),
    ("VARCHAR", "é"),
    ("BOOLEAN", False),
    ("DOUBLE[]", [1.5, "NaN", None]),
    ("DECIMAL(9,2)[]", ["1.50", None]),
    ("BIGINT", None),
]


@pytest.mark.parametrize(("kind", "given"), INPUTS)
def test_an_input_comes_back_as_it_was_written(tmp_path: Path, kind: str, given: Any) -> None:
    app = with_input(tmp_path / "online.db", kind)
    answer = call(app, "POST", "/v1/features", {"features": ["echo"], "rows": [{"given": given}]})
    assert answer.json()["rows"] == [{"given": given, "back": given}]
    assert answer.json()["event_timestamps"] == [{"back": None}]


@pytest.mark.parametrize(("kind", "given"), [("DOUBLE", "12.5"), ("BIGINT", "7"), ("DATE", "May"), ("DOUBLE[]", ["x"])])
def test_an_input_of_another_type_is_the_callers_mistake(tmp_path: Path, kind: str, given: Any) -> None:
    app = with_input(tmp_path / "online.db", kind)
    answer = call(app, "POST", "/v1/features", {"features": ["echo"], "rows": [{"given": given}]})
    assert (answer.status, answer.json()["code"]) == (422, "request-input")
