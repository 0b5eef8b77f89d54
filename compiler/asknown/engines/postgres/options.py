"""Checks the options of a postgres target, and makes an address of them."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote, urlencode, urlsplit

from asknown.errors import AsknownError, hidden
from asknown.project.nodes import Target
from asknown.project.options import PostgresOptions

_ADDRESS = (
    *("host", "port", "user", "password", "dbname", "connect_timeout"),
    *("sslmode", "sslrootcert", "sslcert", "sslkey"),
)
"""Options that are parts of an address, by libpq's own names."""
HIDDEN = "***"


def check_options(target: Target[PostgresOptions]) -> None:
    """Raises where the target's options have no way to connect, or two. No value is repeated."""
    options = target.options
    beside = list(_parts(options))
    if options.dsn is not None and beside:
        raise AsknownError(
            "wrong-type",
            f"target '{target.name}' has both 'dsn' and '{beside[0]}'",
            at=target.at,
            hint=f"write the {beside[0]} into the dsn, or leave the dsn out",
        )
    if not beside and options.dsn is None:
        raise AsknownError(
            "missing-key",
            f"target '{target.name}' does not say where its server is: it lacks 'dsn' or 'host'",
            at=target.at,
            hint="dsn: \"{{ env_var('POSTGRES_DSN') }}\", as in postgresql://user:password@host:5432/database",
        )


def address(options: PostgresOptions) -> str:
    """The address that libpq connects to. It holds the password."""
    return options.dsn or "postgresql://?" + urlencode(_parts(options), quote_via=quote, safe="")


def _parts(options: PostgresOptions) -> dict[str, str]:
    """The parts of an address that the options give, by libpq's own names."""
    given = {name: getattr(options, name) for name in _ADDRESS}
    return {name: str(value) for name, value in given.items() if value is not None}


def hide_secrets(text: str, options: PostgresOptions) -> str:
    """``text`` without the target's address and password, which a message of the driver may repeat."""
    text = hidden(text)  # first: a short password may be a piece of a longer secret
    dsn = options.dsn or ""
    secrets = {options.password or "", dsn}
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
