"""`asknown train`: builds a training set, and prints it or writes it to a file."""

from __future__ import annotations

import time
from itertools import chain, islice
from pathlib import Path
from typing import TYPE_CHECKING

import click

from asknown.cli.arguments import complete, models, requestable
from asknown.cli.errors import say_findings
from asknown.cli.output import FORMATS, Format, write_lines, write_rows
from asknown.cli.progress import say, working
from asknown.cli.session import ProjectCommand, Session
from asknown.cli.values import rows_of

if TYPE_CHECKING:
    from asknown.store import RetrievalJob

FIRST = 10
BY_ENGINE = (".parquet", ".csv", "/")


@click.command("train", cls=ProjectCommand)
@click.argument("features", nargs=-1, required=True, shell_complete=complete(requestable))
@click.option(
    "--spine",
    required=True,
    metavar="SPINE",
    shell_complete=complete(models),
    help="The keys and instants: a model, a Parquet or CSV file, or SQL.",
)
@click.option("--timestamp", metavar="COLUMN", help="The spine's timestamp column, if it is not event_timestamp.")
@click.option(
    "-o",
    "--output",
    type=click.Path(dir_okay=False),
    metavar="FILE",
    help="Write to a .parquet or .csv file; on Spark also to a new FOLDER/.",
)
@click.option("--full-names", is_flag=True, help="Name the columns view__feature.")
@click.option("--statuses", is_flag=True, help="Add FEATURE__status: why a value is there, or is missing.")
@click.option(
    "--limit", type=click.IntRange(min=0), metavar="N", help=f"Print N rows (table: {FIRST}; json, csv: all)."
)
@click.option("--explain", is_flag=True, help="Print the plan, and build nothing.")
@click.option("--hindsight", is_flag=True, help="Count the rows where known_at hides a newer value.")
@click.option("--format", "kind", type=click.Choice(FORMATS), help="Output format (default: table).")
@click.pass_obj
def command(
    session: Session,
    *,
    features: tuple[str, ...],
    spine: str,
    timestamp: str | None,
    output: str | None,
    full_names: bool,
    statuses: bool,
    limit: int | None,
    explain: bool,
    hindsight: bool,
    kind: Format | None,
) -> None:
    """Build a training set: each row as known at its instant.

    FEATURES are feature services, feature views and view:feature. The result has every row of the spine
    once, in order, with the features' values as they were known at its instant. Prints rows, or writes all to a file.

    \b
    Examples:
      asknown train flight_delay_v1 --spine flights_spine -o train.parquet
      asknown train carrier_delays origin_weather:temp --spine data/departures.csv --format csv
      asknown train carrier_delays --spine "select 'UA' as carrier, timestamp '2013-07-01' as event_timestamp"
    """
    from asknown.plan.inputs import unread_columns
    from asknown.store.terms import warnings_for

    _check_output(output, kind, limit)
    with session.open_store() as store:
        with working("reading the spine and the models"):
            job = store.get_historical_features(
                spine, list(features), full_names, timestamp=timestamp, statuses=statuses
            )
        for warning in warnings_for(store.catalog, features):
            say(f"warning: {warning}")
        if explain:
            write_lines([job.explain()])
            return
        if unread := unread_columns(job.plan):
            say(f"note: no requested feature reads the spine's {', '.join(unread)}")
        if output is None:
            _print_rows(job, kind or "table", limit)
        else:
            _write_file(job, output, kind)
            if job.unrecorded is not None:
                say(f"warning: {job.unrecorded}")
        if hindsight:
            _say_hindsight(job)
        if not any("@" in feature for feature in features):  # a version is no longer the project's own
            say_findings(store.checks.errors_of(job.plan.views))


def _check_output(output: str | None, kind: Format | None, limit: int | None) -> None:
    context = click.get_current_context()
    if output is None:
        return
    if limit is not None:
        raise click.UsageError("--limit is for printing; --output writes every row", context)
    ending = _ending(output)
    if kind == "table" or (kind is not None and ending in BY_ENGINE and ending != f".{kind}"):
        raise click.UsageError(f"--format {kind} contradicts --output {output}", context)


def _ending(output: str) -> str:
    """The ending of the path, which decides the format: that of the file, or / for a folder."""
    return "/" if output.endswith("/") else Path(output).suffix


def _print_rows(job: RetrievalJob, kind: Format, limit: int | None) -> None:
    if limit is None and kind == "table":
        limit = FIRST
    started = time.perf_counter()
    with working("building the training set"):
        # One row more than is shown is fetched, to know whether there are more.
        batches = (job if limit is None else job.head(limit + 1)).to_batches()
        rows = rows_of(batches)
        head = list(islice(rows, 1 if limit is None else limit))
    count = write_rows(kind, batches.schema.names, chain(head, rows) if limit is None else head)
    more = limit is not None and next(rows, None) is not None
    known = job.plan.spine.bounds.rows
    of = f" of {known:,}" if more and known is not None else ""
    first = f"the first {count:,}{of}" if more else f"{count:,}"
    say(f"{_shape(first, job)}{_seconds(started)}" + ("; all of them: --output FILE" if more else ""))


def _write_file(job: RetrievalJob, output: str, kind: Format | None) -> None:
    started = time.perf_counter()
    with working(f"writing {output}"):
        if kind is None or _ending(output) in BY_ENGINE:
            count = job.to_parquet(output)
        else:
            job.check_output(output)
            batches = job.to_batches()
            count = write_rows(kind, batches.schema.names, rows_of(batches), path=Path(output))
    say(f"{output}: {_shape(f'{count:,}', job)}{_seconds(started)}")


def _say_hindsight(job: RetrievalJob) -> None:
    with working("counting the rows that known_at hides"):
        found = job.hindsight()
    total = job.plan.spine.bounds.rows
    for view, rows in found.items():
        share = f" of {total:,} rows ({rows / total:.1%})" if total else " rows"
        say(f"hidden by known_at: for {rows:,}{share}, a newer row of {view} was not known yet")
    if not found:
        say("hidden by known_at: nothing, because none of these views has a known_at")


def _shape(rows: str, job: RetrievalJob) -> str:
    width = len(job.plan.spine.columns) + len(job.plan.outputs) + len(job.plan.statuses)
    return f"{rows} row{'' if rows == '1' else 's'} × {width} columns"


def _seconds(started: float) -> str:
    return f" in {time.perf_counter() - started:.1f} s"
