"""Computes aggregates from how often each value occurs. Zeros have no sign here, and all NaNs are one value.

The reader imports this module, so it needs the standard library alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from asknown.types import SqlType
from asknown.values.order import sorter

Counts = Mapping[Any, int]
"""The number of rows of each value."""

FinishCounts = Callable[[Counts], Any]
"""Takes the counts of a window's values; returns the aggregate."""


def count_values(kind: SqlType, values: Iterable[Any], state: Iterable[tuple[Any, int]] = ()) -> Counter[Any]:
    """The counts of these values, and of others that are counted already."""
    counts = Counter(dict(state))
    counts.update(values)
    if kind.kind == "float":
        _unite(counts)
    return counts


def _unite(counts: Counter[float]) -> None:
    """Makes the keys of counts of doubles 0.0 for -0.0 too, and one NaN for all."""
    if 0.0 in counts:
        counts[0.0] = counts.pop(0.0)  # the key was the zero that came first
    unordered = [value for value in counts if value != value]  # noqa: PLR0124
    if unordered:
        counts[math.nan] = sum(counts.pop(value) for value in unordered)


def counts_finisher(name: str, kind: SqlType, number: int) -> FinishCounts:
    """The function that computes an aggregate of :data:`COUNTED` over values of this type; ``number`` is that of
    ``top_k``."""
    if name == "count_distinct":
        return len
    if name == "entropy":
        return _entropy
    ascending, finish = sorter(kind), _ORDERED[name]

    def finish_counts(counts: Counts) -> Any:
        return finish([(value, counts[value]) for value in ascending(counts)], number)

    return finish_counts


def _entropy(counts: Counts) -> float:
    """The entropy of the values' frequencies in bits."""
    total = sum(counts.values())
    return math.fsum(count / total * math.log2(total / count) for count in counts.values())


_Pairs = Sequence[tuple[Any, int]]
"""The distinct values, least first, with their counts."""


def _list_distinct(pairs: _Pairs, _: int) -> list[Any] | None:
    return [value for value, _ in pairs] or None


def _mode(pairs: _Pairs, _: int) -> Any:
    """The most frequent value; the least of several."""
    return max(pairs, key=lambda pair: pair[1])[0] if pairs else None


def _top_k(pairs: _Pairs, most: int) -> list[Any] | None:
    """The most frequent values; of equally frequent ones the lesser first."""
    return [value for value, _ in sorted(pairs, key=lambda pair: -pair[1])[:most]] or None


def _histogram(pairs: _Pairs, _: int) -> list[dict[str, Any]] | None:
    return [{"key": value, "value": count} for value, count in pairs] or None


_ORDERED: dict[str, Callable[[_Pairs, int], Any]] = {
    "list_distinct": _list_distinct,
    "mode": _mode,
    "top_k": _top_k,
    "histogram": _histogram,
}
COUNTED = ("count_distinct", "entropy", *_ORDERED)
"""The finalizers that need no more than counts."""
