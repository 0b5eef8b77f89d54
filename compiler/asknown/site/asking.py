"""Writes how to ask for a thing: in Python, SQL, a shell and HTTP."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Sequence
from typing import Any

from asknown.site.nodes import Example
from asknown.types import Column


def ask_for_features(
    name: str, keys: Sequence[Column], inputs: Sequence[Column], feature: str | None, *, online: bool
) -> tuple[Example, ...]:
    """How to ask for a view or service: for training, and if it is ``online`` for serving.

    ``keys`` and ``inputs`` are what a request must bring; ``feature`` is one of the view's, None for a service.
    """
    return tuple(_examples(name, {c.name: _sample(c) for c in (*keys, *inputs)}, feature, online=online))


def _examples(name: str, row: dict[str, Any], feature: str | None, *, online: bool) -> Iterator[Example]:
    python = [f"store.get_historical_features(spine, [{_quoted(name)}])  # {', '.join(row)}, event_timestamp"]
    shell = [f"asknown train {shlex.quote(name)} --spine spine.parquet -o train.parquet"]
    if online:
        given = ", ".join(f"{_quoted(key)}: {_python(value)}" for key, value in row.items())
        python.append(f"store.get_online_features([{_quoted(name)}], [{{{given}}}])")
        shell.append("asknown get " + " ".join([shlex.quote(name), *(shlex.quote(f"{k}={v}") for k, v in row.items())]))
    yield Example("Python", "\n".join(python))
    if feature is not None:
        yield Example("SQL on demand", f"select {feature} from {{{{ request({_single(f'{name}:{feature}')}) }}}}")
    yield Example("Shell", "\n".join(shell))
    if online:
        body = f'{{"features": [{_quoted(name)}], "rows": [{json.dumps(row)}]}}'
        yield Example("HTTP", f"curl -s localhost:6566/v1/features \\\n  -d {shlex.quote(body)}")


def ask_for_rows(call: str, name: str, columns: Sequence[str]) -> tuple[Example, ...]:
    """How to read a model or a source's table: ``call`` is the template's, such as ``ref('orders')``."""
    listed = ", ".join(columns[:3]) or "*"
    shown = (Example("Shell", f"asknown show {shlex.quote(name)} --limit 5"),) if call.startswith("ref(") else ()
    return (Example("SQL", f"select {listed} from {{{{ {call} }}}}"), *shown)


def _sample(column: Column) -> Any:
    """A value of the column's type, for an example."""
    match column.type.kind:
        case "integer":
            return 1
        case "float" | "decimal":
            return 1.5
        case "boolean":
            return True
        case "date":
            return "2026-01-31"
        case "timestamp" | "timestamptz":
            return "2026-01-31T12:00:00"
        case _:
            return "A"


def _python(value: Any) -> str:
    return _quoted(value) if isinstance(value, str) else repr(value)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)


def _single(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
