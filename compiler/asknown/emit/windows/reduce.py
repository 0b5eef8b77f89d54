"""A pass over a view's rows: the columns that it reads, and how it computes aggregates of them.

An aggregate is computed over the pairs of a frame (``Direct``, ``OverSorted``), or from the states of the bands that
make up the frame (``Banded``).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from sqlglot import exp

from asknown.emit.asof.scope import AsOfScope
from asknown.emit.snippets import instantiate, unsupported
from asknown.emit.sql import all_of, col, ident, named, subquery, table
from asknown.model.nodes import Frame
from asknown.types import Column


@dataclass(frozen=True)
class Part:
    """SQL for one part of a graded sum.

    ``value`` gives the part of ``:x``, and ``within`` is true for the grades that have it; both read ``:grade``.
    """

    value: str
    within: str


class Reduce(Protocol):
    """Computes aggregates over the rows of one call's frame."""

    def take(
        self, template: str, conditions: Sequence[exp.Expr] = (), /, **values: exp.Expr | Sequence[exp.Expr]
    ) -> exp.Expr:
        """The aggregate of this template, with ``values`` in its places, over rows that meet the conditions."""
        ...

    def add(self, template: str, conditions: Sequence[exp.Expr], x: exp.Expr, grade: str, part: Part, /) -> exp.Expr:
        """The sum of one part of the numbers ``x``, which have been added by ``grade``, a column."""
        ...


class Columns:
    """The view's rows as a pass reads them: keys, times, and the values to aggregate, each computed once."""

    def __init__(self, scope: AsOfScope) -> None:
        self.scope = scope
        self.grades: list[str] = []  # columns of grades; rows of different grades are added apart
        self._columns: dict[str, exp.Expr] = {}
        self._digits: dict[str, exp.Expr] = {}

    def column(self, name: str) -> exp.Expr:
        """A column of the view, as the aggregates read it."""
        self._columns.setdefault(name, col(name, self.scope.v))
        return col(name, self.scope.v)

    def computed(self, wish: str, value: exp.Expr) -> exp.Expr:
        """A column called ``wish``, or like it, that is computed from the view's columns."""
        name = self.scope.inner(wish)
        self._columns.setdefault(name, value)
        return col(name, self.scope.v)

    def apart(self, wish: str, grade: exp.Expr, digits_wish: str, digits: exp.Expr) -> tuple[exp.Expr, str]:
        """Adds a column of integers, and one of their grades. Gives the column, and the name of the grade's."""
        column, name = self.scope.inner(wish), self.scope.inner(digits_wish)
        if column not in self.grades:
            self.grades.append(column)
            self._columns[column] = grade
            self._digits[name] = digits
        return col(name, self.scope.v), column

    def with_digits(self, query: exp.Select) -> exp.Select:
        """``query`` with the integers that :meth:`apart` added. They read the column of the grade."""
        if not self._digits:
            return query
        digits = [named(value.copy(), name) for name, value in self._digits.items()]
        return exp.select(exp.Star(), *digits).from_(subquery(query, self.scope.v))

    def query(self, *more: exp.Expr) -> exp.Select:
        """The rows: ``SELECT k, ts AS event_time, amount, … FROM view AS v``, with the columns ``more``."""
        scope = self.scope
        columns = [*scope.keys_of(scope.v), named(scope.when(), scope.event_time)]
        columns += [named(value, name) for name, value in scope.later_times()]
        columns += [named(value, name) for name, value in self._columns.items()]
        return exp.select(*columns, *more).from_(table(scope.source, scope.v))


def aggregate_template(scope: AsOfScope, name: str, value: Column) -> str:
    """The name of the dialect's template for an aggregate of a column. The most particular one wins.

    Raises ``not-in-dialect`` if there is none.
    """
    rules = scope.dialect.aggregates
    for template in (f"{name}.{value.type.name.casefold()}", f"{name}.{value.type.kind}", name):
        if template in rules.templates:
            return template
    nearest = rules.nearest.get(f"{name}.{value.type.kind}") or rules.nearest.get(name)
    kinds = [kind for known, _, kind in (template.partition(".") for template in rules.templates) if known == name]
    other = f"cast it: {name}() is over {' or '.join(kinds)}" if kinds else "keep it for another target"
    hint = f"in '{scope.view.name}': {nearest or other}"
    raise unsupported(scope.dialect, f"{name}() over {value.type}", hint=hint)


class Direct:
    """Computes aggregates over the pairs in one call's frame, which is a condition of each::

        SUM(v.amount) FILTER (WHERE v.event_time >= m.t - INTERVAL '7' DAY)

    The join makes pairs up to the longest frame, so a call with that frame needs no such condition.
    """

    def __init__(self, scope: AsOfScope, inside: Sequence[exp.Expr]) -> None:
        """``inside`` are the conditions that a pair lies in the frame."""
        self._scope = scope
        self._frame = inside

    def take(
        self, template: str, conditions: Sequence[exp.Expr] = (), /, **values: exp.Expr | Sequence[exp.Expr]
    ) -> exp.Expr:
        return _filtered(self._scope, template, [*self._frame, *conditions], values)

    def add(self, template: str, conditions: Sequence[exp.Expr], x: exp.Expr, grade: str, part: Part, /) -> exp.Expr:
        value, within = _cut(self._scope, part, x, col(grade, self._scope.v))
        return self.take(template, [*conditions, within], x=value)


class OverSorted(Direct):
    """Computes aggregates by window functions, so that each pair of a moment has the result beside it.

    The dialect's template ``sorted.name`` replaces ``name`` if that means something else with OVER.
    """

    def take(
        self, template: str, conditions: Sequence[exp.Expr] = (), /, **values: exp.Expr | Sequence[exp.Expr]
    ) -> exp.Expr:
        dialect = self._scope.dialect
        if f"sorted.{template}" not in dialect.aggregates.templates:
            return self._over(super().take(template, conditions, **values))
        aggregate = self._over(super().take(f"sorted.{template}", conditions, **values))
        return instantiate(dialect, dialect.aggregates.finalizers[f"sorted.{template}"], value=aggregate)

    def _over(self, aggregate: exp.Expr) -> exp.Expr:
        return exp.Window(this=aggregate, partition_by=self._scope.moment())


class States:
    """The states of a band or a tile. Aggregates over several frames share a state if they need the same."""

    _ADDED: ClassVar = ("count", "sum.boolean")  # their states merge by a sum; others by the same aggregate again

    def __init__(self, scope: AsOfScope) -> None:
        self.scope = scope
        self._states: dict[tuple[str, exp.Expr], tuple[str, str, exp.Expr]] = {}

    def of(
        self, template: str, conditions: Sequence[exp.Expr], values: Mapping[str, exp.Expr | Sequence[exp.Expr]]
    ) -> str:
        """The name of the state for an aggregate over the rows that meet ``conditions``. Adds it if it is new."""
        state = _filtered(self.scope, template, conditions, values)
        name = self.scope.inner(f"b{len(self._states)}")
        return self._states.setdefault((template, state), (name, template, state))[0]

    def columns(self) -> list[exp.Expr]:
        """The columns that compute each state from rows."""
        return [named(state.copy(), name) for name, _, state in self._states.values()]

    def merged(self, alias: str) -> list[exp.Expr]:
        """The columns that merge the states of the relation ``alias``."""
        return [named(self.merge(name, col(name, alias)), name) for name, _, _ in self._states.values()]

    def merge(self, name: str, value: exp.Expr, conditions: Sequence[exp.Expr] = ()) -> exp.Expr:
        """The aggregate that merges the values of the state ``name``."""
        template = next(template for known, template, _ in self._states.values() if known == name)
        if template in self._ADDED:
            template = "sum.integer" if "sum.integer" in self.scope.dialect.aggregates.templates else "sum"
        return _filtered(self.scope, template, conditions, {"x": value})


class Banded:
    """Merges the states of the bands in one call's frame: ``SUM(b0) FILTER (WHERE band BETWEEN 0 AND 1)``."""

    def __init__(self, states: States, band: str, edges: Sequence[int], frame: Frame) -> None:
        self._states = states
        self._band = band
        self._first = edges.index(frame.newest)
        self._last = edges.index(frame.oldest + 1) - 1
        self._every = self._first == 0 and self._last == len(edges) - 2

    def take(
        self, template: str, conditions: Sequence[exp.Expr] = (), /, **values: exp.Expr | Sequence[exp.Expr]
    ) -> exp.Expr:
        name = self._states.of(template, conditions, values)
        return self._states.merge(name, exp.column(ident(name)), self._within())

    def add(self, template: str, conditions: Sequence[exp.Expr], x: exp.Expr, grade: str, part: Part, /) -> exp.Expr:
        name = self._states.of(template, conditions, {"x": x})
        value, within = _cut(self._states.scope, part, exp.column(ident(name)), exp.column(ident(grade)))
        return self._states.merge(name, value, [*self._within(), within])

    def _within(self) -> list[exp.Expr]:
        """The condition that a band is in the frame; none if all bands are."""
        low, high = exp.Literal.number(self._first), exp.Literal.number(self._last)
        within = exp.Between(this=exp.column(ident(self._band)), low=low, high=high)
        return [] if self._every else [within]


def _cut(scope: AsOfScope, part: Part, x: exp.Expr, grade: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    """(the part of a number ``x``, whether its grade has that part)."""
    within = instantiate(scope.dialect, part.within, grade=grade)
    return instantiate(scope.dialect, part.value, x=x, grade=grade), within


def _filtered(
    scope: AsOfScope, template: str, conditions: Sequence[exp.Expr], values: Mapping[str, exp.Expr | Sequence[exp.Expr]]
) -> exp.Expr:
    """The aggregate of a template over the rows that meet all ``conditions``, by FILTER or, without that, by CASE."""
    if conditions and not scope.dialect.aggregates.filters:  # every aggregate skips NULLs
        rows = all_of([condition.copy() for condition in conditions])
        one = exp.Literal.number(1) if isinstance(values["x"], exp.Star) else values["x"]
        return _filtered(scope, template, (), {**values, "x": exp.Case(ifs=[exp.If(this=rows, true=one)])})
    aggregate = instantiate(scope.dialect, scope.dialect.aggregates.templates[template], **values)
    if not conditions:
        return aggregate
    where = exp.Where(this=all_of([condition.copy() for condition in conditions]))
    return exp.Filter(this=aggregate, expression=where)
