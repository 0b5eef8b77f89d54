"""The leak corpus: each view is refused by the code that the corpus says, by every command, or accepted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner
from leaks import CORPUS, Leak, view, write_project

from asknown import AsknownError, FeatureStore
from asknown.cli.group import main


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
    assert leak.refused or leak.why, "what is accepted has a reason"


def test_check_lists_them_all(store: FeatureStore) -> None:
    listed = [(finding.model, finding.code) for finding in store.check()]
    assert listed == sorted((leak.name, leak.refused) for leak in CORPUS if leak.refused)


def test_check_prints_them(store: FeatureStore) -> None:
    project = ["--project", str(store.project.settings.root)]
    done = CliRunner().invoke(main, ["check", "--format", "json", *project])
    assert done.exit_code == 1
    found = json.loads(done.stdout)
    assert {row["severity"] for row in found} == {"error"}
    assert [row["code"] for row in found] == [finding.code for finding in store.check()]
    table = CliRunner().invoke(main, ["check", *project])
    assert table.exit_code == 1
    for row in found:
        assert f"error[{row['code']}]: {row['message']}" in table.stdout
        assert f"  at {row['file']}:{row['line']}:{row['column']}" in table.stdout
        assert f"  hint: {row['hint']}" in table.stdout


def test_the_flights_have_no_finding() -> None:
    with FeatureStore(Path(__file__).parents[2]) as flights:
        assert flights.check() == []
