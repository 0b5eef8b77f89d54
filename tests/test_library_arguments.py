"""What the library is given is taken in every shape that says it plainly; anything else is named in the error."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from click.testing import CliRunner

from asknown import AsknownError, FeatureStore, OnlineReader
from asknown.cli.group import main

NOON = dt.datetime(2024, 5, 1, 12)
FILES = {
    "pyproject.toml": '[tool.asknown]\nname = "club"\n',
    "models/club.yml": "sources:\n  - name: shop\n    tables:\n      - {name: visits, path: visits.csv}\n"
    "entities:\n  - {name: member, keys: [member_id]}\n",
    "models/visits.sql": "{{ config(entity='member', event_time='seen_at') }}\n"
    "select member_id, seen_at, points from {{ source('shop', 'visits') }}\n",
    "visits.csv": "member_id,seen_at,points\n1,2024-01-01 12:00:00,10\n",
}
SPINE = "select 1 as member_id, timestamp '2024-06-01' as event_timestamp"


@pytest.fixture
def store(tmp_path: Path) -> FeatureStore:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return FeatureStore(tmp_path)


@pytest.mark.parametrize(
    "instant",
    [
        "2024-05-01 12:00",
        " 2024-05-01T12:00:00Z ",
        "2024-05-01T14:00+02:00",
        NOON,
        NOON.replace(tzinfo=dt.UTC),
        NOON.replace(tzinfo=dt.timezone(dt.timedelta(hours=-5))) - dt.timedelta(hours=5),
        pd.Timestamp(NOON),
        pd.Timestamp(NOON, tz="Europe/Paris") + pd.Timedelta(hours=2),
        pd.Timestamp(NOON).as_unit("ns"),
        np.datetime64("2024-05-01T12"),
        np.datetime64("2024-05-01T12:00:00.000000000"),
    ],
    ids=str,
)
def test_an_instant_is_taken_in_every_shape(store: FeatureStore, instant: Any) -> None:
    (report,) = store.materialize(until=instant)
    assert report.watermark.replace(tzinfo=None) == NOON
    assert store.get_online_features("visits", [{"member_id": 1}], at=instant).rows()[0]["points"] == 10


def test_a_date_is_its_first_moment(store: FeatureStore) -> None:
    (report,) = store.materialize(until=dt.date(2024, 5, 1))
    assert report.watermark.replace(tzinfo=None) == dt.datetime(2024, 5, 1)


@pytest.mark.parametrize(
    "instant",
    [
        "noon",
        "2024-13-01",
        1717200000,
        1.5,
        True,
        pd.NaT,
        np.datetime64("NaT"),
        np.timedelta64(5, "s"),
        np.int64(5),
        pd.Timestamp("2024-05-01 00:00:00.000000001"),
        np.datetime64("2024-05-01T00:00:00.000000001"),
        dt.datetime.max.replace(tzinfo=dt.timezone(dt.timedelta(hours=-5))),
        dt.time(5),
        [],
    ],
    ids=str,
)
def test_what_is_no_instant_is_named(store: FeatureStore, instant: Any) -> None:
    with pytest.raises(AsknownError, match=r"^bad-value: until: .* is not an instant"):
        store.materialize(until=instant)
    store.materialize(until=NOON)
    with pytest.raises(AsknownError, match=r"^bad-value: at: .* is not an instant"):
        store.get_online_features("visits", [{"member_id": 1}], at=instant)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda s: s.get_historical_features(SPINE, "visits", timestamp=7), "timestamp: 7 is not a name"),
        (lambda s: s.get_historical_features(SPINE, {"visits": ["x"]}), "features: {'visits': ['x']} is not a name"),
        (lambda s: s.get_historical_features(SPINE, {"visits"}), "features: {'visits'} is not a name"),
        (lambda s: s.get_historical_features(SPINE, "visits").to_parquet(None), "path: None is not a path"),
        (lambda s: s.get_historical_features(SPINE, "visits").to_parquet("a\0b.csv"), "is not a path"),
        (lambda s: s.get_historical_features(SPINE, "visits").head("x"), "rows: 'x' is not a number of rows"),
        (lambda s: s.get_historical_features(SPINE, "visits").head(-1), "rows: -1 is not a number of rows"),
        (lambda s: s.preview("visits", -1), "limit: -1 is not a number of rows"),
        (lambda s: s.preview("visits", 1.5), "limit: 1.5 is not a number of rows"),
        (lambda s: s.columns(7), "model: 7 is not a name"),
        (lambda s: s.materialize(wait="long"), "wait: 'long' is not a number of seconds"),
        (lambda s: FeatureStore(7), "path: 7 is not a path"),
        (lambda s: FeatureStore(None), "path: None is not a path"),
        (lambda s: OnlineReader(7), "path: 7 is not a path"),
        (lambda s: OnlineReader("a\0b"), "is not a path"),
    ],
)
def test_a_bad_argument_is_named(store: FeatureStore, call: Callable[[FeatureStore], Any], words: str) -> None:
    with pytest.raises(AsknownError) as caught:
        call(store)
    assert caught.value.code == "bad-value" and words in caught.value.message and caught.value.hint


def test_keys_of_a_request_stay_whole_in_a_frame(store: FeatureStore) -> None:
    """Integers beside a missing one became floats, and large ones other numbers."""
    big = 2**53 + 1
    store.materialize(until=NOON)
    rows = [{"member_id": big, "y": True}, {"member_id": None, "y": None}]
    frame = store.get_online_features(features="visits", entity_rows=rows, at=NOON).to_df()
    assert str(frame["member_id"].dtype) == "Int64" and str(frame["y"].dtype) == "boolean"
    assert int(frame["member_id"][0]) == big and frame["member_id"].isna().tolist() == [False, True]


@pytest.mark.parametrize("missing", [None, pd.NA, float("nan"), pd.NaT], ids=repr)
def test_a_missing_key_is_null_at_both_ends(store: FeatureStore, missing: Any) -> None:
    store.materialize(until=NOON)
    online = store.get_online_features("visits:points", [{"member_id": missing}, {"member_id": 1}], at=NOON)
    assert online.to_dict()["points"] == [None, 10]


def test_one_name_may_be_given_as_text(store: FeatureStore) -> None:
    assert [report.view for report in store.materialize(until=NOON, views="visits")] == ["visits"]


@pytest.mark.parametrize("given", [5, [5], [None], {"a": 1}.values(), [["visits"]]], ids=str)
def test_what_is_no_name_is_named(store: FeatureStore, given: Any) -> None:
    store.materialize(until=NOON)
    with pytest.raises(AsknownError, match=r"^bad-value: views: .* is not a name"):
        store.materialize(until=NOON, views=given)
    with pytest.raises(AsknownError, match=r"^bad-value: models: .* is not a name"):
        store.run(given)
    with pytest.raises(AsknownError, match=r"^bad-value: features: .* is not a name"):
        store.get_historical_features(SPINE, given)
    with pytest.raises(AsknownError, match="names no features"):
        OnlineReader(store.project.profile.online.address).get_online_features(given, [{"member_id": 1}])


@pytest.mark.parametrize("given", [None, []], ids=str)
def test_no_features_are_no_request(store: FeatureStore, given: Any) -> None:
    store.materialize(until=NOON)
    with pytest.raises(AsknownError, match=r"features"):
        store.get_historical_features(SPINE, given)
    with pytest.raises(AsknownError, match=r"names no features"):
        store.get_online_features(given, [{"member_id": 1}])


def test_the_error_names_the_lock_file(store: FeatureStore) -> None:
    lock = Path(f"{store.project.profile.online.address}.lock")
    lock.mkdir()
    with pytest.raises(AsknownError, match=r"the lock file .*online\.db\.lock, .* cannot be opened: is a directory"):
        store.materialize(until=NOON)


def test_a_lock_file_that_is_a_link_does_not_empty_what_it_leads_to(store: FeatureStore) -> None:
    source = store.project.settings.root / "visits.csv"
    before = source.read_bytes()
    Path(f"{store.project.profile.online.address}.lock").symlink_to(source)
    with pytest.raises(AsknownError, match=r"the lock file .*online\.db\.lock, .* cannot be opened"):
        store.materialize(until=NOON)
    assert source.read_bytes() == before


def test_control_characters_in_a_description_are_escaped(store: FeatureStore) -> None:
    root = store.project.settings.root
    text = 'models: [{name: visits, description: "a \\e[8m b"}]\n'
    (root / "models" / "more.yml").write_text(text, encoding="utf-8")
    shown = CliRunner().invoke(main, ["--project", str(root), "show", "visits"]).output
    assert "a \\x1b[8m b" in shown and "\x1b" not in shown


def test_control_characters_in_an_error_are_escaped() -> None:
    error = AsknownError("bad-value", "a \x1b[8m value\nwith \u202e more", hint="\x07")
    assert str(error) == "bad-value: a \\x1b[8m value\nwith \\u202e more\n  hint: \\x07"


def test_a_job_is_a_stream_for_whoever_takes_one(store: FeatureStore) -> None:
    job = store.get_historical_features(SPINE, "visits")
    assert pa.RecordBatchReader.from_stream(job).read_all() == job.to_arrow()
    again = store.get_historical_features(job, "visits", full_feature_names=True).to_arrow()
    assert again.column_names == ["member_id", "event_timestamp", "points", "visits__points"]
