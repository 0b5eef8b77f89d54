"""`asknown search`: finds applied features by words in their descriptions."""

from __future__ import annotations

import click

from asknown.cli.output import Format, format_option, write_rows
from asknown.cli.progress import say
from asknown.cli.session import ProjectCommand, Session

COLUMNS = ("feature", "type", "version", "owner", "project", "description")


@click.command("search", cls=ProjectCommand)
@click.argument("words", nargs=-1, required=True)
@click.option("--all", "everywhere", is_flag=True, help="Search all projects of the registry.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most this many features.")
@format_option("shape")
@click.pass_obj
def command(session: Session, *, words: tuple[str, ...], everywhere: bool, limit: int, shape: Format) -> None:
    """Find applied features by their words.

    Finds features with all WORDS in their name, view, description, tags or SQL, best match first. The last may be the
    start of a word.

    \b
    Examples:
      asknown search delay carrier
      asknown search "average delay" --all
    """
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
