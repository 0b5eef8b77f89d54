"""Closed streams, a deleted folder, names that are too long: one clear error, and the right exit code for a shell."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typed import ASKNOWN, JULY, Output, asknown, fail, succeed

pytestmark = pytest.mark.skipif(os.name != "posix", reason="a POSIX shell")
LONG = "x" * 300
DEEP = "d/" * 3000
GET = f"get customer_orders customer_id=1 --at {JULY}"
DELETED = 'mkdir gone; cd gone; rmdir "$PWD"; '


def shell(line: str, folder: Path) -> tuple[int, str, str]:
    """What a shell sees of a line, in which ``asknown`` is the command: exit code, stdout, stderr."""
    line = line.replace("asknown", str(ASKNOWN), 1)
    done = subprocess.run(["/bin/sh", "-c", line], cwd=folder, capture_output=True, text=True, check=False)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def typed(line: str) -> Output:
    """What a line prints that needs no shell."""
    return asknown(*shlex.split(line))


@pytest.mark.parametrize(
    "words", ["ls", "ls --format json", GET, "compile customer_orders", "doctor", "--help", "get --help", "--version"]
)
def test_a_closed_stdout_is_an_error(project: Path, words: str) -> None:
    code, _, said = shell(f"asknown {words} >&-", project)
    assert (code, said.splitlines()[0]) == (1, "error[output]: cannot write to stdout: it is closed")


def test_a_closed_stdout_is_none_where_nothing_is_written_to_it(project: Path) -> None:
    code, _, said = shell("asknown train return_risk_v1 --spine orders_spine -o t.parquet >&-", project)
    assert (code, (project / "t.parquet").exists()) == (0, True), said


@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full"])
@pytest.mark.parametrize(
    ("words", "expected"), [("ls", 0), (GET, 0), ("materialize", 0), ("show no", 1), ("nosuch", 2)]
)
def test_a_lost_stderr_changes_no_exit_code(project: Path, words: str, expected: int, stderr: str) -> None:
    if "full" in stderr and not Path("/dev/full").exists():
        pytest.skip("no /dev/full here")
    code, out, _ = shell(f"asknown {words} {stderr}", project)
    assert (code, out != "") == (expected, expected == 0)


def test_no_file_takes_the_number_of_a_closed_stream(project: Path) -> None:
    assert shell("asknown materialize >&- 2>&- <&-", project)[0] == 1
    assert shell("asknown doctor", project)[0] == 0


def test_a_closed_stdin_is_empty(project: Path) -> None:
    code, out, _ = shell("asknown get customer_orders --rows - --format csv <&-", project)
    assert (code, out) == (0, "last_amount,last_items,last_returned\n")


@pytest.mark.parametrize("words", ["ls", "init new", GET, f"{GET} --project ..", "train a --spine b -o x.csv"])
def test_a_deleted_folder(project: Path, words: str) -> None:
    code, out, said = shell(f"{DELETED} asknown {words}", project)
    assert (code, out) == (1, "")
    assert said == "error[bad-value]: the current folder has been deleted\n  hint: go to a folder that exists: cd ~\n"


def test_a_deleted_folder_does_not_matter_where_all_paths_are_absolute(project: Path) -> None:
    for words in ("ls", GET, "materialize"):
        assert shell(f"{DELETED} asknown {words} --project {project}", project)[0] == 0
    assert shell(f"{DELETED} asknown --version", project)[0] == 0


def test_a_deleted_folder_from_the_library(tmp_path: Path) -> None:
    folder = tmp_path / "gone"
    folder.mkdir()
    for call in ("FeatureStore()", "OnlineReader('a.db')"):
        code = (
            f"import os, asknown\nos.makedirs({str(folder)!r}, exist_ok=True); os.chdir({str(folder)!r})\n"
            f"os.rmdir({str(folder)!r})\ntry:\n    asknown.{call}\nexcept asknown.AsknownError as error:\n"
            "    print(error.message)\n"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        assert done.stdout == "the current folder has been deleted\n", done.stderr


@pytest.mark.parametrize("name", [LONG, DEEP], ids=["long", "deep"])
@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("ls --project {}", "no-project"),
        ("init {}", "output"),
        ("train return_risk_v1 --spine {}.csv", "spine"),
        ("train return_risk_v1 --spine orders_spine -o {}.csv", "output"),
        ("compile customer_orders -o {}.sql", "output"),
        ("get customer_orders --rows {}.csv", "bad-value"),
    ],
)
def test_a_name_that_is_too_long(project: Path, words: str, code: str, name: str) -> None:
    assert fail(*shlex.split(words.format(name))).startswith(f"error[{code}]: ")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        (f"{LONG}.db", "cannot be opened: file name too long"),
        ("README.md/o.db", "cannot be opened: not a directory"),
        ("models", "is a folder"),
    ],
)
def test_an_online_path_that_cannot_be_a_file(project: Path, path: str, why: str) -> None:
    profile = f"{project.name}:\n  outputs:\n    dev: {{type: duckdb}}\n  online: {{path: {path}}}\n"
    (project / "profiles.yml").write_text(profile)
    for words in (GET, "doctor --format csv"):
        done = typed(words)
        assert done.code == 1
        assert f"the online table {project}/{path} {why}" in done.stdout + done.stderr
        assert "name another path under 'online' in profiles.yml" in done.stdout + done.stderr
    said = fail("materialize")
    assert ("error[online-write]" in said, "name another path" in said) == (True, True)


@pytest.mark.parametrize("table", ["_asknown_views SET columns", "_asknown_services SET parts"])
def test_damaged_json_in_the_metadata(project: Path, table: str) -> None:
    change = f"sqlite3 online.db \"UPDATE {table} = '[{{', hash = NULL\""
    subprocess.run(["/bin/sh", "-c", change], cwd=project, check=True)
    said = fail(*shlex.split(GET))
    assert f"error[online-corrupt]: the online file {project}/online.db is damaged: what it says of the" in said
    assert "is not the JSON that was written: " in said
    assert "asknown materialize" in said
    assert typed("doctor").code == 1
    succeed("materialize", "--full-refresh", "--until", JULY)
    succeed(*shlex.split(GET))
