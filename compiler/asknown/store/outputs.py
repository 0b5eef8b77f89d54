"""Checks an output path before a query runs: it must be writable, and not a file that the project reads."""

from __future__ import annotations

import fnmatch
import glob
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from asknown.errors import AsknownError
from asknown.paths import absolute
from asknown.project.nodes import Project
from asknown.project.options import ClickHouseOptions, DuckDBOptions
from asknown.store.inspected import InspectedFiles


@dataclass(frozen=True)
class InputFiles:
    """The files that a query may read: sources, the spine, the online table, the target's database."""

    project: Project
    spine: Any = None
    inspected: InspectedFiles = field(default_factory=InspectedFiles)

    def check_output(self, path: Path) -> None:
        """Raises ``output`` if ``path`` is one of these files, would become one, or cannot be written."""
        output = absolute(path)
        _try_to_write(path, output)
        for what, pattern in self._patterns():
            if _is_read(output, pattern):
                raise AsknownError(
                    "output",
                    f"{path} is read as {what}: the result would overwrite it or be read with it",
                    hint="choose another name, in a folder that no source reads",
                )

    def _patterns(self) -> Iterator[tuple[str, str]]:
        """The name of each input, with its absolute path or glob."""
        root = self.project.settings.root
        for source in self.project.sources.values():
            if source.path is not None and "://" not in source.path:
                yield f"the source '{source.source}.{source.name}'", str(root / source.path)
        if isinstance(self.spine, Path) or (isinstance(self.spine, str) and not re.search(r"[\s\0]", self.spine)):
            for folder in (absolute(""), root):
                yield "the spine", str(folder / self.spine)
        address = self.project.profile.online.address
        if isinstance(address, Path):
            yield "the online table", str(address)
        options = self.project.profile.target.options
        if isinstance(options, DuckDBOptions | ClickHouseOptions) and options.path is not None:
            yield "the target's database", str(root / options.path)


def _is_read(output: Path, pattern: str) -> bool:
    """Whether the pattern (a file, folder or glob) matches the file ``output``, which may not exist yet."""
    parts = Path(pattern).parts
    fixed = next((place for place, part in enumerate(parts) if glob.has_magic(part)), len(parts))
    here = output.parent.resolve() / output.name
    base = Path(*parts[:fixed]).resolve()
    found = [base] if fixed == len(parts) else base.glob("/".join(parts[fixed:]))
    if output.exists() and any(file.exists() and output.samefile(file) for file in found):
        return True
    if not here.is_relative_to(base):
        return False
    return fixed == len(parts) or _matches(here.relative_to(base).parts, parts[fixed:])


def _matches(names: Sequence[str], pattern: Sequence[str]) -> bool:
    """Whether a path's parts match a glob's, in which ``**`` stands for any folders."""
    if not pattern:
        return not names
    if pattern[0] == "**":
        return _matches(names, pattern[1:]) or (bool(names) and _matches(names[1:], pattern))
    return bool(names) and fnmatch.fnmatchcase(names[0], pattern[0]) and _matches(names[1:], pattern[1:])


def _try_to_write(path: Path, output: Path) -> None:
    try:
        if output.is_dir():
            raise AsknownError("output", f"{path} is a folder", hint="name a file in it")
        if not output.parent.is_dir():
            if output.parent.exists():
                raise AsknownError("output", f"{path.parent} is a file, not a folder", hint="name another folder")
            raise AsknownError("output", f"the folder {path.parent} does not exist", hint=f"mkdir -p {path.parent}")
        if output.exists() and not output.is_file():
            return  # a device or a pipe is written to, not replaced
        beside = output.with_name(f".{output.name}.part")
        beside.touch()
        beside.unlink()
    except OSError as error:
        raise AsknownError("output", f"cannot write {path}: {(error.strerror or str(error)).lower()}") from None
