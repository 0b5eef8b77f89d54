"""What must be known of a spine before it is planned for."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from asknown.dialects.dialect import Dialect
from asknown.emit.identifiers import Names
from asknown.emit.snippets import say
from asknown.emit.sql import col, instant, named, subquery, table
from asknown.emit.statement import Cte, Statement
from asknown.plan.nodes import Spine

# An offset behind a time: Z, +05, -0330, +05:30.
_OFFSET = r"\d{1,2}:\d{2}.*(Z|[+-]\d{2}(:?\d{2})?)\s*$"


def compile_facts(spine: Spine, models: Sequence[Cte], taken: Sequence[str], dialect: Dialect) -> Statement:
    """One row: rows, first and last instant, unreadable instants, an example of one, texts with an offset, texts."""
    names = Names([*taken, *(cte.name for cte in models)])
    given, s, t, raw = names.fresh("given"), names.fresh("s"), names.fresh("t"), names.fresh("raw")
    value = col(spine.instant.name, given)
    text = spine.instant.type.kind == "text"
    when = say(dialect, "try_instant", x=value) if text else instant(dialect, value, spine.instant.type)
    rows = exp.select(named(when, t), named(value.copy(), raw)).from_(table(given))
    lost = exp.and_(col(raw, s).is_(exp.null()).not_(), col(t, s).is_(exp.null()))
    zero: exp.Expr = exp.Literal.number(0)
    columns: list[exp.Expr] = [
        exp.Count(this=exp.Star()),
        exp.Min(this=col(t, s)),
        exp.Max(this=col(t, s)),
        _count_if(lost) if text else zero,
        exp.Min(this=_where(lost.copy(), col(raw, s))) if text else exp.null(),
        _count_if(say(dialect, "has_offset", x=col(raw, s), pattern=exp.Literal.string(_OFFSET)))
        if text
        else zero.copy(),
        exp.Count(this=col(raw, s)) if text else zero.copy(),
    ]
    ctes = [*models, Cte(given, spine.sql)]
    return Statement(tuple(ctes), exp.select(*columns).from_(subquery(rows, s)))


def _count_if(condition: exp.Expr) -> exp.Expr:
    return exp.Count(this=_where(condition, exp.Literal.number(1)))


def _where(condition: exp.Expr, value: exp.Expr) -> exp.Expr:
    """The value where the condition holds, else NULL."""
    return exp.Case(ifs=[exp.If(this=condition, true=value)])
