"""Trailing windows: for each moment, aggregates over the rows in frames that end at it (rule 4).

All aggregates of a view are computed in one pass over the pairs of moments and rows, in one of these forms:

- ``pairs``: each aggregate reads the pairs in its own frame.
- ``sorted``: as pairs, by window functions, which need less memory if every value is kept.
- ``bands``: each pair is added to its band of age, and each frame merges its bands. So several frames over the same
  rows share most of the work.
- ``tiles``: as bands, after the rows of keys that have many are added up by tiles of time, and tiles by wide tiles.
  The query uses whole wide tiles where they fit a band, whole tiles where an edge cuts a wide tile, and rows where an
  edge cuts a tile. Frames are exact: no frame is rounded to tiles. Keys with few rows have no tiles.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import assert_never

from sqlglot import exp

from asknown.emit.asof.scope import AsOfScope
from asknown.emit.snippets import cast, instantiate, snippet
from asknown.emit.sql import all_of, col, earlier, ident, microseconds, named, subquery, table
from asknown.emit.statement import Cte
from asknown.emit.windows.aggregates import read_aggregate
from asknown.emit.windows.exact_sums import Rounded, Waiting, column
from asknown.emit.windows.pairs import Pairs
from asknown.emit.windows.periods import PeriodBounds
from asknown.emit.windows.reduce import Banded, Columns, Direct, OverSorted, Reduce, States
from asknown.model.nodes import Frame, PeriodFrame, WindowCall
from asknown.plan.nodes import TrailingWindow
from asknown.types import parse_type

TOO_LARGE = "a number is too large or too small for an exact sum"


def window_ctes(scope: AsOfScope, moments: str, join: TrailingWindow) -> list[Cte]:
    """The CTEs of a view's windows. The last has (keys, t, a column for each call, named by ``AsOfScope.call``)."""
    lifted = scope.view.lifted
    assert lifted is not None
    windows = _Windows(scope, moments, {place: lifted.calls[place] for place in join.calls}, sparse=join.sparse)
    ctes: list[Cte] = []
    match join.form:
        case "pairs":
            query = windows.by_pairs()
        case "sorted":
            query = windows.by_sorted_pairs()
        case "bands":
            ctes, query = windows.by_bands()
        case "tiles":
            ctes, query = windows.by_tiles(join.many)
        case _:
            assert_never(join.form)
    comment = f"{join.form}: {join.reason}"
    if not windows.waiting:
        return [*ctes, Cte(scope.name("windows"), query, comment=comment)]
    parts = Cte(scope.name("parts"), query, materialized=True, comment=comment)
    rounded = windows.waiting.round(parts.name)
    return [*ctes, parts, *rounded.ctes, Cte(scope.name("windows"), windows.whole(rounded))]


class _Windows:
    """The window calls of one view that one pass computes."""

    def __init__(self, scope: AsOfScope, moments: str, calls: dict[int, WindowCall], *, sparse: bool) -> None:
        self.scope = scope
        self.calls = calls
        self.sparse = sparse
        self.longest = max(call.frame.oldest for call in calls.values())
        frames = {call.frame for call in calls.values()}
        self.periods = PeriodBounds(scope, [frame for frame in frames if isinstance(frame, PeriodFrame)])
        self.edges = sorted({0, *(edge for frame in frames for edge in (frame.newest, frame.oldest + 1))})
        self.pairs = Pairs(scope, moments, self.longest, self.edges, self.periods)
        self.columns = Columns(scope)
        self.waiting = Waiting(scope)

    def by_pairs(self) -> exp.Select:
        """The form ``pairs``: every aggregate over the pairs that lie in its own frame."""
        values = self._values(
            {place: Direct(self.scope, self._inside(call.frame)) for place, call in self.calls.items()}
        )
        return self.pairs.in_buckets(self._rows(), [*values, *self.waiting.columns(rare=True)])

    def by_sorted_pairs(self) -> exp.Select:
        """The form ``sorted``: every aggregate as a window function over each moment's pairs."""
        values = self._values(
            {place: OverSorted(self.scope, self._inside(call.frame)) for place, call in self.calls.items()}
        )
        return self.pairs.once_sorted(self._rows(), [*values, *self.waiting.columns(rare=True)])

    def _inside(self, frame: Frame | PeriodFrame) -> list[exp.Expr]:
        """The conditions that a pair lies in a frame, beside those of the join."""
        if isinstance(frame, PeriodFrame):
            return self.periods.inside(frame)
        when, t = col(self.scope.event_time, self.scope.v), col(self.scope.t, self.scope.m)
        inside: list[exp.Expr] = []
        if frame.oldest < self.longest:
            inside.append(when >= earlier(self.scope.dialect, t, frame.oldest))
        if frame.newest:
            inside.append(when.copy() <= earlier(self.scope.dialect, t.copy(), frame.newest))
        return inside

    def by_bands(self) -> tuple[list[Cte], exp.Select]:
        """The form ``bands``: states of each band, then every aggregate from the states of the bands in its frame."""
        states = States(self.scope)
        values = self._from_bands(states)
        bands = self.pairs.in_buckets(self._rows(), states.columns(), by=self._by_band())
        return self._put_together(bands, values)

    def by_tiles(self, many: int) -> tuple[list[Cte], exp.Select]:
        """The form ``tiles``: merges states of tiles, of the rows in cut tiles, and of all other rows.

        The other rows are of keys that have no more than ``many`` rows in the longest frame. With ``known_at``, they
        are also the rows that were known more than a tile's length after their event time, which no tile has.
        """
        states = States(self.scope)
        values = self._from_bands(states)
        scope, pairs = self.scope, self.pairs
        comment = "keys with many rows, and the length of their tiles"
        lengths = Cte(scope.name("lengths"), self._lengths(many), materialized=True, comment=comment)
        rows = self.columns.query(named(pairs.tile_of(scope.when()), pairs.tile)).where(*self._in_sight())
        prompt = self.columns.with_digits(pairs.with_length(rows, lengths.name, scope.v).where(*self._prompt()))
        times = [named(exp.Min(this=col(scope.event_time, scope.v)), scope.event_time)]
        if scope.view.known_at is not None:
            times.append(named(exp.Max(this=col(scope.known_at, scope.v)), scope.known_at))
        by = [*scope.keys_of(scope.v), col(pairs.tile, scope.v), *self._grades()]
        tiles = exp.select(*by, *times, *states.columns()).from_(subquery(prompt, scope.v), copy=False)
        tiles = tiles.group_by(*[column.copy() for column in by], copy=False)
        kept = Cte(scope.name("tiles"), tiles, materialized=True, comment="rows of these keys, aggregated by tile")
        bands, merged = self._by_band(), states.merged(scope.v)
        union = exp.union(
            pairs.in_whole_wide_tiles(self._wide(kept.name, lengths.name, merged), lengths.name, merged, by=bands),
            pairs.in_whole_tiles(self._placed(kept.name, lengths.name), lengths.name, merged, by=bands),
            pairs.in_cut_tiles(prompt.copy(), lengths.name, states.columns(), by=bands),
            *self._others(lengths.name, states),
            distinct=False,
            copy=False,
        )
        ctes, query = self._put_together(union, values)
        return [lengths, kept, *ctes], query

    def _placed(self, tiles: str, lengths: str) -> exp.Select:
        """The tiles, with the number of the wide tile that each belongs to."""
        pairs, v = self.pairs, self.scope.v
        stored = exp.Column(this=exp.Star(), table=ident(v))
        query = exp.select(stored, named(pairs.wide_of(col(pairs.tile, v)), pairs.wide)).from_(table(tiles, v))
        return pairs.with_length(query, lengths, v)

    def _wide(self, tiles: str, lengths: str, merged: Sequence[exp.Expr]) -> exp.Select:
        """The wide tiles: the states of their tiles, merged."""
        scope = self.scope
        by = [*scope.keys_of(scope.v), col(self.pairs.wide, scope.v), *self._grades()]
        times = [named(exp.Min(this=col(scope.event_time, scope.v)), scope.event_time)]
        if scope.view.known_at is not None:
            times.append(named(exp.Max(this=col(scope.known_at, scope.v)), scope.known_at))
        query = exp.select(*by, *times, *[state.copy() for state in merged])
        query = query.from_(subquery(self._placed(tiles, lengths), scope.v), copy=False)
        return query.group_by(*[column.copy() for column in by], copy=False)

    def _lengths(self, many: int) -> exp.Select:
        """For each key with many rows, the length of its tiles and the number of tiles in a wide tile.

        Both are chosen so that a window reads about as many wide tiles as tiles and rows at its edges. That is the
        least number of all three together.
        """
        scope, dialect = self.scope, self.scope.dialect
        when = col(scope.event_time, scope.v)
        span = "GREATEST(:latest - :earliest, 1)"
        in_frame = f"(:longest * COUNT(*) / {span})"
        places = {
            "longest": cast(dialect, exp.Literal.number(self.longest), parse_type("DOUBLE")),
            "latest": microseconds(dialect, exp.Max(this=when)),
            "earliest": microseconds(dialect, exp.Min(this=when.copy())),
            "edges": exp.Literal.number(len(self.edges)),
            "many": exp.Literal.number(many),
        }
        length = f"GREATEST(1, CAST(:longest / CBRT({in_frame} * {in_frame} * :edges) AS BIGINT))"
        factor = f"GREATEST(1, CAST(CBRT({in_frame} / :edges) AS BIGINT))"
        columns = [named(instantiate(dialect, length, **places), self.pairs.tile_length)]
        columns.append(named(instantiate(dialect, factor, **places), self.pairs.factor))
        query = exp.select(*scope.keys_of(scope.v), *columns)
        rows = Columns(scope).query().where(*self._in_sight())
        if self.sparse:  # if most keys have moments, a semi-join costs more than it saves
            rows = self.pairs.of_those_who_ask(rows)
        query = query.from_(subquery(rows, scope.v))
        query = query.group_by(*scope.keys_of(scope.v)) if scope.keys else query
        return query.having(instantiate(dialect, f"LEAST(COUNT(*), {in_frame}) > :many", **places))

    def _others(self, lengths: str, states: States) -> Iterator[exp.Select]:
        """The queries of the states of rows that are in no tile."""
        columns, by = states.columns(), self._by_band()
        yield self.pairs.in_buckets(self._rows(without=lengths), columns, by=by, without=lengths)
        if self.scope.view.known_at is not None:
            late = self.pairs.with_length(self.columns.query().where(*self._in_sight()), lengths, self.scope.v)
            late = self.columns.with_digits(late.where(self._delay() > self.pairs.length()))
            yield self.pairs.in_buckets(late, columns, by=by)

    def _rows(self, *, without: str | None = None) -> exp.Select:
        rows = self.columns.query().where(*self._in_sight())
        if self.sparse or without is not None:
            rows = self.pairs.of_those_who_ask(rows, without=without)
        return self.columns.with_digits(rows)

    def _grades(self) -> list[exp.Expr]:
        return [col(grade, self.scope.v) for grade in self.columns.grades]

    def _by_band(self) -> list[exp.Expr]:
        """The columns that states are grouped by, besides the moment: the band and the grades."""
        return [named(self.pairs.band_of(), self.pairs.band), *self._grades()]

    def _in_sight(self) -> list[exp.Expr]:
        return self.scope.between(self.scope.bounds, self.longest + 1)

    def _prompt(self) -> list[exp.Expr]:
        """The condition that a row was known within a tile's length of its event time."""
        return [] if self.scope.view.known_at is None else [self._delay() <= self.pairs.length()]

    def _delay(self) -> exp.Expr:
        known, when = (microseconds(self.scope.dialect, at) for at in (self.scope.known(), self.scope.when()))
        return exp.Sub(this=known, expression=when)

    def _from_bands(self, states: States) -> list[exp.Expr]:
        band, edges = self.pairs.band, self.edges
        reduces = {}
        for place, call in self.calls.items():
            assert isinstance(call.frame, Frame)  # a period has other bounds at each moment, and so no bands
            reduces[place] = Banded(states, band, edges, call.frame)
        return self._values(reduces)

    def _put_together(self, states: exp.Query, values: Sequence[exp.Expr]) -> tuple[list[Cte], exp.Select]:
        """The CTEs and the query that merge the states of bands into values.

        Columns that only floats outside grade 0 have are merged from their states alone, in a query of their own.
        """
        rare = self.waiting.columns(rare=True)
        if not rare:
            return [], self._by_moment(subquery(states, "bands"), values)
        scope = self.scope
        bands = Cte(
            scope.name("bands"), states, materialized=True, comment="aggregated by band of age and grade of float"
        )
        uncommon = exp.or_(*[column(grade).neq(exp.Literal.number(0)) for grade in self.columns.grades])
        others = self._by_moment(table(bands.name), rare).where(uncommon)
        same = [*scope.same_keys(), col(scope.t, scope.m).eq(col(scope.t, scope.v))]
        columns = [*scope.moment(), *(col(v.alias, scope.m) for v in values), *(col(r.alias, scope.v) for r in rare)]
        query = exp.select(*columns).from_(subquery(self._by_moment(table(bands.name), values), scope.m), copy=False)
        return [bands], query.join(subquery(others, scope.v), on=all_of(same), join_type="left", copy=False)

    def _by_moment(self, states: exp.Expr, values: Sequence[exp.Expr]) -> exp.Select:
        moment: list[exp.Expr] = [ident(name) for name in (*self.scope.keys, self.scope.t)]
        query = exp.select(*moment, *values).from_(states, copy=False)
        return query.group_by(*[m.copy() for m in moment], copy=False)

    def _values(self, reduces: Mapping[int, Reduce]) -> list[exp.Expr]:
        """The columns of a pass: the value of each call, or the common parts of the exact sums to round later."""
        columns = []
        for place, call in self.calls.items():
            read = read_aggregate(self.scope, self.columns, call, reduces[place])
            if isinstance(read, exp.Expr):
                columns.append(named(read, self.scope.call(place)))
            else:
                self.waiting.add(place, read)
        return [*columns, *self.waiting.columns(rare=False)]

    def whole(self, rounded: Rounded) -> exp.Select:
        """The query of (keys, t, a column for each call): values of the pass, and its exact sums after rounding."""
        scope, waiting = self.scope, self.waiting
        columns = [
            named(waiting.value(place, scope.m, scope.v), scope.call(place))
            if place in waiting
            else col(scope.call(place), scope.m)
            for place in self.calls
        ]
        query = exp.select(*scope.moment(), *columns).from_(table(rounded.parts, scope.m))
        if rounded.sums is not None:
            same = [*scope.same_keys(), col(scope.t, scope.m).eq(col(scope.t, scope.v))]
            query = query.join(table(rounded.sums, scope.v), on=all_of(same), join_type="left")
        if waiting.may_misfit():
            problem = exp.Literal.string(f"asknown: {TOO_LARGE} in feature view {scope.view.name}")
            query = query.where(
                snippet(scope.dialect, "raise", condition=col(waiting.misfit, scope.m), message=problem)
            )
        return query
