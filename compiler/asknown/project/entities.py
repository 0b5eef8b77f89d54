"""Reads entities: the things that features describe, and the key columns that identify them."""

from __future__ import annotations

from asknown.errors import AsknownError, Where
from asknown.project.nodes import Entity, Key
from asknown.project.reader import Names, Reader, wrong_type
from asknown.project.values import Mapping, Scalar, Sequence, Value
from asknown.types import KEY_KINDS, parse_type

_ENTITY = ("name", "keys", "description")
_KEY = ("name", "data_type")
_TYPES_HINT = "as in varchar, bigint, integer, boolean, date, timestamp, decimal(18,2), uuid"


def read_entity(value: Value) -> Entity:
    """The entity that one item of ``entities:`` describes. Without ``keys`` its key is one column of its own name."""
    reader = Reader(value, "an entity", _ENTITY)
    name = reader.text("name", hint="name: …")
    return Entity(
        name=name,
        keys=_read_keys(reader, name),
        description=reader.optional_text("description") or "",
        at=reader.place("name"),
    )


def _read_keys(reader: Reader, name: str) -> tuple[Key, ...]:
    value = reader.value("keys")
    if value is None:
        return (Key(name),)
    items = value.items if isinstance(value, Sequence) else (value,)
    if not items:
        raise AsknownError(
            "wrong-type",
            f"entity '{name}' has no keys",
            at=value.at,
            hint="name its columns, or write entity=[] in the config() of a view that needs none",
        )
    names = Names()
    keys = []
    for item in items:
        key = _read_key(item, name)
        names.register("key", key.name, item.at)
        keys.append(key)
    return tuple(keys)


def _read_key(value: Value, entity: str) -> Key:
    what = f"a key of entity '{entity}'"
    if isinstance(value, Mapping):
        reader = Reader(value, what, _KEY)
        kind = reader.optional_text("data_type")
        if kind is not None:
            _check_type(kind, what, reader.place("data_type"))
        return Key(reader.text("name", hint="name: …"), kind)
    if not isinstance(value, Scalar) or not isinstance(value.value, str):
        raise wrong_type(what, "text", value)
    if not value.value.strip():
        raise AsknownError("bad-name", f"{what} is blank", at=value.at)
    return Key(value.value)


def _check_type(text: str, what: str, at: Where) -> None:
    try:
        kind = parse_type(text).kind
    except ValueError:
        kind = "other"
    if kind == "other":
        raise AsknownError("unsupported-type", f"'{text}' is not a type that asknown knows", at=at, hint=_TYPES_HINT)
    if kind not in KEY_KINDS:
        raise AsknownError(
            "unsupported-type",
            f"{what} cannot be {text}: its values do not compare alike on all engines",
            at=at,
            hint=_TYPES_HINT,
        )
