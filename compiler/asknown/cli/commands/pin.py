"""`asknown pin`: writes the versions of other projects' views that this project uses into asknown.lock."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from asknown.cli.output import Format, format_option, write_rows
from asknown.cli.progress import say
from asknown.cli.session import ProjectCommand, Session

if TYPE_CHECKING:
    from asknown.store.pinning import Pinned

COLUMNS = ("view", "state", "newest", "deprecated", "hash")


@click.command("pin", cls=ProjectCommand)
@click.argument("views", nargs=-1, metavar="[VIEW]...")
@click.option("--update", is_flag=True, help="Take the newest version where the files name none.")
@click.option("--prune", is_flag=True, help="Drop pins that nothing in the project's files names.")
@format_option("shape")
@click.pass_obj
def command(session: Session, *, views: tuple[str, ...], update: bool, prune: bool, shape: Format) -> None:
    """Pin the views of other projects that this one uses.

    Looks up in the registry what the project's models, services and exposures name, such as flights.carrier_delays@v3,
    and what VIEW names. Writes the versions into asknown.lock and their SQL below .asknown/objects. Keep both in git:
    the project then compiles without the registry. A name without a version keeps the version that is pinned.

    \b
    Examples:
      asknown pin
      asknown pin flights.carrier_delays@v1
      asknown pin --update --prune
    """
    from asknown.project import load_project
    from asknown.store.pinning import pin_views
    from asknown.store.registry_copies import open_registry

    project = load_project(session.project, target=session.target)
    with open_registry(project.profile.registry) as reader:
        pinned = pin_views(project, reader, views, update=update, prune=prune)
    write_rows(shape, COLUMNS, map(_row, pinned), null="", shorten=True)
    unused = [one.pin.name for one in pinned if not one.used and one.state != "dropped"]
    if not pinned:
        say("the project names no view of another project: write flights.carrier_delays@v3, say, in a service")
    elif unused:
        say(f"no file of the project names {', '.join(unused)}: asknown pin --prune drops what nothing names")


def _row(one: Pinned) -> tuple[str, str, str, str, str]:
    when = "" if one.deprecated is None else one.deprecated.isoformat()
    return one.pin.name, one.state, f"v{one.newest}", when, one.pin.hash[:12]
