"""Shows errors on stderr: the message, the place, and the hint."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from asknown.cli.progress import say, styled
from asknown.errors import AsknownError

if TYPE_CHECKING:
    from asknown.lint.nodes import Finding


def show_error(error: AsknownError) -> None:
    """Shows an error in the user's project, data or request."""
    for line in error_lines(error):
        say(line)


def error_lines(error: AsknownError, kind: str = "error") -> Iterator[str]:
    """The lines of an error: what is wrong, where, and what to type next. ``kind`` may be another severity."""
    yield styled(f"{kind}[{error.code}]", fg="red" if kind == "error" else "yellow", bold=True) + f": {error.message}"
    if error.at is not None:
        yield f"  at {error.at}"
        picture = error.at.picture()
        if picture:
            yield picture
    if error.hint:
        yield _hint(error.hint)
    for other in error.also:
        yield from error_lines(other, kind)


def say_findings(findings: Sequence[Finding]) -> None:
    """Says in one line which errors `asknown check` finds in the views that a command has used."""
    if not findings:
        return
    said = ", ".join(dict.fromkeys(f"{finding.code} at {finding.at}" for finding in findings[:3]))
    more = f", and {len(findings) - 3} more" if len(findings) > 3 else ""
    count = f"{len(findings)} error{'' if len(findings) == 1 else 's'}"
    say(styled("warning", fg="yellow", bold=True) + f": asknown check finds {count} in these views: {said}{more}")


def show_usage(error: click.UsageError) -> None:
    """Shows an error in the command line itself."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    say(styled("error", fg="red", bold=True) + f": {error.format_message()}")
    if error.ctx is not None:
        say("  " + error.ctx.get_usage().replace("Usage:", "usage:", 1))
        say(_hint(f"{error.ctx.command_path} --help"))


def _hint(hint: str) -> str:
    return styled("  hint:", fg="cyan") + f" {hint}"
