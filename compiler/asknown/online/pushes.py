"""The values that a push and the online table exchange, whatever its backend."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import compress
from typing import Any, Literal, Protocol

from asknown.online.nodes import StoredView
from asknown.types import SqlType

Outcome = Literal["new", "older", "late"]
"""The row won its key; it did not; it did not, and is older than the longest window."""


@dataclass(frozen=True)
class Stamp:
    """The number and the arrival (microseconds) of the first of some rows. Both increase by one from row to row."""

    seq: int
    at: int


@dataclass(frozen=True)
class PushedRow:
    """A row of a source as it was pushed: its number, its arrival in microseconds, and its values by column."""

    seq: int
    at: int
    values: Mapping[str, Any]


@dataclass(frozen=True)
class ValueRows:
    """Rows of a view as Python values: a list for each column. Where batches are taken, these may stand as well."""

    columns: Mapping[str, list[Any]]
    num_rows: int

    def column(self, name: str) -> list[Any]:
        """The values of one column."""
        return self.columns[name]

    def slice(self, start: int, count: int) -> ValueRows:
        """Up to ``count`` rows from the one at ``start`` on."""
        if start == 0 and self.num_rows <= count:
            return self
        cut = {name: values[start : start + count] for name, values in self.columns.items()}
        return ValueRows(cut, min(count, self.num_rows - start))

    def with_all_of(self, names: Sequence[str]) -> ValueRows:
        """The rows that have a value in each of these columns."""
        whole = [None not in row for row in zip(*(self.columns[name] for name in names), strict=True)]
        if all(whole):
            return self
        kept = {name: list(compress(values, whole)) for name, values in self.columns.items()}
        return ValueRows(kept, sum(whole))


class PushTransaction(Protocol):
    """One transaction of pushes: durable and readable once it has ended."""

    def views(self) -> Mapping[str, StoredView]:
        """The views in the table, as this transaction leaves them."""

    def last(self) -> Stamp:
        """The number and arrival of the last row that was pushed; zeros where there is none."""

    def stamp(self, count: int, *, least: int = 0) -> Stamp:
        """The numbers and arrivals of ``count`` more rows. Numbers are greater than ``least``."""

    def seen(self, source: str, ids: Sequence[Any]) -> set[Any]:
        """Those of the ids that were pushed before."""

    def remember(self, source: str, ids: Iterable[tuple[Any, int]], *, before: int) -> None:
        """Keeps ids with their arrivals, and forgets some of those that are from ``before``."""

    def queue(self, source: str, kind: SqlType, rows: Iterable[PushedRow]) -> None:
        """Puts rows, whose values are a struct of ``kind``, into the outbox."""

    def offsets(self, topic: str) -> dict[int, int]:
        """The next offset of each partition of a topic whose messages are pushed."""

    def keep_offsets(self, topic: str, following: Mapping[int, int]) -> None:
        """Notes the next offsets of some partitions, together with the rows of this transaction."""

    def apply(self, view: str, batches: Iterable[Any], *, at: int, seq: int) -> Mapping[str, Outcome]:
        """Applies rows of a view that have arrived up to ``at``, the last of them numbered ``seq``.

        Gives what became of them, by the view's ``known_at`` as text.
        """

    def unlanded(self, source: str, kind: SqlType, *, upto: int | None = None) -> list[PushedRow]:
        """The rows of the outbox, in the order of their numbers."""

    def landing(self, source: str) -> tuple[int, int] | None:
        """The range that is being landed, or was when its process ended."""

    def begin_landing(self, source: str, first: int, until: int) -> None:
        """Notes the range that will be landed."""

    def end_landing(self, source: str, until: int) -> None:
        """Removes landed rows from the outbox."""


class PushTable(Protocol):
    """An online table, open for pushes by one thread."""

    def is_in_place(self) -> bool:
        """Whether the table is still the one at its path."""

    def transaction(self) -> AbstractContextManager[PushTransaction]:
        """A transaction: committed at its end and then durable, undone by any exception."""

    def close(self) -> None:
        """Closes the table."""
