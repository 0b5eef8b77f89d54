"""Short exact sums turned into floats, all of a pass beside each other (DESIGN section 3, rule 5).

Nearly all sums are short. They are columns of the pass, and so is what becomes of them: no row is moved.
"""

from __future__ import annotations

from collections.abc import Mapping

from sqlglot import exp

from asknown.dialects.dialect import Stage
from asknown.emit.asof.scope import Step
from asknown.emit.exact_sum import ExactSum, column, exact_sums
from asknown.emit.snippets import fill
from asknown.emit.sql import named, subquery, table


def round_short(step: Step, sums: Mapping[int, ExactSum], parts: str, names: Mapping[int, str]) -> exp.Select:
    """The rows of ``parts``, with the value of each sum that is short under its name; of others, NULL."""
    dialect = step.dialect
    stages = {place: _stages(step, one) for place, one in sums.items()}
    # What the names in the stages stand for by now.
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
            values = {name: fill(dialect, text, **known[place]) for name, text in own[level - depth].items()}
            for name, value in values.items():
                once_more = f"_{level}" if name in known[place] else ""
                known[place][name] = column(step.inner(f"{name}{place}{once_more}"))
                columns.append(named(value, known[place][name].name))
        query = exp.select(exp.Star(), *columns).from_(subquery(query, "sums"), copy=False)
    rounded = []
    for place, one in sums.items():
        value = fill(dialect, exact_sums(dialect).value, **known[place])
        if one.is_float(dialect):
            value = exp.Case(ifs=[exp.If(this=one.is_short(dialect), true=value)])
        rounded.append(named(value, names[place]))
    return exp.select(exp.Star(), *rounded).from_(subquery(query, "sums"), copy=False)


def _stages(step: Step, one: ExactSum) -> tuple[Stage, ...]:
    exact = exact_sums(step.dialect)
    start = exact.short if one.is_float(step.dialect) else exact.short_whole
    return (*start, *(exact.short_divide if one.count is not None else ()), *exact.short_after)
