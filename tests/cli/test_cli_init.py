"""`asknown init`: the project it makes goes all the way, and nothing is overwritten."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest
from typed import fail, succeed, write

import forked
from asknown.cli.commands.init import derive_name, read_scaffold


def test_init_prints_the_next_commands_and_nothing_else_on_stdout(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    output = succeed("init", "My Shop")
    steps = output.stdout.splitlines()
    assert steps[0] == "cd 'My Shop'"
    assert all(step.startswith("asknown ") for step in steps[1:])
    readme = (tmp_path / "My Shop" / "README.md").read_text(encoding="utf-8")
    assert all(f"\n{step}\n" in readme for step in steps[1:])
    assert "my_shop" in output.stderr


def test_what_init_makes_goes_all_the_way(tmp_path: Path) -> None:
    """As a newcomer does it: init, then what init says, in a shell."""
    environment = {**os.environ, "PATH": f"{forked.bin_folder()}{os.pathsep}{os.environ['PATH']}", "NO_COLOR": "1"}

    def shell(line: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            line, shell=True, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False
        )

    steps = shell("asknown init my_features").stdout.splitlines()
    assert [shlex.split(step)[:2] for step in steps] == [
        ["cd", "my_features"],
        ["asknown", "ls"],
        ["asknown", "check"],
        ["asknown", "test"],
        ["asknown", "train"],
        ["asknown", "materialize"],
        ["asknown", "get"],
    ]
    done = shell(" && ".join(steps))
    assert done.returncode == 0, done.stderr
    assert "return_risk_v1" in done.stdout
    assert re.search(r"^last_amount +49\.97 +PRESENT +2024-06-11 01:09:00\+00:00$", done.stdout, re.MULTILINE)
    assert "Traceback" not in done.stderr
    assert "leaked" not in done.stderr
    # And without any instant, for now: the orders are old by then.
    done = shell("cd my_features && rm online.db && asknown materialize && asknown get customer_orders customer_id=1")
    assert done.returncode == 0, done.stderr
    assert "OUTSIDE_MAX_AGE" in done.stdout


@pytest.mark.parametrize(
    ("folder", "name"),
    [
        ("my_features", "my_features"),
        ("Fraud Detection-2", "fraud_detection_2"),
        ("2024", "features_2024"),
        ("true", "features_true"),
        ("größe", "größe"),
        ("...", "my_features"),
        ("it's: #1", "it_s_1"),
    ],
)
def test_any_folder_gives_a_name_that_every_file_takes(
    folder: str, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert derive_name(folder) == name
    place = tmp_path / folder if folder != "..." else tmp_path / "..."
    succeed("init", str(place))
    monkeypatch.chdir(place)
    assert "return_risk_v1" in succeed("ls", "services").stdout


def test_init_in_this_folder_keeps_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    notes = write(tmp_path / "notes.txt", "mine")
    steps = succeed("init", ".").stdout
    assert not steps.startswith("cd ")
    assert notes.read_text() == "mine"
    assert (tmp_path / ".gitignore").read_text().startswith("online.db*")


def test_init_never_overwrites(tmp_path: Path) -> None:
    mine = {
        write(tmp_path / "README.md", "mine"),
        write(tmp_path / "pyproject.toml", '[project]\nname = "mine"\n'),
    }
    text = fail("init", str(tmp_path))
    assert re.match(r"error\[output\]: .* would be overwritten: README.md, pyproject.toml", text)
    assert set(tmp_path.iterdir()) == mine
    assert (tmp_path / "README.md").read_text() == "mine"


def test_init_refuses_a_project(project: Path) -> None:
    assert "already has a [tool.asknown] table" in fail("init", ".")


def test_init_refuses_a_place_where_no_folder_can_be(tmp_path: Path) -> None:
    file = write(tmp_path / "file", "")
    assert fail("init", str(file)).startswith(f"error[output]: {file} is a file, not a folder")
    assert fail("init", str(file / "below")).startswith("error[output]: cannot write ")


def test_init_takes_no_options_of_projects() -> None:
    assert "takes the folder as its argument" in fail("--project", "x", "init", "y", code=2)


def test_the_scaffold_names_its_project_once_in_each_file_that_must() -> None:
    texts = read_scaffold("other")
    assert 'name = "other"' in texts["pyproject.toml"]
    assert texts["profiles.yml"].startswith("other:\n")
    assert not any("my_features" in text for text in texts.values())
