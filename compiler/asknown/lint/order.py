"""Says which way in time a window is ordered, and whether its partition is one instant."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

from sqlglot import exp

from asknown.lint.coarse import Coarse, Grains
from asknown.lint.nodes import Subject
from asknown.model.lineage import Computed, Origin, Stored
from asknown.model.nodes import Model
from asknown.model.total_order import function_of
from asknown.model.windows import is_trailing, merged
from asknown.types import TIME_KINDS

Way = Literal["forward", "backward", "no time", "unknown", "constant"]
"""How an expression moves with time."""

_FLIPPED: dict[Way, Way] = {"forward": "backward", "backward": "forward"}
_FROM_PARTS = (exp.TimestampFromParts, exp.DateFromParts)
_LONGEST = 12  # expressions are followed through so many selects


@dataclass(frozen=True)
class Ordered:
    """A window with its partition, order and frame, where it stands, and what they say about time."""

    window: exp.Window
    select: exp.Select
    subject: Subject

    @cached_property
    def function(self) -> exp.Expr:
        return function_of(self.window)

    @cached_property
    def name(self) -> str:
        """The function's name, as it is written."""
        function = self.function
        text = function.name if isinstance(function, exp.Anonymous) else function.sql(self.subject.model.dialect)
        return text.partition("(")[0].strip().lower()

    @cached_property
    def _parts(self) -> tuple[list[exp.Expr], list[exp.Expr], exp.WindowSpec | None]:
        return merged(self.window, self.select)

    @property
    def partition(self) -> list[exp.Expr]:
        return self._parts[0]

    @property
    def spec(self) -> exp.WindowSpec | None:
        return self._parts[2]

    @cached_property
    def order(self) -> list[exp.Expr]:
        """The terms of the order, without those that are the same for a whole partition."""
        same = {plain(term) for term in self.partition}
        terms = self._parts[1]
        return [
            t
            for t in terms
            if (v := _value(t)).find(exp.Column, exp.Columns, exp.Star) is not None and plain(v) not in same
        ]

    @cached_property
    def way(self) -> Way:
        """How the first term of the order moves with time; constant where there is no order."""
        if not self.order:
            return "constant"
        first = self.order[0]
        way = way_of(_value(first), self.select, self.subject.model, self.subject)
        return _FLIPPED.get(way, way) if first.args.get("desc") else way

    @cached_property
    def coarse(self) -> Coarse | None:
        """The reason why the order merges several instants, unless a later term or the partition tells these apart."""
        model, subject = self.subject.model, self.subject
        grains = Grains(subject, follows_time)
        times = origins_of_role(subject, subject.view.rendered.config.event_time)
        known = [origin for term in self.partition for origin in origins(term, self.select, model, subject)]
        found: Coarse | None = None
        for term in self.order:
            value = _value(term)
            way = way_of(value, self.select, model, subject)
            if way == "constant":
                continue
            if way not in _FLIPPED:
                return None if way == "unknown" else found
            known += origins(value, self.select, model, subject)
            this = grains.of(value, self.select, model) or self._part_of(value, times)
            if this is None or (times and all(_settled_by(one, known, subject) for one in times)):
                return None
            if self._has_the_day_of(this, grains):
                if _is_time_of_day(this.expression):
                    return None
                this = replace(this, grain="coarse")
            found = found or this
        return found

    def _part_of(self, value: exp.Expr, times: list[Origin]) -> Coarse | None:
        """A column that is one of those that the event time is put together of, such as its year."""
        own = origins(value, self.select, self.subject.model, self.subject)
        for time in (one for one in times if isinstance(one, Computed)):
            for call in time.expression.find_all(*_FROM_PARTS):
                for column in call.find_all(exp.Column):
                    of = self.subject.lineage.of_column(column, time.select, time.model)
                    if any(same_origin(one, other) for one in own for other in of):
                        return Coarse(value, self.select, "coarse")
        return None

    @property
    def ends_in_values(self) -> bool:
        """Whether the order compares rows by something that is no time, too."""
        return any(way_of(_value(t), self.select, self.subject.model, self.subject) == "no time" for t in self.order)

    def _has_the_day_of(self, part: Coarse, grains: Grains) -> bool:
        """Whether the partition, or a term of the order before it, contains the day that a part of a time is of."""
        columns = {plain(column) for column in part.expression.find_all(exp.Column)}
        for term in [*self.partition, *(_value(t) for t in self.order)]:
            this = grains.of(term, self.select, self.subject.model)
            if this is None:
                continue
            if this.expression == part.expression:
                return False
            if this.grain == "coarse" and {plain(c) for c in this.expression.find_all(exp.Column)} == columns:
                return True
        return False

    @cached_property
    def is_lifted(self) -> bool:
        """Whether this is a trailing window of a view's outermost select, which is asked at the spine's instant."""
        model = self.subject.model
        return model.is_feature_view and self.select is model.tree and is_trailing(self.window, self.select)

    @cached_property
    def is_one_instant(self) -> bool:
        """Whether the partition contains the view's event time, so that it holds no later row."""
        return self._contains(self.subject.view.rendered.config.event_time)

    @cached_property
    def is_known_at_once(self) -> bool:
        """Whether the partition contains the view's ``known_at``, so that its rows are known at the same time."""
        return self._contains(self.subject.view.rendered.config.known_at)

    def _contains(self, role: str | None) -> bool:
        time_origins = origins_of_role(self.subject, role)
        if not time_origins and role is not None:  # where the time comes from cannot be told: any time will do
            return any(way_of(p, self.select, self.subject.model, self.subject) == "forward" for p in self.partition)
        known = [(term, origins(term, self.select, self.subject.model, self.subject)) for term in self.partition]
        if any(
            isinstance(t, exp.Column) and not own and t.name.casefold() == (role or "").casefold() for t, own in known
        ):
            return True
        read = [origin for _, own in known for origin in own]
        return any(_settled_by(one, read, self.subject) for one in time_origins)

    @property
    def reads_static_alone(self) -> bool:
        return self.subject.reads_static_alone(self.select)


def windows_of(subject: Subject) -> Iterator[Ordered]:
    """The windows of a model, in its CTEs and subqueries too."""
    for window in subject.model.tree.find_all(exp.Window):
        select = window.find_ancestor(exp.Select)
        if window.arg_key != "windows" and select is not None:
            yield Ordered(window, select, subject)


def origins_of_role(subject: Subject, role: str | None) -> list[Origin]:
    """Where the column that the view's config names as a time comes from."""
    return subject.lineage.of_output(subject.view, role) if role else []


def _settled_by(origin: Origin, known: list[Origin], subject: Subject, depth: int = 0) -> bool:
    """Whether rows that agree in the ``given`` origins agree in this one, too: it is one of them, or made of them."""
    if any(same_origin(origin, one) for one in known):
        return True
    if not isinstance(origin, Computed) or depth > _LONGEST:
        return False
    if origin.expression.find(exp.Window, exp.AggFunc, exp.Query) is not None:
        return False
    parts = [
        subject.lineage.of_column(column, origin.select, origin.model)
        for column in origin.expression.find_all(exp.Column)
    ]
    return bool(parts) and all(any(_settled_by(one, known, subject, depth + 1) for one in part) for part in parts)


def same_origin(one: Origin, other: Origin) -> bool:
    """Whether two origins surely are one: the same stored column, or the same expression."""
    match one, other:
        case Stored(), Stored():
            return (one.relation, one.column) == (other.relation, other.column)
        case Computed(), Computed():
            return plain(one.expression) == plain(other.expression)
    return False


def follows_time(value: exp.Expr, select: exp.Select, model: Model, subject: Subject) -> bool:
    """Whether an expression moves with time, in either direction."""
    return way_of(value, select, model, subject) in _FLIPPED


def _is_time_of_day(value: exp.Expr) -> bool:
    return isinstance(value, exp.Cast) and value.to.is_type("time", "timetz")


def way_of(value: exp.Expr, select: exp.Select, model: Model, subject: Subject, depth: int = 0) -> Way:
    """How an expression of a select moves with time."""
    if depth > _LONGEST:
        return "unknown"

    def inner(part: exp.Expr) -> Way:
        return way_of(part, select, model, subject, depth + 1)

    match value:
        case exp.Column():
            return _together(
                [_way_of_origin(o, subject, depth) for o in subject.lineage.of_column(value, select, model)]
            )
        case exp.Literal() | exp.Null() | exp.Boolean() | exp.Interval():
            return "constant"
        case exp.Neg():
            return _flip(inner(value.this))
        case exp.Sub() | exp.DateDiff() | exp.TimestampDiff():
            return _difference(inner(value.this), inner(value.expression))
        case exp.Mul() | exp.Div():
            way = _together([inner(value.this), inner(value.expression)])
            negative = any(isinstance(side.unnest(), exp.Neg) for side in (value.this, value.expression))
            return _flip(way) if negative else way
        case exp.Window() | exp.Case() | exp.If() | exp.Columns() | exp.Star() | exp.Query():
            return "unknown"
    parts = [inner(part) for part in value.iter_expressions() if not isinstance(part, exp.DataType | exp.Var)]
    if not parts and value.find(exp.Column) is None:
        return "constant"
    return _together(parts)


def _difference(left: Way, right: Way) -> Way:
    """How ``left - right`` moves."""
    if right == "constant":
        return left
    if left == "constant":
        return _flip(right)
    return "no time" if left == right == "no time" else "unknown"


def _together(ways: list[Way]) -> Way:
    """How what is made of several parts moves: with the time among them, if there is one."""
    for way in ("forward", "backward", "unknown"):
        if way in ways:
            return way
    return "no time" if "no time" in ways else "constant" if ways else "unknown"


def _flip(way: Way) -> Way:
    return _FLIPPED.get(way, way)


def _way_of_origin(origin: Origin, subject: Subject, depth: int) -> Way:
    match origin:
        case Computed():
            return way_of(origin.expression, origin.select, origin.model, subject, depth + 1)
        case Stored():
            if origin.type is not None and (origin.type.kind in TIME_KINDS or origin.type.name.startswith("TIMESTAMP")):
                return "forward"
            if (origin.relation, origin.column) in _made_of(subject):
                return "forward"
            return "unknown" if origin.type is None else "no time"


def _made_of(subject: Subject) -> set[tuple[str, str]]:
    """The stored columns that the view's times are made of: numbers that count seconds, say."""
    config = subject.view.rendered.config
    found: set[tuple[str, str]] = set()
    waiting = [
        o for role in (config.event_time, config.known_at, config.created_at) for o in origins_of_role(subject, role)
    ]
    for _ in range(_LONGEST):
        following: list[Origin] = []
        for origin in waiting:
            match origin:
                case Stored():
                    found.add((origin.relation, origin.column))
                case Computed():
                    for column in origin.expression.find_all(exp.Column):
                        following += subject.lineage.of_column(column, origin.select, origin.model)
        waiting = following
    return found


def origins(value: exp.Expr, select: exp.Select, model: Model, subject: Subject) -> list[Origin]:
    """Where the values of an expression come from: a column's origins, or the expression itself."""
    value = value.unnest()
    if isinstance(value, exp.Column):
        return subject.lineage.of_column(value, select, model)
    return [Computed(value, select, model)]


def _value(term: exp.Expr) -> exp.Expr:
    value = term.this if isinstance(term, exp.Ordered) else term
    assert isinstance(value, exp.Expr)
    return value.unnest()


def plain(value: exp.Expr) -> str:
    """An expression as text, without what its columns are qualified by."""
    bare = value.unnest().copy()
    for column in bare.find_all(exp.Column):
        column.set("table", None)
        if isinstance(column.this, exp.Identifier):
            column.this.set("quoted", False)
    return bare.sql().casefold()
