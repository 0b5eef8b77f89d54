"""Names and column types as SQLite's SQL writes them. The standard library only: the reader imports this."""

from __future__ import annotations

from asknown.types import Kind, SqlType

_STORAGE: dict[Kind, str] = {
    "boolean": "INTEGER",
    "integer": "INTEGER",
    "float": "ANY",
    "blob": "BLOB",
}


def quote(name: str) -> str:
    """The name as an SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def storage(kind: SqlType) -> str:
    """The STRICT column type that keeps values of this type."""
    return "TEXT" if kind.is_wide else _STORAGE.get(kind.kind, "TEXT")
