"""The tests that a project's YAML declares: unit tests, data tests and freshness."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from asknown.errors import Where


@dataclass(frozen=True)
class Threshold:
    """A number of failing rows that is too many: ``> 10``."""

    comparison: str
    count: int


@dataclass(frozen=True)
class DataTest:
    """A condition on each row of a model or table, or on its ``column``. ``kind`` says how.

    Only the rows for which ``where`` (SQL) holds are tested.
    """

    kind: str
    column: str | None
    arguments: dict[str, Any] = field(hash=False)
    at: Where
    name: str | None = None
    severity: str = "error"
    warn_if: Threshold = Threshold("!=", 0)
    error_if: Threshold = Threshold("!=", 0)
    where: str | None = None


@dataclass(frozen=True)
class Freshness:
    """The ages, in microseconds, from which on the newest row is a warning and an error."""

    warn_after: int | None
    error_after: int | None
    at: Where


@dataclass(frozen=True)
class TestRows:
    """Rows of a unit test: written down, or the path of a CSV file, or SQL that gives them."""

    rows: tuple[dict[str, Any], ...]
    csv: str | None
    sql: str | None
    at: Where


@dataclass(frozen=True)
class GivenRows:
    """The rows that stand for a model (its name) or for a table of a source (both names)."""

    input: str | tuple[str, str]
    rows: TestRows


@dataclass(frozen=True)
class UnitTest:
    """Rows that the models of a view, service or model are given, and what must come out.

    ``kind`` says what ``target`` is. ``spine`` is None for a model. ``ends`` are ``training`` and ``online``.
    """

    name: str
    kind: str
    target: str
    given: tuple[GivenRows, ...]
    spine: TestRows | None
    expect: TestRows
    ends: tuple[str, ...]
    approx: float | None
    at: Where
