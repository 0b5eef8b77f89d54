"""`asknown check`: lists the errors that the project's files and the columns of its sources show."""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from asknown.cli.arguments import selecting, selection_of
from asknown.cli.errors import error_lines
from asknown.cli.keeping import keep_results
from asknown.cli.output import FORMATS, write_lines, write_rows
from asknown.cli.progress import has_colour, say
from asknown.cli.session import ProjectCommand, Session
from asknown.errors import AsknownError

if TYPE_CHECKING:
    from asknown.lint.nodes import Finding

COLUMNS = ("severity", "code", "file", "line", "column", "model", "message", "hint", "off")
# The words of GitHub's workflow commands.
_GITHUB = {"error": "error", "warning": "warning", "information": "notice"}


@click.command("check", cls=ProjectCommand)
@selecting
@click.option("--strict", is_flag=True, help="Exit with 1 for a warning, too.")
@click.option("--all", "everything", is_flag=True, help="Print information and what is turned off, too.")
@click.option("--format", "kind", type=click.Choice((*FORMATS, "github")), default="table", help="Output format.")
@click.pass_context
def command(
    ctx: click.Context, *, chosen: tuple[str, ...], excluded: tuple[str, ...], strict: bool, everything: bool, kind: Any
) -> None:
    """Find what is wrong with the project, without reading a row.

    Renders, parses and types every model, completes every feature view and service, and looks for hindsight in
    each view and every model below it. Prints every finding with its severity, code and place, and what to write
    instead. Exits with 1 if a finding is an error. The format github annotates a pull request.

    \b
    Examples:
      asknown check
      asknown check --strict --format github
      asknown check --select tag:delay+
    """
    from asknown.checks.kept import say_findings
    from asknown.lint.nodes import Finding

    models, root, paths = 0, Path(), list[str]()
    try:
        with ctx.ensure_object(Session).open_store() as store:
            models, root = len(store.project.models), store.project.settings.root
            findings = store.check()
            selection = selection_of(store, chosen, excluded)
            if selection is not None:
                models = len(selection.models)
                findings = [finding for finding in findings if finding.model in selection.models]
            else:
                keep_results(store.project, "check", say_findings(findings, store.catalog.views()))
            paths = [str(path) for path in store.push_paths()]
    except AsknownError as error:  # a project that cannot be read at all
        findings = [Finding(e.code, "error", None, e.message, e.at, e.hint) for e in (error, *error.also)]
    on = [finding for finding in findings if finding.off is None]
    if kind == "table":
        shown = findings if everything else [finding for finding in on if finding.severity != "information"]
        write_lines(line for finding in shown for line in _lines(finding))
    elif kind == "github":
        write_lines(_annotation(finding, root) for finding in on)
    else:
        write_rows(kind, COLUMNS, map(_row, findings))
    for path in paths:
        say(path)
    counts = Counter(map(_severity, on))
    say(f"{models} model{'' if models == 1 else 's'}: {_counted(counts, len(findings) - len(on))}")
    if counts["error"] or (strict and counts["warning"]):
        ctx.exit(1)


def _counted(counts: Counter[str], off: int) -> str:
    """The counts in words: errors always, anything else where there is some."""
    errors, warnings = counts["error"], counts["warning"]
    said = [f"{errors or 'no'} error{'' if errors == 1 else 's'}"]
    said += [f"{warnings} warning{'' if warnings == 1 else 's'}"] if warnings else []
    said += [f"{counts['information']} for information"] if counts["information"] else []
    said += [f"{off} turned off"] if off else []
    return ", ".join(said)


def _lines(finding: Finding) -> Iterator[str]:
    lines = error_lines(finding.as_error(), _severity(finding) if finding.off is None else "off")
    yield from lines if has_colour(sys.stdout) else map(click.unstyle, lines)
    if finding.off is not None:
        yield f"  off: {finding.off}"


def _row(finding: Finding) -> Sequence[Any]:
    at = finding.at
    place = (None, None, None) if at is None else (at.path, at.line or None, at.column or None)
    return (_severity(finding), finding.code, *place, finding.model, finding.message, finding.hint, finding.off)


def _annotation(finding: Finding, root: Path) -> str:
    """A finding as a workflow command of GitHub: its file is relative to the folder that the command runs in."""
    said = [f"title={_escaped(finding.code, ':,')}"]
    if finding.at is not None:
        said.append(f"file={_escaped(os.path.relpath(root / finding.at.path), ':,')}")
        said += [f"line={finding.at.line}"] if finding.at.line else []
        said += [f"col={finding.at.column}"] if finding.at.column else []
    text = finding.message if finding.hint is None else f"{finding.message}\n{finding.hint}"
    return f"::{_GITHUB[_severity(finding)]} {','.join(said)}::{_escaped(text)}"


def _escaped(text: str, more: str = "") -> str:
    """The text with what ends a workflow command, or a part of one, as percent codes."""
    for character in ("%", "\r", "\n", *more):
        text = text.replace(character, f"%{ord(character):02X}")
    return text


def _severity(finding: Finding) -> str:
    return "error" if finding.is_error else finding.severity
