"""Facts about SQL types in one table, and a reader of type names.

Types are those of the model's SQL, as the engine describes them (rule 7). Nothing here needs
more than the standard library, because the online reader decodes values with it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from asknown.errors import AsknownError

Kind = Literal[
    "boolean",
    "integer",
    "float",
    "decimal",
    "text",
    "blob",
    "uuid",
    "date",
    "time",
    "timestamp",
    "timestamptz",
    "list",
    "struct",
    "other",
]


@dataclass(frozen=True)
class SqlType:
    """A column's type. ``name`` is the canonical spelling; ``kind`` groups the types whose values compare.

    ``bits`` is the width of an integer or float; ``signed`` integers may be negative; ``precision`` and ``scale``
    belong to decimals; ``element`` to lists; ``fields`` to structs.
    """

    name: str
    kind: Kind
    bits: int = 0
    signed: bool = True
    precision: int = 0
    scale: int = 0
    element: SqlType | None = None
    fields: tuple[tuple[str, SqlType], ...] = ()

    def __str__(self) -> str:
        return self.name

    @property
    def bounds(self) -> tuple[int, int]:
        """The least and the greatest value of an integer type."""
        return -(1 << (self.bits - 1)) if self.signed else 0, (1 << (self.bits - self.signed)) - 1

    @property
    def exact_bits(self) -> int:
        """The power of 2 below which a float type tells all whole numbers apart."""
        return 24 if self.bits <= 32 else 53

    @property
    def is_wide(self) -> bool:
        """Whether this is an integer type with values beyond 64 signed bits."""
        return self.kind == "integer" and self.bits + (not self.signed) > 64

    @property
    def listed(self) -> SqlType:
        """The type of a list of values of this type."""
        return SqlType(f"{self.name}[]", "list", element=self)

    @property
    def is_enum(self) -> bool:
        """Whether this is an ENUM, whose members order as they were declared."""
        return self.kind == "text" and self.name.upper().startswith("ENUM(")


@dataclass(frozen=True)
class Column:
    """A column of a model, a source, a spine or the online table, in the engine's spelling."""

    name: str
    type: SqlType


_INTEGERS = {
    "TINYINT": (8, True),
    "SMALLINT": (16, True),
    "INTEGER": (32, True),
    "BIGINT": (64, True),
    "HUGEINT": (128, True),
    "UTINYINT": (8, False),
    "USMALLINT": (16, False),
    "UINTEGER": (32, False),
    "UBIGINT": (64, False),
    "UHUGEINT": (128, False),
}
_SIMPLE: dict[str, SqlType] = {
    **{name: SqlType(name, "integer", bits=bits, signed=signed) for name, (bits, signed) in _INTEGERS.items()},
    "BOOLEAN": SqlType("BOOLEAN", "boolean"),
    "FLOAT": SqlType("FLOAT", "float", bits=32),
    "DOUBLE": SqlType("DOUBLE", "float", bits=64),
    "VARCHAR": SqlType("VARCHAR", "text"),
    "BLOB": SqlType("BLOB", "blob"),
    "UUID": SqlType("UUID", "uuid"),
    "DATE": SqlType("DATE", "date"),
    "TIME": SqlType("TIME", "time"),
    "TIMESTAMP": SqlType("TIMESTAMP", "timestamp"),
    "TIMESTAMP WITH TIME ZONE": SqlType("TIMESTAMP WITH TIME ZONE", "timestamptz"),
}
_ALIASES = {
    "BOOL": "BOOLEAN",
    "INT8": "BIGINT",
    "INT4": "INTEGER",
    "INT2": "SMALLINT",
    "INT1": "TINYINT",
    "INT": "INTEGER",
    "SHORT": "SMALLINT",
    "LONG": "BIGINT",
    "INT128": "HUGEINT",
    "STRING": "VARCHAR",
    "TEXT": "VARCHAR",
    "CHAR": "VARCHAR",
    "JSON": "VARCHAR",
    "REAL": "FLOAT",
    "FLOAT4": "FLOAT",
    "FLOAT8": "DOUBLE",
    "BYTEA": "BLOB",
    "BINARY": "BLOB",
    "VARBINARY": "BLOB",
    "NUMERIC": "DECIMAL(18,3)",
    "DECIMAL": "DECIMAL(18,3)",
    "DATETIME": "TIMESTAMP",
    "TIMESTAMP_S": "TIMESTAMP",
    "TIMESTAMP_MS": "TIMESTAMP",
    "TIMESTAMPTZ": "TIMESTAMP WITH TIME ZONE",
}

KEY_KINDS: frozenset[Kind] = frozenset(
    {"boolean", "integer", "decimal", "text", "blob", "uuid", "date", "timestamp", "timestamptz"}
)
"""Kinds that an entity's key may have: equality must mean the same everywhere, so no floats and nothing nested."""

TIME_KINDS: frozenset[Kind] = frozenset({"date", "timestamp", "timestamptz"})
"""Kinds that an event time, a known-at time, a created-at time and a spine's instant may have."""


def parse_type(text: str) -> SqlType:
    """The type that ``text`` names, as DuckDB's DESCRIBE writes it. An unknown one has the kind ``other``."""
    name = " ".join(text.strip().split())
    upper = name.upper()
    if name.endswith("]") and "[" in name:
        opening = name.rindex("[")
        element = parse_type(name[:opening])
        return SqlType(f"{element.name}{name[opening:]}", "list", element=element)
    if upper in _SIMPLE:
        return _SIMPLE[upper]
    if upper in _ALIASES:
        return parse_type(_ALIASES[upper])
    head, _, rest = name.partition("(")
    inside = rest.removesuffix(")")
    match head.strip().upper():
        case "DECIMAL" | "NUMERIC":
            digits, _, scale = (part.strip() for part in inside.partition(","))
            if not digits.isdecimal() or (scale and not scale.isdecimal()):
                return SqlType(name, "other")
            precision, places = int(digits), int(scale or 0)
            return SqlType(f"DECIMAL({precision},{places})", "decimal", precision=precision, scale=places)
        case "STRUCT":
            fields = tuple(_field(part) for part in _split(inside))
            return SqlType(name, "struct", fields=fields)
        case "VARCHAR" | "CHAR" | "TEXT":
            return _SIMPLE["VARCHAR"]
        case "ENUM":
            return SqlType(name, "text")
    return SqlType(name, "other")


def keeps_exactly(kind: SqlType) -> bool:
    """Whether values of this type are the same when read back from a training set or the online table."""
    match kind.kind:
        case "list":
            return kind.element is not None and keeps_exactly(kind.element)
        case "struct":
            return all(keeps_exactly(t) for _, t in kind.fields)
        case "other":
            return False
    return True


def require_exact(kind: SqlType, *, column: str, view: str) -> None:
    """Refuses a feature whose type cannot be kept exactly."""
    if not keeps_exactly(kind):
        hint = f"cast it in the model, as in: cast({column} as {_nearest(kind)}) as {column}"
        if kind.name.upper().startswith("MAP("):
            hint = "write map_entries(…) around it: a list of its keys and values"
        elif kind.name.upper() == "INTERVAL":
            hint = f"make it a number of seconds in the model, as in: epoch({column}) as {column}"
        raise AsknownError(
            "unsupported-type",
            f"feature '{column}' of '{view}' has type {kind}, which cannot be kept exactly",
            hint=hint,
        )


def _nearest(kind: SqlType) -> str:
    return "timestamp" if kind.name.startswith("TIMESTAMP") else "varchar"


def comparable(left: SqlType, right: SqlType) -> bool:
    """Whether keys of these types may be compared (rule 8): types of one kind may, whatever their width."""
    if left.kind == right.kind:
        return True
    return {left.kind, right.kind} <= {"timestamp", "timestamptz"}


def floats_for_integers(given: SqlType, key: SqlType) -> bool:
    """Whether floats are given for an integer key. They compare where they are whole numbers (rule 8)."""
    return given.kind == "float" and key.kind == "integer"


def _split(text: str) -> list[str]:
    parts, depth, quoted, start = [], 0, False, 0
    for i, character in enumerate(text):
        if character == '"':
            quoted = not quoted
        elif not quoted and character in "([":
            depth += 1
        elif not quoted and character in ")]":
            depth -= 1
        elif not quoted and character == "," and depth == 0:
            parts.append(text[start:i])
            start = i + 1
    parts.append(text[start:])
    return [part.strip() for part in parts if part.strip()]


def _field(text: str) -> tuple[str, SqlType]:
    if text.startswith('"'):
        closing = 1
        while text[closing] != '"' or text[closing : closing + 2] == '""':
            closing += 2 if text[closing] == '"' else 1
        return text[1:closing].replace('""', '"'), parse_type(text[closing + 1 :])
    name, _, kind = text.partition(" ")
    return name, parse_type(kind)
