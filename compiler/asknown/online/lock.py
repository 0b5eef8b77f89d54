"""One writer at a time: a lock of the operating system on a file beside the online table.

It vanishes with its process, however that ends, so a killed load blocks nobody.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from asknown.errors import AsknownError
from asknown.online.faults import explain_os

_PAUSE = 0.05  # seconds between attempts


def acquire(path: Path, timeout: float) -> int:
    """The open descriptor that holds the writer's lock for the table at ``path``; hand it to :func:`release`."""
    try:
        held = os.open(f"{path}.lock", os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise explain_os(error, path) from error
    deadline = time.monotonic() + timeout
    while not _try_lock(held):
        if time.monotonic() >= deadline:
            os.close(held)
            raise AsknownError(
                "online-write",
                f"another load is writing {path}",
                hint="wait until it has finished and run it again",
            )
        time.sleep(_PAUSE)
    return held


def release(held: int) -> None:
    """Lets the next writer in. The lock's file stays: removing it would let two writers lock two files."""
    os.close(held)


if sys.platform == "win32":
    import msvcrt

    def _try_lock(held: int) -> bool:
        try:
            msvcrt.locking(held, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(held: int) -> bool:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True
