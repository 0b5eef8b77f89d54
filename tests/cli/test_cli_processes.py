"""What needs a real process or terminal: Ctrl-C, full disks, closed pipes, completion, colour, progress."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from typed import ASKNOWN, JULY, asknown

from asknown.cli.table import display_width

PATIENCE = 120  # seconds until a silent process is a failed test


# The command, which makes a file of the name "begun" when it hands the endless query to the engine.
ANNOUNCES = """
from pathlib import Path
from asknown.cli import main
from asknown.engines.duckdb import DuckDB
rows = DuckDB.rows
def announce(engine, sql):
    if "range(100000000000)" in sql:
        Path("begun").touch()
    return rows(engine, sql)
DuckDB.rows = announce
main()
"""


def start(
    *words: str, folder: Path, command: Sequence[str | Path] = (ASKNOWN,), **options: Any
) -> subprocess.Popen[str]:
    """A real process of the command."""
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | options
    return subprocess.Popen([*command, *words], cwd=folder, text=True, **pipes)


def interrupt(process: subprocess.Popen[str]) -> tuple[int, str, str]:
    assert process.poll() is None, "it ended before it could be interrupted"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=PATIENCE)
    return process.returncode, out, err


def test_interrupted_while_waiting_for_input(project: Path) -> None:
    process = start("get", "customer_orders", "--rows", "-", folder=project)
    assert process.stdin is not None
    process.stdin.write(" " * 1_000_000)  # more than a pipe holds: when it is written, the command is reading
    process.stdin.flush()
    code, out, err = interrupt(process)
    assert (code, out, err.strip()) == (130, "", "interrupted")


def test_interrupted_in_the_midst_of_a_query(project: Path) -> None:
    endless = "select i as customer_id, timestamp '2024-01-01' as event_timestamp from range(100000000000) t(i)"
    words = ["train", "customer_orders", "--spine", endless, "-o", "train.parquet"]
    process = start(*words, folder=project, command=(sys.executable, "-c", ANNOUNCES))
    deadline = time.monotonic() + PATIENCE
    while not (project / "begun").exists():
        assert time.monotonic() < deadline, "the query did not begin"
        time.sleep(0.05)
    time.sleep(0.5)  # time to be in its midst, which it stays
    code, out, err = interrupt(process)
    assert (code, out, err.strip()) == (130, "", "interrupted")
    assert not list(project.glob("*train*"))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
@pytest.mark.parametrize("typed", ["ls", "--help", "train --help", "--version"])
def test_a_full_disk_behind_stdout_is_an_error(typed: str, project: Path) -> None:
    with Path("/dev/full").open("w") as full:
        process = start(*typed.split(), folder=project, stdout=full)
        _, err = process.communicate(timeout=PATIENCE)
    assert process.returncode == 1
    assert err == "error[output]: cannot write to stdout: No space left on device\n"


def test_a_closed_pipe_is_no_noise(project: Path) -> None:
    spine = "select i as customer_id, timestamp '2024-01-01' as event_timestamp from range(200000) t(i)"
    process = start("train", "customer_profile", "--spine", spine, "--format", "csv", folder=project)
    assert process.stdout is not None
    assert process.stdout.readline() == "customer_id,event_timestamp,city,plan\n"
    process.stdout.close()
    assert process.stderr is not None
    assert process.stderr.read() == ""
    assert process.wait(timeout=PATIENCE) == 1


def test_python_m_asknown_is_the_same_command(project: Path) -> None:
    done = subprocess.run([sys.executable, "-m", "asknown", "ls", "view"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "usage: asknown ls " in done.stderr


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("asknown ma", {"materialize"}),
        ("asknown train ret", {"return_risk_v1"}),
        ("asknown train customer_", {"customer_orders", "customer_profile"}),
        ("asknown train x --spine o", {"orders_spine"}),
        ("asknown get customer_p", {"customer_profile"}),
        ("asknown show shop", {"shop.orders", "shop.customers"}),
        ("asknown ls vi", {"views"}),
        ("asknown train x --hind", {"--hindsight"}),
    ],
)
def test_the_shell_completes_names(project: Path, typed: str, offered: set[str]) -> None:
    words = {"COMP_WORDS": typed, "COMP_CWORD": str(typed.count(" ")), "_ASKNOWN_COMPLETE": "bash_complete"}
    done = subprocess.run([ASKNOWN], env={**os.environ, **words}, capture_output=True, text=True, check=False)
    assert {line.partition(",")[2] for line in done.stdout.splitlines()} == offered
    assert done.stderr == ""


def test_completing_outside_a_project_offers_nothing_and_says_nothing(tmp_path: Path) -> None:
    words = {"COMP_WORDS": "asknown train x", "COMP_CWORD": "2", "_ASKNOWN_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [ASKNOWN], cwd=tmp_path, env={**os.environ, **words}, capture_output=True, text=True, check=False
    )
    assert (done.stdout.strip(), done.stderr) == ("", "")


@pytest.fixture
def terminal(project: Path) -> Callable[..., str]:
    """Runs a command on a terminal of so many columns, and gives all that it showed."""
    pty = pytest.importorskip("pty")
    fcntl = pytest.importorskip("fcntl")
    termios = pytest.importorskip("termios")

    def run(*words: str, columns: int, **environment: str) -> str:
        ours, theirs = pty.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, columns.to_bytes(4, "little")[:2].join([b"\x28\x00", b"\0\0\0\0"]))
        clean = {name: value for name, value in os.environ.items() if name not in {"NO_COLOR", "COLUMNS", "LINES"}}
        ends: dict[str, Any] = {"stdin": theirs, "stdout": theirs, "stderr": theirs}
        process = subprocess.Popen(
            [ASKNOWN, *words], cwd=project, env={**clean, "TERM": "xterm-256color", **environment}, **ends
        )
        os.close(theirs)
        shown = read_all(ours)
        process.wait(timeout=PATIENCE)
        return shown.decode("utf-8").replace("\r\n", "\n")

    return run


def read_all(descriptor: int) -> bytes:
    shown = b""
    while True:
        try:
            more = os.read(descriptor, 65536)
        except OSError:  # the other end is closed
            more = b""
        if not more:
            os.close(descriptor)
            return shown
        shown += more


def test_a_terminal_gets_colour_and_lines_that_fit(terminal: Callable[..., str]) -> None:
    shown = terminal("ls", columns=60)
    assert shown.startswith("\x1b[1mkind ")
    assert all(display_width(line) <= 60 for line in shown.splitlines()[1:])
    assert "\x1b[31m" in terminal("show", "nothing", columns=60)


def test_a_terminal_obeys_nothing_in_files(terminal: Callable[..., str], project: Path) -> None:
    evil = "\x1b]0;owned\x07"
    (project / "models" / "evil.sql").write_text(
        "{{ config(entity='customer', event_time='ts') }}\n"
        f"select 1 as customer_id,\ttimestamp '2024-01-01' as ts, '{evil}' as x -- {evil}\r\n"
    )
    spine = "select 1 as customer_id, timestamp '2024-01-05' as event_timestamp"
    for words in (
        ("compile", "evil"),
        ("compile", "evil", "--spine", spine),
        ("train", "evil", "--spine", spine, "--format", "csv"),
        ("train", "evil", "--spine", spine, "--format", "json"),
    ):
        shown = terminal(*words, columns=200)
        assert "owned" in shown
        assert "\x1b]" not in shown
        assert "\\r" not in shown
    assert f"-- {evil}" in asknown("compile", "evil").stdout


def test_no_color_is_kept(terminal: Callable[..., str]) -> None:
    assert "\x1b" not in terminal("ls", columns=60, NO_COLOR="1")
    assert "\x1b" not in terminal("show", "nothing", columns=60, NO_COLOR="1")


def test_a_terminal_sees_progress_and_a_pipe_does_not(terminal: Callable[..., str], project: Path) -> None:
    assert "customer_orders" in shown_before_the_table(terminal("materialize", "--until", JULY, columns=100))
    assert "building the training set" in terminal("train", "return_risk_v1", "--spine", "orders_spine", columns=100)
    assert "\x1b" not in asknown("materialize", "--until", JULY).stderr


def shown_before_the_table(text: str) -> str:
    return text.partition("view ")[0]


def test_a_narrow_terminal_turns_a_training_set(terminal: Callable[..., str]) -> None:
    shown = terminal("train", "return_risk_v1", "--spine", "orders_spine", "--limit", "2", columns=60, NO_COLOR="1")
    assert re.search(r"^customer_id +12 +6$", shown, re.MULTILINE)
