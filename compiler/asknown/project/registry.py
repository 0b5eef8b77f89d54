"""Reads ``registry:`` of a profile: where the registry is, and whether this project writes it."""

from __future__ import annotations

import re
from pathlib import Path

from asknown.addresses import StoreAddress
from asknown.errors import AsknownError, did_you_mean
from asknown.project.nodes import RegistryPlace
from asknown.project.reader import Reader, as_mapping, as_text
from asknown.project.targets import below
from asknown.project.values import Value

REGISTRY_FILE = "registry.db"
SCHEMA = "asknown_registry"
FETCHED = ".asknown/registry.db"
_FILE = ("type", "path", "read_only", "publish", "enforce")
_SERVER = ("type", "dsn", "schema", "publish", "enforce")
_COPY = ("type", "url", "enforce")
_TYPES = ("sqlite", "postgres", "object_store")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,62}")


def default_registry(root: Path) -> RegistryPlace:
    """The registry of a profile that does not say where it is: a file in the project's folder."""
    return RegistryPlace(root / REGISTRY_FILE)


def read_registry(value: Value, root: Path) -> RegistryPlace:
    """The registry of a profile: an SQLite file, a schema of Postgres, or a copy in an object store."""
    entry = as_mapping(value, "'registry'").entries.get("type")
    kind = "sqlite" if entry is None else as_text(entry.value, "'type' of 'registry'")
    match kind:
        case "sqlite":
            reader = Reader(value, "'registry'", _FILE)
            path = below(root, reader.text("path") if reader.value("path") else REGISTRY_FILE)
            read_only, enforce = reader.truth("read_only"), reader.truth("enforce")
            return RegistryPlace(path, read_only=read_only, publish=_publish(reader, root), enforce=enforce)
        case "postgres":
            reader = Reader(value, "'registry' of type postgres", _SERVER)
            dsn = reader.text("dsn", hint="dsn: \"{{ env_var('REGISTRY_DSN') }}\"")
            at = StoreAddress("postgres", dsn, _schema(reader))
            return RegistryPlace(at, publish=_publish(reader, root), enforce=reader.truth("enforce"))
        case "object_store":
            reader = Reader(value, "'registry' of type object_store", _COPY)
            url = _url(reader)
            at = StoreAddress("object_store", url, url.rpartition("/")[2])
            return RegistryPlace(at, read_only=True, fetched=root / FETCHED, enforce=reader.truth("enforce"))
    raise AsknownError(
        "wrong-type",
        "'type' of 'registry' is none that asknown knows",
        at=value.at if entry is None else entry.value.at,
        hint=did_you_mean(kind, _TYPES, what="its values"),
    )


def _publish(reader: Reader, root: Path) -> str | None:
    """The absolute path, or the address, where copies go."""
    to = reader.text("publish") if reader.value("publish") else None
    return to if to is None or "://" in to else str(below(root, to))


def _schema(reader: Reader) -> str:
    schema = reader.text("schema") if reader.value("schema") else SCHEMA
    if not _NAME.fullmatch(schema):
        raise AsknownError(
            "bad-name",
            f"'schema' of {reader.what} is no name: use letters, digits and '_', at most 63",
            at=reader.place("schema"),
        )
    return schema


def _url(reader: Reader) -> str:
    url = reader.text("url", hint="url: s3://features/registry.db")
    if "://" not in url:
        raise AsknownError(
            "wrong-type",
            f"'url' of {reader.what} is no address",
            at=reader.place("url"),
            hint="url: s3://features/registry.db; for a file: {type: sqlite, path: …, read_only: true}",
        )
    return url
