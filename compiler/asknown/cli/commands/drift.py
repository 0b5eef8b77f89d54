"""`asknown drift`: compares the values of features in two samples."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asknown.cli.output import Format, format_option, write_json, write_rows
from asknown.cli.progress import say

if TYPE_CHECKING:
    from asknown.checks.drift import Drift

COLUMNS = ("feature", "verdict", "PSI", "threshold", "KS", "threshold of KS", "Jensen-Shannon", "NULL before", "after")


@click.command("drift")
@click.argument("first", metavar="A", type=click.Path(path_type=Path))
@click.argument("second", metavar="B", type=click.Path(path_type=Path))
@click.option("--features", "named", metavar="NAMES", help="Columns to compare, with commas between them.")
@format_option()
@click.pass_context
def command(ctx: click.Context, *, first: Path, second: Path, named: str | None, kind: Format) -> None:
    """Compare the values of features in two samples.

    A is the baseline. Both are training sets or logs of reads: Parquet or CSV files, folders of Parquet files, or
    JSON lines of a reader. Every column that they share is compared, but instants and statuses. The thresholds follow
    from the number of rows: two samples of one distribution hardly ever raise an alarm. Exits with 1 if a feature
    drifts.

    \b
    Verdicts:
      drift    the distributions differ, and not by little
      small    they differ, but the population stability index (PSI) is below 0.02
      same     chance explains the difference
      too few  fewer than 50 rows on a side

    \b
    Examples:
      asknown drift train.parquet served.parquet
      asknown drift train.parquet served.parquet --features temp,last_arr_delay
    """
    from asknown.checks.drift import find_drift
    from asknown.store.samples import choose_features, differences_of_columns, read_sample

    tables = [read_sample(first), read_sample(second)]
    names = None if named is None else [name.strip() for name in named.split(",") if name.strip()]
    if names == []:
        raise click.BadParameter("it names no column", ctx, param_hint="--features")
    found = find_drift(tables[0], tables[1], choose_features(tables, names))
    if kind == "json":
        write_json(asdict(drift) for drift in found)
    else:
        write_rows(kind, COLUMNS, map(_row, found))
    verdicts = [drift.verdict for drift in found]
    counted = ", ".join(f"{verdicts.count(verdict)} {verdict}" for verdict in dict.fromkeys(sorted(verdicts)))
    say(f"{tables[0].num_rows:,} and {tables[1].num_rows:,} rows: {counted}")
    for note in differences_of_columns(tables[0], tables[1], names is None):
        say(note)
    if "drift" in verdicts:
        ctx.exit(1)


def _row(drift: Drift) -> tuple[Any, ...]:
    distances = (drift.psi, drift.psi_threshold, drift.ks, drift.ks_threshold, drift.jensen_shannon)
    nulls = (f"{share:.1%}" for share in drift.nulls)
    return (drift.feature, drift.verdict, *(round(distance, 4) for distance in distances), *nulls)
