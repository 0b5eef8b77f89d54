"""The protocol of a ClickHouse session, in this process or on a server: SQL in, Arrow out."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Mapping
from typing import Protocol

import pyarrow as pa

from asknown.errors import AsknownError

FORMAT = "ArrowStream"
Batches = Generator[pa.RecordBatch, None, None]


class Session(Protocol):
    """A connection with settings and temporary tables of its own. One query at a time."""

    def set(self, settings: Mapping[str, str]) -> None:
        """Settings of every query from now on."""

    def run(self, sql: str) -> pa.Table:
        """The whole result of a statement; a table without columns where it has none."""

    def stream(self, sql: str) -> Batches:
        """A query's result as it comes. Closing the iterator ends the query."""

    def insert(self, relation: str, batches: Iterable[bytes]) -> None:
        """Puts an Arrow stream, in pieces, into ``relation``: its name, its columns, its settings."""

    def close(self) -> None:
        """Lets go of the connection and of its temporary tables."""


class ServerError(Exception):
    """An error of ClickHouse, in its own words."""


def missing(package: str, extra: str) -> AsknownError:
    return AsknownError("missing-extra", f"{package} is not installed", hint=f"pip install 'asknown[{extra}]'")
