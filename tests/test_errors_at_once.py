"""The errors of a project's files are reported together, so that nobody mends them one run at a time."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from asknown import AsknownError, FeatureStore
from asknown.cli.group import main

BROKEN = """
sources:
  - tables: [{name: a, path: a.csv}]
  - {name: s, tables: [{name: ev, pathh: a.csv, tymezone: UTC}]}
entities:
  - {keys: [k]}
  - {name: good, keys: [k]}
  - {name: good, keys: [j]}
feature_services:
  - {name: svc}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "models").mkdir()
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "broken"\n')
    (tmp_path / "models" / "a.yml").write_text(BROKEN)
    (tmp_path / "models" / "b.yml").write_text("entities: [\n")
    (tmp_path / "models" / "c.yml").write_text("entities: [{name: c, key: [k]}]\n")
    monkeypatch.chdir(tmp_path)
    return tmp_path


EXPECTED = [
    ("missing-key", "a.yml", "a source lacks 'name'"),
    ("unknown-key", "a.yml", "has no key 'pathh'"),
    ("unknown-key", "a.yml", "has no key 'tymezone'"),
    ("missing-key", "a.yml", "an entity lacks 'name'"),
    ("duplicate-name", "a.yml", "entity 'good' is given twice"),
    ("missing-key", "a.yml", "svc"),
    ("bad-yaml", "b.yml", ""),
    ("unknown-key", "c.yml", "an entity has no key 'key'"),
]


def test_check_lists_every_one(folder: Path) -> None:
    done = CliRunner().invoke(main, ["check", "--format", "json"])
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert len(found) == len(EXPECTED), done.stdout
    for one, (code, file, said) in zip(found, EXPECTED, strict=True):
        assert (one["code"], said in one["message"], file in str(one)) == (code, True, True), one


@pytest.mark.parametrize("words", [["check"], ["ls"], ["train", "v", "--spine", "select 1"]])
def test_every_command_shows_them(folder: Path, words: list[str]) -> None:
    done = CliRunner().invoke(main, words)
    assert done.exit_code == 1
    shown = done.stdout + done.stderr
    assert shown.count("error[") == len(EXPECTED)
    assert all(said in shown for _, _, said in EXPECTED)


def test_the_library_raises_one_error_with_all(folder: Path) -> None:
    with pytest.raises(AsknownError) as raised:
        FeatureStore(folder).check()
    assert [raised.value.code, *(error.code for error in raised.value.also)] == [code for code, _, _ in EXPECTED]
    assert all(said in str(raised.value) for _, _, said in EXPECTED)


def test_all_unknown_settings_are_named(folder: Path) -> None:
    (folder / "pyproject.toml").write_text('[tool.asknown]\nnam = "x"\nmodelpaths = ["m"]\n')
    done = CliRunner().invoke(main, ["ls"])
    assert "no key 'nam'" in done.stderr
    assert "no key 'modelpaths'" in done.stderr
