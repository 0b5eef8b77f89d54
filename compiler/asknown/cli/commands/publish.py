"""`asknown publish`: publishes a snapshot of the online table."""

from __future__ import annotations

import click

from asknown.cli.progress import say
from asknown.cli.session import ProjectCommand, Session


@click.command("publish", cls=ProjectCommand)
@click.argument("place")
@click.pass_obj
def command(session: Session, *, place: str) -> None:
    """Publish a snapshot of the online table.

    PLACE is a folder, or an address that pyarrow knows, as in s3://bucket/flights. Run it after a load: followers take
    the snapshot over within seconds. Loads and readers may run meanwhile. The last three snapshots are kept.

    \b
    Examples:
      asknown publish published
    """
    from asknown.online.backend import publish_table
    from asknown.online.nodes import Owner
    from asknown.project import load_online, load_settings

    online = load_online(load_settings(session.project), session.target)
    manifest = publish_table(online.address, place, owner=Owner(online.project, online.target))
    views = "1 view" if len(manifest.views) == 1 else f"{len(manifest.views)} views"
    say(f"{views}, {manifest.size:,} bytes published to {place} as {manifest.file}")
