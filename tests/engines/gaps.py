"""What an engine cannot do, and why: each a test that must fail until it can (docs/dialects.md lists them)."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

GAPS: dict[tuple[str, str], str] = {}
"""By engine and case: the reason."""

ABSENT: dict[str, tuple[tuple[Callable[[Any], bool], str], ...]] = {
    "sqlite": ((lambda value: isinstance(value, float) and math.isnan(value), "SQLite has no NaN: it becomes NULL"),),
}
"""By engine: values that it cannot hold, so that random worlds have NULL instead; and the reason."""

REFUSALS: dict[str, tuple[tuple[str, str], ...]] = {}
"""By engine: errors that a random world may end in, as patterns of their messages; and the reason."""


def gap(engine: str, case: str) -> str | None:
    """Why the case does not hold on the engine; None where it does."""
    return GAPS.get((engine, case))


def holds(engine: str, value: Any) -> bool:
    """Whether the engine can hold the value."""
    if isinstance(value, list):
        return all(holds(engine, part) for part in value)
    return not any(is_absent(value) for is_absent, _ in ABSENT.get(engine, ()))
