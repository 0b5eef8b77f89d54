"""How a pass takes its aggregates: over the pairs of a frame, or from the states of bands and tiles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

from sqlglot import exp

from asknown.emit.asof.scope import Step
from asknown.emit.passes import Part
from asknown.emit.snippets import fill
from asknown.emit.sql import all_of, col, earlier, ident, named
from asknown.model.nodes import Frame


class Direct:
    """Takes an aggregate over the pairs in one call's frame."""

    def __init__(self, step: Step, frame: Frame, longest: int) -> None:
        self._step = step
        when, t = col(step.event_time, step.v), col(step.t, step.m)
        self._frame: list[exp.Expr] = []
        if frame.oldest < longest:
            self._frame.append(when >= earlier(step.dialect, t, frame.oldest))
        if frame.newest:
            self._frame.append(when.copy() <= earlier(step.dialect, t.copy(), frame.newest))

    def take(
        self, word: str, conditions: Sequence[exp.Expr] = (), /, **values: exp.Expr | Sequence[exp.Expr]
    ) -> exp.Expr:
        return _taken(self._step, word, [*self._frame, *conditions], values)

    def add(self, word: str, conditions: Sequence[exp.Expr], x: exp.Expr, grade: str, part: Part, /) -> exp.Expr:
        value, within = _cut(self._step, part, x, col(grade, self._step.v))
        return self.take(word, [*conditions, within], x=value)


class States:
    """What is kept of the rows of a band or a tile: each state once, however many frames it serves."""

    _ADDED: ClassVar = ("count", "sum.boolean")  # states that are added up as whole numbers; others merge as they are

    def __init__(self, step: Step) -> None:
        self.step = step
        self._states: dict[tuple[str, exp.Expr], tuple[str, str, exp.Expr]] = {}

    def of(self, word: str, conditions: Sequence[exp.Expr], values: Mapping[str, exp.Expr | Sequence[exp.Expr]]) -> str:
        """The name of the state that an aggregate over the rows that meet ``conditions`` needs."""
        state = _taken(self.step, word, conditions, values)
        name = self.step.inner(f"b{len(self._states)}")
        return self._states.setdefault((word, state), (name, word, state))[0]

    def columns(self) -> list[exp.Expr]:
        """The states of rows."""
        return [named(state.copy(), name) for name, _, state in self._states.values()]

    def merged(self, alias: str) -> list[exp.Expr]:
        """The states of states."""
        return [named(self.merge(name, col(name, alias)), name) for name, _, _ in self._states.values()]

    def merge(self, name: str, value: exp.Expr, conditions: Sequence[exp.Expr] = ()) -> exp.Expr:
        """The aggregate that puts states of this name together."""
        word = next(word for known, word, _ in self._states.values() if known == name)
        if word in self._ADDED:
            word = "sum.integer" if "sum.integer" in self.step.dialect.aggregates else "sum"
        return _taken(self.step, word, conditions, {"x": value})


class Banded:
    """Takes an aggregate from the states of the bands in one call's frame."""

    def __init__(self, states: States, band: str, edges: Sequence[int], frame: Frame) -> None:
        self._states = states
        self._band = band
        self._first = edges.index(frame.newest)
        self._last = edges.index(frame.oldest + 1) - 1
        self._every = self._first == 0 and self._last == len(edges) - 2

    def take(
        self, word: str, conditions: Sequence[exp.Expr] = (), /, **values: exp.Expr | Sequence[exp.Expr]
    ) -> exp.Expr:
        name = self._states.of(word, conditions, values)
        return self._states.merge(name, exp.column(ident(name)), self._within())

    def add(self, word: str, conditions: Sequence[exp.Expr], x: exp.Expr, grade: str, part: Part, /) -> exp.Expr:
        name = self._states.of(word, conditions, {"x": x})
        value, within = _cut(self._states.step, part, exp.column(ident(name)), exp.column(ident(grade)))
        return self._states.merge(name, value, [*self._within(), within])

    def _within(self) -> list[exp.Expr]:
        """That a band is in the frame."""
        low, high = exp.Literal.number(self._first), exp.Literal.number(self._last)
        within = exp.Between(this=exp.column(ident(self._band)), low=low, high=high)
        return [] if self._every else [within]


def _cut(step: Step, part: Part, x: exp.Expr, grade: exp.Expr) -> tuple[exp.Expr, exp.Expr]:
    """What a number of a grade has in a part, and whether that grade has any."""
    return fill(step.dialect, part.value, x=x, grade=grade), fill(step.dialect, part.within, grade=grade)


def _taken(
    step: Step, word: str, conditions: Sequence[exp.Expr], values: Mapping[str, exp.Expr | Sequence[exp.Expr]]
) -> exp.Expr:
    """The aggregate that a word names, over the rows that meet all ``conditions``."""
    if conditions and not step.dialect.filters:  # every aggregate skips NULLs
        rows = all_of([condition.copy() for condition in conditions])
        one = exp.Literal.number(1) if isinstance(values["x"], exp.Star) else values["x"]
        return _taken(step, word, (), {**values, "x": exp.Case(ifs=[exp.If(this=rows, true=one)])})
    aggregate = fill(step.dialect, step.dialect.aggregates[word], **values)
    if not conditions:
        return aggregate
    where = exp.Where(this=all_of([condition.copy() for condition in conditions]))
    return exp.Filter(this=aggregate, expression=where)
