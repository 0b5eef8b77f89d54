"""The rule on days as times: a day begins at another instant in each time zone (rule 1)."""

from __future__ import annotations

from collections.abc import Iterator

from asknown.lint.nodes import Found, Subject
from asknown.lint.order import origins_of_role
from asknown.model.lineage import Stored

_AT_UTC = {"utc", "etc/utc", "gmt", "etc/gmt", "zulu", "etc/zulu", "universal", "etc/universal", "uct", "etc/uct"}


def reads_local_days(subject: Subject) -> Iterator[Found]:
    """A view whose time is a date of a source with a time zone, where its days begin at another instant than in UTC."""
    if not subject.is_view:
        return
    config = subject.view.rendered.config
    roles = {"event_time": config.event_time, "known_at": config.known_at, "created_at": config.created_at}
    for role, name in roles.items():
        for origin in origins_of_role(subject, name):
            is_day = isinstance(origin, Stored) and origin.type is not None and origin.type.kind == "date"
            table = subject.context.tables.get(origin.relation) if isinstance(origin, Stored) else None
            zone = table.timezone if table is not None else None
            if is_day and zone is not None and zone.casefold() not in _AT_UTC:
                yield Found(
                    f"{role} of '{subject.view.name}' ('{name}') is a date of a source in {zone}, and would begin at "
                    "midnight in UTC",
                    next(iter(subject.places.words({str(name).casefold()})), subject.places.start()),
                    f"write the instant at which the day begins: {{{{ to_utc('{name}', \"'{zone}'\") }}}} as {name}",
                )
                break
