"""`asknown follow`: keeps a replica of a published online table."""

from __future__ import annotations

import threading
from pathlib import Path

import click

from asknown.cli.errors import show_error
from asknown.cli.progress import say
from asknown.cli.session import debug_option
from asknown.cli.stopping import stopped_by_signals
from asknown.durations import microseconds
from asknown.errors import AsknownError


@click.command("follow", params=[debug_option()])
@click.argument("place")
@click.argument("replica", type=click.Path(dir_okay=False, path_type=Path))
@click.option("--every", default="5 seconds", show_default=True, metavar="DURATION", help="How often to look.")
@click.option("--once", is_flag=True, help="Look once, and exit with 1 if that fails.")
@click.option("--allow-older", is_flag=True, help="Also take a snapshot that is older than the replica.")
def command(*, place: str, replica: Path, every: str, once: bool, allow_older: bool) -> None:
    """Keep a replica of the online table that is published.

    Looks at PLACE, and when a new snapshot is there, checks its hash and renames it over the file REPLICA. Processes
    that read REPLICA see it at their next read. What is damaged, older, or of another target changes nothing, says so
    and is tried again. Needs no project. Ends on SIGTERM.

    \b
    Examples:
      asknown follow published replica.db --once
    """
    seconds = microseconds(every) / 1_000_000
    if seconds <= 0:
        raise AsknownError("bad-duration", "--every must be longer than nothing", hint="--every '5 seconds'")
    with stopped_by_signals() as stop:
        _follow(place, replica, stop, allow_older=allow_older, once=once, seconds=seconds)


def _follow(place: str, replica: Path, stop: threading.Event, *, allow_older: bool, once: bool, seconds: float) -> None:
    """Looks at the place again and again until ``stop``; with ``once``, one time."""
    known: str | None = None
    said = ""
    while not stop.is_set():
        try:
            known = _look(place, replica, known, allow_older=allow_older)
            said = ""
        except AsknownError as error:
            if once:
                raise
            if str(error) != said:  # once, and not every few seconds
                show_error(error)
            said = str(error)
        if once:
            return
        stop.wait(seconds)


def _look(place: str, replica: Path, known: str | None, *, allow_older: bool) -> str:
    """The hash of the replica, after one look at the place."""
    from asknown.online.backend import follow_table

    if not replica.parent.is_dir():
        raise AsknownError("snapshot", f"the folder {replica.parent} does not exist", hint=f"mkdir -p {replica.parent}")
    found = follow_table(place, replica, known=known, allow_older=allow_older)
    if found.outcome == "replaced":
        loaded = max((view.watermark for view in found.manifest.views.values()), default="")
        say(f"{replica} is the snapshot {found.manifest.sha256[:12]}, loaded up to {loaded}")
    return found.manifest.sha256
