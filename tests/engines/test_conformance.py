"""Every case directory that trains, loads or reads gives on each engine what it gives on DuckDB.

The case's tables are made with DuckDB as ever and put into the engine by asknown's own hands; then the same commands
run against a profile that names the engine. What they print must be the same, and of an error its code.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import pytest

import test_cases
from engines.gaps import UNORDERED, cases_with_rows, gap
from engines.harness import Warehouse
from test_cases import CASES, prepare, run_line, set_up_environment, write_down

COMMANDS = re.compile(r"^asknown (train|materialize|get)\b", re.MULTILINE)
UNORDERED_SPINE = re.compile(r'--spine "select (?!.*\border by\b)', re.IGNORECASE)
KINDS = re.compile(r"^! error\[([a-z-]+)\].*", re.MULTILINE)


@pytest.mark.parametrize("name", cases_with_rows())
def test_case_on_engine(
    name: str,
    warehouse: Warehouse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    if reason := gap(warehouse.name, name):
        request.applymarker(pytest.mark.xfail(reason=reason, strict=True))
    folder = prepare(name, tmp_path / "project")
    point_at(warehouse, folder)
    set_up_environment(folder, monkeypatch)
    fill(warehouse, folder)
    wanted = (CASES / name / "expected.txt").read_text(encoding="utf-8").split("\n$ ")
    lines = [line for line in (CASES / name / "run").read_text(encoding="utf-8").splitlines() if line.strip()]
    for line, expected in zip(lines, wanted, strict=True):
        output = write_down(line, run_line(line, monkeypatch), folder)
        if line.startswith("duckdb "):
            fill(warehouse, folder)
        if COMMANDS.match(line):
            found, known = essence(output), essence("$ " + expected.removeprefix("$ "))
            if warehouse.name in UNORDERED and UNORDERED_SPINE.search(line):
                found, known = in_any_order(found), in_any_order(known)
            assert found == known


def essence(transcript: str) -> str:
    """What a command printed as data, its exit code, and of errors their codes: the rest is talk.

    Which forms a plan takes is an engine's own.
    """
    codes = KINDS.findall(transcript)
    data = [line for line in transcript.rstrip("\n").splitlines() if not line.startswith("!")]
    data = [line for line in data if not line.startswith("  form: ")]
    return "\n".join([*data, *codes])


def in_any_order(text: str) -> str:
    """The lines, sorted."""
    return "\n".join(sorted(text.splitlines()))


def point_at(warehouse: Warehouse, folder: Path) -> None:
    """Makes the engine the project's target."""
    target = {"target": "dev", "outputs": {"dev": warehouse.target(folder)}}
    target["online"] = {"type": "sqlite", "path": "online.db"}
    (folder / "profiles.yml").write_text(json.dumps({"case": target}), encoding="utf-8")


def fill(warehouse: Warehouse, folder: Path) -> None:
    """Puts the tables of the case's DuckDB file into the engine."""
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        connection.execute("set TimeZone = 'UTC'")
        names = [name for (name,) in connection.execute("select table_name from duckdb_tables() order by 1").fetchall()]
        tables = {name: connection.sql(f'select * from "{name}"').to_arrow_table() for name in names}
    warehouse.load(folder, tables)


def test_the_cases_run_here_too() -> None:
    """Nothing is left out silently: most cases with rows are among those that run on every engine."""
    assert len(cases_with_rows()) > 40
    assert test_cases.CASES == CASES
