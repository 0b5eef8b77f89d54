"""Rewrites, in a model's own SQL, the functions that round a float to decimal places.

Versions of DuckDB compute ``round(x, n)`` and ``round_even(x, n)`` of a float differently. So that a training set does
not depend on the version, these calls are written in operations that all versions compute alike
(:mod:`asknown.dialects.duckdb`). The rest of the author's text is unchanged.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from sqlglot import exp, tokenize
from sqlglot.tokenizer_core import TokenType

from asknown.dialects.dialect import Dialect
from asknown.emit.snippets import snippet
from asknown.errors import AsknownError, Where
from asknown.model.nodes import Model
from asknown.model.windows import is_trailing

ROUNDINGS: Mapping[str, str] = {"round": "round", "round_even": "round_even", "roundbankers": "round_even"}
"""The functions that round to places, and the one of which each is another name."""

_FLOATS = ("DOUBLE", "FLOAT")
_MOST_PLACES = 308  # the largest power of ten that is a double


@dataclass(frozen=True)
class _Rounding:
    """A call at ``node`` that rounds ``value``. ``kind`` is ``double``, ``float`` or ``unsure``."""

    node: exp.Expr
    function: str
    value: exp.Expr
    places: exp.Expr
    kind: str = ""


def spell_roundings(model: Model, tree: exp.Query, dialect: Dialect) -> exp.Query:
    """The ``tree`` of a model, or a part of it, with its roundings of floats spelled out."""
    found = {_start(rounding.node): rounding for rounding in _of_floats(model)}
    if not found:
        return tree
    spelled = tree.copy()
    for node in reversed(list(spelled.walk())):  # innermost first: the rewritten node has copies of its operands
        rounding = _read(node)
        if rounding is not None and _start(node) in found:
            node.replace(_spelled(rounding, found[_start(node)].kind, dialect))
    return spelled


def text_with_roundings(model: Model, dialect: Dialect) -> str:
    """The text of a model with its roundings of floats spelled out."""
    found = _of_floats(model)
    if not found:
        return model.sql
    ends = _ends_of_calls(model, dialect)
    nodes = {id(rounding.node) for rounding in found}
    outermost = [rounding.node for rounding in found if not nodes & {id(above) for above in _ancestors(rounding.node)}]
    text = model.sql
    for node in sorted(outermost, key=_start, reverse=True):
        start = _start(node)
        if start not in ends or not text.startswith(model.rendered.sql[start : ends[start]], start):
            return spell_roundings(model, model.tree, dialect).sql(dialect.sqlglot, pretty=True, comments=False)
        select = exp.select(node.copy())
        within = spell_roundings(model, select, dialect).selects[0]
        text = text[:start] + within.sql(dialect.sqlglot) + text[ends[start] :]
    return text


def _of_floats(model: Model) -> list[_Rounding]:
    """The calls in the model that round floats, or may do so.

    Calls around trailing windows are left out: they are computed from features (``emit.translate.define``). Raises
    ``not-in-dialect`` if the engine rounds a float where the text shows no such call.
    """
    roundings = [found for node in model.tree.walk() if (found := _read(node)) is not None]
    floats = [call for call in model.calls or () if call.type in _FLOATS and call.arguments == 2]
    if model.calls is not None and not floats:
        return []
    starts = {_start(rounding.node) for rounding in roundings}
    hidden = [call for call in floats if call.start is not None and call.start not in starts]
    if hidden or (floats and not roundings):
        raise AsknownError(
            "not-in-dialect",
            f"'{model.name}' rounds a float to places in a way that asknown cannot read",
            at=_place(model, hidden[0].start if hidden else None),
            hint="write it as round(x, 2)",
        )
    kinds = [_with_kind(rounding, roundings, model) for rounding in roundings]
    return [found for found in kinds if found is not None and not _is_around_window(found.node, model.tree)]


def _with_kind(rounding: _Rounding, roundings: list[_Rounding], model: Model) -> _Rounding | None:
    """The rounding with its value's kind, as far as it is known; None if the value is not a float."""
    calls = model.calls
    if calls is None:
        return replace(rounding, kind="unsure")
    # The engine keeps one of equal terms, such as one in GROUP BY and its copy in the select.
    twins = {_start(other.node) for other in roundings if other.node == rounding.node}
    types = {call.type for call in calls if call.start == _start(rounding.node)}
    types = types or {call.type for call in calls if call.start in twins}
    types = types or {
        call.type for call in calls if call.start is None and ROUNDINGS[call.function] == rounding.function
    }
    if not types & set(_FLOATS):
        return None
    return replace(rounding, kind=types.pop().lower() if len(types) == 1 else "unsure")


def _read(node: exp.Expr) -> _Rounding | None:
    """The rounding that a node is, if it has two arguments."""
    if isinstance(node, exp.Round) and node.args.get("decimals") is not None:
        return _Rounding(node, "round", node.this, node.args["decimals"])
    if isinstance(node, exp.Anonymous) and node.name.casefold() in ROUNDINGS and len(node.expressions) == 2:
        return _Rounding(node, ROUNDINGS[node.name.casefold()], *node.expressions)
    return None


def _spelled(rounding: _Rounding, kind: str, dialect: Dialect) -> exp.Expr:
    places = rounding.places.unnest()
    negative = isinstance(places, exp.Neg)
    number = places.this if negative else places
    values = {"x": rounding.value, "same": rounding.node}
    if isinstance(number, exp.Literal) and number.name.isdecimal():
        power = exp.Literal.number(f"1e{min(int(number.name), _MOST_PLACES)}")
        form = "tens" if negative else "places"
        return snippet(dialect, f"{rounding.function}.{form}.{kind}", **values, power=power)
    return snippet(dialect, f"{rounding.function}.by.{kind}", **values, places=rounding.places)


def _is_around_window(node: exp.Expr, tree: exp.Query) -> bool:
    """Whether a node stands in an item with trailing windows, and in none of these windows."""
    item: exp.Expr | None = node
    while item is not None and not (item.parent is tree and item.arg_key == "expressions"):
        if isinstance(item, exp.Window) and is_trailing(item, tree):
            return False
        item = item.parent
    return item is not None and any(is_trailing(window, tree) for window in item.find_all(exp.Window))


def _ancestors(node: exp.Expr) -> Iterator[exp.Expr]:
    above = node.parent
    while above is not None:
        yield above
        above = above.parent


def _ends_of_calls(model: Model, dialect: Dialect) -> dict[int, int]:
    """Maps the start of each call in the model's text to the place after its closing parenthesis."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    before = 0
    for token in tokenize(model.rendered.sql, read=dialect.sqlglot):
        if token.token_type == TokenType.L_PAREN:
            opened.append(before)
        elif token.token_type == TokenType.R_PAREN and opened:
            ends[opened.pop()] = token.end + 1
        before = token.start
    return ends


def _start(node: exp.Expr) -> int:
    """The place of a call's first character in the text of its model."""
    return int(node.meta.get("start", -1))


def _place(model: Model, start: int | None) -> Where:
    if start is None:
        return model.rendered.where(1)
    sql = model.rendered.sql
    return model.rendered.where(sql.count("\n", 0, start) + 1, start - sql.rfind("\n", 0, start))
