"""The backends that the conformance suite runs over, each with what starts its server."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any, Protocol

from asknown.addresses import Address, StoreAddress


class Server(Protocol):
    """One running server for a whole session of tests. ``can_restart`` says whether it can be killed and come back."""

    can_restart: bool

    def online(self, name: str) -> dict[str, Any]:
        """The mapping ``online:`` of profiles.yml for an empty table."""

    def address(self, name: str) -> Address:
        """The same as an address."""

    def kill(self) -> None:
        """Ends the server with SIGKILL."""

    def restart(self) -> None:
        """Starts the server on the data that it has."""


class Files:
    """SQLite files, or what lives in this process: there is no server to end."""

    can_restart = False

    def __init__(self, folder: Path, kind: str) -> None:
        self._folder = folder
        self._kind = kind

    def online(self, name: str) -> dict[str, Any]:
        if self._kind == "sqlite":
            return {"type": "sqlite", "path": str(self._folder / f"{name}.db")}
        return {"type": "memory", "url": str(self._folder), "prefix": name}

    def address(self, name: str) -> Address:
        if self._kind == "sqlite":
            return self._folder / f"{name}.db"
        return StoreAddress("memory", str(self._folder), name)

    def kill(self) -> None:
        raise NotImplementedError

    def restart(self) -> None:
        raise NotImplementedError


@contextmanager
def _sqlite(folder: Path) -> Iterator[Server]:
    yield Files(folder, "sqlite")


@contextmanager
def _memory(folder: Path) -> Iterator[Server]:
    yield Files(folder, "memory")


def _postgres(folder: Path) -> AbstractContextManager[Server]:
    from backends.postgres_server import serve

    return serve(folder)


def _valkey(folder: Path) -> AbstractContextManager[Server]:
    from backends.valkey_server import serve

    return serve(folder)


SERVERS: dict[str, Callable[[Path], AbstractContextManager[Server]]] = {
    "sqlite": _sqlite,
    "memory": _memory,
    "postgres": _postgres,
    "valkey": _valkey,
}
"""By the backend's type in profiles.yml: what starts its server for a ``with`` block."""

_numbers = itertools.count(1)


def fresh_name() -> str:
    """A name that no table of this session has."""
    return f"t{next(_numbers)}"
