"""`asknown rollback`: makes an earlier revision the newest again."""

from __future__ import annotations

import sys

import click

from asknown.cli.progress import is_terminal, say
from asknown.cli.session import ProjectCommand, Session


@click.command("rollback", cls=ProjectCommand)
@click.argument("revision", type=click.IntRange(min=1))
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("-m", "--message", default="", metavar="TEXT", help="The reason, for the history.")
@click.pass_obj
def command(session: Session, *, revision: int, yes: bool, message: str) -> None:
    """Make an earlier revision the newest.

    Appends a copy of REVISION as a new revision; the history keeps every revision. The project's files do not change,
    so also check out the commit of that revision, and load the online table again.

    \b
    Example:
      asknown rollback 1 --yes -m 'the new threshold was wrong'
    """
    if not yes:
        if not is_terminal(sys.stderr) or not sys.stdin.isatty():
            raise click.UsageError("rollback asks for confirmation, but there is no terminal: add --yes")
        if not click.confirm(f"Make revision {revision} the newest again?", err=True):
            say("nothing was written")
            return
    with session.open_store() as store:
        registry = store.registry
        written = registry.rollback(revision, message)
        earlier = next((r for r in registry.history() if r.n == revision), None)
        name = store.project.settings.name
    say(f"revision {written.n} of {name} restores revision {revision}")
    if registry.unpublished is not None:
        say(f"warning: {registry.unpublished}")
    if earlier is not None and earlier.git_commit:
        say(f"its files: git checkout {earlier.git_commit[:12]}")
    say("the online table follows with the next load: asknown materialize")
