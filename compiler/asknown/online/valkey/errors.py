"""Turns what the client library and the server say into errors that tell the user what to do."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from asknown.addresses import StoreAddress
from asknown.errors import AsknownError
from asknown.online.valkey.connect import AwayError
from asknown.online.valkey.replies import ReplyError

# By the first word of the server's answer: what is wrong, what to do.
_MEANINGS: dict[str, tuple[str, str]] = {
    "OOM": (
        "its memory is full",
        "raise maxmemory on the server, or remove what is not needed there; the rows of the last load are still there",
    ),
    "READONLY": ("it is a replica, which takes no writes", "name the primary in 'url' of 'online' in profiles.yml"),
    "LOADING": ("it is still reading its data from disk", "try again when it has started"),
    "NOAUTH": ("it refuses the login", "check the user and the password in 'url' of 'online' in profiles.yml"),
    "WRONGPASS": ("it refuses the login", "check the user and the password in 'url' of 'online' in profiles.yml"),
    "NOPERM": (
        "the user may not run a command that asknown needs",
        "give the user all commands over the keys ak:* (ACL SETUSER … ~ak:* +@all)",
    ),
    "MISCONF": ("it cannot write its data to disk", "see the server's log, and free some space"),
    "NOREPLICAS": ("too few of its replicas are there", "see the server's setting min-replicas-to-write"),
    "MOVED": ("it is a cluster", "name a single server, with replicas if you like, in 'url' of 'online'"),
    "CROSSSLOT": ("it is a cluster", "name a single server, with replicas if you like, in 'url' of 'online'"),
}


def explain(error: AwayError | ReplyError, address: StoreAddress) -> AsknownError:
    """The user's error for a server that is away, or that refused a command."""
    if isinstance(error, AwayError):
        return AsknownError(
            "online-server",
            f"the {address} cannot be reached: {str(error) or 'the connection broke'}",
            hint="see whether the server runs, and 'url' of 'online' in profiles.yml",
        )
    if "max number of clients" in str(error):
        return AsknownError(
            "online-server",
            f"the {address} takes no more connections",
            hint="raise maxclients on the server, or start fewer readers",
        )
    meaning, hint = _MEANINGS.get(error.code, (f"it answered: {error}", "see the server's log"))
    return AsknownError("online-server", f"the {address} refused: {meaning}", hint=hint)


@contextmanager
def explained(address: StoreAddress) -> Iterator[None]:
    """Turns errors of the connection into the user's."""
    try:
        yield
    except (AwayError, ReplyError) as error:
        raise explain(error, address) from error


def damaged(address: StoreAddress, what: str) -> AsknownError:
    """The error for a value that is not what was written."""
    return AsknownError(
        "online-corrupt",
        f"the {address} is damaged: {what}",
        hint="load it anew: asknown materialize --full-refresh",
    )
