"""Postgres's errors as ours: its first line says what, its hint is the hint."""

from __future__ import annotations

import re

from asknown.engines.postgres.options import hide_secrets
from asknown.errors import AsknownError
from asknown.project.nodes import Target
from asknown.project.options import PostgresOptions

OURS = "asknown: "  # what a query of ours raises itself

_NO_TABLE = ("42P01", "3F000")
AGAIN = "try again: that connects anew; in Python, call get_historical_features() again"
_LOST = ("57P01", "57P02", "57P03", "57P05", "08000", "08003", "08006")
_LOST_WORDS = re.compile(
    r"closed the connection|no connection to the server|terminating connection|connection (not open|reset|timed out)|"
    r"connection has been closed|could not (receive|send) data|Broken pipe",
    re.IGNORECASE,
)


def translate(error: Exception) -> AsknownError:
    """The error of a query as one of ours."""
    state = str(getattr(error, "sqlstate", None) or "")
    facts = _facts(error)
    message = facts.get("MESSAGE_PRIMARY") or _first_line(str(error))
    hint = facts.get("MESSAGE_HINT")
    if state in _LOST or _LOST_WORDS.search(message):
        said = re.sub(r"^.*?FATAL:\s*|^Failed to [^:]*: ", "", message)
        return AsknownError("lost-connection", f"the connection to the server has ended: {said}", hint=AGAIN)
    if message.endswith("canceling statement due to user request"):
        return AsknownError(
            "engine", "the query was cancelled on the server", hint="find out who did, and run it again"
        )
    if found := re.search(rf"{OURS}(.+?)(?:: (?:t|\d+))?\"$", message):
        return AsknownError("engine", found[1])
    if found := re.fullmatch(r'relation "(.+)" does not exist', message):
        return AsknownError(
            "no-data", f"table '{found[1]}' does not exist", hint=hint or "is it a model? then write ref('…')"
        )
    if state in _NO_TABLE:
        return AsknownError("no-data", message, hint=hint)
    if state == "25006":
        again = message.endswith("during recovery")
        hint = "this server is a read-only standby: give the spine as SQL or as a model" if again else hint
        return AsknownError("engine", message, hint=hint or "a query may only read; `asknown run` builds models")
    if state == "42501" and "temporary" in message:
        return AsknownError("engine", message, hint="grant it: grant temporary on database … to …")
    if state == "22021" and "0x00" in message:
        return AsknownError("spine", "a text holds the character NUL, which Postgres cannot store", hint="take it out")
    more = [facts.get("MESSAGE_DETAIL"), _first_line(facts["CONTEXT"]) if facts.get("CONTEXT") else None]
    return AsknownError("engine", " ".join([message, *(f"({part})" for part in more if part)]), hint=hint)


def unreachable(text: str, target: Target[PostgresOptions]) -> AsknownError:
    """The error for a server that does not let us in. No secret of the target is in it."""
    said = hide_secrets(_first_line(text), target.options).removeprefix("connection to ")
    hint = "check its host and port, and that the server runs"
    if "password authentication" in said or "no password supplied" in said or "role" in said:
        hint = "check its user and password"
    elif "database" in said and "does not exist" in said:
        hint = "check its dbname"
    elif "URI" in said or "connection info string" in said or "percent-encoded" in said:
        hint = "write the dsn as postgresql://user:password@host:5432/database, special characters as %20 or %40"
    elif "SSL" in said:
        hint = "check its sslmode"
    return AsknownError("engine", f"target '{target.name}' cannot be reached: {said}", at=target.at, hint=hint)


def _facts(error: Exception) -> dict[str, str]:
    found: dict[str, str] = {}
    for name, value in getattr(error, "details", None) or ():
        key = (name.decode() if isinstance(name, bytes) else str(name)).removeprefix("PG_DIAG_")
        found[key] = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    return found


def _first_line(text: str) -> str:
    line = text.strip().splitlines()[0] if text.strip() else "no reason given"
    line = re.sub(r"^[A-Z_]+: (?:\[libpq\] )?(?:Failed to connect: )?", "", line)
    return re.sub(r"^.*?(?:ERROR|FATAL):\s+", "", line) if "ERROR:" in line else line
