"""Inspects an online table: reports what is damaged, stale, missing or old, and what to run.

It changes nothing and disturbs neither readers nor loads: it reads one state of the file.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from datetime import UTC, datetime, timedelta
from functools import partial
from importlib.metadata import PackageNotFoundError, version
from os import W_OK, access
from pathlib import Path

from asknown.errors import AsknownError
from asknown.online.codec import spell_instant
from asknown.online.inspection import Definitions, as_written, check_definitions, check_watermark, judge_expired
from asknown.online.nodes import OnlineOnDemand, Owner, StoredView
from asknown.online.report import Check, Inspection
from asknown.online.sqlite.connect import claimed
from asknown.online.sqlite.content import hash_table
from asknown.online.sqlite.errors import CORRUPT_HINT, absent, check_sqlite, explain, why_not
from asknown.online.sqlite.layout import event_table, pushed_table, tile_table
from asknown.online.sqlite.metadata import read_on_demand, read_services, sort_views
from asknown.online.sqlite.migrations import LAYOUT, altered_tables, find_layout
from asknown.online.sqlite.names import quote
from asknown.online.sqlite.owner import check_owner, foreign, foreign_parts
from asknown.paths import absolute

_FIXED = (3, 51, 3)
_BACKPORTS = {(3, 44): 6, (3, 50): 7}  # release lines that have the fix as well, from this patch on
_MOST_SHOWN = 3
_LAYOUT_OF_PUSHES = 7


def inspect_file(
    path: str | Path,
    definitions: Definitions | AsknownError | None = None,
    *,
    at: datetime | None = None,
    owner: Owner | None = None,
) -> Inspection:
    """Inspects the online table at ``path``. ``definitions``, if given, are the project's current views.

    Where ``owner`` is given, the table must be that of this project and target. Never raises for what is wrong
    with the file: that is a finding.
    """
    path = absolute(path)
    at = datetime.now(UTC) if at is None else at
    checks = [_check_library()]
    try:
        with claimed(path, "sqlite3"), closing(_open(path)) as connection:
            connection.execute("BEGIN")
            checks.extend(_check_file(connection, path, definitions, at, owner))  # up to a failure, if there is one
    except (*FAILURES, OSError, AsknownError) as error:
        checks.append(unreadable("file", path.name, path, error))
    return Inspection(path, at, tuple(checks))


def _open(path: Path) -> sqlite3.Connection:
    check_sqlite(sqlite3.sqlite_version_info)
    if why := why_not(path):
        raise absent(path, why)
    # In a folder that nobody may write to, SQLite cannot make the files by which it would see a writer: there is none.
    log = _size(f"{path}-wal")
    still = not log and not access(path.parent, W_OK) and not Path(f"{path}-shm").exists()
    options = "mode=ro&immutable=1" if still else "mode=ro"
    connection = sqlite3.connect(f"{path.as_uri()}?{options}", uri=True, isolation_level=None)
    connection.execute("PRAGMA query_only = 1")
    connection.execute("PRAGMA cache_size = -65536")
    return connection


def _check_file(
    connection: sqlite3.Connection,
    path: Path,
    definitions: Definitions | AsknownError | None,
    at: datetime,
    owner: Owner | None,
) -> Iterator[Check]:
    if not (layout := find_layout(connection, path)):
        yield Check("file", path.name, "act", "is empty: no load has finished", "asknown materialize")
        return
    if owner is not None:
        try:
            found = check_owner(connection, path, owner)
        except AsknownError as error:
            yield Check("owner", path.name, "act", error.message, error.hint)
            if error.code == "online-owner":
                return  # the rest would compare one target's table with another's project
        else:
            yield _check_stamp(found, path)
    yield _check_layout(layout, path)
    for kind, name in foreign_parts(connection):
        refusal = foreign(path, kind, name)
        yield Check("file", path.name, "act", refusal.message, refusal.hint)
    yield _check_log(path)
    yield guarded("integrity", path.name, path, lambda: _check_integrity(connection, path.name))
    try:
        views, broken = sort_views(connection)
    except (*FAILURES, AsknownError) as error:
        yield unreadable("content", path.name, path, error)
        return
    yield from _check_shared(connection, path, layout)
    yield from _check_metadata(connection, layout, broken)
    for stored in views.values():
        yield from check_view(connection, path, stored, at)
    on_demand: Mapping[str, OnlineOnDemand] = {}
    with suppress(*FAILURES, AsknownError):  # a damaged one was found above
        on_demand = read_on_demand(connection, path)
    yield from check_definitions(views, broken, on_demand, definitions)


def _check_metadata(connection: sqlite3.Connection, layout: int, broken: Mapping[str, str]) -> Iterator[Check]:
    for name in altered_tables(connection, layout):
        yield Check("content", name, "act", "its definition is not what was written", CORRUPT_HINT)
    for name, why in broken.items():
        run = f"asknown materialize {name} --full-refresh"
        yield Check("content", name, "act", f"what the file says of the view {why}", run)


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


def _check_stamp(found: Owner | None, path: Path) -> Check:
    if found is None:
        unstamped = "has no stamp yet: the next load adds the project and the target"
        return Check("owner", path.name, "note", unstamped, "asknown materialize")
    facts = {"project": found.project, "target": found.target}
    return Check("owner", path.name, "ok", str(found), facts=facts)


def _check_layout(layout: int, path: Path) -> Check:
    facts = {"layout": layout, "bytes": _size(path)}
    found = f"layout {layout}, {_size(path):,} bytes"
    if layout < LAYOUT:
        found += f"; this version's layout is {LAYOUT}; the next load converts the file"
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
    if any(_is_imagined(connection, fault) for fault in faults):
        every = connection.execute("PRAGMA integrity_check(10000000)")
        faults = [str(row[0]) for row in every if not _is_imagined(connection, str(row[0]))] or ["ok"]
    if faults == ["ok"]:
        return Check("integrity", name, "ok", "SQLite finds its structure intact")
    more = f" (and {len(faults) - _MOST_SHOWN} more)" if len(faults) > _MOST_SHOWN else ""
    lines = "; ".join(" ".join(fault.split()) for fault in faults[:_MOST_SHOWN])
    return Check("integrity", name, "act", f"it is damaged: {lines}{more}", CORRUPT_HINT, {"faults": len(faults)})


def _is_imagined(connection: sqlite3.Connection, fault: str) -> bool:
    """Whether a fault is one that SQLite up to 3.40 sees in sound tables: a NULL in the last column that is no key."""
    table, _, column = fault.removeprefix("NULL value in ").rpartition(".")
    if not fault.startswith("NULL value in ") or not table:
        return False
    sql = f"SELECT NOT EXISTS (SELECT 1 FROM {quote(table)} WHERE {quote(column)} IS NULL)"
    return bool(connection.execute(sql).fetchone()[0])


def _check_services(connection: sqlite3.Connection, path: Path) -> Check:
    services = read_services(connection, path)
    read_on_demand(connection, path)
    return Check("content", "feature services", "ok", f"{len(services)}, as written")


def _check_shared(connection: sqlite3.Connection, path: Path, layout: int) -> Iterator[Check]:
    """Checks what belongs to no view: the services, and pushed rows, where any came."""
    yield guarded("content", "feature services", path, partial(_check_services, connection, path))
    if layout >= _LAYOUT_OF_PUSHES and _has_pushes(connection):
        yield guarded("pushes", path.name, path, partial(_check_outbox, connection, path.name))


def _has_pushes(connection: sqlite3.Connection) -> bool:
    """Whether a row was ever pushed, or the file does not tell."""
    with suppress(*FAILURES):
        return connection.execute("SELECT 1 FROM _asknown_commit").fetchone() is not None
    return True


def _check_outbox(connection: sqlite3.Connection, name: str) -> Check:
    """Checks the rows that were pushed and have not landed: they are in no other place than this file."""
    rows, last = connection.execute("SELECT count(*), max(seq) FROM _asknown_outbox").fetchone()
    (given,) = connection.execute("SELECT ifnull(max(seq), 0) FROM _asknown_commit").fetchone()
    facts = {"waiting": rows, "last": given}
    if last is not None and last > given:
        found = f"a pushed row has the number {last:,}, and the last that was given is {given:,}: the file is damaged"
        return Check("pushes", name, "act", found, CORRUPT_HINT, facts)
    if not rows:
        return Check("pushes", name, "ok", "no pushed row waits to land", facts=facts)
    found = f"{rows:,} pushed rows wait to land in their source's folder: the next load or training query lands them"
    return Check("pushes", name, "note", found, facts=facts)


def _size(path: str | Path) -> int:
    try:
        return Path(path).stat().st_size
    except OSError:
        return 0


def check_view(connection: sqlite3.Connection, path: Path, stored: StoredView, at: datetime) -> Iterator[Check]:
    """Check the content of a view's tables and its age."""
    name = stored.view.name
    problems = [check for check in _check_content(connection, path, stored) if check.state == "act"]
    yield from problems or [as_written(stored)]
    yield check_watermark(stored, at)
    if stored.view.ttl is not None:
        yield guarded("expired", name, path, partial(_check_expired, connection, stored, stored.view.ttl, at))


def _check_content(connection: sqlite3.Connection, path: Path, stored: StoredView) -> Iterator[Check]:
    """A check for each table of the view."""
    view, hashes = stored.view, stored.hashes
    tables = [(view.name, hashes.rows)]
    if view.windows is not None:
        tables += [(event_table(view).name, hashes.events), (tile_table(view).name, hashes.tiles)]
        if stored.pushes is not None:
            tables.append((pushed_table(view).name, hashes.pushed))
    if stored.ahead is not None:
        tables.append((f"{view.name}.ahead", hashes.ahead))

    def look(name: str, written: str | None) -> Check:
        found = hash_table(connection, name)  # even where there is nothing to compare it with: can it be read?
        return _compare(name, view.name, None if written is None else found == written)

    for name, written in tables:
        yield guarded("content", name, path, partial(look, name, written))


def _compare(table: str, view: str, same: bool | None) -> Check:
    load = f"asknown materialize {view}"
    if same is None:
        return Check("content", table, "act", "has no hash yet: no load has come since an older version wrote it", load)
    if same:
        return Check("content", table, "ok", "holds the rows that were written")
    found = "the table does not hold the rows that were written: it is damaged, or was changed by hand"
    return Check("content", table, "act", found, f"{load} --full-refresh")


def _check_expired(connection: sqlite3.Connection, stored: StoredView, ttl: int, at: datetime) -> Check:
    view = stored.view
    time = quote(view.event_time)
    if view.type_of(view.event_time).kind == "date":
        time += " || ' 00:00:00.000000'"
    try:
        oldest = spell_instant(at - timedelta(microseconds=ttl))
    except OverflowError:
        oldest = ""  # before all time
    query = f"SELECT count(*), ifnull(sum({time} < ?), 0) FROM {quote(view.name)}"
    rows, expired = connection.execute(query, (oldest,)).fetchone()
    return judge_expired(stored, ttl, at, rows, expired)


FAILURES = (sqlite3.Error, ValueError, LookupError, StopIteration, OverflowError, MemoryError)
"""The exceptions that reading damaged bytes can raise."""


def guarded(check: str, of: str, path: Path, look: Callable[[], Check]) -> Check:
    """Return the check that ``look`` makes, or an "unreadable" check if damaged bytes make it fail."""
    try:
        return look()
    except (*FAILURES, AsknownError) as error:
        return unreadable(check, of, path, error)


def unreadable(check: str, of: str, path: Path, error: BaseException) -> Check:
    meaning = explain(error, path) if isinstance(error, sqlite3.Error) else error
    if isinstance(meaning, AsknownError):
        return Check(check, of, "act", meaning.message, meaning.hint)
    return Check(check, of, "act", f"cannot be read: {error}", CORRUPT_HINT)
