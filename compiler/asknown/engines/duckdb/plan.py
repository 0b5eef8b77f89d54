"""Reads how DuckDB has bound a query, from the JSON of its logical plan."""

from __future__ import annotations

import json
from collections.abc import Iterator, Set
from typing import Any

from asknown.model.nodes import Call

_NOWHERE = 2**63  # a larger place stands for none: DuckDB has moved the expression


def read_calls(plan: str, sql: str, functions: Set[str]) -> list[Call] | None:
    """The calls of ``functions`` in the query ``sql``, from its plan; None if DuckDB could not write the plan.

    The plan has the types after all conversions, also those that the SQL leaves unsaid.
    """
    try:
        read = json.loads(plan)
    except json.JSONDecodeError:  # DuckDB writes a literal NaN in a way of its own
        return None
    if read["error"]:
        return None
    text = sql.encode()
    return [
        Call(
            function=name,
            arguments=len(node["children"]),
            type=str(node["return_type"]["id"]),
            start=len(text[:place].decode()) if place < _NOWHERE else None,
        )
        for node in _nodes(read["plans"])
        if (name := _function(node)) in functions
        for place in (int(node.get("query_location", _NOWHERE)),)
    ]


def _nodes(plan: Any) -> Iterator[dict[str, Any]]:
    """The objects of the plan, at every depth: plans of long queries are deeper than Python's stack."""
    parts = [plan]
    while parts:
        part = parts.pop()
        if isinstance(part, dict):
            yield part
        parts += part.values() if isinstance(part, dict) else part if isinstance(part, list) else ()


def _function(node: dict[str, Any]) -> str:
    """The name of the function that an expression of the plan calls, or an empty text."""
    name = node.get("qname")
    return str(name["path"][-1]) if isinstance(name, dict) and "return_type" in node else ""
