"""Opens what a shell has closed (`>&-`), and gives up a stream that can no longer be written."""

from __future__ import annotations

import os
import sys
from contextlib import suppress
from typing import TextIO


def open_closed_streams() -> None:
    """Opens each standard stream that is closed, so that no other file gets its number, to be written over by talk.

    Stdin is empty then, what goes to stderr is lost, and writing to stdout fails as it does for any program.
    """
    if sys.stdin is None:
        sys.stdin = os.fdopen(_take(0, os.O_RDONLY), encoding="utf-8", closefd=False)
    if sys.stdout is None:
        sys.stdout = os.fdopen(_take(1, os.O_RDONLY), "w", encoding="utf-8", closefd=False)  # for reading: writes fail
    if sys.stderr is None:
        sys.stderr = os.fdopen(_take(2, os.O_WRONLY), "w", encoding="utf-8", closefd=False)


def give_up(stream: TextIO) -> None:
    """Sends what is left in the stream's buffer to nowhere. Python would flush at exit, and complain by itself."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _take(number: int, flags: int) -> int:
    opened = os.open(os.devnull, flags)
    if opened != number:
        os.dup2(opened, number)
        os.close(opened)
    return number
