"""`asknown profile`: describes the values of features."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asknown.cli.arguments import complete, models, requestable
from asknown.cli.keeping import keep_results
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
@click.argument("features", nargs=-1, shell_complete=complete(requestable))
@click.option(
    "--spine", metavar="SPINE", shell_complete=complete(models), help="The keys and instants, as for asknown train."
)
@click.option("--timestamp", metavar="COLUMN", help="The spine's timestamp column, if it is not event_timestamp.")
@click.option("--online", is_flag=True, help="Describe the online table's values, over all keys.")
@click.option("--log", metavar="PATH", type=click.Path(path_type=Path), help="Describe the values of a log of reads.")
@format_option()
@click.pass_obj
def command(
    session: Session,
    *,
    features: tuple[str, ...],
    spine: str | None,
    timestamp: str | None,
    online: bool,
    log: Path | None,
    kind: Format,
) -> None:
    """Describe the values of features.

    Prints NULLs, extremes, the median and the most frequent value of each. FEATURES are feature services, feature
    views and view:feature, trained on --spine or read --online; or one Parquet or CSV file with a training set. --log
    is a folder that asknown serve logs to, or the file of an OnlineReader with a log. JSON has eleven quantiles, the
    ten most frequent values and the statuses.

    \b
    Examples:
      asknown profile flight_delay_v1 --spine flights_spine
      asknown profile train.parquet --format json
    """
    from asknown.checks.kept import say_profiles

    _refuse_mixed(features, spine, timestamp, online, log)
    if online:
        with session.open_store() as store, working("reading the online table"):
            profiles = store.checks.profile_online(list(features) or None)
            by_view: dict[str, list[ColumnProfile]] = {}
            for profile in profiles:
                by_view.setdefault(profile.name.partition(":")[0], []).append(profile)
            keep_results(store.project, "profile", say_profiles(by_view))
        rows = max((profile.rows for profile in profiles), default=0)
    else:
        table, names = _read(session, features, spine, timestamp, log)
        profiles, rows = _profiles(table, names), table.num_rows
    if kind == "json":
        write_json(map(_record, profiles))
    else:
        write_rows(kind, COLUMNS, map(_row, profiles))
    most = "up to " if online else ""
    say(f"{most}{rows:,} rows, {len(profiles)} feature{'' if len(profiles) == 1 else 's'}")


def _refuse_mixed(
    features: tuple[str, ...], spine: str | None, timestamp: str | None, online: bool, log: Path | None
) -> None:
    """Refuses options that say two things to describe, or none."""
    if (spine is not None) + online + (log is not None) > 1:
        raise click.UsageError("give one of --spine, --online and --log")
    if timestamp is not None and spine is None:
        raise click.UsageError("--timestamp is of a spine: give --spine SPINE, too")
    if log is not None and features:
        raise click.UsageError("a log has its features already: leave out FEATURES")
    is_file = len(features) == 1 and features[0].endswith(_FILES)
    if is_file and (spine is not None or online):
        raise click.UsageError("a file has its features already: leave out --spine, --timestamp and --online")
    if spine is not None and not features:
        raise click.UsageError("name features: asknown profile SERVICE --spine SPINE")
    if not (is_file or spine is not None or online or log is not None):
        raise click.UsageError("give --spine SPINE, --online, --log PATH, or a Parquet or CSV file with a training set")


def _read(
    session: Session, features: tuple[str, ...], spine: str | None, timestamp: str | None, log: Path | None
) -> tuple[Any, list[str]]:
    """The values to describe, as an Arrow table, and the names of their columns."""
    from asknown.store.samples import choose_features, read_logged, read_sample

    if log is not None:
        return read_logged(log)
    if spine is None:
        table = read_sample(features[0])
        return table, choose_features([table], None)
    with session.open_store() as store, working("building the training set"):
        job = store.get_historical_features(spine, list(features), timestamp=timestamp, statuses=True)
        return job.to_arrow(), [output.name for output in job.plan.outputs]


def _profiles(table: Any, names: list[str]) -> list[ColumnProfile]:
    from asknown.checks.profile import profile_table
    from asknown.store.samples import statuses_of

    return profile_table(table, names, statuses_of(table, names))


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
