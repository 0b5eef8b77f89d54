"""`asknown get`: reads features from the online table."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from asknown.cli.arguments import complete, parse_instant, stored
from asknown.cli.entities import read_entities
from asknown.cli.output import Format, format_option, write_json, write_rows
from asknown.cli.session import ProjectCommand, Session

if TYPE_CHECKING:
    from asknown.online.answer import OnlineResponse, Status


@click.command("get", cls=ProjectCommand)
@click.argument("words", nargs=-1, required=True, metavar="FEATURES... [KEY=VALUE]...", shell_complete=complete(stored))
@click.option("--rows", "file", metavar="FILE", help="Many entities: JSON lines (.jsonl, or - for stdin) or CSV.")
@click.option("--at", metavar="INSTANT", help="The instant to read at (default: now).")
@click.option("--full-names", is_flag=True, help="Name the features view__feature.")
@format_option()
@click.pass_obj
def command(
    session: Session, *, words: tuple[str, ...], file: str | None, at: str | None, full_names: bool, kind: Format
) -> None:
    """Read features from the online table.

    FEATURES are feature services, feature views and view:feature. KEY=VALUE names the entity. Prints each feature's
    value, status (PRESENT, NULL_VALUE, NOT_FOUND, OUTSIDE_MAX_AGE) and event time; with --rows, a row for each entity,
    with the status in place of a missing value. JSON has all of these; CSV has the values only.

    \b
    Examples:
      asknown get carrier_delays carrier=UA
      asknown get route_history origin=EWR dest=IAH --at '2013-12-31 12:30'
      echo '{"carrier": "UA"}' | asknown get carrier_delays:last_arr_delay --rows - --format json
    """
    features = [word for word in words if "=" not in word]
    typed = _read_pairs([word for word in words if "=" in word])
    if not features:
        raise _usage("no features given: name a feature service, a feature view or view:feature")
    if file is not None and typed:
        raise _usage("give entities as KEY=VALUE or with --rows, not both")
    instant = None if at is None else parse_instant(at, "--at")
    with session.open_reader() as reader:
        entities = read_entities(reader, features, typed, file, full_names=full_names)
        response = reader.get_online_features(features, entities, at=instant, full_feature_names=full_names)
    _write(response, kind, alone=file is None)


def _read_pairs(words: list[str]) -> dict[str, str]:
    pairs: dict[str, str] = {}
    for word in words:
        name, _, value = word.partition("=")
        if not name:
            raise _usage(f"'{word}' names no key: write KEY=VALUE")
        if name in pairs:
            raise _usage(f"the key '{name}' is given twice; give several entities with --rows")
        pairs[name] = value
    return pairs


def _usage(message: str) -> click.UsageError:
    return click.UsageError(message, click.get_current_context())


def _write(response: OnlineResponse, kind: Format, *, alone: bool) -> None:
    statuses, times = response.statuses(), response.event_timestamps()
    if kind == "json":
        write_json(
            {
                "entity": {name: value for name, value in row.items() if name not in statuses},
                "values": {name: row[name] for name in statuses},
                "statuses": {name: column[place] for name, column in statuses.items()},
                "event_timestamps": {name: column[place] for name, column in times.items()},
            }
            for place, row in enumerate(response.rows())
        )
    elif kind == "table" and alone:
        (row,) = response.rows()
        lines = [(name, row[name], statuses[name][0], times[name][0]) for name in statuses]
        write_rows(kind, ("feature", "value", "status", "event time"), lines)
    else:
        columns = response.to_dict()
        if kind == "table":
            columns |= {name: _shown(columns[name], statuses[name]) for name in statuses}
        write_rows(kind, list(columns), list(zip(*columns.values(), strict=True)))


def _shown(values: list[Any], statuses: list[Status]) -> list[Any]:
    """The values, with the status in place of each missing one."""
    absent = ("NOT_FOUND", "OUTSIDE_MAX_AGE")
    return [status if status in absent else value for value, status in zip(values, statuses, strict=True)]
