"""`asknown test`: runs the project's tests."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import click

from asknown.cli.arguments import selecting, selection_of
from asknown.cli.keeping import keep_results
from asknown.cli.output import Format, format_option, write_rows
from asknown.cli.progress import say, styled, working
from asknown.cli.session import ProjectCommand, Session

if TYPE_CHECKING:
    from asknown.catalog.selectors import Selection
    from asknown.checks.results import Outcome, TestResult
    from asknown.store import FeatureStore

COLUMNS = ("kind", "test", "of", "result", "checked", "failing")


@click.command("test", cls=ProjectCommand)
@click.argument("names", nargs=-1, metavar="[unit|data|freshness|TEST]...")
@selecting
@click.option("--store", "keep", is_flag=True, help="Keep the rows that fail, in test_failures/.")
@click.option("--accept", is_flag=True, help="Write what came out as what unit tests expect, and show it.")
@format_option()
@click.pass_context
def command(
    ctx: click.Context,
    *,
    names: tuple[str, ...],
    chosen: tuple[str, ...],
    excluded: tuple[str, ...],
    keep: bool,
    accept: bool,
    kind: Format,
) -> None:
    """Run the project's tests.

    A unit test gives rows to a view's models and says which values must come out. It runs on DuckDB in memory, over
    these rows alone, at both ends: the training query, and a read of an online table that was loaded as of the same
    instant. A data test counts the rows of a model or source, on the target, that are not as its YAML says; all of
    one model in one scan. A query below the test-paths is one, too: its rows are failures. Freshness is the age of
    the newest row. Runs all tests, those of one kind, or each unit TEST. Prints a line for each, and exits with 1 if
    one fails.

    With --accept only unit tests run. Where other values came out than a test expects, they are printed and written
    into its YAML file, to be read in git; a test that expects {rows: []} gets all features. Nothing is written where
    the two ends differ.

    \b
    Examples:
      asknown test
      asknown test unit
      asknown test data --store --format json
      asknown test freshness
      asknown test --select +carrier_delays
      asknown test late_share_ignores_flights_in_the_air --accept
    """
    given = [name for name in names if name in ("data", "freshness")]
    if accept and (given or keep):
        said = f"'{given[0]}' has" if given else "--store is for data tests, which have"
        raise click.UsageError(f"--accept writes what unit tests expect; {said} no expected values")
    with ctx.ensure_object(Session).open_store() as store, working("running the tests"):
        of = selection_of(store, chosen, excluded)
        results = _accept(store, names, of) if accept else _run(store, names, of, keep=keep)
    write_rows(kind, COLUMNS if kind == "table" else (*COLUMNS, "file", "line", "details"), _rows(results, kind))
    for result in results:
        for line in result.details if kind == "table" else ():
            say(f"{styled(result.outcome, fg=_COLOURS[result.outcome], bold=True)} {result.name}: {line}")
    counts = Counter(result.outcome for result in results)
    words = [f"{counts[outcome]} {words}" for outcome, words in _WORDS.items() if counts[outcome]]
    say(f"{len(results)} test{'' if len(results) == 1 else 's'}: {', '.join(words) or 'nothing to run'}")
    if any(result.is_failure for result in results):
        ctx.exit(1)


def _run(store: FeatureStore, names: Sequence[str], of: Selection | None, *, keep: bool) -> list[TestResult]:
    """The results of the tests that are asked for. Those of all tests are kept."""
    from asknown.checks.kept import say_tests

    named, checks = _unit_tests(names), store.checks
    results = checks.unit_tests(named, selection=of) if named or "unit" in names or not names else []
    results += checks.data_tests(keep=keep, selection=of) if "data" in names or not names else []
    results += checks.freshness(selection=of) if "freshness" in names or not names else []
    if not names:
        keep_results(store.project, "test", say_tests(results))
    return results


def _accept(store: FeatureStore, names: Sequence[str], of: Selection | None) -> list[TestResult]:
    """The results of unit tests after what came out was written as what they expect. Prints what was written."""
    accepted = store.checks.accept_unit_tests(_unit_tests(names), selection=of)
    for one in accepted:
        for change in one.changes:
            say(f"{styled('accepted', fg='cyan', bold=True)} {one.test.name}: {change}")
    files = Counter(one.test.at.path for one in accepted if one.changes)
    for file, count in files.items():
        say(f"{file}: what {count} test{'' if count == 1 else 's'} expect{'s' if count == 1 else ''} was written")
    return [one.result for one in accepted]


def _unit_tests(names: Sequence[str]) -> list[str]:
    return [name for name in names if name not in ("unit", "data", "freshness")]


_WORDS: dict[Outcome, str] = {"pass": "passed", "warn": "with a warning", "fail": "failed", "error": "with an error"}

_COLOURS: dict[Outcome, str] = {"pass": "green", "warn": "yellow", "fail": "red", "error": "red"}


def _rows(results: list[TestResult], kind: Format) -> Iterator[tuple[Any, ...]]:
    for result in results:
        row = (result.kind, result.name, result.tests, result.outcome, result.checked, result.failing)
        place = (None, None) if result.at is None else (result.at.path, result.at.line or None)
        yield row if kind == "table" else (*row, *place, "; ".join(result.details) or None)
