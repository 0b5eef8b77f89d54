"""The project's root: the folder whose pyproject.toml has a ``[tool.asknown]`` table."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from asknown.errors import AsknownError, Where
from asknown.project.files import is_file, is_folder, read_text

FILE = "pyproject.toml"
_AT = re.compile(r" \(at (?:line (\d+), column (\d+)|end of document)\)$")


def find_root(start: str | Path = ".") -> Path:
    """The nearest folder, from ``start`` upwards, whose pyproject.toml has a ``[tool.asknown]`` table.

    Errors: ``no-project``, ``bad-toml``.
    """
    return locate(start)[0]


def locate(start: str | Path) -> tuple[Path, str, Any]:
    """The root, its pyproject.toml's text, and what stands at tool.asknown. Errors: ``no-project``, ``bad-toml``."""
    folder = Path(start)
    if is_file(folder):
        raise AsknownError("no-project", f"'{start}' is a file, not a folder", hint=f"give its folder: {folder.parent}")
    if not is_folder(folder):
        raise AsknownError("no-project", f"there is no folder '{start}'", hint="give a folder of the project")
    folder = folder.resolve()
    broken: AsknownError | None = None
    without: Path | None = None
    for root in (folder, *folder.parents):
        file = root / FILE
        if not is_file(file):
            continue
        shown = FILE if root == folder else str(file)
        text = ""
        try:
            text = read_text(file, shown, "bad-toml")
            tool = _parse(text, shown).get("tool")
        except AsknownError as fault:
            if "asknown" in text:
                raise
            broken = broken or fault  # another project's file: only worth telling when nothing else is found
            continue
        if isinstance(tool, dict) and "asknown" in tool:
            return root, text, tool["asknown"]
        without = without or file
    if broken is not None:
        raise broken
    known = f" ({without} has no [tool.asknown] table)" if without else ""
    raise AsknownError(
        "no-project",
        f"no pyproject.toml with a [tool.asknown] table in {folder} or in any folder above it{known}",
        hint="asknown init my_features",
    )


def _parse(text: str, shown: str) -> dict[str, Any]:
    import tomllib

    try:
        return tomllib.loads(text)
    except ValueError as fault:  # a TOMLDecodeError, or a number too long for Python to read
        message = str(fault)
        found = _AT.search(message)
        lines = text.split("\n")
        line = int(found[1]) if found and found[1] else len(lines)
        column = int(found[2]) if found and found[2] else len(lines[-1]) + 1
        says = _AT.sub("", message)
        at = Where(shown, line, column, lines[line - 1] if line <= len(lines) else "")
        raise AsknownError("bad-toml", f"this is not TOML: {says[:1].lower()}{says[1:]}", at=at) from None
    except RecursionError:
        raise AsknownError("bad-toml", "the file nests too deep", at=Where(shown)) from None
