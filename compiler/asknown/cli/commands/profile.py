"""`asknown profile`: describes the values of features."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from asknown.cli.arguments import complete, models, requestable
from asknown.cli.output import Format, format_option, write_json, write_rows
from asknown.cli.progress import say, working
from asknown.cli.session import ProjectCommand, Session
from asknown.cli.values import as_text

if TYPE_CHECKING:
    from asknown.checks.profile import ColumnProfile

COLUMNS = ("feature", "type", "NULL", "distinct", "min", "median", "max", "mean", "most frequent")
_FILES = (".parquet", ".csv")
_LONGEST = 24  # characters of a value in the table


@click.command("profile", cls=ProjectCommand)
@click.argument("features", nargs=-1, required=True, shell_complete=complete(requestable))
@click.option(
    "--spine", metavar="SPINE", shell_complete=complete(models), help="The keys and instants, as for asknown train."
)
@click.option("--timestamp", metavar="COLUMN", help="The spine's timestamp column, if it is not event_timestamp.")
@format_option()
@click.pass_obj
def command(
    session: Session, *, features: tuple[str, ...], spine: str | None, timestamp: str | None, kind: Format
) -> None:
    """Describe the values of features.

    Prints NULLs, extremes, the median and the most frequent value of each. FEATURES are feature services, feature
    views and view:feature, trained on --spine; or one Parquet or CSV file with a training set. JSON has eleven
    quantiles, the ten most frequent values and the statuses.

    \b
    Examples:
      asknown profile flight_delay_v1 --spine flights_spine
      asknown profile train.parquet --format json
    """
    from asknown.checks.profile import profile_table
    from asknown.store.samples import choose_features, read_sample, statuses_of

    if len(features) == 1 and features[0].endswith(_FILES):
        if spine is not None or timestamp is not None:
            raise click.UsageError("a file has its features already: leave out --spine and --timestamp")
        table = read_sample(features[0])
        names = choose_features([table], None)
    else:
        if spine is None:
            raise click.UsageError("give --spine SPINE, or a Parquet or CSV file with a training set")
        with session.open_store() as store, working("building the training set"):
            job = store.get_historical_features(spine, list(features), timestamp=timestamp, statuses=True)
            table = job.to_arrow()
            names = [output.name for output in job.plan.outputs]
    profiles = profile_table(table, names, statuses_of(table, names))
    if kind == "json":
        write_json(map(_record, profiles))
    else:
        write_rows(kind, COLUMNS, map(_row, profiles))
    say(f"{table.num_rows:,} rows, {len(profiles)} feature{'' if len(profiles) == 1 else 's'}")


def _row(profile: ColumnProfile) -> tuple[Any, ...]:
    share = f"{profile.nulls / profile.rows:.1%}" if profile.rows else "0.0%"
    median = profile.quantiles[5] if profile.quantiles else None
    value, count = profile.top[0] if profile.top else (None, 0)
    frequent = None if not count else f"{_short(as_text(value))} ({count / profile.rows:.1%})"
    ends = (_short(profile.least), _short(median), _short(profile.greatest))
    return (profile.name, profile.type, share, profile.distinct, *ends, profile.mean, frequent)


def _short(value: Any) -> Any:
    if not isinstance(value, str):
        return value if value is None or isinstance(value, int | float) else as_text(value)
    return value if len(value) <= _LONGEST else f"{value[:_LONGEST]}…"


def _record(profile: ColumnProfile) -> dict[str, Any]:
    return {
        "feature": profile.name,
        "type": profile.type,
        "rows": profile.rows,
        "nulls": profile.nulls,
        "nans": profile.nans,
        "distinct": profile.distinct,
        "min": profile.least,
        "max": profile.greatest,
        "mean": profile.mean,
        "quantiles": list(profile.quantiles),
        "top": [{"value": value, "rows": count} for value, count in profile.top],
        "statuses": dict(profile.statuses),
    }
