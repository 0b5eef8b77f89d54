"""A command in a fork ends and prints as one that is started, so that tests may take it for one."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import forked

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the real commands run")


def both(real: list[str | Path], fork: list[str | Path], **options: Any) -> subprocess.CompletedProcess[str]:
    """What the command gives, which must be the same from a real start and from a fork."""
    started, done = (
        subprocess.run(words, capture_output=True, check=False, **{"text": True, **options}) for words in (real, fork)
    )
    assert (done.returncode, done.stdout) == (started.returncode, started.stdout)
    assert done.stderr.splitlines()[-1:] == started.stderr.splitlines()[-1:]
    return done


def both_run(code: str, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """The same of Python code."""
    return both([sys.executable, "-c", code, *words], [forked.python(), "-c", code, *words], **options)


@pytest.mark.parametrize("words", [["--version"], ["ls", "--help"], ["nosuch"], ["ls"]])
def test_commands(words: list[str], tmp_path: Path) -> None:
    both([forked.REAL / "asknown", *words], [forked.asknown(), *words], cwd=tmp_path)


def test_words_folder_environment_and_streams(tmp_path: Path) -> None:
    code = "import os, sys, time; print(sys.argv, os.getcwd(), os.environ['MINE'], time.tzname, sys.stdin.read())"
    environment = {**os.environ, "MINE": "é", "TZ": "Asia/Kathmandu"}
    done = both_run(code, "a", "b c", cwd=tmp_path, env=environment, input="größe\n")
    assert done.stdout.startswith(f"['-c', 'a', 'b c'] {tmp_path} é") and "größe" in done.stdout


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("import sys; sys.exit(3)", 3),
        ("import sys; sys.exit('no')", 1),
        ("1 / 0", 1),
        ("raise KeyboardInterrupt", -signal.SIGINT),
        ("import os; os.kill(os.getpid(), 9)", -signal.SIGKILL),
        ("import os; os._exit(7)", 7),
        ("import atexit; atexit.register(print, 'at the end'); print('first')", 0),
        ("import threading, time; threading.Thread(target=lambda: (time.sleep(0.05), print('then'))).start()", 0),
    ],
)
def test_ends(code: str, expected: int) -> None:
    assert both_run(code).returncode == expected


@pytest.mark.parametrize("sent", [signal.SIGTERM, signal.SIGINT, signal.SIGKILL])
def test_signals_reach_the_fork(sent: signal.Signals) -> None:
    code = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    with subprocess.Popen(
        [forked.python(), "-c", code], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:
        assert process.stdout is not None
        assert int(process.stdout.readline()) != process.pid
        process.send_signal(sent)
        assert process.stdout.read() == ""  # which says that the fork has ended too
        assert process.wait(30) == -sent


def test_what_python_reads_at_its_start_takes_a_real_start() -> None:
    code = "import sys; print(sys.stdout.encoding)"
    assert both_run(code, env={**os.environ, "PYTHONIOENCODING": "utf-16"}, encoding="utf-16").stdout == "utf-16\n"
