"""An online table belongs to one target of one project, and nothing else is in it: else every command stops."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from asknown import FeatureStore, OnlineReader
from asknown.cli.group import main
from asknown.errors import AsknownError
from asknown.online.nodes import Owner
from asknown.online.sqlite.connect import Library
from asknown.online.sqlite.doctor import inspect_file
from asknown.online.sqlite.writer import open_writer
from online_tables import NOON, dump, load, make_batch, make_view
from test_online_content import check
from test_online_migrations import write_layout

DEV, PROD, OTHER = Owner("shop", "dev"), Owner("shop", "prod"), Owner("other", "dev")
VIEW = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "amount": "DOUBLE"})
MAKE = "import sqlite3, sys; sqlite3.connect(sys.argv[1]).executescript(sys.argv[2])"
FILES = {
    "pyproject.toml": '[tool.asknown]\nname = "shop"\n',
    "models/shop.yml": "entities:\n  - name: member\n",
    "models/visits.sql": "{{ config(entity='member', event_time='seen_at') }}\n"
    "select 1 as member, timestamp '2024-01-01' as seen_at, 10 as points\n",
}
PROFILE = (
    "shop:\n  target: \"{{ env_var('STAGE', 'dev') }}\"\n  outputs:\n    dev: {type: duckdb}\n    prod: {type: duckdb"
)
SHARED = f"{PROFILE}}}\n"
OWN = f"{PROFILE}, online: {{path: prod.db}}}}\n"
NAMED = f"{PROFILE}}}\n  online: {{path: 'online_{{{{ target.name }}}}.db'}}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("STAGE", raising=False)
    return tmp_path


def asknown(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, words, prog_name="asknown")
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


def stamp(path: Path) -> list[tuple[str, str]]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute("SELECT project, target FROM _asknown_owner").fetchall()


LOAD = ("materialize", "--until", "2024-06-01")
GET = ("get", "visits", "member=1")


def test_another_targets_table_is_refused_by_every_command_that_opens_it(project: Path) -> None:
    (project / "profiles.yml").write_text(SHARED)
    assert asknown(*LOAD)[0] == 0
    assert stamp(project / "online.db") == [("shop", "dev")]
    content = (project / "online.db").read_bytes()
    says = "belongs to target 'dev' of project 'shop', and this is target 'prod' of project 'shop'"
    for words in (LOAD, (*LOAD, "--full-refresh"), GET, ("doctor",)):
        code, output = asknown(*words, "--target", "prod")
        assert (code, says in output, "{{ target.name }}" in output) == (1, True, True), output
    with FeatureStore(".", target="prod") as store, pytest.raises(AsknownError, match="target 'prod'"):
        store.get_online_features(["visits"], [{"member": 1}])
    assert (project / "online.db").read_bytes() == content
    assert asknown(*LOAD)[0] == asknown(*GET)[0] == asknown("doctor")[0] == 0


@pytest.mark.parametrize(
    ("profile", "names"), [(OWN, ("online.db", "prod.db")), (NAMED, ("online_dev.db", "online_prod.db"))]
)
def test_each_target_has_its_own_table(
    project: Path, monkeypatch: pytest.MonkeyPatch, profile: str, names: tuple[str, str]
) -> None:
    (project / "profiles.yml").write_text(profile)
    assert asknown(*LOAD)[0] == asknown(*LOAD, "--target", "prod")[0] == 0
    assert {file.name for file in project.glob("*.db")} == set(names)
    assert [stamp(project / name) for name in names] == [[("shop", "dev")], [("shop", "prod")]]
    monkeypatch.setenv("STAGE", "prod")
    assert asknown(*GET)[0] == asknown("doctor")[0] == 0
    (project / names[0]).unlink()
    assert asknown(*GET)[0] == 0
    assert "does not exist" in asknown(*GET, "--target", "dev")[1]


def test_the_name_of_a_target_is_no_secret_when_the_environment_chooses_it(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "profiles.yml").write_text(SHARED)
    asknown(*LOAD)
    monkeypatch.setenv("STAGE", "prod")
    assert "this is target 'prod'" in asknown(*LOAD)[1]


def test_a_renamed_project_is_told_what_to_do(project: Path) -> None:
    asknown(*LOAD)
    (project / "pyproject.toml").write_text('[tool.asknown]\nname = "other"\n')
    code, output = asknown(*GET)
    assert code == 1
    assert "target 'dev' of project 'shop', and this is target 'dev' of project 'other'" in output
    assert "if the project was renamed, move the file away and run: asknown materialize" in output
    for file in project.glob("online.db*"):
        file.unlink()
    assert asknown(*LOAD)[0] == asknown(*GET)[0] == 0


def test_doctor_looks_the_table_of_a_named_target_over(project: Path) -> None:
    (project / "profiles.yml").write_text(NAMED)
    code, output = asknown("doctor", "--target", "prod", "--format", "json")
    found = {check["check"]: check for check in json.loads(output[: output.rindex("]") + 1])}
    assert (code, found["file"]["state"]) == (0, "note")
    assert found["file"]["run"] == "asknown materialize --target prod"
    asknown(*LOAD, "--target", "prod")
    code, output = asknown("doctor", "--target", "prod", "--format", "json")
    found = {check["check"]: check for check in json.loads(output[: output.rindex("]") + 1])}
    assert (code, found["owner"]["found"]) == (0, "target 'prod' of project 'shop'")
    assert {"connection", "content", "watermark"} <= set(found)


def test_a_file_without_a_stamp_is_read_and_takes_that_of_its_next_load(tmp_path: Path) -> None:
    path = tmp_path / "online.db"
    load(path, VIEW, [])
    with OnlineReader(path, owner=PROD) as reader:
        assert stamp(path) == []
        with open_writer(path, owner=DEV):
            pass
        assert stamp(path) == [("shop", "dev")]
        with pytest.raises(AsknownError, match="belongs to target 'dev'") as caught:
            reader.views()  # it was open before there was a stamp
    assert caught.value.code == "online-owner"
    for owner in (PROD, OTHER):
        with pytest.raises(AsknownError) as refused, open_writer(path, owner=owner):
            pass
        assert refused.value.code == "online-owner"
    with open_writer(path, owner=DEV) as writer:
        writer.load(VIEW, [], NOON)
    assert stamp(path) == [("shop", "dev")]
    check(path)


def test_a_reader_of_another_owner_does_not_read_by_an_old_plan(tmp_path: Path) -> None:
    path = tmp_path / "online.db"
    row = {"id": 1, "ts": NOON, "amount": 1.0}
    load(path, VIEW, [row])
    with OnlineReader(path, owner=PROD) as reader:
        assert reader.get_online_features([VIEW.name], [{"id": 1}]).to_dict()["amount"] == [1.0]
        with open_writer(path, owner=DEV) as writer:
            writer.load(VIEW, [make_batch(VIEW, [{**row, "amount": 2.0}])], NOON, full_refresh=True)
        with pytest.raises(AsknownError, match="belongs to target 'dev'"):
            reader.get_online_features([VIEW.name], [{"id": 1}])


@pytest.mark.parametrize("library", ["sqlite3", "apsw"])
def test_a_stamp_that_is_not_what_was_written_is_damage(tmp_path: Path, library: Library) -> None:
    path = tmp_path / "online.db"
    with open_writer(path, owner=DEV):
        pass
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE _asknown_owner SET target = 'prod'")
    for owner in (DEV, PROD):
        with pytest.raises(AsknownError) as caught:
            OnlineReader(path, owner=owner, library=library)
        assert caught.value.code == "online-corrupt"
        with pytest.raises(AsknownError) as refused, open_writer(path, owner=owner):
            pass
        assert refused.value.code == "online-corrupt"
    found = {check.check: check for check in inspect_file(path, owner=DEV).checks}
    assert (found["owner"].state, found["file"].state) == ("act", "ok")


@pytest.mark.parametrize("layout", [1, 2, 3, 4])
def test_a_file_of_an_earlier_layout_has_no_stamp_yet(tmp_path: Path, layout: int) -> None:
    path = tmp_path / "online.db"
    write_layout(path, layout)
    with OnlineReader(path, owner=PROD) as reader:
        assert "plain" in reader.views()
    found = {check.check: check for check in inspect_file(path, owner=PROD).checks}
    assert (found["owner"].state, found["owner"].run) == ("note", "asknown materialize")
    with open_writer(path, owner=PROD):
        pass
    assert stamp(path) == [("shop", "prod")]


TRIGGER = "CREATE TRIGGER watch AFTER INSERT ON orders BEGIN DELETE FROM orders; END"
PARTS = {
    "trigger 'watch'": (TRIGGER, "sqlite3 online.db 'drop trigger watch'"),
    "view 'v'": ("CREATE VIEW v AS SELECT 1", "sqlite3 online.db 'drop view v'"),
    "view 'a\"b'": ('CREATE VIEW "a""b" AS SELECT 1', "move the file away"),
    "view 'x\\x1b[2J'": ('CREATE VIEW "x\x1b[2J" AS SELECT 1', "move the file away"),
}


@pytest.mark.parametrize("part", PARTS)
@pytest.mark.parametrize("library", ["sqlite3", "apsw"])
def test_triggers_and_views_in_the_file_are_refused(tmp_path: Path, part: str, library: Library) -> None:
    path = tmp_path / "online.db"
    statement, advice = PARTS[part]
    load(path, VIEW, [{"id": 1, "ts": NOON, "amount": 1.0}])
    content = dump(path, VIEW.name)
    with OnlineReader(path, library=library) as before:
        before.get_online_features([VIEW.name], [{"id": 1}])
        subprocess.run([sys.executable, "-c", MAKE, str(path), statement], check=True)
        with pytest.raises(AsknownError, match=re.escape(part)):
            before.views()
    with pytest.raises(AsknownError) as reading:
        OnlineReader(path, library=library)
    with pytest.raises(AsknownError) as writing, open_writer(path):
        pass
    for caught in (reading, writing):
        assert caught.value.code == "online-corrupt"
        assert f"has a {part} in it, which asknown did not create" in caught.value.message
        assert advice in (caught.value.hint or "")
    assert dump(path, VIEW.name) == content
    found = [check for check in inspect_file(path).checks if check.state == "act"]
    assert [check.check for check in found] == ["file"]
    assert part in found[0].found
    assert {"integrity", "content"} <= {check.check for check in inspect_file(path).checks}
