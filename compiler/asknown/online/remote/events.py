"""Makes a view's events exactly those of a load, and writes only the keys that differ."""

from __future__ import annotations

import marshal
from collections import Counter
from collections.abc import Iterable
from typing import Any

from asknown.online.batches import StoredRows
from asknown.online.nodes import OnlineView
from asknown.online.remote.hashing import PartChange
from asknown.online.remote.packing import BlockPacker, unpack_events
from asknown.online.remote.scratch import SortedRows, in_pieces
from asknown.online.remote.store import Block, Key, Table, Transaction
from asknown.online.writer import EventCounts, OnRows

_AT_ONCE = 500  # keys


def merge_events(
    transaction: Transaction,
    view: OnlineView,
    table: Table,
    chunks: Iterable[StoredRows],
    *,
    change: PartChange,
    on_rows: OnRows | None,
) -> EventCounts:
    """Writes the events of a load: rows of keys, times (microseconds), hidden columns."""
    assert view.windows is not None
    found, seen = EventCounts(), set[Key]()
    keys = len(view.keys)
    pack = BlockPacker(view).pack
    with SortedRows(keys + len(view.times) + len(view.windows.columns)) as rows:
        for chunk in chunks:
            rows.add(chunk.values)
            found.count(chunk)
            if on_rows is not None:
                on_rows(found.seen)
        packed = ((key, pack(list(zip(*group, strict=True))[keys:])) for key, group in rows.groups(keys))
        for some in in_pieces(packed, _AT_ONCE):
            seen.update(key for key, _ in some)
            _write(transaction, view, table, some, change=change, found=found)
    gone = [key for page in transaction.keys(table, "events") for key in page if key not in seen]
    for keys_gone in in_pieces(gone, _AT_ONCE):
        held = transaction.held(table, "events", keys_gone)
        change.remove(held.items())
        found.removed += sum(_counted(view, blocks).total() for blocks in held.values())
        transaction.remove(table, "events", keys_gone)
    return found


def _write(
    transaction: Transaction,
    view: OnlineView,
    table: Table,
    items: list[tuple[Key, tuple[Block, ...]]],
    *,
    change: PartChange,
    found: EventCounts,
) -> None:
    """Writes the blocks of keys that differ from what the table holds."""
    held: dict[Key, Any] = dict(transaction.held(table, "events", [key for key, _ in items]))
    differing = [(key, blocks) for key, blocks in items if held.get(key) != blocks]
    for key, blocks in differing:
        now, before = _counted(view, blocks), _counted(view, held.get(key, ()))
        found.added += (now - before).total()
        found.removed += (before - now).total()
    change.remove([(key, held[key]) for key, _ in differing if key in held])
    change.add(differing)
    if differing:
        transaction.put(table, "events", differing)


def _counted(view: OnlineView, blocks: Any) -> Counter[bytes]:
    return Counter(marshal.dumps(event, 2) for event in unpack_events(view, blocks))
