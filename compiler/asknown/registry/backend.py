"""The protocol between the registry and the database that keeps it: rows to read, and one transaction to write.

Statements are SQL that SQLite and Postgres read alike, with ``?`` for values.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from asknown.addresses import StoreAddress
from asknown.errors import AsknownError
from asknown.project.nodes import RegistryPlace

Row = dict[str, Any]


class Reading(Protocol):
    """An open registry. ``layout`` is 0 if nothing was applied yet; ``name`` stands for the registry in messages."""

    @property
    def name(self) -> str: ...

    @property
    def layout(self) -> int: ...

    def rows(self, query: str, values: Sequence[Any]) -> list[Any]:
        """The rows of a query. Raises an AsknownError if the database cannot be read."""
        ...

    def index(self) -> sqlite3.Connection:
        """A database that has the tables ``search``, ``feature`` and ``view``."""
        ...

    def close(self) -> None: ...


class Transaction(Protocol):
    """A transaction on the registry, with all tables of the newest layout."""

    def head(self, project: str) -> int:
        """The number of the project's newest revision, 0 for none. Nobody else can write one until this ends."""
        ...

    def insert(self, table: str, rows: Iterable[Row], *, unless: str = "") -> None:
        """Inserts rows; with ``unless`` only those of which no row has the same value in this column."""
        ...

    def replace(self, table: str, rows: Iterable[Row], key: Sequence[str]) -> None:
        """Inserts rows, or updates those that are there with the same ``key``."""
        ...

    def clear(self, table: str, project: str) -> None:
        """Deletes the rows of a project."""
        ...


def open_reading(place: RegistryPlace) -> Reading:
    """The registry at ``place``, open for reading."""
    at = place.at
    if isinstance(at, StoreAddress):
        with _driver():
            from asknown.registry.postgres import PostgresReading
        return PostgresReading(at)
    from asknown.registry.sqlite import SqliteReading

    return SqliteReading(at)


def open_transaction(place: RegistryPlace) -> AbstractContextManager[Transaction]:
    """A transaction on the registry, which is made if there is none. It commits unless an error is raised."""
    if place.read_only:
        raise AsknownError(
            "registry-write",
            f"the registry {place} is a copy, which this project only reads",
            hint="apply where the registry itself is named in profiles.yml",
        )
    at = place.at
    if isinstance(at, StoreAddress):
        with _driver():
            from asknown.registry.postgres import open_transaction as open_postgres
        return open_postgres(at)
    from asknown.registry.sqlite import open_transaction as open_sqlite

    return open_sqlite(at)


@contextmanager
def _driver() -> Iterator[None]:
    """Raises ``missing-extra`` where the driver of the server is not installed."""
    try:
        yield
    except ImportError:
        raise AsknownError(
            "missing-extra",
            "the driver for a registry in Postgres is not installed",
            hint="pip install 'asknown[postgres-registry]'",
        ) from None
