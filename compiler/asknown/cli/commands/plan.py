"""`asknown plan`: shows what an apply would change."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import click

from asknown.cli.arguments import complete, models
from asknown.cli.changes import change_records, describe_changes, describe_differences, diff_records
from asknown.cli.output import Format, format_option, write_json, write_lines, write_rows
from asknown.cli.progress import working
from asknown.cli.session import ProjectCommand, Session

if TYPE_CHECKING:
    from asknown.store.diff import FeatureDiff

COLUMNS = ("view", "feature", "kind", "from", "to", "before", "after", "tied_rows", "reload")


@click.command("plan", cls=ProjectCommand)
@click.option("--check", is_flag=True, help="Exit with 1 if a change breaks what uses the applied versions.")
@click.option(
    "--since",
    metavar="REVISION|INSTANT|DURATION",
    help="Compare with this revision, or with the newest one at this instant, instead of the newest of all.",
)
@click.option(
    "--until",
    metavar="REVISION|INSTANT|DURATION",
    help="With --since: compare with this revision, in place of the project's files.",
)
@click.option(
    "--diff",
    "spine",
    metavar="SPINE",
    shell_complete=complete(models),
    help="Count the values that differ on this spine.",
)
@click.option(
    "--rows", type=click.IntRange(min=1), default=5000, show_default=True, help="Rows of the spine to compare."
)
@format_option()
@click.pass_obj
def command(
    session: Session,
    *,
    check: bool,
    since: str | None,
    until: str | None,
    spine: str | None,
    rows: int,
    kind: Format,
) -> None:
    """Show what would change against the registry.

    Compares each view with its applied version, feature by feature. Names the cause of each change, the feature
    services that it affects, and what must be loaded or trained again.

    \b
    Kinds of changes, the mildest first:
      text, metadata, online     the features are the same
      new                        nothing that was there changes
      order                      values may change where rows tie on every time
      ttl, times, values, type   values change: train again
      keys, entity, renamed, removed
    The kinds on the last line, and type, break whatever uses the view.

    \b
    Examples:
      asknown plan
      asknown plan --check --format json
      asknown plan --diff flights_spine
      asknown plan --since 1
    """
    if until is not None and since is None:
        raise click.UsageError("--until says where a comparison ends: say with --since where it begins")
    with session.open_store() as store:
        changes = store.registry.changes(since, until)
        differences: list[FeatureDiff] = []
        if spine is not None:
            from asknown.store.diff import diff_values

            with working("comparing values"):
                differences = diff_values(store, changes.views, spine, rows, applied=until is not None)
    if kind == "json":
        write_json(itertools.chain(change_records(changes), diff_records(differences)))
    elif kind == "csv":
        records = [record for record in change_records(changes) if "view" in record]
        write_rows(kind, COLUMNS, ([record[column] for column in COLUMNS] for record in records))
    else:
        write_lines(describe_changes(changes))
        if differences:
            write_lines(describe_differences(differences))
    if check and changes.breaking:
        click.get_current_context().exit(1)
