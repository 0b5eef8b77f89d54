"""Single flipped bits in the file: what changes a value is found by the doctor, every time.

SQLite has no checksums of its pages, and serves most flipped bits as values. A flip that is not found must be harmless:
every value reads back as it was, by tables and by keys.
"""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from asknown.errors import AsknownError
from asknown.online.reader import OnlineReader
from asknown.online.report import Inspection
from asknown.online.sqlite.doctor import inspect_file
from asknown.online.sqlite.names import quote
from asknown.online.sqlite.writer import open_writer
from faults.conftest import Length, Tell
from faults.world import READ_AT, Load, World, keys_of

WORLD = World(120)
UNREADABLE = "unreadable"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """A sound file of two loads, so that its hashes are kept up and not only made."""
    path = tmp_path / "online.db"
    for number in (6, 7):
        with open_writer(path) as writer:
            WORLD.write(writer, Load(number), WORLD.batches(Load(number)))
    return path


def inspect(path: Path) -> Inspection:
    """What the doctor says of the file."""
    return inspect_file(path, at=READ_AT)


def finds_something(path: Path) -> bool | None:
    """Whether the doctor has something to say of the file; None where it ends in a traceback."""
    try:
        return not inspect(path).healthy
    except Exception:
        return None


def read_everything(path: Path) -> Any:
    """Every value of the file, by its tables and by its keys."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            names = [row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
            tables = {
                name: sorted(map(repr, connection.execute(f"SELECT * FROM {quote(name)}"))) for name in sorted(names)
            }
        with OnlineReader(path) as reader:
            rows = [keys_of(key) for key in range(WORLD.size)]
            found = reader.get_online_features("everything", rows, at=READ_AT, full_feature_names=True)
            by_key = repr((found.rows(), found.statuses(), found.event_timestamps(), reader.views(), reader.services()))
    except (AsknownError, sqlite3.Error, UnicodeDecodeError):
        return UNREADABLE
    except Exception as error:
        return f"traceback: {error!r}"
    return tables, by_key


def flip(content: bytes, bit: int) -> bytes:
    """The content with one bit the other way."""
    changed = bytearray(content)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def sees_it(path: Path) -> bool:
    """Whether SQLite's own check finds a fault."""
    try:
        with closing(sqlite3.connect(f"file:{path}?mode=ro", uri=True)) as connection:
            return connection.execute("PRAGMA integrity_check").fetchall() != [("ok",)]
    except (sqlite3.Error, UnicodeDecodeError):
        return True


def test_flipped_bits_that_change_a_value_are_found(path: Path, tmp_path: Path, length: Length, tell: Tell) -> None:
    content, told = path.read_bytes(), read_everything(path)
    assert inspect(path).healthy, inspect(path).findings
    seed = random.randrange(10**6)
    chance, classes = random.Random(seed), Counter[str]()
    copy, missed, unseen = tmp_path / "copy.db", [], 0
    for _ in range(length.of(60, 400)):
        bit = chance.randrange(len(content) * 8)
        copy.write_bytes(flip(content, bit))
        found, same = finds_something(copy), read_everything(copy) == told
        if found is None:
            classes["traceback"] += 1
        else:
            classes["found" if found else "harmless" if same else "missed"] += 1
        if found is False and not same:
            missed.append(bit)
        unseen += not same and not sees_it(copy)
    tell(
        f"flips {classes.total()}, found {classes['found']}, harmless {classes['harmless']}, "
        f"missed {classes['missed']}, tracebacks {classes['traceback']}; "
        f"{unseen} changed a value unseen by SQLite's integrity_check; seed {seed}"
    )
    assert not missed, (seed, missed)
    assert not classes["traceback"], seed
    assert classes["found"]
    assert unseen  # else this test would pass without hashes


VALUES = ("7:6:éééééé", "2013-05-01 10:00:00.000007", "town 3", '["6", null, "7"]')


def test_flipped_bits_of_the_metadata_are_no_traceback(path: Path, tmp_path: Path, length: Length, tell: Tell) -> None:
    content, copy, ends = path.read_bytes(), tmp_path / "copy.db", Counter[str]()
    start = content.find(b'{"columns": [{"name": "_1"')
    end = content.find(b"}]}", start) + 3
    assert 0 < start < end - 500
    for bit in range(start * 8, end * 8, length.of(31, 3)):
        copy.write_bytes(flip(content, bit))
        ends[f"doctor finds: {finds_something(copy)}"] += 1
        seen = read_everything(copy)
        ends[seen if isinstance(seen, str) else "read"] += 1
    tell(str(dict(ends)))
    assert set(ends) <= {"doctor finds: True", "read", UNREADABLE}


def test_the_case_of_a_view_s_name_is_found(path: Path, tmp_path: Path) -> None:
    content, copy = path.read_bytes(), tmp_path / "copy.db"
    start = content.find(b"clicksbeside")  # the name, and behind it the fingerprint
    assert start > 0
    copy.write_bytes(flip(content, start * 8 + 5))
    assert read_everything(copy) != read_everything(path)  # SQLite's index still has the name as it was
    assert finds_something(copy)


@pytest.mark.parametrize("value", VALUES)
def test_every_bit_of_a_value_is_found(path: Path, tmp_path: Path, value: str) -> None:
    """A value that is served: SQLite has nothing to say of it, and the doctor must."""
    content = path.read_bytes()
    start = content.find(value.encode())
    assert start > 0
    copy = tmp_path / "copy.db"
    for bit in range(start * 8, (start + len(value.encode())) * 8, 5):
        copy.write_bytes(flip(content, bit))
        assert not inspect(copy).healthy, bit


def test_the_checker_tells_changed_values(path: Path) -> None:
    told = read_everything(path)
    for change in (
        "UPDATE accounts SET amount = amount + 1e-9 WHERE id = 3",
        'UPDATE "clicks.events" SET _1 = _1 + 1 WHERE id = 50',
        "UPDATE _asknown_views SET ttl_us = 1 WHERE view = 'shops'",
    ):
        with closing(sqlite3.connect(path)) as connection:
            assert connection.execute(change).rowcount
            connection.commit()
        changed = read_everything(path)
        assert changed != told
        told = changed
