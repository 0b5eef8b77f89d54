"""The result of rendering: plain SQL, the config that the template declared, and the names it refers to."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from asknown.errors import Where
from asknown.project.nodes import ViewName
from asknown.types import SqlType

_TAG = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}")
_LINE_END = re.compile(r"\r\n|\r|\n")


@dataclass(frozen=True)
class ViewConfig:
    """A model's ``config()``, checked. ``entity`` is None for a plain model, ``()`` for a view without keys.

    ``inputs`` are the names and types of what a request brings to an on-demand view; None for any other model.
    ``ttl`` is in microseconds, None for no bound; ``max_ahead`` in microseconds, None for the default.
    """

    entity: tuple[str, ...] | None = None
    inputs: tuple[tuple[str, SqlType], ...] | None = None
    event_time: str | None = None
    known_at: str | None = None
    created_at: str | None = None
    ttl: int | None = None
    max_ahead: int | None = None
    online: bool = True
    materialized: str = "ephemeral"  # or "view", "table"
    owner: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    meta: dict[str, Any] | None = None


ASKED_AT = "asked_at"
"""The column of ``request()`` that has the instant of asking."""

REQUEST = "request"
"""The relation that ``request()`` renders to."""


@dataclass(frozen=True)
class LookupCall:
    """A call of ``lookup()`` inside ``request()``: a view or ``view:feature``, read by columns of the request.

    ``keys`` pairs keys of the view with those columns; the names of its features begin with ``prefix``.
    """

    reference: str
    keys: tuple[tuple[str, str], ...]
    prefix: str = ""


@dataclass(frozen=True)
class RequestCall:
    """The call of ``request()`` in an on-demand view: the features that it names, and whether by their full names."""

    references: tuple[str, ...]
    full_names: bool
    line: int
    lookups: tuple[LookupCall, ...] = ()

    @property
    def names(self) -> tuple[str, ...]:
        """The references of all that the view reads, those of lookups included."""
        return (*self.references, *(lookup.reference for lookup in self.lookups))


@dataclass(frozen=True)
class MacroUse:
    """A macro that a template used, the file that it stands in, and a hash of its text without its layout."""

    name: str
    file: str
    digest: str


@dataclass(frozen=True)
class Rendered:
    """A rendered model. ``lines[i]`` is the template line that line ``i + 1`` of ``sql`` came from.

    ``refs`` and ``sources`` are in the order of their first use. ``config_line`` is the template line of ``config()``,
    0 where the model has none. ``request`` is None for a model that is no on-demand view. ``foreign`` are the pinned
    views that the template names, as it names them; ``macros`` those that it used, also through others.
    """

    name: str
    shown: str
    template: str
    sql: str
    config: ViewConfig
    refs: tuple[str, ...]
    sources: tuple[tuple[str, str], ...]
    lines: tuple[int, ...]
    config_line: int = 0
    request: RequestCall | None = None
    foreign: tuple[ViewName, ...] = ()
    macros: tuple[MacroUse, ...] = ()

    def where(self, line: int, column: int = 0) -> Where:
        """The place in the template that a place in the rendered SQL came from."""
        if not 1 <= line <= len(self.lines):
            return Where(self.shown)
        place = self.template_place(self.lines[line - 1])
        column = _same_column(split_lines(self.sql)[line - 1].rstrip(), column, place.text.rstrip())
        return Where(place.path, place.line, column, place.text)

    @property
    def config_place(self) -> Where:
        """The place of the call of ``config()``, else of the template's first line."""
        place = self.template_place(self.config_line or 1)
        return Where(place.path, place.line, place.text.find("config(") + 1 or 1, place.text)

    def template_place(self, line: int) -> Where:
        """The place of a line of the template, with its text."""
        lines = split_lines(self.template)
        return Where(self.shown, line, 0, lines[line - 1]) if 1 <= line <= len(lines) else Where(self.shown)


def _same_column(rendered: str, column: int, written: str) -> int:
    """The column of the template's line that ``column`` came from; 0 if tags make it uncertain."""
    if not column or rendered[:column] == written[:column]:
        return column
    rest = rendered[column - 1 :]
    if rest and written.endswith(rest):
        return len(written) - len(rest) + 1
    # Between two tags: the n-th of the same words, if the tags gave none of them.
    word = re.match(r"\w+", rest)
    if word is None:
        return 0
    outside = _TAG.sub(lambda tag: " " * len(tag[0]), written)
    places, others = ([m.start() for m in re.finditer(rf"\b{word[0]}\b", line)] for line in (rendered, outside))
    return others[places.index(column - 1)] + 1 if len(places) == len(others) and column - 1 in places else 0


def split_lines(text: str) -> list[str]:
    """The lines of ``text``, divided at CR and LF only, as Jinja and SQL divide them."""
    return _LINE_END.split(text)
