"""Reads the project's YAML files: sources, entities, feature services, and descriptions of models."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from asknown.errors import AsknownError, did_you_mean, kept_in, raise_all
from asknown.project.data_tests import read_data_tests
from asknown.project.entities import read_entity
from asknown.project.files import find_files, read_bytes, show_path
from asknown.project.freshness import read_freshness
from asknown.project.governance import TERMS, check_exposure, read_exposure, read_group, read_terms
from asknown.project.nodes import Entity, Exposure, Group, ModelDoc, Service, Settings, SourceTable
from asknown.project.reader import Names, Reader
from asknown.project.services import read_service
from asknown.project.sources import read_columns, read_source, read_unique
from asknown.project.tests import UnitTest
from asknown.project.unit_tests import read_unit_test
from asknown.project.values import Value

E = TypeVar("E", Entity, Service, Group, Exposure, UnitTest, ModelDoc)

KEYS = ("version", "sources", "entities", "feature_services", "models", "groups", "exposures", "unit_tests")


@dataclass(frozen=True)
class Properties:
    """Everything named in the YAML files, by name, in the order found."""

    sources: dict[tuple[str, str], SourceTable] = field(default_factory=dict)
    entities: dict[str, Entity] = field(default_factory=dict)
    services: dict[str, Service] = field(default_factory=dict)
    docs: dict[str, ModelDoc] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    exposures: dict[str, Exposure] = field(default_factory=dict)
    unit_tests: dict[str, UnitTest] = field(default_factory=dict)


def read_properties(settings: Settings, models: Collection[str], names: Names) -> Properties:
    """The properties in all YAML files under the model paths. ``models`` are the names of the project's models.

    One error has the errors of all entries of all files beside it.
    Errors: ``bad-yaml``, ``unknown-key``, ``wrong-type``, ``missing-key``, ``bad-name``, ``duplicate-name``,
    ``unsupported-type``, ``unknown-model``, ``unknown-group``.
    """
    found = Properties()
    errors: list[AsknownError] = []
    for path in find_files(settings.model_paths, settings.root, ".yml", ".yaml"):
        with kept_in(errors):
            _read_file(path, show_path(path, settings.root), found, names, errors)
    raise_all(errors)
    for doc in found.docs.values():
        if doc.name not in models:
            raise AsknownError(
                "unknown-model",
                f"there is no model '{doc.name}': no file under the model paths is named {doc.name}.sql",
                at=doc.at,
                hint=did_you_mean(doc.name, models, what="models"),
            )
        terms = doc.terms
        if terms.group is not None and terms.group not in found.groups:
            raise AsknownError(
                "unknown-group",
                f"there is no group '{terms.group}'",
                at=terms.group_at,
                hint=did_you_mean(terms.group, found.groups, what="groups"),
            )
    for exposure in found.exposures.values():
        check_exposure(exposure, models, found.services)
    for service in found.services.values():
        model = names.place("model", service.name)
        if model is not None:
            raise AsknownError(
                "duplicate-name",
                f"feature service '{service.name}' has the same name as a model ({model})",
                at=service.at,
                hint="rename one of them",
            )
    return found


def _read_file(path: Path, shown: str, found: Properties, names: Names, errors: list[AsknownError]) -> None:
    from asknown.project.yaml import read_yaml

    document = read_yaml(read_bytes(path, shown, "bad-yaml"), shown)
    if document is None:
        return
    reader = Reader(document, "a properties file", KEYS)
    reader.integer("version")
    for key, read in _SECTIONS.items():
        for item in reader.items(key):
            with kept_in(errors):
                read(item, found, names)


def _add_source(item: Value, found: Properties, names: Names) -> None:
    for table in read_source(item):
        names.register("source table", f"{table.source}.{table.name}", table.at)
        found.sources[table.source, table.name] = table


def _kept_by_name(
    kind: str, read: Callable[[Value], E], kept: Callable[[Properties], dict[str, E]]
) -> Callable[[Value, Properties, Names], None]:
    """A function that reads an entry, registers its name as one of this kind, and keeps it."""

    def add(item: Value, found: Properties, names: Names) -> None:
        entry = read(item)
        names.register(kind, entry.name, entry.at)
        kept(found)[entry.name] = entry

    return add


_MODEL = ("name", "description", "columns", "unique", "tests", "data_tests", "freshness", "meta", *TERMS)


def read_model_doc(value: Value) -> ModelDoc:
    """The description of a model in one item of ``models:``. Its ``meta`` is accepted and not kept."""
    reader = Reader(value, "an entry of 'models'", _MODEL)
    name = reader.text("name", hint="name: …")
    reader.mapping("meta")
    return ModelDoc(
        name=name,
        description=reader.optional_text("description") or "",
        columns=read_columns(reader),
        at=reader.place("name"),
        terms=read_terms(reader),
        unique=read_unique(reader),
        data_tests=read_data_tests(reader),
        freshness=read_freshness(reader),
    )


_SECTIONS: dict[str, Callable[[Value, Properties, Names], None]] = {
    "sources": _add_source,
    "entities": _kept_by_name("entity", read_entity, lambda found: found.entities),
    "feature_services": _kept_by_name("feature service", read_service, lambda found: found.services),
    "groups": _kept_by_name("group", read_group, lambda found: found.groups),
    "exposures": _kept_by_name("exposure", read_exposure, lambda found: found.exposures),
    "unit_tests": _kept_by_name("unit test", read_unit_test, lambda found: found.unit_tests),
    "models": _kept_by_name("description of model", read_model_doc, lambda found: found.docs),
}
