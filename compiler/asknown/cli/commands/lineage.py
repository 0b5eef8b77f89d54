"""`asknown lineage`: the columns of sources that a feature comes from, or what comes from a column."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from asknown.cli.arguments import complete, requestable
from asknown.cli.output import FORMATS, write_json, write_lines, write_rows
from asknown.cli.session import ProjectCommand, Session
from asknown.errors import AsknownError, did_you_mean

if TYPE_CHECKING:
    from asknown.catalog.lineage import Edge
    from asknown.store import FeatureStore

_DRAWN = ("mermaid", "openlineage")
COLUMNS = ("feature", "role", "source", "column", "uncertain")


@click.command("lineage", cls=ProjectCommand)
@click.argument("name", shell_complete=complete(requestable))
@click.option("--down", is_flag=True, help="NAME is a source's column or table: list the features that come from it.")
@click.option("--mermaid", is_flag=True, help="The same as --format mermaid.")
@click.option(
    "--format",
    "shape",
    type=click.Choice([*FORMATS, *_DRAWN]),
    default="table",
    help="Output format.",
    show_default=True,
)
@click.pass_obj
def command(session: Session, *, name: str, down: bool, mermaid: bool, shape: str) -> None:
    """List the columns of sources that a feature comes from.

    NAME is a view or view:feature. Each column has a role: value makes the value; filter, join, group and row decide
    which rows there are; key and time say whose they are, and when. Where the SQL cannot be resolved, every column
    below is listed as uncertain, with the reason.

    \b
    Examples:
      asknown lineage carrier_delays:late_share_24h
      asknown lineage nyc.flights.arr_delay --down
      asknown lineage origin_weather --format mermaid
      asknown lineage carrier_delays --format openlineage
    """
    with session.open_store() as store:
        edges = list(_down(store, name) if down else _up(store, name))
        project = store.project
    if mermaid or shape == "mermaid":
        write_lines(_diagram(edges))
    elif shape == "openlineage":
        from asknown.cli.open_lineage import lineage_events

        write_json(lineage_events(project, edges))
    else:
        write_rows(
            next(kind for kind in FORMATS if kind == shape),
            COLUMNS,
            [(feature, edge.role, edge.table, edge.column, edge.reason) for feature, edge in edges],
            null="",
            shorten=True,
        )


def _up(store: FeatureStore, name: str) -> Iterator[tuple[str, Edge]]:
    view, colon, feature = name.partition(":")
    if not store.catalog.is_asked(view):
        raise AsknownError(
            "unknown-view",
            f"there is no view '{view}'",
            hint=did_you_mean(view, store.catalog.asked_names(), what="views"),
        )
    found = store.lineage(view)
    if colon and feature not in found:
        raise AsknownError(
            "unknown-feature",
            f"view '{view}' has no feature '{feature}'",
            hint=did_you_mean(feature, found, what="its features"),
        )
    for one in [feature] if colon else found:
        for edge in found[one]:
            yield f"{view}:{one}", edge


def _down(store: FeatureStore, name: str) -> Iterator[tuple[str, Edge]]:
    tables = {f"{source}.{table}": table for source, table in store.project.sources}
    table = next((known for known in tables if name == known or name.startswith(known + ".")), None)
    if table is None:
        raise AsknownError(
            "unknown-source",
            f"there is no table of a source '{name}'",
            hint=f"{did_you_mean(name, tables, what='tables')}; a column is written {next(iter(tables), 's.t')}.column",
        )
    column = name.removeprefix(table).removeprefix(".").casefold()
    for view in [*store.catalog.views(), *store.catalog.on_demand_views()]:
        for feature, edges in store.lineage(view).items():
            for edge in edges:
                if edge.table == table and column in ("", edge.column.casefold()):
                    yield f"{view}:{feature}", edge


def _diagram(edges: list[tuple[str, Edge]]) -> Iterator[str]:
    """The edges as a Mermaid flowchart: solid where a column makes the value, dotted where it decides the rows."""
    yield "flowchart LR"
    columns = list(dict.fromkeys(f"{edge.table}.{edge.column}" for _, edge in edges))
    features = list(dict.fromkeys(feature for feature, _ in edges))
    for letter, names in (("c", columns), ("f", features)):
        for place, name in enumerate(names):
            shown = name.replace("&", "&amp;").replace('"', "&quot;")
            yield f'  {letter}{place}["{shown}"]'
    for feature, edge in edges:
        arrow = "-->" if edge.role == "value" else f"-. {edge.role} .->"
        yield f"  c{columns.index(f'{edge.table}.{edge.column}')} {arrow} f{features.index(feature)}"
