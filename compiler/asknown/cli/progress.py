"""Messages and progress on stderr. Stdout is for data."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO

import click

from asknown.cli.streams import give_up
from asknown.errors import hidden


def has_colour(stream: TextIO) -> bool:
    """Whether ``stream`` is a terminal and NO_COLOR is not set (https://no-color.org)."""
    return is_terminal(stream) and not os.environ.get("NO_COLOR")


def is_terminal(stream: TextIO) -> bool:
    """Whether ``stream`` is a terminal."""
    return stream.isatty() and os.environ.get("TERM") != "dumb"


def say(message: str) -> None:
    """Writes a line to stderr, without secrets. Where stderr cannot be written, the line is lost and no more."""
    try:
        click.echo(hidden(message), err=True, color=has_colour(sys.stderr))
    except (OSError, ValueError):
        give_up(sys.stderr)


def styled(text: str, **style: Any) -> str:
    """``text`` with a colour or weight. :func:`say` removes it if stderr cannot show it."""
    return click.style(text, **style)


@contextmanager
def working(label: str) -> Iterator[None]:
    """Shows a spinner while work goes on, if stderr is a terminal."""
    if not is_terminal(sys.stderr):
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(label):
        yield


@contextmanager
def steps(label: str) -> Iterator[Callable[[str], None] | None]:
    """A function that shows a step of long work beside a spinner; None if stderr is no terminal."""
    if not is_terminal(sys.stderr):
        yield None
        return
    from rich.console import Console

    with Console(stderr=True).status(label) as status:
        yield lambda step: status.update(f"{label}: {step}")


@contextmanager
def counting_rows() -> Iterator[Callable[[str, int], None] | None]:
    """A function that shows a view's name and its rows so far; None if stderr is no terminal."""
    if not is_terminal(sys.stderr):
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = TextColumn("{task.description}"), BarColumn(), TextColumn("{task.completed:,} rows"), TimeElapsedColumn()
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        tasks = {"": progress.add_task("reading", total=None)}

        def count(view: str, rows: int) -> None:
            if view not in tasks:
                for task in tasks.values():
                    progress.update(task, total=max(progress.tasks[task].completed, 1))
                    progress.stop_task(task)
                progress.update(tasks[""], visible=False)
                tasks[view] = progress.add_task(view, total=None)
            progress.update(tasks[view], completed=rows)

        yield count
