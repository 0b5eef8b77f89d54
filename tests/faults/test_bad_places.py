"""Places without rights: the old rows are read where they can be, a load is refused in words, nothing tracebacks."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from faults.attempts import try_reading, try_writing, write
from faults.project import GET, MATERIALIZE, asknown, write_project
from faults.workers import Crew, Parent, as_nobody

NOT_ROOT = not hasattr(os, "geteuid") or os.geteuid() != 0


def read_as(_: Parent, *, path: str, nobody: bool) -> str:
    """What reading ends with, by somebody without rights where asked."""
    if nobody:
        as_nobody()
    return try_reading(Path(path))


def write_as(_: Parent, *, path: str, nobody: bool) -> str:
    """What a load ends with."""
    if nobody:
        as_nobody()
    return try_writing(Path(path))


@pytest.fixture
def open_path(good: Path) -> Iterator[Path]:
    """A copy of the sound file in a folder that everybody may enter, unlike pytest's own."""
    folder = Path(tempfile.mkdtemp())
    folder.chmod(0o755)
    yield Path(shutil.copy(good, folder / "online.db"))
    folder.chmod(0o755)
    shutil.rmtree(folder)


def leave_log(path: Path) -> None:
    """Leaves a finished load in its log, as a process does that is killed before it moves the log into the file."""
    copies = path.parent / "copies"
    copies.mkdir()
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM accounts").fetchone()  # who reads the older state keeps the log
        write(path)
        for file in (path, Path(f"{path}-wal")):
            shutil.copy(file, copies)
    for file in copies.iterdir():
        shutil.copy(file, path.parent)
    shutil.rmtree(copies)


def close_folder(path: Path) -> None:
    path.parent.chmod(0o555)


def protect_file(path: Path) -> None:
    path.chmod(0o444)
    path.parent.chmod(0o777)


def close_folder_with_log(path: Path) -> None:
    leave_log(path)
    path.parent.chmod(0o555)


# place: how it is made, what a reader may say, what a writer may say
PLACES: dict[str, tuple[Callable[[Path], None], str, str]] = {
    "a folder that is read-only": (close_folder, "rows", "online-write"),
    "a file that is read-only": (protect_file, "rows", "online-write"),
    "a file that may not be read": (lambda path: path.chmod(0o000), "no-online", "online-write"),
    "a folder that may not be entered": (lambda path: path.parent.chmod(0o000), "no-online", "online-write"),
    "a read-only folder with a log": (close_folder_with_log, "no-online", "online-write"),
}


@pytest.mark.skipif(NOT_ROOT, reason="only root can become somebody else")
@pytest.mark.parametrize("place", PLACES)
def test_a_place_without_rights(open_path: Path, crew: Crew, place: str) -> None:
    spoil, reading, writing = PLACES[place]
    spoil(open_path)
    assert crew.run(read_as, path=str(open_path), nobody=True) == reading
    assert crew.run(write_as, path=str(open_path), nobody=True) == writing


@pytest.mark.skipif(NOT_ROOT, reason="only root can become somebody else")
def test_the_command_line_without_rights(open_path: Path, crew: Crew) -> None:
    folder = open_path.parent
    write_project(folder)
    open_path.unlink()
    assert asknown(crew, folder, *MATERIALIZE).code == 0
    whole = asknown(crew, folder, *GET)
    folder.chmod(0o555)
    assert asknown(crew, folder, *GET, nobody=True) == whole
    refused = asknown(crew, folder, *MATERIALIZE, nobody=True)
    assert (refused.code, "error[online-write]" in refused.err) == (1, True), refused
    assert "Traceback" not in refused.err


@pytest.fixture
def frozen(tmp_path: Path, good: Path) -> Iterator[tuple[Path, Callable[[], None]]]:
    """The sound file on a file system of its own, and what makes that read-only."""
    folder = tmp_path / "disk"
    folder.mkdir()
    if NOT_ROOT or shutil.which("mount") is None:
        pytest.skip("only root can mount a small file system")
    mount = ["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", str(folder)]
    done = subprocess.run(mount, capture_output=True, check=False)
    if done.returncode:
        pytest.skip(f"a small file system cannot be mounted here: {done.stderr.decode().strip()}")

    def freeze() -> None:
        subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)

    yield Path(shutil.copy(good, folder / "online.db")), freeze
    subprocess.run(["umount", "-l", str(folder)], check=True)


def test_a_read_only_file_system(frozen: tuple[Path, Callable[[], None]]) -> None:
    path, freeze = frozen
    freeze()
    assert try_reading(path) == "rows"
    assert try_writing(path) == "online-write"
    assert try_reading(path) == "rows"


def test_a_read_only_file_system_with_a_log(frozen: tuple[Path, Callable[[], None]]) -> None:
    """What the log holds cannot be read there, and without it the rows would be older ones: an error that says so."""
    path, freeze = frozen
    leave_log(path)
    assert Path(f"{path}-wal").stat().st_size
    freeze()
    assert try_reading(path) == "no-online"
    assert try_writing(path) == "online-write"
