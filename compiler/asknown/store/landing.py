"""Lands pushed rows: the outbox of the online table becomes Parquet files in the source's folder.

A file gets rows in three steps: their range is noted; the file is written under a name that no source reads, made
durable, and renamed; the rows leave the outbox. A process that ends between two of these leaves a noted range, which is
written again under the same name, so no row is missing in the files and none is there twice. Nothing lands while a
load runs: what is in the outbox then, the load cannot have seen.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from asknown.emit.models import source_name
from asknown.errors import AsknownError
from asknown.instants import from_microseconds
from asknown.online.backend import has_unlanded, load_lock, open_for_pushes
from asknown.online.nodes import Owner
from asknown.online.pushes import PushedRow
from asknown.project.nodes import Project, SourceTable
from asknown.store.push_paths import pushable
from asknown.store.pushed_rows import RowEngine, land, row_type

_MOST_ROWS = 100_000  # in one file
_NAME = re.compile(r"push-(\d+)-(\d+)\.parquet")


def land_all(project: Project, *, wait: float, on_wait: Callable[[str], None] | None = None) -> None:
    """Lands all rows that are waiting, so that a query over the sources sees them.

    Waits up to ``wait`` seconds for a load to end. A source that has no file at all gets an empty one.
    """
    tables = pushable(project)
    if not tables:
        return
    make_folders(project)
    path = project.profile.online.address
    if has_unlanded(path, tables):
        with load_lock(path, wait, on_wait):
            land_waiting(project)


@contextmanager
def loading(project: Project, *, wait: float, on_wait: Callable[[str], None] | None) -> Iterator[None]:
    """The time of one load: whatever was pushed before has landed, and nothing lands meanwhile."""
    tables = pushable(project)
    if not tables:
        yield
        return
    make_folders(project)
    path = project.profile.online.address
    with load_lock(path, wait, on_wait):
        if has_unlanded(path, tables):
            land_waiting(project)
        yield


def try_landing(project: Project) -> None:
    """Lands all rows that are waiting, if no load runs."""
    online = project.profile.online
    if has_unlanded(online.address, pushable(project)):
        with load_lock(online.address, 0.0):
            land_waiting(project)


def land_waiting(project: Project) -> None:
    """Lands all rows that are waiting. The caller has the lock of loads."""
    online = project.profile.online
    with (
        closing(RowEngine(project)) as engine,
        closing(open_for_pushes(online.address, Owner(online.project, online.target))) as file,
    ):
        for name, table in pushable(project).items():
            while True:
                with file.transaction() as transaction:
                    noted = transaction.landing(name)
                    rows = transaction.unlanded(name, row_type(table), upto=None if noted is None else noted[1])
                    if noted is None:
                        rows = rows[:_MOST_ROWS]
                        if rows:
                            noted = (rows[0].seq, rows[-1].seq)
                            transaction.begin_landing(name, *noted)
                if noted is None:
                    break
                _write(project, engine, table, rows, noted)
                with file.transaction() as transaction:
                    transaction.end_landing(name, noted[1])


def _write(
    project: Project, engine: RowEngine, table: SourceTable, rows: list[PushedRow], noted: tuple[int, int]
) -> None:
    """Makes the file of a noted range, and makes it durable."""
    folder = folder_of(project, table)
    path = folder / f"push-{noted[0]}-{noted[1]}.parquet"
    beside = folder / f".{path.name}.part"
    try:
        land(engine, table, arrived(table, rows), [row.seq for row in rows], beside)
        _sync(beside)
        beside.replace(path)
        _sync(folder)
    except OSError as error:
        raise AsknownError(
            "push-land",
            f"pushed rows cannot land in {folder}: {error.strerror or error}",
            hint="make the folder writable, and free some space; until then the rows stay in the online table",
        ) from None
    finally:
        beside.unlink(missing_ok=True)


def arrived(table: SourceTable, rows: list[PushedRow]) -> list[Mapping[str, Any]]:
    """Rows of the outbox with their arrivals, as values by column."""
    assert table.push is not None
    return [{**row.values, table.push.known_at: from_microseconds(row.at)} for row in rows]


def make_folders(project: Project) -> None:
    """Writes an empty file for each source that takes pushes and has no file, so that models can read it."""
    for table in pushable(project).values():
        assert table.path is not None
        whole = project.settings.root / table.path
        pattern = str(whole.relative_to(whole.anchor))
        pattern = pattern if "*" in pattern else f"{pattern}/**/*.parquet"
        if next(Path(whole.anchor).glob(pattern), None) is not None:
            continue
        with closing(RowEngine(project)) as engine:
            _write(project, engine, table, [], (0, 0))


def folder_of(project: Project, table: SourceTable) -> Path:
    """The folder where pushed rows of a source land, which is made if it is not there."""
    assert table.push is not None
    folder = project.settings.root / table.push.land
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise AsknownError(
            "push-land",
            f"the folder {folder} of source '{source_name(table)}' cannot be made: {error.strerror or error}",
            at=table.push.at,
        ) from None
    return folder


def has_landed(project: Project, table: SourceTable) -> bool:
    """Whether a file of pushed rows lies in the source's folder."""
    return any(_NAME.fullmatch(file.name) for file in folder_of(project, table).iterdir())


def landed_until(project: Project, table: SourceTable) -> list[int]:
    """The number of the last row of each file of pushed rows in the source's folder, in order."""
    found = (_NAME.fullmatch(file.name) for file in folder_of(project, table).iterdir())
    return sorted(int(name[2]) for name in found if name is not None)


def last_landed(project: Project) -> int:
    """The greatest number in the name of a landed file. Numbers go on from there, also in a new online table."""
    greatest = 0
    for table in pushable(project).values():
        for file in folder_of(project, table).iterdir():
            found = _NAME.fullmatch(file.name)
            greatest = max(greatest, int(found[2]) if found else 0)
    return greatest


def _sync(path: Path) -> None:
    """Waits until a file or a folder is on the disk."""
    if os.name == "nt" and path.is_dir():
        return  # Windows has no such thing for folders
    opened = os.open(path, os.O_RDONLY)
    try:
        os.fsync(opened)
    finally:
        os.close(opened)
