"""Reads the online table of a profile: an SQLite file, or a store on a server, each with its own keys."""

from __future__ import annotations

import re
from collections.abc import Callable
from urllib.parse import unquote, urlsplit

from asknown.addresses import Address, Option, StoreAddress
from asknown.durations import microseconds
from asknown.errors import AsknownError, did_you_mean, keep_secret
from asknown.paths import absolute
from asknown.project.nodes import OnlineTarget, Settings
from asknown.project.options import IN_MEMORY
from asknown.project.reader import Reader, as_mapping, as_text, wrong_type
from asknown.project.values import Scalar, Value

ONLINE_FILE = "online.db"

_Read = Callable[[Reader, str], Option]


def _duration(reader: Reader, key: str) -> float:
    """A duration in seconds."""
    return microseconds(reader.text(key), at=reader.place(key)) / 1_000_000


def _truth(reader: Reader, key: str) -> bool:
    value = reader.value(key)
    if isinstance(value, Scalar) and value.untyped and value.text.strip() in ("true", "false"):
        return value.text.strip() == "true"
    return reader.truth(key)


class _Server:
    """The form of a store on a server in profiles.yml: the keys of its place and of its own, and an example."""

    def __init__(self, url: str, space: str, between: str, example: str, options: dict[str, _Read]) -> None:
        self.url = url
        self.space = space
        self.between = between  # stands between project and target in the space that it has without being named
        self.example = example
        self.options = options

    @property
    def keys(self) -> tuple[str, ...]:
        """All keys that `online` may have."""
        return ("type", self.url, self.space, "max_skew", *self.options)


SERVERS: dict[str, _Server] = {
    "postgres": _Server(
        "dsn", "schema", "_", "postgresql://user@host/database", {"prepare": _truth, "timeout": _duration}
    ),
    "valkey": _Server("url", "prefix", ":", "redis://host:6379/0", {"grace": _duration, "timeout": _duration}),
}
"""The stores on a server by their type: the key of the server's address, that of the table's own space, options."""

TYPES = ("sqlite", *SERVERS)
"""The types that an online table may have."""


def read_online(value: Value, settings: Settings, target: str) -> OnlineTarget:
    """The online table of a target, checked: an SQLite file, ``online.db`` in the project unless it says otherwise."""
    kind = _read_type(value)
    server = SERVERS.get(kind)
    reader = Reader(value, "'online'", keys_of(kind))
    address = _read_file(reader, settings) if server is None else _read_server(reader, kind, server, settings, target)
    skew = reader.optional_text("max_skew")
    max_skew = 0 if skew is None else microseconds(skew, at=reader.place("max_skew"))
    return OnlineTarget(address, settings.name, target, max_skew)


def keys_of(kind: str) -> tuple[str, ...]:
    """The keys that an online table of this type may have."""
    return ("type", "path", "max_skew") if kind not in SERVERS else SERVERS[kind].keys


def _read_type(value: Value) -> str:
    entry = as_mapping(value, "'online'").entries.get("type")
    if entry is None or (isinstance(entry.value, Scalar) and entry.value.value is None):
        return "sqlite"
    kind = as_text(entry.value, "'type' of 'online'")
    if kind in TYPES:
        return kind
    from_environment = isinstance(entry.value, Scalar) and entry.value.untyped  # never shown
    said = "the environment gives it" if from_environment else f"it says '{kind}'"
    if kind == "redis" and not from_environment:
        hint = "type: valkey speaks to Redis servers too"
    else:
        hint = did_you_mean("" if from_environment else kind, TYPES, what="types")
    raise AsknownError(
        "wrong-type", f"'type' of 'online' is none that asknown knows: {said}", at=entry.value.at, hint=hint
    )


def _read_file(reader: Reader, settings: Settings) -> Address:
    path = reader.text("path") if reader.value("path") else ONLINE_FILE
    if path == IN_MEMORY:
        raise AsknownError(
            "wrong-type",
            "the online table must be a file: one process writes it and others read it",
            at=reader.place("path"),
            hint=f"path: {ONLINE_FILE}",
        )
    return absolute(settings.root / path)


def _read_server(reader: Reader, kind: str, server: _Server, settings: Settings, target: str) -> StoreAddress:
    if reader.value(server.url) is None:
        raise AsknownError(
            "missing-key",
            f"'online' of type {kind} lacks '{server.url}', the address of the server",
            at=reader.at,
            hint=f"{server.url}: \"{{{{ env_var('ONLINE_URL') }}}}\", as in {server.example}",
        )
    url = reader.text(server.url)
    _keep_password(url)
    own = server.between.join((settings.name, target))
    space = reader.text(server.space) if reader.value(server.space) else re.sub(r"[^\w:]", "_", own)
    options = tuple((key, read(reader, key)) for key, read in server.options.items() if reader.value(key) is not None)
    for key, option in options:
        if isinstance(option, float) and option <= 0 and key == "timeout":
            raise wrong_type(f"'{key}' of 'online'", "a duration above 0, as in '5 seconds'", _value(reader, key))
    return StoreAddress(kind, url, space, options)


def _value(reader: Reader, key: str) -> Value:
    value = reader.value(key)
    assert value is not None
    return value


def _keep_password(url: str) -> None:
    """Keeps the password of an address out of all output, also where the file itself holds it."""
    try:
        password = urlsplit(url).password
    except ValueError:
        password = None
    if password:
        keep_secret(password)
        keep_secret(unquote(password))
    for word in re.findall(r"\bpassword\s*=\s*('(?:[^'\\]|\\.)*'|\S+)", url):
        keep_secret(word.strip("'"))
