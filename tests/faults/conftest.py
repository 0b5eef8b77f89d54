"""What the fault tests share: how long they run, the crew of processes, and a summary of their figures."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from asknown.online.sqlite.writer import open_writer
from faults.attempts import WORLD
from faults.workers import Crew
from faults.world import Load

Tell = Callable[[str], None]


@dataclass(frozen=True)
class Length:
    """How long the tests run: ``factor`` is what --soak was given, 0 for the short form."""

    factor: float

    def of(self, short: int, long: int) -> int:
        """The number to use, of those for the short form and for ``--soak 1``."""
        return round(long * self.factor) if self.factor else short


@pytest.fixture(scope="session")
def length(request: pytest.FixtureRequest) -> Length:
    """Short or long."""
    return Length(request.config.getoption("--soak"))


@pytest.fixture(scope="session")
def crew() -> Iterator[Crew]:
    """The process that workers are forked from."""
    crew = Crew()
    yield crew
    crew.close()


@pytest.fixture(scope="session")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A sound file, to be copied: the one of :mod:`faults.attempts`."""
    path = tmp_path_factory.mktemp("good") / "online.db"
    with open_writer(path) as writer:
        WORLD.write(writer, Load(3), WORLD.batches(Load(3)))
    return path


@pytest.fixture
def tell(record_property: Callable[[str, object], None]) -> Tell:
    """Keeps a figure for the summary."""
    return lambda text: record_property("figure", text)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what the tests measured."""
    reports = [r for kind in ("passed", "failed", "xfailed") for r in terminalreporter.stats.get(kind, [])]
    figures = [
        (report.nodeid.rpartition("::")[2], text)
        for report in reports
        if report.when == "call"
        for name, text in report.user_properties
        if name == "figure"
    ]
    if figures:
        terminalreporter.section("figures")
    for test, text in figures:
        terminalreporter.write_line(f"{test}: {text}")
