"""The wheel, as PyPI would give it: built from its own sdist, installed alone in a new environment, and used."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "compiler" / "asknown"


def run(*command: str | Path, folder: Path, path: Path | None = None) -> str:
    """What a command prints on stdout, run in ``folder`` as somebody would who never saw the repository.

    ``path`` stands first on the PATH.
    """
    environment = {name: value for name, value in os.environ.items() if name not in {"PYTHONPATH", "VIRTUAL_ENV"}}
    if path is not None:
        environment["PATH"] = f"{path}{os.pathsep}{environment['PATH']}"
    done = subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL
    )
    shown = " ".join(str(word) for word in command)
    assert done.returncode == 0, f"$ {shown}\n{done.stdout}\n{done.stderr}"
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", folder, ROOT, folder=folder)
    return folder


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (path,) = dist.glob("*.whl")
    return path


@pytest.fixture(scope="module")
def names(wheel: Path) -> set[str]:
    with zipfile.ZipFile(wheel) as opened:
        return set(opened.namelist())


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of a new environment that holds the wheel and what it depends on, and nothing else.

    What it depends on has the versions that these tests run with.
    """
    folder = tmp_path_factory.mktemp("elsewhere")
    venv, here = folder / "venv", folder / "here.txt"
    present = {found.name: found.version for found in distributions() if found.name != "asknown"}
    here.write_text("".join(f"{name}=={version}\n" for name, version in present.items()), encoding="utf-8")
    uv = shutil.which("uv")
    if uv:
        run(uv, "venv", "--python", sys.executable, venv, folder=folder)
        run(uv, "pip", "install", "--python", venv / "bin" / "python", "-c", here, wheel, folder=folder)
    else:
        run(sys.executable, "-m", "venv", venv, folder=folder)
        run(venv / "bin" / "python", "-m", "pip", "install", "--quiet", "-c", here, wheel, folder=folder)
    return venv / "bin"


def test_the_wheel_holds_the_package_its_macros_and_nothing_else(names: set[str]) -> None:
    expected = {f"asknown/{path}" for path in files_below(PACKAGE)}
    expected |= {f"asknown/_macros/{path}" for path in files_below(ROOT / "macros")}
    assert {name for name in names if ".dist-info/" not in name} == expected
    assert {"asknown/py.typed", "asknown/_macros/windows.sql"} <= expected


def test_the_wheel_carries_its_licence(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as opened:
        (licence,) = (name for name in opened.namelist() if re.search(r"\.dist-info/(licenses/)?LICENSE$", name))
        assert opened.read(licence) == (ROOT / "LICENSE").read_bytes()


def test_the_sdist_holds_no_data_and_no_tests(dist: Path) -> None:
    (path,) = dist.glob("*.tar.gz")
    with tarfile.open(path) as opened:
        top = {name.split("/")[1] for name in opened.getnames() if "/" in name}
    assert {"compiler", "macros", "LICENSE", "README.md", "pyproject.toml"} <= top
    assert top & {"data", "tests", "bench", "models"} == set()


def test_the_installed_package_is_the_wheels(installed: Path, tmp_path: Path) -> None:
    ask = "import asknown, importlib.util; print(asknown.__file__, importlib.util.find_spec('pandas'), sep='\\n')"
    where, pandas = run("python", "-c", ask, folder=tmp_path, path=installed).splitlines()
    assert Path(where).is_relative_to(installed.parent)
    assert pandas == "None"


def test_a_new_project_goes_all_the_way(installed: Path, tmp_path: Path) -> None:
    """Types what `asknown init` says comes next, as it stands."""
    enter, *steps = run("asknown", "init", "my_features", folder=tmp_path, path=installed).splitlines()
    assert enter == "cd my_features"
    project = tmp_path / "my_features"
    readme = (project / "README.md").read_text(encoding="utf-8")
    printed = {}
    for step in steps:
        assert step in readme
        printed[step.split()[1]] = run("sh", "-c", step, folder=project, path=installed)
    assert [step for step in printed if step in {"train", "materialize", "get"}] == ["train", "materialize", "get"]
    assert "PRESENT" in printed["get"]


def files_below(folder: Path) -> set[str]:
    """The files in a folder that are somebody's work, relative to it."""
    paths = (path.relative_to(folder) for path in folder.rglob("*") if path.is_file())
    return {str(path) for path in paths if not re.search(r"(^|/)(__pycache__|\.\w+_cache)/", str(path))}
