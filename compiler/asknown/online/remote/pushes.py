"""An online table in a remote store, open for pushes: ids, numbers and arrivals, the outbox, and what lands of it.

A push is one durable transaction of the store. Numbers and arrivals come from the store inside the transaction, so they
increase together, whichever process writes. One thread uses an object of this module.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from uuid import uuid4

from asknown.addresses import StoreAddress
from asknown.online.codec import json_encoder
from asknown.online.nodes import Owner, StoredView
from asknown.online.pushes import Outcome, PushedRow, Stamp
from asknown.online.remote import documents as docs
from asknown.online.remote.documents import Placed
from asknown.online.remote.outbox import unlanded
from asknown.online.remote.pushed import apply_rows
from asknown.online.remote.store import Document, RemoteStore, Transaction
from asknown.types import SqlType


class RemotePushTable:
    """The online table of ``owner`` in ``store``, open for pushes. Waits ``timeout`` seconds for other writers."""

    def __init__(self, store: RemoteStore, address: StoreAddress, owner: Owner, *, timeout: float = 60.0) -> None:
        self._store = store
        self._address = address
        self._owner = owner
        self._timeout = timeout
        try:
            store.check_reads()
            store.check_pushes()
        except BaseException:
            store.close()
            raise

    def is_in_place(self) -> bool:
        """Whether the table is still the one at its address: each transaction looks at it anew."""
        return True

    @contextmanager
    def transaction(self) -> Iterator[RemotePushTransaction]:
        """A transaction: committed at its end and then durable, undone by any exception."""
        with self._store.transaction(wait=self._timeout, durable=True) as transaction:
            found = transaction.documents()
            state = docs.read_state(found, self._address, self._owner)
            for name, why in state.broken.items():
                raise docs.broken_view(self._address, name, why)
            if docs.LAYOUT_NAME not in found:
                transaction.write(docs.LAYOUT_NAME, docs.layout_document())
            if docs.OWNER not in found:
                transaction.write(docs.OWNER, docs.owner_document(self._owner))
            pushes = RemotePushTransaction(transaction, dict(state.views), found)
            yield pushes
            pushes.finish()

    def close(self) -> None:
        """Closes the store."""
        self._store.close()


class RemotePushTransaction:
    """The writes of one transaction, as :class:`asknown.online.pushes.PushTransaction` says."""

    def __init__(self, transaction: Transaction, views: dict[str, Placed], documents: Mapping[str, Document]) -> None:
        self._transaction = transaction
        self._views = views
        self._landing = {
            name.removeprefix(docs.LANDING): json.loads(document.body)
            for name, document in documents.items()
            if name.startswith(docs.LANDING)
        }
        self._last = docs.read_commit(documents)
        self._changed: set[str] = set()

    def views(self) -> dict[str, StoredView]:
        """The views in the store, as this transaction leaves them."""
        return {name: placed.stored for name, placed in self._views.items()}

    def last(self) -> Stamp:
        """The number and arrival of the last row that was pushed; zeros where there is none."""
        return self._last

    def stamp(self, count: int, *, least: int = 0) -> Stamp:
        """The numbers and arrivals of ``count`` more rows. Numbers are greater than ``least``."""
        last = self._last
        stamp = Stamp(max(last.seq, least) + 1, max(time.time_ns() // 1_000, last.at + 1))
        self._last = Stamp(stamp.seq + count - 1, stamp.at + count - 1)
        self._transaction.write(docs.COMMIT, docs.commit_document(self._last))
        return stamp

    def seen(self, source: str, ids: Sequence[Any]) -> set[Any]:
        """Those of the ids that were pushed before."""
        return self._transaction.seen(source, ids) if ids else set()

    def remember(self, source: str, ids: Iterable[tuple[Any, int]], *, before: int) -> None:
        """Keeps ids with their arrivals, and forgets some of those that are from ``before``."""
        self._transaction.remember(source, list(ids), before=before)

    def queue(self, source: str, kind: SqlType, rows: Iterable[PushedRow]) -> None:
        """Puts rows, whose values are a struct of ``kind``, into the outbox."""
        encode = json_encoder(kind)
        self._transaction.queue(source, [(row.seq, row.at, encode(row.values)) for row in rows])

    def offsets(self, topic: str) -> dict[int, int]:
        """The next offset of each partition of a topic whose messages are pushed."""
        document = self._transaction.documents().get(f"{docs.OFFSETS}{topic}")
        return {} if document is None else {int(partition): at for partition, at in json.loads(document.body).items()}

    def keep_offsets(self, topic: str, following: Mapping[int, int]) -> None:
        """Notes the next offsets of some partitions, together with the rows of this transaction."""
        noted = json.dumps(self.offsets(topic) | dict(following))
        self._transaction.write(f"{docs.OFFSETS}{topic}", Document("1", noted))

    def apply(self, view: str, batches: Iterable[Any], *, at: int, seq: int) -> Mapping[str, Outcome]:
        """Applies rows of a view that have arrived up to ``at``, the last of them numbered ``seq``."""
        applied = apply_rows(self._transaction, self._views[view], batches, at=at, seq=seq)
        placed = applied.placed
        if applied.remade:
            placed = replace(placed, stored=replace(placed.stored, load_id=uuid4().hex))
            name = f"{docs.VIEW}{view}"
            self._transaction.write(name, docs.view_documents(placed)[name])
        self._views[view] = placed
        self._changed.add(view)
        return applied.outcomes

    def finish(self) -> None:
        """Writes what the store says of the views that have changed."""
        for name in self._changed:
            self._transaction.write(f"{docs.PUSHES}{name}", docs.pushed(self._views[name].stored))

    # -- landing -------------------------------------------------------------------------------------------------

    def unlanded(self, source: str, kind: SqlType, *, upto: int | None = None) -> list[PushedRow]:
        """The rows of the outbox, in the order of their numbers."""
        return unlanded(self._transaction, source, kind, upto=upto)

    def landing(self, source: str) -> tuple[int, int] | None:
        """The range that is being landed, or was when its process ended."""
        noted = self._landing.get(source)
        return None if noted is None else (noted[0], noted[1])

    def begin_landing(self, source: str, first: int, until: int) -> None:
        """Notes the range that will be landed."""
        self._landing[source] = [first, until]
        self._transaction.write(f"{docs.LANDING}{source}", Document("1", json.dumps([first, until])))

    def end_landing(self, source: str, until: int) -> None:
        """Removes landed rows from the outbox."""
        self._transaction.unqueue(source, until)
        self._landing.pop(source, None)
        self._transaction.write(f"{docs.LANDING}{source}", None)


def has_unlanded(store: RemoteStore, sources: Iterable[str]) -> bool:
    """Whether the store has rows of one of these sources that have not landed, or are landing."""
    names = list(sources)
    if store.has_queued(names):
        return True
    found = store.documents()
    return any(f"{docs.LANDING}{name}" in found for name in names)
