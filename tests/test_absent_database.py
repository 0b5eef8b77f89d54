"""A DuckDB file that is not there is an empty database for all that needs nothing from it, and nobody makes it."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from asknown.cli.group import main

FILES = {
    "pyproject.toml": '[tool.asknown]\nname = "shop"\n',
    "profiles.yml": "shop:\n  outputs:\n    dev: {type: duckdb, path: gone.duckdb}\n",
    "models/shop.yml": "sources:\n  - name: raw\n    tables:\n      - {name: visits, path: visits.csv}\n"
    "      - {name: lost, identifier: main.lost}\n      - {name: far, identifier: s.far}\n"
    "entities:\n  - name: member\n",
    "models/visits.sql": "{{ config(entity='member', event_time='seen_at') }}\n"
    "select member, seen_at, points from {{ source('raw', 'visits') }}\n",
    "visits.csv": "member,seen_at,points\n1,2024-01-01 12:00:00,10\n",
    "spine.csv": "member,event_timestamp\n1,2024-06-01 00:00:00\n",
}
LOST = "select * from {{ source('raw', '%s') }}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def asknown(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(main, words, prog_name="asknown")
    assert done.exception is None or isinstance(done.exception, SystemExit)
    return done.exit_code, done.output


@pytest.mark.parametrize(
    "words",
    [
        ("ls",),
        ("show", "visits"),
        ("show", "visits", "--limit", "1"),
        ("compile", "visits"),
        ("compile", "visits", "--dialect", "postgres"),
        ("check",),
        ("train", "visits", "--spine", "spine.csv"),
        ("materialize", "--until", "2024-06-01"),
    ],
)
def test_commands_that_need_nothing_of_it(project: Path, words: tuple[str, ...]) -> None:
    code, output = asknown(*words)
    assert code == 0, output
    assert not (project / "gone.duckdb").exists()


@pytest.mark.parametrize("name", ["lost", "far"])
def test_what_needs_a_table_of_it_says_that_it_is_not_there(project: Path, name: str) -> None:
    (project / "models" / "copy.sql").write_text(LOST % name)
    for words in (("show", "copy", "--limit", "1"), ("compile", "copy"), ("train", "visits", "--spine", "copy")):
        code, output = asknown(*words)
        assert code == 1
        assert f"error[no-data]: source 'raw.{name}': the database {project}/gone.duckdb of target 'dev'" in output
        assert f"does not exist, and {'s.' if name == 'far' else ''}{name} would be in it" in output
        assert "asknown run" in output
    assert asknown("train", "visits", "--spine", "spine.csv")[0] == 0
    assert not (project / "gone.duckdb").exists()


def test_a_model_that_is_kept_there_is_not_built_yet(project: Path) -> None:
    (project / "models" / "kept.sql").write_text("{{ config(materialized='table') }}\nselect 1 as x\n")
    (project / "models" / "over.sql").write_text("select x from {{ ref('kept') }}\n")
    code, output = asknown("show", "over", "--limit", "1")
    assert (code, "asknown run kept" in output) == (1, True)
    assert asknown("run")[0] == 0
    assert asknown("show", "over", "--limit", "1")[0] == 0


def test_doctor_says_that_it_counts_as_empty(project: Path) -> None:
    output = asknown("doctor", "--target", "dev")[1]
    assert "counts as empty until `asknown run`" in output
    assert not (project / "gone.duckdb").exists()


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.write_text("no database " * 999), "not a valid DuckDB database file"),
        (lambda path: path.mkdir(), "gone.duckdb"),
        (lambda path: path.symlink_to("nowhere"), "gone.duckdb"),
    ],
)
def test_a_file_that_is_no_database_is_the_targets_fault(project: Path, make: object, why: str) -> None:
    make(project / "gone.duckdb")  # type: ignore[operator]
    code, output = asknown("show", "visits")
    assert code == 1
    assert f"error[engine]: the database {project}/gone.duckdb of target 'dev' cannot be opened: " in output
    assert why in output
    assert "at profiles.yml:3:5" in output
    assert "correct the target's path in profiles.yml" in output
