"""Snapshots: what is published is what a follower serves, whole and never older; a reader sees it without a restart."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import threading
import time
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

import forked
from asknown import OnlineReader
from asknown.cli.group import main
from asknown.errors import AsknownError
from asknown.online.backend import follow_table, inspect_table, publish_table
from asknown.online.nodes import Owner
from asknown.online.sqlite.snapshots import KEPT
from asknown.online.sqlite.writer import open_writer
from http_calls import ASKNOWN, serving
from online_tables import NOON, load, make_batch, make_view
from waiting import PATIENCE, wait_until

MOMENT = datetime(2013, 5, 1, 10)
VIEW = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "x": "BIGINT"}, name="a")


def load_number(path: Path, number: int) -> None:
    load(path, VIEW, [{"id": 8, "ts": MOMENT, "x": number}], watermark=NOON + timedelta(minutes=number))


def number_in(path: Path) -> int:
    with OnlineReader(path) as reader:
        found: int = reader.get_online_features(["a"], [{"id": 8}]).to_dict()["x"][0]
        return found


@pytest.fixture
def path(tmp_path: Path) -> Path:
    load_number(tmp_path / "online.db", 1)
    return tmp_path / "online.db"


def test_a_follower_has_what_was_published(path: Path, tmp_path: Path) -> None:
    place, replica = str(tmp_path / "place"), tmp_path / "replica.db"
    manifest = publish_table(path, place)
    assert json.loads((tmp_path / "place" / "manifest.json").read_bytes())["bytes"] == manifest.size
    assert follow_table(place, replica).outcome == "replaced"
    assert number_in(replica) == 1
    assert follow_table(place, replica).outcome == "unchanged"
    assert not Path(f"{replica}-wal").exists()
    assert inspect_table(replica).healthy
    assert {file.name for file in tmp_path.iterdir()} == {"online.db", "online.db.lock", "place", "replica.db"} | {
        file.name for file in tmp_path.glob("online.db-*")
    }


def test_the_same_table_is_published_once(path: Path, tmp_path: Path) -> None:
    place = str(tmp_path / "place")
    assert publish_table(path, place).file == publish_table(path, place).file


def test_few_snapshots_are_kept(path: Path, tmp_path: Path) -> None:
    place = tmp_path / "place"
    for number in range(2, 8):
        load_number(path, number)
        current = publish_table(path, str(place)).file
    packed = {file.name for file in place.glob("online-*")}
    assert len(packed) == KEPT
    assert current in packed


def test_a_follow_of_fifty_publishes_disturbs_no_reader(path: Path, tmp_path: Path) -> None:
    place, replica = str(tmp_path / "place"), tmp_path / "replica.db"
    publish_table(path, place)
    follow_table(place, replica)
    seen: list[int] = []
    failures: list[BaseException] = []
    stop = threading.Event()

    def read() -> None:
        try:
            with OnlineReader(replica) as reader:
                last = False
                while not last:
                    last = stop.is_set()  # then the read below comes after the last follow
                    seen.append(reader.get_online_features(["a"], [{"id": 8}]).to_dict()["x"][0])
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=read) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(2, 52):
        load_number(path, number)
        publish_table(path, place)
        assert follow_table(place, replica).outcome == "replaced"
    time.sleep(0.2)
    stop.set()
    for thread in threads:
        thread.join()
    assert failures == []
    assert seen[-1] == 51
    assert len(set(seen)) > 5


@pytest.mark.parametrize("offset", [0, 100, -100])
def test_a_flipped_byte_is_refused_and_the_old_file_served(path: Path, tmp_path: Path, offset: int) -> None:
    place, replica = tmp_path / "place", tmp_path / "replica.db"
    publish_table(path, str(place))
    follow_table(str(place), replica)
    load_number(path, 2)
    packed = place / publish_table(path, str(place)).file
    whole = packed.read_bytes()
    broken = bytearray(whole)
    broken[offset] ^= 1
    packed.write_bytes(broken)
    with pytest.raises(AsknownError) as caught:
        follow_table(str(place), replica)
    assert caught.value.code == "snapshot"
    assert number_in(replica) == 1
    assert list(tmp_path.glob(".replica.db*")) == []
    packed.write_bytes(whole)
    assert follow_table(str(place), replica).outcome == "replaced"
    assert number_in(replica) == 2


def test_an_older_snapshot_changes_nothing(path: Path, tmp_path: Path) -> None:
    place, replica = str(tmp_path / "place"), tmp_path / "replica.db"
    publish_table(path, place)
    load_number(path, 2)
    load_number(replica, 3)
    with sqlite3.connect(replica) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
    connection.close()
    with pytest.raises(AsknownError, match="is older than"):
        follow_table(place, replica)
    assert number_in(replica) == 3
    assert follow_table(place, replica, allow_older=True).outcome == "replaced"
    assert number_in(replica) == 1


def stamp(path: Path, owner: Owner) -> None:
    with open_writer(path, owner=owner) as writer:
        writer.load(VIEW, [make_batch(VIEW, [{"id": 8, "ts": MOMENT, "x": 1}])], NOON + timedelta(hours=1))


def test_snapshots_of_another_target_change_nothing(path: Path, tmp_path: Path) -> None:
    place, replica = str(tmp_path / "place"), tmp_path / "replica.db"
    stamp(path, Owner("shop", "prod"))
    publish_table(path, place, owner=Owner("shop", "prod"))
    follow_table(place, replica)
    other = tmp_path / "other.db"
    stamp(other, Owner("shop", "dev"))
    with pytest.raises(AsknownError, match="target 'prod' of project 'shop'"):
        publish_table(other, place)
    with pytest.raises(AsknownError, match="online-owner"):
        publish_table(other, place, owner=Owner("shop", "prod"))
    publish_table(other, str(tmp_path / "dev"))
    with pytest.raises(AsknownError, match="target 'dev' of project 'shop'"):
        follow_table(str(tmp_path / "dev"), replica)


def test_a_file_that_is_written_is_no_replica(path: Path, tmp_path: Path) -> None:
    place = str(tmp_path / "place")
    publish_table(path, place)
    load_number(path, 2)
    connection = sqlite3.connect(path)
    connection.execute("BEGIN IMMEDIATE")  # keeps the log from being merged
    connection.execute("UPDATE a SET x = 7")
    connection.commit()
    with pytest.raises(AsknownError, match="it is no replica"):
        follow_table(place, path)
    connection.close()


@pytest.mark.parametrize(
    "text", ["", "[]", "{}", '{"format": 2}', '{"format": 1, "file": "../../etc/passwd", "views": {}}']
)
def test_a_manifest_of_another_kind_is_an_error(path: Path, tmp_path: Path, text: str) -> None:
    place = tmp_path / "place"
    publish_table(path, str(place))
    (place / "manifest.json").write_text(text, encoding="utf-8")
    with pytest.raises(AsknownError) as caught:
        follow_table(str(place), tmp_path / "replica.db")
    assert caught.value.code == "snapshot"


@pytest.mark.parametrize("place", ["nothing-there", "nope://bucket/x", "online.db"])
def test_a_place_that_is_none_is_an_error(
    path: Path, tmp_path: Path, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(AsknownError) as caught:
        follow_table(place, tmp_path / "replica.db")
    assert caught.value.code == "snapshot"


def test_the_commands(path: Path, tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "shop"\n', encoding="utf-8")
    place, replica = str(tmp_path / "place"), tmp_path / "replica.db"

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([forked.asknown(), *words], cwd=tmp_path, capture_output=True, text=True, check=False)

    early = run("follow", place, str(replica), "--once")
    assert (early.returncode, "nothing has been published" in early.stderr) == (1, True)
    done = run("publish", place)
    assert done.returncode == 0, done.stderr
    assert "1 view" in done.stderr
    assert run("follow", place, str(replica), "--once").returncode == 0
    command = [ASKNOWN, "follow", place, str(replica), "--every", "0.2 seconds"]
    with subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as follower:
        try:
            with serving("--file", "replica.db", folder=tmp_path) as server:

                def served() -> int:
                    answer = server.request("POST", "/v1/features", {"features": ["a"], "rows": [{"id": 8}]})
                    assert answer.status == 200
                    return int(answer.json()["rows"][0]["x"])

                for number in (2, 3):
                    load_number(path, number)
                    assert run("publish", place).returncode == 0
                    wait_until(lambda number=number: served() == number)  # type: ignore[misc]
            follower.send_signal(signal.SIGTERM)
            assert follower.wait(timeout=PATIENCE) == 0
        finally:
            follower.kill()
        assert follower.stderr is not None
        assert follower.stderr.read().count("is the snapshot") == 2


def test_the_command_gives_signals_back(path: Path, tmp_path: Path) -> None:
    """A process that runs the command in itself hears Ctrl-C afterwards."""
    load_number(path, 1)
    publish_table(path, str(tmp_path / "place"))
    handlers = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    done = CliRunner().invoke(main, ["follow", str(tmp_path / "place"), str(tmp_path / "replica.db"), "--once"])
    assert done.exit_code == 0, done.output
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)] == handlers
