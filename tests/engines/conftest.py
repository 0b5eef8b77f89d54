"""The engines that these tests run on: those that ASKNOWN_ENGINES names, each started once.

`make test` runs the light ones, `make test-engines` the heavy ones. An engine that cannot be started is a failure.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from engines.harness import LIGHT, Warehouse, started


def named_engines() -> list[str]:
    """The engines to run on."""
    return os.environ.get("ASKNOWN_ENGINES", " ".join(LIGHT)).split()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs every test that asks for a warehouse on each engine."""
    if "warehouse" in metafunc.fixturenames:
        metafunc.parametrize("warehouse", named_engines(), indirect=True, scope="session")


@pytest.fixture(scope="session")
def running() -> Iterator[dict[str, Warehouse]]:
    """The engines that have been started so far."""
    with ExitStack() as stack:
        yield _Starting(stack)


class _Starting(dict[str, Warehouse]):
    def __init__(self, stack: ExitStack) -> None:
        super().__init__()
        self._stack = stack

    def __missing__(self, name: str) -> Warehouse:
        self[name] = self._stack.enter_context(started(name))
        return self[name]


@pytest.fixture(scope="session")
def warehouse(request: pytest.FixtureRequest, running: dict[str, Warehouse]) -> Warehouse:
    """An engine that runs, by the parameter's name."""
    return running[request.param]
