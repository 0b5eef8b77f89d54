"""`asknown verify`: compares online reads with the training query."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asknown.cli.arguments import complete, requestable
from asknown.cli.keeping import keep_results
from asknown.cli.output import Format, format_option, write_json, write_lines, write_rows
from asknown.cli.progress import say, steps
from asknown.cli.session import ProjectCommand, Session
from asknown.cli.values import as_text
from asknown.durations import spell

if TYPE_CHECKING:
    from asknown.checks.verify import Compared, Example, FeatureVerification, LogVerification, Outcome, ServedRead

DIFFERENCES: tuple[Outcome, ...] = ("bug", "lag", "late", "not replayable")
COLUMNS = ("feature", "compared", "not NULL", "equal", *DIFFERENCES)
_HINTS: dict[Outcome, str] = {
    "bug": "run asknown doctor; a row of a source that was edited in place after the load looks like this too",
    "lag": "rows were loaded into the sources after the online table: asknown materialize",
    "late": "rows reached the sources after the instant of the read, and training sees them",
    "not replayable": "declare loaded_at_field on the sources of these views, to tell a bug from a lag",
}
_LOG_HINTS: dict[Outcome, str] = {
    "bug": "a row of a source that was edited in place after the read looks like this too",
    "lag": "the sources had newer rows than the load that was read: load more often",
    "late": "rows reached the sources after the read, and training sees them",
    "not replayable": "a definition has changed since, which the registry does not have, two loads were read together, "
    "or a source does not say when its rows were loaded (declare loaded_at_field)",
}
_SHOWN = 10  # examples


@click.command("verify", cls=ProjectCommand)
@click.argument("features", nargs=-1, shell_complete=complete(requestable))
@click.option(
    "--keys", type=click.IntRange(min=1), default=1000, show_default=True, help="Random keys of each view to compare."
)
@click.option("--at", metavar="INSTANT", help="The instant to read at (default: now).")
@click.option("--seed", type=int, default=0, show_default=True, help="What the random keys follow.")
@click.option("--log", metavar="PATH", type=click.Path(path_type=Path), help="Compare the logged reads instead.")
@click.option("--since", metavar="TIME", help="With --log: reads since this instant, or for so long: '1 day'.")
@click.option("--service", metavar="NAME", help="With --log: reads of this feature service.")
@format_option()
@click.pass_context
def command(
    ctx: click.Context,
    *,
    features: tuple[str, ...],
    keys: int,
    at: str | None,
    seed: int,
    log: Path | None,
    since: str | None,
    service: str | None,
    kind: Format,
) -> None:
    """Compare what the online table serves with what training says.

    Reads random keys of each view online, and computes the same features at the same keys and instant with the
    training query. FEATURES are feature services, feature views and view:feature (default: every view that is
    online); for an on-demand view, the features that it reads are compared.

    With --log, the reads of a log are compared instead, each at its own instant: a folder that asknown serve logs to,
    or the file of an OnlineReader with a log.

    \b
    Differences:
      bug             not what the load could have seen: exits with 1
      lag             the sources have newer rows: load again
      late            the sources had these rows later than the read
      not replayable  no source says when its rows were loaded

    \b
    Examples:
      asknown verify
      asknown verify flight_delay_v1 --keys 100 --format json
      asknown verify --log logs/flight_delay_v1 --since '1 day'
    """
    from asknown.checks.kept import say_verified

    if log is None:
        if since is not None or service is not None:
            raise click.UsageError("--since and --service choose reads of a log: give --log PATH, too")
        with ctx.ensure_object(Session).open_store() as store, steps("comparing") as tell:
            present = store.checks.verify(list(features) or None, keys=keys, at=at, seed=seed, on_step=tell)
            keep_results(store.project, "verify", say_verified(present.features))
        _tell(present, f"at {as_text(present.at)}", kind, _HINTS)
        if present.bugs:
            ctx.exit(1)
    else:
        if features or at is not None or any(_is_given(ctx, name) for name in ("keys", "seed")):
            raise click.UsageError("a log says what was read: leave out FEATURES, --keys, --at and --seed")
        with ctx.ensure_object(Session).open_store() as store, steps("comparing") as tell:
            logged = store.checks.verify_log(log, since=since, service=service, on_step=tell)
            keep_results(store.project, "verify", say_verified(logged.features))
        _tell(logged, f"of {logged.rows:,} logged rows{_span(logged)}", kind, _LOG_HINTS)
        for note in _notes(logged):
            say(note)
        if not logged.rows:
            say("nothing was compared")
            ctx.exit(1)
        if logged.bugs:
            ctx.exit(1)


def _is_given(ctx: click.Context, name: str) -> bool:
    return ctx.get_parameter_source(name) is click.core.ParameterSource.COMMANDLINE


def _tell(found: Compared, what: str, kind: Format, hints: Mapping[Outcome, str]) -> None:
    """Prints the comparison, and in one line how many values were compared and differ."""
    if kind == "json":
        write_json(map(_record, found.features))
    else:
        write_rows(kind, COLUMNS, map(_row, found.features))
        if kind == "table":
            write_lines(_explain(found.features))
    counts = {outcome: sum(f.count(outcome) for f in found.features) for outcome in DIFFERENCES}
    differences = ", ".join(f"{count:,} {outcome}" for outcome, count in counts.items() if count)
    say(f"{found.compared:,} values {what}, {found.present:,} of them not NULL: {differences or 'no difference'}")
    for outcome, count in counts.items():
        if count:
            say(f"  {outcome}: {hints[outcome]}")


def _span(found: LogVerification) -> str:
    if found.first is None or found.last is None:
        return ""
    return f" from {as_text(found.first)} to {as_text(found.last)}"


def _notes(found: LogVerification) -> Iterator[str]:
    """Sentences on what was not compared, and on how old the loads were."""
    if found.oldest is not None:
        seconds = int(found.oldest.total_seconds())
        yield f"the oldest load that lagged was {spell(seconds * 1_000_000)} behind its read"
    if found.versions:
        yield f"reads of loads with other definitions than today's were replayed by {', '.join(found.versions)}"
    if found.hidden:
        yield f"{found.hidden:,} rows cannot be compared, because the log hashes or leaves out keys or inputs of them"
    if found.unknown:
        yield f"not compared, because the project has no such feature now: {', '.join(found.unknown)}"
    if found.torn:
        yield f"{found.torn:,} lines of the log cannot be read; a full disk leaves half a line"


def _row(feature: FeatureVerification) -> tuple[Any, ...]:
    differences = tuple(feature.count(outcome) for outcome in DIFFERENCES)
    return (feature.name, feature.compared, feature.present, feature.count("equal"), *differences)


def _explain(features: tuple[FeatureVerification, ...]) -> Iterator[str]:
    examples = [(feature, example) for feature in features for example in feature.examples.values()]
    examples.sort(key=lambda pair: DIFFERENCES.index(pair[1].outcome))
    for feature, example in examples[:_SHOWN]:
        keys = ", ".join(f"{name} = {as_text(value)}" for name, value in example.keys.items())
        yield ""
        yield f"{example.outcome}: {feature.name}" + (f" for {keys}" if keys else "")
        yield f"  online {_answer(example.online)}, training {_answer(example.training)}"
        if example.read is not None:
            yield f"  {_read(example.read)}"


def _read(read: ServedRead) -> str:
    load = "" if read.load_id is None else f" from load {read.load_id} as of {as_text(read.watermark)}"
    return f"read at {as_text(read.at)}{load}, request {read.request}"


def _answer(answer: tuple[Any, str]) -> str:
    value, status = answer
    return status if value is None else f"{as_text(value)} ({status})"


def _record(feature: FeatureVerification) -> dict[str, Any]:
    def example(found: Example) -> dict[str, Any]:
        (online, status), (training, expected) = found.online, found.training
        answers = {"online": online, "status": status, "training": training, "training_status": expected}
        read = {} if found.read is None else {"read": asdict(found.read)}
        return {"keys": dict(found.keys), **answers, **read}

    return {
        "feature": feature.name,
        "compared": feature.compared,
        "not_null": feature.present,
        "missing": feature.missing,
        "extra": feature.extra,
        "outcomes": dict(feature.outcomes),
        "examples": {outcome: example(found) for outcome, found in feature.examples.items()},
    }
