"""Pairs of a moment and a row: joins on the keys and on buckets of time, so that rows far from a moment make none."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from asknown.emit.asof.match import bucket_of, in_each_bucket
from asknown.emit.asof.scope import AsOfScope
from asknown.emit.snippets import instantiate, snippet
from asknown.emit.sql import all_of, col, earlier, microseconds, named, subquery, table, whole_division
from asknown.emit.windows.periods import PeriodBounds

# The longest frame spans this many buckets, and the one that its far end lies in. More and shorter buckets make fewer
# pairs outside the frame, and repeat each moment more often.
BUCKETS = 4


class Pairs:
    """The pairs of a scope's moments with rows no older than ``longest`` microseconds.

    ``edges`` are ages in microseconds, and divide the rows into bands: band i has the ages from ``edges[i]`` to just
    below ``edges[i + 1]``. ``periods`` has the bounds of frames over periods. The queries of rows and tiles have the
    columns (keys, event_time, known_at if the view has it, …).

    The pairs of one moment, over buckets::

        SELECT m.k, m.t, SUM(v.amount) AS w0
        FROM (SELECT k, t, t - INTERVAL '7' DAY AS since0, EPOCH_US(t) // 151200000000 - back AS bucket
              FROM moments CROSS JOIN (VALUES (0), (1), (2), (3), (4)) AS b(back)) AS m
        JOIN (SELECT *, EPOCH_US(event_time) // 151200000000 AS bucket FROM rows) AS v
          ON m.k = v.k AND m.bucket = v.bucket AND v.event_time <= m.t AND v.event_time >= m.since0
        GROUP BY m.k, m.t
    """

    def __init__(
        self, scope: AsOfScope, moments: str, longest: int, edges: Sequence[int], periods: PeriodBounds
    ) -> None:
        self.scope = scope
        self.periods = periods
        self.edges = edges
        self.longest = longest
        self.band = scope.inner("band")
        self.tile = scope.inner("tile")
        self.cut = scope.inner("cut")
        self.lengths = scope.inner("lengths")
        self.tile_length = scope.inner("length")
        self.wide = scope.inner("wide")
        self.factor = scope.inner("factor")
        self._moments = moments
        self._size = max(-(-longest // BUCKETS), 1)  # rounded up: together they reach the far end
        # The earliest instant of each band, computed once for each moment instead of once for each pair.
        self._since = {edge: scope.inner(f"since{place}") for place, edge in enumerate(edges[1:])}

    def in_buckets(
        self, rows: exp.Select, columns: Sequence[exp.Expr], *, by: Sequence[exp.Expr] = (), without: str | None = None
    ) -> exp.Select:
        """``columns``, which aggregate the pairs with ``rows``, for each moment and each value of ``by``.

        It leaves out moments whose keys are in the CTE ``without``.
        """
        placed, same = self._placed(rows)
        return self._joined(self._without(self._asking(), without), placed, [same], columns, by)

    def once_sorted(self, rows: exp.Select, columns: Sequence[exp.Expr]) -> exp.Select:
        """As :meth:`in_buckets`, where ``columns`` are window functions over the pairs of each moment.

        Engines write sorted pairs to disk where memory is short. What an aggregate keeps of each group stays in memory.
        """
        placed, same = self._placed(rows)
        first = exp.Window(this=exp.RowNumber(), partition_by=self.scope.moment())
        pairs = self._pairs(self._asking(), placed, [same], columns)
        return pairs.qualify(first.eq(exp.Literal.number(1)), copy=False)

    def of_those_who_ask(self, rows: exp.Select, *, without: str | None = None) -> exp.Select:
        """Restricts ``rows`` to keys of moments that are not in the CTE ``without``, if that makes scans shorter."""
        if not self.scope.dialect.plans.scans_for_keys:
            return rows
        asking = exp.select(*self.scope.keys_of(self.scope.m)).from_(table(self._moments, self.scope.m))
        return self.scope.of_keys(rows, self._without(asking, without))

    def _without(self, moments: exp.Select, keys: str | None) -> exp.Select:
        """The moments whose keys are not in the CTE ``keys``."""
        if keys is None:
            return moments
        found: list[exp.Expr] = [col(key, self.scope.m).eq(col(key, self.lengths)) for key in self.scope.keys]
        left_out = exp.select("1").from_(table(keys, self.lengths)).where(*found)
        return moments.where(exp.not_(exp.Exists(this=left_out)))

    def in_whole_wide_tiles(
        self, tiles: exp.Select, lengths: str, columns: Sequence[exp.Expr], *, by: Sequence[exp.Expr]
    ) -> exp.Select:
        """As :meth:`in_buckets`, with the wide ``tiles`` that no edge cuts. Each lies in one band as a whole.

        The CTE ``lengths`` has, for each key, the length of its tiles and the number of tiles in a wide one.
        """
        asking = self._asking(named(self._cut(wide=True), self.cut))
        placed, same = self._placed(tiles)
        whole = exp.Not(this=self._is_cut(self.wide))
        return self._joined(self.with_length(asking, lengths, self.scope.m), placed, [same, whole], columns, by)

    def in_whole_tiles(
        self, tiles: exp.Select, lengths: str, columns: Sequence[exp.Expr], *, by: Sequence[exp.Expr]
    ) -> exp.Select:
        """As :meth:`in_buckets`, with the whole ``tiles`` of wide tiles that an edge cuts."""
        asking = self._asking_each(self._cut(wide=True), self.wide, lengths, named(self._cut(), self.cut))
        same = col(self.wide, self.scope.m).eq(col(self.wide, self.scope.v))
        return self._joined(asking, tiles, [same, exp.Not(this=self._is_cut(self.tile))], columns, by)

    def _placed(self, rows: exp.Select) -> tuple[exp.Select, exp.Expr]:
        """``rows`` with their bucket, and the condition that it is one of the moment's buckets."""
        scope = self.scope
        bucket = bucket_of(scope, col(scope.event_time, scope.v), self._size)
        placed = exp.select(exp.Star(), named(bucket, scope.bucket)).from_(subquery(rows, scope.v))
        return placed, col(scope.bucket, scope.m).eq(col(scope.bucket, scope.v))

    def in_cut_tiles(
        self, rows: exp.Select, lengths: str, columns: Sequence[exp.Expr], *, by: Sequence[exp.Expr]
    ) -> exp.Select:
        """As :meth:`in_buckets`, with the rows of tiles that an edge cuts. ``rows`` have a column ``tile``."""
        asking = self._asking_each(self._cut(), self.tile, lengths)
        same = col(self.tile, self.scope.m).eq(col(self.tile, self.scope.v))
        return self._joined(asking, rows, [same], columns, by)

    def _asking_each(self, tiles: exp.Expr, name: str, lengths: str, *more: exp.Expr) -> exp.Select:
        """The moments, repeated for each of ``tiles``, a list. ``name`` is the tile's column."""
        scope = self.scope
        each = named(snippet(scope.dialect, "each_of", list=tiles), name)
        asking = exp.select(*scope.moment(), *self._sinces(), *more, each).from_(table(self._moments, scope.m))
        return self.with_length(asking, lengths, scope.m)

    def with_length(self, query: exp.Select, lengths: str, alias: str) -> exp.Select:
        """``query``, over a relation called ``alias``, joined with the lengths of the tiles of its keys."""
        same: list[exp.Expr] = [col(key, alias).eq(col(key, self.lengths)) for key in self.scope.keys]
        return query.join(table(lengths, self.lengths), on=all_of(same))

    def length(self) -> exp.Expr:
        """The length of a key's tiles, in microseconds."""
        return col(self.tile_length, self.lengths)

    def tile_of(self, when: exp.Expr) -> exp.Expr:
        """The number of the tile that the instant lies in."""
        return whole_division(self.scope.dialect, microseconds(self.scope.dialect, when), self.length())

    def wide_of(self, tile: exp.Expr) -> exp.Expr:
        """The number of the wide tile that the tile belongs to."""
        return whole_division(self.scope.dialect, tile, col(self.factor, self.lengths))

    def _is_cut(self, tile: str) -> exp.Expr:
        return snippet(self.scope.dialect, "list_has", list=col(self.cut, self.scope.m), x=col(tile, self.scope.v))

    def _cut(self, *, wide: bool = False) -> exp.Expr:
        """The list of the tiles (or wide tiles) that an edge cuts.

        With ``known_at``, all rows of a whole tile must be known too. A tile has only rows that were known within a
        tile's length of their event time. So the tile before the moment's own is cut as well.
        """
        ages: list[exp.Expr] = [exp.Literal.number(edge) for edge in self.edges]
        if self.scope.view.known_at is not None:
            ages.append(self.length())
        dialect = self.scope.dialect
        micros = microseconds(dialect, col(self.scope.t, self.scope.m))
        numbers = [whole_division(dialect, exp.Sub(this=micros.copy(), expression=age), self.length()) for age in ages]
        if wide:
            numbers = [self.wide_of(number) for number in numbers]
        return instantiate(dialect, dialect.snippets["list_distinct"], x=numbers)

    def _asking(self, *more: exp.Expr) -> exp.Select:
        """The moments, repeated for each bucket of time that the longest frame can reach."""
        columns = [*self.scope.moment(), *self._sinces(), *more]
        return in_each_bucket(self.scope, self._size, BUCKETS + 1, table(self._moments, self.scope.m), columns)

    def _sinces(self) -> list[exp.Expr]:
        return [
            *(
                named(earlier(self.scope.dialect, col(self.scope.t, self.scope.m), edge - 1), name)
                for edge, name in self._since.items()
            ),
            *self.periods.columns(),
        ]

    def _joined(
        self,
        moments: exp.Select,
        rows: exp.Select,
        same: Sequence[exp.Expr],
        columns: Sequence[exp.Expr],
        by: Sequence[exp.Expr],
    ) -> exp.Select:
        apart = [column.unalias().copy() for column in by]
        # A number in GROUP BY would mean a column's place.
        grouped = [*self.scope.moment(), *(column for column in apart if not isinstance(column, exp.Literal))]
        return self._pairs(moments, rows, same, [*by, *columns]).group_by(*grouped, copy=False)

    def _pairs(
        self, moments: exp.Select, rows: exp.Select, same: Sequence[exp.Expr], columns: Sequence[exp.Expr]
    ) -> exp.Select:
        scope = self.scope
        when = col(scope.event_time, scope.v)
        on = [*scope.same_keys(), *same, when <= col(scope.t, scope.m), when.copy() >= self._reach()]
        if scope.view.known_at is not None:
            on.append(col(scope.known_at, scope.v) <= col(scope.t, scope.m))
        return (
            exp.select(*scope.moment(), *[column.copy() for column in columns])
            .from_(subquery(self._whole(moments), scope.m), copy=False)
            .join(subquery(self._whole(rows), scope.v), on=all_of(on), copy=False)
        )

    def _whole(self, side: exp.Select) -> exp.Select:
        """One side of the join. OFFSET 0 keeps the engine from merging it with the join, before it has buckets."""
        return side.offset(0) if self.scope.dialect.ctes.fences else side

    def _reach(self) -> exp.Expr:
        return col(self._since[self.edges[-1]], self.scope.m)

    def band_of(self) -> exp.Expr:
        """The number of the band of a pair: ``CASE WHEN v.event_time >= m.since0 THEN 0 … ELSE 2 END``."""
        scope = self.scope
        names = list(self._since.values())
        ifs = [
            exp.If(this=col(scope.event_time, scope.v) >= col(name, scope.m), true=exp.Literal.number(place))
            for place, name in enumerate(names[:-1])
        ]
        last = exp.Literal.number(len(names) - 1)
        return exp.Case(ifs=ifs, default=last) if ifs else last
