"""`asknown materialize`: loads the online table."""

from __future__ import annotations

import dataclasses
import time
from datetime import UTC
from typing import TYPE_CHECKING

import click

from asknown.cli.arguments import complete, parse_instant, requestable, selecting, selection_of
from asknown.cli.errors import say_findings
from asknown.cli.output import Format, format_option, write_json, write_rows
from asknown.cli.progress import counting_rows, say
from asknown.cli.session import ProjectCommand, Session
from asknown.durations import microseconds
from asknown.errors import AsknownError

if TYPE_CHECKING:
    from asknown.online.report import LoadReport
    from asknown.store import FeatureStore


@click.command("materialize", cls=ProjectCommand)
@click.argument("views", nargs=-1, metavar="[VIEW]...", shell_complete=complete(requestable))
@selecting
@click.option(
    "--until",
    metavar="INSTANT",
    help="Load what is known at this instant (default: now); a date means its start, in UTC.",
)
@click.option("--full-refresh", is_flag=True, help="Delete what was loaded before and load everything again.")
@click.option("--allow-shrink", is_flag=True, help="Go on even if more than a tenth of a view's keys would leave.")
@click.option("--prune", is_flag=True, help="Remove views that the project no longer loads.")
@click.option(
    "--wait",
    metavar="DURATION",
    default="1 minute",
    show_default=True,
    help="How long to wait while another load runs.",
)
@format_option()
@click.pass_obj
def command(
    session: Session,
    *,
    views: tuple[str, ...],
    chosen: tuple[str, ...],
    excluded: tuple[str, ...],
    until: str | None,
    full_refresh: bool,
    allow_shrink: bool,
    prune: bool,
    wait: str,
    kind: Format,
) -> None:
    """Load each entity's newest values into the online table.

    Loads each VIEW (default: all with online true) as of one instant, all of them or none. The table then holds what
    the sources say at that instant: edited rows take their new values, and keys that have left the sources leave. If
    more than a tenth of a view's keys would leave, nothing changes, unless --allow-shrink is given. An --until before
    the last load's needs --full-refresh. Prints what changed, a line for each view.

    \b
    Examples:
      asknown materialize --until '2013-12-31 12:00'
      asknown materialize --select tag:delay --until '2013-12-31 12:00'
      asknown materialize carrier_delays
    """

    started = time.perf_counter()
    instant = None if until is None else parse_instant(until, "--until")
    patience = microseconds(wait) / 1_000_000
    with session.open_store() as store:
        selection = selection_of(store, chosen, excluded)
        if selection is not None:
            online = [name for name in sorted(selection.models) if _is_loaded(store, name)]
            views = tuple(dict.fromkeys((*views, *online)))
            if not views:
                raise AsknownError("bad-selector", "no view that is loaded online is selected", hint="asknown ls views")
        with counting_rows() as on_rows:
            reports = store.materialize(
                instant,
                list(views) or None,
                full_refresh=full_refresh,
                allow_shrink=allow_shrink,
                prune=prune,
                wait=patience,
                on_rows=on_rows,
                on_wait=say,
            )
        path = store.project.profile.online.address
        findings = store.checks.errors_of(report.view for report in reports)
        untold = store.unrecorded
    _write_reports(reports, kind)
    for report in reports:
        _say_more(report)
    say_findings(findings)
    views_loaded = "1 view" if len(reports) == 1 else f"{len(reports)} views"
    if untold is not None:
        say(f"warning: {untold}")
    say(f"{views_loaded} loaded into {path} in {time.perf_counter() - started:.1f} s")


def _say_more(report: LoadReport) -> None:
    """Says on stderr what the table of reports has no column for."""
    if report.words is not None:
        say(f"{report.view}: load: {report.words}")
    if report.events_added or report.events_removed:
        say(f"{report.view}: events of its windows: {report.events_added:,} new, {report.events_removed:,} removed")
    if report.rows_ahead:
        say(f"{report.view}: rows that become visible later: {report.rows_ahead:,}")
    if report.beyond_at is not None:
        from_when = report.beyond_at.replace(tzinfo=None)
        say(f"{report.view}: rows too far ahead to keep: {report.rows_beyond:,}, the first from {from_when} UTC on")
    if report.skipped_null:
        say(f"{report.view}: {report.skipped_null:,} rows without a key were left out")
    if report.rows_future:
        say(f"{report.view}: {report.rows_future:,} rows of the future were left out")


def _is_loaded(store: FeatureStore, name: str) -> bool:
    """Whether a model is a feature view that the online table has."""
    return store.catalog.is_view(name) and store.catalog.model(name).rendered.config.online


def _write_reports(reports: list[LoadReport], kind: Format) -> None:
    if kind == "json":
        write_json(dataclasses.asdict(report) for report in reports)
        return
    if kind == "csv":
        names = [field.name for field in dataclasses.fields(reports[0])] if reports else []
        write_rows(kind, names, [dataclasses.astuple(report) for report in reports])
        return
    columns = ("view", "seen", "new", "changed", "removed", "unchanged", "watermark (UTC)")
    rows = [
        (
            r.view,
            r.rows_seen,
            r.new,
            r.changed,
            r.removed,
            r.unchanged,
            r.watermark.astimezone(UTC).replace(tzinfo=None),
        )
        for r in reports
    ]
    write_rows(kind, columns, rows)
