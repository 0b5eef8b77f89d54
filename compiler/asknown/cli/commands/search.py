"""`asknown search`: finds applied features by words in their descriptions."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import click

from asknown.cli.arguments import complete, requestable
from asknown.cli.output import Format, format_option, write_rows
from asknown.cli.progress import say
from asknown.cli.session import ProjectCommand, Session
from asknown.errors import AsknownError, did_you_mean

if TYPE_CHECKING:
    from asknown.registry.nodes import Facets

COLUMNS = ("feature", "type", "version", "owner", "project", "description")


@click.command("search", cls=ProjectCommand)
@click.argument("words", nargs=-1)
@click.option(
    "--like",
    metavar="VIEW:FEATURE",
    shell_complete=complete(requestable),
    help="Find features with the same values, or of the same columns, as this one.",
)
@click.option("--owner", help="Only features of views of this owner.")
@click.option("--tag", help="Only features of views with this tag.")
@click.option("--entity", help="Only features of this entity.")
@click.option("--type", "sql_type", help="Only features of this type, such as double.")
@click.option("--service", help="Only features that this feature service has.")
@click.option("--all", "everywhere", is_flag=True, help="Search all projects of the registry.")
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="At most this many features.")
@format_option("shape")
@click.pass_obj
def command(
    session: Session,
    *,
    words: tuple[str, ...],
    like: str | None,
    owner: str | None,
    tag: str | None,
    entity: str | None,
    sql_type: str | None,
    service: str | None,
    everywhere: bool,
    limit: int,
    shape: Format,
) -> None:
    """Find applied features by their words.

    Finds features with all WORDS in their name, view, description, tags or SQL, best match first. The last may be the
    start of a word. Options narrow that down; with --owner, --tag, --entity, --type or --service, words may be left
    out. With --like, finds features by the meaning of their SQL instead, whatever they are called.

    \b
    Examples:
      asknown search delay carrier
      asknown search "average delay" --all
      asknown search delay --type double
      asknown search --service flight_delay_v1
      asknown search --like carrier_delays:last_arrived_late
    """
    from asknown.registry.nodes import ANY, Facets

    facets = Facets(owner, tag, entity, sql_type, service)
    if not (words or like or facets != ANY):
        raise click.UsageError("give words to search for, a condition such as --owner, or --like view:feature")
    if like is not None:
        if words or facets != ANY:
            raise click.UsageError("--like takes no words and no other condition: give words, or --like view:feature")
        _search_like(session, like, everywhere=everywhere, limit=limit, shape=shape)
        return
    from asknown.project import load_settings
    from asknown.project.profiles import load_registry
    from asknown.store.registry_copies import open_registry

    settings = load_settings(session.project)
    with open_registry(load_registry(settings)) as reader:
        project = None if everywhere else settings.name
        hits = reader.search(" ".join(words).split(), project, limit, facets)
        if not hits and not reader.absent:
            _refuse_unknown(facets, reader.facet_values(project))
    rows = [(f"{h.view}:{h.feature}", h.type, f"v{h.version}", h.owner, h.project, h.description) for h in hits]
    write_rows(shape, COLUMNS, rows, null="", shorten=True)
    if reader.absent:
        say("nothing was applied yet: asknown apply")
    elif not hits:
        asked = [*(("has all these words",) if words else ()), *(("meets all conditions",) if facets != ANY else ())]
        say(f"no applied feature {' and '.join(asked)}")


def _refuse_unknown(facets: Facets, known: Mapping[str, Sequence[str]]) -> None:
    """Raises ``bad-value`` for the first condition that no applied feature meets, with what there is."""
    for name, values in known.items():
        value = getattr(facets, name)
        there = map(str.lower, values) if name == "type" else values
        if value is not None and (value.lower() if name == "type" else value) not in there:
            plural = {"entity": "entities"}.get(name, f"{name}s")
            raise AsknownError(
                "bad-value",
                f"no applied feature has the {name} '{value}'",
                hint=did_you_mean(value, values, what=f"applied {plural}"),
            )


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
