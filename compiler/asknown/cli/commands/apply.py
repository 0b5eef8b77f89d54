"""`asknown apply`: records the project in the registry."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import click

from asknown.cli.changes import describe_changes
from asknown.cli.progress import is_terminal, say
from asknown.cli.session import ProjectCommand, Session

if TYPE_CHECKING:
    from asknown.store.comparison import ProjectChanges


@click.command("apply", cls=ProjectCommand)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("-m", "--message", default="", metavar="TEXT", help="The reason, for the history.")
@click.option(
    "--accept", multiple=True, metavar="REF", help="Accept this breaking change: a view, view:feature or service."
)
@click.pass_obj
def command(session: Session, *, yes: bool, message: str, accept: tuple[str, ...]) -> None:
    """Record the project's current definitions in the registry.

    Shows the changes, as plan does, asks for confirmation, and writes one revision, in which each changed view gets a
    new version. Loads nothing: materialize does that. Refuses a breaking change unless --accept names it.

    \b
    Examples:
      asknown apply --yes -m 'late means 20 minutes'
      asknown apply --yes --accept route_history:route_carriers_7d
    """

    shown = False

    def show(changes: ProjectChanges) -> None:
        nonlocal shown
        shown = True
        for line in describe_changes(changes):
            say(line)

    def confirm(_: ProjectChanges) -> bool:
        if yes:
            return True
        if not is_terminal(sys.stderr) or not sys.stdin.isatty():
            raise click.UsageError("apply asks for confirmation, but there is no terminal: add --yes")
        return click.confirm("Apply?", err=True)

    with session.open_store() as store:
        registry = store.registry
        revision = registry.apply(message, accept, confirm, show)
        name, place = store.project.settings.name, store.project.profile.registry
    if revision is not None:
        say(f"revision {revision.n} of {name} written to {place}")
        if registry.unpublished is not None:
            say(f"warning: {registry.unpublished}")
    else:
        say("nothing was written" if shown else "nothing to do: the registry has the project as it is")
