"""The result of one test of a project."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from asknown.errors import AsknownError, Where

Kind = Literal["unit", "data", "freshness"]
Outcome = Literal["pass", "warn", "fail", "error"]
"""``fail`` and ``error`` make the command exit with 1; an error is a test that could not be run, or shows nothing."""


@dataclass(frozen=True)
class TestResult:
    """One test, and what came of it. ``details`` are lines for people, such as values that differ.

    ``checked`` is the number of values or rows that were looked at, and ``failing`` of those that are not as they
    should be.
    """

    __test__ = False  # pytest collects no class of this name

    kind: Kind
    name: str
    tests: str  # the model, view, service or source
    outcome: Outcome
    checked: int | None
    failing: int | None
    details: tuple[str, ...] = ()
    at: Where | None = None

    @property
    def is_failure(self) -> bool:
        return self.outcome in ("fail", "error")


def could_not_run(kind: Kind, name: str, tests: str, error: AsknownError, at: Where | None) -> TestResult:
    """The result of a test that ended with an error."""
    lines = [f"error[{error.code}]: {error.message}"]
    lines += [f"at {error.at}"] if error.at is not None else []
    lines += [f"hint: {error.hint}"] if error.hint else []
    return TestResult(kind, name, tests, "error", None, None, tuple(lines), at)
