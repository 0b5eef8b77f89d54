"""Rule 8: a float that is a whole number is an integer key at both ends, NaN is none, and any other is an error."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from click.testing import CliRunner

from asknown import FeatureStore
from asknown.cli.group import main
from asknown.errors import AsknownError

FILES = {
    "pyproject.toml": '[tool.asknown]\nname = "club"\n',
    "models/club.yml": "entities:\n  - name: member\n",
    "models/visits.sql": "{{ config(entity='member', event_time='seen_at') }}\n"
    "select id::%s as member, seen_at, points, avg(points) over {{ last('9 days') }} as mean\n"
    "from (values (1, timestamp '2024-01-01', 10), (2, timestamp '2024-01-02', 20)) t(id, seen_at, points)\n",
}
T = "timestamp '2024-01-03' as event_timestamp"
BEYOND = 2.0**53


@pytest.fixture(params=["BIGINT", "SMALLINT", "UBIGINT", "HUGEINT"])
def store(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> FeatureStore:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text.replace("%s", request.param))
    monkeypatch.chdir(tmp_path)
    store = FeatureStore(tmp_path)
    store.materialize(until="2024-01-03")
    return store


def train(store: FeatureStore, spine: Any) -> list[dict[str, Any]]:
    return store.get_historical_features(spine, ["visits"]).to_arrow().to_pylist()


def frame(library: Any, values: list[Any], kind: str = "float64") -> Any:
    column = np.array([math.nan if value is None else value for value in values], kind)
    return library.DataFrame({"member": column, "event_timestamp": [pd.Timestamp("2024-01-03").to_pydatetime()] * 3})


@pytest.mark.parametrize("kind", ["float64", "float32"])
@pytest.mark.parametrize("library", [pd, pl])
def test_whole_floats_of_a_frame_match(store: FeatureStore, library: Any, kind: str) -> None:
    rows = train(store, frame(library, [2, None, 1], kind))
    assert [(row["points"], row["mean"]) for row in rows] == [(20, 20.0), (None, None), (10, 10.0)]
    assert [row["member"] for row in rows][::2] == [2.0, 1.0]  # the spine's column stays a float


@pytest.mark.parametrize("value", [1.7, -0.5, math.inf, -math.inf, 1e300, BEYOND, -BEYOND])
def test_any_other_float_is_an_error_that_names_it(store: FeatureStore, value: float) -> None:
    with pytest.raises(AsknownError) as caught:
        train(store, frame(pd, [1, value, 2]))
    assert caught.value.code == "key-type"
    assert "the spine's 'member' holds " in caught.value.message
    for given in (value, np.float64(value)):
        with pytest.raises(AsknownError) as refused:
            store.get_online_features(["visits"], {"member": [1, given]})
        assert refused.value.code == "key-type"


def test_a_float32_is_exact_up_to_fewer_numbers(store: FeatureStore) -> None:
    with pytest.raises(AsknownError, match=r"2\^24"):
        train(store, f"select 16777216::float as member, {T}")
    with pytest.raises(AsknownError, match="float32"):
        store.get_online_features(["visits"], [{"member": np.float32(2**24)}])
    assert train(store, f"select 16777216::double as member, {T}")[0]["points"] is None


def test_a_spine_in_sql_and_its_compiled_query(store: FeatureStore) -> None:
    assert train(store, f"select 1.0::double as member, {T}")[0]["points"] == 10
    assert train(store, f"select -0.0::double as member, {T}")[0]["points"] is None
    sql = store.get_historical_features(f"select 2.0::double as member, {T}", ["visits"]).sql()
    assert "FLOOR(" in sql
    with pytest.raises(AsknownError):  # integers beside it are compared as ever
        train(store, f"select '1' as member, {T}")


@pytest.mark.parametrize("given", [1.0, np.float64(1), np.float32(1), np.float16(1), 1, np.int8(1)])
def test_online_as_in_training(store: FeatureStore, given: Any) -> None:
    found = store.get_online_features(["visits"], {"member": [given, math.nan, None, 2.0]}).to_dict()
    assert found["points"] == [10, None, None, 20]


def asknown(*words: str, stdin: str | None = None) -> tuple[int, str]:
    done = CliRunner().invoke(main, words, prog_name="asknown", input=stdin)
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


def test_the_command_line(store: FeatureStore) -> None:
    Path("spine.csv").write_text("member,event_timestamp\n1.0,2024-01-03\n,2024-01-03\n2.0,2024-01-03\n")
    code, output = asknown("train", "visits:points", "--spine", "spine.csv", "--format", "json")
    assert (code, [row["points"] for row in json.loads(output[: output.rindex("]") + 1])]) == (0, [10, None, 20])
    for typed in ("1.0", "1.", "1"):
        code, output = asknown("get", "visits:points", f"member={typed}", "--format", "csv")
        assert (code, output.splitlines()[1]) == (0, "1,10")
    for typed in ("1.7", "1e0", "nan", "1.0.0"):
        assert "error[key-type]" in asknown("get", "visits", f"member={typed}")[1]
    lines = '{"member": 1.0}\n{"member": 2}\n'
    assert asknown("get", "visits:points", "--rows", "-", "--format", "csv", stdin=lines)[1].split() == [
        "member,points",
        "1.0,10",
        "2,20",
    ]
    assert "error[key-type]" in asknown("get", "visits", "--rows", "-", stdin='{"member": 1.7}\n')[1]
