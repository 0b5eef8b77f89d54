"""Settings that every test shares: the hypothesis profiles, ``--update-cases``, ``--soak``, the order of the files."""

from __future__ import annotations

import gc
import os
import signal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from asknown import errors

# The files that take longest, longest first. Workers of `make test` take whole files in this order, so that no worker
# is left with a long file at the end while the other has nothing to do.
LONG_FILES = (
    "test_loads.py",
    "engines/test_oracle_on_engine.py",
    "engines/test_flights_on_engine.py",
    "test_documented_commands.py",
    "engines/test_expressions.py",
    "test_windows_regressions.py",
    "engines/test_commands.py",
    "test_oracle_historical.py",
    "test_windows_historical.py",
    "test_reader_plans.py",
    "test_large_ties.py",
    "test_parity.py",
    "test_flights.py",
    "test_wheel.py",
    "cli/test_cli_closed_places.py",
    "test_registry.py",
    "test_cases.py",
    "engines/test_written_expressions.py",
    "test_windows_parity.py",
    "engines/test_golden.py",
    "test_larger_than_memory.py",
    "push/test_machine.py",
    "push/test_kills.py",
    "backends/test_product.py",
    "backends/test_backend_machine.py",
)

SLOW_IS_FINE = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)

# "ci" is the default. HYPOTHESIS_PROFILE=thorough looks longer; a test multiplies its share of examples by this.
settings.register_profile("ci", deadline=None, print_blob=True, suppress_health_check=SLOW_IS_FINE)
settings.register_profile("thorough", settings.get_profile("ci"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(autouse=True)
def no_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starts every test without secrets, as a process starts: what an earlier test told is not hidden in this one."""
    monkeypatch.setattr(errors, "_secrets", set())


def pytest_configure() -> None:
    """Takes Ctrl-C as Python does, though a shell that starts the tests in the background ignores it for them."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--update-cases``, which rewrites expected output, ``--soak``, a long form, and ``--backends``."""
    parser.addoption("--update-cases", action="store_true", help="rewrite tests/cases/*/expected.txt")
    parser.addoption("--soak", type=float, default=0, metavar="N", help="run the long tests N times their length")
    parser.addoption("--backends", metavar="NAMES", help="the online backends of tests/backends, as in sqlite,memory")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Puts the tests of long files first, and leaves the order within a file."""
    place = {Path(__file__).parent / name: index for index, name in enumerate(LONG_FILES)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_collection_finish() -> None:
    """Takes what collecting has imported and made out of the garbage collector's rounds: a tenth of a run's CPU."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 20)  # SQL trees make many objects, and few cycles
