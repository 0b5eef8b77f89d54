"""Recognizes aggregates that are written as an expression around a window, such as ``(list(x) over …)[-5:]``.

The expression alone means the same. Recognized as one aggregate, it needs less, and the online table can compute it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import cache

from sqlglot import exp, parse_one

from asknown.aggregates import AGGREGATES, Aggregate

_WINDOW, _NUMBER = "_asknown_window_", "7770777"


@dataclass(frozen=True)
class Around:
    """A window inside an expression that makes it another aggregate, with the expression's number, if it has one."""

    window: exp.Window
    aggregate: Aggregate
    number: int | None


def around_window(node: exp.Expr, call_name: str | None = None) -> Around | None:
    """The aggregate that a whole expression is, or None if it is none of the patterns."""
    windows = [] if isinstance(node, exp.Window | exp.Alias | exp.Column) else list(node.find_all(exp.Window))
    if len(windows) != 1:
        return None
    (window,) = windows
    call = window.this.this if isinstance(window.this, exp.Filter) else window.this
    name = call_name or call.sql("duckdb").partition("(")[0].strip().casefold()
    if call.find(exp.Distinct) is not None:
        return None
    text = node.copy().transform(lambda part: exp.column(_WINDOW) if isinstance(part, exp.Window) else part)
    for aggregate in AGGREGATES.values():
        if aggregate.inside is not None and name in aggregate.sql:
            found = _pattern(aggregate.inside).fullmatch(text.sql("duckdb"))
            if found is not None:
                return Around(window, aggregate, int(found["k"]) if "k" in found.groupdict() else None)
    return None


def written_around(aggregate: Aggregate, call: exp.Expr, number: object) -> exp.Expr:
    """The expression of a pattern around ``call``."""
    tree = _tree(str(aggregate.inside).replace(":k", str(number)))
    return tree.transform(lambda part: call if isinstance(part, exp.Column) and part.name == _WINDOW else part)


def _tree(inside: str) -> exp.Expr:
    return parse_one(inside.replace(":w", _WINDOW), read="duckdb")


@cache
def _pattern(inside: str) -> re.Pattern[str]:
    text = re.escape(_tree(inside.replace(":k", _NUMBER)).sql("duckdb"))
    return re.compile(text.replace(_NUMBER, "(?P<k>[1-9][0-9]{0,5})"))
