"""The order of rule 3 over stored rows: which of two rows of one key is the newer one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from asknown.online.codec import orders_as_stored, stored_comparison
from asknown.online.nodes import OnlineView
from asknown.types import SqlType


class RowOrder:
    """Compares rows of a view's table: by its times, then by the features in select order, NULLs lowest."""

    def __init__(self, view: OnlineView) -> None:
        names = [column.name for column in view.columns]
        self._times = [names.index(name) for name in view.times]
        self._kept = [(names.index(column.name), _comparison(column.type)) for column in view.kept]

    def is_newer(self, row: Sequence[Any], held: Sequence[Any]) -> bool:
        """Whether ``row`` is greater than ``held``; rows that are the same to the bit are not."""
        for place in self._times:  # text order is time order
            given, other = row[place], held[place]
            if given != other:
                return other is None or (given is not None and bool(given > other))
        for place, compare in self._kept:
            given, other = row[place], held[place]
            if given is None or other is None:
                if given is not other:
                    return other is None
            elif sign := compare(given, other):
                return sign > 0
        return False


def _comparison(kind: SqlType) -> Callable[[Any, Any], int]:
    return _compare_stored if orders_as_stored(kind) else stored_comparison(kind)


def _compare_stored(left: Any, right: Any) -> int:
    return int(left > right) - int(left < right)
