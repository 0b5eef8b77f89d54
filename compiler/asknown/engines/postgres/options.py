"""Checks the options of a postgres target, and makes an address of them."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, unquote, urlencode, urlsplit

from asknown.errors import AsknownError
from asknown.project.nodes import Target

_ADDRESS = (
    *("host", "port", "user", "password", "dbname", "connect_timeout"),
    *("sslmode", "sslrootcert", "sslcert", "sslkey"),
)
"""Options that are parts of an address, by libpq's own names."""
HIDDEN = "***"


def check_options(target: Target) -> dict[str, Any]:
    """The target's options, with one way to connect. Raises what is wrong with them; no value is repeated."""
    options = {name: value for name, value in target.options.items() if value is not None}
    beside = [name for name in _ADDRESS if name in options]
    if "dsn" in options and beside:
        raise AsknownError(
            "wrong-type",
            f"target '{target.name}' has both 'dsn' and '{beside[0]}'",
            at=target.at,
            hint=f"write the {beside[0]} into the dsn, or leave the dsn out",
        )
    if not beside and "dsn" not in options:
        raise AsknownError(
            "missing-key",
            f"target '{target.name}' does not say where its server is: it lacks 'dsn' or 'host'",
            at=target.at,
            hint="dsn: \"{{ env_var('POSTGRES_DSN') }}\", as in postgresql://user:password@host:5432/database",
        )
    settings = options.get("settings") or {}
    if not isinstance(settings, Mapping) or not all(re.fullmatch(r"[a-z_][a-z_0-9.]*", str(name)) for name in settings):
        raise AsknownError(
            "wrong-type",
            f"'settings' of target '{target.name}' must be names of settings and values",
            at=target.at,
            hint="settings: {work_mem: 256MB}",
        )
    return options


def address(options: Mapping[str, Any]) -> str:
    """The address that libpq connects to. It holds the password."""
    if "dsn" in options:
        return str(options["dsn"])
    parts = {name: str(options[name]) for name in _ADDRESS if name in options}
    return "postgresql://?" + urlencode(parts, quote_via=quote, safe="")


def hide_secrets(text: str, options: Mapping[str, Any]) -> str:
    """``text`` without the target's address and password, which a message of the driver may repeat."""
    dsn = str(options.get("dsn") or "")
    secrets = {str(options.get("password") or ""), dsn}
    try:
        parts = urlsplit(dsn)
        secrets |= {parts.password or "", parts.query, parts.netloc, parts.netloc.rpartition("@")[0]}
    except ValueError:
        pass
    secrets |= {found[1].strip("'") for found in re.finditer(r"password\s*=\s*('(?:[^'\\]|\\.)*'|[^&\s]+)", dsn)}
    # The driver quotes pieces of an address that it cannot read.
    quoted = [piece for piece in re.findall(r'"([^"]*)"', text) if len(piece) > 3]
    secrets |= {piece for piece in quoted if piece in dsn or piece in unquote(dsn)}
    for secret in sorted(secrets | {unquote(secret) for secret in secrets}, key=len, reverse=True):
        if secret:
            text = text.replace(secret, HIDDEN)
    return text
