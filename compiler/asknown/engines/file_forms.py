"""Refuses files that are not what their names say, before a reader guesses at them: their first bytes tell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from asknown.errors import AsknownError, Where


@dataclass(frozen=True)
class _Form:
    """The form of files that begin with the bytes ``magic``, and a hint for its user."""

    magic: bytes
    what: str
    hint: str


_RENAME = "rename it, so that its name ends in {0}"
_FORMS = (
    _Form(b"PAR1", "is a Parquet file", _RENAME.format(".parquet")),
    _Form(b"\x1f\x8b", "is compressed by gzip", _RENAME.format(".csv.gz or .json.gz")),
    _Form(b"\x28\xb5\x2f\xfd", "is compressed by zstd", _RENAME.format(".csv.zst")),
    _Form(b"PK\x03\x04", "is a zip archive or an Excel workbook", "unpack it, or save its sheet as CSV"),
    _Form(b"\xd0\xcf\x11\xe0", "is an old Excel workbook", "save its sheet as CSV"),
)
_UTF_16 = (b"\xff\xfe", b"\xfe\xff")
_PACKED = (".gz", ".zst")


def check_first_bytes(files: Iterable[str], encoding: str | None, at: Where | None) -> None:
    """Raises ``file-value`` for a file of text that its first bytes show to be something else, or that is empty.

    Files behind an address, and packed files, are not looked at.
    """
    for file in files:
        if "://" in file or file.casefold().endswith(_PACKED):
            continue
        try:
            with Path(file).open("rb") as opened:
                begin = opened.read(4)
        except OSError:
            continue  # the reader says why
        if not begin:
            raise _refusal(
                file, "is empty: it has no line of names", "write its columns' names into it, or remove it", at
            )
        if begin.startswith(_UTF_16) and (encoding or "").casefold() not in ("utf-16", "utf16"):
            raise _refusal(file, "is written in UTF-16", "declare it: options: {encoding: utf-16}", at)
        for form in _FORMS:
            if begin.startswith(form.magic):
                raise _refusal(file, form.what, form.hint, at)


def check_folder(folder: str, found: Iterable[str], at: Where | None) -> None:
    """Raises ``file-value`` for a folder whose Parquet files are not all of its rows, or more than that.

    ``found`` are all files below the folder. The folder of a Delta, Iceberg or Hudi table also holds files of rows that
    were deleted. Spark writes unfinished files to folders that begin with ``_``. Files of text are not read.
    """
    below = {file: file[len(folder.rstrip("/")) + 1 :] for file in found}
    for name in below.values():
        for kind, pattern in _TABLES.items():
            if re.search(pattern, name):
                raise _refusal(
                    folder,
                    f"is a table of {kind} ({name}), whose folder also holds files of rows that were deleted",
                    "write its rows as Parquet files of their own, or read it as a table of your warehouse",
                    at,
                )
    for file, name in below.items():
        is_hidden = any(part.startswith((".", "_")) and "=" not in part for part in name.split("/"))
        if name.endswith((".parquet", ".parq")) and is_hidden:
            raise _refusal(
                file,
                "begins with '_' or '.', or its folder does: such files are unfinished or hidden",
                "remove it, or declare a pattern that leaves it out, such as …/part-*.parquet",
                at,
            )
        if not is_hidden and re.search(r"\.(csv|tsv|jsonl|ndjson)(\.gz|\.zst)?$", name, re.IGNORECASE):
            raise _refusal(
                folder,
                f"holds {name}; of a folder, asknown reads the Parquet files alone",
                "declare a pattern instead, such as …/*.parquet or …/*.csv",
                at,
            )


_TABLES = {
    "Delta Lake": r"^_delta_log/",
    "Iceberg": r"^metadata/.*\.metadata\.json$",
    "Hudi": r"^\.hoodie/",
}


def _refusal(file: str, what: str, hint: str, at: Where | None) -> AsknownError:
    return AsknownError("file-value", f"{file} {what}", at=at, hint=hint)
