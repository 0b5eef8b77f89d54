"""The command line `asknown`: a group that imports a command when it is used, and a help that imports nothing."""

from __future__ import annotations

import gc
import os
import sys


def main() -> None:
    """Runs the command line of this process, and exits."""
    if None in (sys.stdin, sys.stdout, sys.stderr):
        from asknown.cli.streams import open_closed_streams

        open_closed_streams()
    if sys.argv[1:] == ["--help"] and _columns() >= 80 and _showed_help():
        return
    gc.set_threshold(10_000)  # a command frees almost nothing, and garbage collection took a tenth of its time
    from asknown.cli.group import main as group

    group(prog_name="asknown")


def _showed_help() -> bool:
    """Writes the help; False if that fails, so that click tries again and reports why."""
    from asknown.cli.help_text import TEXT

    try:
        sys.stdout.write(TEXT)
        sys.stdout.flush()
    except (OSError, ValueError):
        return False
    return True


def _columns() -> int:
    """The width of the terminal; 80 if there is none. (To import shutil for this would double the time.)"""
    try:
        return int(os.environ["COLUMNS"])
    except (KeyError, ValueError):
        pass
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or 80
    except (OSError, ValueError):
        return 80
