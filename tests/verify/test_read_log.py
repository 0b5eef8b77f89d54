"""The log of an ``OnlineReader``: what it says, which keys it has, and that no read waits for it or fails with it."""

from __future__ import annotations

import json
import os
import statistics
import sys
import threading
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from asknown import AsknownError, OnlineReader
from asknown.cli.group import main
from asknown.online import read_log
from asknown.online.served_log import is_sampled
from online_tables import NOON, load, make_view

MOMENT = datetime(2013, 5, 1, 10)
VIEW = make_view(
    {"id": "BIGINT", "place": "VARCHAR", "ts": "TIMESTAMP", "x": "DOUBLE", "price": "DECIMAL(9,2)", "seen": "DATE"},
    keys=("id", "place"),
    name="a",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    file = tmp_path / "online.db"
    rows = [
        {
            "id": i,
            "place": "north",
            "ts": MOMENT,
            "x": float("nan") if i == 3 else i / 8,
            "price": Decimal("1.50"),
            "seen": MOMENT.date(),
        }
        for i in range(200)
    ]
    load(file, VIEW, rows)
    return file


def lines(log: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in log.read_text().splitlines()]


def test_a_line_says_what_was_read_and_answered(path: Path, tmp_path: Path) -> None:
    log = tmp_path / "reads.jsonl"
    with closing(OnlineReader(path, log=log, sample=1)) as reader:
        load_id = reader.views()["a"].load_id
        reader.get_online_features(["a"], [{"id": 3, "place": "north"}, {"id": 999, "place": "north"}])
    first, second = lines(log)
    assert first["request_id"] == second["request_id"]
    assert abs(datetime.fromisoformat(first["served_at"]) - datetime.now(UTC).replace(tzinfo=None)) < timedelta(
        minutes=1
    )
    assert first["loads"]["a"]["load_id"] == load_id
    assert datetime.fromisoformat(first["loads"]["a"]["watermark"]) == NOON
    assert (first["features"], first["full_names"], first["seq"], first["hidden"]) == (["a"], False, 0, [])
    assert first["given"] == {"id": 3, "place": "north"}
    assert first["values"] == {"x": "NaN", "price": "1.50", "seen": "2013-05-01"}
    assert second["values"] == {"x": None, "price": None, "seen": None}
    assert second["statuses"]["x"] == "NOT_FOUND"
    assert oct(log.stat().st_mode)[-3:] == "600"  # keys are personal data


def test_a_sample_has_all_reads_of_some_keys(path: Path, tmp_path: Path) -> None:
    log = tmp_path / "reads.jsonl"
    with closing(OnlineReader(path, log=log, sample=0.2)) as reader:
        for i in range(200):
            reader.get_online_features(["a:x"], [{"id": i, "place": "north"}])
        reader.get_online_features(["a:x"], {"id": list(range(200)), "place": ["north"] * 200})
    ids = [line["given"]["id"] for line in lines(log)]
    assert set(ids) == {i for i in range(200) if is_sampled(["id", "place"], [i, "north"], 0.2)}
    assert all(ids.count(one) == 2 for one in set(ids))
    assert 20 < len(set(ids)) < 60


def test_columns_are_left_out_or_hashed(path: Path, tmp_path: Path) -> None:
    log = tmp_path / "reads.jsonl"
    with closing(OnlineReader(path, log=log, sample=1, omit=["place"], hash=["id"])) as reader:
        reader.get_online_features(["a:x"], [{"id": 8, "place": "north"}])
    (line,) = lines(log)
    assert sorted(line["hidden"]) == ["id", "place"]
    assert set(line["given"]) == {"id"} and len(line["given"]["id"]) == 32


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no /dev/full")
def test_a_full_disk_fails_no_read(path: Path) -> None:
    reader = OnlineReader(path, log="/dev/full", sample=1)
    with closing(reader):
        answers = [reader.get_online_features(["a:x"], [{"id": i, "place": "north"}]) for i in range(100)]
    assert [answer.to_dict()["x"][0] for answer in answers][8] == 1.0
    assert reader.log is not None and reader.log.dropped == 100
    assert isinstance(reader.log.error, OSError)


def test_a_folder_that_cannot_be_written_fails_no_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any) -> int:
        raise PermissionError(30, "Read-only file system")

    reader = OnlineReader(path, log=path.parent / "reads.jsonl", sample=1)
    monkeypatch.setattr(read_log.os, "open", refuse)
    with closing(reader):
        assert reader.get_online_features(["a:x"], [{"id": 8, "place": "north"}]).to_dict()["x"] == [1.0]
    assert reader.log is not None and reader.log.dropped == 1


def test_half_a_line_does_not_spoil_the_next(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A disk that is full after 40 bytes, and has room again later."""
    log, room, write = tmp_path / "reads.jsonl", [40], os.write

    def limited(file: int, data: bytes) -> int:
        if room and not room[0]:
            room.clear()
            raise OSError(28, "No space left on device")
        if not room:
            return write(file, data)
        written = write(file, data[: room[0]])
        room[0] -= written
        return written

    monkeypatch.setattr(read_log.os, "write", limited)
    with closing(OnlineReader(path, log=log, sample=1)) as reader:
        reader.get_online_features(["a:x"], [{"id": 8, "place": "north"}])
        until = time.monotonic() + 10
        while room and time.monotonic() < until:
            time.sleep(0.05)
        reader.get_online_features(["a:x"], [{"id": 9, "place": "north"}])
    half, whole = log.read_text().splitlines()
    assert len(half) == 40
    assert json.loads(whole)["given"]["id"] == 9


def test_eight_threads_and_a_full_queue(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(read_log, "_BOUND", 100)
    monkeypatch.setattr(read_log, "_SECONDS", 0.2)
    log, failures = tmp_path / "reads.jsonl", []
    reader = OnlineReader(path, log=log, sample=1)

    def work(thread: int) -> None:
        try:
            for i in range(200):
                value = reader.get_online_features(["a:x"], [{"id": i, "place": "north"}]).to_dict()["x"][0]
                assert value == i / 8 or i == 3
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work, args=(i,)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    reader.close()
    assert failures == []
    assert reader.log is not None and reader.log.dropped > 0
    assert len(lines(log)) + reader.log.dropped == 8 * 200


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system cannot fork")
def test_a_fork_writes_its_own_lines(path: Path, tmp_path: Path) -> None:
    log = tmp_path / "reads.jsonl"
    reader = OnlineReader(path, log=log, sample=1)
    reader.get_online_features(["a:x"], [{"id": 8, "place": "north"}])
    child = os.fork()
    if child == 0:
        reader.get_online_features(["a:x"], [{"id": 9, "place": "north"}])
        reader.close()
        os._exit(0)
    os.waitpid(child, 0)
    reader.close()
    assert sorted(line["given"]["id"] for line in lines(log)) == [8, 9]


def test_reads_take_hardly_longer_with_a_log(path: Path, tmp_path: Path) -> None:
    """The median of reads by turns, with and without. The target is 1.3; a busy machine is given more."""
    plain = OnlineReader(path)
    logged = OnlineReader(path, log=tmp_path / "reads.jsonl")
    took: dict[bool, list[int]] = {False: [], True: []}
    with closing(plain), closing(logged):
        for i in range(6000):
            for with_log, reader in ((False, plain), (True, logged)):
                begin = time.perf_counter_ns()
                reader.get_online_features(["a:x"], [{"id": i % 200, "place": "north"}])
                took[with_log].append(time.perf_counter_ns() - begin)
    ratio = statistics.median(took[True]) / statistics.median(took[False])
    print(f"p50 with a log / without: {ratio:.2f}", file=sys.stderr)
    assert ratio < 1.6


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"log": "r", "sample": 0}, "sample=0 is no share"),
        ({"log": "r", "sample": "much"}, "sample='much' is no share"),
        ({"log": 7}, "log: 7 is not a path"),
        ({"log": "r", "omit": "id"}, "omit='id' is no list of columns"),
    ],
)
def test_what_a_reader_refuses(path: Path, arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(AsknownError, match=message) as caught:
        OnlineReader(path, **arguments)
    assert caught.value.code == "bad-value"


def test_a_log_is_profiled_and_compared(path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name, factor in (("one.jsonl", 1), ("two.jsonl", 2)):
        with closing(OnlineReader(path, log=name, sample=1)) as reader:
            ids = [i * factor % 250 for i in range(200)]  # beyond 199 there is no row
            reader.get_online_features(["a"], {"id": ids, "place": ["north"] * 200})
    profiled = CliRunner().invoke(main, ["profile", "--log", "two.jsonl", "--format", "json"])
    rows = {row["feature"]: row for row in json.loads(profiled.stdout)}
    assert set(rows) == {"x", "price", "seen"}
    assert rows["x"]["rows"] == 200 and rows["x"]["statuses"]["NOT_FOUND"] == rows["x"]["nulls"] > 0
    compared = CliRunner().invoke(main, ["drift", "one.jsonl", "two.jsonl", "--features", "x,id"])
    assert compared.exit_code in (0, 1) and "KS" in compared.stdout
    assert CliRunner().invoke(main, ["drift", "one.jsonl", "one.jsonl"]).exit_code == 0
    (tmp_path / "folder").mkdir()
    for arguments, message in (
        (["--log", "nowhere.jsonl"], "nowhere.jsonl does not exist"),
        (["--log", "online.db"], "online.db"),
        (["--log", "folder"], "folder"),
        (["x", "--log", "one.jsonl"], "leave out FEATURES"),
        (["--log", "one.jsonl", "--online"], "give one of --spine, --online and --log"),
        (["a"], "give --spine SPINE, --online, --log PATH"),
    ):
        done = CliRunner().invoke(main, ["profile", *arguments])
        assert done.exit_code in (1, 2) and message in " ".join(done.stderr.split()), done.stderr
        assert done.exception is None or isinstance(done.exception, SystemExit)
