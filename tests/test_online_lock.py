"""One writer at a time: a second one says for whom it waits, then proceeds, or ends in one clear error."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import forked
from asknown import FeatureStore
from asknown.errors import AsknownError
from asknown.online.sqlite import lock
from asknown.online.sqlite.writer import open_writer
from online_tables import NOON, load, make_view, stored_rows

VIEW = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "amount": "DOUBLE"})
ROW = {"id": 1, "ts": datetime(2013, 5, 1, 10), "amount": 1.0}
HOLDER = """
import sys
from asknown.online.sqlite.writer import open_writer
with open_writer(sys.argv[1]):
    print("writing", flush=True)
    sys.stdin.readline()
"""
SAYS_WHO = r"another load is writing {path} \(process {pid}, since \d{{4}}-\d\d-\d\d \d\d:\d\d:\d\d UTC\)"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "online.db"


@contextmanager
def held(path: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that is writing the file, until it is told to finish by a line."""
    command = [sys.executable, "-c", HOLDER, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "writing\n"
        try:
            yield holder
        finally:
            holder.kill()


def who(path: Path, pid: int) -> str:
    return SAYS_WHO.format(path=re.escape(str(path)), pid=pid)


def test_a_second_writer_waits_says_for_whom_and_proceeds(path: Path) -> None:
    said: list[str] = []
    with held(path) as holder:

        def tell(message: str) -> None:
            said.append(message)
            holder.communicate("finish\n")

        with open_writer(path, timeout=60, on_wait=tell) as writer:
            writer.load(VIEW, [], NOON)
    (message,) = said
    assert re.fullmatch(who(path, holder.pid) + "; waiting for it, 1 minute at most", message)


def test_a_second_writer_times_out_with_a_clear_error(path: Path) -> None:
    said: list[str] = []
    with held(path) as holder:
        with pytest.raises(AsknownError) as caught:
            open_writer(path, timeout=0.2, on_wait=said.append).__enter__()
        assert re.fullmatch(
            who(path, holder.pid) + ", and has not finished within 200 milliseconds", caught.value.message
        )
        with pytest.raises(AsknownError) as at_once:
            open_writer(path, timeout=0).__enter__()
        assert re.fullmatch(who(path, holder.pid), at_once.value.message)
    assert caught.value.code == "online-write"
    assert "asknown materialize --wait" in str(caught.value.hint)
    assert len(said) == 1
    assert load(path, VIEW, [ROW]).new == 1


def test_a_killed_writer_blocks_nobody_and_its_name_is_forgotten(path: Path) -> None:
    with held(path) as holder:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
    assert str(holder.pid) in Path(f"{path}.lock").read_text()
    with open_writer(path, timeout=0):
        assert f"process {os.getpid()}," in Path(f"{path}.lock").read_text()
    assert Path(f"{path}.lock").read_text() == ""


@pytest.mark.parametrize("content", [b"", b"\xff\x00", b"process x, since never UTC\n", b"x" * 5000])
def test_a_lock_s_file_that_says_nothing_is_no_trouble(path: Path, content: bytes) -> None:
    held_lock = lock.acquire(path, 0)
    Path(f"{path}.lock").write_bytes(content)
    with pytest.raises(AsknownError) as caught:
        lock.acquire(path, 0)
    assert caught.value.message == f"another load is writing {path}"
    lock.release(held_lock)
    lock.release(lock.acquire(path, 0))


def test_writers_in_threads_wait_for_each_other_and_lose_nothing(path: Path) -> None:
    def write(number: int) -> None:
        load(path, replace(VIEW, name=f"v{number}"), [{**ROW, "id": number}])

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [stored_rows(path, f"v{number}")[0][0] for number in range(8)] == list(range(8))


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "shop"
    (folder / "models").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "shop"\n')
    (folder / "models" / "shop.yml").write_text("entities: [{name: id}]\n")
    (folder / "models" / "orders.sql").write_text(
        "{{ config(entity='id', event_time='ts') }}\nselect 1 as id, timestamp '2024-01-01' as ts, 2.5::double as x\n"
    )
    return folder


def test_materialize_says_on_stderr_that_it_waits(project: Path) -> None:
    path = project / "online.db"
    command = [forked.asknown(), "--project", str(project), "materialize", "--wait"]
    with held(path) as holder:
        short = subprocess.run([*command, "200ms"], capture_output=True, text=True, check=False)
        assert (short.returncode, short.stdout) == (1, "")
        assert re.search(who(path, holder.pid) + "; waiting for it, 200 milliseconds at most\n", short.stderr)
        assert re.search(r"error\[online-write\]: " + who(path, holder.pid), short.stderr)
        with subprocess.Popen([*command, "1 minute"], stderr=subprocess.PIPE, text=True) as waiting:
            assert waiting.stderr is not None
            assert "waiting for it, 1 minute at most" in waiting.stderr.readline()
            holder.communicate("finish\n")
            assert "1 view loaded" in waiting.stderr.read()
        assert waiting.returncode == 0
    bad = subprocess.run([*command, "a while"], capture_output=True, text=True, check=False)
    assert "error[bad-duration]: 'a while' is not a duration" in bad.stderr


def test_an_instant_in_the_future_is_refused_beyond_the_declared_skew(project: Path) -> None:
    ahead = datetime.now(UTC) + timedelta(minutes=2)
    with FeatureStore(project) as store, pytest.raises(AsknownError, match="is in the future: what"):
        store.materialize(ahead)
    profile = "shop:\n  outputs: {dev: {type: duckdb}}\n  online: {max_skew: 5 minutes}\n"
    (project / "profiles.yml").write_text(profile)
    with FeatureStore(project) as store:
        assert store.materialize(ahead)[0].watermark == ahead
        with pytest.raises(AsknownError, match="by more than the 5 minutes that 'max_skew' allows"):
            store.materialize(datetime(2099, 1, 1))
    (project / "profiles.yml").write_text(profile.replace("5 minutes", "soon"))
    with pytest.raises(AsknownError, match="'soon' is not a duration") as caught:
        FeatureStore(project)
    assert (caught.value.at and caught.value.at.line) == 3


def test_prune_removes_what_the_project_no_longer_has(project: Path) -> None:
    with FeatureStore(project) as store:
        store.materialize()
    (project / "models" / "orders.sql").rename(project / "models" / "visits.sql")
    with FeatureStore(project) as store:
        store.materialize()
        assert [row[0] for row in stored_rows(project / "online.db", "orders")] == [1]
        store.materialize(prune=True)
        findings = store.doctor().findings
    assert findings == ()
    with pytest.raises(Exception, match="no such table"):
        stored_rows(project / "online.db", "orders")
