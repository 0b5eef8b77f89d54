"""The exact sums of a pass that have to become floats, rounded once (DESIGN section 3, rule 5)."""

from __future__ import annotations

from dataclasses import dataclass

from sqlglot import exp

from asknown.emit.asof.scope import Step
from asknown.emit.exact_sum import ExactSum, exact_sums
from asknown.emit.long_sums import round_long
from asknown.emit.short_sums import round_short
from asknown.emit.sql import col, named
from asknown.emit.statement import Cte


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


@dataclass(frozen=True)
class Rounded:
    """Where the rounded values are: in ``parts``, which has all of the pass's columns, and of long sums in ``sums``."""

    ctes: tuple[Cte, ...]
    parts: str
    sums: str | None


class Waiting:
    """The exact sums of one pass, as columns that wait to be rounded."""

    def __init__(self, step: Step) -> None:
        self._step = step
        self._sums: dict[int, Unrounded] = {}  # by the call's place
        self._names: dict[exp.Expr, str] = {}  # of the columns that they are rounded from, by what these are

    def __bool__(self) -> bool:
        return bool(self._sums)

    def __contains__(self, place: int) -> bool:
        return place in self._sums

    def add(self, place: int, value: Unrounded) -> None:
        self._sums[place] = value

    def columns(self, *, rare: bool) -> list[exp.Expr]:
        """The columns that the pass has to give for them, each once: a sum and its average share theirs.

        The ``rare`` ones have a value in few moments, or none: they are of numbers of an uncommon grade.
        """
        columns: dict[str, exp.Expr] = {}
        guards: dict[str, exp.Expr] = {}
        for value in self._sums.values():
            uncommon = self._uncommon(value)
            for column in (*value.parts.values(), value.count, value.special):
                if column is not None and (column in uncommon) == rare:
                    columns.setdefault(self._name(column), column)
            if value.misfit is not None and (value.misfit in uncommon) == rare:
                guards.setdefault(value.misfit.sql(), value.misfit)
        if guards:
            columns[self.misfit] = exp.or_(*guards.values(), copy=False)
        return [named(column.copy(), name) for name, column in columns.items()]

    def _uncommon(self, value: Unrounded) -> list[exp.Expr | None]:
        """What only numbers of an uncommon grade have."""
        exact = exact_sums(self._step.dialect)
        if exact.grade is None or exact.common not in value.parts:
            return []
        return [*(t for part, t in value.parts.items() if part != exact.common), value.special, value.misfit]

    @property
    def misfit(self) -> str:
        """The name of the column that says that a number could not be added exactly."""
        return self._step.inner("misfit")

    def may_misfit(self) -> bool:
        """Whether there is such a column."""
        return any(value.misfit is not None for value in self._sums.values())

    def round(self, parts: str) -> Rounded:
        """What rounds the sums of the pass that the CTE ``parts`` is."""
        step, dialect = self._step, self._step.dialect
        sums = {place: self._named(value) for place, value in self._sums.items()}
        short = {place: one for place, one in sums.items() if one.may_be_short(dialect)}
        long = {place: one for place, one in sums.items() if one.may_be_long(dialect)}
        ctes: list[Cte] = round_long(step, long, parts) if long else []
        rows = ctes[-1].name if ctes else None
        if short:
            query = round_short(step, short, parts, {place: self._short(place) for place in short})
            ctes.append(Cte(step.name("rounded"), query, comment="short exact sums, rounded once"))
            parts = ctes[-1].name
        return Rounded(tuple(ctes), parts, rows)

    def value(self, place: int, parts: str, sums: str) -> exp.Expr:
        """The value of a call, from aliases of the pass and of the long sums."""
        dialect, one = self._step.dialect, self._named(self._sums[place])
        values: list[exp.Expr] = []
        if (special := self._sums[place].special) is not None:
            values.append(col(self._name(special), parts))
        if one.may_be_short(dialect):
            values.append(col(self._short(place), parts))
        if one.may_be_long(dialect):
            values.append(col(self._step.call(place), sums))
        return values[0] if len(values) == 1 else exp.Coalesce(this=values[0], expressions=values[1:])

    def _named(self, value: Unrounded) -> ExactSum:
        parts = {part: self._name(total) for part, total in value.parts.items()}
        return ExactSum(parts, None if value.count is None else self._name(value.count), value.scale)

    def _short(self, place: int) -> str:
        return self._step.inner(f"s{place}")

    def _name(self, column: exp.Expr) -> str:
        """What a column of the pass is called."""
        return self._names.setdefault(column, self._step.inner(f"p{len(self._names)}"))
