"""The files of a project: found under its folders, in a fixed order, and read as text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from asknown.errors import AsknownError, Where
from asknown.project.names import Names
from asknown.project.nodes import MacroFile, ModelFile, Settings

_MODEL_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = "_asknown"


def show_path(path: Path, root: Path) -> str:
    """The path as messages show it: relative to the project where it lies in it."""
    return (path.relative_to(root) if path.is_relative_to(root) else path).as_posix()


def is_folder(path: Path) -> bool:
    """Whether ``path`` is a folder that can be seen."""
    try:
        return path.is_dir()
    except OSError:
        return False


def is_file(path: Path) -> bool:
    """Whether ``path`` is a file that can be seen."""
    try:
        return path.is_file()
    except OSError:
        return False


def find_files(folders: Iterable[Path], root: Path, *suffixes: str) -> list[Path]:
    """The files under ``folders`` with one of the suffixes, each once, sorted. Hidden ones are not seen."""
    found = {path for folder in folders for path in _walk(folder, set()) if path.suffix in suffixes}
    return sorted(found, key=lambda path: show_path(path, root))


def find_models(settings: Settings, names: Names) -> dict[str, ModelFile]:
    """Every model under the model paths, by name. Errors: ``bad-name``, ``duplicate-name``, ``template``."""
    models: dict[str, ModelFile] = {}
    for path in find_files(settings.model_paths, settings.root, ".sql"):
        shown = show_path(path, settings.root)
        name = path.stem
        _check_model_name(name, shown)
        names.give("model", name, Where(shown))
        models[name] = ModelFile(name, path, shown, read_text(path, shown))
    return models


def find_macros(settings: Settings) -> tuple[MacroFile, ...]:
    """The standard library's macro files, then the project's own. A file that is in both is the standard library's."""
    library = standard_macros()
    root = settings.root
    macros: dict[Path, MacroFile] = {}
    for path in find_files([library], library, ".sql"):
        shown = show_path(path, root) if path.is_relative_to(root) else f"asknown/_macros/{show_path(path, library)}"
        macros[path.resolve()] = MacroFile(path, shown, read_text(path, shown), standard=True)
    for path in find_files(settings.macro_paths, root, ".sql"):
        if path.resolve() not in macros:
            shown = show_path(path, root)
            macros[path.resolve()] = MacroFile(path, shown, read_text(path, shown))
    return tuple(macros.values())


def standard_macros() -> Path:
    """The folder of the standard macros: inside the installed package, or beside ``compiler/`` in a checkout."""
    package = Path(__file__).resolve().parents[1]
    for folder in (package / "_macros", package.parents[1] / "macros"):
        if folder.is_dir():
            return folder
    raise FileNotFoundError(f"this installation of asknown lacks its macros: {package / '_macros'}")


def read_bytes(path: Path, shown: str, code: str) -> bytes:
    """The file's bytes, or an error with ``code`` that says why they cannot be read."""
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
    # Links to folders are followed, as dbt does; a folder that has been entered is not entered again.
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


def _check_model_name(name: str, shown: str) -> None:
    if not _MODEL_NAME.fullmatch(name):
        better = re.sub(r"[^A-Za-z0-9_]", "_", name)
        better = better if _MODEL_NAME.fullmatch(better) else f"_{better}"
        raise AsknownError(
            "bad-name",
            f"'{name}' cannot name a model: a model's file is named with letters, digits and '_', no digit first",
            at=Where(shown),
            hint=f"rename the file to {better}.sql",
        )
    if name.casefold().startswith(_RESERVED):
        raise AsknownError(
            "bad-name",
            f"'{name}' cannot name a model: names that start with '{_RESERVED}' are asknown's own",
            at=Where(shown),
            hint="rename the file",
        )
