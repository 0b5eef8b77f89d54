"""`asknown history`: lists what was applied."""

from __future__ import annotations

import click

from asknown.cli.output import Format, format_option, write_rows
from asknown.cli.session import ProjectCommand, Session

COLUMNS = ("revision", "at", "by", "kind", "commit", "message", "changes")


@click.command("history", cls=ProjectCommand)
@click.argument("view", required=False)
@format_option("shape")
@click.pass_obj
def command(session: Session, *, view: str | None, shape: Format) -> None:
    """List the revisions of the project, newest first.

    With VIEW, lists only those that changed it. A * after the commit means that the files differed from it.

    \b
    Examples:
      asknown history
      asknown history carrier_delays
    """
    with session.open_store() as store:
        revisions = store.registry.history(view)
    rows = [
        (r.n, r.at, r.author, r.kind, f"{r.git_commit[:7]}{'*' * bool(r.git_dirty)}" if r.git_commit else "", r.message,
         r.changes)
        for r in revisions
    ]  # fmt: skip
    write_rows(shape, COLUMNS, rows, null="", shorten=True)
