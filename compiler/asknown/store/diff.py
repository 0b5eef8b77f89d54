"""How many values a change of the project changes: applied and present versions of views over one spine."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from asknown.changes.nodes import ViewChange

if TYPE_CHECKING:
    import pyarrow as pa

    from asknown.store.feature_store import FeatureStore

_ULPS = 2  # floats that differ by no more are told apart: another order of a sum may do that


@dataclass(frozen=True)
class FeatureDiff:
    """The differences in one feature over ``rows`` rows of a spine.

    ``changed`` counts all rows whose values differ by more than rounding; ``appeared`` those of them where NULL became
    a value, ``vanished`` the reverse. ``first`` is the spine row of the first of them, with the value before and after.
    """

    view: str
    feature: str
    rows: int
    changed: int
    appeared: int
    vanished: int
    rounding: int
    first: tuple[dict[str, Any], Any, Any] | None


def diff_values(
    store: FeatureStore, changes: Sequence[ViewChange], spine: Any, rows: int, *, applied: bool = False
) -> list[FeatureDiff]:
    """The differences of each feature that both versions of a changed view have, over the first ``rows`` of a spine.

    The newer version is the one in the project's files, or with ``applied`` the registry's.
    """
    found: list[FeatureDiff] = []
    is_model = isinstance(spine, str) and spine in store.project.models
    table: pa.Table | None = store.preview(spine, rows) if is_model else None
    for change in changes:
        if change.before is None or change.after is None:
            continue
        later = store.at_version(f"{change.view}@v{change.after}")[0] if applied else store
        now = later.lineage(change.view)
        before, view = store.at_version(f"{change.view}@v{change.before}")
        shared = [name for name in before.lineage(view) if name in now]
        if not shared:
            continue
        asked = [f"{change.view}:{name}" for name in shared]
        given = spine if table is None else table
        new = later.get_historical_features(given, asked, full_feature_names=True).to_arrow()
        if table is None:
            table = new.select(new.column_names[: -len(shared)]).slice(0, rows)
        new = new.slice(0, rows)
        old = before.get_historical_features(table, asked, full_feature_names=True).to_arrow()
        found += _compare(change.view, shared, old, new)
    return found


def _compare(view: str, features: Sequence[str], old: pa.Table, new: pa.Table) -> Iterator[FeatureDiff]:
    spine = new.select(new.column_names[: -len(features)])
    for name in features:
        column = f"{view}__{name}"
        pairs = list(zip(old.column(column).to_pylist(), new.column(column).to_pylist(), strict=True))
        differ = [place for place, (before, after) in enumerate(pairs) if not _same(before, after)]
        near = [place for place in differ if _is_rounding(*pairs[place])]
        changed = [place for place in differ if place not in set(near)]
        first = None
        if changed:
            (row,) = spine.slice(changed[0], 1).to_pylist()
            first = (row, *pairs[changed[0]])
        yield FeatureDiff(
            view,
            name,
            len(pairs),
            len(changed),
            sum(pairs[place][0] is None for place in changed),
            sum(pairs[place][1] is None for place in changed),
            len(near),
            first,
        )


def _same(before: Any, after: Any) -> bool:
    if isinstance(before, float) and isinstance(after, float) and math.isnan(before) and math.isnan(after):
        return True
    return bool(before == after) if before is not None and after is not None else before is after


def _is_rounding(before: Any, after: Any) -> bool:
    if not (isinstance(before, float) and isinstance(after, float) and math.isfinite(before) and math.isfinite(after)):
        return False
    return abs(before - after) <= _ULPS * max(math.ulp(before), math.ulp(after))
