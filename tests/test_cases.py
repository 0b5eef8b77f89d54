"""Runs the case directories: ``tests/cases/<name>/`` holds a project, the commands a user types, and their output.

A case is made of

- ``about.txt``: one line that says which rule or error it shows, and what must come out;
- ``run``: the commands, one a line, as a user types them in the project's folder;
- ``rows.sql``: run with plain DuckDB first, to make the tables of the warehouse (optional);
- any files of the project. Where the case has none of its own, it gets a pyproject.toml (the project's name is "case"),
  a profiles.yml (warehouse.duckdb, online.db), the entities of :data:`ENTITIES`, and a source ``raw`` with every table
  that rows.sql made;
- ``expected.txt``: what the commands print. ``pytest tests/test_cases.py --update-cases`` writes it anew.

Besides ``asknown …`` a line may say ``duckdb FILE "SQL"`` or ``sqlite3 FILE "SQL"`` (rows come out as tab-separated
text), ``cp FROM TO`` or ``cd FOLDER``.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sqlite3
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from asknown.cli.group import main

CASES = Path(__file__).parent / "cases"
ENTITIES = {"user": ["user_id"], "item": ["item_id"], "purchase": ["user_id", "item_id"]}
# What differs from run to run, and what stands for it.
TIMINGS = ((re.compile(r"\b\d+(\.\d+)?( ?)(ms|s|seconds?)\b(?!\w)"), r"<time>\2\3"),)


@dataclass(frozen=True)
class Output:
    """What a command printed, and its exit code."""

    stdout: str
    stderr: str = ""
    code: int = 0


def names_of_cases() -> list[str]:
    """The cases there are."""
    return sorted(path.name for path in CASES.iterdir() if (path / "run").exists())


@pytest.mark.parametrize("name", names_of_cases())
def test_case(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    assert (CASES / name / "about.txt").read_text().strip(), "a case says what it shows"
    folder = prepare(name, tmp_path / "project")
    set_up_environment(folder, monkeypatch)
    lines = (CASES / name / "run").read_text(encoding="utf-8").splitlines()
    transcript = [write_down(line, run_line(line, monkeypatch), folder) for line in lines if line.strip()]
    expected = CASES / name / "expected.txt"
    if request.config.getoption("--update-cases"):
        expected.write_text("\n".join(transcript), encoding="utf-8")
    assert "\n".join(transcript) == expected.read_text(encoding="utf-8")


def test_every_case_is_told_apart_by_what_it_says() -> None:
    about = [(CASES / name / "about.txt").read_text() for name in names_of_cases()]
    assert len(about) == len(set(about)) > 0


# --- the project ------------------------------------------------------------------------------------------------------


def prepare(name: str, folder: Path) -> Path:
    """A copy of the case, with the files that it leaves out."""
    shutil.copytree(CASES / name, folder, ignore=shutil.ignore_patterns("expected.txt", "about.txt", "run"))
    tables = make_warehouse(folder)
    write_absent(folder / "pyproject.toml", '[tool.asknown]\nname = "case"\n')
    dev = {"type": "duckdb", "path": "warehouse.duckdb", "threads": 2}
    profile = {"target": "dev", "outputs": {"dev": dev}, "online": {"type": "sqlite", "path": "online.db"}}
    write_absent(folder / "profiles.yml", json.dumps({"case": profile}))
    if (folder / "models").exists():
        entities = [{"name": entity, "keys": keys} for entity, keys in ENTITIES.items()]
        write_absent(folder / "models" / "entities.yml", json.dumps({"entities": entities}))
        raw = {"name": "raw", "tables": [{"name": table, "identifier": f"main.{table}"} for table in tables]}
        write_absent(folder / "models" / "sources.yml", json.dumps({"sources": [raw] if tables else []}))
    return folder


def make_warehouse(folder: Path) -> list[str]:
    """Runs rows.sql on warehouse.duckdb, and gives the tables that are there then."""
    if not (folder / "rows.sql").exists():
        return []
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute((folder / "rows.sql").read_text(encoding="utf-8"))
        return [name for (name,) in connection.execute("select table_name from duckdb_tables() order by 1").fetchall()]


def write_absent(path: Path, text: str) -> None:
    """Writes a file unless it is there."""
    if not path.exists():
        path.write_text(text, encoding="utf-8")


def set_up_environment(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same terminal and the same environment for everybody, in the project's folder."""
    monkeypatch.chdir(folder)
    monkeypatch.delenv("ASKNOWN_PROFILES_DIR", raising=False)
    monkeypatch.delenv("FORCE_COLOR", raising=False)
    for variable, value in {"COLUMNS": "120", "NO_COLOR": "1", "TERM": "dumb"}.items():
        monkeypatch.setenv(variable, value)


# --- the commands -----------------------------------------------------------------------------------------------------


def run_line(line: str, monkeypatch: pytest.MonkeyPatch) -> Output:
    """Runs one line as typed."""
    command, *arguments = shlex.split(line)
    match command, arguments:
        case "asknown", _:
            return run_asknown(arguments)
        case "duckdb", [file, sql]:
            with duckdb.connect(file) as connection:
                connection.execute("set TimeZone = 'UTC'")
                return Output(tab_separated(connection.execute(sql).fetchall()))
        case "sqlite3", [file, sql]:
            with closing(sqlite3.connect(file)) as store, store:
                return Output(tab_separated(store.execute(sql).fetchall()))
        case "cp", [origin, copy]:
            shutil.copyfile(origin, copy)
            return Output("")
        case "cd", [folder]:
            monkeypatch.chdir(folder)
            return Output("")
    raise ValueError(f"a case cannot run: {line}")


def run_asknown(arguments: Sequence[str]) -> Output:
    """Runs asknown in this process. What it does not catch itself is a bug, and fails the test as it is."""
    result = CliRunner().invoke(main, list(arguments), prog_name="asknown")
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Output(result.stdout, result.stderr, result.exit_code)


def tab_separated(rows: Sequence[Sequence[Any]]) -> str:
    """Rows as text; statements that only write give none."""
    return "".join("\t".join("NULL" if value is None else str(value) for value in row) + "\n" for row in rows)


def write_down(line: str, output: Output, folder: Path) -> str:
    """One command and what it printed, as expected.txt has it."""
    parts = [f"$ {line}\n", output.stdout]
    if output.stdout and not output.stdout.endswith("\n"):
        parts.append("\n")
    parts += [f"! {text}".rstrip() + "\n" for text in output.stderr.splitlines()]
    if output.code:
        parts.append(f"[exit {output.code}]\n")
    text = "".join(parts)
    for path in {str(folder), str(folder.resolve())}:
        text = text.replace(path, "<project>")
    for pattern, replacement in TIMINGS:
        text = pattern.sub(replacement, text)
    return text
