"""Errors as problem+json (RFC 9457): one table from error code to HTTP status.

Feast's client sends a request again that was answered with 429 or 5xx, POST included. So a caller's mistake is never
5xx, and only what may succeed a moment later is 503.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from asknown.errors import AsknownError, printable

CONTENT_TYPE: Final = b"application/problem+json"
_LONGEST = 1_000  # characters of a title or hint: a request of 2 MB may have a name of 2 MB

STATUS: dict[str, int] = {
    "bad-request": 400,
    "unauthorized": 401,
    "forbidden": 403,
    "not-found": 404,
    "unknown-view": 404,
    "unknown-feature": 404,
    "unknown-service": 404,
    "unknown-source": 404,
    "wrong-method": 405,
    "not-acceptable": 406,
    "too-slow": 408,
    "before-watermark": 409,
    "beyond-ahead": 409,
    "too-large": 413,
    "wrong-content": 415,
    "spine-key": 422,
    "key-type": 422,
    "bad-value": 422,
    "name-clash": 422,
    "request-input": 422,
    "lookup-too-many": 422,
    "engine": 422,
    "push-source": 422,
    "push-view": 422,
    "push-row": 422,
    "push-future": 422,
    "push-no-id": 422,
    "push-full": 503,
    "push-land": 503,
    "missing-extra": 503,
    "no-online": 503,
    "online-corrupt": 503,
    "online-layout": 503,
    "online-owner": 503,
    "online-stale": 503,
    "online-write": 503,
    "online-server": 503,
    "online-settings": 503,
    "overloaded": 503,
    "draining": 503,
}
"""The status of each code that a request can end with. What has no row here is a bug of ours, and 500."""

OVER_HTTP: dict[str, str] = {
    "bad-request": "The body is not JSON, or not the JSON that the endpoint takes.",
    "unauthorized": "The request has no token, or one that is not known.",
    "forbidden": "The token lacks the scope that the message names.",
    "not-found": "There is no such path.",
    "wrong-method": "The path takes another method.",
    "not-acceptable": "The answer was asked for in a form that this server cannot write.",
    "too-slow": "The request did not arrive whole in time.",
    "too-large": "The request has more bytes, rows or features than the server takes.",
    "wrong-content": "The body is of a type, or in an encoding, that the endpoint does not take.",
    "overloaded": "More requests are being worked on than the server takes, or a read took too long.",
    "draining": "The process is about to end.",
    "internal": "A bug of asknown. The server's log has the request's id and the traceback.",
}
"""The codes that only HTTP has, with their meaning; all others are those of :data:`asknown.errors.CODES`."""


class ProblemError(Exception):
    """An answer that is an error. ``headers`` are sent with it."""

    def __init__(
        self, code: str, title: str, *, hint: str | None = None, headers: Sequence[tuple[bytes, bytes]] = ()
    ) -> None:
        super().__init__(title)
        self.code = code
        self.status = STATUS.get(code, 500)
        self.title = _shorten(printable(title))
        self.hint = None if hint is None else _shorten(printable(hint))
        # urllib3 also repeats a 413 that has this header, so it stands at 503 alone
        self.headers = [*headers, (b"retry-after", b"1")] if self.status == 503 else list(headers)

    def body(self, request_id: str) -> bytes:
        """The JSON of the problem."""
        said = {"status": self.status, "code": self.code, "title": self.title, "request_id": request_id}
        return msgspec.json.encode(said if self.hint is None else {**said, "hint": self.hint})


def as_problem(error: AsknownError) -> ProblemError:
    """The answer that an error of the reader becomes; 500 without its text if the table has no row for its code."""
    if error.code not in STATUS:
        return bug()
    return ProblemError(error.code, error.message, hint=error.hint)


def bug() -> ProblemError:
    """The answer to a request that met a bug of ours: it tells nothing but the request's id."""
    return ProblemError("internal", "The server failed; its log has the traceback under this request's id.")


def _shorten(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
