"""Bearer tokens and their scopes. Only the SHA-256 of a token is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from asknown.serve.problems import ProblemError

PREFIX = "ask_"


@dataclass(frozen=True)
class Token:
    """A token by its name and the SHA-256 of its text, in lower-case hexadecimal, with what it may do."""

    name: str
    sha256: str
    scopes: frozenset[str]

    def allows(self, action: str, names: Iterable[str] = ()) -> str | None:
        """None if the token allows the action on each of the names, else the first scope that it lacks."""
        if action in self.scopes:
            return None
        wanted = [f"{action}:{name}" for name in names] or [action]
        return next((scope for scope in wanted if scope not in self.scopes), None)


def new_token() -> tuple[str, str]:
    """A new token's text, and its SHA-256."""
    text = PREFIX + secrets.token_urlsafe(32)
    return text, digest(text.encode())


def digest(text: bytes) -> str:
    """The SHA-256 of a token's text, in hexadecimal."""
    return hashlib.sha256(text).hexdigest()


class Tokens:
    """The tokens that a server knows. Without any, every request may do everything."""

    def __init__(self, tokens: Sequence[Token] = ()) -> None:
        self._tokens = tuple(tokens)
        self.open = not tokens

    def find(self, header: bytes | None) -> Token:
        """The token of an ``Authorization`` header. Raises ``unauthorized``.

        Every token is compared, each in constant time, so that the time taken tells nothing.
        """
        scheme, _, text = (header or b"").partition(b" ")
        given = digest(text.strip()) if scheme.lower() == b"bearer" else ""
        found: Token | None = None
        for token in self._tokens:
            if hmac.compare_digest(token.sha256, given):
                found = token
        if found is None:
            raise ProblemError(
                "unauthorized",
                "The request has no token." if not header else "The token is not one that this server knows.",
                hint="send the header Authorization: Bearer ask_…",
                headers=[(b"www-authenticate", b"Bearer")],
            )
        return found


def require(token: Token | None, action: str, names: Iterable[str] = ()) -> None:
    """Raises ``forbidden`` where the token lacks a scope; None is a server without tokens."""
    if token is None:
        return
    lacking = token.allows(action, names)
    if lacking is not None:
        raise ProblemError(
            "forbidden",
            f"The token '{token.name}' lacks the scope '{lacking}'.",
            hint="add it to the token's 'scopes' under 'serve:' in profiles.yml, and restart",
        )


def reads_something(token: Token | None) -> bool:
    """Whether the token may read at all."""
    return token is None or any(scope == "read" or scope.startswith("read:") for scope in token.scopes)
