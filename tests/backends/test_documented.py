"""What docs/online.md says of the stores is what they say of themselves."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path

from asknown.online.backend import STORES
from asknown.online.remote.store import PROMISES
from asknown.online.sqlite.strength import SQLITE
from asknown.project.online import TYPES
from backends.servers import SERVERS

DOCS = Path(__file__).parents[2] / "docs"


def test_the_table_of_strengths_is_that_of_the_stores() -> None:
    strengths = [SQLITE, STORES["postgres"]().strength, STORES["valkey"]().strength]
    text = (DOCS / "online.md").read_text(encoding="utf-8")
    for field, promise in PROMISES.items():
        said = " | ".join(str(asdict(strength)[field]) for strength in strengths)
        assert f"| {promise} | {said} |" in text


def test_every_store_is_under_test() -> None:
    assert set(SERVERS) == {*TYPES} | {"memory"}
