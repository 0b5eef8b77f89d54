"""`asknown push`: pushes rows into a source."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from asknown.cli.arguments import complete, pushed_sources
from asknown.cli.output import Format, format_option, write_json, write_rows
from asknown.cli.progress import say
from asknown.cli.session import ProjectCommand, Session

if TYPE_CHECKING:
    from asknown.store.push_answers import PushAnswer

_AT_ONCE = 1_000  # rows in one transaction
COUNTS = ("rows", "new", "older", "late", "duplicates", "skipped")


@click.command("push", cls=ProjectCommand)
@click.argument("source", shell_complete=complete(pushed_sources))
@click.option(
    "--rows", "file", metavar="FILE", required=True, help="The rows: JSON lines (.jsonl, or - for stdin), CSV, Parquet."
)
@click.option("--partial", is_flag=True, help="Push the other rows if some are refused.")
@format_option()
@click.pass_context
def command(ctx: click.Context, *, source: str, file: str, partial: bool, kind: Format) -> None:
    """Push rows into a source, readable at once.

    SOURCE is a table that declares 'push'. Each row has every column of it but the arrival. When the command ends, the
    rows are on the disk, readable online, and land in the source's folder. Rows whose id was pushed before change
    nothing. If one row is refused, none is pushed, unless --partial is given; then the command exits with 1.

    \b
    Examples:
      asknown push orders --rows orders.jsonl
      tail -f orders.log | head -100 | asknown push shop.orders --rows - --format json
    """
    from asknown.cli.pushed import read_rows

    with ctx.ensure_object(Session).open_store() as store:
        writer = store.push_writer()
        rows = read_rows(file, writer.columns(source))
        if not partial:
            writer.check(source, rows)  # before the first is written
        slices = [rows[start : start + _AT_ONCE] for start in range(0, len(rows), _AT_ONCE)] or [[]]
        answer = _together([writer.push(source, some, partial=partial) for some in slices])
    if kind == "json":
        write_json([answer.to_dict()])
    else:
        write_rows(kind, COUNTS, [tuple(getattr(answer, name) for name in COUNTS)])
    for refused in answer.outcomes:
        say(refused.message)
    say(f"views that follow {source}: {', '.join(answer.views) or 'none is loaded'}")
    if answer.outcomes:
        ctx.exit(1)


def _together(answers: Sequence[PushAnswer]) -> PushAnswer:
    """The answers to the parts of a file as one."""
    counts = {name: sum(getattr(answer, name) for answer in answers) for name in COUNTS}
    refused = tuple(
        replace(outcome, row=outcome.row + number * _AT_ONCE)
        for number, answer in enumerate(answers)
        for outcome in answer.outcomes
    )
    return replace(answers[-1], **counts, outcomes=refused)
