"""The settings of the server that decide whether it keeps what it is given."""

from __future__ import annotations

from asknown.addresses import StoreAddress
from asknown.errors import AsknownError
from asknown.online.valkey.connect import Server
from asknown.online.valkey.replies import ReplyError


def refuse_for_reads(server: Server, address: StoreAddress) -> None:
    """Raises ``online-settings`` for a server that evicts rows, and for a cluster."""
    facts = read_info(server)
    if facts.get("cluster_enabled") == "1" or facts.get("redis_mode", facts.get("server_mode")) == "cluster":
        raise AsknownError(
            "online-settings",
            f"the {address} is a cluster, in which one read cannot see one state of all keys",
            hint="name a single server, with replicas if you like, in 'url' of 'online' in profiles.yml",
        )
    policy = facts.get("maxmemory_policy", "noeviction")
    if policy != "noeviction":
        raise AsknownError(
            "online-settings",
            f"the {address} drops rows when its memory is full (maxmemory-policy {policy}), "
            "and a read would then say that there never was one",
            hint="type on the server: CONFIG SET maxmemory-policy noeviction, and write it into its configuration",
        )


def refuse_for_pushes(server: Server, address: StoreAddress) -> None:
    """Raises ``online-settings`` for a server that answers before a write is on disk."""
    try:
        settings = _read_settings(server, "append*")
    except ReplyError as error:
        raise AsknownError(
            "online-settings",
            f"the {address} does not say whether it keeps a write before it answers: CONFIG GET is refused",
            hint="pushes need a server with appendonly yes and appendfsync always, and a user who may ask for that",
        ) from error
    for name, needed in (("appendonly", "yes"), ("appendfsync", "always")):
        found = settings.get(name, "")
        if found != needed:
            raise AsknownError(
                "online-settings",
                f"the {address} answers before a write is on disk ({name} {found}), so a pushed row could be lost",
                hint=f"type on the server: CONFIG SET {name} {needed}, and write it into its configuration",
            )


def describe(server: Server) -> list[tuple[str, str]]:
    """Facts about the server for people: its version and the settings that matter."""
    facts = read_info(server)
    described = [
        ("server", _version(facts)),
        ("memory used", facts.get("used_memory_human", "?")),
        ("maxmemory", facts.get("maxmemory_human", "?") if facts.get("maxmemory", "0") != "0" else "no limit"),
        ("maxmemory-policy", facts.get("maxmemory_policy", "?")),
        ("role", facts.get("role", "?")),
    ]
    try:
        settings = _read_settings(server, "append*")
    except ReplyError:
        return described
    return [*described, *((name, settings[name]) for name in ("appendonly", "appendfsync") if name in settings)]


def _version(facts: dict[str, str]) -> str:
    valkey = facts.get("valkey_version")
    return f"Redis {facts.get('redis_version', '?')}" if valkey is None else f"Valkey {valkey}"


def read_info(server: Server) -> dict[str, str]:
    """The server's own report."""
    text: str = server.call(b"INFO").decode(errors="replace")
    pairs = (line.partition(":") for line in text.splitlines() if not line.startswith("#"))
    return {name: value.strip() for name, colon, value in pairs if colon}


def free_memory(server: Server) -> int | None:
    """The bytes that the server may still take; None where it has no limit."""
    facts = read_info(server)
    most = int(facts.get("maxmemory", "0"))
    return max(0, most - int(facts.get("used_memory", "0"))) if most else None


def _read_settings(server: Server, pattern: str) -> dict[str, str]:
    found = server.call(b"CONFIG", b"GET", pattern.encode())
    if isinstance(found, dict):
        found = [part for pair in found.items() for part in pair]
    texts = [part.decode() for part in found]
    return dict(zip(texts[::2], texts[1::2], strict=True))
