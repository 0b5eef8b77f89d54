"""The endpoints: what each takes, which scope it needs, and its answer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from importlib.resources import files
from typing import Any

import msgspec

from asknown.errors import AsknownError
from asknown.serve.answers import write_columns, write_feast, write_rows
from asknown.serve.app import Call, Endpoint, Reply
from asknown.serve.auth import reads_something, require
from asknown.serve.describe import ARROW, describe_service, openapi
from asknown.serve.limits import read_body
from asknown.serve.metrics import CONTENT_TYPE as PROMETHEUS
from asknown.serve.metrics import expose, metrics
from asknown.serve.problems import ProblemError
from asknown.serve.read import Ask
from asknown.serve.state import State
from asknown.serve.wire import FeastRequest, FeaturesRequest, check_json, read_body_as

_feast = msgspec.json.Decoder(FeastRequest)
_features = msgspec.json.Decoder(FeaturesRequest)


def _require_reading(call: Call, references: Sequence[str]) -> None:
    if call.token is not None:
        require(call.token, "read", [reference.partition(":")[0] for reference in references])


async def get_online_features(state: State, call: Call) -> Reply:
    """Feast's ``POST /get-online-features``."""
    check_json(call.headers)
    body = await read_body(call.receive, state.limits.body, call.headers.get(b"content-length"))
    asked = read_body_as(_feast, body)
    references = _references(asked.feature_service, asked.features, "feature_service")
    _require_reading(call, references)
    ask = Ask(
        references,
        asked.entities,
        asked.full_feature_names,
        None,
        lambda: read_body_as(_exact_feast(), body).entities,
    )
    _check_lengths(asked.entities)
    state.limits.check_rows(ask.count)
    reading = state.reading
    prepared, response = await state.read_aside(ask) if reading.takes_long(ask) else reading.read(ask)
    written = write_feast(prepared, response, asked.entities)
    metrics().read(asked.feature_service or "", len(response), written.counts)
    if state.logs:
        state.log(ask, call, prepared, response, written)
    return Reply(written.body)


async def features(state: State, call: Call) -> Reply:
    """``POST /v1/features``: JSON in the layout of the request, or Arrow."""
    check_json(call.headers)
    body = await read_body(call.receive, state.limits.body, call.headers.get(b"content-length"))
    asked = read_body_as(_features, body)
    references = _references(asked.service, asked.features, "service")
    _require_reading(call, references)
    if (asked.rows is None) == (asked.columns is None):
        raise ProblemError(
            "bad-request", "The body must have either 'rows' or 'columns'.", hint='"rows": [{"carrier": "UA"}]'
        )

    def exactly() -> Any:
        again = read_body_as(_exact_features(), body)
        return again.columns if again.rows is None else again.rows

    rows: Any = asked.columns if asked.rows is None else asked.rows
    if asked.columns is not None:
        _check_lengths(asked.columns)
    ask = Ask(references, rows, asked.full_names, asked.at, exactly)
    state.limits.check_rows(ask.count)
    as_arrow = _wants_arrow(call.headers.get(b"accept"))
    reading = state.reading
    prepared, response = await state.read_aside(ask) if reading.takes_long(ask) else reading.read(ask)
    if as_arrow:
        from asknown.serve.arrow import write_arrow

        written = write_arrow(prepared, response)
    elif asked.rows is None:
        written = write_columns(prepared, response, rows)
    else:
        written = write_rows(prepared, response, rows)
    metrics().read(asked.service or "", len(response), written.counts)
    if state.logs:
        state.log(ask, call, prepared, response, written)
    return Reply(written.body, ARROW.encode() if as_arrow else b"application/json")


@cache
def _exact_feast() -> msgspec.json.Decoder[FeastRequest]:
    from decimal import Decimal

    return msgspec.json.Decoder(FeastRequest, float_hook=Decimal)


@cache
def _exact_features() -> msgspec.json.Decoder[FeaturesRequest]:
    from decimal import Decimal

    return msgspec.json.Decoder(FeaturesRequest, float_hook=Decimal)


def _references(service: str | None, features: Sequence[str] | None, field: str) -> tuple[str, ...]:
    if (service is None) == (features is None):
        raise ProblemError(
            "bad-request", f"The body must have either '{field}' or 'features'.", hint='"features": ["view:feature"]'
        )
    if features is None:
        assert service is not None
        return (service,)
    return tuple(features)


def _check_lengths(columns: dict[str, list[Any]]) -> None:
    lengths = {len(column) for column in columns.values()}
    if len(lengths) > 1:
        shown = ", ".join(f"'{name}' has {len(column)}" for name, column in columns.items())
        raise ProblemError(
            "bad-value", f"The columns differ in length: {shown}.", hint="give every row a value, or null"
        )


def _wants_arrow(accept: bytes | None) -> bool:
    """Whether the answer is to be Arrow. Raises ``not-acceptable`` where it can be neither that nor JSON."""
    if accept is None or accept in (b"*/*", b"application/json"):
        return False
    kinds = [part.partition(b";")[0].strip().lower() for part in accept.split(b",")]
    if ARROW.encode() in kinds:
        try:
            import pyarrow  # noqa: F401
        except ImportError:
            raise ProblemError("not-acceptable", "This server has no pyarrow.", hint="pip install pyarrow") from None
        return True
    if any(kind in (b"*/*", b"application/*", b"application/json") for kind in kinds):
        return False
    raise ProblemError(
        "not-acceptable", "The answer can be JSON or Arrow.", hint=f"Accept: application/json, or {ARROW}"
    )


async def services(state: State, call: Call) -> Reply:
    """``GET /v1/services``: those that the token may read."""
    names = sorted(await state.aside(state.services))
    if not reads_something(call.token):
        require(call.token, "read")
    allowed = [name for name in names if call.token is None or call.token.allows("read", [name]) is None]
    found = await state.aside(lambda: [describe_service(state.reading, name) for name in allowed])
    return Reply(msgspec.json.encode({"services": found}))


async def service(state: State, call: Call) -> Reply:
    """``GET /v1/services/{name}``."""
    require(call.token, "read", [call.name])
    known = await state.aside(state.services)
    if call.name not in known:
        from asknown.errors import did_you_mean

        hint = did_you_mean(call.name, known, what="services")
        raise AsknownError("unknown-service", f"the online table holds no service '{call.name}'", hint=hint)
    return Reply(msgspec.json.encode(await state.aside(lambda: describe_service(state.reading, call.name))))


async def live(state: State, call: Call) -> Reply:
    """``GET /livez`` and Feast's ``/health``: the loop answers. It touches nothing."""
    return Reply(b'{"status":"ok"}')


async def ready(state: State, call: Call) -> Reply:
    """``GET /readyz``: reads work, and no drain has begun."""
    await state.aside(state.check_ready)
    return Reply(b'{"status":"ready"}')


async def show_metrics(state: State, call: Call) -> Reply:
    """``GET /metrics``."""
    require(call.token, "metrics")
    try:
        views = list((await state.aside(state.views)).values())
    except AsknownError:
        views = []  # the counters are worth the more where the table cannot be read
    return Reply(expose(views), PROMETHEUS)


async def show_openapi(state: State, call: Call) -> Reply:
    """``GET /openapi.json``."""
    if not reads_something(call.token):
        require(call.token, "read")
    return Reply(openapi(pushes=state.pushes is not None))


@cache
def _page() -> bytes:
    return files("asknown.serve").joinpath("page.html").read_bytes()


async def page(state: State, call: Call) -> Reply:
    """``GET /``: the page to try it on. It holds nothing of the table, and asks for the token itself."""
    return Reply(
        _page(),
        b"text/html; charset=utf-8",
        [
            (b"content-security-policy", b"default-src 'self' 'unsafe-inline'"),
            (b"x-content-type-options", b"nosniff"),
            (b"referrer-policy", b"no-referrer"),
        ],
    )


ENDPOINTS = (
    Endpoint("/get-online-features", "POST", get_online_features),
    Endpoint("/v1/features", "POST", features),
    Endpoint("/v1/services", "GET", services),
    Endpoint("/v1/services/{name}", "GET", service),
    Endpoint("/health", "GET", live, public=True, light=True),
    Endpoint("/livez", "GET", live, public=True, light=True),
    Endpoint("/readyz", "GET", ready, public=True, light=True),
    Endpoint("/metrics", "GET", show_metrics, light=True),
    Endpoint("/openapi.json", "GET", show_openapi),
    Endpoint("/", "GET", page, public=True),
)
"""All endpoints."""
