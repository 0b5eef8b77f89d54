"""The promises of an online table in an SQLite file, in the words of docs/online.md."""

from __future__ import annotations

from asknown.online.remote.store import Strength

SQLITE = Strength(
    one_state="yes",
    loads="yes",
    newest_wins="by rule 3, under the lock of writers",
    durable="`synchronous = FULL`",
    rows_stay="yes",
    content="all rows",
    whole_loads=True,
    keeps_rows=True,
)
