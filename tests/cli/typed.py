"""Runs commands as they are typed, and gives what they print."""

from __future__ import annotations

import csv
import io
import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from asknown.cli.group import main

ASKNOWN = Path(sys.executable).with_name("asknown")
JULY = "2024-07-01"


@dataclass(frozen=True)
class Output:
    """What a command printed, and its exit code."""

    stdout: str
    stderr: str
    code: int

    def objects(self) -> list[dict[str, Any]]:
        """Stdout as the JSON document that it is."""
        return json.loads(self.stdout)

    def records(self) -> list[dict[str, str]]:
        """Stdout as the CSV that it is."""
        return list(csv.DictReader(io.StringIO(self.stdout)))


def asknown(*words: str, stdin: str | None = None) -> Output:
    """Runs a command in this process. What it does not catch itself is a bug, and fails the test as it is."""
    result = CliRunner().invoke(main, list(words), prog_name="asknown", input=stdin)
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        raise result.exception
    return Output(result.stdout, result.stderr, result.exit_code)


def succeed(*words: str, stdin: str | None = None) -> Output:
    """Runs a command that must succeed."""
    output = asknown(*words, stdin=stdin)
    assert output.code == 0, output.stderr
    return output


def fail(*words: str, code: int = 1, stdin: str | None = None) -> str:
    """Runs a command that must fail without a word on stdout, and gives what it says on stderr."""
    output = asknown(*words, stdin=stdin)
    assert (output.code, output.stdout) == (code, "")
    return output.stderr


def write(path: Path, text: str) -> Path:
    """Writes a file, and its folder where there is none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
