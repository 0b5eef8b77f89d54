"""Pinned views of other projects: the references that name them, asknown.lock, and the copies of their closures.

``flights.carrier_delays@v3`` is version 3 of a view of the project *flights*. `asknown pin` writes the versions that a
project uses into ``asknown.lock``, and their frozen closures below ``.asknown/objects``, so that the project compiles
without a registry and without the other project's files. Both belong into git.
"""

from __future__ import annotations

import hashlib
import json
import re
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from asknown.errors import AsknownError, Where, did_you_mean
from asknown.project.files import is_file, read_text
from asknown.project.nodes import Pin, Project, Settings, ViewName

LOCK = "asknown.lock"
OBJECTS = ".asknown/objects"
_HEAD = "# The views of other projects that this one uses. asknown pin writes this file; keep it in git.\n"
_NAME = re.compile(r"(?:(?P<project>[^:]+)\.)?(?P<view>[^.@:]+)(?:@v?(?P<v>\d+))?")
_KEYS = ("project", "name", "version", "hash")


def read_view_name(reference: str, own: str) -> tuple[ViewName, str] | None:
    """(the pinned view that a reference names, the rest of it); None for a view of the project as its files have it.

    ``own`` is the project's name, which ``carrier_delays@v3`` leaves out.

    >>> read_view_name("flights.carrier_delays@v3:last_arr_delay", "pricing")
    (ViewName(project='flights', view='carrier_delays', v=3), ':last_arr_delay')
    >>> read_view_name("carrier_delays:last_arr_delay", "pricing")
    """
    name, colon, feature = reference.partition(":")
    found = _NAME.fullmatch(name)
    if found is None or (found["project"] is None and found["v"] is None):
        return None
    v = None if found["v"] is None else int(found["v"])
    return ViewName(found["project"] or own, found["view"], v), colon + feature


def find_pin(project: Project, name: ViewName) -> Pin:
    """The pin of a view that a reference names. Raises ``not-pinned``, with what is pinned and what to type."""
    shown = str(name)
    if name.project == project.settings.name and name.v is None:
        raise AsknownError("unknown-view", f"'{shown}' is a view of this project", hint=f"write {name.view}")
    pins = [pin for pin in project.pins if (pin.project, pin.view) == (name.project, name.view)]
    found = [pin for pin in pins if name.v in (None, pin.v)]
    if len(found) == 1:
        return found[0]
    if found:
        listed = ", ".join(pin.name for pin in found)
        raise AsknownError("not-pinned", f"'{shown}' is pinned in {len(found)} versions", hint=f"name one: {listed}")
    if pins:
        hint = f"pinned: {', '.join(pin.name for pin in pins)}; or pin this one: asknown pin {shown}"
    elif project.pins:
        known = [pin.name for pin in project.pins]
        hint = f"{did_you_mean(shown, known, what='pinned views')}; or pin this one: asknown pin {shown}"
    else:
        hint = f"asknown pin {shown}"
    raise AsknownError("not-pinned", f"'{shown}' is not in {LOCK}", hint=hint)


def with_pins_named(project: Project, references: Iterable[Any], at: Where | None = None) -> list[Any]:
    """The references, those of pinned views by the pin's full name: ``flights.orders:x`` is ``flights.orders@v3:x``.

    A version of the project's own views that is not pinned stays as it is: the registry has it.
    """
    return [_named(project, reference, at) for reference in references]


def _named(project: Project, reference: Any, at: Where | None) -> Any:
    own = project.settings.name
    if not isinstance(reference, str) or reference in project.services:
        return reference
    found = read_view_name(reference, own)
    if found is None:
        return reference
    name, rest = found
    if name.v is None and any(source == name.project for source, _ in project.sources):
        return reference  # a table of a source
    if name.project == own and name.v is not None and at is None and f"{name}" not in {p.name for p in project.pins}:
        return f"{name.view}@v{name.v}{rest}"
    try:
        return find_pin(project, name).name + rest
    except AsknownError as error:
        raise AsknownError(error.code, error.message, at=error.at or at, hint=error.hint) from None


# -- the files -------------------------------------------------------------------------------------------------------


def read_lock(settings: Settings) -> tuple[Pin, ...]:
    """The pins of asknown.lock, none where there is no such file. Raises ``bad-lock`` for a damaged one."""
    path = settings.root / LOCK
    if not is_file(path):
        return ()
    text = read_text(path, LOCK, "bad-lock")
    conflict = next((n for n, line in enumerate(text.split("\n"), 1) if line.startswith(("<<<<<<<", ">>>>>>>"))), None)
    if conflict is not None:
        raise _damaged("git has left a conflict in it", Where(LOCK, conflict))
    try:
        document = tomllib.loads(text)
    except tomllib.TOMLDecodeError as fault:
        raise _damaged(f"it is not TOML: {fault}") from None
    entries = document.get("view", [])
    if set(document) - {"view"} or not isinstance(entries, list):
        raise _damaged("it has more than [[view]] entries")
    pins = tuple(_read_entry(entry, place) for place, entry in enumerate(entries, start=1))
    twice = next((pin for pin in pins if sum(other.name == pin.name for other in pins) > 1), None)
    if twice is not None:
        raise _damaged(f"it has {twice.name} twice")
    return pins


def _read_entry(entry: Any, place: int) -> Pin:
    kinds = (str, str, int, str)
    if not isinstance(entry, dict) or any(
        type(entry.get(key)) is not kind for key, kind in zip(_KEYS, kinds, strict=True)
    ):
        raise _damaged(f"its entry {place} lacks one of {', '.join(_KEYS)}")
    if not re.fullmatch(r"[0-9a-f]{64}", entry["hash"]):
        raise _damaged(f"the hash of its entry {place} is none")
    return Pin(entry["project"], entry["name"], entry["version"], entry["hash"])


def _damaged(reason: str, at: Where | None = None) -> AsknownError:
    return AsknownError(
        "bad-lock",
        f"{LOCK} cannot be read: {reason}",
        at=at or Where(LOCK),
        hint=f"take {LOCK} from git again; or delete it, and pin anew: asknown pin",
    )


def write_lock(settings: Settings, pins: Sequence[Pin], objects: Mapping[str, str]) -> None:
    """Writes asknown.lock, and beside it the ``objects``, canonical JSON by hash. Objects of no pin go."""
    folder = settings.root / OBJECTS
    ordered = sorted(pins, key=lambda pin: (pin.project, pin.view, pin.v))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for digest, text in objects.items():
            _replace(folder / f"{digest}.json", text)
        _replace(settings.root / LOCK, _HEAD + "".join(map(_entry, ordered)))
        for path in folder.glob("*.json"):
            if path.stem not in objects:
                path.unlink()
    except OSError as fault:
        raise AsknownError("output", f"{LOCK} cannot be written: {fault.strerror}", at=Where(LOCK)) from None


def _replace(path: Path, text: str) -> None:
    if is_file(path) and path.read_bytes() == text.encode():
        return
    new = path.with_name(path.name + ".new")
    new.write_bytes(text.encode())
    new.replace(path)


def _entry(pin: Pin) -> str:
    values = (json.dumps(pin.project, ensure_ascii=False), json.dumps(pin.view), pin.v, json.dumps(pin.hash))
    return "\n[[view]]\n" + "".join(f"{key} = {value}\n" for key, value in zip(_KEYS, values, strict=True))


def read_object(project: Project, digest: str) -> dict[str, Any]:
    """The body of an object of a pinned closure. Raises ``bad-lock`` if its file is missing, or is another."""
    path = project.settings.root / OBJECTS / f"{digest}.json"
    shown = f"{OBJECTS}/{digest}.json"
    hint = "take it from git again, or from the registry: asknown pin"
    if not is_file(path):
        raise AsknownError("bad-lock", f"{LOCK} needs the file {shown}, which is not there", at=Where(LOCK), hint=hint)
    text = read_text(path, shown, "bad-lock")
    if hashlib.sha256(text.encode()).hexdigest() != digest:
        raise AsknownError("bad-lock", f"{shown} is not what {LOCK} pins", at=Where(shown), hint=hint)
    return dict(json.loads(text))


def with_pinned_uses(project: Project) -> Project:
    """The project whose services and exposures name pinned views in full. Raises ``not-pinned``."""
    services = {
        name: replace(
            service,
            features=tuple(
                replace(line, view=with_pins_named(project, [line.view], line.at)[0]) for line in service.features
            ),
        )
        for name, service in project.services.items()
    }
    exposures = {
        name: replace(one, uses=tuple(with_pins_named(project, one.uses, one.at)))
        for name, one in project.exposures.items()
    }
    return replace(project, services=services, exposures=exposures)
