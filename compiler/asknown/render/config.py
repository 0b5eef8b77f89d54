"""Reads and checks the arguments of a model's ``config()``."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from asknown.durations import microseconds
from asknown.errors import AsknownError, did_you_mean
from asknown.project.nodes import Entity
from asknown.render.errors import ROWS_AND_REQUEST, RenderError
from asknown.render.nodes import ASKED_AT, ViewConfig
from asknown.types import Kind, SqlType, parse_type

MATERIALIZED = ("ephemeral", "view", "table")
INPUT_KINDS: frozenset[Kind] = frozenset(
    {"boolean", "integer", "float", "decimal", "text", "uuid", "date", "timestamp", "list"}
)
# Keys that only a feature view may have.
_OF_VIEWS = ("event_time", "known_at", "created_at", "ttl", "max_ahead")


# Keys of kinds of views that are still to come, and what to do until then.
_NOT_YET = {
    "valid_until": "leave it out: a row is valid until the next one of its key",
    "label": "leave it out: until there are label views, the label is a column of the spine",
    "maturity": "leave it out: until there are label views, the label is a column of the spine",
}


def read_config(model: str, arguments: Mapping[str, Any], entities: Mapping[str, Entity]) -> ViewConfig:
    """The config of ``model``, each value checked. A key whose value is none counts as absent."""
    for key, value in arguments.items():
        if key in _NOT_YET and value is not None:
            raise RenderError(
                "not-yet",
                f"config() does not support the key '{key}' yet",
                hint=_NOT_YET[key],
                needle=_assignment(key),
            )
        if key not in READERS and key not in _NOT_YET:
            raise RenderError(
                "unknown-key",
                f"config() has no key '{key}'",
                hint=did_you_mean(key, READERS, what="keys"),
                needle=_assignment(key),
            )
    values = {key: READERS[key](key, value) for key, value in arguments.items() if value is not None}
    config = ViewConfig(**values)
    if config.inputs is not None and config.entity is not None:
        raise RenderError(
            "bad-config",
            "config() has entity and inputs, but a feature view is computed before anybody asks",
            hint=f"take inputs out; {ROWS_AND_REQUEST}",
            needle=_assignment("inputs"),
        )
    if config.entity is None:
        _refuse_view_keys(model, values)
        if config.inputs is not None and config.materialized != "ephemeral":
            raise RenderError(
                "bad-config",
                f"on-demand view '{model}' has no rows before somebody asks, so it cannot be materialized",
                hint="take materialized out of config()",
                needle=_assignment("materialized"),
            )
    else:
        _check_entities(config.entity, entities)
        if config.event_time is None:
            raise RenderError(
                "bad-config",
                f"feature view '{model}' has no event_time",
                hint="name the column in config(): event_time='…'",
                needle=_assignment("entity"),
            )
    return config


def _refuse_view_keys(model: str, values: Mapping[str, Any]) -> None:
    for key in _OF_VIEWS:
        if key in values:
            raise RenderError(
                "bad-config",
                f"'{model}' has {key} but no entity, so it is not a feature view",
                hint="add entity='…' to config(), or entity=[] for a view without keys",
                needle=_assignment(key),
            )


def _check_entities(names: tuple[str, ...], entities: Mapping[str, Entity]) -> None:
    for position, name in enumerate(names):
        if name not in entities:
            raise RenderError(
                "unknown-entity",
                f"there is no entity '{name}'",
                hint=did_you_mean(name, entities, what="entities"),
                needle=quoted(name),
            )
        if name in names[:position]:
            raise RenderError("bad-config", f"config() names the entity '{name}' twice", needle=_assignment("entity"))


def quoted(name: str) -> str:
    """A pattern that finds ``name`` as a quoted text in a template."""
    return rf"(?<=['\"]){re.escape(name)}(?=['\"])"


def _assignment(key: str) -> str:
    return rf"\b{re.escape(key)}\s*="


def _wrong(key: str, value: Any, expected: str) -> RenderError:
    return RenderError(
        "wrong-type",
        f"config() takes {expected} for {key}, not {_spell(value)}",
        needle=_assignment(key),
    )


def _spell(value: Any) -> str:
    match value:
        case str():
            return f"'{value}'"
        case bool():
            return "true" if value else "false"
        case int() | float():
            return str(value)
        case list() | tuple():
            return "a list" if value else "an empty list"
        case dict():
            return "a mapping"
    return f"a {type(value).__name__}"


def _text(key: str, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(key, value, "a text")
    return value


def _column(key: str, value: Any) -> str:
    if not isinstance(value, str) or not value:
        raise _wrong(key, value, "the name of a column")
    return value


def _texts(key: str, value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return (value,)
    if not isinstance(value, list | tuple) or not all(isinstance(item, str) for item in value):
        raise _wrong(key, value, "a name or a list of names")
    return tuple(value)


def _truth(key: str, value: Any) -> bool:
    if not isinstance(value, bool):
        raise _wrong(key, value, "true or false")
    return value


def _bound(key: str, value: Any) -> int | None:
    """A duration in microseconds; None, which is no bound, for 0."""
    if value == 0 and isinstance(value, int) and not isinstance(value, bool):
        return None
    if not isinstance(value, str):
        raise _wrong(key, value, "a duration such as '3 days', or 0 for no bound,")
    try:
        return microseconds(value) or None
    except AsknownError as error:
        raise RenderError(error.code, error.message, hint=error.hint, needle=_assignment(key)) from None


def _length(key: str, value: Any) -> int:
    """A duration in microseconds."""
    if not isinstance(value, str):
        raise _wrong(key, value, "a duration such as '35 days'")
    try:
        return microseconds(value)
    except AsknownError as error:
        raise RenderError(error.code, error.message, hint=error.hint, needle=_assignment(key)) from None


def _materialized(key: str, value: Any) -> str:
    if value not in MATERIALIZED:
        expected = ", ".join(f"'{name}'" for name in MATERIALIZED)
        refused = _wrong(key, value, f"one of {expected}")
        if isinstance(value, str):
            refused.hint = did_you_mean(value, MATERIALIZED)
        raise refused
    return str(value)


def _mapping(key: str, value: Any) -> dict[str, Any]:
    if not isinstance(value, dict) or not all(isinstance(name, str) for name in value):
        raise _wrong(key, value, "a mapping such as {'team': 'ops'}")
    return dict(value)


def _inputs(key: str, value: Any) -> tuple[tuple[str, SqlType], ...]:
    """The names and types of inputs."""
    if not isinstance(value, dict) or not all(
        isinstance(part, str) and part for pair in value.items() for part in pair
    ):
        raise _wrong(key, value, "a mapping of names to types such as {'amount': 'double'}, or {},")
    inputs = tuple((name, parse_type(kind)) for name, kind in value.items())
    seen: dict[str, str] = {}
    for name, kind in inputs:
        if kind.kind not in INPUT_KINDS or kind.name == "FLOAT":
            raise RenderError(
                "unsupported-type",
                f"input '{name}' is declared as '{value[name]}', which an input cannot have",
                hint="use DuckDB's names: double, bigint, integer, varchar, boolean, date, timestamp, decimal(10,2), …",
                needle=quoted(value[name]),
            )
        if name.casefold() == ASKED_AT:
            raise RenderError(
                "bad-config",
                "asked_at is the instant asked for, not an input: every on-demand view has it",
                hint="take it out of inputs=",
                needle=quoted(name),
            )
        other = seen.setdefault(name.casefold(), name)
        if other != name:
            raise RenderError("bad-config", f"inputs= names '{other}' twice, as '{name}' too", needle=quoted(name))
    return inputs


READERS: dict[str, Callable[[str, Any], Any]] = {
    "entity": _texts,
    "inputs": _inputs,
    "event_time": _column,
    "known_at": _column,
    "created_at": _column,
    "ttl": _bound,
    "max_ahead": _length,
    "online": _truth,
    "materialized": _materialized,
    "owner": _text,
    "description": _text,
    "tags": _texts,
    "meta": _mapping,
}
