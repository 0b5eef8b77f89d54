"""Partial states of aggregates, which stand for many values of a window, so that a read needs few of the values.

A state is built from the newest values back to the oldest. An aggregate finished from older values, the state of the
values after them, and values newer than all of these equals the aggregate over all values, exactly and rounded once.
In JSON a state is

- ``[rows, value, …]`` of ``count``, ``sum``, ``min``, ``max``, ``bool_and`` and ``bool_or``: the number of rows, and
  values that stand for theirs: for a sum, doubles with the same exact sum; else the one that decides;
- ``[[value, rows], …]`` of ``counts``: each value with its number of rows;
- ``[rows, leading, trailing, longest, after]`` of ``runs``, and ``[first, last, start, rows, whole]`` of ``session``;
- ``[value, …]`` of the other families: the values that can still matter, in their order.

The standard library only: the reader imports this.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import astuple, dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Protocol

from asknown.types import Kind, SqlType
from asknown.values.aggregates import finalizer
from asknown.values.counts import count_values, counts_finisher
from asknown.values.ordered import FINISH_RUNS, Pick, Runs, Session, finish_session, picker, runs_of, session_of
from asknown.values.sums import Values, float_parts, mean_decimals, mean_floats, mean_integers

Finish = Callable[[Values, Any, Values], Any]
"""Takes the older values of a window, the state of those after them as JSON has it, and values newer than all of these;
returns the aggregate over all."""

Store = Callable[[Any], Any] | None
"""From a value to its stored form; None if they are the same."""

Decode = Callable[[Sequence[Any], set[type]], Sequence[Any]]
"""From a column of stored values, none of them NULL, and their Python types, to the values."""

FOLDED = ("count", "sum", "min", "max", "bool_and", "bool_or")
"""The families whose states are values that the aggregate is taken over like any others, in any order."""

_KINDS: frozenset[Kind] = frozenset({"boolean", "integer", "float", "decimal", "text"})


@dataclass(frozen=True)
class State:
    """The values that a state summarizes, and how. Calls that share one differ only in frame, or in how they finish.

    ``order`` and ``number`` are those of the call where the family depends on them.
    """

    family: str
    value: str | None
    condition: str | None
    order: str | None = None
    number: int = 0

    @property
    def in_order(self) -> bool:
        """Whether the state depends on the order of the values."""
        return self.family not in FOLDED and self.family != "counts"

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns whose values it summarizes."""
        return tuple(name for name in (self.value, self.order) if name is not None)


def keeps_state(family: str, *kinds: SqlType) -> bool:
    """Whether values of these types have states of this family."""
    if not all(map(packs, kinds)):
        return False
    if family in FOLDED:
        return family == "count" or (bool(kinds) and kinds[0].kind in _KINDS and not kinds[0].is_enum)
    return bool(kinds)


def packs(kind: SqlType) -> bool:
    """Whether tiles can hold values of this type. They are JSON, which has no bytes."""
    return kind.kind != "blob"


# ---------------------------------------------------------------- building states


class Summary(Protocol):
    """How values are summarized in a state of one family. A state here is any value; None: there is no state."""

    def nothing(self) -> Any:
        """The state of no values."""

    def before(self, values: Values, state: Any) -> Any | None:
        """The state of these values and, after them, of those that ``state`` stands for; None where there is none.

        The state given is not used again. Raises OverflowError if a sum is too large for any doubles.
        """

    def write(self, state: Any) -> Any:
        """The state for JSON."""


def summary(state: State, kinds: Sequence[SqlType], stores: Sequence[Store]) -> Summary:
    """The summary of a state over columns of these types; ``stores`` give the stored form of their values."""
    match state.family:
        case family if family in FOLDED:
            return _Folded(family, kinds[0] if kinds else None)
        case "counts":
            return _Counted(kinds[0], stores[0])
        case "runs":
            return _Runs()
        case "session":
            return _Sessions(timedelta(microseconds=state.number), stores[0])
    return _Picked(picker(state.family, kinds[-1], state.number), stores)


@dataclass(frozen=True)
class _Folded:
    family: str
    kind: SqlType | None

    def nothing(self) -> tuple[int, list[Any]]:
        return 0, []

    def before(self, values: Values, state: tuple[int, list[Any]]) -> tuple[int, list[Any]]:
        count, kept = state
        return count + len(values), condense(self.family, self.kind, [*values, *kept])

    def write(self, state: tuple[int, list[Any]]) -> list[Any]:
        count, kept = state
        return [count, *(str(value) if isinstance(value, Decimal) else value for value in kept)]


@dataclass(frozen=True)
class _Counted:
    kind: SqlType
    store: Store

    def nothing(self) -> Counter[Any]:
        return Counter()

    def before(self, values: Values, state: Counter[Any]) -> Counter[Any]:
        state.update(count_values(self.kind, values))
        return state

    def write(self, state: Counter[Any]) -> list[Any]:
        store = self.store
        return [[value if store is None else store(value), count] for value, count in state.items()]


@dataclass(frozen=True)
class _Picked:
    pick: Pick
    stores: Sequence[Store]

    def nothing(self) -> Values:
        return []

    def before(self, values: Values, state: Values) -> Values | None:
        values = [*values, *state]
        places = self.pick(values)
        return None if places is None else [values[place] for place in places]

    def write(self, state: Values) -> list[Any]:
        if len(self.stores) == 1:
            return [_stored(value, self.stores[0]) for value in state]
        return [[_stored(part, store) for part, store in zip(pair, self.stores, strict=True)] for pair in state]


@dataclass(frozen=True)
class _Runs:
    def nothing(self) -> Runs:
        return Runs()

    def before(self, values: Values, state: Runs) -> Runs:
        return runs_of(values).then(state)

    def write(self, state: Runs) -> list[Any]:
        return [*astuple(state)]


@dataclass(frozen=True)
class _Sessions:
    gap: timedelta
    store: Store

    def nothing(self) -> list[Session]:
        return []

    def before(self, values: Values, state: list[Session]) -> list[Session]:
        older = session_of(values, self.gap)
        return state if older is None else [older.then(newer, self.gap) for newer in state] or [older]

    def write(self, state: list[Session]) -> list[Any]:
        return [
            [*(_stored(time, self.store) for time in (one.first, one.last, one.start)), one.rows, one.whole]
            for one in state
        ]


def _stored(value: Any, store: Store) -> Any:
    return value if store is None else store(value)


# ---------------------------------------------------------------- finishing from states


def finisher(name: str, state: State, kinds: Sequence[SqlType], decodes: Sequence[Decode], number: Any) -> Finish:
    """The function that finishes a call from a state. ``name`` is that of its finalizer.

    ``decodes`` read stored values of the columns, which have the types ``kinds``; ``number`` is its second argument.
    """
    match state.family:
        case family if family in FOLDED:
            return _finish_folded(merger(name, kinds[0] if kinds else None), reader_of(kinds[0] if kinds else None))
        case "counts":
            return _finish_counts(kinds[0], decodes[0], counts_finisher(name, kinds[0], int(number or 0)))
        case "runs":
            finish = FINISH_RUNS[name]
            return lambda values, written, newer: finish(runs_of(values).then(Runs(*written)).then(runs_of(newer)))
        case "session":
            return _finish_session(timedelta(microseconds=state.number), decodes[0])
    finalize = finalizer(name, kinds[0], kinds[1] if len(kinds) > 1 else None, number)
    read = _read_values(decodes)
    return lambda values, written, newer: finalize([*values, *read(written), *newer])


def _finish_folded(merge: Merge, read: Callable[[Any], Any] | None) -> Finish:
    def finish(values: Values, written: list[Any], newer: Values) -> Any:
        count, *others = written
        if read is not None:
            others = list(map(read, others))
        if newer:
            values = [*values, *newer]
        return merge([*values, *others] if others else values, len(values) + count)

    return finish


def _finish_counts(kind: SqlType, decode: Decode, finish: Callable[[Counter[Any]], Any]) -> Finish:
    def finish_counts(values: Values, written: list[Any], newer: Values) -> Any:
        cells, counts = zip(*written, strict=True) if written else ((), ())
        state = zip(decode(cells, set(map(type, cells))), counts, strict=True)
        return finish(count_values(kind, [*values, *newer] if newer else values, state))

    return finish_counts


def _finish_session(gap: timedelta, decode: Decode) -> Finish:
    def finish(values: Values, written: list[Any], newer: Values) -> Any:
        parts = [session_of(values, gap)]
        for *times, rows, whole in written:
            first, last, start = decode(times, {str})
            parts.append(Session(first, last, start, rows, whole))
        parts.append(session_of(newer, gap))
        found: Session | None = None
        for part in parts:
            if part is not None:
                found = part if found is None else found.then(part, gap)
        return finish_session(found)

    return finish


def _read_values(decodes: Sequence[Decode]) -> Callable[[list[Any]], Sequence[Any]]:
    """The function that reads the values, or pairs of them, that a state has in JSON."""
    if len(decodes) == 1:
        (decode,) = decodes
        return lambda cells: decode(cells, set(map(type, cells)))

    def read(pairs: list[Any]) -> list[Any]:
        columns = zip(*pairs, strict=True)
        decoded = [decode(cells, set(map(type, cells))) for decode, cells in zip(decodes, columns, strict=False)]
        return list(zip(*decoded, strict=True))

    return read


# ---------------------------------------------------------------- sums and extremes

Merge = Callable[[Values, int], Any]
"""Takes values, stand-ins among them, and the number of values they stand for; returns the aggregate."""


def condense(family: str, kind: SqlType | None, values: Values) -> list[Any]:
    """The stand-ins for these values. Raises OverflowError if the sum is too large for any doubles."""
    if family == "count" or kind is None or not values:
        return []
    if family == "sum" and kind.kind == "float":
        return _condense_floats(values)
    return [finalizer(family, kind)(values)]


def merger(name: str, kind: SqlType | None) -> Merge:
    """The function that computes an aggregate from values and stand-ins. ``name`` is that of its finalizer."""
    if name == "count" or kind is None:
        return lambda values, count: count
    if name == "avg":
        return {"float": mean_floats, "decimal": mean_decimals}.get(kind.kind, mean_integers)
    finalize = finalizer(name, kind)
    return lambda values, count: finalize(values)


def reader_of(kind: SqlType | None) -> Callable[[Any], Any] | None:
    """The function that reads a stand-in from JSON; None if no conversion is needed."""
    return Decimal if kind is not None and kind.kind == "decimal" else None


def _condense_floats(values: Values) -> list[float]:
    """Doubles whose exact sum is that of the values."""
    try:
        first, *others = float_parts(values)
    except ValueError:
        return [math.nan]
    return [first + 0.0, *others]
