"""Settings that every test shares: the hypothesis profiles, ``--update-cases`` and ``--soak``."""

from __future__ import annotations

import os
import signal

import pytest
from hypothesis import HealthCheck, settings

SLOW_IS_FINE = (HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.large_base_example)

# "ci" is the default. HYPOTHESIS_PROFILE=thorough looks longer; a test multiplies its share of examples by this.
settings.register_profile("ci", deadline=None, print_blob=True, suppress_health_check=SLOW_IS_FINE)
settings.register_profile("thorough", settings.get_profile("ci"), max_examples=1000)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


def pytest_configure() -> None:
    """Takes Ctrl-C as Python does, though a shell that starts the tests in the background ignores it for them."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds ``--update-cases``, which rewrites tests/cases' expected output, and ``--soak``: the long form of faults."""
    parser.addoption("--update-cases", action="store_true", help="rewrite tests/cases/*/expected.txt")
    parser.addoption("--soak", type=float, default=0, metavar="N", help="run tests/faults N times their long form")
