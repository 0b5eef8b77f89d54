"""Writes text to stdout or to a file. A failure becomes an ``output`` error."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

from asknown.cli.streams import give_up
from asknown.errors import AsknownError, printable
from asknown.project.files import is_file

if TYPE_CHECKING:
    from pathlib import Path


@contextmanager
def open_stdout() -> Iterator[TextIO]:
    """Stdout. Raises ``output`` if a write fails, as on a full disk. click handles a closed pipe."""
    try:
        yield sys.stdout
        sys.stdout.flush()
    except OSError as error:
        if error.errno in (errno.EPIPE, errno.ENOENT) or error.filename is not None:  # the second is no write's
            raise
        give_up(sys.stdout)
        why = "it is closed" if error.errno == errno.EBADF else error.strerror
        raise AsknownError("output", f"cannot write to stdout: {why}") from None


def finish_stdout() -> None:
    """Flushes stdout while an error can still be reported."""
    with open_stdout():
        pass


@contextmanager
def open_file(path: Path) -> Iterator[TextIO]:
    """A text file that is complete when it appears, or does not appear at all. Errors: ``output``."""
    # A device or a pipe is written to directly: it cannot be replaced by a finished file.
    special = os.path.exists(path) and not is_file(path)  # noqa: PTH110 - Path raises where a name is too long
    beside = path if special else path.with_name(f".{path.name}.part")
    try:
        try:
            with beside.open("w", encoding="utf-8", newline="") as file:
                yield file
            if not special:
                beside.replace(path)
        except BaseException:
            if not special:
                beside.unlink(missing_ok=True)
            raise
    except OSError as error:
        raise AsknownError("output", f"cannot write {path}: {error.strerror}") from None


def write_text(text: str, path: Path | None) -> None:
    """Writes the text, as lines, to the file ``path``, or to stdout if that is None."""
    with open_stdout() if path is None else open_file(path) as out:
        safe_for(out)(text if text.endswith("\n") else f"{text}\n")


def safe_for(out: TextIO) -> Callable[[str], int]:
    """The function that writes to ``out``; at a terminal, with control characters of the data as escapes.

    A terminal obeys them: a comment of a model or a value could set its title or hide a line. A file or a pipe gets
    the text as it is.
    """
    if not out.isatty():
        return out.write
    return lambda text: out.write("\t".join(map(printable, text.replace("\r\n", "\n").split("\t"))))
