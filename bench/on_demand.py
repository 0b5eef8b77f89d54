"""Times eight on-demand expressions: one function as the reader has it, closures, and Python written by hand.

python bench/on_demand.py
"""

from __future__ import annotations

import math
from collections.abc import Callable
from datetime import datetime
from timeit import repeat
from typing import Any

from sqlglot import parse_one

from asknown.model.expressions.write import portable
from asknown.types import parse_type
from asknown.values.expressions import compile_expression
from asknown.values.functions import compile_row

COLUMNS = {
    "amount": ("DOUBLE", 12.5),
    "usual": ("DOUBLE", 40.0),
    "orders": ("BIGINT", 7),
    "name": ("VARCHAR", "Ada@Example.org"),
    "city": ("VARCHAR", "Oslo"),
    "asked_at": ("TIMESTAMP", datetime(2024, 3, 7, 12)),
    "ordered_at": ("TIMESTAMP", datetime(2024, 3, 5, 11, 59)),
    "plan": ("VARCHAR", None),
}
EXPRESSIONS = (
    "amount / nullif(usual, 0)",
    "amount > 3 * usual and orders >= 5",
    "date_diff('hour', ordered_at, asked_at)",
    "extract(hour from asked_at)",
    "lower(split_part(name, '@', 2))",
    "case when amount > 100 then 'high' when amount > 10 then 'middle' else 'low' end",
    "coalesce(plan, 'free') = 'free'",
    "ln(amount + 1)",
)
ROWS = 100


def by_hand(row: tuple[Any, ...]) -> list[Any]:
    """What somebody would write for the same expressions, with NULLs but without the edges."""
    amount, usual, orders, name, _city, asked_at, ordered_at, plan = row
    return [
        None if amount is None or not usual else amount / usual,
        None if amount is None or usual is None or orders is None else amount > 3 * usual and orders >= 5,
        None if ordered_at is None else int(asked_at.timestamp() // 3600 - ordered_at.timestamp() // 3600),
        asked_at.hour,
        None if name is None else [*name.split("@"), ""][1].lower(),
        "low" if amount is None else "high" if amount > 100 else "middle" if amount > 10 else "low",
        (plan or "free") == "free",
        None if amount is None else math.log(amount + 1),
    ]


def trees() -> list[Any]:
    """The expressions over the places of a row."""
    types = {name: parse_type(kind) for name, (kind, _) in COLUMNS.items()}
    places = {name: place for place, name in enumerate(COLUMNS)}

    def at_places(tree: Any) -> Any:
        operation, kind, *parts = tree
        if operation == "column":
            return ("call", kind, places[parts[0]])
        if operation == "literal":
            return tree
        return (operation, kind, *(at_places(part) if isinstance(part, tuple) else part for part in parts))

    return [at_places(portable(parse_one(sql, read="duckdb"), (), types)) for sql in EXPRESSIONS]


def best(run: Callable[[], Any], number: int) -> float:
    """Microseconds of one call, at best."""
    return min(repeat(run, number=number, repeat=9)) / number * 1e6


def main() -> None:
    row = tuple(value for _, value in COLUMNS.values())
    compute = compile_row(trees())
    closures = [compile_expression(tree, {place: place for place in range(len(COLUMNS))}) for tree in trees()]
    ways: dict[str, Callable[[tuple[Any, ...]], list[Any]]] = {
        "by hand": by_hand,
        "one function": compute,
        "closures": lambda values: [evaluate(values, {}) for evaluate in closures],
    }
    hand = by_hand(row)
    for name, way in ways.items():
        assert way(row) == hand, (name, way(row), hand)
    base = best(lambda: by_hand(row), 20_000)
    for name, way in ways.items():
        one = best(lambda way=way: way(row), 20_000)  # type: ignore[misc]
        many = best(lambda way=way: [way(row) for _ in range(ROWS)], 200)  # type: ignore[misc]
        print(f"{name:<14}{one:8.2f} µs a row  {one / base:5.1f} ×   {many / 1000:6.3f} ms for {ROWS} rows")


if __name__ == "__main__":
    main()
