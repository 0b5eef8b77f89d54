"""Sums and averages of a pass: added exactly, rounded once (rule 5).

``read_sum`` adds the parts of a sum over the rows of a pass. ``Waiting`` keeps the sums of a pass that still have to
become floats. Nearly all sums are short: they are columns of the pass, and so is what becomes of them; no row is moved
(``round_short``). Sums of any size are rounded each in a row of its own, so that the stages, of which there are many,
are written once however many sums there are (``round_long``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlglot import exp

from asknown.dialects.dialect import Dialect, ExactSums, Stage
from asknown.emit.asof.scope import AsOfScope
from asknown.emit.snippets import cast, instantiate, snippet
from asknown.emit.sql import col, ident, named, not_null, subquery, table
from asknown.emit.statement import Cte
from asknown.emit.windows.reduce import Columns, Part, Reduce, aggregate_template
from asknown.types import Column, parse_type


@dataclass(frozen=True)
class ExactSum:
    """A sum or average as columns of a CTE.

    ``parts`` maps the parts to their columns. ``count`` is the column to divide by, None for a sum. ``scale`` is that
    of a decimal.
    """

    parts: Mapping[str, str]
    count: str | None
    scale: int

    def is_float(self, dialect: Dialect) -> bool:
        """Whether floats were added, and not integers."""
        return set(self.parts) != {exact_sums(dialect).wholes}

    def may_be_short(self, dialect: Dialect) -> bool:
        return bool(exact_sums(dialect).short) and not self.scale

    def may_be_long(self, dialect: Dialect) -> bool:
        return self.is_float(dialect) or not self.may_be_short(dialect)

    def is_short(self, dialect: Dialect) -> exp.Expr:
        """The condition that a sum of floats is short: it has no part but the common one."""
        return instantiate(
            dialect, exact_sums(dialect).is_short, **{part: column(name) for part, name in self.parts.items()}
        )


def column(name: str) -> exp.Expr:
    return exp.column(ident(name))


def exact_sums(dialect: Dialect) -> ExactSums:
    """The dialect's rules for exact sums. Sums are left to be rounded only if it has such rules."""
    assert dialect.exact_sums is not None
    return dialect.exact_sums


_DOUBLE = parse_type("DOUBLE")


def read_sum(
    scope: AsOfScope, rows: Columns, value: Column, conditions: list[exp.Expr], reduce: Reduce, *, average: bool
) -> exp.Expr | Unrounded:
    """The sum or average of a column; of floats, the exact sums to round it from."""
    x = rows.column(value.name)
    exact = scope.dialect.exact_sums
    whole = value.type.kind != "float"
    if whole and not average:
        return reduce.take(aggregate_template(scope, "sum", value), conditions, x=x)
    count = reduce.take("count", conditions, x=x) if average else None
    if exact is None and average and f"avg.{value.type.kind}" in scope.dialect.aggregates.templates:
        return reduce.take(f"avg.{value.type.kind}", conditions, x=x)
    if exact is None:
        total = reduce.take(aggregate_template(scope, "sum", value), conditions, x=x)
        return total if count is None else _ratio(scope, value, total, count)
    if whole:
        digits, scale = _digits(scope, value, exact)
        total = reduce.take(_part_sum(scope), conditions, x=rows.computed(f"{value.name}{exact.wholes}", digits))
        return Unrounded({exact.wholes: total}, count, scale)
    cut = _by_parts if exact.grade is None else _by_grades
    parts, special, misfit = cut(scope, rows, value, conditions, reduce)
    return Unrounded(parts, count, 0, special, misfit)


_Cut = tuple[dict[str, exp.Expr], exp.Expr, exp.Expr]
"""(the sums of the parts, the sum of NaNs and infinities, whether a number could not be added exactly)."""


def _by_grades(scope: AsOfScope, rows: Columns, value: Column, conditions: list[exp.Expr], reduce: Reduce) -> _Cut:
    """Turns each float into an integer, adds those of each grade apart, and cuts the sums into parts."""
    dialect, exact = scope.dialect, scope.dialect.exact_sums
    assert exact is not None and exact.grade is not None
    own = col(value.name, scope.v)
    x = own if value.type == _DOUBLE else cast(dialect, own, _DOUBLE)
    wish = f"{value.name}g"
    graded = instantiate(dialect, exact.graded, x=x.copy(), grade=col(scope.inner(wish), scope.v))
    digits, grade = rows.apart(wish, instantiate(dialect, exact.grade, x=x), f"{value.name}w", graded)
    of_part = {"x": ":x", **exact.parts}
    parts = {
        part: reduce.add(_part_sum(scope), conditions, digits, grade, Part(text, exact.ranges[part]))
        for part, text in of_part.items()
    }
    odd = parts.pop("x")
    return parts, instantiate(dialect, exact.special, x=odd), instantiate(dialect, exact.misfit, x=odd)


def _by_parts(scope: AsOfScope, rows: Columns, value: Column, conditions: list[exp.Expr], reduce: Reduce) -> _Cut:
    """Cuts each float into parts, and adds each part."""
    exact = scope.dialect.exact_sums
    assert exact is not None
    wide = cast(scope.dialect, col(value.name, scope.v), _DOUBLE)
    parts = {}
    for part, text in exact.parts.items():
        within = instantiate(scope.dialect, exact.ranges.get(part, exact.fits), x=wide)
        piece = exp.Case(ifs=[exp.If(this=within, true=instantiate(scope.dialect, text, x=wide))])
        parts[part] = reduce.take(_part_sum(scope), conditions, x=rows.computed(f"{value.name}{part}", piece))
    # NaN and infinities have no parts. If there are any, their sum is the result.
    odd = snippet(scope.dialect, "is_odd_float", x=wide)
    own = exp.Case(ifs=[exp.If(this=odd, true=wide.copy())])
    special = reduce.take(aggregate_template(scope, "sum", value), conditions, x=rows.computed(f"{value.name}x", own))
    fits = instantiate(scope.dialect, exact.fits, x=wide)
    beyond = exp.and_(exp.not_(odd.copy()), exp.not_(exp.paren(fits)), copy=False)
    guard = exp.Case(ifs=[exp.If(this=beyond, true=exp.true())])  # NULL where all is well, which costs nothing
    misfit = reduce.take("bool_or", conditions, x=rows.computed(f"{value.name}d", guard))
    return parts, special, misfit


def _ratio(scope: AsOfScope, value: Column, total: exp.Expr, count: exp.Expr) -> exp.Expr:
    """An average of integers, or of a decimal's digits. It is exact while the sum is below 2^53."""
    if value.type.kind == "decimal" and value.type.scale:
        tens = exp.Literal.number(10**value.type.scale)
        total, count = exp.Mul(this=total, expression=tens), exp.Mul(this=count, expression=tens.copy())
    return snippet(scope.dialect, "ratio", x=total, y=count)


def _digits(scope: AsOfScope, value: Column, exact: ExactSums) -> tuple[exp.Expr, int]:
    """(an integer or decimal as an integer, how many of its digits lie behind the point)."""
    x = col(value.name, scope.v)
    scale = value.type.scale if value.type.kind == "decimal" else 0
    if not scale:
        digits = instantiate(scope.dialect, exact.whole, x=x)
    elif value.type.precision + scale <= 38:
        digits = instantiate(scope.dialect, exact.digits, x=x, power=exp.Literal.number(10**scale))
    else:  # a product of more than 38 digits would overflow; the digits themselves do not
        digits = instantiate(scope.dialect, exact.long_digits, x=x, power=exp.Literal.number(10**scale))
    return digits, scale


def _part_sum(scope: AsOfScope) -> str:
    return "sum.part" if "sum.part" in scope.dialect.aggregates.templates else "sum"


@dataclass(frozen=True)
class Unrounded:
    """A sum or average that is exact and not rounded yet: the sums of its parts, and the number to divide by.

    ``special`` is the sum of its NaNs and infinities, NULL if there are none. ``misfit`` is true if a number was out of
    the range that can be added exactly.
    """

    parts: dict[str, exp.Expr]
    count: exp.Expr | None = None  # None: the sum itself
    scale: int = 0  # of a decimal: it is divided by 10^scale too
    special: exp.Expr | None = None
    misfit: exp.Expr | None = None


@dataclass(frozen=True)
class Rounded:
    """The CTEs that round a pass. ``parts`` has all columns of the pass, and short sums; ``sums`` has the long ones."""

    ctes: tuple[Cte, ...]
    parts: str
    sums: str | None


class Waiting:
    """The exact sums of one pass, as columns that are rounded after it."""

    def __init__(self, scope: AsOfScope) -> None:
        self._scope = scope
        self._sums: dict[int, Unrounded] = {}  # by the call's place
        self._names: dict[exp.Expr, str] = {}  # of the columns that they are rounded from, by what these are

    def __bool__(self) -> bool:
        return bool(self._sums)

    def __contains__(self, place: int) -> bool:
        return place in self._sums

    def add(self, place: int, value: Unrounded) -> None:
        self._sums[place] = value

    def columns(self, *, rare: bool) -> list[exp.Expr]:
        """The columns that the pass must compute, each once: a sum and its average share them.

        ``rare=True`` gives the columns that are NULL for almost every moment (floats outside grade 0).
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
        """The columns that have a value only if there are floats outside grade 0."""
        exact = exact_sums(self._scope.dialect)
        if exact.grade is None or exact.common not in value.parts:
            return []
        return [*(t for part, t in value.parts.items() if part != exact.common), value.special, value.misfit]

    @property
    def misfit(self) -> str:
        """The name of the column that is true if a number could not be added exactly."""
        return self._scope.inner("misfit")

    def may_misfit(self) -> bool:
        """Whether there is such a column."""
        return any(value.misfit is not None for value in self._sums.values())

    def round(self, parts: str) -> Rounded:
        """The CTEs that round the sums of the pass, whose CTE is ``parts``."""
        scope, dialect = self._scope, self._scope.dialect
        sums = {place: self._named(value) for place, value in self._sums.items()}
        short = {place: one for place, one in sums.items() if one.may_be_short(dialect)}
        long = {place: one for place, one in sums.items() if one.may_be_long(dialect)}
        ctes: list[Cte] = round_long(scope, long, parts) if long else []
        rows = ctes[-1].name if ctes else None
        if short:
            query = round_short(scope, short, parts, {place: self._short(place) for place in short})
            ctes.append(Cte(scope.name("rounded"), query, comment="short exact sums, rounded once"))
            parts = ctes[-1].name
        return Rounded(tuple(ctes), parts, rows)

    def value(self, place: int, parts: str, sums: str) -> exp.Expr:
        """The rounded value of a call. ``parts`` and ``sums`` are aliases of the pass and of the long sums."""
        dialect, one = self._scope.dialect, self._named(self._sums[place])
        values: list[exp.Expr] = []
        if (special := self._sums[place].special) is not None:
            values.append(col(self._name(special), parts))
        if one.may_be_short(dialect):
            values.append(col(self._short(place), parts))
        if one.may_be_long(dialect):
            values.append(col(self._scope.call(place), sums))
        return values[0] if len(values) == 1 else exp.Coalesce(this=values[0], expressions=values[1:])

    def _named(self, value: Unrounded) -> ExactSum:
        parts = {part: self._name(total) for part, total in value.parts.items()}
        return ExactSum(parts, None if value.count is None else self._name(value.count), value.scale)

    def _short(self, place: int) -> str:
        return self._scope.inner(f"s{place}")

    def _name(self, column: exp.Expr) -> str:
        """The name of a column of the pass. Equal columns have the same name."""
        return self._names.setdefault(column, self._scope.inner(f"p{len(self._names)}"))


def round_short(scope: AsOfScope, sums: Mapping[int, ExactSum], parts: str, names: Mapping[int, str]) -> exp.Select:
    """The rows of ``parts`` with a column for each sum, called by ``names``: its value if it is short, else NULL.

    Each stage is a projection around the one before::

        SELECT *, CASE WHEN p1 IS NULL THEN digits0 * POW(2, scale0) END AS s0
        FROM (SELECT *, p0 AS digits0, -60 AS scale0 FROM parts) AS sums
    """
    dialect = scope.dialect
    stages = {place: _short_stages(scope, one) for place, one in sums.items()}
    # The columns that the names in the stages mean, so far.
    known = {place: {part: column(name) for part, name in one.parts.items()} for place, one in sums.items()}
    for place, one in sums.items():
        if one.count is not None:
            known[place]["n"] = column(one.count)
    query = exp.select(exp.Star()).from_(table(parts))
    depth = max(map(len, stages.values()))
    for level in range(depth):
        columns = []
        for place, own in stages.items():
            if level < depth - len(own):  # fewer stages start later
                continue
            values = {name: instantiate(dialect, text, **known[place]) for name, text in own[level - depth].items()}
            for name, value in values.items():
                once_more = f"_{level}" if name in known[place] else ""
                known[place][name] = column(scope.inner(f"{name}{place}{once_more}"))
                columns.append(named(value, known[place][name].name))
        query = exp.select(exp.Star(), *columns).from_(subquery(query, "sums"), copy=False)
    rounded = []
    for place, one in sums.items():
        value = instantiate(dialect, exact_sums(dialect).value, **known[place])
        if one.is_float(dialect):
            value = exp.Case(ifs=[exp.If(this=one.is_short(dialect), true=value)])
        rounded.append(named(value, names[place]))
    return exp.select(exp.Star(), *rounded).from_(subquery(query, "sums"), copy=False)


def _short_stages(scope: AsOfScope, one: ExactSum) -> tuple[Stage, ...]:
    exact = exact_sums(scope.dialect)
    start = exact.short if one.is_float(scope.dialect) else exact.short_whole
    return (*start, *(exact.short_divide if one.count is not None else ()), *exact.short_after)


def round_long(scope: AsOfScope, sums: Mapping[int, ExactSum], parts: str) -> list[Cte]:
    """The CTEs that round the sums of ``parts`` that are not short.

    The last has (keys, t, a column for each call) for each moment with such a sum::

        unrounded  SELECT k, t, 0 AS sum, p0 AS w, p1 AS a, n FROM parts WHERE NOT p1 IS NULL UNION ALL …
        sums       SELECT k, t, MAX(value) FILTER (WHERE sum = 0) AS w0 FROM (stages over unrounded) GROUP BY k, t
    """
    rows = Cte(scope.name("unrounded"), _in_rows(scope, sums, parts), comment="exact sums, one per row")
    query = exp.select(exp.Star()).from_(table(rows.name))
    for stage in _long_stages(exact_sums(scope.dialect), sums.values()):
        query = _project(scope, query, stage)
    query = _project(scope, query, {"value": exact_sums(scope.dialect).value})
    number, value = column(scope.inner("sum")), column(scope.inner("value"))
    moment: list[exp.Expr] = [ident(name) for name in (*scope.keys, scope.t)]
    columns = []
    for place in sums:
        here = exp.Where(this=number.eq(exp.Literal.number(place)))
        columns.append(named(exp.Filter(this=exp.Max(this=value.copy()), expression=here), scope.call(place)))
    rounded = exp.select(*moment, *columns).from_(subquery(query, "sums"), copy=False)
    rounded = rounded.group_by(*[m.copy() for m in moment], copy=False)
    return [rows, Cte(scope.name("sums"), rounded, comment="and rounded once")]


def _long_stages(exact: ExactSums, sums: Iterable[ExactSum]) -> list[Stage]:
    """The stages that round all of these sums, whatever each of them needs."""
    stages = [*exact.before]
    if any(one.count is not None for one in sums):
        stages += exact.divide
    for _ in range(0, max(one.scale for one in sums), exact.tens):
        stages += exact.scale
    return [*stages, *exact.after]


def _in_rows(scope: AsOfScope, sums: Mapping[int, ExactSum], parts: str) -> exp.Query:
    """The sums, each in a row of its own: (keys, t, the call's place, the parts, n, m)."""
    exact = exact_sums(scope.dialect)
    selects = []
    for place, one in sums.items():
        columns = [named(exp.Literal.number(place), scope.inner("sum"))]
        totals = {part: col(name, scope.v) for part, name in one.parts.items()}
        nothing = _whole(scope, exp.null())
        columns += [named(totals.get(part, nothing.copy()), scope.inner(part)) for part in exact.parts]
        count = exp.Literal.number(1) if one.count is None else col(one.count, scope.v)
        columns.append(named(_whole(scope, count), scope.inner("n")))
        columns.append(named(_whole(scope, exp.Literal.number(one.scale)), scope.inner("m")))
        query = exp.select(*scope.keys_of(scope.v), col(scope.t, scope.v), *columns).from_(table(parts, scope.v))
        if one.may_be_short(scope.dialect):
            selects.append(query.where(exp.not_(exp.paren(one.is_short(scope.dialect)))))
        else:
            selects.append(query.where(exp.or_(*[not_null(total.copy()) for total in totals.values()])))
    return selects[0] if len(selects) == 1 else exp.union(*selects, distinct=False, copy=False)


def _project(scope: AsOfScope, query: exp.Query, stage: Stage) -> exp.Select:
    places = {name: column(scope.inner(name)) for name in _columns(exact_sums(scope.dialect))}
    columns = [named(instantiate(scope.dialect, text, **places), scope.inner(name)) for name, text in stage.items()]
    kept: list[exp.Expr] = [ident(name) for name in (*scope.keys, scope.t, scope.inner("sum"))]
    return exp.select(*kept, *columns).from_(subquery(query, "sums"), copy=False)


def _whole(scope: AsOfScope, value: exp.Expr) -> exp.Expr:
    return instantiate(scope.dialect, exact_sums(scope.dialect).whole, x=value)


def _columns(exact: ExactSums) -> set[str]:
    """The names of all columns in the stages."""
    stages = (*exact.before, *exact.divide, *exact.scale, *exact.after)
    return {*exact.parts, "n", "m", *(name for stage in stages for name in stage)}
