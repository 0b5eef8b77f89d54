"""The rows that were pushed and have not landed, as a remote store keeps them."""

from __future__ import annotations

from asknown.online.codec import decoder
from asknown.online.pushes import PushedRow
from asknown.online.remote.store import Transaction
from asknown.types import SqlType


def unlanded(transaction: Transaction, source: str, kind: SqlType, *, upto: int | None = None) -> list[PushedRow]:
    """The rows of a source in the outbox, in the order of their numbers. Their values are a struct of ``kind``."""
    decode = decoder(kind)
    assert decode is not None
    return [PushedRow(seq, at, decode(text)) for seq, at, text in transaction.queued(source, upto=upto)]
