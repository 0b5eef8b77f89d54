"""The options that all commands share, and the store and reader that they open."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from asknown.online.reader import OnlineReader
    from asknown.store import FeatureStore


@dataclass
class Session:
    """The values of the shared options, before or after the command. Each command gets it as its first argument."""

    project: str = "."
    target: str | None = None
    debug: bool = False

    @contextmanager
    def open_store(self) -> Iterator[FeatureStore]:
        """The project's feature store."""
        from asknown.store import FeatureStore

        with FeatureStore(self.project, self.target) as store:
            yield store

    @contextmanager
    def open_reader(self) -> Iterator[OnlineReader]:
        """The project's online table. The models are not read, because a read of the table does not need them."""
        from asknown.online.nodes import Owner
        from asknown.online.reader import OnlineReader
        from asknown.project import load_online, load_settings

        online = load_online(load_settings(self.project), self.target)
        with OnlineReader(online.address, owner=Owner(online.project, online.target)) as reader:
            yield reader


def shared_options(*, hidden: bool = False) -> list[click.Parameter]:
    """The options that may stand before or after any command; ``hidden`` if the group's help shows them already."""
    return [
        click.Option(
            ["--project"],
            metavar="DIR",
            type=click.Path(),
            help="Any folder of the project (default: the current one).",
            expose_value=False,
            callback=_keep,
            hidden=hidden,
        ),
        click.Option(
            ["--target"],
            metavar="NAME",
            help="A target in profiles.yml (default: the profile's 'target').",
            expose_value=False,
            callback=_keep,
            hidden=hidden,
        ),
        debug_option(hidden=hidden),
    ]


def debug_option(*, hidden: bool = False) -> click.Option:
    """The option that shows a traceback with an error."""
    return click.Option(
        ["--debug"],
        is_flag=True,
        help="Show where in asknown an error comes from.",
        expose_value=False,
        callback=_keep,
        hidden=hidden,
    )


class ProjectCommand(click.Command):
    """A command that works on a project. It takes the shared options, and its help names them in one line."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.params += shared_options(hidden=True)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        super().format_options(ctx, formatter)
        formatter.write_paragraph()
        with formatter.indentation():
            formatter.write_text("Also --project, --target and --debug, as in asknown --help.")


def _keep(ctx: click.Context, param: click.Parameter, value: Any) -> None:
    if value and param.name is not None:  # an option that is absent here keeps its value from before the command
        setattr(ctx.ensure_object(Session), param.name, value)
