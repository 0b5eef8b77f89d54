"""`asknown show`: describes one thing, or prints a model's first rows."""

from __future__ import annotations

from collections.abc import Iterator

import click

from asknown.cli.arguments import complete, everything
from asknown.cli.description import Description, find_descriptions
from asknown.cli.errors import show_error
from asknown.cli.output import Format, format_option, write_json, write_lines, write_rows
from asknown.cli.progress import working
from asknown.cli.session import ProjectCommand, Session
from asknown.cli.table import lay_out, pairs, terminal_width
from asknown.cli.values import rows_of
from asknown.errors import AsknownError, printable


@click.command("show", cls=ProjectCommand)
@click.argument("name", shell_complete=complete(everything))
@click.option("--limit", type=click.IntRange(min=0), metavar="N", help="Print a model's first N rows instead.")
@format_option()
@click.pass_obj
def command(session: Session, *, name: str, limit: int | None, kind: Format) -> None:
    """Show a model, view, service, entity or source.

    A view's name may have a version, as in carrier_delays@v3, to show the view as it was applied.

    Prints its description, its configuration and what it reads, then its features or columns with their types, and
    each feature in words; or, with --limit, a model's first rows. CSV has the features or columns only.

    \b
    Examples:
      asknown show carrier_delays
      asknown show carrier_delays --limit 5
      asknown show nyc.flights
    """
    if limit is not None:
        _print_rows(session, name, limit, kind)
        return
    faults: list[AsknownError] = []
    with session.open_store() as opened:
        store, name = opened.at_version(name)
        found = find_descriptions(store, name, faults)
    if kind == "json":
        write_json(one.as_record() for one in found)
    elif kind == "csv":
        write_rows(kind, found[0].columns, found[0].rows)
    else:
        write_lines(_describe(found))
    for fault in faults:
        show_error(fault)
    if faults:
        click.get_current_context().exit(1)


def _print_rows(session: Session, name: str, limit: int, kind: Format) -> None:
    with session.open_store() as opened:
        store, name = opened.at_version(name)
        if name not in store.project.models and find_descriptions(store, name, []):
            context = click.get_current_context()
            raise click.UsageError(f"--limit prints a model's rows, and '{name}' is not a model", context)
        with working(f"reading {name}"):
            table = store.preview(name, limit)
        write_rows(kind, table.column_names, rows_of(table.to_batches()))


def _describe(found: list[Description]) -> Iterator[str]:
    for place, one in enumerate(found):
        if place:
            yield ""
        yield f"{one.kind} {one.name}"
        if one.description:
            yield printable(one.description)
        yield ""
        yield from pairs(one.facts)
        if one.rows:
            yield ""
            listed = [place for place, column in enumerate(one.columns) if column != "words"]
            filled = [place for place in listed if any(row[place] for row in one.rows)]
            rows = [[row[place] for place in filled] for row in one.rows]
            heads = [one.columns[place] for place in filled]
            yield from lay_out(heads, rows, null="", width=terminal_width(), shorten=True)
        if "words" in one.columns and any(row[-1] for row in one.rows):
            yield ""
            yield from pairs([(f"{row[0]}:", row[-1]) for row in one.rows])
