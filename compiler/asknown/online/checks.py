"""One check of an online table, and what becomes of it where the bytes that it reads are damaged."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from asknown.errors import AsknownError
from asknown.online.faults import CORRUPT_HINT, explain

State = Literal["ok", "note", "act"]
"""As it should be; worth knowing; needs something done."""

FAILURES = (sqlite3.Error, ValueError, LookupError, StopIteration, OverflowError, MemoryError)
"""What reading damaged bytes can end in."""


@dataclass(frozen=True)
class Check:
    """One thing looked at. ``run`` is what to type next, or to do; ``facts`` are the figures in ``found``."""

    check: str
    of: str
    state: State
    found: str
    run: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


def guarded(check: str, of: str, path: Path, look: Callable[[], Check]) -> Check:
    """What ``look`` finds; where it fails on damaged bytes, that."""
    try:
        return look()
    except (*FAILURES, AsknownError) as error:
        return unreadable(check, of, path, error)


def unreadable(check: str, of: str, path: Path, error: BaseException) -> Check:
    meaning = explain(error, path) if isinstance(error, sqlite3.Error) else error
    if isinstance(meaning, AsknownError):
        return Check(check, of, "act", meaning.message, meaning.hint)
    return Check(check, of, "act", f"cannot be read: {error}", CORRUPT_HINT)
