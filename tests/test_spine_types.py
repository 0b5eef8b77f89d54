"""A spine's column of a type that would come out changed is refused in SQL, files and frames (rule 6)."""

from __future__ import annotations

from datetime import time
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import CliRunner

from asknown import AsknownError, FeatureStore
from asknown.cli.group import main

SPINE = "select 1 as k, timestamp '2024-01-05' as event_timestamp, {} as c"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "types"\n')
    (tmp_path / "models" / "s.yml").write_text("entities: [{name: k, keys: [k]}]\n")
    (tmp_path / "models" / "v.sql").write_text(
        "{{ config(entity='k', event_time='ts') }} select 1 as k, timestamp '2024-01-01' as ts, 5 as x"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("interval '1 hour'", "is a duration"),
        ("[interval '1 hour']", "is a duration"),
        ("'12:00:00+05'::timetz", "times of day with a time zone"),
        ("'12:00:00.123456789'::time_ns", "times of day in nanoseconds"),
        ("'101'::bit", "strings of bits"),
        ("{'a': ['101'::bit]}", "strings of bits"),
        ("5::bignum", "numbers of any length"),
        ("5::variant", "values of any type"),
        ("union_value(a := 1)", "union of types"),
    ],
)
def test_a_type_that_is_not_kept_is_refused(folder: Path, value: str, said: str) -> None:
    with FeatureStore(folder) as store:
        with pytest.raises(AsknownError, match=f"the spine's column 'c' .*{said}") as raised:
            store.get_historical_features(SPINE.format(value), ["v"])
        assert raised.value.code == "spine"
        if "cast(" in (raised.value.hint or "") and "{" not in value:
            text = SPINE.format(f"cast({value} as varchar)")
            assert store.get_historical_features(text, ["v"]).to_arrow().num_rows == 1


@pytest.mark.parametrize(
    "value", ["map {'a': 1}", "'a'::enum('a', 'b')", "null", "5::hugeint", "{'bit': 1}", "time '12:00'", "uuid()"]
)
def test_other_types_pass(folder: Path, value: str) -> None:
    with FeatureStore(folder) as store:
        assert store.get_historical_features(SPINE.format(value), ["v"]).to_arrow().num_rows == 1


def test_a_frames_time_of_day_is_never_cut(folder: Path) -> None:
    def spine(nanoseconds: int) -> pa.Table:
        at = pa.array([1_704_412_800_000_000], pa.timestamp("us"))
        return pa.table({"k": [1], "event_timestamp": at, "c": pa.array([nanoseconds], pa.time64("ns"))})

    with FeatureStore(folder) as store:
        kept = store.get_historical_features(spine(5_000), ["v"]).to_arrow()
        assert kept.column("c").to_pylist() == [time(0, 0, 0, 5)]
        with pytest.raises(AsknownError, match="the spine's column 'c'"):
            store.get_historical_features(spine(5_001), ["v"])


@pytest.mark.parametrize("form", ["csv", "json", "table"])
def test_infinite_times_are_shown_as_databases_write_them(
    folder: Path, form: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    values = "{'a': 1}.a as n, '-infinity'::date as d, 'infinity'::timestamp"
    done = CliRunner().invoke(main, ["train", "v", "--spine", SPINE.format(values), "--format", form])
    assert done.exit_code == 0, done.output
    assert "-infinity" in done.stdout
    assert done.stdout.count("infinity") == 2
