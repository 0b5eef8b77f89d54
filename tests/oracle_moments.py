"""The oracle's moments, covariances and regressions: exact fractions of finite numbers."""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any

OVER_PAIRS = ("regr_slope", "regr_intercept", "corr", "covar_pop", "covar_samp")
MOMENTS = {"skewness": 3, "kurtosis": 4, "kurtosis_pop": 2}
"""The least number of values of each."""


def over_pairs(name: str, pairs: Sequence[tuple[Any, Any]]) -> float | None:
    """An aggregate of pairs (y, x) of finite numbers, by exact fractions."""
    ys, xs = ([Fraction(float(pair[place])) for pair in pairs] for place in (0, 1))
    count = len(pairs)
    y, x = sum(ys) / count, sum(xs) / count
    xx, yy = sum((a - x) ** 2 for a in xs), sum((b - y) ** 2 for b in ys)
    xy = sum((a - x) * (b - y) for a, b in zip(xs, ys, strict=True))
    match name:
        case "covar_pop":
            return float(xy / count)
        case "covar_samp":
            return float(xy / (count - 1)) if count > 1 else None
        case "corr":
            return float(xy) / math.sqrt(xx * yy) if xx and yy else None
        case "regr_slope":
            return float(xy / xx) if xx else None
    return float(y - xy / xx * x) if xx else None


def moment(name: str, values: Sequence[Any]) -> float | None:
    """A moment of finite numbers, by exact fractions."""
    numbers = [Fraction(float(value)) for value in values]
    n = len(numbers)
    mean = sum(numbers) / n
    two, three, four = (sum((v - mean) ** power for v in numbers) / n for power in (2, 3, 4))
    if n < MOMENTS[name] or not two:
        return None
    if name == "skewness":
        return math.sqrt(n * (n - 1)) / (n - 2) * float(three) / float(two) ** 1.5
    excess = four / two**2 - 3
    return float(excess if name == "kurtosis_pop" else ((n + 1) * excess + 6) * (n - 1) / ((n - 2) * (n - 3)))
