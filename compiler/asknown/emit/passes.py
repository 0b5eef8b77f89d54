"""A pass over a view's rows: the columns that it reads, and how it takes an aggregate of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from sqlglot import exp

from asknown.emit.asof.scope import Step
from asknown.emit.snippets import lacks
from asknown.emit.sql import col, named, subquery, table
from asknown.model.nodes import Column


@dataclass(frozen=True)
class Part:
    """What a number ``:x`` of a ``:grade``, or a sum of such, has in one part; and which grades have any."""

    value: str
    within: str


class Reduce(Protocol):
    """Takes an aggregate of the dialect over the rows of one call's frame that meet some conditions."""

    def take(
        self, word: str, conditions: Sequence[exp.Expr] = (), /, **values: exp.Expr | Sequence[exp.Expr]
    ) -> exp.Expr: ...

    def add(self, word: str, conditions: Sequence[exp.Expr], x: exp.Expr, grade: str, part: Part, /) -> exp.Expr:
        """The sum of one part of numbers that are added up apart by their grade, a column."""
        ...


class Columns:
    """The view's rows as a pass reads them: keys, times, and what is aggregated, each computed once."""

    def __init__(self, step: Step) -> None:
        self.step = step
        self.grades: list[str] = []  # columns by which rows are added up apart
        self._columns: dict[str, exp.Expr] = {}
        self._digits: dict[str, exp.Expr] = {}

    def column(self, name: str) -> exp.Expr:
        """One of the view's columns."""
        self._columns.setdefault(name, col(name, self.step.v))
        return col(name, self.step.v)

    def computed(self, wish: str, value: exp.Expr) -> exp.Expr:
        """A column that is computed from the view's, under a name like ``wish``."""
        name = self.step.inner(wish)
        self._columns.setdefault(name, value)
        return col(name, self.step.v)

    def apart(self, wish: str, grade: exp.Expr, digits_wish: str, digits: exp.Expr) -> tuple[exp.Expr, str]:
        """A whole number that is added up apart by its grade, and the column of the grade."""
        column, name = self.step.inner(wish), self.step.inner(digits_wish)
        if column not in self.grades:
            self.grades.append(column)
            self._columns[column] = grade
            self._digits[name] = digits
        return col(name, self.step.v), column

    def with_digits(self, query: exp.Select) -> exp.Select:
        """A query of rows, with the whole numbers of those that have grades."""
        if not self._digits:
            return query
        digits = [named(value.copy(), name) for name, value in self._digits.items()]
        return exp.select(exp.Star(), *digits).from_(subquery(query, self.step.v))

    def query(self, *more: exp.Expr) -> exp.Select:
        step = self.step
        columns = [*step.keys_of(step.v), named(step.when(), step.event_time)]
        columns += [named(value, name) for name, value in step.later_times()]
        columns += [named(value, name) for name, value in self._columns.items()]
        return exp.select(*columns, *more).from_(table(step.source, step.v))


def aggregate_word(step: Step, name: str, value: Column) -> str:
    """The dialect's word for an aggregate of a column. Raises ``not-in-dialect`` where there is none."""
    for word in (f"{name}.{value.type.kind}", name):
        if word in step.dialect.aggregates:
            return word
    nearest = step.dialect.nearest.get(f"{name}.{value.type.kind}") or step.dialect.nearest.get(name)
    hint = f"in '{step.view.name}': {nearest or 'keep it for another target'}"
    raise lacks(step.dialect, f"{name}() over {value.type}", hint=hint)
