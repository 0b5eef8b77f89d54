"""`asknown audit`: looks for hindsight by training again on sources that are changed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from asknown.cli.arguments import complete, models, requestable
from asknown.cli.keeping import keep_results
from asknown.cli.output import Format, format_option, write_json, write_lines, write_rows
from asknown.cli.progress import say, steps
from asknown.cli.session import ProjectCommand, Session
from asknown.cli.values import as_text

if TYPE_CHECKING:
    from asknown.checks.audit import AuditReport, Change, FeatureAudit

PROBES = ("future", "poison", "order", "rerun", "past")
COLUMNS = ("feature", "verdict", "probes", "detail")
_SHOWN = 20  # features whose change is explained
_LONGEST = 60  # characters of a value


@click.command("audit", cls=ProjectCommand)
@click.argument("features", nargs=-1, required=True, shell_complete=complete(requestable))
@click.option(
    "--spine",
    metavar="SPINE",
    shell_complete=complete(models),
    help="The keys and instants: a model, a Parquet or CSV file, or SQL.",
)
@click.option("--timestamp", metavar="COLUMN", help="The spine's timestamp column, if it is not event_timestamp.")
@click.option("--cuts", type=click.IntRange(min=1), default=7, show_default=True, help="Quantiles of time to cut at.")
@click.option(
    "--rows", type=click.IntRange(min=2), default=5000, show_default=True, help="Random rows of the spine to use."
)
@click.option("--seed", type=int, default=0, show_default=True, help="What the random rows and cuts follow.")
@click.option("--only", metavar="PROBES", help=f"Some of {','.join(PROBES)}.")
@click.option("--require-tested", is_flag=True, help="Exit with 1 also if a feature is untested.")
@format_option()
@click.pass_context
def command(
    ctx: click.Context,
    *,
    features: tuple[str, ...],
    spine: str | None,
    timestamp: str | None,
    cuts: int,
    rows: int,
    seed: int,
    only: str | None,
    require_tested: bool,
    kind: Format,
) -> None:
    """Look for hindsight in features, on your data.

    Builds the training set again and again while what was not known yet at a cut in time is left out of the
    sources (future), or has extreme values (poison). The values before the cut must stay the same. Then shuffles
    the sources' rows (order), and changes nothing (rerun). Where the registry knows a training set of the features, its
    rows are computed again (past).

    When a row became known is what sources and columns declare: loaded_at_field, known_at, static. The view's own
    known_at proves nothing, so it is not asked.

    \b
    Verdicts:
      leaks     a value changed with rows that were not known yet
      unstable  a value follows the order of rows, or differs from run to run
      rewritten a recorded training set has other values today: an edited source, rows that came late
      clean     no probe changed a value
      untested  no probe could: a source does not say when its rows were known
      static    everything that the feature reads is declared static

    Exits with 1 if a feature leaks, is unstable or rewritten.

    \b
    Examples:
      asknown audit flight_delay_v1 --spine flights_spine --rows 500 --cuts 2
      asknown audit carrier_delays:last_arr_delay --spine flights_spine --only future --require-tested
    """
    from asknown.checks.kept import say_audit

    probes = _read_probes(only, ctx)
    if spine is None and probes != ["past"]:
        raise click.UsageError("give --spine SPINE; only the probe past needs none: --only past")
    with ctx.ensure_object(Session).open_store() as store, steps("training") as tell:
        report = store.checks.audit(
            list(features), spine, timestamp=timestamp, cuts=cuts, rows=rows, seed=seed, probes=probes, on_step=tell
        )
        keep_results(store.project, "audit", say_audit(report.features))
    if kind == "json":
        write_json(map(_record, report.features))
    else:
        write_rows(kind, COLUMNS, map(_row, report.features))
        if kind == "table" and report.found:
            write_lines(line for feature in report.found[:_SHOWN] for line in _explain(feature))
    _say_end(report)
    if report.found or (require_tested and report.untested):
        ctx.exit(1)


def _read_probes(only: str | None, ctx: click.Context) -> Any:
    if only is None:
        return None
    names = [name.strip() for name in only.split(",") if name.strip()]
    unknown = [name for name in names if name not in PROBES]
    if unknown or not names:
        raise click.BadParameter(
            f"'{unknown[0] if unknown else only}' is none of {', '.join(PROBES)}", ctx, param_hint="--only"
        )
    return names


def _row(feature: FeatureAudit) -> tuple[Any, ...]:
    change = feature.change
    if feature.verdict == "untested":
        detail = feature.reason or "no probe that ran took anything from the keys of a row of the spine before its cut"
    elif change is not None:
        rows = f"{change.rows:,} row{'' if change.rows == 1 else 's'}"
        detail = f"{rows} changed, {change.probe}" + ("" if change.cut is None else f" at {as_text(change.cut)}")
    else:
        detail = "float-order: the last bits of a sum follow the order of the rows" if feature.rounding else ""
    return (feature.name, feature.verdict, feature.probes, detail)


def _explain(feature: FeatureAudit) -> Iterator[str]:
    change = feature.change
    assert change is not None
    yield ""
    yield f"{feature.name}, for {_values(change.row)}:"
    full = "as it was recorded" if change.probe == "past" else "over all rows"
    yield f"  {_short(change.full)} {full}, {_short(change.changed)} {_how(change)}"
    if change.cause is not None:
        yield f"  changed by a row of {change.cause.relation} that was known from {as_text(change.cause.moment)} on:"
        yield f"    {_values(change.cause.row)}"


def _how(change: Change) -> str:
    at = "" if change.cut is None else as_text(change.cut)
    return {
        "future": f"without what was not known yet at {at}",
        "poison": f"with extreme values for what was not known yet at {at}",
        "order": "with the rows of the sources in another order",
        "rerun": "when it runs again",
        "past": "today",
    }[change.probe]


def _values(row: Any) -> str:
    return ", ".join(f"{name} = {_short(value)}" for name, value in row.items())


def _short(value: Any) -> str:
    text = "NULL" if value is None else as_text(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}…"


def _record(feature: FeatureAudit) -> dict[str, Any]:
    change = feature.change
    found = None
    if change is not None:
        cause = change.cause
        found = {
            "probe": change.probe,
            "cut": change.cut,
            "rows": change.rows,
            "row": dict(change.row),
            "full": change.full,
            "changed": change.changed,
            "cause": None
            if cause is None
            else {"relation": cause.relation, "moment": cause.moment, "row": dict(cause.row)},
        }
    return {
        "feature": feature.name,
        "verdict": feature.verdict,
        "probes": feature.probes,
        "reason": feature.reason or None,
        "float_order": feature.rounding,
        "change": found,
    }


def _say_end(report: AuditReport) -> None:
    for failure in report.failures:
        say(f"not run: {failure}")
    verdicts = [feature.verdict for feature in report.features]
    counted = ", ".join(f"{verdicts.count(v)} {v}" for v in dict.fromkeys(sorted(verdicts)))
    cuts = f"{len(report.cuts)} cut{'' if len(report.cuts) == 1 else 's'}"
    say(f"{len(verdicts)} feature{'' if len(verdicts) == 1 else 's'}: {counted}; "
        f"{report.rows:,} rows of the spine, {cuts}, seed {report.seed}")  # fmt: skip
