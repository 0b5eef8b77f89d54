"""Functions of text, lists and structs in portable expressions."""

from __future__ import annotations

from sqlglot import exp

from asknown.model.expressions.arithmetic import Write, Writer, operation
from asknown.model.expressions.lists import bracket, joined
from asknown.model.expressions.types import (
    BIGINT,
    BOOLEAN,
    NULL,
    VARCHAR,
    NotPortableError,
    Part,
    convert,
    unify,
)
from asknown.types import SqlType


def text_of(name: str, part: Part) -> Part:
    """The part, which must be text."""
    if part.type is NULL:
        return convert(part, VARCHAR)
    if part.type.kind != "text" or part.type.is_enum:
        raise NotPortableError(f"{name}() of a {part.type} is not supported: cast it to VARCHAR first")
    return part


def _texts(name: str, kind: SqlType, *arguments: str) -> Write:
    """A function of texts, which stand in these arguments of the node."""

    def write(writer: Writer, node: exp.Expr) -> Part:
        parts = writer.parts(*(node.args[argument] for argument in arguments))
        return operation(name, kind, *(text_of(name, part) for part in parts))

    return write


def _count(name: str, part: Part) -> Part:
    """A number of code points."""
    if part.type.kind != "integer" or (part.literal is None and (part.type.bits > 64 or not part.type.signed)):
        raise NotPortableError(f"{name}() counts in whole numbers, not in {part.type}")
    return convert(part, BIGINT)


def _length(writer: Writer, node: exp.Expr) -> Part:
    """length(text), len(list)."""
    part = writer.part(node.this)
    if part.type.kind != "list":
        part = text_of("length", part)
    return operation("length", BIGINT, part)


def _substring(writer: Writer, node: exp.Expr) -> Part:
    text, start = writer.parts(node.this, node.args["start"])
    parts = [text_of("substr", text), _count("substr", start)]
    if node.args.get("length") is not None:
        parts.append(_count("substr", writer.part(node.args["length"])))
    return operation("substr", VARCHAR, *parts)


def _side(name: str) -> Write:
    def write(writer: Writer, node: exp.Expr) -> Part:
        text, count = writer.parts(node.this, node.expression)
        return operation(name, VARCHAR, text_of(name, text), _count(name, count))

    return write


def _split_part(writer: Writer, node: exp.Expr) -> Part:
    text, separator, place = writer.parts(node.this, node.args["delimiter"], node.args["part_index"])
    if separator.tree[0] != "literal" or not separator.tree[2]:
        raise NotPortableError("split_part() needs a literal separator, as in split_part(x, '@', 2)")
    return operation("split_part", VARCHAR, text_of("split_part", text), separator, _count("split_part", place))


def _trim(writer: Writer, node: exp.Expr) -> Part:
    side = {"LEADING": "left", "TRAILING": "right"}.get(str(node.args.get("position") or ""), "both")
    points = node.args.get("expression")
    parts = writer.parts(node.this, *([] if points is None else [points]))
    return operation(f"trim {side}", VARCHAR, *(text_of("trim", part) for part in parts))


def _replace(writer: Writer, node: exp.Expr) -> Part:
    parts = writer.parts(node.this, node.expression, node.args["replacement"])
    return operation("replace", VARCHAR, *(text_of("replace", part) for part in parts))


def _like(writer: Writer, node: exp.Expr) -> Part:
    text, pattern = writer.parts(node.this, node.expression)
    if pattern.tree[0] != "literal" or pattern.type != VARCHAR:
        raise NotPortableError("LIKE needs a literal pattern, as in x like 'a%'")
    found = operation("like", BOOLEAN, text_of("like", text), pattern)
    return operation("not", BOOLEAN, found) if node.args.get("negate") else found


_SPOKEN = ("text", "integer", "boolean", "decimal", "date")
"""Kinds that become text in a concatenation, spelled as a cast spells them."""


def _spoken(part: Part, name: str) -> Part:
    if part.type is NULL:
        return convert(part, VARCHAR)
    if part.type.kind not in _SPOKEN or part.type.is_enum:
        raise NotPortableError(
            f"{name} of a {part.type} is not supported: the engine writes such values in its own way"
        )
    return convert(part.settled(), VARCHAR, explicit=True)


def _concatenation(writer: Writer, node: exp.Expr) -> Part:
    """a || b, NULL where either is."""
    if (lists := joined(writer, node)) is not None:
        return lists
    parts = writer.parts(node.this, node.expression)
    if any(part.type is NULL for part in parts):
        raise NotPortableError("a || NULL is always NULL: write concat(a, …), which leaves NULLs out")
    if all(part.type.kind != "text" for part in parts):
        raise NotPortableError(f"|| of a {parts[0].type} and a {parts[1].type} is not supported: cast one to VARCHAR")
    return operation("||", VARCHAR, *(_spoken(part, "||") for part in parts))


def _concat(writer: Writer, node: exp.Expr) -> Part:
    """concat(a, b, …), which leaves NULLs out."""
    parts = [_spoken(part, "concat()") for part in writer.parts(*node.expressions)]
    return operation("concat", VARCHAR, *parts)


def _contains(writer: Writer, node: exp.Expr) -> Part:
    """contains(text, part), list_contains(list, value) under all of their names."""
    whole, part = writer.parts(node.this, node.expression)
    if whole.type.kind != "list":
        return operation("contains", BOOLEAN, text_of("contains", whole), text_of("contains", part))
    return list_contains(whole, part)


def list_contains(values: Part, value: Part) -> Part:
    """Whether a list has a value; false if it has not, NULLs in the list or not."""
    element = values.type.element
    if element is None or element.kind in ("list", "struct", "other", "timestamptz", "time") or element.is_enum:
        raise NotPortableError(f"list_contains() of a {values.type} is not supported")
    if unify([Part((), element), value]) != element or element.name == "FLOAT":
        raise NotPortableError(f"a {value.type} in a {values.type} is not supported: cast it to {element}")
    return operation("list_contains", BOOLEAN, values, convert(value, element))


def _field(writer: Writer, node: exp.Expr) -> Part:
    """s.a or s['a'] of a struct; l[i] and l[a:b] of a list."""
    if isinstance(node, exp.Bracket) and (found_in_list := bracket(writer, node)) is not None:
        return found_in_list
    struct = writer.part(node.this)
    name = node.expression if node.args.get("expression") is not None else node.expressions[0]
    found = {field.casefold(): (field, kind) for field, kind in struct.type.fields}.get(name.name.casefold())
    if struct.type.kind != "struct" or found is None or not isinstance(name, exp.Identifier | exp.Literal):
        fields = ", ".join(field for field, _ in struct.type.fields)
        raise NotPortableError(
            f"a {struct.type} has no field '{name.name}'; its fields: {fields}" if fields
            else f"{node.sql('duckdb')} is not supported: a {struct.type} has no fields"
        )  # fmt: skip
    field, kind = found
    return operation("field", kind, struct, Part(("literal", VARCHAR.name, field), VARCHAR))


def _prefix(name: str) -> Write:
    """prefix(a, b) and suffix(a, b), which sqlglot does not know."""

    def write(writer: Writer, node: exp.Expr) -> Part:
        parts = [text_of(name, part) for part in writer.parts(*node.expressions)]
        if len(parts) != 2:
            raise NotPortableError(f"{name}() takes two texts")
        return operation(name, BOOLEAN, *parts)

    return write


NODES: dict[type[exp.Expr], Write] = {
    exp.Lower: _texts("lower", VARCHAR, "this"),
    exp.Upper: _texts("upper", VARCHAR, "this"),
    exp.Length: _length,
    exp.ArraySize: _length,
    exp.Substring: _substring,
    exp.Left: _side("left"),
    exp.Right: _side("right"),
    exp.SplitPart: _split_part,
    exp.Trim: _trim,
    exp.Contains: _contains,
    exp.ArrayContains: _contains,
    exp.StartsWith: _texts("starts_with", BOOLEAN, "this", "expression"),
    exp.EndsWith: _texts("ends_with", BOOLEAN, "this", "expression"),
    exp.Replace: _replace,
    exp.Like: _like,
    exp.DPipe: _concatenation,
    exp.Concat: _concat,
    exp.Dot: _field,
    exp.Bracket: _field,
    exp.StructExtract: _field,
}

FUNCTIONS: dict[str, Write] = {"prefix": _prefix("starts_with"), "suffix": _prefix("ends_with")}
