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
from asknown.project.nodes import ColumnDoc, ModelDoc, Project, SourceTable

Severity = Literal["refusal", "error", "warning", "information"]
"""A refusal is an error of every command; an error, of `asknown check` alone."""


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, at its place in the author's file. ``off`` is the reason for which it is turned off."""

    code: str
    severity: Severity
    model: str | None
    message: str
    at: Where | None
    hint: str | None
    off: str | None = None

    @property
    def is_error(self) -> bool:
        """Whether `asknown check` exits with 1 for it."""
        return self.severity in ("refusal", "error")

    def as_error(self) -> AsknownError:
        """The finding as the error that a command ends with."""
        return AsknownError(self.code, self.message, at=self.at, hint=self.hint)


@dataclass(frozen=True)
class Found:
    """A finding of a rule: the message, the place and what to write instead.

    ``severity`` is that of the finding where it is not the rule's own.
    """

    message: str
    at: Where
    hint: str
    severity: Severity | None = None


@dataclass(frozen=True)
class Context:
    """A feature view with all that it stands on, and what YAML says of it.

    ``closure`` has the view and the models below it, by name; ``known`` gives the columns of models and sources.
    """

    view: Model
    closure: Mapping[str, Model]
    known: Callable[[str], Columns | None]
    project: Project

    @cached_property
    def lineage(self) -> Lineage:
        return Lineage(self.closure, self.known)

    @cached_property
    def declared_lineage(self) -> Lineage:
        """The lineage that ends at each column that says ``label`` or ``known_at``, in a model too."""
        return Lineage(self.closure, self.known, self.declared.keys())

    @cached_property
    def declared(self) -> Mapping[tuple[str, str], ColumnDoc]:
        """The columns that say ``label`` or ``known_at``, by relation and name in lower case."""
        listed = {name: table.columns for name, table in self.tables.items()}
        listed |= {name: doc.columns for name, doc in self.docs.items()}
        return {
            (name, column.name.casefold()): column
            for name, columns in listed.items()
            for column in columns
            if column.label or column.known_at
        }

    @cached_property
    def tables(self) -> Mapping[str, SourceTable]:
        """The tables of sources, by the name that SQL has for them, in lower case."""
        return {f"{source}.{name}".casefold(): table for (source, name), table in self.project.sources.items()}

    @cached_property
    def docs(self) -> Mapping[str, ModelDoc]:
        """The YAML of models, by their names in lower case."""
        return {name.casefold(): doc for name, doc in self.project.docs.items()}

    @cached_property
    def static(self) -> frozenset[str]:
        """The names of the tables that have no history."""
        return frozenset(name for name, table in self.tables.items() if table.static)


@dataclass(frozen=True)
class Subject:
    """A model as one feature view stands on it; the view itself is such a model."""

    model: Model
    context: Context

    @property
    def view(self) -> Model:
        return self.context.view

    @property
    def closure(self) -> Mapping[str, Model]:
        return self.context.closure

    @property
    def lineage(self) -> Lineage:
        return self.context.lineage

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
        return self.lineage.tables(query, self.model) <= self.context.static


@dataclass(frozen=True)
class Rule:
    """One rule: ``about`` says what it finds; ``find`` gives the findings in one model, in no order."""

    code: str
    severity: Severity
    about: str
    find: Callable[[Subject], Iterator[Found]]
