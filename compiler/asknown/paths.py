"""Makes paths absolute, also where the current folder has been deleted under the program."""

from __future__ import annotations

from pathlib import Path

from asknown.errors import AsknownError


def absolute(path: str | Path) -> Path:
    """The path from the root of the file system. Raises ``bad-value`` if the current folder is gone."""
    try:
        return Path(path).absolute()
    except FileNotFoundError:
        raise no_folder() from None


def no_folder() -> AsknownError:
    """The error for a current folder that has been deleted."""
    return AsknownError("bad-value", "the current folder has been deleted", hint="go to a folder that exists: cd ~")
