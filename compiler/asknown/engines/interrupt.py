"""Runs an engine's calls on a thread of their own, so that Ctrl-C finds the caller waiting and ends the query."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_STEP = 0.5  # seconds of one wait; between two, an interrupt is seen on every platform
_AGAIN = 0.1  # seconds between two tries to cancel
_FOREVER = float("inf")
_Result = TypeVar("_Result")


class Worker:
    """A thread called ``name`` that runs calls one at a time, for an engine that hears no signals.

    After an interrupt, a call has ``patience`` seconds to end.
    """

    def __init__(self, name: str, *, patience: float = _FOREVER) -> None:
        self._pool = ThreadPoolExecutor(1, thread_name_prefix=name)
        self._thread: int | None = None
        self._patience = patience

    def run(self, work: Callable[[], _Result], cancel: Callable[[], object]) -> _Result:
        """Returns the result of ``work``, or raises its error.

        On an interrupt, calls ``cancel`` again and again until the work has ended, then raises the interrupt. (A query
        that has not begun yet forgets a cancellation, and a statement of many jobs may be between two of them.)
        """
        if threading.get_ident() == self._thread:  # a call within a call
            return work()
        running = self._pool.submit(self._note_thread, work)
        try:
            while not running.done():
                with contextlib.suppress(TimeoutError):
                    running.exception(_STEP)
        except BaseException:
            self._stop(running, cancel)
            raise
        return running.result()

    def _note_thread(self, work: Callable[[], _Result]) -> _Result:
        self._thread = threading.get_ident()
        return work()

    def _stop(self, running: Future[_Result], cancel: Callable[[], object]) -> None:
        until = time.monotonic() + self._patience
        running.cancel()
        while not running.done() and time.monotonic() < until:
            with contextlib.suppress(Exception):
                cancel()
            with contextlib.suppress(BaseException):  # its outcome, or one more interrupt
                running.exception(_AGAIN)

    def close(self) -> None:
        """Ends the thread, once its call has ended; an impatient worker's call is left alone."""
        self._pool.shutdown(wait=self._patience == _FOREVER, cancel_futures=True)
