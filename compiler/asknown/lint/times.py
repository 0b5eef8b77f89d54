"""Rules on instants: times without a zone, and a ttl that does not fit how often rows come."""

from __future__ import annotations

from collections.abc import Iterator

from sqlglot import exp

from asknown.durations import spell
from asknown.lint.known import feature_names, item_of, stored_below
from asknown.lint.nodes import Found, Subject
from asknown.lint.order import origins_of_role
from asknown.model.lineage import Computed
from asknown.model.windows import has_trailing_windows, is_trailing


def time_is_naive(subject: Subject) -> Iterator[Found]:
    """Times of the view that carry no zone, and those that are taken out of UTC."""
    config = subject.view.rendered.config
    for role in dict.fromkeys(filter(None, (config.event_time, config.known_at, config.created_at))):
        for origin in origins_of_role(subject, role):
            if isinstance(origin, Computed) and origin.model is subject.model and _leaves_utc(origin.expression):
                yield Found(
                    subject.says(f"'{role}' is a time on another clock, which would count as UTC"),
                    subject.places.near(origin.expression),
                    "keep the instant itself, with its zone or in UTC",
                )
        if subject.is_view:
            for relation, column in dict.fromkeys(stored_below(subject, role)):
                table = subject.context.tables.get(relation)
                kinds = subject.context.known(relation) or {}
                kind = next((kind for name, kind in kinds.items() if name.casefold() == column), None)
                if table is not None and table.timezone is None and kind is not None and kind.kind == "timestamp":
                    yield Found(
                        f"source '{relation}' has no timezone, so its {column} counts as UTC; '{role}' of "
                        f"'{subject.view.name}' comes from it",
                        table.at,
                        "say timezone: UTC, or the zone whose clock it shows",
                    )


def _leaves_utc(value: exp.Expr) -> bool:
    """Whether an instant becomes a reading of a local clock: ``at time zone`` of a zoned value."""
    value = value.unnest()
    if isinstance(value, exp.AtTimeZone):
        zone, inner = value.args.get("zone"), value.this.unnest()
    elif isinstance(value, exp.Anonymous) and value.name.casefold() == "timezone" and len(value.expressions) == 2:
        zone, inner = value.expressions[0], value.expressions[1].unnest()
    else:
        return False
    if isinstance(zone, exp.Literal) and zone.name.upper() in ("UTC", "ETC/UTC", "GMT"):
        return False
    return (
        isinstance(inner, exp.AtTimeZone)
        or (isinstance(inner, exp.Cast) and inner.to.is_type("timestamptz"))
        or (isinstance(inner, exp.Anonymous) and inner.name.casefold() == "timezone")
    )


def ttl_misses_cadence(subject: Subject) -> Iterator[Found]:
    """A ttl that is shorter than the time between two rows, or none where rows come all the time."""
    if not subject.is_view:
        return
    config, context = subject.view.rendered.config, subject.context
    read = set(stored_below(subject, config.event_time or ""))
    tables = {relation: context.tables[relation] for relation, _ in read if relation in context.tables}
    for name, table in sorted(tables.items()):
        if table.cadence is None:
            continue
        every = spell(table.cadence)
        if config.ttl is not None and config.ttl < table.cadence:
            yield Found(
                f"the ttl of '{subject.view.name}' is {spell(config.ttl)}, and rows of '{name}' come every {every}",
                subject.places.config(),
                f"say a ttl of more than {every}: with less, most values are too old to be given",
            )
        elif config.ttl is None and _has_newest_row(subject):
            yield Found(
                f"'{subject.view.name}' has no ttl, and rows of '{name}' come every {every}: a value of last year "
                "would still be given",
                subject.places.config(),
                f"say how long a value holds: ttl='{spell(table.cadence * 3)}'",
            )


def _has_newest_row(subject: Subject) -> bool:
    """Whether an item of the view, beside its keys and times, is read from the newest row."""
    tree = subject.view.tree
    if not has_trailing_windows(subject.view):
        return True
    return any(
        not any(is_trailing(window, tree) for window in item_of(subject.view, name).find_all(exp.Window))
        for name in feature_names(subject)
    )
