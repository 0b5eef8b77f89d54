"""The scope of one as-of join: its names, its columns as instants, and the conditions of rules 2 and 3."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.identifiers import Names
from asknown.emit.sql import all_of, col, earlier, in_range, instant, subquery
from asknown.model.nodes import FeatureView
from asknown.plan.nodes import Bounds
from asknown.types import Column


class AsOfScope:
    """One view that is joined as of the moments in a CTE.

    The CTE of the moments has the view's keys, under the view's names, and the instant ``t``. ``source`` is the CTE of
    the view's rows. In the SQL, ``m`` is the alias of the moments and ``v`` that of the rows. No name that a scope
    makes is one of the view's columns.
    """

    def __init__(
        self, view: FeatureView, label: str, source: str, *, names: Names, bounds: Bounds, dialect: Dialect
    ) -> None:
        self._inside = inside = Names(column.name for column in view.columns)
        self._inner: dict[str, str] = {}
        self.view = view
        self.label = label
        self.source = source
        self.bounds = bounds
        self.dialect = dialect
        self.keys = [key.name for key in view.keys]
        self._names = names
        self.t = inside.fresh("t")
        self.event_time = inside.fresh("event_time")
        self.known_at = inside.fresh("known_at")
        self.created_at = inside.fresh("created_at")
        self.bucket = inside.fresh("bucket")
        self.ties = inside.fresh("ties")
        self.m = inside.fresh("m")
        self.v = inside.fresh("v")
        self.asked = inside.fresh("asked")

    def name(self, part: str) -> str:
        """A new name for a CTE: the label of the view and the part that the CTE plays, as in ``orders__match``."""
        return self._names.fresh(f"{self.label}__{part}")

    def inner(self, wish: str) -> str:
        """A name of a column inside the scope: ``wish``, or like it. The same wish always gives the same name."""
        if wish not in self._inner:
            self._inner[wish] = self._inside.fresh(wish)
        return self._inner[wish]

    def call(self, place: int) -> str:
        """The name of the column that holds the value of the window call at ``place``."""
        return self.inner(f"w{place}")

    def keys_of(self, alias: str) -> list[exp.Expr]:
        """The columns of the keys, of the relation called ``alias``."""
        return [col(key, alias) for key in self.keys]

    def moment(self) -> list[exp.Expr]:
        """The columns of a moment: its keys and its instant."""
        return [*self.keys_of(self.m), col(self.t, self.m)]

    def same_keys(self) -> list[exp.Expr]:
        """The conditions that a row has the keys of a moment."""
        return [col(key, self.m).eq(col(key, self.v)) for key in self.keys]

    def of_keys(self, rows: exp.Select, keys: exp.Select) -> exp.Select:
        """Restricts ``rows`` of the view to those with ``keys``, by a semi-join. A view without keys keeps them all."""
        same = [col(key, self.v).eq(col(key, self.asked)) for key in self.keys]
        return rows.join(subquery(keys, self.asked), on=all_of(same), join_type="semi") if same else rows

    def when(self) -> exp.Expr:
        """The view's event time as an instant."""
        return self._instant(self.view.event_time)

    def known(self) -> exp.Expr:
        """The view's known-at time as an instant."""
        assert self.view.known_at is not None
        return self._instant(self.view.known_at)

    def later_times(self) -> list[tuple[str, exp.Expr]]:
        """The times that break ties of the event time, as (name inside the scope, value), in the order of rule 3."""
        named = ((self.known_at, self.view.known_at), (self.created_at, self.view.created_at))
        return [(name, self._instant(column)) for name, column in named if column is not None]

    def in_age(self) -> list[exp.Expr]:
        """The condition ``event_time + ttl >= t``, over the columns of a match. There is none without a ttl."""
        if self.view.ttl is None:
            return []
        return [col(self.event_time, self.v) >= earlier(self.dialect, col(self.t, self.m), self.view.ttl)]

    def in_reach(self, reach: int | None = None) -> list[exp.Expr]:
        """Conditions with constants, which let the engine skip rows that no moment can see.

        ``reach`` is how far back the query looks, in microseconds, where that is less than the ttl.
        """
        backs = [back for back in (reach, self.view.ttl) if back is not None]
        return self.between(self.bounds, min(backs, default=None))

    def between(self, bounds: Bounds, back: int | None) -> list[exp.Expr]:
        """Conditions that the event time is at most ``back`` before the first moment, and not after the last."""
        column = self.view.event_time
        oldest = None if bounds.earliest is None or back is None else _earlier(bounds.earliest, back)
        return in_range(self.dialect, col(column.name, self.v), column.type, oldest, bounds.latest)

    def _instant(self, column: Column) -> exp.Expr:
        return instant(self.dialect, col(column.name, self.v), column.type)


def _earlier(moment: datetime, length: int) -> datetime | None:
    try:
        return moment - timedelta(microseconds=length)
    except OverflowError:
        return None
