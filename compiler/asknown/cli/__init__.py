"""The command line: `asknown`, a group that imports a command when it is typed, and its help, which imports nothing."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Runs the command line of this process, and exits."""
    if sys.argv[1:] == ["--help"] and _columns() >= 80 and _showed_help():
        return
    gc.set_threshold(10_000)  # a command keeps nearly all it makes: looking for garbage took a tenth of its time
    from asknown.cli.group import main as group

    group(prog_name="asknown")


def _showed_help() -> bool:
    """Whether the help could be written; else click tries again, and says why not."""
    from asknown.cli.help_text import TEXT

    try:
        sys.stdout.write(TEXT)
        sys.stdout.flush()
    except (OSError, ValueError):
        return False
    return True


def _columns() -> int:
    """How wide the terminal is, 80 where there is none. (What shutil does, which takes as long as all of this.)"""
    try:
        return int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        pass
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
