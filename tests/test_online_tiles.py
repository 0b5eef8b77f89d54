"""Tiles give what the events themselves give, to the bit, and make the reads of busy keys short."""

from __future__ import annotations

import json
import math
import random
from dataclasses import replace
from datetime import date, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asknown.online import tiles
from asknown.online.reader import OnlineReader
from asknown.online.sqlite import layout, tile_update
from asknown.online.sqlite import tiles as sqlite_tiles
from asknown.online.sqlite.writer import open_writer
from asknown.online.tiles import code_of, pack, unpack
from asknown.online.windows import states_of
from asknown.types import parse_type
from online_tables import NOON, check_tiles, dump, make_batch, stored_rows
from test_online_windows import DAY, call, event_batch, load, read, windowed

HIDDEN = {
    "_1": "DOUBLE",
    "_2": "BOOLEAN",
    "_3": "DECIMAL(10,2)",
    "_4": "VARCHAR",
    "_5": "HUGEINT",
    "_6": "BIGINT",
    "_7": "DATE",
    "_8": "BLOB",
    "_9": "FLOAT",
}
NUMBERS = ("_1", "_3", "_5", "_6", "_9")
SECOND = 1_000_000
TICK = timedelta(seconds=1)


def calls_over(oldest: int, newest: int) -> dict[str, Any]:
    """Every aggregate that a frame can have over every column that it can be over."""
    found: dict[str, Any] = {}
    for column, kind in HIDDEN.items():
        names = ["count", "first", "last", "list"]
        names += ["count_distinct", "min", "max", "mode", "last_distinct"]
        if column in NUMBERS:
            names += ["sum", "avg", "var_pop"]
        if kind == "BOOLEAN":
            names += ["sum", "bool_and", "bool_or"]
        if kind == "BOOLEAN":
            names += ["streak", "longest_streak", "since"]
        for name in names:
            number = 2 if name == "last_distinct" else None
            found[f"{name}{column}"] = call(name, column, oldest=oldest, newest=newest, number=number)
            found[f"{name}{column} if"] = call(
                name, column, oldest=oldest, newest=newest, number=number, condition="_2"
            )
    found["rows"] = call("count", None, oldest=oldest, newest=newest)
    found["rows if"] = call("count", None, oldest=oldest, newest=newest, condition="_2")
    found["at most"] = call("arg_max", "_4", order="_1", oldest=oldest, newest=newest)
    found["at least"] = call("arg_min", "_1", order="_7", oldest=oldest, newest=newest)
    found["fall"] = call("drawdown", "_1", oldest=oldest, newest=newest)
    return found


FRAMES = [(0, 0), (2, 0), (3, 1), (6, 0), (9, 0), (9, 4)]
CALLS = {
    f"{name} {place}": made
    for place, (oldest, newest) in enumerate(FRAMES)
    for name, made in calls_over(oldest * SECOND, newest * SECOND).items()
}


ODD = [0.0, -0.0, 1.0, 0.1, -0.1, 1e17, -1e17, 1e-20, 1e308, -1e308, math.inf, -math.inf, math.nan, None]
EVENTS = st.lists(
    st.tuples(
        st.integers(-9, 0),
        st.sampled_from(ODD) | st.floats(),
        st.none() | st.booleans(),
        st.none() | st.integers(-200, 200).map(lambda v: Decimal(v).scaleb(-2)),
        st.none() | st.sampled_from(["", "a", "é", '"', "\ufffd"]),
        st.none() | st.integers(-(2**100), 2**100),
        st.none() | st.integers(-(2**63), 2**63 - 1),
        st.none() | st.dates(),
        st.none() | st.binary(max_size=2),
        st.none() | st.floats(width=32),
    ),
    max_size=12,
)


def exactly(value: Any) -> Any:
    """A form of the value in which equality is identity: of type, of bits, of a decimal's scale."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value.hex()
    if isinstance(value, list):
        return [exactly(v) for v in value]
    return (type(value).__name__, str(value))


def answers(path: Path, at: datetime, features: list[str]) -> Any:
    with OnlineReader(path) as reader:
        response = reader.get_online_features(features, [{"id": 1}], at=at)
    rows = {name: exactly(column[0]) for name, column in response.to_dict().items()}
    return rows, response.statuses(), response.event_timestamps()


def answers_of(path: Path, at: datetime, features: list[str]) -> Any:
    """The answers for three keys."""
    with OnlineReader(path) as reader:
        response = reader.get_online_features(features, [{"id": key} for key in (1, 2, 3)], at=at)
    rows = {name: exactly(column) for name, column in response.to_dict().items()}
    return rows, response.statuses(), response.event_timestamps()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    events=EVENTS,
    later=st.integers(0, 9),
    some=st.lists(st.sampled_from(sorted(CALLS)), unique=True, min_size=1, max_size=9),
)
def test_tiles_of_any_length_give_what_the_events_give(
    tmp_path: Path, events: list[Any], later: int, some: list[str]
) -> None:
    noon, view = NOON.replace(tzinfo=None), windowed({name: CALLS[name] for name in some}, HIDDEN)
    rows = [
        {"id": 1, "ts": noon + timedelta(seconds=second), **dict(zip(HIDDEN, values, strict=True))}
        for second, *values in events
    ]
    requests = [[f"orders:{name}" for name in some]]
    requests += [[f"orders:{name}"] for name in some]
    found = []
    for fewest, length in [(10**9, 1), (1, 1), (1, 2), (1, 5), (1, 128)]:
        path = tmp_path / "online.db"
        path.unlink(missing_ok=True)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(sqlite_tiles, "FEWEST", fewest)
            patch.setattr(tiles, "LENGTH", length)
            load(path, view, rows)
        found.append([answers(path, NOON + timedelta(seconds=later), request) for request in requests])
    assert all(each == found[0] for each in found)


def some_events(pick: random.Random, around: datetime) -> list[dict[str, Any]]:
    """Events of a few keys in the nine seconds before an instant, with odd values."""
    pools: list[Any] = [
        *([*ODD, 0.3], [None, True, False], [None, Decimal("1.25")], [None, "", "é"], [None, 2**90], [None, -5]),
        *([None, date(2024, 1, 1)], [None, b"\0"], [*ODD[:5], math.nan, None]),
    ]
    odd = pick.random() < 0.7  # else most columns are numbers alone, and packed as such
    rows = []
    for _ in range(pick.randrange(40)):
        values = [pick.choice(pool if odd else [value for value in pool if value is not None]) for pool in pools]
        at = (around - pick.randrange(10) * TICK).replace(tzinfo=None)
        rows.append({"id": pick.randrange(1, 4), "ts": at, **dict(zip(HIDDEN, values, strict=True))})
    return rows


@pytest.mark.parametrize("seed", [*range(40), 58, 162, 192])
def test_tiles_that_a_load_adds_to_give_what_those_of_all_events_give(tmp_path: Path, seed: int) -> None:
    pick = random.Random(seed)
    fewest, length, newer = pick.choice([(1, 1, 0), (1, 2, 1), (1, 2, 9), (2, 3, 2), (2, 5, 40), (4, 128, 9)])
    names = [*("sum_1 4", "last_4 3", "rows 2"), *pick.sample(sorted(CALLS), 5)]
    view = windowed({name: CALLS[name] for name in names}, HIDDEN)

    def newest(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return list({row["id"]: row for row in sorted(rows, key=lambda row: row["ts"])}.values())

    paths, rows, at = [tmp_path / "added.db", tmp_path / "whole.db"], some_events(pick, NOON), NOON
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sqlite_tiles, "FEWEST", fewest)
        patch.setattr(tiles, "LENGTH", length)
        patch.setattr(tile_update, "MOST_NEWER", newer)
        load(paths[0], view, rows, newest(rows))
        for _ in range(pick.randrange(1, 4)):
            at += pick.randrange(4) * TICK
            new = some_events(pick, at)[: pick.randrange(1, 12)]
            rows = [*rows, *new]
            with open_writer(paths[0]) as writer:
                batches = [make_batch(view, newest(new))], [event_batch(view, new)]
                writer.add(view, *batches, [], watermark=at, max_ahead=DAY)
                added = writer.stored()["orders"]
            check_tiles(paths[0])
        inside = [row for row in rows if row["ts"] >= at.replace(tzinfo=None) - 9 * TICK]
        load(paths[1], view, inside, newest(rows), watermark=at)
        with open_writer(paths[1]) as writer:
            whole = writer.stored()["orders"]
        assert replace(added.hashes, tiles=None) == replace(whole.hashes, tiles=None)
        if not added.stale_tiles:
            assert added.hashes.tiles == whole.hashes.tiles
        for part in ("orders", "orders.events"):
            assert dump(paths[0], part) == dump(paths[1], part)
        for later in (0, 1, 3, 6, 10):
            for asked in ([f"orders:{name}" for name in names], *([f"orders:{name}"] for name in names)):
                found = [answers_of(path, at + later * TICK, asked) for path in paths]
                assert found[0] == found[1]
        load(paths[0], view, inside, newest(rows), watermark=at)
    assert dump(paths[0], "orders.tiles") == dump(paths[1], "orders.tiles")


def test_only_busy_keys_have_tiles(tmp_path: Path) -> None:
    path = tmp_path / "online.db"
    view = windowed({"total": call("sum")})
    noon = NOON.replace(tzinfo=None)
    for count, expected in [(sqlite_tiles.FEWEST - 1, 0), (sqlite_tiles.FEWEST, 1), (tiles.LENGTH + 1, 2), (1, 0)]:
        load(path, view, [{"id": 1, "ts": noon, "_1": 0.1}] * count + [{"id": 2, "ts": noon, "_1": 0.1}])
        assert len(stored_rows(path, "orders.tiles")) == expected
        assert read(path, view, [1, 2]) == [{"total": float(count * Fraction(0.1))}, {"total": 0.1}]


def test_a_view_without_keys_has_tiles_when_it_is_busy(tmp_path: Path) -> None:
    path = tmp_path / "online.db"
    view = windowed({"total": call("sum")}, columns={"ts": "TIMESTAMP"}, keys=())
    noon = NOON.replace(tzinfo=None)
    for count, expected in [(31, 0), (32, 1)]:
        load(path, view, [{"ts": noon, "_1": 1.0}] * count)
        assert len(stored_rows(path, "orders.tiles")) == expected
        with OnlineReader(path) as reader:
            assert reader.get_online_features("orders", [{}], at=NOON).to_dict() == {"total": [float(count)]}


def test_a_sum_too_large_for_a_state_leaves_its_key_without_tiles(tmp_path: Path) -> None:
    path = tmp_path / "online.db"
    view = windowed({"total": call("sum"), "mean": call("avg")})
    noon = NOON.replace(tzinfo=None)
    large = [{"id": 1, "ts": noon, "_1": 1e308}] * 300
    load(path, view, [*large, *({"id": 2, "ts": noon, "_1": 1.0} for _ in range(300))])
    assert {row[0] for row in stored_rows(path, "orders.tiles")} == {2}
    assert read(path, view, [1, 2]) == [{"total": math.inf, "mean": 1e308}, {"total": 300.0, "mean": 1.0}]


def test_a_load_that_changes_nothing_leaves_the_tiles_alone(tmp_path: Path) -> None:
    path = tmp_path / "online.db"
    view = windowed({"total": call("sum")})
    events = [{"id": 1, "ts": NOON.replace(tzinfo=None), "_1": float(i)} for i in range(200)]
    load(path, view, events)
    before = dump(path, "orders.tiles")
    fail = "BEFORE DELETE ON main.\"orders.tiles\" BEGIN SELECT RAISE(FAIL, 'written'); END"
    with open_writer(path) as writer:
        writer.connection.execute(f'CREATE TEMP TRIGGER "no" {fail}')
        writer.load(view, [make_batch(view, [])], NOON)
        writer.load_events(view, [event_batch(view, events[::-1])], NOON)
    assert dump(path, "orders.tiles") == before


def test_tiles_of_a_release_with_fewer_states_are_read_and_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "online.db"
    view = windowed({"mode": call("mode"), "total": call("sum"), "last": call("last")})
    noon = NOON.replace(tzinfo=None)
    events = [{"id": 1, "ts": noon - timedelta(seconds=n), "_1": float(n % 3)} for n in range(300)]
    wanted = [{"mode": 0.0, "total": 300.0, "last": 0.0}]
    with monkeypatch.context() as patch:
        for module in (tiles, layout):
            patch.setattr(module, "states_of", lambda windows: states_of(windows)[:1])
        load(path, view, events)
    assert read(path, view) == wanted
    old = stored_rows(path, "orders.tiles")
    load(path, view, events)
    assert read(path, view) == wanted
    new = stored_rows(path, "orders.tiles")
    assert [len(json.loads(row[5])) for row in (*old, *new)] == [1, 1, 1, 3, 3, 3]
    assert [row[:5] for row in old] == [row[:5] for row in new]
    load(path, view, events)
    assert stored_rows(path, "orders.tiles") == new


def test_a_state_that_is_too_large_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "online.db"
    view = windowed({"mode": call("mode", "_2"), "last": call("last", "_2")}, {"_2": "VARCHAR"})
    monkeypatch.setattr(tiles, "LARGEST", 2_000)
    noon = NOON.replace(tzinfo=None)
    rows = [{"id": 1, "ts": noon - timedelta(seconds=n), "_2": f"value {n}"} for n in range(600)]
    load(path, view, [*rows, {"id": 1, "ts": noon - timedelta(seconds=599), "_2": "value 599"}])
    states = [json.loads(row[5]) for row in stored_rows(path, "orders.tiles")]
    assert [counts is None for counts, _ in states] == [True, True, True, False, False]
    assert [last for _, last in states] == [["value 0"], ["value 0"], ["value 0"], ["value 0"], []]
    assert read(path, view) == [{"mode": "value 599", "last": "value 0"}]


def test_a_state_in_order_does_not_part_rows_of_one_instant(tmp_path: Path) -> None:
    path = tmp_path / "online.db"
    view = windowed({"last": call("last", "_1"), "first": call("first", "_2")}, {"_1": "BIGINT", "_2": "BIGINT"})
    noon = NOON.replace(tzinfo=None)
    rows = [{"id": 1, "ts": noon - timedelta(seconds=n // 200), "_1": n % 200, "_2": -(n % 200)} for n in range(600)]
    load(path, view, rows)
    # Tiles of 128 rows begin within the instants, of 200 rows each.
    assert all(json.loads(row[5]) in ([None, None], [[], []]) for row in stored_rows(path, "orders.tiles"))
    for seconds, first in ((86_400, -199), (1, -199)):
        at = NOON + timedelta(seconds=86_400 - seconds)
        assert read(path, view, at=at) == [{"last": 199, "first": first}]


def test_keys_named_as_the_columns_of_the_tiles(tmp_path: Path) -> None:
    path = tmp_path / "online.db"
    columns = {"_start": "BIGINT", "_AFTER": "VARCHAR", "last": "TIMESTAMP"}
    view = windowed({"total": call("sum")}, columns=columns, keys=("_start", "_AFTER"), event_time="last")
    key = {"_start": 1, "_AFTER": "é"}
    load(path, view, [{**key, "last": NOON.replace(tzinfo=None), "_1": 1.0}] * 300)
    assert len(stored_rows(path, "orders.tiles")) == 3
    with OnlineReader(path) as reader:
        assert reader.get_online_features("orders", [key], at=NOON).to_dict()["total"] == [300.0]


FRAMES_IN_DAYS = [(1, 0), (7, 0), (30, 0), (30, DAY)]


def test_a_key_of_100_000_events_against_plain_arithmetic(tmp_path: Path) -> None:
    path = tmp_path / "online.db"
    view = windowed(
        {
            f"{name} {days} {newest}": call(name, oldest=days * DAY, newest=newest)
            for days, newest in FRAMES_IN_DAYS
            for name in ("sum", "avg", "count", "min", "max")
        }
    )
    some = random.Random(7)
    noon = NOON.replace(tzinfo=None)
    ages = [some.randrange(31 * DAY) for _ in range(100_000)]
    values = [some.choice([some.gauss(0, 1), 1e17, -1e17, 0.1, 1e-20]) for _ in ages]
    rows = [
        {"id": 1, "ts": noon - timedelta(microseconds=age), "_1": value}
        for age, value in zip(ages, values, strict=True)
    ]
    load(path, view, rows)
    for later in (0, 12 * 3_600 * SECOND, 3 * DAY):
        (row,) = read(path, view, at=NOON + timedelta(microseconds=later))
        for days, newest in FRAMES_IN_DAYS:
            inside = [v for age, v in zip(ages, values, strict=True) if newest <= age + later <= days * DAY]
            total = sum(map(Fraction, inside))
            expected = {
                "sum": float(total) if inside else None,
                "avg": float(total / len(inside)) if inside else None,
                "count": len(inside),
                "min": min(inside, default=None),
                "max": max(inside, default=None),
            }
            assert {name: row[f"{name} {days} {newest}"] for name in expected} == expected


@pytest.mark.parametrize(
    ("kind", "values", "packed"),
    [
        ("DOUBLE", [1.0, -0.0, math.inf], bytes),
        ("DOUBLE", [1.0, None], str),
        ("BIGINT", [1, -(2**63)], bytes),
        ("HUGEINT", ["1", "-5"], str),
        ("VARCHAR", ["é", None, '"'], str),
    ],
)
def test_columns_come_back_as_they_were_packed(kind: str, values: list[Any], packed: type) -> None:
    code = code_of(parse_type(kind))
    assert type(pack(code, values)) is packed
    assert [repr(value) for value in unpack(code, pack(code, values))] == [repr(value) for value in values]
    assert math.isnan(unpack("d", pack("d", ["NaN"]))[0])
