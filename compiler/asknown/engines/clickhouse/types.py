"""Maps ClickHouse's types to asknown's.

ClickHouse has no naive timestamps: a DateTime is an instant, shown in a zone. One without a zone of its own is a
TIMESTAMP here, for the session's zone is UTC; one with a zone is a TIMESTAMP WITH TIME ZONE.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from asknown.types import SqlType, parse_type

_NAMES = {
    "Bool": "BOOLEAN",
    "Int8": "TINYINT",
    "Int16": "SMALLINT",
    "Int32": "INTEGER",
    "Int64": "BIGINT",
    "Int128": "HUGEINT",
    "UInt8": "UTINYINT",
    "UInt16": "USMALLINT",
    "UInt32": "UINTEGER",
    "UInt64": "UBIGINT",
    "UInt128": "UHUGEINT",
    "Float32": "FLOAT",
    "Float64": "DOUBLE",
    "String": "VARCHAR",
    "UUID": "UUID",
    "Date": "DATE",
    "Date32": "DATE",
    "Time": "TIME",
    "Nothing": "INTEGER",  # of NULL, and of the elements of []
}
_TRANSPARENT = ("Nullable", "LowCardinality", "Variant")  # of one type: it, or NULL
_TIMESTAMP, _AWARE = parse_type("TIMESTAMP"), parse_type("TIMESTAMPTZ")


@dataclass(frozen=True)
class Called:
    """A type as ClickHouse writes it, read: its head, and its arguments as they stand."""

    head: str
    arguments: tuple[str, ...]


def read_type(text: str) -> Called:
    """The head and the arguments of a type, without Nullable and LowCardinality."""
    head, _, rest = text.strip().partition("(")
    arguments = tuple(split_arguments(rest.strip().removesuffix(")"))) if rest else ()
    if head in _TRANSPARENT and len(arguments) == 1:
        return read_type(arguments[0])
    if head == "SimpleAggregateFunction" and len(arguments) == 2:
        return read_type(arguments[1])
    return Called(head, arguments)


def split_arguments(text: str) -> list[str]:
    """The parts between commas that stand in no quotes and no parentheses."""
    parts, depth, quote, start, place = [], 0, "", 0, 0
    while place < len(text):
        character = text[place]
        if quote:
            if character == "\\":
                place += 1
            elif character == quote:
                quote = ""
        elif character in "'`\"":
            quote = character
        elif character in "()":
            depth += 1 if character == "(" else -1
        elif character == "," and depth == 0:
            parts.append(text[start:place])
            start = place + 1
        place += 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def to_sql_type(text: str) -> SqlType:
    """The type that ClickHouse calls ``text``: of the kind ``other`` where it cannot be kept exactly."""
    called = read_type(text)
    if called.head in _NAMES and not called.arguments:
        return parse_type(_NAMES[called.head])
    match called.head, called.arguments:
        case "Decimal", (precision, scale) if int(precision) <= 38:
            return parse_type(f"DECIMAL({precision},{scale})")
        case "DateTime", zone:
            return _AWARE if zone else _TIMESTAMP
        case "DateTime64", (digits, *zone) if int(digits) <= 6:
            return _AWARE if zone else _TIMESTAMP
        case "DateTime64", ("9", *zone):
            return SqlType("TIMESTAMPTZ_NS" if zone else "TIMESTAMP_NS", "other")
        case "Time64", (digits,) if int(digits) <= 6:
            return parse_type("TIME")
        case "Enum8" | "Enum16", values:
            listed = ", ".join(_literal(name) for _, name in sorted(read_enum(value) for value in values))
            return parse_type(f"ENUM({listed})")
        case "Array", (element,):
            return parse_type(f"{to_sql_type(element).name}[]") if _kept(element) else SqlType(text, "other")
        case "Tuple", fields if (named := read_fields(fields)) and all(_kept(kind) for _, kind in named):
            listed = ", ".join(f"{_word(name)} {to_sql_type(kind).name}" for name, kind in named)
            return parse_type(f"STRUCT({listed})")
    return SqlType(text, "other")


def _kept(text: str) -> bool:
    return to_sql_type(text).kind != "other"


def read_fields(arguments: tuple[str, ...]) -> list[tuple[str, str]]:
    """The names and types of a Tuple's fields; nothing where they have no names."""
    found = [re.fullmatch(r"(`(?:[^`\\]|\\.)*`|\w+)\s+(.+)", argument, re.S) for argument in arguments]
    return [(_unquote(match[1]), match[2]) for match in found if match] if all(found) else []


def _unquote(name: str) -> str:
    return re.sub(r"\\(.)", r"\1", name[1:-1]) if name[:1] in "`'" else name


def _word(name: str) -> str:
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else '"' + name.replace('"', '""') + '"'


def read_enum(argument: str) -> tuple[int, str]:
    name, _, code = argument.rpartition("=")
    return int(code), _unquote(name.strip())


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


def quote(name: str) -> str:
    """``name`` as an identifier: in ClickHouse a backslash escapes inside quotes too."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def literal(text: str) -> str:
    """``text`` as a string of ClickHouse's SQL."""
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
