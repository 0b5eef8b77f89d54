"""Lets one writer in at a time, with an operating-system lock on a file beside the online table.

The lock ends with its process, however that ends, so a killed load blocks no other. The file names the holder, for
messages only.
"""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

from asknown.durations import spell
from asknown.errors import AsknownError

_PAUSE = 0.005  # seconds between attempts
_HOLDER = re.compile(rb"process (\d{1,10}), since (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC\n")


def acquire(path: Path, timeout: float, on_wait: Callable[[str], None] | None = None, *, suffix: str = "lock") -> int:
    """The open descriptor that holds the writer's lock for the table at ``path``; hand it to :func:`release`.

    With the ``suffix`` "load.lock" it is the lock of a whole load of a table that takes pushes.

    Waits up to ``timeout`` seconds for another writer; ``on_wait`` is told for whom and how long, once.
    """
    held = _open(path, suffix)
    try:
        _wait(held, path, timeout, on_wait)
        _say_who(held)
    except BaseException:
        os.close(held)
        raise
    return held


def _open(path: Path, suffix: str) -> int:
    # A link is not followed: the file that it leads to would be emptied.
    try:
        return os.open(f"{path}.{suffix}", os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0), 0o644)
    except OSError as error:
        raise AsknownError(
            "online-write",
            f"the lock file {path}.{suffix}, which keeps loads apart, cannot be opened: "
            f"{(error.strerror or str(error)).lower()}",
            hint="check that its folder exists and may be written, that nothing else has this name, "
            "or name another path under 'online' in profiles.yml",
        ) from error


class KeptLock:
    """The writer's lock, which one thread takes and lets go many times, as a context manager."""

    def __init__(self, path: Path, timeout: float) -> None:
        self._path = path
        self._timeout = timeout
        self._held: int | None = _open(path, "lock")

    def __enter__(self) -> None:
        assert self._held is not None
        if not _try_lock(self._held):
            _wait(self._held, self._path, self._timeout, None)

    def __exit__(self, *_: object) -> None:
        if self._held is not None:
            _unlock(self._held)

    def close(self) -> None:
        """Closes the lock's file."""
        if self._held is not None:
            os.close(self._held)
            self._held = None


def release(held: int) -> None:
    """Releases the lock. Its file stays, because removing it could let two writers lock two different files."""
    with suppress(OSError):
        os.ftruncate(held, 0)
    os.close(held)


def _wait(held: int, path: Path, timeout: float, on_wait: Callable[[str], None] | None) -> None:
    deadline = time.monotonic() + timeout
    waiting = False
    while not _try_lock(held):
        left = deadline - time.monotonic()
        if left <= 0:
            longer = f", and has not finished within {_seconds(timeout)}" if timeout else ""
            raise AsknownError(
                "online-write",
                f"another load is writing {path}{_holder(held)}{longer}",
                hint="run it again when that has finished, or wait longer: asknown materialize --wait '10 minutes'",
            )
        if on_wait is not None and not waiting:
            on_wait(f"another load is writing {path}{_holder(held)}; waiting for it, {_seconds(timeout)} at most")
        waiting = True
        time.sleep(min(_PAUSE, left))


def _seconds(timeout: float) -> str:
    return spell(round(timeout * 1_000_000))


def _say_who(held: int) -> None:
    """Writes the holder into the lock's file. A full disk is ignored."""
    since = datetime.now(UTC).strftime("%Y-%m-%d %H:%M:%S")
    with suppress(OSError):
        os.ftruncate(held, 0)
        os.lseek(held, 0, os.SEEK_SET)
        os.write(held, f"process {os.getpid()}, since {since} UTC\n".encode())


def _holder(held: int) -> str:
    """Who holds the lock, in brackets; nothing where the file does not say, or is just being written."""
    with suppress(OSError):
        os.lseek(held, 0, os.SEEK_SET)
        said = _HOLDER.fullmatch(os.read(held, 200))
        if said is not None:
            return f" (process {said[1].decode()}, since {said[2].decode()} UTC)"
    return ""


if sys.platform == "win32":
    import msvcrt

    _FAR = 2**30  # Windows lets nobody read locked bytes, so a byte after the text is locked

    def _try_lock(held: int) -> bool:
        try:
            os.lseek(held, _FAR, os.SEEK_SET)
            msvcrt.locking(held, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

    def _unlock(held: int) -> None:
        os.lseek(held, _FAR, os.SEEK_SET)
        msvcrt.locking(held, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def _try_lock(held: int) -> bool:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def _unlock(held: int) -> None:
        fcntl.flock(held, fcntl.LOCK_UN)
