"""`asknown search`: finds applied features by words in their descriptions."""

from __future__ import annotations

import click

from asknown.cli.arguments import complete, requestable
from asknown.cli.output import Format, format_option, write_rows
from asknown.cli.progress import say
from asknown.cli.session import ProjectCommand, Session

COLUMNS = ("feature", "type", "version", "owner", "project", "description")


@click.command("search", cls=ProjectCommand)
@click.argument("words", nargs=-1)
@click.option(
    "--like",
    metavar="VIEW:FEATURE",
    shell_complete=complete(requestable),
    help="Find features with the same values, or of the same columns, as this one.",
)
@click.option("--all", "everywhere", is_flag=True, help="Search all projects of the registry.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most this many features.")
@format_option("shape")
@click.pass_obj
def command(
    session: Session, *, words: tuple[str, ...], like: str | None, everywhere: bool, limit: int, shape: Format
) -> None:
    """Find applied features by their words.

    Finds features with all WORDS in their name, view, description, tags or SQL, best match first. The last may be the
    start of a word. With --like, finds features by the meaning of their SQL instead, whatever they are called.

    \b
    Examples:
      asknown search delay carrier
      asknown search "average delay" --all
      asknown search --like carrier_delays:last_arrived_late
    """
    if bool(words) == bool(like):
        raise click.UsageError("give words to search for, or --like view:feature")
    if like is not None:
        _search_like(session, like, everywhere=everywhere, limit=limit, shape=shape)
        return
    from asknown.project import load_settings
    from asknown.project.profiles import load_registry
    from asknown.store.registry_copies import open_registry

    settings = load_settings(session.project)
    with open_registry(load_registry(settings)) as reader:
        hits = reader.search(" ".join(words).split(), None if everywhere else settings.name, limit)
    rows = [(f"{h.view}:{h.feature}", h.type, f"v{h.version}", h.owner, h.project, h.description) for h in hits]
    write_rows(shape, COLUMNS, rows, null="", shorten=True)
    if reader.absent:
        say("nothing was applied yet: asknown apply")
    elif not hits:
        say("no applied feature has all these words")


def _search_like(session: Session, reference: str, *, everywhere: bool, limit: int, shape: Format) -> None:
    from asknown.store.alike import find_alike

    with session.open_store() as store:
        found = find_alike(store, reference, everywhere=everywhere)
    rows = []
    for one in found[:limit]:
        stored = one.stored
        kind, version, words = (
            ("", "", "") if stored is None else (stored.type, f"v{stored.version}", stored.description)
        )
        rows.append((f"{one.view}:{one.feature}", one.why, kind, version, one.owner, one.project, words))
    write_rows(shape, ("feature", "like it in", *COLUMNS[1:]), rows, null="", shorten=True)
    if not found:
        say(f"no other feature gives the values of {reference}, or reads the same columns")
