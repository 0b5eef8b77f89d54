"""`asknown doctor`: looks the online table over."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

import click

from asknown.cli.output import Format, format_option, write_json, write_rows
from asknown.cli.session import ProjectCommand, Session
from asknown.cli.talk import say

if TYPE_CHECKING:
    from asknown.online.checks import Check


@click.command("doctor", cls=ProjectCommand)
@format_option()
@click.pass_context
def command(ctx: click.Context, *, kind: Format) -> None:
    """Look the online table over, and say what to run.

    Reads the whole file: its structure, and whether every table holds, to the bit, what was written. Says how old each
    view's watermark is, how many of its rows are beyond their ttl, and whether it fits the project's definition. Prints
    a line for each of these: ok, note (worth knowing) or act (needs something done). Changes nothing, and disturbs
    neither readers nor loads. Exits with 1 where something needs to be done.

    \b
    Examples:
      asknown doctor
      asknown doctor --format json
    """
    session = ctx.ensure_object(Session)
    with session.open_store() as store:
        inspection = store.doctor()
    if kind == "json":
        write_json(dataclasses.asdict(check) for check in inspection.checks)
    elif kind == "csv":
        rows = [(check.state, check.check, check.of, check.found, check.run) for check in inspection.checks]
        write_rows(kind, ("state", "check", "of", "found", "run"), rows)
    else:
        lines = [line for check in inspection.checks for line in _lines(check)]
        write_rows(kind, ("state", "check", "of", "found"), lines, null="")
    findings = len(inspection.findings)
    if findings:
        say(f"{inspection.path}: {findings} of {len(inspection.checks)} checks need something done")
        ctx.exit(1)
    say(f"{inspection.path} is healthy")


def _lines(check: Check) -> list[tuple[str | None, ...]]:
    """The check's line of the table, and below it what to do."""
    line = (check.state, check.check, check.of, check.found)
    return [line] if check.run is None else [line, (None, None, None, f"next: {check.run}")]
