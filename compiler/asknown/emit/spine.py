"""What must be known of a spine before it is planned for."""

from __future__ import annotations

from collections.abc import Sequence

from sqlglot import exp

from asknown.emit.sql import Names, col, instant, named, subquery, table
from asknown.emit.statement import Cte, Statement
from asknown.plan.nodes import Spine
from asknown.types import parse_type

_AWARE = parse_type("TIMESTAMP WITH TIME ZONE")

# An offset behind a time: Z, +05, -0330, +05:30.
_OFFSET = r"\d{1,2}:\d{2}.*(Z|[+-]\d{2}(:?\d{2})?)\s*$"


def compile_facts(spine: Spine, models: Sequence[Cte], taken: Sequence[str]) -> Statement:
    """One row: rows, first and last instant, unreadable instants, an example of one, texts with an offset, texts."""
    names = Names([*taken, *(cte.name for cte in models)])
    given, s, t, raw = names.fresh("given"), names.fresh("s"), names.fresh("t"), names.fresh("raw")
    value = col(spine.instant.name, given)
    text = spine.instant.type.kind == "text"
    when = instant(value, spine.instant.type) if not text else instant(_try(value), _AWARE)
    rows = exp.select(named(when, t), named(value.copy(), raw)).from_(table(given))
    lost = exp.and_(col(raw, s).is_(exp.null()).not_(), col(t, s).is_(exp.null()))
    zero: exp.Expr = exp.Literal.number(0)
    columns: list[exp.Expr] = [
        exp.Count(this=exp.Star()),
        exp.Min(this=col(t, s)),
        exp.Max(this=col(t, s)),
        _count_if(lost) if text else zero,
        exp.Min(this=exp.If(this=lost.copy(), true=col(raw, s))) if text else exp.null(),
        _count_if(_has_offset(col(raw, s))) if text else zero.copy(),
        exp.Count(this=col(raw, s)) if text else zero.copy(),
    ]
    ctes = [*models, Cte(given, spine.sql)]
    return Statement(tuple(ctes), exp.select(*columns).from_(subquery(rows, s)))


def _try(value: exp.Expr) -> exp.Expr:
    return exp.TryCast(this=value, to=exp.DataType.build("TIMESTAMPTZ"))


def _count_if(condition: exp.Expr) -> exp.Expr:
    return exp.Count(this=exp.If(this=condition, true=exp.Literal.number(1)))


def _has_offset(value: exp.Expr) -> exp.Expr:
    return exp.Anonymous(this="regexp_matches", expressions=[value, exp.Literal.string(_OFFSET)])
