"""Looks an online table over: what is damaged, stale, missing or old in it, and what to run about it.

Nothing is changed, and nobody is disturbed: all is read from one state of the file, beside readers and loads.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from os import W_OK, access
from pathlib import Path

from asknown.errors import AsknownError
from asknown.online.checks import FAILURES, Check, guarded, unreadable
from asknown.online.faults import CORRUPT_HINT, check_sqlite
from asknown.online.metadata import find_layout, read_services, sort_views
from asknown.online.migrations import LAYOUT
from asknown.online.sqlite import claimed
from asknown.online.view_checks import Definitions, check_definitions, check_view

_FIXED = (3, 51, 3)
_BACKPORTS = {(3, 44): 6, (3, 50): 7}  # release lines that have the fix as well, from this patch on
_MOST_SHOWN = 3


@dataclass(frozen=True)
class Inspection:
    """All that was looked at in the online table at ``path``, at the instant ``at`` (UTC)."""

    path: Path
    at: datetime
    checks: tuple[Check, ...]

    @property
    def findings(self) -> tuple[Check, ...]:
        """What needs something done."""
        return tuple(check for check in self.checks if check.state == "act")

    @property
    def healthy(self) -> bool:
        """Whether nothing needs to be done."""
        return not self.findings


def inspect_file(
    path: str | Path, definitions: Definitions | AsknownError | None = None, *, at: datetime | None = None
) -> Inspection:
    """Looks the online table at ``path`` over; ``definitions``, where given, are what the project has by now.

    Never raises for what is wrong with the file: that is a finding.
    """
    path = Path(path).absolute()
    at = datetime.now(UTC) if at is None else at
    checks = [_check_library()]
    try:
        with claimed(path, "sqlite3"), closing(_open(path)) as connection:
            connection.execute("BEGIN")
            checks.extend(_check_file(connection, path, definitions, at))  # up to a failure, if there is one
    except (*FAILURES, OSError, AsknownError) as error:
        checks.append(unreadable("file", path.name, path, error))
    return Inspection(path, at, tuple(checks))


def _open(path: Path) -> sqlite3.Connection:
    check_sqlite(sqlite3.sqlite_version_info)
    if not path.is_file():
        raise AsknownError("no-online", f"the online table {path} does not exist", hint="load it: asknown materialize")
    # In a folder that nobody may write to, SQLite cannot make the files by which it would see a writer: there is none.
    log = _size(f"{path}-wal")
    still = not log and not access(path.parent, W_OK) and not Path(f"{path}-shm").exists()
    options = "mode=ro&immutable=1" if still else "mode=ro"
    connection = sqlite3.connect(f"{path.as_uri()}?{options}", uri=True, isolation_level=None)
    connection.execute("PRAGMA query_only = 1")
    connection.execute("PRAGMA cache_size = -65536")
    return connection


def _check_file(
    connection: sqlite3.Connection, path: Path, definitions: Definitions | AsknownError | None, at: datetime
) -> Iterator[Check]:
    if not (layout := find_layout(connection, path)):
        yield Check("file", path.name, "act", "is empty: no load has finished", "asknown materialize")
        return
    yield _check_layout(layout, path)
    yield _check_log(path)
    yield guarded("integrity", path.name, path, lambda: _check_integrity(connection, path.name))
    try:
        views, broken = sort_views(connection)
    except (*FAILURES, AsknownError) as error:
        yield unreadable("content", path.name, path, error)
        return
    yield guarded("content", "feature services", path, partial(_check_services, connection, path))
    for name, why in broken.items():
        run = f"asknown materialize {name} --full-refresh"
        yield Check("content", name, "act", f"what the file says of the view {why}", run)
    for stored in views.values():
        yield from check_view(connection, path, stored, at)
    yield from check_definitions(views, broken, definitions)


# ---------------------------------------------------------------- the file


def _check_library() -> Check:
    apsw = None
    with suppress(PackageNotFoundError):
        apsw = version("apsw")  # its first three parts are those of the SQLite in it
    facts = {"sqlite": sqlite3.sqlite_version, "apsw": apsw}
    said = f"SQLite {sqlite3.sqlite_version}{'' if apsw is None else f', apsw {apsw}'}"
    major, minor, patch = sqlite3.sqlite_version_info[:3]
    if (major, minor, patch) >= _FIXED or patch >= _BACKPORTS.get((major, minor), patch + 1):
        return Check("sqlite", "version", "ok", said, facts=facts)
    return Check(
        "sqlite",
        "version",
        "note",
        f"{said}: has the WAL-reset bug; one writer under a lock, and readers that never checkpoint, do not meet it",
        facts=facts,
    )


def _check_layout(layout: int, path: Path) -> Check:
    facts = {"layout": layout, "bytes": _size(path)}
    found = f"layout {layout}, {_size(path):,} bytes"
    if layout < LAYOUT:
        found += f"; this version's layout is {LAYOUT}, and a load brings the file to it"
        return Check("file", path.name, "act", found, "asknown materialize", facts)
    return Check("file", path.name, "ok", found, facts=facts)


def _check_log(path: Path) -> Check:
    size = _size(f"{path}-wal")
    if not size:
        return Check("log", f"{path.name}-wal", "ok", "is empty", facts={"bytes": 0})
    found = f"{size:,} bytes: a load runs, was killed, or could not fold them in because of readers; the next load does"
    return Check("log", f"{path.name}-wal", "note", found, facts={"bytes": size})


def _check_integrity(connection: sqlite3.Connection, name: str) -> Check:
    faults = [str(row[0]) for row in connection.execute("PRAGMA integrity_check(100)")]
    if faults == ["ok"]:
        return Check("integrity", name, "ok", "SQLite finds no fault in its structure")
    more = f" (and {len(faults) - _MOST_SHOWN} more)" if len(faults) > _MOST_SHOWN else ""
    lines = "; ".join(" ".join(fault.split()) for fault in faults[:_MOST_SHOWN])
    return Check("integrity", name, "act", f"it is damaged: {lines}{more}", CORRUPT_HINT, {"faults": len(faults)})


def _check_services(connection: sqlite3.Connection, path: Path) -> Check:
    services = read_services(connection, path)
    return Check("content", "feature services", "ok", f"{len(services)}, as they were written")


def _size(path: str | Path) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0
