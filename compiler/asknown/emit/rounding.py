"""Exact sums turned into floats, rounded once, by the stages that a dialect names (DESIGN section 3, rule 5).

Every sum stands in a row of its own while it is rounded, so the stages are written once however many sums there are.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlglot import exp

from asknown.dialects.dialect import ExactSums, Stage
from asknown.emit.sql import col, given, ident, named, subquery, table
from asknown.emit.statement import Cte
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
        self._names: dict[str, str] = {}  # of the columns that they are rounded from, by what these are

    def __bool__(self) -> bool:
        return bool(self._sums)

    def __contains__(self, place: int) -> bool:
        return place in self._sums

    def add(self, place: int, value: Unrounded) -> None:
        self._sums[place] = value

    def columns(self) -> list[exp.Expr]:
        """The columns that the pass has to give for them, each once: a sum and its average share theirs."""
        columns: dict[str, exp.Expr] = {}
        guards: dict[str, exp.Expr] = {}
        for value in self._sums.values():
            for column in (*value.parts.values(), value.count, value.special):
                if column is not None:
                    columns.setdefault(self._name(column), column)
            if value.misfit is not None:
                guards.setdefault(value.misfit.sql(), value.misfit)
        if guards:
            columns[self.misfit] = exp.or_(*guards.values(), copy=False)
        return [named(column.copy(), name) for name, column in columns.items()]

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
        special = self._sums[place].special
        return rounded if special is None else exp.Coalesce(this=col(self._name(special), parts), expressions=[rounded])

    def ctes(self, parts: str) -> list[Cte]:
        """The CTEs that round; the last has (keys, t, the value of each call) for each moment of ``parts`` with any."""
        step, exact = self._step, self._exact()
        rows = Cte(step.name("unrounded"), self._in_rows(parts), comment="each exact sum in a row of its own")
        query: exp.Query = self._stages(rows.name, self._long())
        if exact.is_short is not None and any(set(value.parts) != {exact.wholes} for value in self._sums.values()):
            places = self._places(exact.parts)
            short, other = fill(step.dialect, exact.is_short, **places), fill(step.dialect, exact.is_short, **places)
            query = exp.union(
                self._stages(rows.name, exact.short, short),
                self._stages(rows.name, self._long(), exp.not_(exp.paren(other))),
                distinct=False,
            )
        number, value = exp.column(ident(step.inner("sum"))), exp.column(ident(step.inner("value")))
        moment: list[exp.Expr] = [ident(name) for name in (*step.keys, step.t)]
        columns = []
        for place in self._sums:
            here = exp.Where(this=number.eq(exp.Literal.number(place)))
            columns.append(named(exp.Filter(this=exp.Max(this=value.copy()), expression=here), step.call(place)))
        rounded = exp.select(*moment, *columns).from_(subquery(query, "sums")).group_by(*[m.copy() for m in moment])
        return [rows, Cte(step.name("sums"), rounded, comment="and rounded once")]

    def _long(self) -> list[Stage]:
        """The stages that do for every sum."""
        exact, values = self._exact(), list(self._sums.values())
        stages = [*exact.before]
        if any(value.count is not None for value in values):
            stages += exact.divide
        for _ in range(0, max(value.scale for value in values), exact.tens):
            stages += exact.scale
        return [*stages, *exact.after]

    def _stages(self, rows: str, stages: Sequence[Stage], *conditions: exp.Expr) -> exp.Select:
        """The rows that meet the conditions, through all stages."""
        query = exp.select(exp.Star()).from_(exp.Table(this=ident(rows))).where(*conditions)
        for stage in stages:
            query = self._project(query, stage)
        return self._project(query, {"value": self._exact().value})

    def _in_rows(self, parts: str) -> exp.Query:
        """Each sum in a row: (keys, t, the call's place, the parts, n, m)."""
        step, v = self._step, self._step.v
        selects = []
        for place, value in self._sums.items():
            columns = [named(exp.Literal.number(place), step.inner("sum"))]
            totals = {part: col(self._name(total), v) for part, total in value.parts.items()}
            nothing = self._whole(exp.null())
            columns += [named(totals.get(part, nothing.copy()), step.inner(part)) for part in self._exact().parts]
            count = exp.Literal.number(1) if value.count is None else col(self._name(value.count), v)
            columns.append(named(self._whole(count), step.inner("n")))
            columns.append(named(self._whole(exp.Literal.number(value.scale)), step.inner("m")))
            query = exp.select(*step.keys_of(v), col(step.t, v), *columns).from_(table(parts, v))
            selects.append(query.where(exp.or_(*[given(total.copy()) for total in totals.values()])))
        return selects[0] if len(selects) == 1 else exp.union(*selects, distinct=False)

    def _project(self, query: exp.Query, stage: Stage) -> exp.Select:
        step = self._step
        places = self._places(_columns(self._exact()))
        columns = [named(fill(step.dialect, text, **places), step.inner(name)) for name, text in stage.items()]
        kept: list[exp.Expr] = [ident(name) for name in (*step.keys, step.t, step.inner("sum"))]
        return exp.select(*kept, *columns).from_(subquery(query, "sums"))

    def _places(self, names: Iterable[str]) -> dict[str, exp.Expr]:
        return {name: exp.column(ident(self._step.inner(name))) for name in names}

    def _exact(self) -> ExactSums:
        exact = self._step.dialect.exact_sums
        assert exact is not None, "only a dialect that adds exactly leaves sums to be rounded"
        return exact

    def _whole(self, value: exp.Expr) -> exp.Expr:
        return fill(self._step.dialect, self._exact().whole, x=value)

    def _name(self, column: exp.Expr) -> str:
        """What a column of the pass is called."""
        return self._names.setdefault(column.sql(), self._step.inner(f"p{len(self._names)}"))


def _columns(exact: ExactSums) -> set[str]:
    """What the stages of a dialect call their columns."""
    stages = (*exact.before, *exact.divide, *exact.scale, *exact.after, *exact.short)
    return {*exact.parts, "n", "m", *(name for stage in stages for name in stage)}
