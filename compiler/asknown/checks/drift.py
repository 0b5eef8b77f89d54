"""Drift: whether two samples of a feature may be of one distribution.

Both samples are counted in the same bins: ten of about equal share in both together for numbers and times, the
most frequent values for everything else, and one each for other values, NaN and NULL. Three distances are computed from
the bins: the population stability index (PSI), the Jensen–Shannon divergence in bits, and the greatest distance of the
cumulative shares (Kolmogorov–Smirnov, KS).

Thresholds follow the sizes of the samples. Without change, PSI is about (1/n + 1/m) · χ²(bins − 1), so a fixed
threshold such as 0.1 raises an alarm in most comparisons of a hundred rows, and in none of many thousands.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Literal

import pyarrow as pa
import pyarrow.compute as pc

from asknown.checks.profile import comparable, counts_of, is_number

BINS = 10
FEWEST = 50
"""Rows that each sample must have."""
SMALL = 0.02
"""A PSI below this is small, also where it is surely no chance."""
ALARMS = 0.01
"""The share of comparisons of all features that raise an alarm by chance, for each of the two tests."""

Verdict = Literal["drift", "small", "same", "too few"]


@dataclass(frozen=True)
class Drift:
    """The distances of one feature in two samples of ``first`` and ``second`` rows.

    ``nulls`` are the shares of NULL in both. ``psi_threshold`` and ``ks_threshold`` are what chance alone hardly
    exceeds at these sizes.
    """

    feature: str
    first: int
    second: int
    nulls: tuple[float, float]
    psi: float
    psi_threshold: float
    jensen_shannon: float
    ks: float
    ks_threshold: float
    verdict: Verdict


def find_drift(first: pa.Table, second: pa.Table, features: Sequence[str]) -> list[Drift]:
    """The drift of each feature from ``first``, the baseline, to ``second``."""
    alpha = ALARMS / max(len(features), 1)
    return [_compare(name, first.column(name), second.column(name), alpha) for name in features]


def _compare(name: str, first: pa.ChunkedArray, second: pa.ChunkedArray, alpha: float) -> Drift:
    n, m = len(first), len(second)
    ours, theirs = _bins(comparable(first), comparable(second))
    used = [(a, b) for a, b in zip(ours, theirs, strict=True) if a or b]
    shares = [((a + 0.5) / (n + len(used) / 2), (b + 0.5) / (m + len(used) / 2)) for a, b in used]
    psi = sum((p - q) * math.log(p / q) for p, q in shares)
    divergence = sum(_half(p, q) + _half(q, p) for p, q in shares)
    ks = _ks(used, n, m)
    spread = 1 / max(n, 1) + 1 / max(m, 1)
    psi_threshold = spread * chi_square(1 - alpha, max(len(used) - 1, 1))
    ks_threshold = math.sqrt(-math.log(alpha / 2) / 2) * math.sqrt(spread)
    verdict: Verdict = "same"
    if min(n, m) < FEWEST:
        verdict = "too few"
    elif psi > psi_threshold or ks > ks_threshold:
        verdict = "drift" if psi >= SMALL else "small"
    nulls = (first.null_count / n if n else 0.0, second.null_count / m if m else 0.0)
    return Drift(name, n, m, nulls, psi, psi_threshold, divergence, ks, ks_threshold, verdict)


def _half(p: float, q: float) -> float:
    return 0.5 * p * math.log2(2 * p / (p + q))


def _ks(counts: Sequence[tuple[int, int]], n: int, m: int) -> float:
    """The greatest distance of the cumulative shares, bin by bin."""
    distance, left, right = 0.0, 0, 0
    for a, b in counts:
        left, right = left + a, right + b
        distance = max(distance, abs(left / max(n, 1) - right / max(m, 1)))
    return distance


def _bins(first: pa.ChunkedArray, second: pa.ChunkedArray) -> tuple[list[int], list[int]]:
    """The rows of both samples by bin, in one order; the last bin is that of NULL."""
    if is_number(first.type) and is_number(second.type):
        first, second = (column.cast(pa.float64(), safe=False) for column in (first, second))
        return _ordered_bins(first, second)
    if first.type == second.type and (pa.types.is_timestamp(first.type) or pa.types.is_date(first.type)):
        return _ordered_bins(first, second)
    ours, theirs = _by_text(counts_of(first)), _by_text(counts_of(second))
    both = _added(ours, theirs)
    kept = sorted(sorted(both, key=lambda value: (-both[value], value))[:BINS])
    return (
        [
            *(ours.get(value, 0) for value in kept),
            sum(ours.values()) - sum(ours.get(v, 0) for v in kept),
            first.null_count,
        ],
        [
            *(theirs.get(value, 0) for value in kept),
            sum(theirs.values()) - sum(theirs.get(v, 0) for v in kept),
            second.null_count,
        ],
    )


def _ordered_bins(first: pa.ChunkedArray, second: pa.ChunkedArray) -> tuple[list[int], list[int]]:
    """The rows by ranges of values of about equal shares, then those with NaN and those with NULL."""
    valid = [_split_nan(pc.drop_null(column)) for column in (first, second)]
    edges = _edges(pa.chunked_array([*valid[0][0].chunks, *valid[1][0].chunks], first.type))
    ours, theirs = (
        [*_in_edges(values, edges), nans, column.null_count]
        for (values, nans), column in zip(valid, (first, second), strict=True)
    )
    return ours, theirs


def _added(first: dict[Any, int], second: dict[Any, int]) -> dict[Any, int]:
    """The counts in both samples together. Bins that one sample alone decided would differ more in the other."""
    return {value: first.get(value, 0) + second.get(value, 0) for value in {**first, **second}}


def _by_text(counts: dict[Any, int]) -> dict[Any, int]:
    found: dict[Any, int] = {}
    for value, count in counts.items():
        found[str(value)] = found.get(str(value), 0) + count
    return found


def _split_nan(values: pa.ChunkedArray) -> tuple[pa.ChunkedArray, int]:
    """The values without NaN, and how many NaN there were."""
    if not pa.types.is_floating(values.type):
        return values, 0
    kept = values.filter(pc.invert(pc.is_nan(values)))
    return kept, len(values) - len(kept)


def _edges(values: pa.ChunkedArray) -> list[pa.Scalar]:
    """The greatest value of each bin but the last, so that the bins have about equal shares."""
    total = len(values)
    if not total:
        return []
    ordered = values.take(pc.sort_indices(values))
    places = (-(-total * part // BINS) - 1 for part in range(1, BINS))
    edges = {ordered[place].as_py(): ordered[place] for place in places}
    edges.pop(ordered[total - 1].as_py(), None)
    return list(edges.values())


def _in_edges(values: pa.ChunkedArray, edges: Sequence[pa.Scalar]) -> list[int]:
    """The number of values of each bin: those up to the first edge, up to the next, …, and those beyond the last."""
    up_to = [0, *(pc.sum(pc.less_equal(values, edge)).as_py() or 0 for edge in edges), len(values)]
    return [after - before for before, after in itertools.pairwise(up_to)]


def chi_square(share: float, degrees: int) -> float:
    """The quantile of the χ² distribution, by the approximation of Wilson and Hilferty."""
    ninth = 2 / (9 * degrees)
    return float(degrees * (1 - ninth + NormalDist().inv_cdf(share) * math.sqrt(ninth)) ** 3)
