"""`asknown plan`: shows what an apply would change."""

from __future__ import annotations

import click

from asknown.cli.changes import change_records, describe_changes
from asknown.cli.output import Format, format_option, write_json, write_lines, write_rows
from asknown.cli.session import ProjectCommand, Session

COLUMNS = ("view", "feature", "kind", "from", "to", "before", "after", "tied_rows", "reload")


@click.command("plan", cls=ProjectCommand)
@click.option("--check", is_flag=True, help="Exit with 1 if a change breaks what was built on the applied versions.")
@format_option()
@click.pass_obj
def command(session: Session, *, check: bool, kind: Format) -> None:
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
    """
    with session.open_store() as store:
        changes = store.registry.changes()
    if kind == "json":
        write_json(change_records(changes))
    elif kind == "csv":
        records = [record for record in change_records(changes) if "view" in record]
        write_rows(kind, COLUMNS, ([record[column] for column in COLUMNS] for record in records))
    else:
        write_lines(describe_changes(changes))
    if check and changes.breaking:
        click.get_current_context().exit(1)
