"""The checks of each view of an online table: what it holds, how old it is, and whether it fits the project."""

from __future__ import annotations

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from asknown.durations import spell
from asknown.errors import AsknownError
from asknown.online.checks import Check, guarded
from asknown.online.codec import spell_instant
from asknown.online.content import hash_table
from asknown.online.events import event_table
from asknown.online.layout import quote
from asknown.online.metadata import differs
from asknown.online.nodes import OnlineView, StoredView
from asknown.online.tiles import tile_table

Definitions = Mapping[str, OnlineView | AsknownError]
"""The views that the project loads, by name; in place of one that is broken, what is wrong with it."""


def check_view(connection: sqlite3.Connection, path: Path, stored: StoredView, at: datetime) -> Iterator[Check]:
    """What a view's tables hold, and how old that is."""
    name = stored.view.name
    problems = [check for check in _check_content(connection, path, stored) if check.state == "act"]
    yield from problems or [_as_written(stored)]
    yield _check_watermark(stored, at)
    if stored.view.ttl:
        yield guarded("expired", name, path, partial(_check_expired, connection, stored, at))


def _check_content(connection: sqlite3.Connection, path: Path, stored: StoredView) -> Iterator[Check]:
    """A check for each table of the view."""
    view, hashes = stored.view, stored.hashes
    tables = [(view.name, hashes.rows)]
    if view.windows is not None:
        tables += [(event_table(view).name, hashes.events), (tile_table(view).name, hashes.tiles)]

    def look(name: str, written: str | None) -> Check:
        found = hash_table(connection, name)  # even where there is nothing to compare it with: can it be read?
        return _compare(name, view.name, None if written is None else found == written)

    for name, written in tables:
        yield guarded("content", name, path, partial(look, name, written))


def _compare(table: str, view: str, same: bool | None) -> Check:
    load = f"asknown materialize {view}"
    if same is None:
        return Check("content", table, "act", "has no hash yet: no load has come since an older version wrote it", load)
    if same:
        return Check("content", table, "ok", "holds what was written")
    found = "what the table holds is not what was written: damaged, or changed by hand"
    return Check("content", table, "act", found, f"{load} --full-refresh")


def _as_written(stored: StoredView) -> Check:
    facts = {"rows": stored.rows, "events": stored.events}
    events = "" if stored.events is None else f" and {stored.events:,} events"
    return Check("content", stored.view.name, "ok", f"{stored.rows:,} rows{events}, as they were written", facts=facts)


def _check_watermark(stored: StoredView, at: datetime) -> Check:
    name, watermark = stored.view.name, stored.watermark
    facts = {"watermark": watermark, "age_seconds": (at - watermark).total_seconds(), "loaded_at": stored.loaded_at}
    said = f"{watermark.replace(tzinfo=None)} UTC"
    if watermark > at:
        found = f"{said} lies in the future: reads before it are refused"
        return Check("watermark", name, "act", found, f"asknown materialize {name} --full-refresh", facts)
    return Check("watermark", name, "ok", f"{said}, {_age(at - watermark)} ago", facts=facts)


def _check_expired(connection: sqlite3.Connection, stored: StoredView, at: datetime) -> Check:
    view = stored.view
    time = quote(view.event_time)
    if view.type_of(view.event_time).kind == "date":
        time += " || ' 00:00:00.000000'"
    try:
        oldest = spell_instant(at - timedelta(microseconds=view.ttl))
    except OverflowError:
        oldest = ""  # before all time
    query = f"SELECT count(*), ifnull(sum({time} < ?), 0) FROM {quote(view.name)}"
    rows, expired = connection.execute(query, (oldest,)).fetchone()
    facts = {"rows": rows, "expired": expired, "share": expired / rows if rows else 0.0}
    found = f"{expired:,} of {rows:,} rows ({facts['share']:.1%}) are older than ttl '{spell(view.ttl)}'"
    if not rows or expired < rows:
        return Check("expired", view.name, "ok", found, facts=facts)
    if at - stored.watermark > timedelta(microseconds=view.ttl):
        return Check("expired", view.name, "note", found, f"asknown materialize {view.name}", facts)
    return Check("expired", view.name, "note", f"{found}: the source has no newer ones", facts=facts)


def _age(age: timedelta) -> str:
    """How long ago, in its largest unit."""
    seconds = max(int(age.total_seconds()), 0)
    unit = next((size for size in (86_400, 3_600, 60) if seconds >= size), 1)
    return spell(seconds // unit * unit * 1_000_000) if seconds else "0 seconds"


def check_definitions(
    views: Mapping[str, StoredView], broken: Collection[str], definitions: Definitions | AsknownError | None
) -> Iterator[Check]:
    """Whether the file's views are the project's. ``broken`` ones are there, and cannot be compared."""
    if definitions is None:
        return
    if isinstance(definitions, AsknownError):
        yield _broken("the project", definitions)
        return
    for name, stored in views.items():
        given = definitions.get(name)
        if given is None:
            found = "the project has no such view, or has online=false in it"
            yield Check("definition", name, "act", found, "asknown materialize --prune")
        elif isinstance(given, AsknownError):
            yield _broken(name, given)
        elif differs(stored.view, given):
            found = "was loaded from another definition than the project's"
            yield Check("definition", name, "act", found, f"asknown materialize {name}")
        else:
            yield Check("definition", name, "ok", "was loaded from the project's definition")
    for name, given in definitions.items():
        if name in views or name in broken:
            continue
        if isinstance(given, AsknownError):
            yield _broken(name, given)
        else:
            yield Check("definition", name, "act", "is not loaded yet", f"asknown materialize {name}")


def _broken(name: str, error: AsknownError) -> Check:
    place = "" if error.at is None else f" ({error.at})"
    return Check("definition", name, "act", f"{error.message}{place}", error.hint)
