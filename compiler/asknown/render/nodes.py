"""What rendering gives: plain SQL, the config that the template declared, and whom it refers to."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from asknown.errors import Where


@dataclass(frozen=True)
class ViewConfig:
    """What a model's ``config()`` says, checked. ``entity`` is None for a plain model, ``()`` for a view without keys.

    ``ttl`` is in microseconds, 0 for no bound.
    """

    entity: tuple[str, ...] | None = None
    event_time: str | None = None
    known_at: str | None = None
    created_at: str | None = None
    ttl: int = 0
    online: bool = True
    materialized: str = "ephemeral"  # or "view", "table"
    owner: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    meta: dict[str, Any] | None = None


@dataclass(frozen=True)
class Rendered:
    """A model after Jinja. ``lines[i]`` is the template line that line ``i + 1`` of ``sql`` came from."""

    name: str
    shown: str
    template: str
    sql: str
    config: ViewConfig
    refs: tuple[str, ...]
    sources: tuple[tuple[str, str], ...]
    lines: tuple[int, ...]
    config_line: int = 0

    def where(self, line: int, column: int = 0) -> Where:
        """The place in the template that a place in the rendered SQL came from."""
        if not 1 <= line <= len(self.lines):
            return Where(self.shown)
        origin = self.lines[line - 1]
        source = self.template.splitlines()
        rendered = self.sql.splitlines()
        text = source[origin - 1] if 0 < origin <= len(source) else ""
        # A column only means something where the line was not changed by the template.
        same = line <= len(rendered) and rendered[line - 1].rstrip() == text.rstrip()
        return Where(self.shown, origin, column if same else 0, text)
