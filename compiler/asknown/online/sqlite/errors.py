"""A table that gives each SQLite error a code, a sentence for the user and a remedy."""

from __future__ import annotations

import sqlite3
from json import JSONDecodeError
from pathlib import Path
from stat import S_ISDIR

from asknown.errors import AsknownError
from asknown.online.nodes import Owner

CORRUPT_HINT = "move the file away and run: asknown materialize --full-refresh"

# By SQLite's primary result code: asknown's code, what is wrong, what to do.
_MEANINGS: dict[int, tuple[str, str, str]] = {
    sqlite3.SQLITE_FULL: (
        "online-write",
        "the disk is full",
        "free some space and run it again; the rows of the last finished load are still there",
    ),
    sqlite3.SQLITE_BUSY: (
        "online-write",
        "another program holds a lock on the file",
        "wait until it is done, or close it, and run it again",
    ),
    sqlite3.SQLITE_LOCKED: (
        "online-write",
        "another part of this program is using the table",
        "finish reading before writing",
    ),
    sqlite3.SQLITE_READONLY: (
        "online-write",
        "the file or its folder is read-only",
        "give write permission, or name another path under 'online' in profiles.yml",
    ),
    sqlite3.SQLITE_CANTOPEN: (
        "online-write",
        "the file cannot be opened",
        "check that the folder exists and may be written, or name another path under 'online' in profiles.yml",
    ),
    sqlite3.SQLITE_PERM: ("online-write", "permission is denied", "check the permissions of the file and its folder"),
    sqlite3.SQLITE_AUTH: ("online-write", "permission is denied", "check the permissions of the file and its folder"),
    sqlite3.SQLITE_IOERR: (
        "online-write",
        "the disk failed, or is full",
        "check the disk and its free space, and run it again",
    ),
    sqlite3.SQLITE_NOTADB: ("online-corrupt", "it is not an SQLite database", CORRUPT_HINT),
    sqlite3.SQLITE_CORRUPT: ("online-corrupt", "it is damaged", CORRUPT_HINT),
}


def explain(error: sqlite3.Error, path: Path) -> AsknownError | None:
    """The user's error for an SQLite error on the online file; None for a bug of our own."""
    code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_OK) & 0xFF
    text = str(error)
    if text.startswith(("no such table", "no such column", "Could not decode")) or "has no column named" in text:
        code = sqlite3.SQLITE_CORRUPT
    if code not in _MEANINGS:
        return None
    name, meaning, hint = _MEANINGS[code]
    return AsknownError(name, f"the online file {path}: {meaning} ({text})", hint=hint)


def explain_os(error: OSError, path: Path) -> AsknownError:
    """The user's error for a refusal of the operating system to write beside the online file."""
    return AsknownError(
        "online-write",
        f"the online file {path} cannot be written: {(error.strerror or str(error)).lower()}",
        hint="check that the folder exists, may be written and has space, "
        "or name another path under 'online' in profiles.yml",
    )


ANOTHER_PATH = "name another path under 'online' in profiles.yml"


def why_not(path: Path) -> str | None:
    """Why there is no file at ``path`` to read; None if there is one."""
    try:
        return "is a folder" if S_ISDIR(path.stat().st_mode) else None
    except FileNotFoundError:
        return "does not exist"
    except OSError as error:
        return f"cannot be opened: {(error.strerror or str(error)).lower()}"


def absent(path: Path, why: str) -> AsknownError:
    """The error for an online table that is not there, or not a file that can be opened."""
    fits = why.startswith(("does not exist", "is empty"))
    hint = "load it: asknown materialize" if fits else f"{ANOTHER_PATH}, or check the permissions of its folder"
    return AsknownError("no-online", f"the online table {path} {why}", hint=hint)


def refuse_folder(path: Path) -> None:
    """Raises ``online-write`` if a folder lies where a load is to write a file."""
    if why_not(path) == "is a folder":
        raise AsknownError("online-write", f"the online table {path} is a folder", hint=ANOTHER_PATH)


def unreadable_row(error: Exception) -> str:
    """The reason why a row of the metadata cannot be read, in words that follow its name."""
    if isinstance(error, JSONDecodeError):
        return f"is not the JSON that was written: {error}"
    return f"cannot be read: {error!r}"


def check_sqlite(version: tuple[int, ...]) -> None:
    """Refuses an SQLite that is too old for STRICT tables and would call the file malformed."""
    if version < (3, 37):
        found = ".".join(map(str, version))
        raise AsknownError(
            "online-write",
            f"this Python comes with SQLite {found}, and the online table needs 3.37 or newer",
            hint="use a newer Python, or a newer SQLite under this one",
        )


def damaged(path: Path, why: str, hint: str = CORRUPT_HINT) -> AsknownError:
    """The error for a file that SQLite finds intact, but in which we find damage."""
    return AsknownError("online-corrupt", f"the online file {path} is damaged: {why}", hint=hint)


def not_ours(path: Path) -> AsknownError:
    """The error for an SQLite file with tables of another program."""
    return AsknownError(
        "online-corrupt",
        f"{path} is an SQLite database, but not an online table of asknown",
        hint="name another path under 'online' in profiles.yml; this file was not touched",
    )


def other_owner(path: Path, found: Owner, asked: Owner) -> AsknownError:
    """The error for a file that another target or project has loaded."""
    if found.project == asked.project:
        hint = (
            f"give '{asked.target}' a file of its own: under 'online' in profiles.yml "
            f"path: {path.stem}_{{{{ target.name }}}}{path.suffix}, or an 'online' in the output itself"
        )
    else:
        hint = (
            "name another path under 'online' in profiles.yml; if the project was renamed, "
            "move the file away and run: asknown materialize"
        )
    return AsknownError("online-owner", f"the online table {path} belongs to {found}, and this is {asked}", hint=hint)


def other_layout(path: Path, found: int, known: int) -> AsknownError:
    """The error for a file whose layout this version cannot use."""
    whose = "a newer" if found > known else "an older"
    return AsknownError(
        "online-layout",
        f"{path} was written by {whose} version of asknown (layout {found}; this version has layout {known})",
        hint="install the asknown that wrote it, or move the file away and run: asknown materialize --full-refresh",
    )
