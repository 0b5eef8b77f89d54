"""The manifest of a published snapshot of an online table, and the outcome of following it."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

from asknown.errors import AsknownError

FORMAT = 1


@dataclass(frozen=True)
class PublishedView:
    """A view in a snapshot. The watermark is ISO text, in UTC."""

    load_id: str
    watermark: str


@dataclass(frozen=True)
class Manifest:
    """The newest snapshot of a place: its packed ``file``, and the hash and size in bytes of what is packed.

    ``project`` and ``target`` are None for a table that no load has stamped. ``seq`` is the last push it has seen.
    """

    file: str
    sha256: str
    size: int
    layout: int
    project: str | None
    target: str | None
    seq: int
    views: Mapping[str, PublishedView]
    published_at: str

    def to_json(self) -> bytes:
        """The text of ``manifest.json``."""
        fields = asdict(self)
        return json.dumps({"format": FORMAT, "bytes": fields.pop("size"), **fields}, indent=1).encode()


@dataclass(frozen=True)
class Followed:
    """The outcome of one look at a place. ``unchanged``: the replica is what is published."""

    outcome: Literal["unchanged", "replaced"]
    manifest: Manifest


def parse_manifest(text: bytes, place: str) -> Manifest:
    """The manifest of a text. Raises ``snapshot`` for anything else."""
    try:
        found: dict[str, Any] = json.loads(text)
        if found.pop("format") != FORMAT:
            raise AsknownError(
                "snapshot", f"{place} was published by another version of asknown", hint="publish it again"
            )
        views = {str(name): PublishedView(**view) for name, view in found.pop("views").items()}
        manifest = Manifest(size=found.pop("bytes"), views=views, **found)
        if not re.fullmatch(r"online-[0-9a-f]{64}\.db\.zst", manifest.file):
            raise ValueError(manifest.file)
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        raise AsknownError(
            "snapshot", f"manifest.json in {place} cannot be read: {error!r}", hint="publish again: asknown publish"
        ) from None
    return manifest
