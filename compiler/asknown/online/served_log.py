"""The content of every log of online reads, whoever writes it, and the keys that a sample has.

`asknown serve` logs to Parquet files, and ``OnlineReader(log=…)`` to JSON lines. The standard library only, but where
Parquet is read.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from hashlib import blake2b
from json.encoder import encode_basestring
from pathlib import Path
from typing import Any

from asknown.errors import AsknownError

METADATA = b"asknown.log"
"""The key of the Parquet metadata that makes a file a log: JSON with the service, its keys and its inputs."""
SERVED_AT = "served_at"
REQUEST_ID = "request_id"
SEQ = "seq"
TOKEN = "token"
LOADS = "loads"
OWN = (REQUEST_ID, SERVED_AT, SEQ, TOKEN, LOADS)
"""The columns of a log that are no key, input or feature."""


def sampler(keys: Sequence[str], share: float) -> Callable[[Sequence[Any]], bool]:
    """Whether the rows of a key are kept: a function of the key's values, in the order of the names ``keys``.

    It depends on the key alone, so that all its reads are kept, or none. The names of the keys are the salt: services
    with the same keys keep the same ones.
    """
    if share >= 1:
        return lambda _: True
    least = int(share * 2**64).to_bytes(8, "big")
    before = f"[[{','.join(map(encode_basestring, keys))}],["

    def is_kept(values: Sequence[Any]) -> bool:
        spelled = ",".join("null" if value is None else encode_basestring(str(value)) for value in values)
        return blake2b(f"{before}{spelled}]]".encode(), digest_size=8).digest() < least

    return is_kept


def is_sampled(keys: Sequence[str], values: Sequence[Any], share: float) -> bool:
    """Whether the rows of this key are kept, as :func:`sampler` says."""
    return sampler(keys, share)(values)


def hash_value(value: Any) -> str | None:
    """The hash that a log keeps of a value."""
    return None if value is None else blake2b(str(value).encode(), digest_size=16).hexdigest()


def is_log(folder: Path) -> bool:
    """Whether the folder is one that `asknown serve` logs a service to, or a day of it."""
    first = next(log_files(folder), None)
    return first is not None and read_facts(first) is not None


def read_log(folder: Path) -> Any:
    """The Arrow table of a log's keys, inputs, ``served_at`` and ``request_id``, a row for each entity row served."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    tables = []
    for file in log_files(folder):
        said = read_facts(file)
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


def log_files(folder: Path) -> Iterator[Path]:
    """The Parquet files of a folder, in the order of their names."""
    return iter(sorted(folder.rglob("*.parquet")))


def read_facts(file: Path) -> dict[str, Any] | None:
    """The facts in a log file's metadata; None for a file of another kind."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        metadata = pq.read_schema(file).metadata or {}
    except (pa.ArrowException, OSError):
        return None
    said = metadata.get(METADATA)
    return None if said is None else dict(json.loads(said))
