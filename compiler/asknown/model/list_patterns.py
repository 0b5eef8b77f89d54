"""Recognizes expressions around the list of a window that the online table can compute from a small state.

They are what the macros ``streak``, ``since``, ``drawdown``, ``session`` and ``last_distinct`` write. The expression
means the same without this, and is what a query computes; it only needs every value.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

from sqlglot import exp, parse_one

from asknown.aggregates import RECOGNIZED, Aggregate
from asknown.durations import microseconds

_LIST, _NUMBER, _GAP = "_asknown_list_", "7770777", "7770777 seconds"
_PATTERNS = {
    "streak": "coalesce(list_position(list_reverse(:w), false) - 1, len(:w), 0)",
    "longest_streak": (
        "coalesce(list_reduce(list_transform(:w, lambda met_: {'run': if(met_, 1, 0), 'longest': if(met_, 1, 0)}), "
        "lambda a_, b_: {'run': if(b_.run = 1, a_.run + 1, 0), "
        "'longest': greatest(a_.longest, if(b_.run = 1, a_.run + 1, 0))}).longest, 0)"
    ),
    "since": "list_position(list_reverse(:w), true) - 1",
    "drawdown": (
        "list_reduce(list_transform(:w, lambda x_: {'peak': x_, 'fall': 0e0}), "
        "lambda a_, b_: {'peak': greatest(a_.peak, b_.peak), 'fall': greatest(a_.fall, a_.peak - b_.peak)}).fall"
    ),
    "session": (
        "list_reduce(list_transform(:w, lambda t_: {'start': t_, 'newest': t_, 'n': 1}), lambda a_, b_: "
        "{'start': if(b_.newest <= a_.newest + interval ':gap', a_.start, b_.start), 'newest': b_.newest, "
        "'n': if(b_.newest <= a_.newest + interval ':gap', a_.n + 1, 1)})"
    ),
    "last_distinct": (
        "list_reverse(list_filter(list_reverse(:w), lambda x_, i_: list_position(list_reverse(:w), x_) = i_)[1::k])"
    ),
}
"""By aggregate: the expression, with ``:w`` for the list, ``:k`` for a number and ``:gap`` for a duration."""


@dataclass(frozen=True)
class AroundList:
    """An expression around the list of a call (its place among the view's calls), and the aggregate that it is."""

    node: exp.Expr
    aggregate: Aggregate
    call: int
    number: int | None


def replace_around_lists(
    expression: exp.Expr, call_of: Callable[[AroundList], int | None]
) -> tuple[exp.Expr, tuple[int, ...]]:
    """The expression with calls in the place of what is recognized in it, and its calls.

    ``call_of`` gives the place of the call, or None where the expression around the list is to stay.
    """

    def shorten(node: exp.Expr) -> exp.Expr:
        around = around_list(node)
        place = None if around is None else call_of(around)
        return node if place is None else exp.Parameter(this=exp.Literal.number(place))

    shortened = expression.copy().transform(shorten)
    used = dict.fromkeys(int(node.name) for node in shortened.find_all(exp.Parameter))
    return shortened, tuple(used)


def around_list(node: exp.Expr) -> AroundList | None:
    """The aggregate that a whole expression is, in which ``@i`` is call ``i``; None if it is none of the patterns."""
    if not isinstance(node, exp.Coalesce | exp.Sub | exp.Dot | exp.Func):
        return None
    if node.find(exp.Parameter) is None:
        return None
    text = node.copy().transform(_name_list).sql("duckdb")
    for name, pattern in _PATTERNS.items():
        found = _compiled(pattern).fullmatch(text)
        if found is not None:
            groups = found.groupdict()
            number = int(groups["k"]) if "k" in groups else None
            if "gap" in groups:
                number = microseconds(f"{groups['gap']} {groups['unit'].lower()}")
            return AroundList(node, RECOGNIZED[name], int(found["list"]), number)
    return None


def written_pattern(aggregate: str, number: object) -> exp.Expr:
    """The expression around the list of call 0 that an aggregate of this name, with this number, is."""
    text = _PATTERNS[aggregate].replace(":w", f"{_LIST}0").replace(":k", str(number))
    tree = parse_one(text.replace(":gap", f"{number} microseconds"), read="duckdb")
    place = exp.Parameter(this=exp.Literal.number(0))
    named = f"{_LIST}0"
    return tree.transform(lambda node: place.copy() if isinstance(node, exp.Column) and node.name == named else node)


def _name_list(node: exp.Expr) -> exp.Expr:
    return exp.column(f"{_LIST}{node.name}") if isinstance(node, exp.Parameter) else node


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    written = pattern.replace(":w", f"{_LIST}0").replace(":k", _NUMBER).replace(":gap", _GAP)
    text = re.escape(parse_one(written, read="duckdb").sql("duckdb"))
    text = _first_and_others(text, f"{_LIST}0", rf"{_LIST}(?P<list>\d+)", rf"{_LIST}(?P=list)")
    gap = re.escape("INTERVAL '7770777' SECONDS")
    text = _first_and_others(text, gap, r"INTERVAL '(?P<gap>\d+)' (?P<unit>\w+)", "INTERVAL '(?P=gap)' (?P=unit)")
    return re.compile(_first_and_others(text, _NUMBER, "(?P<k>[1-9][0-9]{0,5})", "(?P=k)"))


def _first_and_others(text: str, part: str, first: str, others: str) -> str:
    return text.replace(part, first, 1).replace(part, others)
