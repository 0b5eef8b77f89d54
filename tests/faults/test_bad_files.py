"""Files that are not what they should be: one clear error each, or the old rows, and never a traceback.

Each fault is tried by the reader, the writer, `asknown get` and `asknown materialize`. What may come of it is written
beside the fault, as :mod:`faults.attempts` calls it.
"""

from __future__ import annotations

import os
import random
import shutil
import sqlite3
from collections import Counter
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from asknown.online.reader import OnlineReader
from asknown.online.sqlite.doctor import inspect_file
from asknown.online.sqlite.migrations import LAYOUT
from faults.attempts import KEYS, TOLD, run_sql, try_reading, try_writing
from faults.conftest import Length, Tell
from faults.old_layouts import write_layout
from faults.project import GET, MATERIALIZE, asknown, write_project
from faults.workers import Crew
from faults.world import ALL, PLAIN, READ_AT, Load, World, keys_of

PAGE = 4096
NEWER = LAYOUT + 1
Spoil = Callable[[Path], Any]


@pytest.fixture
def path(tmp_path: Path, good: Path) -> Path:
    """A copy of the sound file, to be spoiled."""
    return copy_afresh(good, tmp_path / "online.db")


def copy_afresh(good: Path, path: Path) -> Path:
    """A copy of the sound file at ``path``, with no log beside it that a load left for another."""
    for file in path.parent.glob(f"{path.name}*"):
        file.unlink()
    return Path(shutil.copy(good, path))


def overwrite(path: Path, content: bytes, offset: int = 0) -> None:
    """Puts bytes over those of the file."""
    with path.open("r+b") as file:
        file.seek(offset)
        file.write(content)


def replace_by_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_foreign(path: Path) -> None:
    path.unlink()
    run_sql(path, "CREATE TABLE theirs (x)", "INSERT INTO theirs VALUES (1)")


def put_beside(suffix: str, content: bytes) -> Spoil:
    """Leaves a file beside the table, where SQLite keeps its own."""
    return lambda path: Path(f"{path}{suffix}").write_bytes(content)


GARBAGE = random.Random(1).randbytes(40_000)
# fault: how it is made, what a reader may say, what a writer may say
FILES: dict[str, tuple[Spoil, str, str]] = {
    "nothing there": (Path.unlink, "no-online", "rows"),
    "empty": (lambda path: os.truncate(path, 0), "no-online", "rows"),
    "one byte": (lambda path: os.truncate(path, 1), "no-online", "rows"),  # to SQLite that is empty
    "garbage": (lambda path: path.write_bytes(GARBAGE), "online-corrupt", "online-corrupt"),
    "zeros": (lambda path: path.write_bytes(bytes(40_000)), "online-corrupt", "online-corrupt"),
    "text": (lambda path: path.write_text("hello\n" * 1000), "online-corrupt", "online-corrupt"),
    "garbage behind the head": (lambda path: overwrite(path, GARBAGE, 100), "online-corrupt", "online-corrupt"),
    "zeros behind the first page": (
        lambda path: overwrite(path, bytes(8192), 4096),
        "online-corrupt",
        "online-corrupt",
    ),
    "a folder": (replace_by_folder, "no-online", "online-write"),
    "somebody else's": (make_foreign, "online-corrupt", "online-corrupt"),
    "another application's": (lambda p: run_sql(p, "PRAGMA application_id = 7"), "online-corrupt", "online-corrupt"),
    "of a newer layout": (
        lambda p: run_sql(p, f"PRAGMA user_version = {LAYOUT + 1}"),
        "online-layout",
        "online-layout",
    ),
    "of no layout": (lambda p: run_sql(p, "PRAGMA user_version = 0"), "online-layout", "online-layout"),
    "of a layout below nothing": (lambda p: run_sql(p, "PRAGMA user_version = -5"), "online-layout", "online-layout"),
    "without a view's table": (lambda p: run_sql(p, "DROP TABLE accounts"), "online-corrupt", "online-corrupt"),
    "without the events": (lambda p: run_sql(p, 'DROP TABLE "clicks.events"'), "online-corrupt", "online-corrupt"),
    "without the tiles": (lambda p: run_sql(p, 'DROP TABLE "clicks.tiles"'), "online-corrupt", "online-corrupt"),
    "without the metadata": (lambda p: run_sql(p, "DROP TABLE _asknown_views"), "online-corrupt", "online-corrupt"),
    "without the services": (lambda p: run_sql(p, "DROP TABLE _asknown_services"), "online-corrupt", "online-corrupt"),
    "with metadata that is no JSON": (
        lambda p: run_sql(p, "UPDATE _asknown_views SET columns = '['"),
        "online-corrupt",
        "online-corrupt",
    ),
    "with metadata of another kind": (
        lambda p: run_sql(p, "UPDATE _asknown_views SET columns = '[1]'"),
        "online-corrupt",
        "online-corrupt",
    ),
    "with a watermark that is no instant": (
        lambda p: run_sql(p, "UPDATE _asknown_views SET watermark = 'soon'"),
        "online-corrupt",
        "online-corrupt",
    ),
    "with a service that is no JSON": (
        lambda p: run_sql(p, "UPDATE _asknown_services SET parts = '['"),
        "online-corrupt",
        "rows",
    ),
    "without a column": (
        lambda p: run_sql(p, "ALTER TABLE accounts DROP COLUMN label"),
        "online-corrupt",
        "online-corrupt",
    ),
    "a garbage log beside it": (put_beside("-wal", GARBAGE), "rows", "rows"),
    "an empty log beside it": (put_beside("-wal", b""), "rows", "rows"),
    "a garbage index of the log": (put_beside("-shm", GARBAGE), "rows", "rows"),
    "a garbage journal": (put_beside("-journal", GARBAGE), "no-online", "rows"),  # only a writer may undo by it
    "a garbage lock file": (put_beside(".lock", GARBAGE), "rows", "rows"),
    "a folder for the log": (lambda path: Path(f"{path}-wal").mkdir(), "no-online", "online-write"),
    "a folder for the lock": (lambda path: Path(f"{path}.lock").mkdir(), "rows", "online-write"),
}


@pytest.mark.parametrize("fault", FILES)
def test_a_bad_file_is_one_clear_error(path: Path, fault: str) -> None:
    spoil, reading, writing = FILES[fault]
    spoil(path)
    content = path.read_bytes() if path.is_file() else None
    assert try_reading(path) == reading
    assert (path.read_bytes() if path.is_file() else None) == content, "the reader wrote"
    assert try_writing(path) == writing
    if writing != "rows":
        assert (path.read_bytes() if path.is_file() else None) == content, "a refused load wrote"


@pytest.mark.parametrize("fault", FILES)
def test_the_doctor_knows_it(path: Path, fault: str) -> None:
    """What a reader refuses the doctor finds; and he changes nothing."""
    spoil, reading, _ = FILES[fault]
    spoil(path)
    content = path.read_bytes() if path.is_file() else None
    inspection = inspect_file(path, at=READ_AT)
    assert reading == "rows" or not inspection.healthy
    assert all(finding.run for finding in inspection.findings)
    assert (path.read_bytes() if path.is_file() else None) == content


@pytest.mark.parametrize("fault", ["garbage", "empty", "a folder", "somebody else's", "of a newer layout"])
def test_the_command_line_says_it_too(tmp_path: Path, crew: Crew, fault: str) -> None:
    path = write_project(tmp_path)
    assert asknown(crew, tmp_path, *MATERIALIZE).code == 0
    spoil, reading, writing = FILES[fault]
    spoil(path)
    got = asknown(crew, tmp_path, *GET)
    assert (got.code, f"error[{reading}]" in got.err, got.out) == (1, True, ""), got
    loaded = asknown(crew, tmp_path, *MATERIALIZE)
    expected = (0, "1 view loaded") if writing == "rows" else (1, f"error[{writing}]")
    assert (loaded.code, expected[1] in loaded.err) == (expected[0], True), loaded
    assert "Traceback" not in got.err + loaded.err


def test_the_command_line_of_the_doctor(tmp_path: Path, crew: Crew) -> None:
    path = write_project(tmp_path)
    assert asknown(crew, tmp_path, *MATERIALIZE).code == 0
    healthy = asknown(crew, tmp_path, "doctor")
    assert healthy.code == 0, healthy
    path.write_bytes(path.read_bytes().replace(b"two", b"Two"))
    damaged = asknown(crew, tmp_path, "doctor")
    assert (damaged.code, "--full-refresh" in damaged.out) == (1, True), damaged
    path.write_bytes(GARBAGE)
    garbage = asknown(crew, tmp_path, "doctor")
    assert garbage.code == 1, garbage
    assert "Traceback" not in healthy.err + damaged.err + garbage.err


@pytest.mark.parametrize("layout", range(1, LAYOUT))
def test_an_older_layout_is_read_as_it_is_and_brought_up_to_date(tmp_path: Path, layout: int) -> None:
    path, world = tmp_path / "online.db", World(60, PLAIN if layout == 1 else ALL)
    write_layout(path, layout, world, Load(3))
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA user_version").fetchone() == (layout,)
    with OnlineReader(path) as reader:
        given = [keys_of(key) for key in KEYS]
        rows = reader.get_online_features(["accounts:label", "shops:price"], given, at=READ_AT).rows()
    wanted = [{"label": told["accounts__label"], "price": told["shop__price"]} for told in TOLD]
    assert [{name: row[name] for name in ("label", "price")} for row in rows] == wanted
    assert try_writing(path) == "rows"


def test_a_file_cut_short_anywhere(path: Path, good: Path, length: Length, tell: Tell) -> None:
    """At every page and at odd sizes: an error, and the file is left alone."""
    size, ends = path.stat().st_size, Counter[str]()
    chance = random.Random(5)
    cuts = [*range(0, size, PAGE), *(chance.randrange(size - PAGE) for _ in range(length.of(25, 300)))]
    for cut in cuts:
        copy_afresh(good, path)
        os.truncate(path, cut)
        found = try_reading(path)
        assert found == "no-online" if cut == 0 else found in ("online-corrupt", "online-layout"), (cut, found)
        copy_afresh(good, path)
        os.truncate(path, cut)
        written = try_writing(path)
        assert written in (("rows",) if cut == 0 else ("online-corrupt", "online-layout")), (cut, written)
        ends[found] += 1
    tell(f"{len(cuts)} cuts: {dict(ends)}")


def test_pages_of_garbage_anywhere(path: Path, good: Path, length: Length, tell: Tell) -> None:
    """A page or a sector of garbage: an error or the very rows. Rows that are wrong the doctor at least knows of."""
    size, ends = path.stat().st_size, Counter[str]()
    chance = random.Random(6)
    for _ in range(length.of(80, 800)):
        copy_afresh(good, path)
        width = chance.choice((512, 4096))
        overwrite(path, chance.randbytes(width), chance.randrange(size // width) * width)
        known = not inspect_file(path, at=READ_AT).healthy
        for attempt in (try_reading, try_writing):
            try:
                ends[attempt(path)] += 1
            except AssertionError:
                ends["wrong rows, known to the doctor" if known else "wrong rows"] += 1
            except Exception as error:
                ends[f"traceback: {error!r}"] += 1
    tell(str(dict(ends)))
    assert ends["online-corrupt"]
    assert not ends["wrong rows"]
    assert not [end for end in ends if end.startswith("traceback")]


# ---------------------------------------------------------------- the checker sees what it is there for


def test_wrong_rows_are_seen(path: Path) -> None:
    run_sql(path, "UPDATE accounts SET version = 4 WHERE id = 7")
    with pytest.raises(AssertionError, match="wrong rows"):
        try_reading(path)
