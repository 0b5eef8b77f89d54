"""On-demand features of a request: what they read, and their values for each row (rule 12).

The standard library only: the reader imports this where a request has such features.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from asknown.errors import AsknownError
from asknown.online.inputs import input_encoder
from asknown.online.keys import Encode, key_encoder
from asknown.online.nodes import OnlineOnDemand, StoredFeature, StoredSource
from asknown.values.errors import EvaluationError
from asknown.values.functions import at_places, compile_row

_LONGEST = 60  # characters of a value in a message


@dataclass(frozen=True)
class Computed:
    """An on-demand feature that a request asks for. ``keys`` maps keys of the view to columns of the request.

    ``features`` says for each source that is a feature which of the request's fetched outputs has its value.
    """

    reference: str
    view: OnlineOnDemand
    feature: StoredFeature
    keys: Mapping[str, str]
    features: Mapping[str, int]

    def sources(self) -> list[StoredSource]:
        """The values that the feature reads, in order."""
        return [self.view.source(name) for name in self.feature.columns]

    def sources_below(self) -> list[StoredSource]:
        """Those values, and before each that is looked up those that it is looked up by."""
        return self.view.read_by(self.feature)

    def column_of(self, source: StoredSource) -> str:
        """The request's column that has a key or an input."""
        return self.keys.get(source.column, source.column) if source.origin == "key" else source.column


class OnDemandFeatures:
    """The on-demand features of one request, ready to be computed for any row.

    A row's values lie in one list: those of the fetched outputs, the keys and inputs, the instant.
    """

    def __init__(self, computed: Sequence[Computed], fetched: int) -> None:
        self._computed = computed
        self._columns: dict[tuple[str, str, str], tuple[str, Encode]] = {}
        places: list[dict[str, int]] = []
        for one in computed:
            where: dict[str, int] = {}
            for source in one.sources():
                match source.origin:
                    case "feature" | "lookup":
                        where[source.name] = one.features[source.name]
                    case "asked_at":
                        where[source.name] = -1
                    case "key" | "input":
                        where[source.name] = fetched + self._place(one, source)
            places.append(where)
        self._trees = [at_places(one.feature.expression, where) for one, where in zip(computed, places, strict=True)]
        self._row = compile_row(self._trees)
        self._places = places

    def _place(self, one: Computed, source: StoredSource) -> int:
        """The place of a key or an input among the request's columns, as a value of its type."""
        column = one.column_of(source)
        known = (column, source.origin, source.type.name)
        if known not in self._columns:
            self._columns[known] = (column, _encoder(source, column, one.view.name))
        return list(self._columns).index(known)

    def for_row(self, values: Sequence[Any], row: Mapping[str, Any], instant: datetime) -> list[Any]:
        """The features of one row, of which ``values`` are the fetched outputs."""
        slots = [*values, *[encode(row[column]) for column, encode in self._columns.values()], instant]
        return self._compute(slots, None)

    def for_rows(
        self, values: Sequence[Sequence[Any]], columns: Mapping[str, Sequence[Any]], count: int, instant: datetime
    ) -> list[list[Any]]:
        """The features of many rows, a column each."""
        encoded = [list(map(encode, columns[column])) for column, encode in self._columns.values()] if count else []
        rows = zip(*values, *encoded, strict=True) if values or encoded else [()] * count
        found = [self._compute([*row, instant], place) for place, row in enumerate(rows, start=1)]
        return [list(column) for column in zip(*found, strict=True)] if found else [[] for _ in self._computed]

    def _compute(self, slots: list[Any], row: int | None) -> list[Any]:
        try:
            return self._row(slots)
        except EvaluationError:
            raise self._failure(slots, row) from None

    def _failure(self, slots: list[Any], row: int | None) -> AsknownError:
        """The error of the first feature that cannot be computed, with its values."""
        for one, where, tree in zip(self._computed, self._places, self._trees, strict=True):
            try:
                compile_row([tree])(slots)
            except EvaluationError as error:
                given = ", ".join(f"{name} = {_show(slots[place])}" for name, place in where.items())
                whose = "" if row is None else f" for row {row} of the request"
                return AsknownError(
                    "engine",
                    f"feature '{one.reference}' cannot be computed{whose}: {error}, where {given}",
                    hint="guard it in the model: try_cast, nullif(x, 0), a wider type",
                )
        raise AssertionError("an expression that failed fails again")


def _encoder(source: StoredSource, column: str, view: str) -> Encode:
    if source.origin == "input":
        return input_encoder(source.type, view=view, column=column)
    encode = key_encoder(source.type, view=view, column=column)
    if source.type.kind != "timestamptz":
        return encode

    def aware(value: Any) -> Any:
        moment = encode(value)
        return None if moment is None else moment.replace(tzinfo=UTC)

    return aware


def _show(value: Any) -> str:
    shown = "NULL" if value is None else str(value) if isinstance(value, datetime) else repr(value)
    return shown if len(shown) <= _LONGEST else f"{shown[:_LONGEST]}…"
