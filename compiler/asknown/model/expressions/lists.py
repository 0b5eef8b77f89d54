"""Functions of lists in portable expressions, with lambdas; lists and structs that are written out."""

from __future__ import annotations

import re
from collections.abc import Mapping

from sqlglot import exp
from sqlglot.expressions import apply_index_offset

from asknown.model.expressions.arithmetic import Write, Writer, operation
from asknown.model.expressions.types import (
    BIGINT,
    BOOLEAN,
    DOUBLE,
    HUGEINT,
    INTEGER,
    NULL,
    VARCHAR,
    NotPortableError,
    Part,
    convert,
    literal_integer,
    unify,
)
from asknown.types import Kind, SqlType, parse_type

_ORDERED: frozenset[Kind] = frozenset({"boolean", "integer", "float", "decimal", "text", "date", "timestamp"})
_FIELD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")


def list_of(element: SqlType) -> SqlType:
    """The type of lists of these elements."""
    return parse_type(f"{element.name}[]")


def _list(writer: Writer, node: exp.Expr, name: str) -> tuple[Part, SqlType]:
    """The list that a node is, and the type of its elements."""
    part = writer.part(node)
    if part.type.kind != "list" or part.type.element is None or part.type.element.kind == "other":
        raise NotPortableError(f"{name}() takes a list, not a {part.type}")
    return part, part.type.element


def _ordered(element: SqlType, name: str) -> SqlType:
    if element.kind not in _ORDERED or element.is_enum or element.name == "FLOAT":
        raise NotPortableError(f"{name}() of a list of {element} is not supported")
    return element


# ---------------------------------------------------------------- elements and parts


def bracket(writer: Writer, node: exp.Expr) -> Part | None:
    """``l[i]`` and ``l[a:b]`` of a list; None if the node is neither."""
    values = writer.part(node.this)
    if values.type.kind != "list" or len(node.expressions) != 1:
        return None
    (index,) = node.expressions
    if isinstance(index, exp.Slice):
        if index.args.get("step") is not None:
            raise NotPortableError("l[a:b:step] is not supported: write l[a:b]")
        first = _place(writer, index.this, 1)
        last = _place(writer, index.args.get("expression"), -1)
        return operation("slice", values.type, values, first, last)
    return operation("element", _list(writer, node.this, "l[i]")[1], values, _index(writer, index))


def _place(writer: Writer, node: exp.Expr | None, default: int) -> Part:
    return _whole(literal_integer(default) if node is None else writer.part(node))


def _index(writer: Writer, node: exp.Expr) -> Part:
    """The index as the author wrote it. The parser counts from 0 where it knows that an index is a whole number."""
    bracket = node.parent
    assert isinstance(bracket, exp.Bracket)
    (written,) = apply_index_offset(bracket.this.copy(), [node.copy()], 1, dialect="duckdb")
    if isinstance(written, exp.Literal | exp.Neg):
        return _whole(writer.part(written))
    if written == node:
        return _whole(writer.part(node))
    if isinstance(node, exp.Add):  # x + -1, of which x is what the author wrote
        return _whole(writer.part(node.this))
    raise NotPortableError(
        f"the place {written.sql('duckdb')} is not supported: write it as a whole number or a column"
    )


def _whole(part: Part) -> Part:
    if part.type.kind != "integer" or part.type.bits > 64 or not part.type.signed:
        raise NotPortableError(f"a place in a list is a whole number, not a {part.type}")
    return convert(part, BIGINT)


def _extract(writer: Writer, node: exp.Expr) -> Part:
    """list_extract(l, i)."""
    values, element = _list(writer, node.expressions[0], "list_extract")
    return operation("element", element, values, _whole(writer.part(node.expressions[1])))


# ---------------------------------------------------------------- lists from lists


def _same(name: str, *, ordered: bool = False) -> Write:
    """A function of a list that returns a list of its type."""

    def write(writer: Writer, node: exp.Expr) -> Part:
        called = f"list_{name}"
        values, element = _list(
            writer, node.this if not isinstance(node, exp.Anonymous) else node.expressions[0], called
        )
        if ordered:
            for kind in [kind for _, kind in element.fields] or [element]:
                _ordered(kind, called)
            if any(kind.kind == "float" for _, kind in element.fields):
                raise NotPortableError(f"list_sort() of a {values.type} is not supported: zeros of two signs are equal")
        return operation(called, values.type, values)

    return write


def _sort(writer: Writer, node: exp.Expr) -> Part:
    """list_sort(l), ascending."""
    if node.args.get("expression") is not None or node.args.get("asc") is not None:
        raise NotPortableError("list_sort() with an order is not supported: write list_reverse(list_sort(l))")
    return _same("sort", ordered=True)(writer, node)


def joined(writer: Writer, node: exp.Expr) -> Part | None:
    """``l || m`` of two lists; None if the first is no list."""
    left, right = writer.parts(node.this, node.expression)
    if "list" not in (left.type.kind, right.type.kind):
        return None
    if left.type != right.type:
        raise NotPortableError(f"|| of a {left.type} and a {right.type} is not supported: cast the elements of one")
    return operation("list_concat", left.type, left, right)


def _flatten(writer: Writer, node: exp.Expr) -> Part:
    values, element = _list(writer, node.this, "flatten")
    if element.kind != "list":
        raise NotPortableError(f"flatten() takes a list of lists, not a {values.type}")
    return operation("flatten", element, values)


# ---------------------------------------------------------------- values from lists


def _position(writer: Writer, node: exp.Expr) -> Part:
    """list_position(l, x): the first place, from 1."""
    whole, sought = (node.this, node.expression) if isinstance(node, exp.ArrayPosition) else node.expressions
    values, element = _list(writer, whole, "list_position")
    _ordered(element, "list_position")
    value = writer.part(sought)
    if unify([Part((), element), value]) != element:
        raise NotPortableError(f"a {value.type} in a {values.type} is not supported: cast it to {element}")
    return operation("list_position", INTEGER, values, convert(value, element))


def _extreme(name: str) -> Write:
    def write(writer: Writer, node: exp.Expr) -> Part:
        values, element = _list(writer, node.this, name)
        return operation(name, _ordered(element, name), values)

    return write


def _sum(writer: Writer, node: exp.Expr) -> Part:
    """list_sum(l), of numbers."""
    values, element = _list(writer, node.expressions[0], "list_sum")
    if element == DOUBLE:
        return operation("exact list_sum", DOUBLE, values)
    if element.kind not in ("integer", "decimal") or element.name == "UHUGEINT":
        raise NotPortableError(f"list_sum() of a {values.type} is not supported")
    result = HUGEINT if element.kind == "integer" else parse_type(f"DECIMAL(38,{element.scale})")
    return operation("list_sum", result, values)


# ---------------------------------------------------------------- lambdas


def _function(writer: Writer, node: exp.Expr, name: str, *types: SqlType) -> tuple[Part, int]:
    """The lambda that a node is, as a part of its result's type, and the number of its parameters."""
    if not isinstance(node, exp.Lambda):
        raise NotPortableError(f"{name}() takes a function, as in lambda x_: x_ + 1")
    names = [parameter.name for parameter in node.expressions]
    if len(names) > len(types) or len({name.casefold() for name in names}) < len(names):
        raise NotPortableError(f"the function in {name}() has {len(names)} parameters")
    body, places = writer.with_parameters(dict(zip(names, types, strict=False)), node.this)
    if body.type is NULL:
        raise NotPortableError(f"the function in {name}() is always NULL: cast it")
    body = body.settled()
    return Part(("lambda", body.type.name, body.tree, *places), body.type), len(names)


def _transform(writer: Writer, node: exp.Expr) -> Part:
    values, element = _list(writer, node.this, "list_transform")
    function, count = _function(writer, node.expression, "list_transform", element, BIGINT)
    return operation(f"list_transform{_BY_PLACE[count]}", list_of(function.type), values, function)


def _filter(writer: Writer, node: exp.Expr) -> Part:
    values, element = _list(writer, node.this, "list_filter")
    function, count = _function(writer, node.expression, "list_filter", element, BIGINT)
    if function.type != BOOLEAN:
        raise NotPortableError(f"the function in list_filter() is a {function.type}, not a condition")
    return operation(f"list_filter{_BY_PLACE[count]}", values.type, values, function)


_BY_PLACE: Mapping[int, str] = {1: "", 2: " by place"}


def _reduce(writer: Writer, node: exp.Expr) -> Part:
    """list_reduce(l, lambda a_, b_: …[, start])."""
    if not 2 <= len(node.expressions) <= 3:
        raise NotPortableError("list_reduce() takes a list, a function, and a start value or none")
    values, element = _list(writer, node.expressions[0], "list_reduce")
    function, count = _function(writer, node.expressions[1], "list_reduce", element, element)
    if count != 2:
        raise NotPortableError("the function in list_reduce() takes two values, as in lambda a_, b_: a_ + b_")
    if function.type != element:
        raise NotPortableError(
            f"the function in list_reduce() makes a {function.type} of {element}s: cast it, as in "
            f"lambda a_, b_: (…)::{element}, or cast the elements first"
        )
    if len(node.expressions) == 2:
        return operation("list_reduce", element, values, function)
    start = writer.part(node.expressions[2])
    if unify([Part((), element), start]) != element:
        raise NotPortableError(f"the start value of list_reduce() is a {start.type}: cast it to {element}")
    return operation("list_reduce from", element, values, function, convert(start, element))


# ---------------------------------------------------------------- written out


def parameter(writer: Writer, node: exp.Expr) -> Part:
    """A parameter of a lambda around the node."""
    found = writer.parameters.get(node.name.casefold())
    if found is None:
        raise NotPortableError(f"{node.name} is no column")
    return found


def _struct(writer: Writer, node: exp.Expr) -> Part:
    """``{'a': x, 'b': y}``."""
    names: list[str] = []
    parts: list[Part] = []
    for field in node.expressions:
        name = field.this.name if isinstance(field, exp.PropertyEQ) else ""
        if not _FIELD.fullmatch(name) or name.casefold() in {other.casefold() for other in names}:
            raise NotPortableError(f"{node.sql('duckdb')} is not supported: write {{'a': x, 'b': y}}, plain names")
        part = writer.part(field.expression)
        if part.type is NULL:
            raise NotPortableError(f"the field '{name}' is always NULL: cast it")
        names.append(name)
        parts += [Part(("literal", VARCHAR.name, name), VARCHAR), part.settled()]
    inside = ", ".join(f"{name} {part.type.name}" for name, part in zip(names, parts[1::2], strict=True))
    return operation("struct", parse_type(f"STRUCT({inside})"), *parts)


def _array(writer: Writer, node: exp.Expr) -> Part:
    """``[x, y]``."""
    parts = writer.parts(*node.expressions)
    if not parts or node.find(exp.Comprehension) is not None:
        raise NotPortableError(f"{node.sql('duckdb')} is not supported")
    kind = unify(parts)
    if kind is NULL:
        raise NotPortableError("a list of NULLs alone is not supported: cast one")
    return operation("list", list_of(kind), *(convert(part, kind) for part in parts))


NODES: dict[type[exp.Expr], Write] = {
    exp.ArraySort: _sort,
    exp.Flatten: _flatten,
    exp.ArrayReverse: _same("reverse"),
    exp.ArrayPosition: _position,
    exp.ArrayMin: _extreme("list_min"),
    exp.ArrayMax: _extreme("list_max"),
    exp.Transform: _transform,
    exp.ArrayFilter: _filter,
    exp.Struct: _struct,
    exp.Array: _array,
}

FUNCTIONS: dict[str, Write] = {
    "list_reverse": _same("reverse"),
    "list_position": _position,
    "list_indexof": _position,
    "list_sum": _sum,
    "list_reduce": _reduce,
    "list_extract": _extract,
}
