"""An online store in this process's memory: the least that a backend needs, for the conformance suite and for reading.

A commit puts a new state in the place of the old one, so readers see all of a transaction or nothing of it.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, ClassVar

from asknown.addresses import StoreAddress
from asknown.errors import AsknownError
from asknown.online.remote.store import Cell, Document, Found, Get, Got, Key, Part, Strength, Table, Value

Parts = dict[tuple[str, str, Part], dict[Key, Any]]
Outbox = dict[str, list[tuple[int, int, str]]]
PARTS: tuple[Part, ...] = ("rows", "events", "ahead", "pushed")


@dataclass
class State:
    """All that is in a store. A state that readers may see does not change."""

    documents: dict[str, Document] = field(default_factory=dict)
    parts: Parts = field(default_factory=dict)
    ids: dict[tuple[str, Cell], int] = field(default_factory=dict)
    outbox: Outbox = field(default_factory=dict)


class Space:
    """What all stores at one address share: the state, and the two locks."""

    def __init__(self) -> None:
        self.state = State()
        self.writers, self.loads = threading.Lock(), threading.Lock()


SPACES: dict[str, Space] = {}


class MemoryTransaction:
    """Writes into a copy of the state."""

    def __init__(self, state: State) -> None:
        parts = {place: dict(held) for place, held in state.parts.items()}
        outbox = {source: list(rows) for source, rows in state.outbox.items()}
        self.state = State(dict(state.documents), parts, dict(state.ids), outbox)
        self.retired: list[Table] = []

    def documents(self) -> Mapping[str, Document]:
        return dict(self.state.documents)

    def write(self, name: str, document: Document | None) -> None:
        self.state.documents.pop(name, None)
        if document is not None:
            self.state.documents[name] = document

    def create(self, table: Table) -> None:
        for part in PARTS:
            self.state.parts[table.view, table.generation, part] = {}

    def retire(self, table: Table) -> None:
        self.retired.append(table)

    def committed(self) -> State:
        """The new state, without the generations that are not needed any more. Readers under way have the old state."""
        for table in self.retired:
            for part in PARTS:
                del self.state.parts[table.view, table.generation, part]
        return self.state

    def held(self, table: Table, part: Part, keys: Sequence[Key]) -> Mapping[Key, Value]:
        found = self._part(table, part)
        return {key: found[key] for key in keys if key in found}

    def keys(self, table: Table, part: Part) -> Iterator[Sequence[Key]]:
        yield list(self._part(table, part))

    def put(self, table: Table, part: Part, items: Iterable[tuple[Key, Value]]) -> None:
        self._part(table, part).update(items)

    def fill(self, table: Table, keys: Sequence[Key], columns: Sequence[Sequence[Cell]]) -> None:
        self.put(table, "rows", zip(keys, zip(*columns, strict=True), strict=True))

    def append(self, table: Table, items: Iterable[tuple[Key, bytes]]) -> None:
        held = self._part(table, "pushed")
        for key, data in items:
            held[key] = held.get(key, b"") + data

    def remove(self, table: Table, part: Part, keys: Iterable[Key]) -> None:
        for key in keys:
            self._part(table, part).pop(key, None)

    def clear(self, table: Table, part: Part) -> None:
        self._part(table, part).clear()

    def seen(self, source: str, ids: Sequence[Cell]) -> set[Cell]:
        return {one for one in ids if (source, one) in self.state.ids}

    def remember(self, source: str, ids: Sequence[tuple[Cell, int]], *, before: int) -> None:
        self.state.ids.update({(source, one): at for one, at in ids})

    def queue(self, source: str, rows: Sequence[tuple[int, int, str]]) -> None:
        self.state.outbox.setdefault(source, []).extend(rows)

    def queued(self, source: str, *, upto: int | None = None) -> list[tuple[int, int, str]]:
        return [row for row in self.state.outbox.get(source, ()) if upto is None or row[0] <= upto]

    def unqueue(self, source: str, upto: int) -> None:
        self.state.outbox[source] = [row for row in self.state.outbox.get(source, ()) if row[0] > upto]

    def _part(self, table: Table, part: Part) -> dict[Key, Any]:
        return self.state.parts[table.view, table.generation, part]


class MemoryStore:
    """The store of an address, which lives as long as the process."""

    strength: ClassVar[Strength] = Strength(
        one_state="yes",
        loads="yes",
        newest_wins="under the lock of writers",
        durable="no: it ends with the process",
        rows_stay="yes",
        content="all rows",
        whole_loads=True,
        keeps_rows=True,
    )

    def __init__(self, address: StoreAddress) -> None:
        self._address = address
        self._space = SPACES.setdefault(address.url + address.space, Space())

    def check_reads(self) -> None: ...

    def check_pushes(self) -> None: ...

    def documents(self) -> Mapping[str, Document]:
        return dict(self._space.state.documents)

    def fetch(self, facts: Mapping[str, str | None], tell: Sequence[str], gets: Sequence[Get]) -> Found | None:
        state = self._space.state
        version = {name: document.version for name, document in state.documents.items()}
        if any(version.get(name) != wanted for name, wanted in facts.items()):
            return None
        return Found([version.get(name) for name in tell], [self._get(state.parts, get) for get in gets])

    def _get(self, parts: Parts, get: Get) -> Got:
        def of(part: Part) -> list[Any]:
            held = parts[get.table.view, get.table.generation, part]
            return [held.get(key) for key in get.keys]

        rows = of("rows")
        columns = [[None if row is None else row[place] for row in rows] for place in get.columns]
        ahead, pushed = of("ahead") if get.ahead else (), of("pushed") if get.pushed else ()
        return Got(columns, of("events") if get.events is not None else (), ahead, pushed)

    def keys(self, table: Table, part: Part) -> Iterator[Sequence[Key]]:
        yield list(self._space.state.parts[table.view, table.generation, part])

    def scan(self, table: Table, part: Part) -> Iterator[Sequence[tuple[Key, Value]]]:
        yield list(self._space.state.parts[table.view, table.generation, part].items())

    def has_queued(self, sources: Sequence[str]) -> bool:
        return any(self._space.state.outbox.get(source) for source in sources)

    @contextmanager
    def transaction(
        self, *, wait: float, on_wait: Callable[[str], None] | None = None, durable: bool = False
    ) -> Iterator[MemoryTransaction]:
        with self._locked(self._space.writers, wait):
            transaction = MemoryTransaction(self._space.state)
            yield transaction
            self._space.state = transaction.committed()

    @contextmanager
    def load_lock(self, *, wait: float, on_wait: Callable[[str], None] | None = None) -> Iterator[None]:
        with self._locked(self._space.loads, wait):
            yield

    @contextmanager
    def _locked(self, lock: threading.Lock, wait: float) -> Iterator[None]:
        if not lock.acquire(timeout=wait):
            raise AsknownError("online-write", f"another load is writing the {self._address}")
        try:
            yield
        finally:
            lock.release()

    def describe(self) -> Sequence[tuple[str, str]]:
        return [("version", "memory")]

    def interrupt(self, thread: int) -> None: ...

    def close(self) -> None: ...
