"""Compares columns of two results of the same query by equality to the bit (NaN equals NaN, 0.0 is not -0.0)."""

from __future__ import annotations

import math
import struct
from decimal import Decimal
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

ULPS = 2
"""Floats that differ by no more may be sums in another order of rows."""
NEAR = 1e-9
"""Relative distance of floats that sums in another order of rows may have, where more is computed from them."""


def differing(left: pa.ChunkedArray, right: pa.ChunkedArray) -> list[int]:
    """The places at which two columns of one type and length differ."""
    if _bits(left).equals(_bits(right)):
        return []
    pairs = zip(left.to_pylist(), right.to_pylist(), strict=True)
    return [place for place, (one, other) in enumerate(pairs) if not same(one, other)]


def _bits(column: pa.ChunkedArray) -> pa.Array:
    """The column in a form that is equal where its values are the same to the bit."""
    values = column.combine_chunks()
    if isinstance(values, pa.ChunkedArray):  # of no chunks
        values = pa.concat_arrays(values.chunks) if values.chunks else pa.array([], column.type)
    if pa.types.is_floating(values.type) and values.type.bit_width >= 32:
        canonical = pc.if_else(pc.is_nan(values), pa.scalar(math.nan, values.type), values)
        return canonical.view(pa.int64() if values.type.bit_width == 64 else pa.int32())
    return values


def same(one: Any, other: Any) -> bool:
    """Whether two values are the same to the bit."""
    if isinstance(one, float) and isinstance(other, float):
        return struct.pack("d", one) == struct.pack("d", other) or (math.isnan(one) and math.isnan(other))
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, dict) and isinstance(other, dict):
        return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
    return bool(one == other) and type(one) is type(other)


def same_value(one: Any, other: Any, *, near: float = 0.0) -> bool:
    """Whether two values are the same to the bit, or floats within ``near`` of each other, relatively.

    A wide integer and its decimal without digits behind the point are one value.
    """
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(same_value(a, b, near=near) for a, b in zip(one, other, strict=True))
    if isinstance(one, Decimal) and isinstance(other, int) and not isinstance(other, bool):
        return one == other
    if isinstance(other, Decimal) and isinstance(one, int) and not isinstance(one, bool):
        return one == other
    if near and isinstance(one, float) and isinstance(other, float) and math.isclose(one, other, rel_tol=near):
        return True
    return same(one, other)


def is_rounding(one: Any, other: Any, *, near: bool = False) -> bool:
    """Whether two values are floats that differ by no more than a sum in another order of rows may.

    ``near``: it is known that the order of rows changes them, so values within :data:`NEAR` count as well.
    """
    if not (isinstance(one, float) and isinstance(other, float)) or not (math.isfinite(one) and math.isfinite(other)):
        return False
    close = near and math.isclose(one, other, rel_tol=NEAR)
    return close or abs(one - other) <= ULPS * math.ulp(max(abs(one), abs(other)))
