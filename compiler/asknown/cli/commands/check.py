"""`asknown check`: lists the errors that the project's files and the columns of its sources show."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import click

from asknown.cli.errors import error_lines
from asknown.cli.output import Format, format_option, write_lines, write_rows
from asknown.cli.progress import has_colour, say
from asknown.cli.session import ProjectCommand, Session
from asknown.errors import AsknownError

if TYPE_CHECKING:
    from asknown.lint.nodes import Finding

COLUMNS = ("severity", "code", "file", "line", "column", "model", "message", "hint")


@click.command("check", cls=ProjectCommand)
@format_option()
@click.pass_context
def command(ctx: click.Context, *, kind: Format) -> None:
    """Find what is wrong with the project, without reading a row.

    Renders, parses and types every model, completes every feature view and service, and looks for hindsight in
    each view and every model below it. Prints every finding with its severity, code and place, and what to write
    instead. Exits with 1 if a finding is an error.

    \b
    Examples:
      asknown check
      asknown check --format json
    """
    from asknown.lint.nodes import Finding

    models = 0
    try:
        with ctx.ensure_object(Session).open_store() as store:
            models = len(store.project.models)
            findings = store.check()
    except AsknownError as error:  # a project that cannot be read at all
        findings = [Finding(error.code, "error", None, error.message, error.at, error.hint)]
    if kind == "table":
        write_lines(line for finding in findings for line in _lines(finding))
    else:
        write_rows(kind, COLUMNS, map(_row, findings))
    errors = sum(finding.is_error for finding in findings)
    others = len(findings) - errors
    counted = f"{errors or 'no'} error{'' if errors == 1 else 's'}"
    counted += f", {others} other finding{'' if others == 1 else 's'}" if others else ""
    say(f"{models} model{'' if models == 1 else 's'}: {counted}")
    if errors:
        ctx.exit(1)


def _lines(finding: Finding) -> Iterator[str]:
    lines = error_lines(finding.as_error(), _severity(finding))
    yield from lines if has_colour(sys.stdout) else map(click.unstyle, lines)


def _row(finding: Finding) -> tuple[Any, ...]:
    at = finding.at
    place = (None, None, None) if at is None else (at.path, at.line or None, at.column or None)
    return (_severity(finding), finding.code, *place, finding.model, finding.message, finding.hint)


def _severity(finding: Finding) -> str:
    return "error" if finding.is_error else finding.severity
