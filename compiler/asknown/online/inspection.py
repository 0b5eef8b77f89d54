"""The checks of an online table that are the same for every backend: watermarks, rows past their ttl, definitions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta

from asknown.durations import spell
from asknown.errors import AsknownError
from asknown.online.metadata import differs
from asknown.online.nodes import OnlineOnDemand, OnlineView, StoredView
from asknown.online.report import Check

Definitions = Mapping[str, OnlineView | OnlineOnDemand | AsknownError]
"""The views that the project loads, by name; in place of one that is broken, what is wrong with it."""


def as_written(stored: StoredView) -> Check:
    """The check of a view whose content is what was written."""
    facts = {"rows": stored.rows, "events": stored.events}
    events = "" if stored.events is None else f" and {stored.events:,} events"
    return Check("content", stored.view.name, "ok", f"{stored.rows:,} rows{events}, as they were written", facts=facts)


def check_watermark(stored: StoredView, at: datetime) -> Check:
    """The check of the age of a view's watermark."""
    name, watermark = stored.view.name, stored.watermark
    facts = {"watermark": watermark, "age_seconds": (at - watermark).total_seconds(), "loaded_at": stored.loaded_at}
    said = f"{watermark.replace(tzinfo=None)} UTC"
    if watermark > at:
        found = f"{said} is in the future: reads before it are refused"
        return Check("watermark", name, "act", found, f"asknown materialize {name} --full-refresh", facts)
    return Check("watermark", name, "ok", f"{said}, {_age(at - watermark)} ago", facts=facts)


def _age(age: timedelta) -> str:
    """The age as text, in its largest unit."""
    seconds = max(int(age.total_seconds()), 0)
    unit = next((size for size in (86_400, 3_600, 60) if seconds >= size), 1)
    return spell(seconds // unit * unit * 1_000_000) if seconds else "0 seconds"


def check_definitions(
    views: Mapping[str, StoredView],
    broken: Collection[str],
    on_demand: Mapping[str, OnlineOnDemand],
    definitions: Definitions | AsknownError | None,
) -> Iterator[Check]:
    """Checks the file's views against the project's. ``broken`` views exist, but cannot be compared."""
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
        elif isinstance(given, OnlineOnDemand) or differs(stored.view, given):
            found = "was loaded from another definition than the project's"
            yield Check("definition", name, "act", found, f"asknown materialize {name}")
        else:
            yield Check("definition", name, "ok", "was loaded from the project's definition")
    for name, one in on_demand.items():
        yield _check_on_demand(one, definitions.get(name))
    for name, given in definitions.items():
        if name not in views and name not in broken and name not in on_demand:
            yield _broken(name, given) if isinstance(given, AsknownError) else _check_absent(name, given)


_ANY_LOAD = "asknown materialize"  # of whichever views: it writes all on-demand views


def _check_absent(name: str, given: OnlineView | OnlineOnDemand) -> Check:
    """The check of a view of the project that the file does not have."""
    run = _ANY_LOAD if isinstance(given, OnlineOnDemand) else f"asknown materialize {name}"
    return Check("definition", name, "act", "is not loaded yet", run)


def _check_on_demand(stored: OnlineOnDemand, given: OnlineView | OnlineOnDemand | AsknownError | None) -> Check:
    """Whether the file has an on-demand view's expressions as the project has them."""
    if isinstance(given, AsknownError):
        return _broken(stored.name, given)
    if stored == given:
        return Check("definition", stored.name, "ok", "was loaded from the project's definition")
    found = "the project has no such on-demand view"
    if given is not None:
        found = "was loaded from another definition than the project's"
    return Check("definition", stored.name, "act", found, _ANY_LOAD)


def _broken(name: str, error: AsknownError) -> Check:
    place = "" if error.at is None else f" ({error.at})"
    return Check("definition", name, "act", f"{error.message}{place}", error.hint)


def judge_expired(stored: StoredView, ttl: int, at: datetime, rows: int, expired: int) -> Check:
    """The check of how many of a view's rows are older than its ttl (microseconds)."""
    view = stored.view
    facts = {"rows": rows, "expired": expired, "share": expired / rows if rows else 0.0}
    found = f"{expired:,} of {rows:,} rows ({facts['share']:.1%}) are older than ttl '{spell(ttl)}'"
    if not rows or expired < rows:
        return Check("expired", view.name, "ok", found, facts=facts)
    if at - stored.watermark > timedelta(microseconds=ttl):
        return Check("expired", view.name, "note", found, f"asknown materialize {view.name}", facts)
    return Check("expired", view.name, "note", f"{found}: the source has no newer ones", facts=facts)
