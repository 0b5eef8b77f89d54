"""Reads the log of served features as a spine: the keys and inputs that a service was asked for, and when."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from asknown.errors import AsknownError

METADATA = b"asknown.log"
"""The key of the Parquet metadata that makes a file a log: JSON with the service, its keys and its inputs."""
SERVED_AT = "served_at"
REQUEST_ID = "request_id"


def is_log(folder: Path) -> bool:
    """Whether the folder is one that `asknown serve` logs a service to, or a day of it."""
    first = next(_files(folder), None)
    return first is not None and _said(first) is not None


def read_log(folder: Path) -> Any:
    """The Arrow table of a log's keys, inputs, ``served_at`` and ``request_id``, a row for each entity row served."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for file in _files(folder):
        said = _said(file)
        if said is None:
            raise AsknownError("spine", f"{file} is no log of asknown serve", hint=f"move it out of {folder}")
        tables.append(pq.read_table(file, columns=[*said["columns"], SERVED_AT, REQUEST_ID]).replace_schema_metadata())
    try:
        return pa.concat_tables(tables, promote_options="permissive")
    except pa.ArrowException as error:
        raise AsknownError(
            "spine",
            f"the files of {folder} have columns of different types: {error}",
            hint="give a day of it, as in logs/service/2026-11-30",
        ) from None


def _files(folder: Path) -> Any:
    return iter(sorted(folder.rglob("*.parquet")))


def _said(file: Path) -> dict[str, Any] | None:
    """The facts in a log file's metadata; None for a file of another kind."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(file).metadata or {}
    except (pa.ArrowException, OSError):
        return None
    said = metadata.get(METADATA)
    return None if said is None else dict(json.loads(said))
