"""Reads ``serve:`` of a profile: the tokens that `asknown serve` takes, of which only hashes are kept."""

from __future__ import annotations

import re

from asknown.errors import AsknownError
from asknown.project.nodes import ServeToken
from asknown.project.reader import Names, Reader, as_text
from asknown.project.values import Value

SERVE = ("tokens",)
TOKEN = ("name", "sha256", "scopes")
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
