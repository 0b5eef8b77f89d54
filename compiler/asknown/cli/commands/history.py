"""`asknown history`: lists what was applied."""

from __future__ import annotations

import click

from asknown.cli.output import Format, format_option, write_rows
from asknown.cli.session import ProjectCommand, Session

COLUMNS = ("revision", "at", "by", "kind", "commit", "message", "changes")
RUN_COLUMNS = ("at", "by", "kind", "views", "rows", "watermark", "read", "content", "file")


@click.command("history", cls=ProjectCommand)
@click.argument("view", required=False)
@click.option("--runs", is_flag=True, help="List the loads and the training sets instead.")
@format_option("shape")
@click.pass_obj
def command(session: Session, *, view: str | None, runs: bool, shape: Format) -> None:
    """List the revisions of the project, newest first.

    With VIEW, lists only those that changed it. A * after the commit means that the files differed from it.
    With --runs, lists what materialize and train did: the versions and rows, watermark of a load and what it read,
    and file and hash of a training set.

    \b
    Examples:
      asknown history
      asknown history carrier_delays
      asknown history --runs
    """
    if runs:
        _list_runs(session, view, shape)
        return
    with session.open_store() as store:
        revisions = store.registry.history(view)
    rows = [
        (r.n, r.at, r.author, r.kind, f"{r.git_commit[:7]}{'*' * bool(r.git_dirty)}" if r.git_commit else "", r.message,
         r.changes)
        for r in revisions
    ]  # fmt: skip
    write_rows(shape, COLUMNS, rows, null="", shorten=True)


def _list_runs(session: Session, view: str | None, shape: Format) -> None:
    with session.open_store() as store:
        found = store.registry.runs()
    rows = [
        (r.at, r.author, r.kind, r.views, r.rows, r.watermark, r.read, r.digest and r.digest[:16], r.path)
        for r in found
        if view is None or any(one.partition("@")[0] == view for one in r.views)
    ]
    write_rows(shape, RUN_COLUMNS, rows, null="", shorten=True)
