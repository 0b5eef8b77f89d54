"""Reads the options of a source's files: facts that a file does not state, such as its delimiter or its date format."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from asknown.errors import AsknownError
from asknown.project.reader import Reader, as_text
from asknown.project.values import Sequence

# The options of files, by their names in the project: the name that DuckDB's reader uses, and the kind of value.
_TEXT_OPTIONS = {
    "delimiter": ("delim", "text"),
    "quote": ("quote", "text"),
    "escape": ("escape", "text"),
    "header": ("header", "truth"),
    "skip": ("skip", "number"),
    "nulls": ("nullstr", "texts"),
    "dateformat": ("dateformat", "text"),
    "timestampformat": ("timestampformat", "text"),
    "encoding": ("encoding", "text"),
}
_FILE_OPTIONS = {"union_by_name": ("union_by_name", "truth"), "hive_partitioning": ("hive_partitioning", "truth")}
OPTIONS = (*_TEXT_OPTIONS, *_FILE_OPTIONS)


def read_options(reader: Reader, what: str, path: str | None) -> tuple[tuple[str, Any], ...]:
    """The declared ``options`` of files, under the names that DuckDB's reader uses."""
    value = reader.value("options")
    if value is None:
        return ()
    if path is None:
        raise AsknownError("unknown-key", f"{what} has 'options', and no 'path'", at=reader.place("options"))
    options = Reader(value, f"'options' of {what}", OPTIONS)
    known = {**_TEXT_OPTIONS, **_FILE_OPTIONS}
    read: list[tuple[str, Any]] = []
    for key, (name, kind) in known.items():
        if options.value(key) is None:
            continue
        if key in _TEXT_OPTIONS and not _is_text(path):
            raise AsknownError(
                "unknown-key",
                f"'{key}' of {what} is an option of text files, which {path} is not",
                at=options.place(key),
                hint=f"options of all files: {', '.join(_FILE_OPTIONS)}",
            )
        read.append((name, _OPTION[kind](options, key)))
    return tuple(read)


def _texts(reader: Reader, key: str) -> Any:
    if isinstance(reader.value(key), Sequence):
        return tuple(as_text(item, f"an item of '{key}'") for item in reader.items(key))
    return reader.text(key)


_OPTION: dict[str, Callable[[Reader, str], Any]] = {
    "text": lambda reader, key: reader.optional_text(key),
    "truth": lambda reader, key: reader.truth(key),
    "number": lambda reader, key: reader.integer(key, least=0),
    "texts": _texts,
}


def _is_text(path: str) -> bool:
    folded = path.casefold()
    return any(f"{ending}{packed}" in folded[-8:] for ending in (".csv", ".tsv") for packed in ("", ".gz", ".zst"))
