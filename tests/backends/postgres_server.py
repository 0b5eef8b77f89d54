"""Serves Postgres to the tests of online stores: a server that keeps what it has acknowledged, as users' servers do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psycopg

from asknown.addresses import StoreAddress
from engines.postgres_server import PostgresServer, run_postgres


@dataclass(frozen=True)
class Server:
    """A running server; each online table has a schema of its own in it."""

    postgres: PostgresServer
    can_restart: bool = True

    def online(self, name: str) -> dict[str, Any]:
        """The mapping ``online:`` of profiles.yml for an empty schema."""
        self._empty(name)
        return {"type": "postgres", "dsn": self.postgres.dsn(), "schema": name}

    def address(self, name: str) -> StoreAddress:
        """The same as an address."""
        self._empty(name)
        return StoreAddress("postgres", self.postgres.dsn(), name)

    def kill(self) -> None:
        """Kills the server."""
        self.postgres.kill()

    def restart(self) -> None:
        """Starts it again on the same data."""
        self.postgres.start()

    def _empty(self, name: str) -> None:
        with psycopg.connect(self.postgres.dsn(), autocommit=True) as connection:
            connection.execute(f'DROP SCHEMA IF EXISTS "{name}" CASCADE'.encode())


@contextmanager
def serve(_: Path) -> Iterator[Server]:
    """A server for as long as the tests run."""
    with run_postgres(durable=True) as postgres:
        yield Server(postgres)
