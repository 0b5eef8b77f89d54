"""The answers of ``/v1/services`` and ``/openapi.json``: the services of the table, and the endpoints."""

from __future__ import annotations

from typing import Any

import msgspec

from asknown import __version__
from asknown.serve.problems import OVER_HTTP, STATUS
from asknown.serve.read import Reading
from asknown.serve.wire import EXAMPLES, FeastPush, FeastRequest, FeastWrite, FeaturesRequest, spell_moment


def describe_service(reading: Reading, name: str) -> dict[str, Any]:
    """The inputs of a service (keys and request inputs) and its outputs, with types, and the views' watermarks."""
    request = reading.resolve([name])
    keys = {column: str(kind) for column, (kind, _) in request.keys().items()}
    inputs = {column: str(kind) for column, (kind, _) in request.inputs().items()}
    examples = {c: EXAMPLES.get(kind.kind) for c, (kind, _) in {**request.keys(), **request.inputs()}.items()}
    return {
        "name": name,
        "keys": [{"name": column, "type": kind, "example": examples[column]} for column, kind in keys.items()],
        "inputs": [{"name": column, "type": kind, "example": examples[column]} for column, kind in inputs.items()],
        "features": [
            {"name": output.name, "reference": output.reference, "type": str(output.column.type)}
            for output in request.outputs
        ],
        "views": [
            {
                "name": read.stored.view.name,
                "watermark": spell_moment(read.stored.watermark.replace(tzinfo=None)),
                "rows": read.stored.rows,
            }
            for read in {read.stored.view.name: read for read in request.reads}.values()
        ],
    }


def openapi(*, pushes: bool) -> bytes:
    """The OpenAPI document, with the endpoints for pushes or without."""
    paths = _PATHS | _PUSH_PATHS if pushes else _PATHS
    schemas = msgspec.json.schema_components(
        [FeastPush, FeastWrite, FeastRequest, FeaturesRequest], ref_template="#/components/schemas/{name}"
    )
    components = {**schemas[1], "Problem": _PROBLEM}
    return msgspec.json.encode(
        {
            "openapi": "3.1.0",
            "info": {"title": "asknown serve", "version": __version__},
            "security": [{}, {"token": []}],
            "paths": {path: {method: _with_problems(what)} for path, (method, what) in paths.items()},
            "components": {
                "schemas": components,
                "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
            },
        }
    )


def _with_problems(operation: dict[str, Any]) -> dict[str, Any]:
    problem = {"description": "An error.", "content": {"application/problem+json": {"schema": _ref("Problem")}}}
    return {**operation, "responses": {**operation["responses"], "default": problem}}


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _reads(summary: str, body: str, answer: dict[str, Any]) -> dict[str, Any]:
    content = {"application/json": {"schema": answer}}
    if body == "FeaturesRequest":
        content[ARROW] = {"schema": {"type": "string", "format": "binary"}}
    return {
        "summary": summary,
        "requestBody": {"required": True, "content": {"application/json": {"schema": _ref(body)}}},
        "responses": {"200": {"description": "The values.", "content": content}},
    }


def _gives(summary: str, kind: str = "application/json", *parameters: str) -> dict[str, Any]:
    schema = {"type": "object"} if kind == "application/json" else {"type": "string"}
    return {
        "summary": summary,
        "parameters": [
            {"name": name, "in": "path", "required": True, "schema": {"type": "string"}} for name in parameters
        ],
        "responses": {"200": {"description": summary, "content": {kind: {"schema": schema}}}},
    }


ARROW = "application/vnd.apache.arrow.stream"

_PROBLEM = {
    "type": "object",
    "required": ["status", "code", "title", "request_id"],
    "properties": {
        "status": {"type": "integer"},
        "code": {"type": "string", "enum": sorted({*STATUS, *OVER_HTTP})},
        "title": {"type": "string"},
        "hint": {"type": "string"},
        "request_id": {"type": "string"},
    },
}
_FEAST_ANSWER = {
    "type": "object",
    "required": ["metadata", "results", "status"],
    "properties": {"metadata": {"type": "object"}, "results": {"type": "array"}, "status": {"type": "boolean"}},
}
_ANSWER = {
    "type": "object",
    "required": ["statuses", "event_timestamps", "at", "seq"],
    "properties": {
        "rows": {"type": "array"},
        "columns": {"type": "object"},
        "statuses": {},
        "event_timestamps": {},
        "at": {"type": "string", "format": "date-time"},
        "seq": {"type": "integer"},
    },
}
_PATHS: dict[str, tuple[str, dict[str, Any]]] = {
    "/get-online-features": ("post", _reads("Read features, in Feast's form.", "FeastRequest", _FEAST_ANSWER)),
    "/v1/features": ("post", _reads("Read features.", "FeaturesRequest", _ANSWER)),
    "/v1/services": ("get", _gives("The feature services.")),
    "/v1/services/{name}": ("get", _gives("One feature service.", "application/json", "name")),
    "/health": ("get", _gives("The process answers.")),
    "/livez": ("get", _gives("The process answers.")),
    "/readyz": ("get", _gives("Reads work, and the process is not about to end.")),
    "/metrics": ("get", _gives("Metrics for Prometheus.", "text/plain")),
}
_ROWS = {"type": "array", "items": {"type": "object"}}
_PUSHED = {
    "type": "object",
    "required": ["seq", "rows", "new", "older", "duplicates", "late", "skipped", "views"],
    "properties": {
        **{name: {"type": "integer"} for name in ("seq", "rows", "new", "older", "duplicates", "late", "skipped")},
        "views": {"type": "array", "items": {"type": "string"}},
        "outcomes": {"type": "array", "items": {"type": "object"}},
    },
}


def _pushes(summary: str, content: dict[str, Any], parameters: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "summary": summary,
        "parameters": parameters,
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": {"description": "What became of the rows.", "content": {"application/json": {"schema": _PUSHED}}}
        },
    }


_PUSH_PATHS: dict[str, tuple[str, dict[str, Any]]] = {
    "/v1/push/{source}": (
        "post",
        _pushes(
            "Push rows into a table of a source.",
            {
                "application/json": {"schema": _ROWS},
                "application/x-ndjson": {"schema": {"type": "string"}},
                ARROW: {"schema": {"type": "string", "format": "binary"}},
            },
            [
                {"name": "source", "in": "path", "required": True, "schema": {"type": "string"}},
                {"name": "partial", "in": "query", "schema": {"type": "boolean"}},
                {"name": "Idempotency-Key", "in": "header", "schema": {"type": "string"}},
            ],
        ),
    ),
    "/write-to-online-store": (
        "post",
        _pushes("Write rows of a view, in Feast's form.", {"application/json": {"schema": _ref("FeastWrite")}}, []),
    ),
    "/push": ("post", _pushes("Push rows, in Feast's form.", {"application/json": {"schema": _ref("FeastPush")}}, [])),
}
