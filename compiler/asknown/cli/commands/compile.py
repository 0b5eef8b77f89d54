"""`asknown compile`: the SQL of a model, or of a training query."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from asknown.cli.arguments import complete, everything, models
from asknown.cli.progress import say
from asknown.cli.session import ProjectCommand, Session
from asknown.cli.writing import write_text
from asknown.errors import AsknownError

if TYPE_CHECKING:
    from asknown.store import FeatureStore


@click.command("compile", cls=ProjectCommand)
@click.argument("names", nargs=-1, required=True, metavar="NAME...", shell_complete=complete(everything))
@click.option(
    "--spine", metavar="SPINE", shell_complete=complete(models), help="Print the training query for this spine."
)
@click.option("--timestamp", metavar="COLUMN", help="The spine's timestamp column, if it is not event_timestamp.")
@click.option("--from", "earliest", metavar="INSTANT", help="The first instant of the table spine's rows to take.")
@click.option("--until", "latest", metavar="INSTANT", help="The last instant of the table spine's rows to take.")
@click.option("--full-names", is_flag=True, help="Name the columns view__feature.")
@click.option("--dialect", metavar="NAME", help="Write SQL for another engine, without a connection.")
@click.option("--model", "as_model", is_flag=True, help="Print a feature view's own select, not a training query.")
@click.option("-o", "--output", type=click.Path(dir_okay=False, path_type=Path), help="Write to a file.")
@click.pass_obj
def command(
    session: Session,
    *,
    names: tuple[str, ...],
    spine: str | None,
    timestamp: str | None,
    earliest: str | None,
    latest: str | None,
    full_names: bool,
    dialect: str | None,
    as_model: bool,
    output: Path | None,
) -> None:
    """Print the SQL that runs.

    For a plain model, prints its query, including every model below it. For feature services, feature views and
    view:feature, prints their training query: for --spine if it is given, else for a table "spine" with the keys and
    event_timestamp. The output runs as it is in any session of the same database: one formatted statement, and on some
    engines lines before it that set the time zone.

    --from and --until restrict the table "spine" to a range of instants, and the views' rows to those that it can see,
    by plain conditions on their time columns: a warehouse then reads the partitions that it needs.

    \b
    Examples:
      asknown compile flight_times
      asknown compile flight_delay_v1 --spine flights_spine
      asknown compile carrier_delays --model > carrier_delays.sql
      asknown compile flight_delay_v1 --dialect postgres
      asknown compile carrier_delays --dialect bigquery --from 2013-06-01 --until 2013-07-01
    """
    _check_usage(names, spine, timestamp, as_model)
    if dialect is not None and spine is not None:
        raise click.UsageError("--dialect works without a connection, and --spine needs one: leave one of them out")
    if spine is not None and (earliest is not None or latest is not None):
        raise click.UsageError('--from and --until restrict the table "spine": the range of --spine is read from it')
    with session.open_store() as store:
        if spine is not None:
            sql = store.get_historical_features(spine, list(names), full_names, timestamp=timestamp).sql()
        elif as_model or _is_plain_model(store, names):
            if earliest is not None or latest is not None:
                raise click.UsageError("--from and --until are for training queries, and this is a model's own select")
            sql = store.compile_model(names[0], dialect=dialect)
        else:
            sql = store.compile_service(
                list(names), full_feature_names=full_names, dialect=dialect, from_=earliest, until=latest
            )
        statements = store.session_statements(dialect)
    if statements:
        sql = "".join(f"{statement};\n" for statement in statements) + sql + ";"
    write_text(sql, output)
    if output is not None:
        say(f"{output}: {len(sql.splitlines())} lines of SQL")


def _check_usage(names: tuple[str, ...], spine: str | None, timestamp: str | None, as_model: bool) -> None:
    context = click.get_current_context()
    if timestamp is not None and spine is None:
        raise click.UsageError("--timestamp names a column of the spine: add --spine", context)
    if as_model and spine is not None:
        raise click.UsageError("--model prints the view's own select, which has no spine: leave out --spine", context)
    if as_model and len(names) > 1:
        raise click.UsageError("--model prints one model at a time", context)


def _is_plain_model(store: FeatureStore, names: tuple[str, ...]) -> bool:
    """Whether the only name is a plain model. Raises an error if a plain model is one of several names."""
    plain = [name for name in names if name in store.project.models and not store.catalog.is_asked(name)]
    if plain and len(names) > 1:
        raise AsknownError(
            "bad-value",
            f"'{plain[0]}' is a plain model, which has no features",
            hint=f"compile it alone: asknown compile {plain[0]}",
        )
    return bool(plain)
