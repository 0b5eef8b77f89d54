"""Lets threads share an object and take turns, and a forked process start anew."""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable
from functools import wraps
from typing import Any, Protocol, TypeVar, cast

_Method = TypeVar("_Method", bound=Callable[..., Any])


class Shared(Protocol):
    """An object whose methods run in turn. ``_abandon`` gives what belongs to the process before a fork."""

    _turns: Turns

    def _abandon(self) -> tuple[object, ...]: ...


class Turns:
    """The lock of an object, and the process that it belongs to."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.process = os.getpid()

    def settle(self, abandon: Callable[[], tuple[object, ...]]) -> None:
        """In a forked process, calls ``abandon``, keeps what it gives from being closed, and takes a new lock."""
        if os.getpid() == self.process:
            return
        # The sessions' threads did not come along: to close a session, even at exit, would wait for them or crash.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(abandon()))
        self.lock, self.process = threading.RLock(), os.getpid()


def in_turn(method: _Method) -> _Method:
    """Wraps a method so that one thread runs it at a time, and a forked process first opens its own resources."""

    @wraps(method)
    def guarded(self: Shared, *args: Any, **named: Any) -> Any:
        self._turns.settle(self._abandon)
        with self._turns.lock:
            return method(self, *args, **named)

    return cast(_Method, guarded)
