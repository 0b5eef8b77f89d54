"""A table that gives each error of Postgres a code, a sentence for the user and a remedy, and shows no secret."""

from __future__ import annotations

import re
from urllib.parse import quote, unquote

import psycopg
from psycopg.conninfo import conninfo_to_dict

from asknown.addresses import StoreAddress
from asknown.errors import AsknownError, keep_secret

_POOLER = "set prepare: false under 'online' in profiles.yml, or use pgbouncer 1.21 or newer"

# By SQLSTATE, or the start of one: asknown's code, what is wrong, what to do.
_MEANINGS: dict[str, tuple[str, str, str]] = {
    "28": ("online-server", "the server does not let this user in", "check the user and the password of the dsn"),
    "3D000": ("online-server", "the server has no such database", "check the database of the dsn"),
    "53300": ("online-server", "the server has no connection left", "raise max_connections, or use pgbouncer"),
    "53100": (
        "online-server",
        "the disk is full",
        "free some space; the rows of the last finished load are still there",
    ),
    "53": ("online-server", "the server lacks resources", "see the server's log, and run it again"),
    "57014": ("online-server", "the server stopped the query", "raise 'timeout' under 'online' in profiles.yml"),
    "57": ("online-server", "the server ended the connection", "see whether it runs, and run it again"),
    "08": ("online-server", "the connection was lost", "see whether the server runs, and run it again"),
    "42501": ("online-server", "this user lacks a right", "grant it, or name another user in the dsn"),
    "25006": ("online-server", "the server is a read-only standby", "name the primary server in the dsn"),
    "54": ("online-write", "a row is larger than Postgres can keep", "split the view in two"),
    "55P03": ("online-write", "another program holds a lock on a table", "wait until it is done, and run it again"),
    "40P01": ("online-write", "another program waits for the same tables", "run it again"),
    "26000": ("online-server", "a prepared statement is gone, as pgbouncer can do", _POOLER),
    "42P05": ("online-server", "a prepared statement is there already, as with pgbouncer", _POOLER),
    "58": ("online-server", "the server's disk failed, or is full", "see the server's log"),
    "XX001": ("online-corrupt", "it is damaged", "drop the schema and run: asknown materialize"),
    "XX002": ("online-corrupt", "it is damaged", "drop the schema and run: asknown materialize"),
}


def read_dsn(address: StoreAddress) -> dict[str, str]:
    """The parts of the dsn, by libpq's names. No message shows the password among them."""
    try:
        parts = {name: str(value) for name, value in conninfo_to_dict(address.url).items()}
    except psycopg.ProgrammingError:
        raise AsknownError(
            "online-server",
            f"the {address}: its dsn cannot be read",
            hint="write it as postgresql://user:password@host:5432/database, special characters as %20 or %40",
        ) from None
    if password := parts.get("password"):
        keep_secret(password)
    return parts


def explain(error: psycopg.Error, address: StoreAddress) -> AsknownError | None:
    """The user's error for an error of Postgres; None for a bug of our own."""
    state = error.sqlstate or ""
    found = _MEANINGS.get(state) or _MEANINGS.get(state[:2])
    if found is None:
        if isinstance(error, psycopg.OperationalError | psycopg.InterfaceError):
            return unreachable(error, address)
        return None
    code, meaning, hint = found
    return AsknownError(code, f"the {address}: {meaning} ({_first_line(error, address)})", hint=hint)


def unreachable(error: psycopg.Error, address: StoreAddress) -> AsknownError:
    """The error for a server that does not answer, or does not let this user in."""
    said = _first_line(error, address)
    if re.search(r"password|authentication|role \".*\" does not exist|pg_hba", said):
        why, hint = "the server does not let this user in", "check the user and the password of the dsn"
    elif re.search(r"database \".*\" does not exist", said):
        why, hint = "the server has no such database", "check the database of the dsn"
    elif "SSL" in said or "certificate" in said:
        why, hint = "the connection cannot be made safe", "check the sslmode of the dsn"
    elif "too many clients" in said or "connection slots" in said:
        why, hint = "the server has no connection left", "raise max_connections, or use pgbouncer"
    else:
        why, hint = "the server does not answer", "see whether it runs, and check the host and the port of the dsn"
    return AsknownError("online-server", f"the {address}: {why} ({said})", hint=hint)


def _first_line(error: psycopg.Error, address: StoreAddress) -> str:
    """The first line of what the driver says, without the dsn's password."""
    line = (str(error).strip() or "no reason given").splitlines()[0]
    try:
        password = conninfo_to_dict(address.url).get("password") or ""
    except psycopg.ProgrammingError:
        return "no reason given"
    secrets = {str(password), quote(str(password), safe=""), unquote(str(password))}
    for secret in sorted(secrets, key=len, reverse=True):
        if secret:
            line = line.replace(secret, "***")
    return line
