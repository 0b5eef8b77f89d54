"""Asks the engine that gives types which calls in a model round, of what, and where they stand in its SQL."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from asknown.emit.models import typed_cte
from asknown.emit.statement import Statement, write
from asknown.emit.translate.roundings import ROUNDINGS
from asknown.engines.engine import Engine, TellsCalls
from asknown.model.nodes import Call, Model
from asknown.types import Column

_ROUNDS = re.compile("round", re.IGNORECASE)


def may_round(model: Model) -> bool:
    """Whether a model's SQL has the word that every function that rounds begins with."""
    return _ROUNDS.search(model.sql) is not None


def rounding_calls(model: Model, tables: Mapping[str, Sequence[Column]], engine: Engine) -> tuple[Call, ...] | None:
    """The calls in the model, which reads ``tables``; None where ``engine`` does not tell."""
    if not isinstance(engine, TellsCalls):
        return None
    ctes = tuple(typed_cte(name, columns) for name, columns in tables.items())
    end = f"{model.sql}\n) AS model"
    sql = write(Statement(ctes, f"SELECT * FROM (\n{end}"), engine.dialect)
    start = len(sql) - len(end)
    found = engine.calls(sql, ROUNDINGS.keys())
    if found is None:
        return None
    return tuple(call if call.start is None else replace(call, start=call.start - start) for call in found)
