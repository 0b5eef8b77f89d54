"""The addresses of online tables: a file, or a store on a server."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

Option = str | int | float | bool


@dataclass(frozen=True)
class StoreAddress:
    """An online table on a server: the store's type in profiles.yml, and its options.

    ``url`` is where the server is, with its password if it has one: neither ``str`` nor ``repr`` shows it. ``space`` is
    the schema or prefix that keeps this table apart from others on the server.
    """

    type: str
    url: str = field(repr=False)
    space: str
    options: tuple[tuple[str, Option], ...] = ()

    def option(self, name: str, default: Option) -> Option:
        """An option by its name in profiles.yml."""
        return dict(self.options).get(name, default)

    def __str__(self) -> str:
        """The address as messages show it: without user and password."""
        return f"{self.type} store '{self.space}'{_place(self.url)}"


Address = Path | StoreAddress
"""The address of an online table."""


def _place(url: str) -> str:
    """Where the server is, in words; empty where that cannot be told from the url without its secrets."""
    from urllib.parse import urlsplit  # most readers read files

    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return ""
    if not parts.scheme or not host:
        return ""
    return f" at {host}" if port is None else f" at {host}:{port}"
