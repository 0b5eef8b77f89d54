"""The group of all commands. It shows help without importing any command, and turns errors into messages."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Sequence
from importlib import import_module
from io import TextIOWrapper
from typing import Any

import click

from asknown import __version__
from asknown.cli.errors import show_error, show_usage
from asknown.cli.progress import say
from asknown.cli.session import Session, shared_options
from asknown.cli.writing import finish_stdout, open_stdout
from asknown.errors import AsknownError, hidden
from asknown.paths import no_folder

# Name and first line of help of each command, so that the group's help imports none of them.
COMMANDS = {
    "init": "Create a folder with a small project that works.",
    "ls": "List the project's models, views, services, entities, sources.",
    "show": "Show a model, view, service, entity or source.",
    "compile": "Print the SQL that runs.",
    "check": "Find what is wrong with the project, without reading a row.",
    "test": "Run the project's tests.",
    "audit": "Look for hindsight in features, on your data.",
    "verify": "Compare what the online table serves with what training says.",
    "profile": "Describe the values of features.",
    "drift": "Compare the values of features in two samples.",
    "run": "Build the models that are materialized as tables or views.",
    "train": "Build a training set: each row as known at its instant.",
    "materialize": "Load each entity's newest values into the online table.",
    "push": "Push rows into a source, readable at once.",
    "get": "Read features from the online table.",
    "serve": "Serve the online table over HTTP.",
    "publish": "Publish a snapshot of the online table.",
    "follow": "Keep a replica of the online table that is published.",
    "plan": "Show what would change against the registry.",
    "apply": "Record the project's current definitions in the registry.",
    "pin": "Pin the views of other projects that this one uses.",
    "history": "List the revisions of the project, newest first.",
    "rollback": "Make an earlier revision the newest.",
    "search": "Find applied features by their words.",
    "lineage": "List the columns of sources that a feature comes from.",
    "docs": "Write the catalogue as one HTML page.",
    "doctor": "Check the online table, or a target, and say what to run.",
}

SUCCESS, FAILURE, USAGE, INTERRUPTED = 0, 1, 2, 130

EPILOG = """
\b
Examples:
  asknown init my_features
  asknown train flight_delay_v1 --spine flights_spine -o train.parquet
  asknown materialize
  asknown get carrier_delays carrier=UA

\b
The options --project, --target and --debug may also follow the command.
Data goes to stdout, messages and progress to stderr.

\b
Formats:
  table  for people
  json   one document, a list of objects; timestamps are ISO 8601, decimals text,
         and so are NaN, Infinity and -Infinity
  csv    with a head; nothing stands for NULL, and "" for an empty text

\b
Exit codes:
  0    success
  1    an error in the project, the data or the request
  2    a command line that asknown does not understand
  130  interrupted

\b
Shell completion, for bash (zsh and fish alike):
  eval "$(_ASKNOWN_COMPLETE=bash_source asknown)"
"""


class LazyGroup(click.Group):
    """The group. It imports a command's module, ``commands/<name>.py``, when the command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"asknown.cli.commands.{cmd_name}").command
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0]
        if name in COMMANDS or name.startswith("-") or ctx.resilient_parsing:
            return super().resolve_command(ctx, args)
        raise click.exceptions.NoSuchCommand(name, possibilities=COMMANDS, ctx=ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))

    def invoke(self, ctx: click.Context) -> Any:
        result = super().invoke(ctx)
        finish_stdout()
        return result

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Runs a command line and exits. An AsknownError becomes a message; our own bugs show a traceback."""
        session = extra.setdefault("obj", Session())
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        try:
            with open_stdout():  # click prints the help
                for stream in (sys.stdout, sys.stderr):
                    if isinstance(stream, TextIOWrapper):  # characters that its encoding lacks are escaped
                        stream.reconfigure(errors="backslashreplace")
                code = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        except AsknownError as error:
            if session.debug:
                sys.stderr.write(hidden(traceback.format_exc()))  # also of its causes, which repeat paths and addresses
            show_error(error)
            code = FAILURE
        except FileNotFoundError as error:
            if error.filename is not None:
                raise
            show_error(no_folder())
            code = FAILURE
        except click.UsageError as error:
            show_usage(error)
            code = USAGE
        except click.Abort:
            say("interrupted")
            code = INTERRUPTED
        sys.exit(code if isinstance(code, int) else SUCCESS)


@click.group(cls=LazyGroup, epilog=EPILOG, params=shared_options(), context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="asknown", message="%(prog)s %(version)s", help="Show the version.")
@click.help_option(help="Show this message.")
def main() -> None:
    """Features in SQL, as known at the moment of the decision.

    One definition gives the same values in the training set and in the online table.
    """
