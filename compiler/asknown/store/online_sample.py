"""Reads all rows of views from the online table, to profile them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import pyarrow as pa

from asknown.engines.arrow import arrow_type
from asknown.errors import AsknownError, did_you_mean
from asknown.model.nodes import FeatureView
from asknown.online.reader import OnlineReader
from asknown.plan.statuses import SUFFIX
from asknown.store.training import requested_features
from asknown.store.typed_catalog import TypedCatalog
from asknown.types import SqlType

_ROWS = 10_000  # read at a time


def online_sample(
    catalog: TypedCatalog, reader: OnlineReader, features: str | Sequence[str]
) -> Iterator[tuple[str, pa.Table, list[str]]]:
    """For each view: its name, the present values of its features for all keys with their statuses, and their names.

    On-demand features need inputs and are left out. Raises ``unknown-view`` for a view that is not online.
    """
    asked: dict[str, dict[str, SqlType]] = {}
    for item in requested_features(catalog, features):
        if isinstance(item.view, FeatureView):
            asked.setdefault(item.view.name, {})[item.column.name] = item.column.type
    stored = reader.views()
    for view, kinds in asked.items():
        if view not in stored:
            raise AsknownError(
                "unknown-view",
                f"the online table has no view '{view}'",
                hint=f"load it: asknown materialize {view}; {did_you_mean(view, stored, what='views in the table')}",
            )
        columns: dict[str, list[Any]] = {name: [] for name in (*kinds, *(name + SUFFIX for name in kinds))}
        keys = [key.name for key in stored[view].view.keys]
        for some in _batches(reader.keys(view)):
            rows = [dict(zip(keys, key, strict=True)) for key in some]
            response = reader.get_online_features([f"{view}:{name}" for name in kinds], rows)
            values, statuses = response.to_dict(), response.statuses()
            for name in kinds:
                columns[name] += values[name]
                columns[name + SUFFIX] += statuses[name]
        arrays = {name: _array(columns[name], kind) for name, kind in kinds.items()}
        arrays |= {name + SUFFIX: pa.array(columns[name + SUFFIX], pa.string()) for name in kinds}
        yield view, pa.table(arrays), list(kinds)


def _array(values: list[Any], kind: SqlType) -> pa.Array:
    try:
        return pa.array(values, arrow_type(kind))
    except (pa.ArrowException, TypeError, ValueError, OverflowError):
        return pa.array([None if value is None else str(value) for value in values], pa.string())


def _batches(keys: Iterator[tuple[Any, ...]]) -> Iterator[list[tuple[Any, ...]]]:
    while some := list(islice(keys, _ROWS)):
        yield some
