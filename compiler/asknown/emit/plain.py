"""Says which literals every engine reads alike: plain instants, patterns, formats, divisors and places."""

from __future__ import annotations

import re
from datetime import date

from sqlglot import exp

_INSTANT = re.compile(r"\d{4}-\d\d-\d\d([ T]\d\d:\d\d(:\d\d(\.\d{1,6})?)?(?P<offset>[+-]\d\d(:\d\d)?)?)?\Z", re.ASCII)
# Neither lazy nor possessive, no flags, no classes but those of ASCII; "." is left to the dialect.
_PIECE = r"(?:\\[dDwW.\\+*?()\[\]{}|^$/-]|\[(?!\^)(?:[^\]\[\\]|\\[dw.\\-])+\]|[^\\\[\](){}*+?|])"
_PATTERN = re.compile(rf"(?:\(\?:|\((?!\?)|\)|\||{_PIECE}|(?:[*+?]|\{{\d+(?:,\d*)?\}})(?![*+?]))*\Z")
_FORMAT = re.compile(r"(?:%[YmdHMSf]|[-/:. ,_])*\Z")

_PATTERNS = (exp.RegexpLike, exp.RegexpFullMatch, exp.SimilarTo)


def is_plain(node: exp.Expr) -> bool:
    """Whether the literal that a node stands over reads the same everywhere: no engine has another rule for it."""
    if isinstance(node, exp.Cast):
        found = _INSTANT.match(node.this.name) if _is_text(node.this) else None
        # An offset moves an instant, and is ignored where there is no zone, but not by every engine.
        fits = found is not None and (found["offset"] is None or node.is_type(exp.DType.TIMESTAMPTZ))
        return fits and _is_day(node.this.name[:10])
    if isinstance(node, exp.Like | exp.ILike):
        return isinstance(node.parent, exp.Escape) or (_is_text(node.expression) and "\\" not in node.expression.name)
    if isinstance(node, _PATTERNS):
        return _is_pattern(node.expression) and not node.args.get("flag")
    if isinstance(node, exp.RegexpReplace):
        put = node.args.get("replacement")
        simple = _is_pattern(node.expression) and "|" not in node.expression.name
        return simple and put is not None and _is_text(put) and not re.search(r"[\\&]", put.name)
    if isinstance(node, exp.TimeToStr):
        return _is_text(node.args.get("format")) and _FORMAT.match(node.args["format"].name) is not None
    if isinstance(node, exp.Div):
        by = node.expression.unnest()
        return _is_number(by) if not isinstance(by, exp.Nullif) else by.expression.name == "0"
    if isinstance(node, exp.SplitPart):
        return _is_text(node.args.get("delimiter")) and node.args["delimiter"].name != ""
    if isinstance(node, exp.Bracket):
        return all(isinstance(part, exp.Literal | exp.Slice) for part in node.expressions)
    if isinstance(node, exp.Log):
        return node.this.name == "10" and node.args.get("expression") is not None
    return isinstance(node, exp.Substring) and _is_number(node.args.get("start"), least=0)


def _is_number(node: exp.Expr | None, *, least: float = 1e-300) -> bool:
    return isinstance(node, exp.Literal) and not node.is_string and float(node.name) >= least


def _is_day(text: str) -> bool:
    try:
        date.fromisoformat(text)
    except ValueError:  # the 30th of February
        return False
    return True


def _is_text(node: exp.Expr | None) -> bool:
    return isinstance(node, exp.Literal) and node.is_string


def _is_pattern(node: exp.Expr | None) -> bool:
    return node is not None and _is_text(node) and _PATTERN.match(node.name) is not None
