"""Waits of tests for what comes soon, and on a slow machine later."""

from __future__ import annotations

import time
from collections.abc import Callable

PATIENCE = 60.0  # seconds


def wait_until(is_true: Callable[[], bool], seconds: float = PATIENCE) -> None:
    """Returns as soon as ``is_true()`` is; fails after the seconds."""
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)
