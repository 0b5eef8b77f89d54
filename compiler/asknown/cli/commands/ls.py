"""`asknown ls`: lists the things of the project."""

from __future__ import annotations

import click

from asknown.cli.arguments import selecting, selection_of
from asknown.cli.errors import show_error
from asknown.cli.listing import KINDS, list_everything, list_kind
from asknown.cli.output import Format, format_option, write_rows
from asknown.cli.session import ProjectCommand, Session


@click.command("ls", cls=ProjectCommand)
@click.argument("kind", required=False, metavar="[KIND]", type=click.Choice(list(KINDS)))
@selecting
@format_option("shape")
@click.pass_obj
def command(
    session: Session, *, kind: str | None, chosen: tuple[str, ...], excluded: tuple[str, ...], shape: Format
) -> None:
    """List the project's models, views, services, entities, sources.

    Prints everything, or one KIND with its details: models, views, on-demand (views), services, entities, sources
    or features. Only features need access to the data.

    \b
    Examples:
      asknown ls
      asknown ls views
      asknown ls features --format json
      asknown ls models --select +carrier_delays
    """
    with session.open_store() as store:
        listing = list_everything(store) if kind is None else list_kind(store, kind)
        selection = selection_of(store, chosen, excluded)
        if selection is not None:
            place = listing.columns.index("view" if kind == "features" else "name")
            names = {*selection.models, *map(".".join, selection.sources)}
            listing.rows = [row for row in listing.rows if row[place] in names]
    write_rows(shape, listing.columns, listing.rows, null="", shorten=True)
    for fault in listing.faults:
        show_error(fault)
    if listing.faults:
        click.get_current_context().exit(1)
