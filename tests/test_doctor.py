"""`asknown doctor` finds what is damaged, stale, missing or old, says what to run, and never tracebacks."""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from asknown import FeatureStore
from asknown.cli.group import main
from asknown.errors import AsknownError
from asknown.online.nodes import OnlineService, ServicePart
from asknown.online.report import Check, Inspection
from asknown.online.sqlite.doctor import Definitions, inspect_file
from asknown.online.sqlite.writer import open_writer
from online_tables import NOON, load, make_batch, make_view
from test_online_migrations import write_layout
from test_online_windows import SUM, event_batch

T = datetime(2013, 5, 1, 10)
HOUR = 3_600_000_000
TEXTS = make_view({"key": "VARCHAR", "ts": "TIMESTAMP", "x": "DOUBLE", "word": "VARCHAR"}, keys=("key",), name="texts")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "online.db"


def found(inspection: Inspection, state: str = "act") -> list[tuple[str, str]]:
    return [(check.check, check.of) for check in inspection.checks if check.state == state]


def only(inspection: Inspection) -> Check:
    (check,) = inspection.findings
    assert check.run
    return check


def load_everything(path: Path) -> None:
    """A view of each kind of table: integer keys with events and tiles, text keys, services."""
    with open_writer(path) as writer:
        writer.load(SUM, [make_batch(SUM, [{"id": i, "ts": T} for i in range(300)])], NOON)
        events = [{"id": i % 4, "ts": T + timedelta(seconds=i), "_1": i / 3} for i in range(300)]
        writer.load_events(SUM, [event_batch(SUM, events)], NOON)
        rows = [{"key": f"k{i:04}", "ts": T, "x": i / 7, "word": "w" * (i % 50)} for i in range(400)]
        writer.load(TEXTS, [make_batch(TEXTS, rows)], NOON)
        writer.services([OnlineService("all", (ServicePart("orders"), ServicePart("texts")))])


def run_sql(path: Path, sql: str) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(sql)


# ---------------------------------------------------------------- damage


def test_a_sound_table_is_healthy(path: Path) -> None:
    load_everything(path)
    inspection = inspect_file(path, at=NOON)
    assert inspection.healthy
    assert (inspection.path, inspection.at, inspection.findings) == (path, NOON, ())
    assert ("content", "orders") in found(inspection, "ok")
    version = inspection.checks[0]
    assert sqlite3.sqlite_version in version.found
    assert version.facts["sqlite"] == sqlite3.sqlite_version


CHANGES = {
    "orders": "UPDATE orders SET ts = '2013-05-01 10:00:00.000001' WHERE id = 7",
    "orders.events": 'UPDATE "orders.events" SET _1 = _1 * 2 WHERE id = 3',
    "orders.tiles": """UPDATE "orders.tiles" SET _later = _later + 1""",
    "texts": "DELETE FROM texts WHERE key = 'k0001'",
}


@pytest.mark.parametrize("table", CHANGES)
def test_a_value_changed_by_hand_is_found(path: Path, table: str) -> None:
    load_everything(path)
    run_sql(path, CHANGES[table])
    check = only(inspect_file(path))
    assert (check.check, check.of) == ("content", table)
    assert check.found == "the table does not hold the rows that were written: it is damaged, or was changed by hand"
    assert check.run == f"asknown materialize {table.partition('.')[0]} --full-refresh"


@pytest.mark.parametrize(
    ("sql", "of", "run"),
    [
        ("UPDATE _asknown_views SET ttl_us = 1 WHERE view = 'texts'", "texts", "materialize texts --full-refresh"),
        ("UPDATE _asknown_views SET event_time = 'x' WHERE view = 'texts'", "texts", "texts --full-refresh"),
        ("UPDATE _asknown_services SET parts = '[]'", "feature services", "write them anew: asknown materialize"),
        ("UPDATE _asknown_views SET columns = '[' WHERE view = 'orders'", "orders", "orders --full-refresh"),
        ("DROP TABLE texts", "texts", "move the file away"),
        ("ALTER TABLE texts ADD COLUMN mine TEXT", "texts", "materialize texts --full-refresh"),
    ],
)
def test_changed_metadata_and_definitions_are_found(path: Path, sql: str, of: str, run: str) -> None:
    load_everything(path)
    run_sql(path, sql)
    check = next(check for check in inspect_file(path).findings)
    assert (check.check, check.of) == ("content", of)
    assert run in str(check.run)


def read_all(path: Path) -> list[object]:
    """All that is in the file's tables, and what they are; an error where they cannot be read."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        try:
            held: list[object] = connection.execute(
                "SELECT type, name, sql FROM sqlite_master ORDER BY name"
            ).fetchall()
            tables = "SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name"
            for (name,) in connection.execute(tables).fetchall():
                held += connection.execute(f'SELECT * FROM "{name}"').fetchall()
            for key in range(0, 300, 7):  # by the index, too: a damaged page may lead a search astray
                held += connection.execute("SELECT * FROM orders WHERE id = ?", (key,)).fetchall()
                held += connection.execute("SELECT * FROM texts WHERE key = ?", (f"k{key:04}",)).fetchall()
        except (sqlite3.Error, UnicodeDecodeError, OverflowError, MemoryError) as error:
            return [type(error)]
        return held


def test_a_flipped_bit_that_changes_a_value_is_found_every_time(path: Path) -> None:
    load_everything(path)
    content = path.read_bytes()
    before = read_all(path)
    chance = random.Random(2)
    harmful = 0
    for _ in range(120):
        place = chance.randrange(100, len(content))  # the first 100 bytes are the header, next
        flipped = bytearray(content)
        flipped[place] ^= 1 << chance.randrange(8)
        path.write_bytes(flipped)
        if repr(read_all(path)) != repr(before):
            harmful += 1
            assert not inspect_file(path, at=NOON).healthy, f"byte {place}"
    assert harmful > 20


@pytest.mark.parametrize("place", range(100))
def test_a_header_with_any_byte_wrong_is_told_without_a_traceback(path: Path, place: int) -> None:
    load(path, TEXTS, [{"key": "k", "ts": T}])
    content = bytearray(path.read_bytes())
    content[place] ^= 0xFF
    path.write_bytes(content)
    inspect_file(path)


def _garble(path: Path) -> None:
    load_everything(path)
    path.write_bytes(path.read_bytes()[:4096] + random.Random(3).randbytes(90_000))


def _cut(path: Path) -> None:
    load_everything(path)
    os.truncate(path, 9000)


def _relabel(path: Path) -> None:
    load_everything(path)
    run_sql(path, "PRAGMA user_version = 99")


FILES: dict[str, Callable[[Path], object]] = {
    "absent": Path.absolute,
    "a folder": Path.mkdir,
    "empty": Path.touch,
    "text": lambda path: path.write_text("hello " * 1000),
    "garbage behind a header": _garble,
    "cut short": _cut,
    "somebody else's": lambda path: sqlite3.connect(path).execute("create table theirs (x)"),
    "of a newer layout": _relabel,
}


@pytest.mark.parametrize("kind", FILES)
def test_a_file_that_cannot_be_read_is_a_finding(path: Path, kind: str) -> None:
    FILES[kind](path)
    findings = inspect_file(path).findings
    assert findings
    assert all(check.found and check.run for check in findings)


# ---------------------------------------------------------------- age, layout, log


def test_the_share_of_expired_rows_and_the_age_of_the_watermark(path: Path) -> None:
    view = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "x": "BIGINT"}, ttl=2 * HOUR)
    load(path, view, [{"id": 1, "ts": T}, {"id": 2, "ts": T + timedelta(hours=1)}], watermark=NOON)

    def at(moment: datetime) -> dict[str, Check]:
        return {check.check: check for check in inspect_file(path, at=moment).checks}

    checks = at(NOON)  # both ends of ttl are in
    assert checks["expired"].found == "0 of 2 rows (0.0%) are older than ttl '2 hours'"
    checks = at(NOON + timedelta(microseconds=1))
    assert (checks["expired"].state, checks["expired"].facts["share"]) == ("ok", 0.5)
    assert checks["watermark"].found == "2013-05-01 12:00:00 UTC, 0 seconds ago"
    checks = at(NOON + timedelta(hours=5, minutes=3))
    assert (checks["expired"].state, checks["expired"].run) == ("note", "asknown materialize orders")
    assert checks["watermark"].found.endswith(", 5 hours ago")
    assert checks["watermark"].facts["age_seconds"] == 5.05 * 3600
    assert (at(NOON - timedelta(hours=1))["watermark"].state, checks["watermark"].state) == ("act", "ok")


def test_dates_expire_like_their_midnights(path: Path) -> None:
    view = make_view({"id": "BIGINT", "ts": "DATE", "x": "BIGINT"}, ttl=12 * HOUR)
    load(path, view, [{"id": 1, "ts": T.date()}])
    for late, expired in ((0, 0), (1, 1)):
        checks = {c.check: c for c in inspect_file(path, at=NOON + timedelta(microseconds=late)).checks}
        assert checks["expired"].facts["expired"] == expired


@pytest.mark.parametrize("layout", [1, 2])
def test_an_older_layout_has_no_hashes_until_the_next_load(path: Path, layout: int) -> None:
    write_layout(path, layout)
    inspection = inspect_file(path)
    assert found(inspection)[0] == ("file", "online.db")
    assert {str(check.run) for check in inspection.findings} <= {
        "asknown materialize",
        "asknown materialize plain",
        "asknown materialize orders",
    }


def test_a_log_left_behind_is_told(path: Path) -> None:
    load_everything(path)
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM orders LIMIT 1").fetchall()
        load(path, TEXTS, [{"key": "new", "ts": T}], shrink=True)
        inspection = inspect_file(path, at=NOON)
        assert ("log", "online.db-wal") in found(inspection, "note")
        assert inspection.healthy


def test_it_looks_at_one_state_while_a_load_runs(path: Path) -> None:
    load_everything(path)
    with open_writer(path) as writer:
        rows = [{"key": "k0001", "ts": T + timedelta(hours=1)}]
        writer.load(TEXTS, [make_batch(TEXTS, rows)], NOON, allow_shrink=True)
        assert inspect_file(path, at=NOON).healthy
    assert inspect_file(path, at=NOON).healthy


# ---------------------------------------------------------------- the project


def test_definitions_are_compared_with_the_project(path: Path) -> None:
    load_everything(path)
    load(path, make_view({"id": "BIGINT", "ts": "TIMESTAMP"}, name="gone"), [])
    broken = AsknownError("sql-syntax", "it does not parse", hint="write it right")
    other = make_view({"id": "BIGINT", "ts": "TIMESTAMP"}, name="other")
    definitions: Definitions = {
        "orders": SUM,
        "texts": replace(TEXTS, fingerprint="two"),
        "other": other,
        "broken": broken,
    }
    inspection = inspect_file(path, definitions, at=NOON)
    said = {(check.of, check.found): check.run for check in inspection.checks if check.check == "definition"}
    assert said == {
        ("gone", "the project has no such view, or has online=false in it"): "asknown materialize --prune",
        ("orders", "was loaded from the project's definition"): None,
        ("texts", "was loaded from another definition than the project's"): "asknown materialize texts",
        ("other", "is not loaded yet"): "asknown materialize other",
        ("broken", "it does not parse"): "write it right",
    }
    assert len(inspection.findings) == 4
    assert only(inspect_file(path, broken, at=NOON)).of == "the project"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project of two views, loaded."""
    folder = tmp_path / "shop"
    (folder / "models").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "shop"\n')
    (folder / "models" / "shop.yml").write_text("entities: [{name: id}]\n")
    for name in ("orders", "visits"):
        write_model(folder, name, "select 1 as id, timestamp '2024-01-01' as ts, 2.5::double as x")
    monkeypatch.chdir(folder)
    assert asknown("materialize").exit_code == 0
    return folder


def write_model(folder: Path, name: str, sql: str) -> None:
    config = "{{ config(entity='id', event_time='ts', ttl='3 days') }}"
    (folder / "models" / f"{name}.sql").write_text(f"{config}\n{sql}\n")


def asknown(*words: str) -> Result:
    result = CliRunner().invoke(main, list(words), prog_name="asknown")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return result


def test_the_command_on_a_healthy_table(project: Path) -> None:
    result = asknown("doctor", "--all")
    assert result.exit_code == 0, result.output
    assert result.stderr == f"{project / 'online.db'} is healthy\n"
    assert "integrity" in result.stdout
    with FeatureStore(project) as store:
        assert store.doctor().healthy


def test_what_needs_attention_comes_first_and_the_rest_when_it_is_asked_for(project: Path) -> None:
    write_model(project, "orders", "select 1 as id, timestamp '2024-01-01' as ts, 3.5::double as x")
    states = [line.split()[0] for line in asknown("doctor", "--all").stdout.splitlines()[2:] if line[:1] != " "]
    assert states == sorted(states, key=("act", "note", "ok").index)
    assert states[0] == "act" and states[-1] == "ok"
    assert "\nok" not in asknown("doctor").stdout
    assert "ok" in {check["state"] for check in json.loads(asknown("doctor", "--format", "json").stdout)}


def test_a_load_may_be_as_old_as_the_project_says(project: Path) -> None:
    until = str(datetime.now(UTC).replace(tzinfo=None) - timedelta(hours=3))
    assert asknown("materialize", "--until", until, "--full-refresh").exit_code == 0
    assert asknown("doctor", "--max-age", "4 hours").exit_code == 0
    old = asknown("doctor", "--max-age", "2 hours")
    assert old.exit_code == 1
    assert "3 hours ago: it may be 2 hours old" in " ".join(old.stdout.split())
    assert "next: asknown materialize orders" in old.stdout
    yml = project / "models" / "ages.yml"
    yml.write_text("models: [{name: orders, freshness: {warn_after: 1 hour, error_after: 1 day}}]")
    both = asknown("doctor", "--max-age", "2 hours")
    states = {line.split()[2]: line.split()[0] for line in both.stdout.splitlines() if " watermark " in line}
    assert states["orders"] == "note" and set(states.values()) == {"note", "act"}
    yml.write_text("models: [{name: orders, freshness: {error_after: 1 hour}}]")
    assert "watermark  orders" in asknown("doctor").stdout
    wrong = asknown("doctor", "--max-age", "2 moons")
    assert wrong.exit_code == 1 and "'2 moons' is not a duration" in wrong.stderr


def test_the_command_says_what_to_run_and_that_puts_it_right(project: Path) -> None:
    write_model(project, "orders", "select 1 as id, timestamp '2024-01-01' as ts, 3.5::double as x")
    (project / "models" / "visits.sql").unlink()
    write_model(project, "clicks", "select 2 as id, timestamp '2024-01-01' as ts, 1 as n")
    result = asknown("doctor")
    assert result.exit_code == 1
    assert "3 of " in result.stderr
    assert result.stdout.count("next: asknown materialize") == 3
    findings = [check for check in json.loads(asknown("doctor", "--format", "json").stdout) if check["state"] == "act"]
    for check in findings:
        program, *words = check["run"].split()
        assert program == "asknown"
        assert asknown(*words).exit_code == 0
    assert asknown("doctor").exit_code == 0


def test_the_command_where_a_model_or_the_file_is_broken(project: Path) -> None:
    write_model(project, "orders", "select 1 as id, nothing as ts")
    result = asknown("doctor", "--all")
    assert result.exit_code == 1
    assert "nothing" in result.stdout
    assert "integrity" in result.stdout, "the file is looked over all the same"
    Path("online.db").write_text("hello " * 1000)
    result = asknown("doctor", "--format", "csv")
    assert result.exit_code == 1
    assert "it is not an SQLite database" in result.stdout
    shutil.rmtree("models")
    Path("online.db").unlink()
    assert asknown("doctor").exit_code == 1


def test_times_in_json_can_be_read_by_a_machine(project: Path) -> None:
    checks = json.loads(asknown("doctor", "--format", "json").stdout)
    watermark = next(check for check in checks if check["check"] == "watermark")
    assert datetime.fromisoformat(watermark["facts"]["watermark"]) <= datetime.now(UTC)
    assert watermark["facts"]["age_seconds"] >= 0


def test_a_target_is_looked_over_when_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    profile = """
case:
  target: dev
  outputs:
    dev: {type: duckdb}
    gone: {type: postgres, host: 127.0.0.1, port: 1, user: me, password: hunter2, dbname: nowhere}
"""
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "case"\n')
    (tmp_path / "profiles.yml").write_text(profile)
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path)
    well = CliRunner().invoke(main, ["doctor", "--target", "dev", "--all"], prog_name="asknown")
    assert well.exit_code == 0 and "session zone" in well.stdout and "UTC" in well.stdout
    sources = "sources: [{name: shop, tables: [{name: orders, path: orders.csv}, {name: lost, path: lost.csv}]}]"
    (tmp_path / "models" / "sources.yml").write_text(sources)
    (tmp_path / "orders.csv").write_text("id\n1\n")
    lost = CliRunner().invoke(main, ["doctor", "--target", "dev", "--all"], prog_name="asknown")
    assert lost.exit_code == 1 and "1 found" in lost.stdout and "shop.lost" in lost.stdout
    ill = CliRunner().invoke(main, ["doctor", "--target", "gone"], prog_name="asknown")
    assert ill.exit_code == 1 and "act" in ill.stdout and "hunter2" not in ill.output
