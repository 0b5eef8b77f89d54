"""The files of a project: found under its folders, in a fixed order, and read as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path

from asknown.errors import AsknownError, Where


def show_path(path: Path, root: Path) -> str:
    """The path as messages show it: relative to the project if it lies inside."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def is_folder(path: Path) -> bool:
    """Whether ``path`` is a folder; False if the file system does not say."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether ``path`` is a file; False if the file system does not say."""
    try:
        return path.is_file()
    except OSError:
        return False


def find_files(folders: Iterable[Path], root: Path, *suffixes: str) -> list[Path]:
    """The files under ``folders`` with one of the suffixes, each once, sorted. Hidden ones are skipped."""
    found = {path for folder in folders for path in _walk(folder, set()) if path.suffix in suffixes}
    return sorted(found, key=lambda path: show_path(path, root))


def read_bytes(path: Path, shown: str, code: str) -> bytes:
    """The file's bytes. Raises an error with ``code`` and the reason if they cannot be read."""
    try:
        return path.read_bytes()
    except OSError as fault:
        raise AsknownError(code, f"the file cannot be read: {fault.strerror}", at=Where(shown)) from None


def read_text(path: Path, shown: str, code: str = "template") -> str:
    """The file's text with plain line ends and without a byte order mark; it must be UTF-8."""
    content = read_bytes(path, shown, code)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        before = content[: fault.start]
        line = before.count(b"\n") + 1
        start = before.rfind(b"\n") + 1
        end = content.find(b"\n", start)
        whole = content[start : None if end < 0 else end].decode("utf-8", "replace").rstrip("\r")
        column = len(content[start : fault.start].decode("utf-8", "replace")) + 1
        raise AsknownError(
            code,
            "the file is not UTF-8 text",
            at=Where(shown, line, column, whole),
            hint="save it in the encoding UTF-8",
        ) from None
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _walk(folder: Path, entered: set[Path]) -> Iterator[Path]:
    # Links to folders are followed, as dbt follows them, but no folder is entered twice.
    real = folder.resolve()
    if real in entered or not is_folder(folder):
        return
    entered.add(real)
    try:
        inside = sorted(folder.iterdir())
    except OSError as fault:
        message = f"the folder cannot be read: {fault.strerror}"
        raise AsknownError("no-project", message, at=Where(str(folder))) from None
    for path in inside:
        if path.name.startswith("."):
            continue
        if is_folder(path):
            yield from _walk(path, entered)
        elif is_file(path):
            yield path
