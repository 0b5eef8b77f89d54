"""Exact sums turned into floats, rounded once, by the stages that a dialect names (DESIGN section 3, rule 5).

Every sum stands in a row of its own while it is rounded, so the stages are written once however many sums there are.
"""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from asknown.dialects.dialect import ExactSums, Stage
from asknown.emit.sql import col, given, ident, named, subquery, table
from asknown.emit.step import Step
from asknown.emit.words import fill


@dataclass(frozen=True)
class Unrounded:
    """A sum or average that is exact and still has to be rounded: the sums of its parts, and what to divide them by.

    ``special`` is the sum of its NaNs and infinities, NULL where there are none; ``misfit`` says that a number was
    beyond what can be added exactly.
    """

    parts: dict[str, exp.Expr]
    count: exp.Expr | None = None  # None: the sum itself
    scale: int = 0  # of a decimal: it is divided by 10^scale too
    special: exp.Expr | None = None
    misfit: exp.Expr | None = None


class Waiting:
    """The exact sums of one pass, as columns that wait to be rounded."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._sums: dict[int, Unrounded] = {}  # by the call's place

    def __bool__(self) -> bool:
        return bool(self._sums)

    def __contains__(self, place: int) -> bool:
        return place in self._sums

    def add(self, place: int, value: Unrounded) -> None:
        self._sums[place] = value

    def columns(self) -> list[exp.Expr]:
        """The columns that the pass has to give for them."""
        columns = []
        for place, value in self._sums.items():
            columns += [named(total, self._part(place, part)) for part, total in value.parts.items()]
            if value.count is not None:
                columns.append(named(value.count, self._part(place, "n")))
            if value.special is not None:
                columns.append(named(value.special, self._part(place, "x")))
        guards = [value.misfit for value in self._sums.values() if value.misfit is not None]
        if guards:
            columns.append(named(exp.or_(*guards, copy=False), self.misfit))
        return columns

    @property
    def misfit(self) -> str:
        """The name of the column that says that a number could not be added exactly."""
        return self._step.inner("misfit")

    def may_misfit(self) -> bool:
        """Whether there is such a column."""
        return any(value.misfit is not None for value in self._sums.values())

    def value(self, place: int, parts: str, sums: str) -> exp.Expr:
        """The value of a call, from aliases of the pass and of the rounded sums."""
        rounded = col(self._step.call(place), sums)
        if self._sums[place].special is None:
            return rounded
        return exp.Coalesce(this=col(self._part(place, "x"), parts), expressions=[rounded])

    def rounded(self, parts: str) -> exp.Select:
        """(keys, t, the value of each call): a row for each moment of the CTE ``parts`` that has any."""
        step, exact = self._step, self._exact()
        values = list(self._sums.values())
        stages = [*exact.before]
        if any(value.count is not None for value in values):
            stages += exact.divide
        for _ in range(0, max(value.scale for value in values), exact.tens):
            stages += exact.scale
        query: exp.Query = self._in_rows(parts)
        for stage in (*stages, *exact.after):
            query = self._project(query, stage)
        value = step.inner("value")
        query = self._project(query, {"value": exact.value})
        number = exp.column(ident(step.inner("sum")))
        moment: list[exp.Expr] = [ident(name) for name in (*step.keys, step.t)]
        columns = [
            named(
                exp.Filter(
                    this=exp.Max(this=exp.column(ident(value))),
                    expression=exp.Where(this=number.eq(exp.Literal.number(place))),
                ),
                step.call(place),
            )
            for place in self._sums
        ]
        return exp.select(*moment, *columns).from_(subquery(query, "sums")).group_by(*[m.copy() for m in moment])

    def _in_rows(self, parts: str) -> exp.Query:
        """Each sum in a row: (keys, t, the call's place, the parts, n, m)."""
        step, v = self._step, self._step.v
        selects = []
        for place, value in self._sums.items():
            columns = [named(exp.Literal.number(place), step.inner("sum"))]
            totals = {part: col(self._part(place, part), v) for part in value.parts}
            nothing = self._whole(exp.null())
            columns += [named(totals.get(part, nothing.copy()), step.inner(part)) for part in self._exact().parts]
            count = exp.Literal.number(1) if value.count is None else col(self._part(place, "n"), v)
            columns.append(named(self._whole(count), step.inner("n")))
            columns.append(named(self._whole(exp.Literal.number(value.scale)), step.inner("m")))
            query = exp.select(*step.keys_of(v), col(step.t, v), *columns).from_(table(parts, v))
            selects.append(query.where(exp.or_(*[given(total.copy()) for total in totals.values()])))
        return selects[0] if len(selects) == 1 else exp.union(*selects, distinct=False)

    def _project(self, query: exp.Query, stage: Stage) -> exp.Select:
        step = self._step
        places = {name: exp.column(ident(step.inner(name))) for name in _columns(self._exact())}
        columns = [named(fill(step.dialect, text, **places), step.inner(name)) for name, text in stage.items()]
        kept: list[exp.Expr] = [ident(name) for name in (*step.keys, step.t, step.inner("sum"))]
        return exp.select(*kept, *columns).from_(subquery(query, "sums"))

    def _exact(self) -> ExactSums:
        exact = self._step.dialect.exact_sums
        assert exact is not None, "only a dialect that adds exactly leaves sums to be rounded"
        return exact

    def _whole(self, value: exp.Expr) -> exp.Expr:
        return fill(self._step.dialect, self._exact().whole, x=value)

    def _part(self, place: int, part: str) -> str:
        return self._step.inner(f"w{place}{part}")


def _columns(exact: ExactSums) -> set[str]:
    """What the stages of a dialect call their columns."""
    stages = (*exact.before, *exact.divide, *exact.scale, *exact.after)
    return {*exact.parts, "n", "m", *(name for stage in stages for name in stage)}
