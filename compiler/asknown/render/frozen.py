"""Makes the rendered model that a frozen object stands for, without any template."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from typing import Any

from asknown.render.nodes import LookupCall, Rendered, RequestCall, ViewConfig, split_lines
from asknown.types import parse_type

# The parts of a config that say nothing of values: a change of them is one of metadata.
METADATA = ("owner", "description", "tags", "meta")


def rendered_from(body: Mapping[str, Any], shown: str) -> Rendered:
    """The rendered model of a frozen ``body``; messages name it ``shown``."""
    config: dict[str, Any] = {
        key: tuple(value) if isinstance(value, list) else value for key, value in body["config"].items()
    }
    config |= {key: body["metadata"][key] for key in METADATA} | {"tags": tuple(body["metadata"]["tags"])}
    if config["inputs"] is not None:
        config["inputs"] = tuple((name, parse_type(kind)) for name, kind in config["inputs"])
    request = None
    if "request" in body:
        references, full_names, line = body["request"]
        lookups = ((name, tuple(map(tuple, keys)), prefix) for name, keys, prefix in body.get("lookups", ()))
        request = RequestCall(tuple(references), full_names, line, tuple(LookupCall(*one) for one in lookups))
    known = {field.name for field in fields(ViewConfig)}
    return Rendered(
        body["name"],
        shown,
        body["sql"],
        body["sql"],
        ViewConfig(**{key: value for key, value in config.items() if key in known}),
        tuple(ref for ref, _ in body["refs"]),
        tuple((source, table) for source, table, _ in body["sources"]),
        tuple(range(1, len(split_lines(body["sql"])) + 1)),
        request=request,
    )
