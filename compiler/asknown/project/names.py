"""The names that a project has given, so that none is given twice."""

from __future__ import annotations

from asknown.errors import AsknownError, Where


class Names:
    """The names given so far, by kind, with the place of each. Letter case does not tell names apart."""

    def __init__(self) -> None:
        self._given: dict[tuple[str, str], tuple[str, Where]] = {}

    def give(self, kind: str, name: str, at: Where) -> None:
        """Takes ``name`` for a thing of ``kind`` (as in "entity"), or refuses it: ``duplicate-name``."""
        key = (kind, name.casefold())
        if key not in self._given:
            self._given[key] = (name, at)
            return
        first, place = self._given[key]
        alike = "" if first == name else f" ('{first}' there: letter case does not tell names apart)"
        raise AsknownError(
            "duplicate-name",
            f"{kind} '{name}' is given twice: first at {place}{alike}",
            at=at,
            hint="rename one of them, or remove it",
        )

    def place(self, kind: str, name: str) -> Where | None:
        """Where a thing of ``kind`` was given this name, if it was."""
        given = self._given.get((kind, name.casefold()))
        return None if given is None else given[1]
