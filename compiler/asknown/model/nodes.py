"""A model as its SQL tree says it, and a feature view as its config and the engine's types complete it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlglot import exp

from asknown.aggregates import Aggregate
from asknown.render.nodes import Rendered
from asknown.types import SqlType


@dataclass(frozen=True)
class Column:
    """A column of a model, a source or a spine, in the engine's spelling."""

    name: str
    type: SqlType


@dataclass(frozen=True)
class Model:
    """A model that parses. ``sql`` is the rendered query without a closing semicolon; ``tree`` is the same, parsed.

    ``repeatable`` says that reading it twice surely gives the same rows: no aggregate, window, limit or sample, whose
    result may follow the physical order of rows, and nothing random. ``joins`` says that it joins tables, so that
    reading it twice costs. ``dialect`` is the one that it is written in. ``reads`` are the types of the columns that it
    reads, by name in lower case, where they are known and one name has one type; ``spelled`` is how these columns are
    spelled, where one name has one spelling.
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

    @property
    def is_feature_view(self) -> bool:
        return self.rendered.config.entity is not None


@dataclass(frozen=True)
class Frame:
    """The rows from ``oldest`` to ``newest`` microseconds before the instant asked at, both ends included."""

    oldest: int
    newest: int


@dataclass(frozen=True)
class WindowCall:
    """One aggregate over one frame. ``value``, ``order`` and ``condition`` are hidden columns of the lifted rows.

    ``number`` is the second argument of a quantile. Rows whose value (or order) is NULL are skipped.
    """

    aggregate: Aggregate
    value: str | None
    order: str | None
    number: float | None
    condition: str | None
    frame: Frame


@dataclass(frozen=True)
class Item:
    """One feature of the select: its expression over the columns of the lifted rows and, as parameters, over windows.

    ``windows`` are the places of its calls in the list of all; the expression names call ``i`` by ``@i`` (an
    ``exp.Parameter``). An item without windows is an as-of feature and has no expression.
    """

    name: str
    expression: exp.Expr | None
    windows: tuple[int, ...]
    columns: tuple[str, ...]  # hidden as-of columns that the expression reads

    @property
    def computes(self) -> bool:
        """Whether the expression is more than one window."""
        return self.expression is not None and not isinstance(self.expression, exp.Parameter)


@dataclass(frozen=True)
class Lifted:
    """A feature view's select, taken apart.

    ``tree`` gives the rows: the select's as-of columns in their order, then the hidden ones, which ``hidden`` names.
    ``call_types`` are the types of the calls where an item computes with them; else they may be unknown.
    """

    tree: exp.Select
    hidden: tuple[str, ...]
    items: tuple[Item, ...]
    calls: tuple[WindowCall, ...]
    call_types: tuple[SqlType, ...] = ()

    @property
    def longest(self) -> int:
        """How far back the longest frame reaches, in microseconds."""
        return max(call.frame.oldest for call in self.calls)


@dataclass(frozen=True)
class FeatureView:
    """A model whose rows are facts about entities in time.

    ``keys`` are the columns of the entities' keys, in the entities' order. ``known_at`` and ``created_at`` are None
    where they are not declared, or name a column that already stands before them in the order of rule 3.
    ``features`` are the other columns, in select order; ``ttl`` is in microseconds, 0 for no bound.

    ``columns`` are those of the rows that features are fetched from, and ``fetched`` the ones of them that break ties
    and can be fetched, in order: the features, unless ``lifted`` says that some are computed over windows.
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
    ttl: int
    repeatable: bool
    lifted: Lifted | None = None

    def feature(self, name: str) -> Column | None:
        return next((column for column in self.features if column.name == name), None)

    def column(self, name: str) -> Column:
        """A column of the rows, by name."""
        return next(column for column in self.columns if column.name == name)

    def item(self, feature: str) -> Item | None:
        """How a feature is computed over windows, or None where it is fetched."""
        if self.lifted is None:
            return None
        return next((i for i in self.lifted.items if i.name == feature and i.expression is not None), None)
