"""Looks at the files of a source or a spine before they are read, so that no value changes on the way in (rule 7)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from asknown.engines.parquet_files import inspect_parquet
from asknown.engines.text_files import Rows, TextFile, inspect_text
from asknown.errors import AsknownError, Where
from asknown.project.nodes import FileRead, SourceTable

_TEXT = (".csv", ".csv.gz", ".csv.zst", ".tsv", ".tsv.gz")
_JSON = (".json", ".json.gz", ".jsonl", ".jsonl.gz", ".ndjson", ".ndjson.gz")
_PARQUET = (".parquet", ".parq")


def inspect_source(engine: Rows, table: SourceTable) -> tuple[str, FileRead | None]:
    """The path that a source's files are read from, and how. A folder means all Parquet files below it."""
    assert table.path is not None
    declared = {column.name: column.data_type for column in table.columns if column.data_type}
    try:
        return _inspect(engine, table.path, dict(table.options), declared, table.at)
    except AsknownError as error:
        message = f"source '{table.source}.{table.name}': {error.message}"
        raise AsknownError(error.code, message, at=error.at or table.at, hint=error.hint) from None


def inspect_file(engine: Rows, path: str) -> tuple[str, FileRead | None]:
    """The path that a spine's file is read from, and how."""
    return _inspect(engine, path, {}, {}, None)


def _inspect(
    engine: Rows, path: str, options: Mapping[str, Any], declared: Mapping[str, str], at: Where | None
) -> tuple[str, FileRead | None]:
    if not re.search(r"\.\w+$", path.rstrip("/").rpartition("/")[2]) and not re.search(r"[*?\[]", path):
        path = f"{path.rstrip('/')}/**/*.parquet"
    folded = path.casefold()
    if folded.endswith(_TEXT):
        return path, inspect_text(engine, TextFile(path, options, declared, at))
    if folded.endswith(_PARQUET):
        return path, inspect_parquet(engine, path, options, at)
    if folded.endswith(_JSON):
        whole: dict[str, Any] = {"sample_size": -1, "maximum_sample_files": -1, "union_by_name": True, **options}
        return path, FileRead("read_json", tuple(sorted(whole.items())))
    return path, None
