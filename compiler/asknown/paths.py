"""Checks paths and counts that a caller gives, and makes paths absolute."""

from __future__ import annotations

import os
from operator import index
from pathlib import Path
from typing import SupportsIndex

from asknown.errors import AsknownError


def absolute(path: str | Path) -> Path:
    """The path from the root of the file system. Raises ``bad-value`` if the current folder is gone."""
    try:
        return Path(path).absolute()
    except FileNotFoundError:
        raise no_folder() from None


def is_there(path: Path) -> bool:
    """Whether something is at a path. A path that no file can have, because it is too long, has nothing."""
    try:
        return path.exists()
    except OSError:
        return False


def check_path(value: object, parameter: str) -> str:
    """The path that ``value`` is. Raises ``bad-value``, which names the ``parameter``, if it is none."""
    if not isinstance(value, str | os.PathLike):
        raise AsknownError("bad-value", f"{parameter}: {value!r} is not a path", hint=f"give {parameter}='name'")
    path = os.fsdecode(value)
    if "\0" in path:
        raise AsknownError("bad-value", f"{parameter}: {path!r} is not a path", hint="take the NUL out")
    return path


def check_count(value: object, parameter: str) -> int:
    """The number of rows that ``value`` is. Raises ``bad-value``, which names the ``parameter``, if it is none."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex) or (count := index(value)) < 0:
        raise AsknownError("bad-value", f"{parameter}: {value!r} is not a number of rows", hint=f"give {parameter}=10")
    return count


def no_folder() -> AsknownError:
    """The error for a current folder that has been deleted."""
    return AsknownError("bad-value", "the current folder has been deleted", hint="go to a folder that exists: cd ~")
