"""Keys and names that break programs: each is written, read back and told from all others, or refused in words."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from asknown.errors import AsknownError
from asknown.online.reader import OnlineReader
from asknown.online.sqlite.writer import open_writer
from asknown.types import Column, parse_type
from faults.hostile import MEGABYTE, SURROGATES, TEXTS
from faults.world import views
from online_tables import NOON, load, make_batch, make_view

T = datetime(2013, 5, 1, 10)
PEOPLE = make_view({"id": "VARCHAR", "ts": "TIMESTAMP", "place": "BIGINT"}, name="people")


def texts_table(path: Path) -> None:
    """A table whose keys are all those texts, and whose values say which."""
    load(path, PEOPLE, ({"id": text, "ts": T, "place": place} for place, text in enumerate(TEXTS)))


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "online.db"


def test_the_texts_are_all_different() -> None:
    assert len(set(TEXTS)) == len(TEXTS)


def test_texts_are_told_apart(path: Path) -> None:
    texts_table(path)
    places = list(range(len(TEXTS)))
    with OnlineReader(path) as reader:
        read = reader.get_online_features("people", {"id": list(TEXTS)}, at=NOON).to_dict()
        assert read == {"id": list(TEXTS), "place": places}
        for place, text in enumerate(TEXTS):
            assert reader.get_online_features("people", [{"id": text}], at=NOON).to_dict()["place"] == [place]
        absent = [*SURROGATES, "b", "a\0c", "E\u0301", MEGABYTE[1:]]
        response = reader.get_online_features("people", {"id": absent}, at=NOON)
    assert response.statuses()["place"] == ["NOT_FOUND"] * len(absent)


def test_texts_are_told_apart_in_every_load(path: Path) -> None:
    """The second load finds each row by its key and replaces it, and none else."""
    texts_table(path)
    later = ({"id": text, "ts": NOON, "place": -place} for place, text in enumerate(TEXTS))
    report = load(path, PEOPLE, later)
    assert (report.new, report.changed, report.rows_total) == (0, len(TEXTS), len(TEXTS))
    with OnlineReader(path) as reader:
        read = reader.get_online_features("people", {"id": list(TEXTS)}, at=NOON).to_dict()["place"]
    assert read == [-place for place in range(len(TEXTS))]


def test_texts_are_told_apart_as_parts_of_keys(path: Path) -> None:
    """No two pairs run together, wherever the one text ends and the other begins."""
    view = make_view({"a": "VARCHAR", "b": "VARCHAR", "ts": "TIMESTAMP", "place": "BIGINT"}, keys=("a", "b"))
    parts = [text for text in TEXTS if len(text) < 30]
    pairs = [(a, b) for a in parts for b in (parts[0], parts[-1], a, a + "a")]
    pairs = list(dict.fromkeys(pairs))
    load(path, view, ({"a": a, "b": b, "ts": T, "place": place} for place, (a, b) in enumerate(pairs)))
    with OnlineReader(path) as reader:
        rows = [{"a": a, "b": b} for a, b in pairs]
        read = reader.get_online_features("orders", rows, at=NOON).to_dict()["place"]
        other = reader.get_online_features("orders", [{"a": "a", "b": "b"}, {"a": "", "b": "ab"}], at=NOON)
    assert read == list(range(len(pairs)))
    assert other.statuses()["place"] == ["NOT_FOUND", "NOT_FOUND"]


def test_texts_are_told_apart_by_windows(path: Path) -> None:
    base = views(0)["clicks"]
    key = Column("id", parse_type("VARCHAR"))
    clicks = replace(base, keys=(key,), columns=(key, *base.columns[1:]))
    with open_writer(path) as writer:
        writer.load(clicks, [make_batch(clicks, ({"id": text, "at": T} for text in TEXTS))], NOON)
        times = pa.array([T] * len(TEXTS), pa.timestamp("us"))
        events = pa.record_batch({"id": list(TEXTS), "at": times, "_1": list(range(len(TEXTS)))})
        writer.load_events(clicks, [events], NOON)
    with OnlineReader(path) as reader:
        read = reader.get_online_features("clicks", {"id": [*TEXTS, *SURROGATES]}, at=NOON).to_dict()
    assert read["sum"] == [*range(len(TEXTS)), None, None, None]
    assert read["count"] == [1] * len(TEXTS) + [0, 0, 0]


NUMBERS: dict[str, tuple[list[Any], list[Any]]] = {
    # type: keys that are there, keys of the type that no row can have
    "BIGINT": ([-(2**63), 2**63 - 1, 0, -1, 1, 2**53, 2**53 + 1], [-(2**63) - 1, 2**63, 10**30]),
    "INTEGER": ([-(2**31), 2**31 - 1, 0], [2**31, -(2**31) - 1, 2**63, 2**64]),
    "UBIGINT": ([0, 2**63 - 1, 2**63, 2**64 - 1], [-1, 2**64]),
    "HUGEINT": ([-(10**38) + 1, 10**38 - 1, 2**63, 2**64, 0], [2**127, -(2**127) - 1, 10**40]),
    "DECIMAL(18,2)": ([Decimal("0.01"), Decimal("-0.01"), Decimal(1), 0], [Decimal("NaN"), Decimal("0.001")]),
}


@pytest.mark.parametrize("kind", NUMBERS)
def test_numbers_at_their_edges(path: Path, kind: str) -> None:
    there, absent = NUMBERS[kind]
    view = make_view({"id": kind, "ts": "TIMESTAMP", "place": "BIGINT"})
    load(path, view, ({"id": number, "ts": T, "place": place} for place, number in enumerate(there)))
    with OnlineReader(path) as reader:
        response = reader.get_online_features("orders", {"id": [*there, *absent, None]}, at=NOON)
        places = response.to_dict()["place"]
        assert places == [*range(len(there)), *(None for _ in absent), None]
        assert set(response.statuses()["place"][len(there) :]) == {"NOT_FOUND"}
        floats = (1.5, 1e300) if kind != "DECIMAL(18,2)" else (1.5, 1.0)  # a whole float is an integer
        for wrong in (*floats, math.inf, True, "1", b"1"):
            with pytest.raises(AsknownError) as caught:
                reader.get_online_features("orders", [{"id": wrong}], at=NOON)
            assert caught.value.code == "key-type"


def test_bytes_are_told_apart(path: Path) -> None:
    there = [b"", b"\0", b"\0\0", b"a", b"a\0", b"\xff", b"\xc3\xa9", b"x" * 1_000_000]
    view = make_view({"id": "BLOB", "ts": "TIMESTAMP", "place": "BIGINT"})
    load(path, view, ({"id": blob, "ts": T, "place": place} for place, blob in enumerate(there)))
    with OnlineReader(path) as reader:
        read = reader.get_online_features("orders", {"id": [*there, b"b"]}, at=NOON).to_dict()["place"]
    assert read == [*range(len(there)), None]


# ---------------------------------------------------------------- names

NAMES = (
    *("select", "from", "order", "Group", 'quo"te', "it's", "a b", "a.b", "a:b", "a=b", "é", "e\u0301", "😀"),
    *("\u202ex", "-- x", "/* x", "; drop table t", "rowid", "oid", "excluded", "_seq", "%s", "{x}", "?1", ":k", "]"),
)


def test_columns_of_any_name(path: Path) -> None:
    kinds = {"order by": "BIGINT", "where ts": "TIMESTAMP"} | dict.fromkeys(NAMES, "BIGINT")
    view = make_view(kinds, name="table", keys=("order by",), event_time="where ts")
    row = {"order by": 1, "where ts": T} | {name: place for place, name in enumerate(NAMES)}
    load(path, view, [row])
    load(path, view, [row | {"where ts": NOON}])
    with OnlineReader(path) as reader:
        whole = reader.get_online_features("table", [{"order by": 1}], at=NOON).rows()
        each = [reader.get_online_features(f"table:{n}", [{"order by": 1}], at=NOON).to_dict()[n] for n in NAMES]
        full = reader.get_online_features("table", [{"order by": 1}], at=NOON, full_feature_names=True).rows()
    assert whole == [{"order by": 1} | {name: place for place, name in enumerate(NAMES)}]
    assert each == [[place] for place in range(len(NAMES))]
    assert full == [{"order by": 1} | {f"table__{name}": place for place, name in enumerate(NAMES)}]
