"""The table that the features are computed from: payments of cards, with ties, NULLs, late rows and edits."""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from typing import Any

import pyarrow as pa

Row = dict[str, Any]

START = datetime(2024, 1, 1)
CARDS = (1, 2, 3, 4)
UNSEEN = 9
TYPES = {
    "card": pa.int64(), "ts": pa.timestamp("us"), "known": pa.timestamp("us"), "amount": pa.float64(),
    "cents": pa.int64(), "merchant": pa.string(), "category": pa.string(), "declined": pa.bool_(), "kind": pa.string(),
    "balance": pa.float64(), "clicked": pa.bool_(), "body": pa.string(),
}  # fmt: skip


def make_rows() -> list[Row]:
    """The payments as they were first: 40 days of four cards, one of which has many and one a single row."""
    choose = random.Random(16)
    rows = []
    for card, count in zip(CARDS, (90, 40, 12, 1), strict=True):
        at = START
        for _ in range(count):
            # Half of the gaps are short, so that there are sessions; some are none, so that there are ties.
            gap = choose.choice((0, 60, 600, 1800, 1801, 5000, 40_000, 86_400, 200_000))
            at += timedelta(seconds=gap * (40 / count) ** 0.5 // 1)
            rows.append(make_row(choose, card, at))
    return rows


def make_row(choose: random.Random, card: int, at: datetime) -> Row:
    cents = choose.choice((None, 0, 100, 250, 250, 999, 12_345))
    return {
        "card": card,
        "ts": at,
        "known": at + timedelta(hours=choose.choice((0, 0, 1, 30, 200))),
        "amount": None if cents is None else cents / 100 + choose.choice((0.0, 0.1)),
        "cents": cents,
        "merchant": choose.choice(("m1", "m2", "m3", "é", None)),
        "category": choose.choice(("food", "fuel", "food", "toys", None)),
        "declined": choose.choice((True, True, False, None)),
        "kind": choose.choice(("payment", "payment", "dispute", None)),
        "balance": choose.choice((None, 10.5, 200.0, -3.25, 77.0, 0.1)),
        "clicked": choose.choice((True, False, None)),
        "body": choose.choice(("", "short", "a longer text", None)),
    }


def edit(rows: list[Row]) -> list[Row]:
    """The payments as they are later: some have changed, one in nine has left, and late ones have come between them."""
    choose = random.Random(17)
    kept = []
    for place, row in enumerate(rows):
        if place % 9 == 4:
            continue
        kept.append({**row, **({"cents": 77, "amount": 0.77, "declined": False} if place % 7 == 0 else {})})
    late = [make_row(choose, row["card"], row["ts"] + timedelta(minutes=7)) for row in rows[::6]]
    return [*kept, *late]


def as_table(rows: list[Row]) -> pa.Table:
    """The rows in an order that has nothing to do with time."""
    mixed = random.Random(3).sample(rows, len(rows))
    return pa.table({name: pa.array([row[name] for row in mixed], kind) for name, kind in TYPES.items()})
