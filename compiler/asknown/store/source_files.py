"""Looks at the files of sources, and tells which of them are new since an earlier look.

A file is what it was if its size, time of change and inode are, and the hash of its end, where Parquet has its footer.
Of a file up to 1 MiB all is hashed, and this alone decides. Where anything else is possible, the file counts as
changed: an edit of a few bytes may leave a footer as it was.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from hashlib import blake2b

_WHOLE = 1 << 20
_END = 1 << 16
_GRAIN = 0.02  # seconds within which a file may change twice and show one time of change

Seen = Mapping[str, tuple[str, str | None]]
"""By the name of a file: the hash of its end or of all of it, and its identity. None is like no other identity."""


@dataclass(frozen=True)
class Changes:
    """How files differ from an earlier look: the names of those that are new, changed and gone, in order."""

    new: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()
    gone: tuple[str, ...] = ()


def look_at(names: Iterable[str]) -> Seen:
    """The files as they are now. Waits until a change from now on would show, for two hundredths of a second at most.

    Raises OSError if one cannot be read.
    """
    names = list(names)
    newest = max((max(stat.st_mtime, stat.st_ctime) for stat in map(os.stat, names)), default=0.0)
    time.sleep(max(0.0, min(_GRAIN, newest + _GRAIN - time.time())))
    return {name: _look(name) for name in names}


def _look(name: str) -> tuple[str, str | None]:
    with open(name, "rb") as file:  # noqa: PTH123 - there may be thousands, and a Path costs as much again
        stat = os.fstat(file.fileno())
        whole = stat.st_size <= _WHOLE
        file.seek(0 if whole else stat.st_size - _END)
        hashed = blake2b(file.read(), digest_size=16).hexdigest()
    settled = max(stat.st_mtime, stat.st_ctime) + _GRAIN <= time.time()
    identity = f"{stat.st_size} {stat.st_mtime_ns} {stat.st_ctime_ns} {stat.st_dev} {stat.st_ino}"
    return hashed if whole else f"end {hashed}", identity if settled else None


def compare(before: Seen, now: Seen) -> Changes:
    """The fate of the files of an earlier look."""
    return Changes(
        tuple(name for name in now if name not in before),
        tuple(name for name in now if name in before and not _is_same(before[name], now[name])),
        tuple(name for name in before if name not in now),
    )


def are_as_seen(seen: Seen) -> bool:
    """Whether the files surely are what they were at the look, so that a query in between has read just that."""
    try:
        return all(facts[1] is not None and _look(name) == facts for name, facts in seen.items())
    except OSError:
        return False


def _is_same(before: tuple[str, str | None], now: tuple[str, str | None]) -> bool:
    if before[0] != now[0]:
        return False
    return not now[0].startswith("end ") or (now[1] is not None and before[1] == now[1])
