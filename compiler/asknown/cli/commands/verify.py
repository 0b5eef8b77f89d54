"""`asknown verify`: compares online reads with the training query."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from asknown.cli.arguments import complete, requestable
from asknown.cli.output import Format, format_option, write_json, write_lines, write_rows
from asknown.cli.progress import say, steps
from asknown.cli.session import ProjectCommand, Session
from asknown.cli.values import as_text

if TYPE_CHECKING:
    from asknown.checks.verify import Example, FeatureVerification, Outcome

DIFFERENCES: tuple[Outcome, ...] = ("bug", "lag", "late", "not replayable")
COLUMNS = ("feature", "compared", "not NULL", "equal", *DIFFERENCES)
_HINTS: dict[Outcome, str] = {
    "bug": "run asknown doctor; a row of a source that was edited in place after the load looks like this too",
    "lag": "rows were loaded into the sources after the online table: asknown materialize",
    "late": "rows reached the sources after the instant of the read, and training sees them",
    "not replayable": "declare loaded_at_field on the sources of these views, to tell a bug from a lag",
}
_SHOWN = 10  # examples


@click.command("verify", cls=ProjectCommand)
@click.argument("features", nargs=-1, shell_complete=complete(requestable))
@click.option(
    "--keys", type=click.IntRange(min=1), default=1000, show_default=True, help="Random keys of each view to compare."
)
@click.option("--at", metavar="INSTANT", help="The instant to read at (default: now).")
@click.option("--seed", type=int, default=0, show_default=True, help="What the random keys follow.")
@format_option()
@click.pass_context
def command(
    ctx: click.Context, *, features: tuple[str, ...], keys: int, at: str | None, seed: int, kind: Format
) -> None:
    """Compare what the online table serves with what training says.

    Reads random keys of each view online, and computes the same features at the same keys and instant with the
    training query. FEATURES are feature services, feature views and view:feature (default: every view that is
    online); for an on-demand view, the features that it reads are compared.

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
    """
    with ctx.ensure_object(Session).open_store() as store, steps("comparing") as tell:
        found = store.checks.verify(list(features) or None, keys=keys, at=at, seed=seed, on_step=tell)
    if kind == "json":
        write_json(map(_record, found.features))
    else:
        write_rows(kind, COLUMNS, map(_row, found.features))
        if kind == "table":
            write_lines(_explain(found.features))
    share = f"{found.compared:,} values at {as_text(found.at)}, {found.present:,} of them not NULL"
    counts = {outcome: sum(f.count(outcome) for f in found.features) for outcome in DIFFERENCES}
    differences = ", ".join(f"{count:,} {outcome}" for outcome, count in counts.items() if count)
    say(f"{share}: {differences or 'no difference'}")
    for outcome, count in counts.items():
        if count:
            say(f"  {outcome}: {_HINTS[outcome]}")
    if found.bugs:
        ctx.exit(1)


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


def _answer(answer: tuple[Any, str]) -> str:
    value, status = answer
    return status if value is None else f"{as_text(value)} ({status})"


def _record(feature: FeatureVerification) -> dict[str, Any]:
    def example(found: Example) -> dict[str, Any]:
        (online, status), (training, expected) = found.online, found.training
        answers = {"online": online, "status": status, "training": training, "training_status": expected}
        return {"keys": dict(found.keys), **answers}

    return {
        "feature": feature.name,
        "compared": feature.compared,
        "not_null": feature.present,
        "outcomes": dict(feature.outcomes),
        "examples": {outcome: example(found) for outcome, found in feature.examples.items()},
    }
