"""A request to push rows into a source, and the answer to it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Literal

from asknown.project.nodes import SourceTable
from asknown.store.push_values import Row

Fate = Literal["new", "older", "late", "skipped", "duplicates"]
"""The outcomes of a row: it won its key in a view, or no view said otherwise; the key's row is newer; it is older than
the longest window as well; it has no key or no event time; its id was pushed before."""

_RANK: dict[Fate, int] = {"skipped": 0, "late": 2, "older": 3, "new": 4, "duplicates": 5}
_OLDER_WITHOUT_WINDOWS = 1  # says nothing about whether windows count the row


@dataclass(frozen=True)
class Refusal:
    """A row that was refused, by its number in the request, from 1, with the error's code and message."""

    row: int
    code: str
    message: str


@dataclass(frozen=True)
class PushAnswer:
    """The outcome of a request's rows. A read that starts now sees them.

    ``seq`` is the number of the last row; ``rows`` = ``new`` + ``older`` + ``duplicates`` + ``late`` + ``skipped`` and
    the refused ones in ``outcomes``. ``views`` are those that follow the source. ``older``, ``late`` and ``skipped``
    count what views made of rows, where these pass the arrival on as their ``known_at``.
    """

    seq: int
    rows: int
    new: int = 0
    older: int = 0
    duplicates: int = 0
    late: int = 0
    skipped: int = 0
    views: tuple[str, ...] = ()
    outcomes: tuple[Refusal, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain values by name. ``outcomes`` stands there only if rows were refused."""
        found: dict[str, Any] = {
            name: getattr(self, name) for name in ("seq", "rows", "new", "older", "duplicates", "late", "skipped")
        }
        found["views"] = list(self.views)
        if self.outcomes:
            found["outcomes"] = [{"row": o.row, "code": o.code, "message": o.message} for o in self.outcomes]
        return found


@dataclass(eq=False)
class Request:
    """Rows that were checked, on their way to the writer's thread. ``count`` is their number with the refused ones.

    ``offsets`` are a topic and the next offsets of its partitions, which are written with the rows. ``fates`` are what
    became of the rows, as far as it is known.
    """

    table: SourceTable
    rows: list[Row]
    refused: list[Refusal]
    count: int
    offsets: tuple[str, Mapping[int, int]] | None = None
    answer: Future[PushAnswer] = field(default_factory=Future)
    fates: list[Fate | None] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)

    def begin(self) -> None:
        """Forgets what became of the rows in a transaction that was given up."""
        self.fates = [None] * len(self.rows)
        self.ranks = [-1] * len(self.rows)

    @property
    def not_before(self) -> int:
        """The instant in microseconds from which on no event of the request is in the future."""
        return max((row.event_time for row in self.rows if row.event_time is not None), default=0)

    def tell(self, place: int, fate: Fate, *, windows: bool = True) -> None:
        """Notes what a view, with windows or without, made of a row; the best that any view made of it counts."""
        rank = _RANK[fate] if windows or fate != "older" else _OLDER_WITHOUT_WINDOWS
        if rank > self.ranks[place]:
            self.fates[place], self.ranks[place] = fate, rank

    def answered(self, seq: int, views: tuple[str, ...]) -> PushAnswer:
        """The answer, once the rows are written."""
        counts = Counter[str](fate or "new" for fate in self.fates)
        return PushAnswer(seq, self.count, **counts, views=views, outcomes=tuple(self.refused))
