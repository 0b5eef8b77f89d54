"""Shows errors on stderr: the message, the place, and the hint."""

from __future__ import annotations

import click

from asknown.cli.progress import say, styled
from asknown.errors import AsknownError


def show_error(error: AsknownError) -> None:
    """Shows an error in the user's project, data or request."""
    say(styled(f"error[{error.code}]", fg="red", bold=True) + f": {error.message}")
    if error.at is not None:
        say(f"  at {error.at}")
        picture = error.at.picture()
        if picture:
            say(picture)
    if error.hint:
        _show_hint(error.hint)


def show_usage(error: click.UsageError) -> None:
    """Shows an error in the command line itself."""
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        error.show()
        return
    say(styled("error", fg="red", bold=True) + f": {error.format_message()}")
    if error.ctx is not None:
        say("  " + error.ctx.get_usage().replace("Usage:", "usage:", 1))
        _show_hint(f"{error.ctx.command_path} --help")


def _show_hint(hint: str) -> None:
    say(styled("  hint:", fg="cyan") + f" {hint}")
