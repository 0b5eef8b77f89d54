"""The protocol of a store on a server, and the values that it exchanges.

A store keeps small documents, and for each generation of a view four parts, each a map from keys. It knows nothing of
what they mean: time, order, windows, statuses and loads are decided by the rest of this package, once for all stores.

All cells are in the *stored form* of :mod:`asknown.online.codec`: ``int``, ``float``, ``str``, ``bytes`` or None. A NaN
is the text ``'NaN'``, an instant has 26 characters, so that equal values are always equal cells.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol

from asknown.addresses import StoreAddress
from asknown.types import Column

Cell = int | float | str | bytes | None
Key = tuple[Cell, ...]
"""The cells of a view's key columns; empty for a view without keys. A key with a None in it matches no row."""

Row = tuple[Cell, ...]
"""One row of a view: a cell for each of the table's columns, keys and times among them."""

Block = tuple[int, bytes]
"""Some events of a key, packed: the event time (microseconds) from which on they are, and the bytes."""

Value = Row | tuple[Block, ...] | bytes
"""A part's content for one key: of ``rows`` a row, of ``events`` the blocks in order of time, of the others bytes."""

Part = Literal["rows", "events", "ahead", "pushed"]
"""The newest row of each key; the events of its windows; its rows dated ahead; its events that no load has seen."""

OnWait = Callable[[str], None]


@dataclass(frozen=True)
class Strength:
    """The promises of a store, in words for the table of docs/online.md and for ``asknown doctor``.

    The flags say the same to the tests, which use them only to leave out a step: ``whole_loads`` that an incremental
    load is seen whole or not at all, ``keeps_rows`` that no row leaves by itself.
    """

    one_state: str
    loads: str
    newest_wins: str
    durable: str
    rows_stay: str
    content: str
    whole_loads: bool
    keeps_rows: bool


PROMISES: dict[str, str] = {
    "one_state": "one state for all views of a read",
    "loads": "a load is seen whole or not at all",
    "newest_wins": "newest wins",
    "durable": "acknowledged means durable",
    "rows_stay": "rows never leave by themselves",
    "content": "content hash for `doctor`",
}
"""The subject of each field in words, as docs/online.md and ``asknown doctor`` say it."""


@dataclass(frozen=True)
class Document:
    """A small text in the store. Its version changes whenever its meaning for a plan does."""

    version: str
    body: str


@dataclass(frozen=True)
class Table:
    """One generation of a view: where its parts lie. ``generation`` is unique, and made of ``[0-9a-f]`` only.

    ``event_time`` is the place of the event time among ``columns``; ``ttl`` (microseconds) is that of the view, for
    stores in which rows expire.
    """

    view: str
    generation: str
    keys: tuple[Column, ...]
    columns: tuple[Column, ...]
    event_time: int
    ttl: int | None


@dataclass(frozen=True)
class Span:
    """The events that a read needs, from ``oldest`` to ``newest`` (microseconds, both included).

    Where ``marks`` are given, only the last block that begins before each of them is needed. A store may always give
    more blocks than were asked for.
    """

    oldest: int
    newest: int
    marks: tuple[int, ...] = ()


@dataclass(frozen=True)
class Get:
    """One read of one view: ``columns`` are places among the table's columns, of which the first is the event time.

    ``keys`` may repeat a key. ``columns`` may be empty, where only windows are read.
    """

    table: Table
    keys: Sequence[Key]
    columns: tuple[int, ...]
    events: Span | None = None
    ahead: bool = False
    pushed: bool = False


@dataclass(frozen=True)
class Got:
    """The rows and parts that a :class:`Get` found, each in the order of its keys.

    ``columns`` has a sequence of cells for each column, with None where the key has no row. The others have a value
    for each key (None: nothing), and are empty where they were not asked for. A NaN may be a float here.
    """

    columns: Sequence[Sequence[Cell]]
    events: Sequence[tuple[Block, ...] | None] = ()
    ahead: Sequence[bytes | None] = ()
    pushed: Sequence[bytes | None] = ()


@dataclass(frozen=True)
class Found:
    """The answer of a fetch: the versions of the documents asked for (None: not there), and what each get found."""

    told: Sequence[str | None]
    got: Sequence[Got]


class Transaction(Protocol):
    """Writes by one writer at a time. Its own reads see its own writes."""

    def documents(self) -> Mapping[str, Document]:
        """All documents, by name."""

    def write(self, name: str, document: Document | None) -> None:
        """Puts a document in the place of the one of this name; None removes it."""

    def create(self, table: Table) -> None:
        """Makes an empty generation."""

    def retire(self, table: Table) -> None:
        """Notes that a generation is not needed once this transaction is committed.

        The store removes it ten minutes later, in a later transaction, so that reads under way find their rows.
        """

    def held(self, table: Table, part: Part, keys: Sequence[Key]) -> Mapping[Key, Value]:
        """A part's content for these keys; keys of which it holds nothing are left out."""

    def keys(self, table: Table, part: Part) -> Iterator[Sequence[Key]]:
        """All keys of a part, some at a time, each once."""

    def put(self, table: Table, part: Part, items: Iterable[tuple[Key, Value]]) -> None:
        """Writes whole values, over those that the keys have."""

    def fill(self, table: Table, keys: Sequence[Key], columns: Sequence[Sequence[Cell]]) -> None:
        """Writes the rows of new keys into a generation that this transaction has made: the cells of each column."""

    def append(self, table: Table, items: Iterable[tuple[Key, bytes]]) -> None:
        """Writes bytes behind those that the keys have in the part ``pushed``."""

    def remove(self, table: Table, part: Part, keys: Iterable[Key]) -> None:
        """Removes keys from a part; a key that is not there is no error."""

    def clear(self, table: Table, part: Part) -> None:
        """Removes all keys from a part."""

    # -- pushes ------------------------------------------------------------------------------------------------

    def seen(self, source: str, ids: Sequence[Cell]) -> set[Cell]:
        """Those of the ids that were remembered before and are not forgotten."""

    def remember(self, source: str, ids: Sequence[tuple[Cell, int]], *, before: int) -> None:
        """Keeps ids with their arrivals (microseconds), and may forget those that arrived before ``before``."""

    def queue(self, source: str, rows: Sequence[tuple[int, int, str]]) -> None:
        """Puts rows into the outbox: number, arrival, text."""

    def queued(self, source: str, *, upto: int | None = None) -> list[tuple[int, int, str]]:
        """The rows of the outbox, in the order of their numbers, up to a number."""

    def unqueue(self, source: str, upto: int) -> None:
        """Removes the rows up to a number from the outbox."""


class RemoteStore(Protocol):
    """A store on a server. Threads may share it, and a process that forks may go on with it: connections are its own.

    The constructor does no more than import the client library (``missing-extra``) and read the address. A connection
    that breaks is opened again once in a call that only reads; a transaction that breaks is an error. Errors:
    ``online-server`` where the server is away, too slow or refuses the login, ``online-settings`` where its settings
    could lose rows.
    """

    strength: ClassVar[Strength]

    def __init__(self, address: StoreAddress) -> None: ...

    def check_reads(self) -> None:
        """Refuses a server that may drop rows by itself, or that cannot serve reads in one state."""

    def check_pushes(self) -> None:
        """Refuses a server that may lose what it has acknowledged."""

    def documents(self) -> Mapping[str, Document]:
        """All documents, by name, in one state of the store; none where nothing was ever written."""

    def fetch(self, facts: Mapping[str, str | None], tell: Sequence[str], gets: Sequence[Get]) -> Found | None:
        """Values and facts in one round trip and of one state of the store.

        ``facts`` are versions that documents must have (None: must not be there); the answer is None if one has
        another, or a generation is gone. ``tell`` names documents whose versions are wanted.
        """

    def keys(self, table: Table, part: Part) -> Iterator[Sequence[Key]]:
        """All keys of a part, some at a time, each once."""

    def scan(self, table: Table, part: Part) -> Iterator[Sequence[tuple[Key, Value]]]:
        """All that a part holds, some at a time, each key once."""

    def has_queued(self, sources: Sequence[str]) -> bool:
        """Whether the outbox has rows of one of these sources."""

    def transaction(
        self, *, wait: float, on_wait: OnWait | None = None, durable: bool = False
    ) -> AbstractContextManager[Transaction]:
        """A transaction, under the lock of writers: committed at its end, undone by any exception.

        Waits up to ``wait`` seconds for another writer; ``on_wait`` is told, once, that it does. Where it is
        ``durable``, it is on disk when the block has ended.
        """

    def load_lock(self, *, wait: float, on_wait: OnWait | None = None) -> AbstractContextManager[None]:
        """The lock of one load, or of one landing of rows; pushes do not take it. Waits as a transaction does."""

    def describe(self) -> Sequence[tuple[str, str]]:
        """Facts about the server for ``asknown doctor``, as (name, value): its version, the settings that matter."""

    def interrupt(self, thread: int) -> None:
        """Stops the call that the thread (by its ident) runs now, if any."""

    def close(self) -> None:
        """Closes the connections of all threads."""
