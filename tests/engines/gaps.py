"""What an engine cannot do, and why: each a test that must fail until it can (docs/dialects.md lists them)."""

from __future__ import annotations

GAPS: dict[tuple[str, str], str] = {}
"""By engine and case: the reason."""


def gap(engine: str, case: str) -> str | None:
    """Why the case does not hold on the engine; None where it does."""
    return GAPS.get((engine, case))
