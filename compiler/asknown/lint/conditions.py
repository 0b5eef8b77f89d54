"""Reads the conditions of joins and filters: which relation each side belongs to, and how the side moves with time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

from sqlglot import exp

from asknown.lint.nodes import Subject
from asknown.lint.order import Way, way_of
from asknown.lint.paths import path_of
from asknown.model.lineage import relations

OUTER = "outer select"
"""Stands for the relation of a column that a subquery reads from the select around it."""


@dataclass(frozen=True)
class Bound:
    """``later > earlier``, or ``>=``: one comparison, whichever way the author wrote it."""

    later: exp.Expr
    earlier: exp.Expr
    node: exp.Expr


@dataclass(frozen=True)
class Reading:
    """A select of a model, with what its conditions say."""

    select: exp.Select
    subject: Subject

    @cached_property
    def aliases(self) -> list[str]:
        """The names of the relations that the select reads, in lower case."""
        return [alias.casefold() for alias, _ in relations(self.select)]

    @cached_property
    def around(self) -> exp.Select | None:
        return self.select.find_ancestor(exp.Select)

    @cached_property
    def base(self) -> frozenset[str]:
        """The relations whose row an output row is about: those that the view's event time comes from.

        In a select that the event time does not pass through it is the first one, or the outer row of a subquery
        that reads it.
        """
        for step in path_of(self.subject.context, self.subject.view.rendered.config.event_time):
            if step.select is self.select and step.aliases:
                return step.aliases
        if self._reads_outer():
            return frozenset({OUTER})
        return frozenset(self.aliases[:1])

    def _reads_outer(self) -> bool:
        where = self.select.args.get("where")
        return where is not None and any(self.alias_of(column) == OUTER for column in where.find_all(exp.Column))

    @cached_property
    def conditions(self) -> list[exp.Expr]:
        """The conditions that hold for each row: the parts of WHERE and of the joins' ON that are joined by AND."""
        found: list[exp.Expr] = []
        where = self.select.args.get("where")
        parts = [where.this] if where is not None else []
        parts += [join.args["on"] for join in self.select.args.get("joins") or [] if join.args.get("on")]
        while parts:
            part = parts.pop(0).unnest()
            if isinstance(part, exp.And):
                parts[:0] = [part.left, part.right]
            else:
                found.append(part)
        return found

    @cached_property
    def bounds(self) -> list[Bound]:
        return [bound for condition in self.conditions for bound in _bounds(condition)]

    def alias_of(self, column: exp.Column) -> str | None:
        """The relation that a column in a condition belongs to, in lower case; None where that cannot be told."""
        table = column.table.casefold()
        if table in self.aliases:
            return table
        read = self.subject.lineage.relations_of(column, self.select, self.subject.model)
        if read:
            return read[0][0].casefold()
        outer = self.around
        if outer is not None and (
            table in [alias.casefold() for alias, _ in relations(outer)]
            or self.subject.lineage.relations_of(column, outer, self.subject.model)
        ):
            return OUTER
        return None

    def sides(self, value: exp.Expr) -> set[str | None]:
        """The relations that an expression reads."""
        return {self.alias_of(column) for column in value.find_all(exp.Column)}

    def way(self, value: exp.Expr) -> Way:
        """How an expression moves with time."""
        select = self.select
        if OUTER in self.sides(value) and self.around is not None:
            select = self.around
        return way_of(value, select, self.subject.model, self.subject)

    def relation(self, alias: str) -> exp.Expr | None:
        """The relation of this name."""
        return next((node for name, node in relations(self.select) if name.casefold() == alias), None)

    def is_dated(self, alias: str) -> bool:
        """Whether a condition compares a time of this relation with anything."""
        for condition in self.conditions:
            if not isinstance(condition, exp.Binary | exp.Between):
                continue
            parts = [p for p in condition.iter_expressions() if self.sides(p) == {alias}]
            if any(self.way(part) in ("forward", "backward") for part in parts):
                return True
        shared = [column for join in self.select.args.get("joins") or [] for column in join.args.get("using") or []]
        return any(self.way(exp.column(name.name, alias)) in ("forward", "backward") for name in shared)

    def ends_early(self) -> bool:
        """Whether the rows end at a constant instant, or at one of the outer row."""
        for bound in self.bounds:
            own = self.sides(bound.earlier)
            if not own or OUTER in own or self.way(bound.earlier) != "forward":
                continue
            other = self.sides(bound.later)
            if (not other and self.way(bound.later) == "constant") or other == {OUTER}:
                return True
        return any(
            isinstance(c, exp.EQ) and {self.way(c.left), self.way(c.right)} == {"forward", "constant"}
            for c in self.conditions
        )


def _bounds(condition: exp.Expr) -> Iterator[Bound]:
    match condition:
        case exp.GT() | exp.GTE():
            yield Bound(condition.left, condition.right, condition)
        case exp.LT() | exp.LTE():
            yield Bound(condition.right, condition.left, condition)
        case exp.Between():
            yield Bound(condition.this, condition.args["low"], condition)
            yield Bound(condition.args["high"], condition.this, condition)


def has_own_aggregate(select: exp.Select) -> bool:
    """Whether a select aggregates its rows, not counting aggregates over windows."""
    return any(call.find_ancestor(exp.Window, exp.Select) is select for call in select.find_all(exp.AggFunc))
