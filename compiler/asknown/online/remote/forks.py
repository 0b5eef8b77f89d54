"""Locks that a forked process can take, though the thread that held one when it was forked does not live in it."""

from __future__ import annotations

import os
import threading
from weakref import WeakSet


class ForkedLock:
    """A lock for a ``with`` statement, which is free in every forked process."""

    def __init__(self) -> None:
        self.renew()
        _LOCKS.add(self)

    def renew(self) -> None:
        """Makes the lock a free one."""
        self._lock = threading.Lock()

    def __enter__(self) -> None:
        self._lock.acquire()

    def __exit__(self, *_: object) -> None:
        self._lock.release()


_LOCKS: WeakSet[ForkedLock] = WeakSet()


def _renew_all() -> None:
    for lock in list(_LOCKS):
        lock.renew()


if hasattr(os, "register_at_fork"):  # Windows has no forks
    os.register_at_fork(after_in_child=_renew_all)
