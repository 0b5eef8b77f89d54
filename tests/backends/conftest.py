"""Runs the tests of this folder over each backend that ``--backends`` names; a server runs for the whole session."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from asknown.addresses import Address
from asknown.online.backend import STORES
from asknown.online.remote.store import Strength
from asknown.project import online
from backends.memory import MemoryStore
from backends.servers import SERVERS, Server, fresh_name


class Backend:
    """A backend under test: its type in profiles.yml, and its running server."""

    def __init__(self, kind: str, server: Server) -> None:
        self.kind = kind
        self.server = server

    def address(self) -> Address:
        """The address of an empty table."""
        return self.server.address(fresh_name())

    @property
    def strength(self) -> Strength | None:
        """What the backend promises; None for SQLite, which promises all of it."""
        return STORES[self.kind]().strength if self.kind in STORES else None


class Servers:
    """The servers that have been started so far."""

    def __init__(self, factory: pytest.TempPathFactory) -> None:
        self._factory = factory
        self._stack = ExitStack()
        self._running: dict[str, Server] = {}

    def get(self, kind: str) -> Server:
        """The server of a backend, which is started when it is needed first."""
        if kind not in self._running:
            folder = self._factory.mktemp(kind)
            self._running[kind] = self._stack.enter_context(SERVERS[kind](folder))
        return self._running[kind]

    def close(self) -> None:
        self._stack.close()


@pytest.fixture(scope="session")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    running = Servers(tmp_path_factory)
    yield running
    running.close()


@pytest.fixture(scope="module", autouse=True)
def memory_store() -> Iterator[None]:
    """Makes ``type: memory`` a type of online table for the tests of this folder."""
    patch = pytest.MonkeyPatch()
    patch.setitem(STORES, "memory", lambda: MemoryStore)
    patch.setitem(online.SERVERS, "memory", online.SERVERS["valkey"])
    patch.setattr(online, "TYPES", (*online.TYPES, "memory"))
    yield
    patch.undo()


@pytest.fixture
def backend(request: pytest.FixtureRequest, servers: Servers) -> Backend:
    """The backend that the test runs over."""
    kind: str = request.param
    return Backend(kind, servers.get(kind))


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs each test over all backends, or over those that its module names in ``KINDS``."""
    if "backend" in metafunc.fixturenames:
        given = metafunc.config.getoption("--backends")
        names = list(SERVERS) if given is None else given.split(",")
        kinds = getattr(metafunc.module, "KINDS", names)
        metafunc.parametrize("backend", [name for name in names if name in kinds], indirect=True)
