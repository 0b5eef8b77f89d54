"""What fresh processes import: who reads the online table or asks for help does not pay for the compiler."""

from __future__ import annotations

import subprocess
import sys
from datetime import datetime
from pathlib import Path

import pytest

from online_tables import load, make_view
from test_online_windows import call, windowed
from test_online_windows import load as load_events

ASKNOWN = Path(sys.executable).with_name("asknown")
COMPILER = {"duckdb", "jinja2", "sqlglot"}
FRAMES = {"numpy", "pandas", "polars", "pyarrow"}
HEAVY = COMPILER | FRAMES | {"click", "rich", "sqlite_utils", "yaml"}

# What the reader may load of asknown itself: facts, and the rooms of online/ that read.
LIGHT = {
    "asknown",
    "asknown.addresses",
    "asknown.catalog",
    "asknown.catalog.references",
    "asknown.errors",
    "asknown.durations",
    "asknown.periods",
    "asknown.instants",
    "asknown.paths",
    "asknown.types",
}


# Runs a program and writes what it has imported by its end, beyond what Python starts with.
WATCH = """
import atexit, runpy, sys
started, (report, program, *sys.argv[1:]) = set(sys.modules), sys.argv[1:]
atexit.register(lambda: open(report, "w").write(" ".join(set(sys.modules) - started - {"runpy", "__mp_main__"})))
sys.argv[0] = program
runpy.run_path(program, run_name="__main__") if program != "-c" else exec(sys.argv.pop(1))
"""


def imported_by(report: Path, *command: str | Path, folder: Path | None = None) -> set[str]:
    """The modules that a script and its arguments, or ``-c`` and a statement, have imported by the end.

    A try that failed is none. ``report`` is a file to write.
    """
    done = subprocess.run(
        [sys.executable, "-c", WATCH, report, *command], cwd=folder, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(report.read_text().split())


def libraries(modules: set[str]) -> set[str]:
    """The names of the packages, of other people's making, that the modules belong to."""
    return {module.partition(".")[0] for module in modules} - set(sys.stdlib_module_names) - {"asknown"}


@pytest.fixture
def report(tmp_path: Path) -> Path:
    return tmp_path / "imported.txt"


def test_what_is_imported_is_seen(report: Path) -> None:
    # Guards the tests below, which would pass if nothing were seen.
    modules = imported_by(report, "-c", "import asknown.types, yaml")
    assert {"asknown.types", "asknown.errors", "yaml", "dataclasses"} <= modules
    assert "yaml" in libraries(modules)


def test_the_package_itself_is_nothing_but_names(report: Path) -> None:
    modules = imported_by(report, "-c", "import asknown")
    assert {module for module in modules if module.startswith("asknown")} == {"asknown"}
    assert libraries(modules) == set()


def test_the_reader_is_imported_before_anything_that_it_reads_with(report: Path) -> None:
    modules = imported_by(report, "-c", "import asknown.online.reader")
    assert {module for module in modules if module.startswith("asknown")} == {
        "asknown",
        "asknown.online",
        "asknown.online.reader",
    }
    assert modules & {"dataclasses", "datetime", "json", "pathlib", "sqlite3", "typing"} == set()


READ = """
from asknown import OnlineReader
with OnlineReader({path!r}) as reader:
    for rows in ([{{"id": 1}}], {{"id": [1, 2]}}):
        response = reader.get_online_features({view!r}, rows, at="2013-05-01T12:00:00Z")
        assert response.statuses()[{feature!r}][0] == "PRESENT", response.statuses()
"""


def test_reading_the_online_table_needs_the_standard_library_alone(report: Path, tmp_path: Path) -> None:
    path = str(tmp_path / "online.db")
    moment = datetime(2013, 5, 1, 10)
    plain = make_view({"id": "BIGINT", "ts": "TIMESTAMP", "x": "DOUBLE"}, name="plain")
    load(Path(path), plain, [{"id": 1, "ts": moment, "x": 0.5}])
    load_events(Path(path), windowed({"n": call("count", None)}, name="busy"), [{"id": 1, "ts": moment}] * 40)

    modules = imported_by(report, "-c", READ.format(path=path, view="plain", feature="x"))
    assert libraries(modules) == set()
    own = {module for module in modules if module.startswith("asknown")}
    assert {module for module in own if not module.startswith("asknown.online")} <= LIGHT
    assert "asknown.online.sqlite.reader" in own
    unneeded = {
        "asknown.online.windows",
        "asknown.online.tiles",
        *(f"asknown.online.sqlite.{name}" for name in ("writer", "layout", "tiles")),
    }
    assert not any(module.startswith("asknown.values") for module in modules)
    assert modules & (unneeded | {"decimal", "fractions", "uuid"}) == set()

    modules = imported_by(report, "-c", READ.format(path=path, view="busy", feature="n"))
    assert libraries(modules) == set()
    assert "asknown.online.windows" in modules
    assert "asknown.online.sqlite.writer" not in modules


@pytest.mark.parametrize("kind", ["postgres", "valkey"])
def test_reading_a_server_needs_neither_arrow_nor_the_compiler(report: Path, kind: str) -> None:
    opened = f"asknown.online.backend.STORES[{kind!r}]()"
    parts = "asknown.online.backend, asknown.online.remote.backend, asknown.online.remote.packing"
    modules = imported_by(report, "-c", f"import {parts}\n{opened}")
    assert f"asknown.online.{kind}.store" in modules
    assert libraries(modules) & HEAVY == set()


def test_a_feature_store_needs_no_data_frames(report: Path) -> None:
    modules = imported_by(report, "-c", "from asknown import FeatureStore")
    assert "asknown.store.feature_store" in modules
    assert libraries(modules) == set()


def test_a_dialect_is_imported_alone(report: Path) -> None:
    modules = imported_by(report, "-c", "from asknown.dialects.registry import find_dialect; find_dialect('duckdb')")
    assert libraries(modules) == set()
    assert {module for module in modules if module.startswith("asknown.dialects.")} == {
        "asknown.dialects.dialect",
        "asknown.dialects.duckdb",
        "asknown.dialects.duckdb.list_sums",
        "asknown.dialects.duckdb.moments",
        "asknown.dialects.duckdb.sums",
        "asknown.dialects.registry",
    }


def test_the_help_of_all_needs_no_library(report: Path) -> None:
    modules = imported_by(report, ASKNOWN, "--help")
    assert libraries(modules) == set()
    assert modules & {"dataclasses", "inspect", "pathlib", "shutil"} == set()
    assert {module for module in modules if module.startswith("asknown")} == {
        "asknown",
        "asknown.cli",
        "asknown.cli.help_text",
    }


@pytest.mark.parametrize("arguments", [["train", "--help"], ["get", "--help"], ["--version"]])
def test_help_needs_click_alone(report: Path, arguments: list[str]) -> None:
    loaded = libraries(imported_by(report, ASKNOWN, *arguments))
    assert "click" in loaded
    assert loaded & (HEAVY - {"click", "rich", "yaml"}) == set()


def test_a_get_needs_neither_the_compiler_nor_arrow(report: Path, tmp_path: Path) -> None:
    write_project(tmp_path)
    loaded_by_load = libraries(imported_by(report, ASKNOWN, "materialize", "--until", "2024-01-02", folder=tmp_path))
    assert loaded_by_load >= COMPILER
    loaded = libraries(imported_by(report, ASKNOWN, "get", "scores", "player=7", "--at", "2024-01-03", folder=tmp_path))
    assert loaded & (HEAVY - {"click", "rich", "yaml"}) == set()


@pytest.mark.parametrize("arguments", [[], ["--model"]])
def test_to_compile_takes_no_data_frames(report: Path, tmp_path: Path, arguments: list[str]) -> None:
    write_project(tmp_path)
    loaded = libraries(imported_by(report, ASKNOWN, "compile", "scores", *arguments, folder=tmp_path))
    assert loaded >= COMPILER
    assert loaded & FRAMES == set()


def test_to_train_takes_neither_the_registry_nor_the_online_table(report: Path, tmp_path: Path) -> None:
    write_project(tmp_path)
    spine = "select 7 as player, timestamp '2024-01-02' as event_timestamp"
    command = ("train", "scores", "--spine", spine, "-o", str(tmp_path / "train.parquet"))
    modules = imported_by(report, ASKNOWN, *command, folder=tmp_path)
    assert modules >= COMPILER
    assert modules & {"pyarrow.compute", "pyarrow.parquet", "sqlite3"} == set()
    rooms = {module.split(".")[1] for module in modules if module.startswith("asknown.")}
    assert rooms & {"changes", "registry", "site", "serve"} == set()
    assert not modules & {"asknown.online.nodes", "asknown.store.materialize", "asknown.values.expressions"}


def write_project(folder: Path) -> None:
    """The smallest project that has something to read."""
    (folder / "models").mkdir()
    for name, text in PROJECT.items():
        (folder / name).write_text(text, encoding="utf-8")


PROJECT = {
    "pyproject.toml": '[tool.asknown]\nname = "games"\n',
    "scores.csv": "player,played_at,score\n7,2024-01-01 12:00:00,3\n",
    "models/games.yml": (
        "sources: [{name: files, tables: [{name: scores, path: scores.csv}]}]\nentities: [{name: player}]\n"
    ),
    "models/scores.sql": (
        "{{ config(entity='player', event_time='played_at') }}\n"
        "select player, played_at, score from {{ source('files', 'scores') }}\n"
    ),
}
