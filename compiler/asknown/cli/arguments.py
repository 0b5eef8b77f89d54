"""Arguments of commands: instants, and the names that the shell completes."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, TypeVar

import click

from asknown.cli.session import Session
from asknown.errors import AsknownError
from asknown.instants import read_instant

if TYPE_CHECKING:
    from asknown.catalog.selectors import Selection
    from asknown.project.nodes import Project
    from asknown.store import FeatureStore

Complete = Callable[[click.Context, click.Parameter, str], list[str]]

_CONFIGURED_ENTITY = re.compile(r"\bentity\s*=")


def parse_instant(text: str, option: str) -> datetime:
    """The instant in ``text``, as an aware datetime. Without an offset it is in UTC; a date is its first instant."""
    hint = (
        f"write it like {option} 2013-12-31, or {option} '2013-12-31 23:00', or with an offset: "
        f"{option} 2013-12-31T23:00+01:00"
    )
    return read_instant(text, option, hint).replace(tzinfo=UTC)


_Function = TypeVar("_Function", bound=Callable[..., Any])


def selecting(function: _Function) -> _Function:
    """Adds ``--select`` and ``--exclude`` to a command, as its arguments ``chosen`` and ``excluded``."""
    exclude = click.option("--exclude", "excluded", multiple=True, metavar="SELECTOR", help="Leave these models out.")
    select = click.option(
        "-s",
        "--select",
        "chosen",
        multiple=True,
        metavar="SELECTOR",
        help="Choose models: tag:x, path:models/x, +model, model+.",
    )
    return select(exclude(function))


def selection_of(store: FeatureStore, chosen: Sequence[str], excluded: Sequence[str]) -> Selection | None:
    """The models that ``--select`` and ``--exclude`` choose; spaces in a value separate selectors, as in dbt."""
    from asknown.catalog.selectors import select

    words = [[part for value in values for part in value.split()] for values in (chosen, excluded)]
    return select(store.catalog, *words)


def complete(names: Callable[[Session], Iterable[str]]) -> Complete:
    """A completion that offers ``names``, or nothing if they cannot be read."""

    def offer(ctx: click.Context, _: click.Parameter, incomplete: str) -> list[str]:
        # An error printed in the middle of a completion would garble the user's line.
        with suppress(AsknownError, OSError):
            return sorted(name for name in names(ctx.ensure_object(Session)) if name.startswith(incomplete))
        return []

    return offer


def requestable(session: Session) -> list[str]:
    """The feature services, and the models that look like feature views. No model is rendered to find out."""
    project = _project(session)
    views = (name for name, model in project.models.items() if _CONFIGURED_ENTITY.search(model.text))
    return [*project.services, *views, *(pin.name for pin in project.pins)]


def models(session: Session) -> list[str]:
    """The project's models."""
    return [*_project(session).models]


def everything(session: Session) -> list[str]:
    """The names of all models, services, entities and tables of sources."""
    project = _project(session)
    tables = (f"{source}.{table}" for source, table in project.sources)
    return [*project.models, *project.services, *project.entities, *tables]


def pushed_sources(session: Session) -> list[str]:
    """The tables of sources that take pushes."""
    return [f"{source}.{table}" for (source, table), found in _project(session).sources.items() if found.push]


def stored(session: Session) -> list[str]:
    """The names of the services, views and on-demand views in the online table."""
    with session.open_reader() as reader:
        return [*reader.services(), *reader.views(), *reader.on_demand()]


def _project(session: Session) -> Project:
    from asknown.project import load_project

    return load_project(session.project, target=session.target)
