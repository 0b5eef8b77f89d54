"""Trailing windows: for each moment, aggregates over the rows in frames that end at it (DESIGN section 3, rule 4).

All aggregates of a view are taken in one pass over the pairs of moments and rows. In the form ``pairs``, each over its
own frame. In the form ``bands``, each pair goes into one band of age, once, and the frames are put together from the
bands: with several frames over the same rows, most of the work is done once instead of once for each frame. In the
form ``tiles``, a key's rows are first added up by tiles of time; a tile that no edge of a frame cuts lies in one band
as a whole, and only the tiles that an edge cuts are read row by row. So no frame is rounded to tiles.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import ClassVar, assert_never

from sqlglot import exp

from asknown.emit.aggregate import Columns, read_aggregate
from asknown.emit.pairs import Pairs
from asknown.emit.rounding import ExactSum, fill, round_sums
from asknown.emit.sql import all_of, col, ident, interval, named, subquery
from asknown.emit.statement import Cte
from asknown.emit.step import Step
from asknown.model.nodes import Frame, WindowCall
from asknown.plan.nodes import TrailingWindow

TOO_LARGE = "a number is too large or too small for an exact sum"


def window_ctes(step: Step, moments: str, join: TrailingWindow) -> list[Cte]:
    """The CTEs of a view's windows, the last of which has (keys, t, a column for each call, ``Step.call``)."""
    lifted = step.view.lifted
    assert lifted is not None
    windows = _Windows(step, moments, {place: lifted.calls[place] for place in join.calls})
    ctes: list[Cte] = []
    match join.form:
        case "pairs":
            query = windows.by_pairs()
        case "bands":
            query = windows.by_bands()
        case "tiles":
            ctes, query = windows.by_tiles()
        case _:
            assert_never(join.form)
    if windows.sums.entries:
        query = windows.rounded(query)
    return [*ctes, Cte(step.name("windows"), query, comment=f"{join.form}: {join.reason}")]


@dataclass
class _Sums:
    """The exact sums that wait to be rounded, and the columns that guard them."""

    step: Step
    entries: list[ExactSum] = field(default_factory=list)
    places: dict[int, int] = field(default_factory=dict)  # of a call, in the list of entries
    special: dict[int, exp.Expr] = field(default_factory=dict)  # of a call: the sum of its NaNs and infinities
    guards: list[exp.Expr] = field(default_factory=list)

    def columns(self) -> list[exp.Expr]:
        if not self.entries:
            return []
        guard = exp.or_(*self.guards, copy=False) if self.guards else exp.false()
        columns = [
            named(exp.Array(expressions=[e.struct() for e in self.entries]), self.step.inner("sums")),
            named(guard, self.step.inner("misfit")),
        ]
        return columns + [named(value, self.step.inner(f"s{place}")) for place, value in self.special.items()]


class _Windows:
    """The calls of one view that are taken in one pass."""

    def __init__(self, step: Step, moments: str, calls: dict[int, WindowCall]) -> None:
        self.step = step
        self.calls = calls
        self.longest = max(call.frame.oldest for call in calls.values())
        frames = {call.frame for call in calls.values()}
        self.edges = sorted({0, *(edge for frame in frames for edge in (frame.newest, frame.oldest + 1))})
        self.pairs = Pairs(step, moments, self.longest, self.edges)
        self.columns = Columns(step)
        self.sums = _Sums(step)

    def by_pairs(self) -> exp.Select:
        """Every aggregate over the pairs that lie in its own frame."""
        values = [
            named(self._value(place, _Direct(self, call)), self.step.call(place)) for place, call in self._calls()
        ]
        return self.pairs.in_buckets(self._rows(), [*values, *self.sums.columns()], banded=False)

    def by_bands(self) -> exp.Select:
        """States of each band first, then every aggregate from the states of the bands in its frame."""
        states = _States(self.step)
        values = self._from_bands(states)
        return self._put_together(self.pairs.in_buckets(self._rows(), states.columns(), banded=True), values)

    def by_tiles(self) -> tuple[list[Cte], exp.Select]:
        """States of tiles, of the rows in cut tiles, and (with ``known_at``) of rows known late, put together."""
        states = _States(self.step)
        values = self._from_bands(states)
        step, pairs = self.step, self.pairs
        lengths = Cte(step.name("lengths"), self._lengths(), keep=True, comment="tiles as long as it pays for the key")
        prompt, late = self._prompt()
        tile = pairs.tile_of(col(step.event_time, step.v))
        rows = exp.select(exp.Column(this=exp.Star(), table=ident(step.v)), named(tile, pairs.tile))
        rows = pairs.with_length(rows.from_(subquery(self._rows(), step.v)), lengths.name, step.v)
        times = [named(exp.Min(this=col(step.event_time, step.v)), step.event_time)]
        if step.view.known_at is not None:
            times.append(named(exp.Max(this=col(step.known_at, step.v)), step.known_at))
        by = [*step.keys_of(step.v), col(pairs.tile, step.v)]
        tiles = (
            exp.select(*by, *times, *states.columns())
            .from_(subquery(rows.copy().where(*prompt), step.v))
            .group_by(*[column.copy() for column in by])
        )
        kept = Cte(step.name("tiles"), tiles, keep=True, comment="each key's rows, added up by tiles of time")
        stored = exp.select("*").from_(exp.Table(this=ident(kept.name)))
        union: exp.Query = exp.union(
            pairs.in_whole_tiles(stored, lengths.name, states.merged(step.v)),
            pairs.in_cut_tiles(rows.copy().where(*prompt), lengths.name, states.columns()),
            distinct=False,
        )
        if late:
            slow = pairs.in_buckets(rows.where(*late), states.columns(), banded=True)
            union = exp.union(union, slow, distinct=False)
        return [lengths, kept], self._put_together(union, values)

    def _lengths(self) -> exp.Select:
        """For each key the length at which a window reads about as many tiles as rows at the frames' edges."""
        step = self.step
        when = col(step.event_time, step.v)
        spacing = "(EPOCH_US(MAX(:t)) - EPOCH_US(MIN(:t))) / COUNT(*)"
        length = fill(
            f"GREATEST(1, CAST(SQRT(:longest * {spacing} / :edges) AS BIGINT))",
            longest=exp.cast(exp.Literal.number(self.longest), "DOUBLE"),
            t=when,
            edges=exp.Literal.number(len(self.edges)),
        )
        query = exp.select(*step.keys_of(step.v), named(length, self.pairs.tile_length))
        query = query.from_(subquery(Columns(step).query().where(*self._in_sight()), step.v))
        return query.group_by(*step.keys_of(step.v)) if step.keys else query

    def _calls(self) -> list[tuple[int, WindowCall]]:
        return list(self.calls.items())

    def _rows(self) -> exp.Select:
        return self.columns.query().where(*self._in_sight())

    def _in_sight(self) -> list[exp.Expr]:
        return self.step.between(self.step.bounds, self.longest + 1)

    def _prompt(self) -> tuple[list[exp.Expr], list[exp.Expr]]:
        """Conditions on rows that were known within a tile's length of their event time, and on the others."""
        step = self.step
        if step.view.known_at is None:
            return [], []
        delay = fill(
            "EPOCH_US(:known) - EPOCH_US(:t)", known=col(step.known_at, step.v), t=col(step.event_time, step.v)
        )
        return [delay <= self.pairs.length()], [delay.copy() > self.pairs.length()]

    def _from_bands(self, states: _States) -> list[exp.Expr]:
        values = [
            named(self._value(place, _Banded(states, self.pairs.band, self.edges, call.frame)), self.step.call(place))
            for place, call in self._calls()
        ]
        return [*values, *self.sums.columns()]

    def _put_together(self, states: exp.Query, values: Sequence[exp.Expr]) -> exp.Select:
        moment: list[exp.Expr] = [ident(name) for name in (*self.step.keys, self.step.t)]
        return exp.select(*moment, *values).from_(subquery(states, "bands")).group_by(*[m.copy() for m in moment])

    def _value(self, place: int, reduce: _Direct | _Banded) -> exp.Expr:
        """A call's value, or NULL where it waits among the sums."""
        read = read_aggregate(self.step, self.columns, self.calls[place], reduce)
        if isinstance(read, exp.Expr):
            return read
        self.sums.places[place] = len(self.sums.entries)
        self.sums.entries.append(read.sum)
        if read.special is not None:
            self.sums.special[place] = read.special
        if read.misfit is not None:
            self.sums.guards.append(read.misfit)
        return exp.null()

    def rounded(self, query: exp.Select) -> exp.Select:
        """The windows with their exact sums rounded to floats."""
        entries = self.sums.entries
        divide, scale = any(e.count is not None for e in entries), max(e.scale for e in entries)
        rounded = round_sums(query, self.step.inner("sums"), divide=divide, scale=scale)
        columns: list[exp.Expr] = [ident(name) for name in (*self.step.keys, self.step.t)]
        columns += [self._rounded_value(place) for place in self.calls]
        if self.sums.guards:
            misfit = exp.column(ident(self.step.inner("misfit")))
            problem = exp.Literal.string(f"asknown: {TOO_LARGE} in feature view {self.step.view.name}")
            rounded = rounded.where(
                fill("CASE WHEN :misfit THEN ERROR(:problem) ELSE TRUE END", misfit=misfit, problem=problem)
            )
        return exp.select(*columns).from_(subquery(rounded, "sums"))

    def _rounded_value(self, place: int) -> exp.Expr:
        if place not in self.sums.places:
            return ident(self.step.call(place))
        number = exp.Literal.number(self.sums.places[place] + 1)
        value: exp.Expr = exp.Anonymous(
            this="list_extract", expressions=[exp.column(ident(self.step.inner("sums"))), number]
        )
        if place in self.sums.special:
            value = exp.Coalesce(this=exp.column(ident(self.step.inner(f"s{place}"))), expressions=[value])
        return named(value, self.step.call(place))


class _Direct:
    """Takes an aggregate over the pairs in one call's frame."""

    def __init__(self, windows: _Windows, call: WindowCall) -> None:
        step, frame = windows.step, call.frame
        when, t = col(step.event_time, step.v), col(step.t, step.m)
        self.frame: list[exp.Expr] = []
        if frame.oldest < windows.longest:
            self.frame.append(when >= exp.Sub(this=t, expression=interval(frame.oldest)))
        if frame.newest:
            self.frame.append(when.copy() <= exp.Sub(this=t.copy(), expression=interval(frame.newest)))

    def take(self, aggregate: exp.Expr, conditions: Sequence[exp.Expr] = ()) -> exp.Expr:
        return _only(aggregate, [*self.frame, *conditions])


class _States:
    """What is kept of the rows of a band or a tile: each state once, however many frames it serves."""

    _MERGED: ClassVar[dict[type[exp.Expr], type[exp.Expr]]] = {
        exp.Count: exp.Sum,
        exp.Sum: exp.Sum,
        exp.LogicalOr: exp.LogicalOr,
        exp.LogicalAnd: exp.LogicalAnd,
    }

    def __init__(self, step: Step) -> None:
        self._step = step
        self._states: dict[str, tuple[str, exp.Expr, exp.Expr]] = {}

    def of(self, aggregate: exp.Expr, conditions: Sequence[exp.Expr]) -> str:
        """The name of the state that an aggregate over the rows that meet ``conditions`` needs."""
        state = _only(aggregate, conditions)
        return self._states.setdefault(
            state.sql("duckdb"), (self._step.inner(f"b{len(self._states)}"), aggregate, state)
        )[0]

    def columns(self) -> list[exp.Expr]:
        """The states of rows."""
        return [named(state.copy(), name) for name, _, state in self._states.values()]

    def merged(self, alias: str) -> list[exp.Expr]:
        """The states of states."""
        return [named(self.merge(name, col(name, alias)), name) for name, _, _ in self._states.values()]

    def merge(self, name: str, value: exp.Expr) -> exp.Expr:
        """The aggregate that puts states of this name together."""
        aggregate = next(a for n, a, _ in self._states.values() if n == name)
        merge = self._MERGED.get(type(aggregate))
        if merge is not None:
            return merge(this=value)
        return exp.Anonymous(this=str(aggregate.this), expressions=[value])  # min and max merge as themselves


class _Banded:
    """Takes an aggregate from the states of the bands in one call's frame."""

    def __init__(self, states: _States, band: str, edges: Sequence[int], frame: Frame) -> None:
        self.states = states
        self.band = band
        self.first = edges.index(frame.newest)
        self.last = edges.index(frame.oldest + 1) - 1
        self.every = self.first == 0 and self.last == len(edges) - 2

    def take(self, aggregate: exp.Expr, conditions: Sequence[exp.Expr] = ()) -> exp.Expr:
        name = self.states.of(aggregate, conditions)
        merged = self.states.merge(name, exp.column(ident(name)))
        low, high = exp.Literal.number(self.first), exp.Literal.number(self.last)
        within = exp.Between(this=exp.column(ident(self.band)), low=low, high=high)
        return _only(merged, [] if self.every else [within])


def _only(aggregate: exp.Expr, conditions: Sequence[exp.Expr]) -> exp.Expr:
    """The aggregate over the rows that meet all ``conditions``."""
    if not conditions:
        return aggregate
    where = exp.Where(this=all_of([condition.copy() for condition in conditions]))
    return exp.Filter(this=aggregate, expression=where)
