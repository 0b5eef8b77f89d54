"""What the emitter asks of an engine's SQL. A dialect is a value; nothing asks for a dialect's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Dialect:
    """How one engine spells what the plan needs.

    ``sqlglot`` is the name sqlglot writes and reads it by. ``readers`` maps a file's ending to the table function that
    reads it. ``pins_ctes`` is true where a CTE can be told to be kept or to
    be read in place.
    """

    name: str
    sqlglot: str
    readers: Mapping[str, str]
    pins_ctes: bool
    session: tuple[str, ...]  # statements that pin the session: time zone first
