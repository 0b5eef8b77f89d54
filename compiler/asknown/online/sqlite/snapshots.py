"""Publishes a snapshot of the online table to a folder or an object store, and follows what is published there.

A snapshot is a copy of the file, not in WAL mode, packed by zstd under the name of its hash. The manifest is written
last, so it never names what is not there whole. A follower checks hash, size and layout, then renames the copy over
its replica, which readers notice by themselves. A copy is not in WAL mode, because SQLite would read the log of the
file that it replaces.
"""

from __future__ import annotations

import hashlib
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from asknown.errors import AsknownError
from asknown.online.nodes import Owner
from asknown.online.snapshots import Followed, Manifest, PublishedView, parse_manifest
from asknown.online.sqlite.connect import claimed, connect
from asknown.online.sqlite.errors import absent, explain, why_not
from asknown.online.sqlite.metadata import read_views
from asknown.online.sqlite.migrations import LAYOUT, find_layout
from asknown.online.sqlite.owner import check_owner, read_owner
from asknown.paths import absolute

MANIFEST = "manifest.json"
KEPT = 3
"""Packed files that stay in a place: who has just read the manifest before must still find its file."""
_CHUNK = 1 << 20


def publish(path: Path, place: str, owner: Owner | None) -> Manifest:
    """Publishes the table at ``path``, of ``owner`` where one is given. Errors: ``snapshot``, and those of a reader."""
    if why := why_not(path):
        raise absent(path, why)
    where = Place(place)
    with tempfile.TemporaryDirectory(prefix="asknown-") as scratch:
        copy = Path(scratch) / "online.db"
        try:
            with claimed(path, "sqlite3"), closing(connect(str(path), "sqlite3")) as source:
                layout = find_layout(source, path)
                if not layout:
                    raise absent(path, "is empty: no load has finished")
                if owner is not None:
                    check_owner(source, path, owner)
                with closing(sqlite3.connect(copy, isolation_level=None)) as target:
                    source.backup(target)
                    target.execute("PRAGMA journal_mode = DELETE")
            manifest = _describe(copy, layout)
        except sqlite3.Error as error:
            raise explain(error, path) or error from error
        _refuse_other(where, manifest)
        if not where.has(manifest.file):
            where.pack(copy, manifest.file)
    where.write(MANIFEST, manifest.to_json())
    where.remove_old(manifest.file)
    return manifest


def _describe(copy: Path, layout: int) -> Manifest:
    with closing(connect(str(copy), "sqlite3")) as connection:
        stamp = read_owner(connection, copy)
        views = {
            name: PublishedView(stored.load_id, stored.watermark.isoformat())
            for name, stored in read_views(connection, copy).items()
        }
    sha256 = hash_file(copy)
    return Manifest(
        file=f"online-{sha256}.db.zst",
        sha256=sha256,
        size=copy.stat().st_size,
        layout=layout,
        project=None if stamp is None else stamp.project,
        target=None if stamp is None else stamp.target,
        seq=0,
        views=views,
        published_at=datetime.now(UTC).isoformat(),
    )


def _refuse_other(where: Place, manifest: Manifest) -> None:
    """Refuses to publish over the snapshots of another project or target."""
    before = where.read(MANIFEST)
    if before is None:
        return
    there = parse_manifest(before, where.name)
    if (there.project, there.target) != (manifest.project, manifest.target):
        raise AsknownError(
            "snapshot",
            f"{where.name} has snapshots of {_whose(there)}, and this table is that of {_whose(manifest)}",
            hint="publish each target to a place of its own",
        )


def _whose(manifest: Manifest) -> str:
    if manifest.project is None or manifest.target is None:
        return "no target"
    return str(Owner(manifest.project, manifest.target))


def follow(place: str, replica: Path, *, known: str | None, allow_older: bool = False) -> Followed:
    """Looks at a place once, and makes the replica what is published there.

    ``known`` is the hash of the replica, where the caller knows it. Errors: ``snapshot``, after which the replica is as
    it was.
    """
    where = Place(place)
    text = where.read(MANIFEST)
    if text is None:
        raise AsknownError("snapshot", f"nothing has been published to {where.name} yet", hint="asknown publish PLACE")
    manifest = parse_manifest(text, where.name)
    if known is None and replica.exists():
        known = hash_file(replica)
    if manifest.sha256 == known:
        return Followed("unchanged", manifest)
    if manifest.layout > LAYOUT:
        raise AsknownError(
            "snapshot",
            f"{where.name} has layout {manifest.layout}, and this version of asknown reads layouts up to {LAYOUT}",
            hint="pip install --upgrade asknown",
        )
    _refuse_change(replica, manifest, where.name, allow_older=allow_older)
    _replace(where, manifest, replica)
    return Followed("replaced", manifest)


def _refuse_change(replica: Path, manifest: Manifest, place: str, *, allow_older: bool) -> None:
    """Refuses a replica of another target, one that somebody writes to, and a snapshot that is older than it."""
    log = Path(f"{replica}-wal")
    if log.exists() and log.stat().st_size:
        raise AsknownError(
            "snapshot",
            f"{replica} has a log beside it, so a load writes to it: it is no replica",
            hint="name another file for the replica",
        )
    if not replica.exists():
        return
    try:
        with claimed(replica, "sqlite3"), closing(connect(str(replica), "sqlite3")) as connection:
            find_layout(connection, replica)
            stamp = read_owner(connection, replica)
            views = read_views(connection, replica)
    except (sqlite3.Error, AsknownError):
        return  # a replica that cannot be read is better replaced
    published = (manifest.project, manifest.target)
    if stamp is not None and (stamp.project, stamp.target) != published:
        raise AsknownError(
            "snapshot",
            f"{place} has snapshots of {_whose(manifest)}, and {replica} is that of {stamp}",
            hint="name another file for the replica",
        )
    for name, view in manifest.views.items():
        if name in views and datetime.fromisoformat(view.watermark) < views[name].watermark and not allow_older:
            raise AsknownError(
                "snapshot",
                f"the snapshot in {place} is older than {replica}: '{name}' is loaded up to {view.watermark} there, "
                f"and up to {views[name].watermark.isoformat()} here",
                hint="publish a newer one, or go back with --allow-older",
            )


def _replace(where: Place, manifest: Manifest, replica: Path) -> None:
    """Fetches the snapshot beside the replica, checks it, and renames it over the replica."""
    handle, name = tempfile.mkstemp(prefix=f".{replica.name}.", suffix=".part", dir=replica.parent)
    part = Path(name)
    try:
        with os.fdopen(handle, "wb") as file:
            sha256, size = where.unpack(manifest.file, file.write)
            file.flush()
            os.fsync(file.fileno())
        if (sha256, size) != (manifest.sha256, manifest.size):
            raise AsknownError(
                "snapshot",
                f"{manifest.file} in {where.name} is damaged: it holds {size:,} bytes with the hash {sha256[:12]}…, "
                f"and {manifest.size:,} with {manifest.sha256[:12]}… were published",
                hint="the replica is as it was; publish again",
            )
        with closing(connect(str(part), "sqlite3", still=True)) as connection:
            find_layout(connection, part)
            read_views(connection, part)
        part.chmod(0o644)
        part.replace(replica)
        _sync_folder(replica.parent)
    except BaseException:
        with suppress(OSError):
            part.unlink()
        raise


def _sync_folder(folder: Path) -> None:
    with suppress(OSError):  # Windows has no such thing
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def hash_file(path: Path) -> str:
    """The SHA-256 of a file, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class Place:
    """A folder, or an address of an object store that pyarrow knows: s3://…, gs://…."""

    def __init__(self, name: str) -> None:
        from pyarrow import fs

        self.name = name
        self._is_local = "://" not in name
        with _explained(name):
            if self._is_local:
                self._store: Any = fs.LocalFileSystem()
                self._folder = str(absolute(name))
            else:
                self._store, self._folder = fs.FileSystem.from_uri(name)

    def _path(self, file: str) -> str:
        return str(PurePosixPath(self._folder) / file)

    def has(self, file: str) -> bool:
        """Whether the file is there."""
        from pyarrow import fs

        with _explained(self.name):
            return bool(self._store.get_file_info(self._path(file)).type == fs.FileType.File)

    def read(self, file: str) -> bytes | None:
        """The bytes of a file; None where there is no such file."""
        try:
            with _explained(self.name), self._store.open_input_stream(self._path(file), compression=None) as stream:
                return bytes(stream.read())
        except FileNotFoundError:
            return None

    def write(self, file: str, text: bytes) -> None:
        """Writes a file, which is there whole or not at all."""
        self._put(file, lambda stream: stream.write(text))

    def pack(self, source: Path, file: str) -> None:
        """Writes the file ``source``, packed."""
        import pyarrow as pa

        def copy(stream: Any) -> None:
            with source.open("rb") as plain, pa.CompressedOutputStream(stream, "zstd") as packed:
                while part := plain.read(_CHUNK):
                    packed.write(part)

        self._put(file, copy)

    def unpack(self, file: str, write: Callable[[bytes], object]) -> tuple[str, int]:
        """Writes what is packed in a file, and gives its hash and size."""
        import pyarrow as pa

        found, size = hashlib.sha256(), 0
        try:
            with (
                _explained(self.name),
                self._store.open_input_stream(self._path(file), compression=None) as stream,
                pa.CompressedInputStream(stream, "zstd") as plain,
            ):
                while part := plain.read(_CHUNK):
                    found.update(part)
                    size += len(part)
                    write(part)
        except FileNotFoundError:
            raise AsknownError("snapshot", f"{self.name} lacks {file}", hint="it is tried again") from None
        return found.hexdigest(), size

    def remove_old(self, current: str) -> None:
        """Removes all packed files but the newest few."""
        from pyarrow import fs

        with _explained(self.name):
            infos = self._store.get_file_info(fs.FileSelector(self._folder))
            packed = [i for i in infos if i.base_name.startswith("online-") and i.base_name.endswith(".db.zst")]
            packed.sort(key=lambda info: (info.base_name == current, info.mtime_ns or 0), reverse=True)
            for info in packed[KEPT:]:
                with suppress(FileNotFoundError):
                    self._store.delete_file(info.path)

    def _put(self, file: str, fill: Callable[[Any], object]) -> None:
        with _explained(self.name):
            if not self._is_local:  # an object appears when it is whole
                with self._store.open_output_stream(self._path(file), compression=None) as stream:
                    fill(stream)
                return
            Path(self._folder).mkdir(parents=True, exist_ok=True)
            part = Path(self._path(f".{file}.{os.getpid()}.part"))
            try:
                with self._store.open_output_stream(str(part), compression=None) as stream:
                    fill(stream)
                with part.open("rb") as written:
                    os.fsync(written.fileno())
                part.replace(self._path(file))
                _sync_folder(Path(self._folder))
            finally:
                part.unlink(missing_ok=True)


@contextmanager
def _explained(place: str) -> Iterator[None]:
    """Turns errors of the store, but for a missing file, into ``snapshot`` errors that name the place."""
    try:
        yield
    except FileNotFoundError:
        raise
    except (OSError, ValueError) as error:
        why = " ".join(str(getattr(error, "strerror", None) or error).split())
        raise AsknownError(
            "snapshot", f"{place}: {why[:300].rstrip('.')}", hint="name a folder, or an address such as s3://…"
        ) from None
