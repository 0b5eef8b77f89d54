"""A model, read from its SQL, and a feature view, which adds the model's config and the engine's types."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlglot import exp

from asknown.aggregates import Aggregate
from asknown.periods import Period
from asknown.render.nodes import Rendered
from asknown.types import Column, SqlType


@dataclass(frozen=True)
class Call:
    """A call of a function in a model's SQL, as the engine that gives types reads it.

    ``arguments`` is their number, and ``type`` the type of the value. ``start`` is the place of the call's first
    character in the SQL, None where the engine does not tell.
    """

    function: str
    arguments: int
    type: str
    start: int | None


@dataclass(frozen=True)
class Model:
    """A model that parses. ``sql`` is the rendered query without a closing semicolon; ``tree`` is the same, parsed.

    ``repeatable`` is True if a second read surely gives the same rows: the model has no aggregate, window, limit or
    sample, whose result may follow the physical order of rows, and nothing random. ``joins`` is True if it joins
    tables, so that a second read is expensive. ``dialect`` is the dialect of its SQL. ``reads`` maps the names of the
    columns that it reads, in lower case, to their types; ``spelled`` maps them to their spelling. Names with more than
    one type or spelling are left out. ``calls`` are its calls of the functions that versions of DuckDB compute in
    different ways; None if they are not known.
    """

    name: str
    rendered: Rendered
    sql: str
    tree: exp.Query
    repeatable: bool
    joins: bool
    dialect: str
    reads: Mapping[str, SqlType] = field(default_factory=dict, compare=False)
    spelled: Mapping[str, str] = field(default_factory=dict, compare=False)
    calls: tuple[Call, ...] | None = field(default=None, compare=False)

    @property
    def is_feature_view(self) -> bool:
        return self.rendered.config.entity is not None

    @property
    def is_on_demand(self) -> bool:
        """Whether this is an on-demand view, which has no rows and computes from a request."""
        return self.rendered.config.inputs is not None


@dataclass(frozen=True)
class Frame:
    """A time range that ends at the asking instant: ``oldest`` to ``newest`` microseconds before it, both included."""

    oldest: int
    newest: int


@dataclass(frozen=True)
class PeriodFrame:
    """The period in which the asking instant lies, up to that instant; with ``back`` the whole period before it."""

    period: Period
    back: bool

    @property
    def oldest(self) -> int:
        """The frame never begins earlier, in microseconds before the asking instant."""
        return 2 * self.period.longest if self.back else self.period.longest

    @property
    def newest(self) -> int:
        """The frame never ends later, in microseconds before the asking instant."""
        return 1 if self.back else 0


@dataclass(frozen=True)
class WindowCall:
    """One aggregate over one frame. ``value``, ``order`` and ``condition`` are hidden columns of the lifted rows.

    ``second`` is the second argument where it is a literal: a quantile's number, a separator. Rows whose value (or
    order) is NULL are skipped.
    """

    aggregate: Aggregate
    value: str | None
    order: str | None
    second: float | str | None
    condition: str | None
    frame: Frame | PeriodFrame


@dataclass(frozen=True)
class Item:
    """One feature of the select, with its expression over columns of the lifted rows and over window calls.

    ``windows`` are the indexes of its calls among all calls. In the expression, ``@i`` (an ``exp.Parameter``) stands
    for call ``i``. An item without windows is an as-of feature and has no expression. ``narrowed``: it is a sum of
    integers, and has a narrower type than in the engine's own SQL (rule 7).
    """

    name: str
    expression: exp.Expr | None
    windows: tuple[int, ...]
    columns: tuple[str, ...]  # hidden as-of columns that the expression reads
    narrowed: bool = False

    @property
    def computes(self) -> bool:
        """Whether the expression is more than one window."""
        return self.expression is not None and not isinstance(self.expression, exp.Parameter)


@dataclass(frozen=True)
class Lifted:
    """A feature view's select with its trailing windows taken out.

    ``tree`` is what remains: the as-of columns in their order, then the columns of the windows, named in ``hidden``.
    ``call_types`` are the types of the calls where an item computes with them; else they may be unknown.
    """

    tree: exp.Select
    hidden: tuple[str, ...]
    items: tuple[Item, ...]
    calls: tuple[WindowCall, ...]
    call_types: tuple[SqlType, ...] = ()

    @property
    def longest(self) -> int:
        """The length of the longest frame, from the asking instant back, in microseconds."""
        return max(call.frame.oldest for call in self.calls)


MAX_AHEAD = 400 * 86_400_000_000
"""How far ahead of a load the online table keeps rows, in microseconds, where a view does not say."""


@dataclass(frozen=True)
class FeatureView:
    """A model whose rows are facts about entities in time.

    ``keys`` are the columns of the entities' keys, in the entities' order. ``known_at`` and ``created_at`` are None
    if they are not declared, or name a column that rule 3 compares before them. ``features`` are the other columns,
    in select order; ``ttl`` is in microseconds, None for no bound. ``max_ahead`` (microseconds) is how long after its
    watermark a load of the online table keeps rows that become visible later.

    ``columns`` are the columns of the rows that features are fetched from. ``fetched`` are those of them that break
    ties and that an as-of join fetches, in order: the features, without the windows that ``lifted`` took out.
    """

    name: str
    model: Model
    keys: tuple[Column, ...]
    event_time: Column
    known_at: Column | None
    created_at: Column | None
    features: tuple[Column, ...]
    fetched: tuple[Column, ...]
    columns: tuple[Column, ...]
    ttl: int | None
    repeatable: bool
    lifted: Lifted | None = None
    max_ahead: int = MAX_AHEAD

    def feature(self, name: str) -> Column | None:
        return next((column for column in self.features if column.name == name), None)

    def asked(self, name: str) -> Column | None:
        """A feature, or one of the view's times, which is no feature but may be asked for by its name."""
        return self.feature(name) or next((time for time in self.times if time.name == name), None)

    @property
    def times(self) -> tuple[Column, ...]:
        """The event time, and ``known_at`` and ``created_at`` where they are there."""
        return tuple(time for time in (self.event_time, self.known_at, self.created_at) if time is not None)

    def column(self, name: str) -> Column:
        """A column of the rows, by name."""
        return next(column for column in self.columns if column.name == name)

    def item(self, feature: str) -> Item | None:
        """The item of a feature that is computed over windows, or None if an as-of join fetches it."""
        if self.lifted is None:
            return None
        return next((i for i in self.lifted.items if i.name == feature and i.expression is not None), None)


@dataclass(frozen=True)
class KeyColumn:
    """A key of the request, by which some of the views are read."""


@dataclass(frozen=True)
class AskedAt:
    """The instant of asking: the spine's, or the read's."""


@dataclass(frozen=True)
class InputColumn:
    """A value that only the request has."""


@dataclass(frozen=True)
class FeatureColumn:
    """A column of a view: a feature, or one of a feature view's times.

    ``keys`` pairs the view's key columns with those of the request, where they differ. ``by`` pairs those that are
    looked up with the inputs and features of the request whose values they are. ``each`` is the key that is looked up
    by every element of a list: the column of the request is then a list of the values of ``column``.
    """

    view: FeatureView | OnDemandView
    label: str
    keys: tuple[tuple[str, str], ...]
    column: Column
    by: tuple[tuple[str, str], ...] = ()
    each: str | None = None


Origin = KeyColumn | AskedAt | InputColumn | FeatureColumn


@dataclass(frozen=True)
class RequestColumn:
    """A column of the relation ``request`` of an on-demand view, and where its value comes from."""

    name: str
    type: SqlType
    origin: Origin

    @property
    def column(self) -> Column:
        return Column(self.name, self.type)


@dataclass(frozen=True)
class OnDemandItem:
    """One feature of an on-demand view: its expression over columns of the request, and the tree for the reader.

    ``columns`` are the names of the request's columns that it reads.
    """

    name: str
    expression: exp.Expr
    columns: tuple[str, ...]
    tree: tuple[Any, ...]


@dataclass(frozen=True)
class OnDemandView:
    """A model that computes row expressions over one request: keys, the instant of asking, inputs and other features.

    ``keys`` and ``inputs`` are all that a request must bring, those of the on-demand views that it reads included.
    ``columns`` are those of the relation ``request``.
    """

    name: str
    model: Model
    keys: tuple[Column, ...]
    inputs: tuple[Column, ...]
    columns: tuple[RequestColumn, ...]
    items: tuple[OnDemandItem, ...]
    features: tuple[Column, ...]

    def feature(self, name: str) -> Column | None:
        return next((column for column in self.features if column.name == name), None)

    def asked(self, name: str) -> Column | None:
        """A feature by its name: an on-demand view has no times."""
        return self.feature(name)

    def item(self, feature: str) -> OnDemandItem:
        """The item of a feature."""
        return next(item for item in self.items if item.name == feature)

    def column(self, name: str) -> RequestColumn:
        """A column of the request, by name."""
        return next(column for column in self.columns if column.name == name)

    def read_by(self, feature: str) -> tuple[str, ...]:
        """The columns of the request that a feature reads, each after those that it is looked up by."""
        found: dict[str, None] = {}

        def add(name: str) -> None:
            origin = self.column(name).origin
            for _, source in origin.by if isinstance(origin, FeatureColumn) else ():
                add(source)
            found.setdefault(name)

        for name in self.item(feature).columns:
            add(name)
        return tuple(found)

    def views(self) -> Iterator[FeatureView]:
        """The feature views that it reads, also through other on-demand views; some come several times."""
        for column in self.columns:
            match column.origin:
                case FeatureColumn(FeatureView() as view):
                    yield view
                case FeatureColumn(OnDemandView() as other):
                    yield from other.views()


View = FeatureView | OnDemandView
"""A view that has features: a feature view or an on-demand view."""
