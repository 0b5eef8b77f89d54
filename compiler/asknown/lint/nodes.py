"""The input of a rule and its findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from sqlglot import exp

from asknown.errors import AsknownError, Where
from asknown.lint.places import Places
from asknown.model.lineage import Columns, Lineage
from asknown.model.nodes import Model

Severity = Literal["refusal", "error", "warning", "information"]
"""A refusal is an error of every command; an error, of `asknown check` alone."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, at its place in the author's file."""

    code: str
    severity: Severity
    model: str | None
    message: str
    at: Where | None
    hint: str | None

    @property
    def is_error(self) -> bool:
        """Whether `asknown check` exits with 1 for it."""
        return self.severity in ("refusal", "error")

    def as_error(self) -> AsknownError:
        """The finding as the error that a command ends with."""
        return AsknownError(self.code, self.message, at=self.at, hint=self.hint)


@dataclass(frozen=True)
class Found:
    """A finding of a rule: the message, the place and what to write instead."""

    message: str
    at: Where
    hint: str


@dataclass(frozen=True)
class Subject:
    """A model as one feature view stands on it; the view itself is such a model.

    ``closure`` has the view and all that it stands on, by name. ``known`` gives the columns of models and sources,
    and ``static`` has the names of the sources that have no history.
    """

    model: Model
    view: Model
    closure: Mapping[str, Model]
    known: Callable[[str], Columns | None]
    static: frozenset[str]

    @cached_property
    def lineage(self) -> Lineage:
        return Lineage(self.closure, self.known)

    @cached_property
    def places(self) -> Places:
        return Places(self.model)

    @property
    def is_view(self) -> bool:
        """Whether the model is the view itself."""
        return self.model is self.view

    def says(self, what: str) -> str:
        """A message about the model that names the view too, where that is another."""
        return what if self.is_view else f"{what}; feature view '{self.view.name}' is built on it"

    def reads_static_alone(self, query: exp.Expr) -> bool:
        """Whether everything that a query reads is declared static, or stands in the SQL itself."""
        return self.lineage.tables(query, self.model) <= self.static


@dataclass(frozen=True)
class Rule:
    """One rule: ``about`` says what it finds; ``find`` gives the findings in one model, in no order."""

    code: str
    severity: Severity
    about: str
    find: Callable[[Subject], Iterator[Found]]
