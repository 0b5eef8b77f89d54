"""The definitions and facts of an online table as plain values by name, which every backend can keep, and back.

The standard library only: the reader imports this.
"""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from typing import Any

from asknown.online.codec import read_instant, spell_instant
from asknown.online.nodes import (
    Hashes,
    OnlineOnDemand,
    OnlineService,
    OnlineView,
    OnlineWindows,
    ServicePart,
    StoredCall,
    StoredFeature,
    StoredPushes,
    StoredSource,
    StoredView,
)
from asknown.periods import CalendarPeriod, FixedPeriod, Starts
from asknown.types import Column, parse_type

_LIFETIME = "lifetime"
"""The name of the calls of a view that keeps no events. A release that looks for events finds no calls, and says so."""


def view_row(stored: StoredView) -> dict[str, Any]:
    """A view's metadata as plain values by name, without what pushes change."""
    return {
        "view": stored.view.name,
        "fingerprint": stored.view.fingerprint,
        **shape(stored.view),
        "windows": None if stored.view.windows is None else dump(_with_starts(stored.view.windows)),
        "ttl_us": stored.view.ttl or 0,
        "watermark": spell_instant(stored.watermark),
        "rows": stored.rows,
        "events": stored.events,
        "load_id": stored.load_id,
        "loaded_at": spell_instant(stored.loaded_at),
        "rows_hash": stored.hashes.rows,
        "events_hash": stored.hashes.events,
        "tiles_hash": stored.hashes.tiles,
        "ahead": stored.ahead,
        "ahead_hash": stored.hashes.ahead,
        "beyond": stored.beyond or None,
        "beyond_at": None if stored.beyond_at is None else spell_instant(stored.beyond_at),
        **({"stale_tiles": 1} if stored.stale_tiles else {}),
    }


def read_view(row: dict[str, Any]) -> StoredView:
    """The view of a row that :func:`view_row` gave, without its pushes. Errors: ValueError, TypeError, KeyError."""
    columns = {c.name: c for c in _columns(json.loads(row["columns"]))}
    written = row.get("windows")  # a file of layout 1 has no such column
    windows = None if written is None else _windows(json.loads(written))
    derived = {} if windows is None else {f.name: Column(f.name, f.type) for f in windows.derived}
    view = OnlineView(
        name=row["view"],
        fingerprint=row["fingerprint"],
        keys=tuple(columns[name] for name in json.loads(row["keys"])),
        event_time=row["event_time"],
        known_at=row["known_at"],
        created_at=row["created_at"],
        features=tuple(derived.get(name) or columns[name] for name in json.loads(row["features"])),
        ttl=row["ttl_us"] or None,
        columns=tuple(columns.values()),
        windows=windows,
    )
    watermark, loaded_at = read_instant(row["watermark"]), read_instant(row["loaded_at"])
    hashed = ("rows_hash", "events_hash", "tiles_hash", "ahead_hash")  # the last since layout 6, the others since 3
    beyond_at = row.get("beyond_at")
    return StoredView(
        view,
        watermark,
        row["rows"],
        row["load_id"],
        loaded_at,
        row.get("events"),
        Hashes(*map(row.get, hashed)),
        row.get("ahead"),
        row.get("beyond") or 0,
        None if beyond_at is None else read_instant(beyond_at),
        stale_tiles=bool(row.get("stale_tiles")),
    )


def push_row(stored: StoredView) -> dict[str, Any]:
    """The outcome of pushes for a view, as plain values by name."""
    assert stored.pushes is not None
    return {
        "view": stored.view.name,
        "source": stored.pushes.source,
        "seq": stored.pushes.seq,
        "at": stored.pushes.at,
        "pushed": stored.pushes.rows,
        "pushed_hash": stored.hashes.pushed,
        "rows": stored.rows,
        "rows_hash": stored.hashes.rows,
        "ahead": stored.ahead,
        "ahead_hash": stored.hashes.ahead,
    }


def with_pushes(stored: StoredView, row: dict[str, Any]) -> StoredView:
    """The view with what pushes since its last load have made of it: a row that :func:`push_row` gave."""
    hashes = replace(stored.hashes, rows=row["rows_hash"], ahead=row["ahead_hash"], pushed=row["pushed_hash"])
    pushes = StoredPushes(row["source"], row["seq"], row["at"], row["pushed"])
    return replace(stored, rows=row["rows"], ahead=row["ahead"], hashes=hashes, pushes=pushes)


def on_demand_row(view: OnlineOnDemand) -> dict[str, Any]:
    """An on-demand view as plain values by name."""
    return {
        "view": view.name,
        "keys": dump(_spell_columns(view.keys)),
        "inputs": dump(_spell_columns(view.inputs)),
        "sources": dump([_source(source) for source in view.sources]),
        "features": dump(
            [
                {"name": f.name, "type": f.type.name, "expression": f.expression, "columns": f.columns}
                for f in view.features
            ]
        ),
    }


def _source(source: StoredSource) -> dict[str, Any]:
    written = {**asdict(source), "type": source.type.name}
    return {name: value for name, value in written.items() if value or name not in ("by", "each")}


def read_on_demand(row: dict[str, Any]) -> OnlineOnDemand:
    """The on-demand view of a row that :func:`on_demand_row` gave. Errors: as :func:`read_view`."""
    return OnlineOnDemand(
        name=row["view"],
        keys=_columns(json.loads(row["keys"])),
        inputs=_columns(json.loads(row["inputs"])),
        sources=tuple(
            StoredSource(
                s["name"],
                parse_type(s["type"]),
                s["origin"],
                s["column"],
                s["view"],
                tuple(map(tuple, s["keys"])),
                tuple(map(tuple, s.get("by", ()))),
                s.get("each"),
            )
            for s in json.loads(row["sources"])
        ),
        features=tuple(
            StoredFeature(f["name"], parse_type(f["type"]), _tree(f["expression"]), (), tuple(f["columns"]))
            for f in json.loads(row["features"])
        ),
    )


def service_row(service: OnlineService) -> dict[str, Any]:
    """A feature service as plain values by name."""
    parts = [
        {
            "view": part.view,
            "alias": part.alias,
            "features": None if part.features is None else list(part.features),
            "keys": dict(part.keys),
        }
        for part in service.parts
    ]
    return {"service": service.name, "parts": dump(parts)}


def read_service(row: dict[str, Any]) -> OnlineService:
    """The feature service of a row that :func:`service_row` gave. Errors: as :func:`read_view`."""
    return OnlineService(row["service"], tuple(_part(part) for part in json.loads(row["parts"])))


def shape(view: OnlineView) -> dict[str, str | None]:
    """The part of a view's metadata that its table's columns follow from."""
    return {
        "columns": dump(_spell_columns(view.columns)),
        "keys": dump([c.name for c in view.keys]),
        "features": dump([c.name for c in view.features]),
        "event_time": view.event_time,
        "known_at": view.known_at,
        "created_at": view.created_at,
        "windows": None if view.windows is None else dump(_spell_windows(view.windows)),
    }


def differs(held: OnlineView, view: OnlineView) -> bool:
    """Whether rows of the view as the file has it cannot be mixed with rows of the view as it is now."""
    return held.fingerprint != view.fingerprint or shape(held) != shape(view)


def dump(value: object) -> str:
    """The value as the metadata spells it, in JSON."""
    return json.dumps(value, ensure_ascii=False)


def _columns(written: list[dict[str, str]]) -> tuple[Column, ...]:
    return tuple(Column(c["name"], parse_type(c["type"])) for c in written)


def _spell_columns(columns: tuple[Column, ...]) -> list[dict[str, str]]:
    return [{"name": c.name, "type": c.type.name} for c in columns]


def _windows(written: dict[str, Any]) -> OnlineWindows:
    return OnlineWindows(
        columns=_columns(written["columns"]),
        calls=tuple(_call(call) for call in written[_LIFETIME if _LIFETIME in written else "calls"]),
        derived=tuple(
            StoredFeature(
                f["name"], parse_type(f["type"]), _tree(f["expression"]), tuple(f["calls"]), tuple(f["columns"])
            )
            for f in written["derived"]
        ),
        lifetime=_LIFETIME in written,
        starts=tuple(
            Starts(CalendarPeriod(s["unit"], s["zone"]), s["first"], tuple(map(tuple, s["runs"])))
            for s in written.get("starts", ())
        ),
    )


def _call(written: dict[str, Any]) -> StoredCall:
    period = written.get("period")
    if period is None:
        return StoredCall(**written)
    made = FixedPeriod(**period) if "length" in period else CalendarPeriod(**period)
    return StoredCall(**{**written, "period": made})


def _spell_call(call: StoredCall) -> dict[str, Any]:
    """The call by names. One without a period is spelled as it was before there were any."""
    return {name: value for name, value in asdict(call).items() if call.period is not None or name not in _OF_PERIODS}


_OF_PERIODS = ("period", "back")


def _spell_starts(starts: Starts) -> dict[str, Any]:
    return {"unit": starts.period.unit, "zone": starts.period.zone, "first": starts.first, "runs": starts.runs}


def _with_starts(windows: OnlineWindows) -> dict[str, Any]:
    """The windows by names, with the starts of periods, which each load computes and no column follows from."""
    spelled = _spell_windows(windows)
    return {**spelled, "starts": list(map(_spell_starts, windows.starts))} if windows.starts else spelled


def _spell_windows(windows: OnlineWindows) -> dict[str, Any]:
    return {
        "columns": _spell_columns(windows.columns),
        _LIFETIME if windows.lifetime else "calls": [_spell_call(call) for call in windows.calls],
        "derived": [
            {"name": f.name, "type": f.type.name, "expression": f.expression, "calls": f.calls, "columns": f.columns}
            for f in windows.derived
        ],
    }


def _tree(written: Any) -> Any:
    """An expression as nested tuples, which two views can be compared by."""
    return tuple(_tree(part) for part in written) if isinstance(written, list) else written


def _part(part: dict[str, Any]) -> ServicePart:
    features = part["features"]
    return ServicePart(part["view"], None if features is None else tuple(features), part["alias"], part["keys"])
