"""Remembers how files are read, and notices when they change: their columns would then be read in other types."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from asknown.errors import AsknownError
from asknown.project.nodes import FileRead

Reading = tuple[str, FileRead | None]
"""The path that files are read from, and how."""

_GRAIN = 100_000_000  # nanoseconds within which a file may change twice and show one time of change


@dataclass(frozen=True)
class Seen:
    """Some files as they were: name, size, time of change and inode of each, and when somebody looked."""

    files: tuple[tuple[str, int, int, int], ...]
    at: int

    def is_same(self, now: Seen) -> bool:
        """Whether the files surely are what they were."""
        newest = max((changed for _, _, changed, _ in self.files), default=0)
        return self.files == now.files and self.at - newest > _GRAIN


@dataclass
class _Inspected:
    path: str
    inspect: Callable[[], Reading]
    reading: Reading
    seen: Seen | None


class InspectedFiles:
    """How each of some files is read: inspected once, and again where it has changed."""

    def __init__(self) -> None:
        self._known: dict[str, _Inspected] = {}

    def read(self, path: str, name: str, inspect: Callable[[], Reading], *, again: bool = False) -> Reading:
        """How the files at ``path`` are read, found out once, or ``again``. ``name`` is that of who reads them."""
        if again or name not in self._known:
            seen = look(path)
            self._known[name] = _Inspected(path, inspect, inspect(), seen)
        return self._known[name].reading

    def are_unchanged(self) -> bool:
        """Whether all files are as they were inspected. What was not inspected does not count."""
        return all(self._is_unchanged(known) for known in self._known.values())

    def check(self) -> None:
        """Raises ``file-value`` if files have changed so that they would be read in another way than before."""
        for known in self._known.values():
            if self._is_unchanged(known):
                continue
            seen = look(known.path)
            if known.inspect() != known.reading:
                raise AsknownError(
                    "file-value",
                    f"{known.path} has changed since the training set was asked for, and its columns have "
                    "other names or types",
                    hint="call get_historical_features() again",
                )
            known.seen = seen

    def _is_unchanged(self, known: _Inspected) -> bool:
        return known.seen is None or known.seen.is_same(look(known.path) or known.seen)


def look(path: str) -> Seen | None:
    """The files that a path or glob names, as they are now; None for an address, which is not on this machine."""
    if "://" in path:
        return None
    names = sorted(glob.glob(path, recursive=True)) if glob.has_magic(path) else [path]  # noqa: PTH207 - absolute
    if Path(path).is_dir():
        names = sorted(str(file) for file in Path(path).rglob("*"))
    found = []
    for name in names:
        try:
            stat = os.stat(name)  # noqa: PTH116 - a Path costs three times as much
        except OSError:
            continue
        found.append((name, stat.st_size, stat.st_mtime_ns, stat.st_ino))
    return Seen(tuple(found), time.time_ns())
