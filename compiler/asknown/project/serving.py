"""Reads what `asknown serve` needs beside the online table: the profile's tokens, and how services are logged.

Of a token only a hash is kept.
"""

from __future__ import annotations

import re
from pathlib import Path

from asknown.durations import microseconds
from asknown.errors import AsknownError
from asknown.project.nodes import ServeToken, ServiceLog
from asknown.project.reader import Names, Reader, as_text, wrong_type
from asknown.project.values import Scalar, Value

SERVE = ("tokens",)
TOKEN = ("name", "sha256", "scopes")
LOG = ("to", "sample", "omit", "hash", "keep")
_SCOPE = re.compile(r"(read|push)(:.+)?|metrics")


def read_tokens(value: Value) -> tuple[ServeToken, ...]:
    """The tokens. Their environment variables have been looked up."""
    names = Names()
    tokens = []
    for item in Reader(value, "'serve'", SERVE).items("tokens"):
        token = _read_token(item)
        names.register("token", token.name, item.at)
        tokens.append(token)
    return tuple(tokens)


def is_scope(text: str) -> bool:
    """Whether ``text`` is a scope: read, read:<service or view>, push, push:<source>, metrics."""
    return _SCOPE.fullmatch(text) is not None


def _read_token(value: Value) -> ServeToken:
    reader = Reader(value, "a token", TOKEN)
    name = reader.text("name", hint="name: …")
    sha256 = reader.text("sha256", hint="asknown serve --new-token NAME --scope read prints the line").strip().lower()
    if not re.fullmatch(r"[0-9a-f]{64}", sha256):
        raise AsknownError(
            "wrong-type",
            f"'sha256' of token '{name}' must be 64 hexadecimal digits",
            at=reader.place("sha256"),
            hint="it is the hash of the token, not the token: asknown serve --new-token NAME --scope read prints it",
        )
    scopes = []
    for item in reader.items("scopes"):
        scope = as_text(item, f"a scope of token '{name}'")
        if not is_scope(scope):
            raise AsknownError(
                "wrong-type",
                f"token '{name}' has a scope that does not exist",
                at=item.at,
                hint="scopes: [read], [read:<service or view>], [push], [push:<source>], [metrics]",
            )
        scopes.append(scope)
    if not scopes:
        raise AsknownError("missing-key", f"token '{name}' has no 'scopes'", at=reader.at, hint="scopes: [read]")
    return ServeToken(name, sha256, tuple(scopes))


def read_log(value: Value) -> ServiceLog:
    """How a service is logged, as its ``log:`` says. The folder is relative to the project."""
    reader = Reader(value, "'log'", LOG)
    keep = reader.optional_text("keep")
    return ServiceLog(
        to=Path(reader.text("to", hint="to: logs/")),
        sample=_read_sample(reader),
        omit=tuple(as_text(item, "a column of 'omit'") for item in reader.items("omit")),
        hash=tuple(as_text(item, "a column of 'hash'") for item in reader.items("hash")),
        keep=None if keep is None else microseconds(keep, at=reader.place("keep")),
        at=value.at,
    )


def _read_sample(reader: Reader) -> float:
    value = reader.value("sample")
    if value is None:
        return 1.0
    number = value.value if isinstance(value, Scalar) else None
    if isinstance(number, bool | str) or number is None:
        raise wrong_type(f"'sample' of {reader.what}", "a number", value)
    if not 0 < number <= 1:
        raise AsknownError(
            "wrong-type", f"'sample' of {reader.what} must be above 0 and at most 1", at=value.at, hint="sample: 0.1"
        )
    return float(number)
