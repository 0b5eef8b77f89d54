"""The leak corpus: each view is refused by the code that the corpus says, by every command, or accepted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from leaks import CORPUS, LAG_UP, E, Leak, view, write_project

import strategies
import window_worlds
import worlds
from asknown import AsknownError, FeatureStore
from asknown.cli.group import main
from asknown.store.typed_catalog import TypedCatalog
from worlds import World


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FeatureStore]:
    folder = tmp_path_factory.mktemp("leaks") / "project"
    with FeatureStore(write_project(folder, {leak.name: view(leak.sql, leak.config) for leak in CORPUS})) as opened:
        yield opened


@pytest.mark.parametrize("leak", CORPUS, ids=lambda leak: leak.name)
def test_a_view_is_refused_as_the_corpus_says(store: FeatureStore, leak: Leak) -> None:
    try:
        store.compile_service(leak.name)
        refused = None
    except AsknownError as error:
        refused = error.code
        assert error.at is not None and error.at.path == f"models/{leak.name}.sql" and error.at.column
        assert error.hint
    assert refused == leak.refused


def test_check_lists_them_all(store: FeatureStore) -> None:
    """Exactly what the corpus says: each finding, and no other error or warning."""
    listed: dict[str, list[str]] = {leak.name: [] for leak in CORPUS}
    for finding in store.check():
        if finding.severity != "information":
            listed[str(finding.model)].append(finding.code)
    said = {leak.name: sorted(filter(None, [leak.refused, *leak.found])) for leak in CORPUS}
    assert {name: sorted(codes) for name, codes in listed.items()} == said


def test_a_lag_below_the_view_is_a_warning(tmp_path: Path) -> None:
    below, above = LAG_UP
    folder = write_project(tmp_path / "project", {"lag_below": below, "lag_up": view(above)})
    with FeatureStore(folder) as store:
        found = [f for f in store.check() if f.severity != "information"]
    assert [(f.code, f.severity, f.model) for f in found] == [("late-rows-in-window", "warning", "lag_below")]


def test_check_prints_them(store: FeatureStore) -> None:
    project = ["--project", str(store.project.settings.root)]
    done = CliRunner().invoke(main, ["check", "--format", "json", *project])
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert {row["severity"] for row in found} == {"error", "warning", "information"}
    assert [row["code"] for row in found] == [finding.code for finding in store.check()]
    table = CliRunner().invoke(main, ["check", *project])
    assert table.exit_code == 1
    for row in found:
        if row["severity"] == "information":
            continue
        assert f"{row['severity']}[{row['code']}]: {row['message']}" in table.stdout
        assert f"  at {row['file']}:{row['line']}:{row['column']}" in table.stdout
        assert f"  hint: {row['hint']}" in table.stdout


def test_the_flights_have_no_finding() -> None:
    with FeatureStore(Path(__file__).parents[2]) as flights:
        assert [found for found in flights.check() if found.severity != "information"] == []


def test_a_project_that_cannot_be_read_is_a_finding(tmp_path: Path) -> None:
    folder = write_project(tmp_path / "project", {})
    (folder / "models" / "broken.yml").write_text("sources: [")
    done = CliRunner().invoke(main, ["check", "--format", "json", "--project", str(folder)])
    assert done.exit_code == 1
    assert [(row["code"], row["file"]) for row in json.loads(done.stdout)] == [("bad-yaml", "models/broken.yml")]


def test_everything_broken_is_listed(tmp_path: Path) -> None:
    """Not the first thing alone, and each once, however many models stand on it."""
    models = {
        "syntax": "select from where",
        "unknown": "select * from {{ ref('nobody') }}",
        "column": f"select missing from {E}",
        "above": "select * from {{ ref('column') }}",
        "circle_a": "select 1 as x from {{ ref('circle_b') }}",
        "circle_b": "select 1 as x from {{ ref('circle_a') }}",
        "leak": view(f"select k, ts, loaded_at, lead(x) over (partition by k order by ts) as f, missing from {E}"),
        "kept": "{{ config(materialized='table') }} select 1 as x",
        "on_kept": "select x from {{ ref('kept') }}",
    }
    folder = write_project(tmp_path / "project", models)
    (folder / "models" / "services.yml").write_text("feature_services: [{name: s, features: [nothing]}]")
    with FeatureStore(folder) as store:
        found = [(finding.code, finding.model) for finding in store.check()]
        assert all(finding.at is not None and finding.at.line for finding in store.check())
    assert sorted(found, key=str) == sorted(
        [
            ("sql-syntax", "syntax"),
            ("unknown-model", "unknown"),
            ("engine", "column"),
            ("cycle", "circle_a"),
            ("cycle", "circle_b"),
            ("leak-frame-ahead", "leak"),
            ("engine", "leak"),
            ("unknown-view", None),
        ],
        key=str,
    )


def test_a_builder_without_refusals_takes_every_view(store: FeatureStore) -> None:
    """As `audit` will: no command has a switch for it."""
    typed = TypedCatalog(store.catalog, store._engine, refusals=frozenset())
    for leak in CORPUS:
        if leak.refused != "bad-window":
            assert typed.view(leak.name).name == leak.name


@pytest.mark.parametrize("kind", [strategies, window_worlds], ids=["as_of", "windows"])
def test_generated_views_are_clean(kind: ModuleType, tmp_path_factory: pytest.TempPathFactory) -> None:
    @settings(max_examples=25)
    @given(kind.worlds())
    def check(world: World) -> None:
        folder = tmp_path_factory.mktemp("world")
        worlds.write_project(world, folder)
        with FeatureStore(folder) as generated:
            assert not [found for found in generated.check() if found.is_error]

    check()


def test_the_project_that_init_makes_has_no_finding(tmp_path: Path) -> None:
    made = tmp_path / "made"
    assert CliRunner().invoke(main, ["init", str(made)]).exit_code == 0
    with FeatureStore(made) as new:
        assert [found for found in new.check() if found.severity != "information"] == []
