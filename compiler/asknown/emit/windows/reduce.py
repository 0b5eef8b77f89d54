"""A pass over a view's rows: the columns that it reads, and how it takes an aggregate of them.

An aggregate is taken over the pairs of a frame, or from the states of bands and tiles.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from sqlglot import exp

from asknown.emit.asof.scope import AsOfScope
from asknown.emit.snippets import instantiate, unsupported
from asknown.emit.sql import all_of, col, earlier, ident, named, subquery, table
from asknown.model.nodes import Column, Frame


@dataclass(frozen=True)
class Part:
    """What a number ``:x`` of a ``:grade``, or a sum of such, has in one part; and which grades have any."""

    value: str
    within: str


class Reduce(Protocol):
    """Takes an aggregate of the dialect over the rows of one call's frame that meet some conditions."""

    def take(
        self, template: str, conditions: Sequence[exp.Expr] = (), /, **values: exp.Expr | Sequence[exp.Expr]
    ) -> exp.Expr: ...

    def add(self, template: str, conditions: Sequence[exp.Expr], x: exp.Expr, grade: str, part: Part, /) -> exp.Expr:
        """The sum of one part of numbers that are added up apart by their grade, a column."""
        ...


class Columns:
    """The view's rows as a pass reads them: keys, times, and what is aggregated, each computed once."""

    def __init__(self, scope: AsOfScope) -> None:
        self.scope = scope
        self.grades: list[str] = []  # columns by which rows are added up apart
        self._columns: dict[str, exp.Expr] = {}
        self._digits: dict[str, exp.Expr] = {}

    def column(self, name: str) -> exp.Expr:
        """One of the view's columns."""
        self._columns.setdefault(name, col(name, self.scope.v))
        return col(name, self.scope.v)

    def computed(self, wish: str, value: exp.Expr) -> exp.Expr:
        """A column that is computed from the view's, under a name like ``wish``."""
        name = self.scope.inner(wish)
        self._columns.setdefault(name, value)
        return col(name, self.scope.v)

    def apart(self, wish: str, grade: exp.Expr, digits_wish: str, digits: exp.Expr) -> tuple[exp.Expr, str]:
        """A whole number that is added up apart by its grade, and the column of the grade."""
        column, name = self.scope.inner(wish), self.scope.inner(digits_wish)
        if column not in self.grades:
            self.grades.append(column)
            self._columns[column] = grade
            self._digits[name] = digits
        return col(name, self.scope.v), column

    def with_digits(self, query: exp.Select) -> exp.Select:
        """A query of rows, with the whole numbers of those that have grades."""
        if not self._digits:
            return query
        digits = [named(value.copy(), name) for name, value in self._digits.items()]
        return exp.select(exp.Star(), *digits).from_(subquery(query, self.scope.v))

    def query(self, *more: exp.Expr) -> exp.Select:
        scope = self.scope
        columns = [*scope.keys_of(scope.v), named(scope.when(), scope.event_time)]
        columns += [named(value, name) for name, value in scope.later_times()]
        columns += [named(value, name) for name, value in self._columns.items()]
        return exp.select(*columns, *more).from_(table(scope.source, scope.v))


def aggregate_template(scope: AsOfScope, name: str, value: Column) -> str:
    """The dialect's template for an aggregate of a column. Raises ``not-in-dialect`` where there is none."""
    rules = scope.dialect.aggregates
    for template in (f"{name}.{value.type.name.casefold()}", f"{name}.{value.type.kind}", name):
        if template in rules.templates:
            return template
    nearest = rules.nearest.get(f"{name}.{value.type.kind}") or rules.nearest.get(name)
    hint = f"in '{scope.view.name}': {nearest or 'keep it for another target'}"
    raise unsupported(scope.dialect, f"{name}() over {value.type}", hint=hint)


class Direct:
    """Takes an aggregate over the pairs in one call's frame."""

    def __init__(self, scope: AsOfScope, frame: Frame, longest: int) -> None:
        self._scope = scope
        when, t = col(scope.event_time, scope.v), col(scope.t, scope.m)
        self._frame: list[exp.Expr] = []
        if frame.oldest < longest:
            self._frame.append(when >= earlier(scope.dialect, t, frame.oldest))
        if frame.newest:
            self._frame.append(when.copy() <= earlier(scope.dialect, t.copy(), frame.newest))

    def take(
        self, template: str, conditions: Sequence[exp.Expr] = (), /, **values: exp.Expr | Sequence[exp.Expr]
    ) -> exp.Expr:
        return _taken(self._scope, template, [*self._frame, *conditions], values)

    def add(self, template: str, conditions: Sequence[exp.Expr], x: exp.Expr, grade: str, part: Part, /) -> exp.Expr:
        value, within = _cut(self._scope, part, x, col(grade, self._scope.v))
        return self.take(template, [*conditions, within], x=value)


class OverSorted(Direct):
    """Takes an aggregate over the pairs in one call's frame beside each pair of the moment, by a window function.

    A word ``sorted.name`` of the dialect stands in for ``name`` where that means something else with OVER.
    """

    def take(
        self, word: str, conditions: Sequence[exp.Expr] = (), /, **values: exp.Expr | Sequence[exp.Expr]
    ) -> exp.Expr:
        dialect = self._scope.dialect
        if f"sorted.{word}" not in dialect.aggregates.templates:
            return self._over(super().take(word, conditions, **values))
        taken = self._over(super().take(f"sorted.{word}", conditions, **values))
        return instantiate(dialect, dialect.aggregates.finalizers[f"sorted.{word}"], value=taken)

    def _over(self, aggregate: exp.Expr) -> exp.Expr:
        return exp.Window(this=aggregate, partition_by=self._scope.moment())


class States:
    """What is kept of the rows of a band or a tile: each state once, however many frames it serves."""

    _ADDED: ClassVar = ("count", "sum.boolean")  # states that are added up as whole numbers; others merge as they are

    def __init__(self, scope: AsOfScope) -> None:
        self.scope = scope
        self._states: dict[tuple[str, exp.Expr], tuple[str, str, exp.Expr]] = {}

    def of(
        self, template: str, conditions: Sequence[exp.Expr], values: Mapping[str, exp.Expr | Sequence[exp.Expr]]
    ) -> str:
        """The name of the state that an aggregate over the rows that meet ``conditions`` needs."""
        state = _taken(self.scope, template, conditions, values)
        name = self.scope.inner(f"b{len(self._states)}")
        return self._states.setdefault((template, state), (name, template, state))[0]

    def columns(self) -> list[exp.Expr]:
        """The states of rows."""
        return [named(state.copy(), name) for name, _, state in self._states.values()]

    def merged(self, alias: str) -> list[exp.Expr]:
        """The states of states."""
        return [named(self.merge(name, col(name, alias)), name) for name, _, _ in self._states.values()]

    def merge(self, name: str, value: exp.Expr, conditions: Sequence[exp.Expr] = ()) -> exp.Expr:
        """The aggregate that puts states of this name together."""
        template = next(template for known, template, _ in self._states.values() if known == name)
        if template in self._ADDED:
            template = "sum.integer" if "sum.integer" in self.scope.dialect.aggregates.templates else "sum"
        return _taken(self.scope, template, conditions, {"x": value})


class Banded:
    """Takes an aggregate from the states of the bands in one call's frame."""

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
        """That a band is in the frame."""
        low, high = exp.Literal.number(self._first), exp.Literal.number(self._last)
        within = exp.Between(this=exp.column(ident(self._band)), low=low, high=high)
        return [] if self._every else [within]


def _cut(scope: AsOfScope, part: Part, x: exp.Expr, grade: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    """What a number of a grade has in a part, and whether that grade has any."""
    return instantiate(scope.dialect, part.value, x=x, grade=grade), instantiate(
        scope.dialect, part.within, grade=grade
    )


def _taken(
    scope: AsOfScope, template: str, conditions: Sequence[exp.Expr], values: Mapping[str, exp.Expr | Sequence[exp.Expr]]
) -> exp.Expr:
    """The aggregate that a template names, over the rows that meet all ``conditions``."""
    if conditions and not scope.dialect.aggregates.filters:  # every aggregate skips NULLs
        rows = all_of([condition.copy() for condition in conditions])
        one = exp.Literal.number(1) if isinstance(values["x"], exp.Star) else values["x"]
        return _taken(scope, template, (), {**values, "x": exp.Case(ifs=[exp.If(this=rows, true=one)])})
    aggregate = instantiate(scope.dialect, scope.dialect.aggregates.templates[template], **values)
    if not conditions:
        return aggregate
    where = exp.Where(this=all_of([condition.copy() for condition in conditions]))
    return exp.Filter(this=aggregate, expression=where)
