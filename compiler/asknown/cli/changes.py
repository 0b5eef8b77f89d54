"""Lays out the changes between the project and its registry, for people and as records."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from asknown.changes.nodes import RETRAIN
from asknown.cli.table import lay_out, terminal_width
from asknown.cli.values import as_text

if TYPE_CHECKING:
    from asknown.changes.nodes import Consumer, Effect, FeatureChange, ViewChange
    from asknown.store.comparison import ProjectChanges
    from asknown.store.diff import FeatureDiff

_MARKS = {"new": "+", "removed": "-", "order": "?"}
_SHOWN = 60  # characters of an expression


def describe_changes(changes: ProjectChanges) -> Iterator[str]:
    """The changes as lines, view by view, and one line that counts them."""
    yield against(changes)
    for view in changes.views:
        yield ""
        yield from _view(view, changes.consumers.get(view.view, ()))
    if changes.services:
        yield ""
    for service in changes.services:
        features = ", ".join(service.features) if service.kind in ("loses", "gains", "version") else ""
        breaking = "  → breaking" if service.breaking else "  → train again" if service.kind == "version" else ""
        yield f"  service {service.service}  {service.kind}  {features}{breaking}".rstrip()
    if changes.exposures:
        yield ""
        yield f"  exposures: {', '.join(changes.exposures)}"
    if changes.pins:
        yield ""
        yield f"  pins: {', '.join(changes.pins)}"
    if changes.warnings:
        yield ""
    yield from (f"  warning: {warning}" for warning in changes.warnings)
    yield ""
    yield _counted(changes)


def against(changes: ProjectChanges) -> str:
    """The line that says what the project is compared with."""
    base = changes.base
    if base is None:
        return f"Nothing of {changes.project} was applied yet, target {changes.target}."
    commit = f", {base.git_commit[:7]}" if base.git_commit else ""
    known = f"revision {base.n} of {changes.project} ({base.at[:10]}, {base.author}{commit})"
    if changes.reached is not None:
        to = changes.reached
        commit = f", {to.git_commit[:7]}" if to.git_commit else ""
        return f"From {known} to revision {to.n} ({to.at[:10]}, {to.author}{commit})."
    other = "" if base.target == changes.target else f" (applied with target {base.target})"
    return f"Against {known}, target {changes.target}{other}."


def _view(view: ViewChange, consumers: Sequence[Consumer]) -> Iterator[str]:
    head = [view.view]
    if view.before is None:
        head.append(f"v{view.after}")
    elif view.after is None:
        head.append(f"v{view.before} → gone")
    elif view.after != view.before:
        head.append(f"v{view.before} → v{view.after}")
    else:
        head.append(f"v{view.before}")
    if view.kinds and view.kinds not in (("new",), ("removed",)):
        head.append(", ".join(view.kinds))
    causes = ", ".join(dict.fromkeys(cause.file or f"{cause.kind} {cause.name}" for cause in view.causes))
    yield "  " + "  ".join([*head, *([causes] if causes else [])])
    width = max((len(change.feature) for change in view.features), default=0)
    for change in view.features:
        yield f"    {_feature(change, width)}".rstrip()
    if view.unchanged and not {"keys", "times", "entity"} & set(view.kinds):
        yield f"    = {view.unchanged} feature{'' if view.unchanged == 1 else 's'} unchanged"
    if view.reload and view.before is not None:
        yield f"    reload the online table: asknown materialize {view.view}"
    elif "removed" in view.kinds:
        yield "    drop it from the online table: asknown materialize --prune"
    yield from _effects(view, consumers)


def _effects(view: ViewChange, consumers: Sequence[Consumer]) -> Iterator[str]:
    """A line for those whom the change breaks, and one for those who need to train again."""
    effects: tuple[Effect, ...] = ("breaks", "retrain")
    for effect in effects:
        named = [
            _named(one) + ("" if one.pinned is None else f" pins v{one.pinned}")
            for one in consumers
            if view.effect_on(one) == effect
        ]
        if named:
            yield f"    {effect}: {', '.join(named)}"
    pinned = [f"{_named(one)} at v{one.pinned}" for one in consumers if view.effect_on(one) == "pinned"]
    if pinned:
        yield f"    stays as it is for {', '.join(pinned)}"


def _named(consumer: Consumer) -> str:
    """The consumer with its kind, unless it is a feature service, and its owner."""
    kind = "" if consumer.kind == "service" else f"{consumer.kind} "
    owner = f" (owner {consumer.owner})" if consumer.owner else ""
    return f"{kind}{consumer.name}{owner}"


def _feature(change: FeatureChange, width: int) -> str:
    line = f"{_MARKS.get(change.kind, '~')} {change.feature.ljust(width)}  {change.kind}"
    if change.kind == "order":
        tied = change.tied_rows
        line += (
            "  may change where rows tie"
            if tied is None
            else f"  may change: {tied:,} tied rows"
            if tied
            else "  unchanged: no tied rows"
        )
    elif change.alike:
        line += f"  already exists as {change.alike}"
    elif change.kind == "renamed":
        line += f"  was {change.before}"
    elif change.kind in ("values", "type") and change.before != change.after:
        line += "  {}  →  {}".format(*_difference(change.before, change.after))
    elif change.kind == "values":
        line += "  through a model below it"
    if change.whole and change.kind != "new":
        line += f"  (whole view: {_short(change.whole)})"
    return line


def _difference(before: str, after: str) -> tuple[str, str]:
    """Both texts in one line each; where one is long, without what they begin with alike."""
    lines = (" ".join(before.split()), " ".join(after.split()))
    if max(map(len, lines)) <= _SHOWN:
        return lines
    pairs = enumerate(zip(*lines, strict=False))
    alike = next((place for place, (a, b) in pairs if a != b), min(map(len, lines)))
    start = max(0, alike - _SHOWN // 3)
    return _short("…" * bool(start) + lines[0][start:]), _short("…" * bool(start) + lines[1][start:])


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= _SHOWN else line[: _SHOWN - 1] + "…"


def _counted(changes: ProjectChanges) -> str:
    if changes.nothing:
        said = "Nothing to do" if changes.reached is None else "Nothing changed"
        return f"{said}: {_views(changes.unchanged, 'is', 'are')} unchanged."
    breaking = changes.breaking
    counts = {
        "breaking": len(breaking),
        "with other values": sum("values" in view.all_kinds for view in changes.views),
        "new": sum(view.kinds == ("new",) for view in changes.views),
    }
    said = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
    verbs = ("changes", "change") if changes.reached is None else ("changed", "changed")
    changed = _views(len(changes.views), *verbs)
    rest = f"{changes.unchanged} {'is' if changes.unchanged == 1 else 'are'}"
    return f"{changed}{f' ({said})' if said else ''}, {rest} unchanged."


def _views(count: int, one: str, several: str) -> str:
    return f"{count} view {one}" if count == 1 else f"{count} views {several}"


def change_records(changes: ProjectChanges) -> Iterator[dict[str, Any]]:
    """One record for each change of a view, of a feature and of a service."""
    for view in changes.views:
        common = {
            "view": view.view,
            "from": view.before,
            "to": view.after,
            "reload": view.reload,
            "causes": [{"kind": c.kind, "name": c.name, "file": c.file} for c in view.causes],
        }
        consumers = [
            {"kind": one.kind, "name": one.name, "owner": one.owner, "effect": effect}
            | ({} if one.pinned is None else {"version": one.pinned})
            for one in changes.consumers.get(view.view, ())
            if (effect := view.effect_on(one)) is not None
        ]
        for kind in view.kinds:
            yield {**common, "feature": None, "kind": kind, "before": "", "after": "", "tied_rows": None} | {
                "consumers": consumers if kind in RETRAIN else []
            }
        for change in view.features:
            yield {
                **common,
                "feature": change.feature,
                "kind": change.kind,
                "before": change.before,
                "after": change.after,
                "tied_rows": change.tied_rows,
                **({"alike": change.alike} if change.alike else {}),
                "consumers": consumers if change.kind in RETRAIN else [],
            }
    for service in changes.services:
        yield {"service": service.service, "kind": service.kind, "features": list(service.features)}
    for pin in changes.pins:
        yield {"pin": pin, "kind": "pin"}


def describe_differences(differences: Sequence[FeatureDiff]) -> Iterator[str]:
    """A table of the features whose values differ, and how many do not."""
    rows = [
        (f"{d.view}:{d.feature}", d.changed, d.appeared, d.vanished, d.rounding, _first(d))
        for d in differences
        if d.changed or d.rounding
    ]
    yield ""
    yield f"On {differences[0].rows:,} rows of the spine:"
    if rows:
        heads = ("feature", "rows changed", "NULL to value", "value to NULL", "rounding", "first change")
        yield from lay_out(heads, rows, null="", width=terminal_width(), shorten=True)
    equal = len(differences) - len(rows)
    if equal:
        yield f"{equal} feature{'' if equal == 1 else 's'} of the changed views {'is' if equal == 1 else 'are'} equal."


def _first(diff: FeatureDiff) -> str:
    if diff.first is None:
        return ""
    row, before, after = diff.first
    return f"{', '.join(as_text(value) for value in row.values())}: {_value(before)} → {_value(after)}"


def _value(value: Any) -> str:
    return "NULL" if value is None else as_text(value)


def diff_records(differences: Sequence[FeatureDiff]) -> Iterator[dict[str, Any]]:
    """One record for each feature that was compared."""
    for d in differences:
        first = None if d.first is None else {"spine": d.first[0], "before": d.first[1], "after": d.first[2]}
        yield {
            "view": d.view,
            "feature": d.feature,
            "kind": "diff",
            "rows": d.rows,
            "changed": d.changed,
            "null_to_value": d.appeared,
            "value_to_null": d.vanished,
            "rounding": d.rounding,
            "first": first,
        }
