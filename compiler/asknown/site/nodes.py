"""The pages of a catalogue and their parts, before they are HTML."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

PageKind = Literal["view", "on-demand", "model", "service", "exposure", "source", "entity", "owner", "tag"]
# The kinds of pages in the order of the catalogue, each with its heading.
HEADINGS: dict[PageKind, str] = {
    "view": "Feature views",
    "on-demand": "On-demand views",
    "service": "Feature services",
    "exposure": "Exposures",
    "entity": "Entities",
    "source": "Sources",
    "model": "Models",
    "owner": "Owners",
    "tag": "Tags",
}


@dataclass(frozen=True)
class Link:
    """A link to a page, or to a feature on the page of its view."""

    kind: PageKind
    name: str
    feature: str = ""

    @property
    def text(self) -> str:
        """The name as a request has it."""
        return f"{self.name}:{self.feature}" if self.feature else self.name

    @property
    def anchor(self) -> str:
        """The part of the address after the ``#``. Other characters than letters, digits and ``_.-`` are written in
        hexadecimal, so that two names never share one.
        """
        name = "".join(map(_escape, self.name))
        return f"{name}:{''.join(map(_escape, self.feature))}" if self.feature else f"{self.kind}/{name}"


def _escape(character: str) -> str:
    plain = character.isascii() and (character.isalnum() or character in "_.-")
    return character if plain else f"~{ord(character):x}~"


Text = str | Link


@dataclass(frozen=True)
class Fact:
    """A line of a page's head: its label, and texts and links."""

    label: str
    values: tuple[Text, ...]


@dataclass(frozen=True)
class Origin:
    """Columns of sources with one role, as ``source.table.column``."""

    role: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Feature:
    """A feature of a view. ``since`` is the version of the view in which its values last changed, None if it was never
    applied. ``origins`` are the columns that it comes from, without those of all features of the view.
    """

    link: Link
    type: str
    description: str
    words: str
    since: int | None
    origins: tuple[Origin, ...]
    uncertain: str = ""


@dataclass(frozen=True)
class ColumnRow:
    """A column of a model or source, or a key of an entity."""

    name: str
    type: str
    description: str


@dataclass(frozen=True)
class Sql:
    """A piece of SQL with its title. If it is ``told``, the piece before it says the same, and pages leave it out."""

    title: str
    text: str
    told: bool = False


@dataclass(frozen=True)
class Revision:
    """A line of history: what was applied, when and by whom. ``version`` is the view's, None for a whole project."""

    revision: int
    version: int | None
    at: str
    author: str
    commit: str
    message: str
    changes: str


@dataclass(frozen=True)
class Example:
    """A way to ask for what a page describes: its title, such as ``Python``, and the text to copy."""

    title: str
    text: str


@dataclass(frozen=True)
class Page:
    """One thing of the project. ``status`` is how it stands to the registry; ``error`` what is wrong with it.

    ``shared`` are the columns of sources that all its features come from, in the same roles.
    """

    link: Link
    description: str = ""
    status: str = ""
    error: str = ""
    owner: str = ""
    tags: tuple[str, ...] = ()
    entities: tuple[str, ...] = ()
    facts: tuple[Fact, ...] = ()
    features: tuple[Feature, ...] = ()
    shared: tuple[Origin, ...] = ()
    columns: tuple[ColumnRow, ...] = ()
    contents: tuple[Link, ...] = ()
    used_by: tuple[Link, ...] = ()
    asking: tuple[Example, ...] = ()
    sql: tuple[Sql, ...] = ()
    history: tuple[Revision, ...] = ()


@dataclass(frozen=True)
class Site:
    """The whole catalogue. ``edges`` lead from a thing to what reads it; ``revisions`` are the newest, newest first."""

    project: str
    target: str
    made_with: str
    pages: tuple[Page, ...]
    edges: tuple[tuple[Link, Link], ...]
    revisions: tuple[Revision, ...]
