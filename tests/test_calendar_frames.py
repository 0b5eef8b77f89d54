"""Frames over the calendar's units: when each begins, in every zone; what is refused; how far a load knows them."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asknown import AsknownError, FeatureStore
from asknown.dialects.duckdb import DUCKDB
from asknown.emit.periods import starts_query
from asknown.emit.sql import col
from asknown.emit.windows.periods import period_start
from asknown.online.nodes import OnlineWindows
from asknown.online.windows import Periods
from asknown.periods import UNITS, CalendarPeriod, Starts
from oracle_calendar import Period, bounds
from oracle_values import microseconds

ZONES = (
    *("UTC", "Europe/Berlin", "Europe/London", "America/New_York", "America/Sao_Paulo", "America/Havana"),
    *(
        "America/St_Johns",
        "Atlantic/Azores",
        "Australia/Lord_Howe",
        "Asia/Kathmandu",
        "Pacific/Apia",
        "Pacific/Chatham",
    ),
    *("Africa/Casablanca", "Africa/Cairo", "America/Santiago", "Asia/Amman", "Asia/Gaza", "Asia/Tehran", "Asia/Beirut"),
    *("Asia/Kolkata", "America/Scoresbysund", "America/Asuncion"),
)
FROM, UNTIL = datetime(2015, 1, 1), datetime(2026, 1, 1)


def instants(zone: str) -> list[datetime]:
    """Instants of ten years: around each change of the zone's clocks, and at random."""
    own, choose = ZoneInfo(zone), random.Random(zone)
    hours = [FROM + timedelta(hours=n) for n in range(int((UNTIL - FROM) / timedelta(hours=1)))]
    offsets = [at.replace(tzinfo=UTC).astimezone(own).utcoffset() for at in hours]
    changes = [at for at, before, after in zip(hours[1:], offsets, offsets[1:], strict=False) if before != after]
    around = [at + timedelta(minutes=15 * n) for at in changes for n in range(-16, 17)]
    near = [at + timedelta(hours=h, microseconds=m) for at in changes for h in (-24, 0, 24) for m in (-1, 0, 1)]
    return sorted(
        [*around, *near, *(choose.choice(hours) + timedelta(seconds=choose.randrange(3600)) for _ in range(80))]
    )


@pytest.mark.parametrize("zone", ZONES)
def test_units_begin_when_the_zones_clocks_first_show_them(zone: str) -> None:
    asked = instants(zone)
    table = pa.table({"t": pa.array(asked, pa.timestamp("us"))})
    with closing(duckdb.connect()) as connection:
        for statement in DUCKDB.session:
            connection.execute(statement)
        connection.register("m", table)
        for unit in (unit for unit in UNITS if unit != "hour" or zone == "UTC"):
            period = CalendarPeriod(unit, zone)
            this, before = (
                period_start(DUCKDB, col("t", "m"), period, before=back).sql("duckdb") for back in (False, True)
            )
            found = connection.execute(f"select epoch_us({this}), epoch_us({before}) from m").fetchall()
            starts = [s for (s,) in connection.execute(starts_query(DUCKDB, period, FROM, UNTIL)).fetchall()]
            stored = Starts.of(period, starts)
            assert stored.instants() == starts and stored.last == starts[-1]
            reader = Periods(OnlineWindows((), (), (), starts=(stored,)), [(period, False), (period, True)])
            for t, (begin, earlier) in zip(asked, found, strict=True):
                wanted = bounds(Period(unit, zone), t)[0], *bounds(Period(unit, zone, back=True), t)
                assert (begin, earlier, begin - 1) == wanted, (unit, t)
                at = microseconds(t)
                distances = reader.resolve([(0, 0), (0, 0)], at)
                assert distances == [(at - begin, 0), (at - earlier, at - begin + 1)], (unit, t)


# --- a project --------------------------------------------------------------------------------------------------------

VIEW = """
{{ config(entity='card', event_time='ts'%s) }}
select card, ts, x,
    %s
from {{ source('shop', 'payments') }}
"""
ITEMS = """sum(x) over {{ this('day', 'Europe/Berlin') }} as today,
    count(*) over {{ previous('month') }} as before,
    max(x) over {{ last('2 days') }} as most"""
ROWS = [(1 + n % 2, datetime(2024, 3, 29) + timedelta(minutes=95 * n), n % 7) for n in range(80)]


def write_shop(folder: Path, sql: str, rows: list[tuple[int, datetime, int]] = ROWS) -> Path:
    """A project with one view over some payments."""
    (folder / "models").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "shop"\n')
    profile = {"shop": {"target": "dev", "outputs": {"dev": {"type": "duckdb"}}}}
    (folder / "profiles.yml").write_text(json.dumps(profile))
    (folder / "models" / "v.sql").write_text(sql)
    properties = {
        "sources": [{"name": "shop", "tables": [{"name": "payments", "path": "p*.parquet"}]}],
        "entities": [{"name": "card", "keys": [{"name": "card"}]}],
    }
    (folder / "models" / "m.yml").write_text(json.dumps(properties))
    write_rows(folder / "p1.parquet", rows)
    return folder


def write_rows(file: Path, rows: list[tuple[int, datetime, int]]) -> None:
    cards, times, numbers = zip(*rows, strict=True)
    pq.write_table(pa.table({"card": cards, "ts": pa.array(times, pa.timestamp("us")), "x": numbers}), file)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[FeatureStore]:
    with FeatureStore(write_shop(tmp_path / "shop", VIEW % ("", ITEMS))) as opened:
        yield opened


def test_the_rendered_model_runs_on_duckdb_as_it_stands(store: FeatureStore) -> None:
    """At each event, its own SQL gives what the training set gives there. No two events share a key and a time."""
    sql = store.compile_model("v")
    spine = pa.table({"card": [c for c, _, _ in ROWS], "event_timestamp": pa.array([t for _, t, _ in ROWS])})
    found = store.get_historical_features(spine, ["v:today", "v:before", "v:most"]).to_arrow().to_pylist()
    with closing(duckdb.connect()) as connection:
        own = {(card, ts): rest for card, ts, _, *rest in connection.execute(sql).fetchall()}
    assert [[row["today"], row["before"], row["most"]] for row in found] == [own[card, ts] for card, ts, _ in ROWS]


def test_a_read_past_the_calendar_of_the_load_is_an_error(tmp_path: Path) -> None:
    folder = write_shop(tmp_path / "shop", VIEW % (", max_ahead='1 day'", ITEMS))
    watermark, ask = datetime(2024, 4, 3, 12), [{"card": 1}]
    with FeatureStore(folder) as store:
        store.materialize(watermark)
        ends = datetime(2024, 4, 4, 22)  # the midnight in Berlin that comes first after a day
        last = store.get_online_features(["v:today"], ask, at=ends - timedelta(microseconds=1))
        assert last.to_dict()["today"] == [None]
        with pytest.raises(AsknownError) as refused:
            store.get_online_features(["v:today"], ask, at=ends)
        assert refused.value.code == "beyond-ahead"
        assert "calendar up to 2024-04-04 22:00:00 UTC" in refused.value.message
        assert "max_ahead" in (refused.value.hint or "")
        for feature, value in (("x", 1), ("most", None), ("before", 23)):  # April is known to its end
            answer = store.get_online_features([f"v:{feature}"], ask, at=ends + timedelta(days=5))
            assert answer.to_dict()[feature] == [value], feature
        store.materialize(watermark + timedelta(days=1))
        assert store.get_online_features(["v:today"], ask, at=ends).to_dict()["today"] == [None]


def test_a_load_of_new_files_alone_moves_the_calendar_on(tmp_path: Path) -> None:
    folder = write_shop(tmp_path / "shop", VIEW % (", max_ahead='1 day'", ITEMS))
    with FeatureStore(folder) as store:
        store.materialize(datetime(2024, 4, 4))
        (again,) = store.materialize(datetime(2024, 4, 4))
        assert again.read == "nothing"
    write_rows(folder / "p2.parquet", [(1, datetime(2024, 4, 6), 100), (1, datetime(2024, 4, 5, 21), 1)])
    with FeatureStore(folder) as store:
        (report,) = store.materialize(datetime(2024, 4, 6, 12))
        assert report.read == "new files", report.why
        at = datetime(2024, 4, 6, 13)
        assert store.get_online_features(["v:today"], [{"card": 1}], at=at).to_dict()["today"] == [100]
        assert not store.doctor().findings


REFUSED = (
    ("sum(x) over {{ this('fortnight') }} as f", "'hour', 'day', 'week'"),
    ("sum(x) over {{ this('month', 'Mars/Olympus') }} as f", "time zone"),
    ("sum(x) over {{ this('month', 7) }} as f", "Europe/Berlin"),
    ("sum(x) over {{ this('hour', 'Asia/Kolkata') }} as f", "UTC"),
    ("sum(x) over {{ this() }} as f", "unit"),
    ("sum(x) over {{ last('1 month') }} as f", "{{ this('month') }}"),
    ("sum(x) over (partition by card order by ts range between interval '1 month' preceding and current row) as f",
     "{{ this('month') }}"),
    ("sum(x) over (partition by card order by ts range between ts - date_trunc('decade', ts) preceding and current row)"
     " as f", "{{ previous('month') }}"),
    ("sum(x) over (partition by card order by ts range between to_hours(x) preceding and current row) as f",
     "{{ this('month') }}"),
    ("sum(x) over (partition by card order by ts range between ts - date_trunc('month', ts) preceding "
     "and interval '1 hour' preceding) as f", "{{ previous('month') }}"),
    ("sum(x) over (partition by card order by ts range between ts - (ts at time zone 'a''b') preceding and current row)"
     " as f", "{{ this('month') }}"),
)  # fmt: skip


@pytest.mark.parametrize(("item", "word"), REFUSED)
def test_what_is_no_period_is_refused(item: str, word: str, tmp_path: Path) -> None:
    spine = pa.table({"card": [1], "event_timestamp": pa.array([datetime(2024, 4, 1)])})
    with FeatureStore(write_shop(tmp_path / "shop", VIEW % ("", item))) as store:
        with pytest.raises(AsknownError) as refused:
            store.get_historical_features(spine, ["v:f"]).to_arrow()
        assert word in f"{refused.value.message} {refused.value.hint}", str(refused.value)


def test_words_and_plans_say_the_period(store: FeatureStore) -> None:
    spine = pa.table({"card": [1], "event_timestamp": pa.array([datetime(2024, 4, 1)])})
    text = store.get_historical_features(spine, ["v"]).explain()
    assert "sum over this day in Europe/Berlin" in text
    assert "count over the whole month before" in text
