"""A store that several threads share, or that is used after a fork: it answers, or says what to do; it never hangs."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from asknown import AsknownError, FeatureStore

FILES = {
    "pyproject.toml": '[tool.asknown]\nname = "club"\n',
    "models/club.yml": "sources:\n  - name: shop\n    tables:\n      - {name: visits, path: visits.csv}\n"
    "entities:\n  - {name: member, keys: [member_id]}\n",
    "models/visits.sql": "{{ config(entity='member', event_time='seen_at') }}\n"
    "select member_id, seen_at, points from {{ source('shop', 'visits') }}\n",
    "visits.csv": "member_id,seen_at,points\n" + "".join(f"{i},2024-01-01 12:00:00,{i * 10}\n" for i in range(50)),
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def spine(member: int) -> str:
    return f"select {member} as member_id, timestamp '2024-06-01' as event_timestamp"


def test_threads_share_a_store_and_get_their_own_answers(folder: Path) -> None:
    with FeatureStore(folder) as store:

        def ask(member: int) -> tuple[list[int], list[int]]:
            job = store.get_historical_features(spine(member), ["visits"])
            frame = store.get_historical_features([{"member_id": member, "event_timestamp": "2024-06-01"}], ["visits"])
            return job.to_arrow()["points"].to_pylist(), frame.to_arrow()["points"].to_pylist()

        with ThreadPoolExecutor(8) as threads:
            found = list(threads.map(ask, [member % 50 for member in range(200)]))
    assert found == [([member % 50 * 10],) * 2 for member in range(200)]


AFTER_A_FORK = """
import os, sys
from asknown import AsknownError, FeatureStore
store = FeatureStore(".")
spine = "select 1 as member_id, timestamp '2024-06-01' as event_timestamp"
before = store.get_historical_features(spine, ["visits"])
assert before.to_arrow()["points"].to_pylist() == [10]
store.materialize(until="2024-06-01")
store.get_online_features(["visits"], [{"member_id": 1}], at="2024-06-01")
child = os.fork()
if child == 0:
    try:
        before.to_arrow()
    except AsknownError as error:
        assert "the process before a fork" in str(error), error
    else:
        raise AssertionError("the parent's session was used")
    assert store.get_historical_features(spine, ["visits"]).to_arrow()["points"].to_pylist() == [10]
    assert store.get_online_features(["visits"], [{"member_id": 1}], at="2024-06-01").rows()[0]["points"] == 10
    store.close()
    sys.exit(0)
_, status = os.waitpid(child, 0)
assert os.waitstatus_to_exitcode(status) == 0, status
assert before.to_arrow()["points"].to_pylist() == [10]
print("both answered")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_forked_process_opens_everything_anew(folder: Path) -> None:
    process = subprocess.Popen(
        [sys.executable, "-W", "ignore", "-c", AFTER_A_FORK],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=120)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        raise
    assert said == "both answered\n"


def test_a_feature_asked_for_twice_comes_once_at_both_ends(folder: Path) -> None:
    with FeatureStore(folder) as store:
        store.materialize(until="2024-06-01")
        for features in (["visits", "visits:points"], ["visits:points", "visits:points"]):
            trained = store.get_historical_features(spine(1), features).to_arrow().column_names
            served = store.get_online_features(features, [{"member_id": 1}], at="2024-06-01").to_dict()
            assert trained[2:] == list(served)[1:] == ["points"]


def test_a_store_is_not_pickled(folder: Path) -> None:
    with (
        FeatureStore(folder) as store,
        pytest.raises(AsknownError, match="cannot be sent to another process") as caught,
    ):
        pickle.dumps(store)
    assert "make one there" in str(caught.value.hint)
