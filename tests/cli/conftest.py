"""The project that the commands run in: what `asknown init` makes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from typed import JULY, succeed


@pytest.fixture(scope="session")
def scaffold(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project that `asknown init` made, with its online table loaded as of July."""
    folder = tmp_path_factory.mktemp("made") / "my_features"
    succeed("init", str(folder))
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        succeed("materialize", "--until", JULY)
    return folder


@pytest.fixture
def project(scaffold: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the project, where the commands run."""
    folder = tmp_path / "my_features"
    shutil.copytree(scaffold, folder)
    monkeypatch.chdir(folder)
    return folder
