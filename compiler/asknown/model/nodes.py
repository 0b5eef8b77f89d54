"""A model as its SQL tree says it, and a feature view as its config and the engine's types complete it."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

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
    reading it twice costs.
    """

    name: str
    rendered: Rendered
    sql: str
    tree: exp.Query
    repeatable: bool
    joins: bool

    @property
    def is_feature_view(self) -> bool:
        return self.rendered.config.entity is not None


@dataclass(frozen=True)
class FeatureView:
    """A model whose rows are facts about entities in time.

    ``keys`` are the columns of the entities' keys, in the entities' order. ``known_at`` and ``created_at`` are None
    where they are not declared, or name a column that already stands before them in the order of rule 3.
    ``features`` are the other columns, in select order; ``ttl`` is in microseconds, 0 for no bound.
    """

    name: str
    model: Model
    keys: tuple[Column, ...]
    event_time: Column
    known_at: Column | None
    created_at: Column | None
    features: tuple[Column, ...]
    columns: tuple[Column, ...]
    ttl: int
    repeatable: bool

    def feature(self, name: str) -> Column | None:
        return next((column for column in self.features if column.name == name), None)
