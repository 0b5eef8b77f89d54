"""Frozen closures: a version of a view as JSON objects, from which it compiles again without any file (rule 15).

Each model, source, entity and feature service is an object, named by the hash of its canonical JSON. A model's object
names the objects of all that it refers to, so that one hash stands for the model and everything below it. No Jinja is
left in it, and no value of an environment variable.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from asknown.catalog.catalog import Catalog
from asknown.errors import AsknownError, Where, hidden
from asknown.project.nodes import (
    ColumnDoc,
    Entity,
    Exposure,
    Key,
    ModelDoc,
    ModelFile,
    Project,
    Service,
    ServiceFeatures,
    SourceTable,
    Target,
    Terms,
)
from asknown.project.options import Options
from asknown.project.target_names import of_target
from asknown.render import Rendered
from asknown.render.frozen import METADATA, rendered_from

Body = dict[str, Any]
Objects = Mapping[str, Body]

# The parts of an object that name others: lists that end with a hash.
_PARTS = ("refs", "sources", "entities", "views", "services")


@dataclass(frozen=True)
class Frozen:
    """The names of a project's views, services and exposures, each with the hash of its object; and all objects."""

    views: dict[str, str]
    services: dict[str, str]
    exposures: dict[str, str]
    objects: dict[str, Body]


def freeze(catalog: Catalog, *, plain: bool = False) -> Frozen:
    """The project's views and services as objects; with ``plain`` its plain models and pinned views among the views.

    No engine is asked: the objects hold no types but declared ones. Raises the first error of a model, and
    ``bad-model`` for one whose SQL holds the value of an environment variable.
    """
    frozen = _Freezing(catalog)
    names = sorted(catalog.project.models) if plain else sorted([*catalog.views(), *catalog.on_demand_views()])
    views = {name: frozen.model(name) for name in names}
    services = {name: frozen.keep(_service(service)) for name, service in sorted(catalog.project.services.items())}
    exposures = {name: frozen.keep(_exposure(one)) for name, one in sorted(catalog.project.exposures.items())}
    return Frozen(views, services, exposures, frozen.objects)


def name_object(body: Body) -> str:
    """The hash that names an object: SHA-256 of its canonical JSON."""
    return hashlib.sha256(canonical(body).encode()).hexdigest()


def canonical(body: Body) -> str:
    """The canonical JSON of an object: sorted keys, no spaces."""
    return json.dumps(body, ensure_ascii=False, separators=(",", ":"), sort_keys=True)


class _Freezing:
    """Makes objects of the models of a catalog, each once."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._models: dict[str, str] = {}
        self._path: list[str] = []
        self.objects: dict[str, Body] = {}

    def keep(self, body: Body) -> str:
        name = name_object(body)
        self.objects[name] = body
        return name

    def model(self, name: str) -> str:
        """The hash of a model's object."""
        if name in self._path:
            circle = " → ".join([*self._path[self._path.index(name) :], name])
            raise AsknownError(
                "cycle",
                f"on-demand views read each other in a circle: {circle}",
                hint="remove one of these references",
            )
        self._path.append(name)
        for model in self._catalog.closure([name]):
            if model.name not in self._models:
                self._models[model.name] = self.keep(self._body(model.rendered))
        self._path.pop()
        return self._models[name]

    def _request(self, rendered: Rendered) -> Body:
        """The parts of an on-demand view's object: its call of ``request()``, and the views and services it names."""
        call = rendered.request
        if call is None:
            return {}
        services = [name for name in call.references if name in self._catalog.project.services]
        views = [name.partition(":")[0] for name in call.names if name not in services]
        views += [line.view for name in services for line in self._catalog.project.services[name].features]
        return {
            "request": [call.references, call.full_names, call.line],
            **({"lookups": [[one.reference, one.keys, one.prefix] for one in call.lookups]} if call.lookups else {}),
            "views": [[view, self.model(view)] for view in dict.fromkeys(views)],
            "services": [[name, self.keep(_service(self._catalog.project.services[name]))] for name in services],
        }

    def _body(self, rendered: Rendered) -> Body:
        project = self._catalog.project
        if hidden(rendered.sql) != rendered.sql:
            raise AsknownError(
                "bad-model",
                f"the SQL of '{rendered.name}' has the value of an environment variable, which no registry may store",
                at=rendered.where(1),
                hint="use var() for values that are not secret; secrets belong in profiles.yml",
            )
        doc = project.docs.get(rendered.name)
        config = {key: value for key, value in asdict(rendered.config).items() if key not in METADATA}
        if rendered.config.inputs is not None:
            config["inputs"] = [[name, kind.name] for name, kind in rendered.config.inputs]
        return self._request(rendered) | {
            "kind": "model",
            "name": rendered.name,
            "dialect": project.settings.dialect,
            "sql": rendered.sql,
            "config": config,
            "metadata": {key: getattr(rendered.config, key) for key in METADATA}
            | {
                "doc": "" if doc is None else doc.description,
                "columns": [] if doc is None else [[c.name, c.description, c.data_type] for c in doc.columns],
                **({} if doc is None else _terms(doc.terms)),
            },
            "file": rendered.shown,
            "refs": [[ref, self._models[ref]] for ref in rendered.refs],  # in the order of their first use, as CTEs are
            "sources": [[*key, self.keep(_source(project.sources[key]))] for key in rendered.sources],
            "entities": [[name, self.keep(_entity(project.entities[name]))] for name in rendered.config.entity or ()],
        }


def _terms(terms: Terms) -> Body:
    """The terms that other projects need to know, where they are declared."""
    found: Body = {} if terms.access == Terms().access else {"access": terms.access}
    if terms.deprecation_date is not None:
        found["deprecation_date"] = terms.deprecation_date.isoformat()
    return found


def _source(table: SourceTable) -> Body:
    return {
        "kind": "source",
        "source": table.source,
        "name": table.name,
        "path": table.path,
        "identifier": table.written or table.identifier,  # one version for all targets
        "timezone": table.timezone,
        "static": table.static,
        "options": [[key, value] for key, value in table.options],
        "columns": [[c.name, c.description, c.data_type] for c in table.columns],
        "description": table.description,
    }


def _entity(entity: Entity) -> Body:
    keys = [[key.name, key.data_type] for key in entity.keys]
    return {"kind": "entity", "name": entity.name, "keys": keys, "description": entity.description}


def _service(service: Service) -> Body:
    lines = [[line.view, line.features, line.alias, sorted(line.keys.items())] for line in service.features]
    more = {"owner": service.owner} if service.owner else {}
    more |= {} if service.production else {"status": "development"}  # absent where it is not said
    return {"kind": "service", "name": service.name, "features": lines, "description": service.description, **more}


def _exposure(exposure: Exposure) -> Body:
    return {
        "kind": "exposure",
        "name": exposure.name,
        "type": exposure.type,
        "owner": exposure.owner,
        "url": exposure.url,
        "description": exposure.description,
        "uses": exposure.uses,
    }


# -- and back --------------------------------------------------------------------------------------------------------


def thaw(
    roots: Mapping[str, str],
    objects: Objects,
    project: Project,
    shown: Callable[[str], str],
    columns: Mapping[tuple[str, str], Sequence[tuple[str, str]]] | None = None,
) -> Catalog:
    """The catalog of the models ``roots`` (names and hashes) and of all that they stand on.

    ``project`` gives the settings and the profile; ``shown`` the name of a model in messages, in place of its file;
    ``columns`` the names and types of the sources' columns, where they are known. Raises ``not-yet`` if the roots
    stand on two versions of one model.
    """
    models: dict[str, Body] = {}
    hashes: dict[str, str] = {}
    waiting = list(roots.items())
    while waiting:
        name, digest = waiting.pop()
        if hashes.setdefault(name, digest) != digest:
            raise AsknownError(
                "not-yet",
                f"the requested versions are built on two different versions of '{name}'",
                hint="request them one at a time",
            )
        if name not in models:
            models[name] = objects[digest]
            waiting += [(ref, below) for part in ("refs", "views") for ref, below in models[name].get(part, ())]
    sources = {}
    entities = {}
    services: dict[str, Service] = {}
    for body in models.values():
        services |= {name: thawed_service(objects[digest]) for name, digest in body.get("services", ())}
        for *_, digest in body["sources"]:
            table = thawed_source(objects[digest], Where(shown(body["name"])), project.profile.target)
            today = project.sources.get((table.source, table.name))
            if today is not None and today.path == table.path:
                # Its files may have landed rows, whose numbers nobody reads. When rows were loaded is no definition.
                table = replace(table, push=today.push, loaded_at_field=today.loaded_at_field)
            known = (columns or {}).get((table.source, table.name))
            if known is not None:
                table = replace(table, columns=tuple(ColumnDoc(name, "", kind, table.at) for name, kind in known))
            sources[table.source, table.name] = table
        for name, digest in body["entities"]:
            entities[name] = thawed_entity(objects[digest], Where(shown(body["name"])))
    frozen = replace(
        project,
        settings=replace(project.settings, dialect=next((b["dialect"] for b in models.values()), "duckdb")),
        models={name: _file(body, shown(name)) for name, body in models.items()},
        docs={name: thawed_doc(body, shown(name)) for name, body in models.items()},
        sources=sources,
        entities=entities,
        services=services,
        macros=(),
    )
    return Catalog(frozen, rendered={name: rendered_from(body, shown(name)) for name, body in models.items()})


def reach(roots: Iterable[str], read: Callable[[str], Body]) -> dict[str, Body]:
    """The objects with these hashes and all that they name, by hash. ``read`` gets one."""
    found: dict[str, Body] = {}
    waiting = list(roots)
    while waiting:
        digest = waiting.pop()
        if digest not in found:
            body = found[digest] = read(digest)
            waiting += [named[-1] for part in _PARTS for named in body.get(part, ())]
    return found


def _file(body: Body, shown: str) -> ModelFile:
    return ModelFile(body["name"], Path(body["file"]), shown, body["sql"])


def thawed_doc(body: Body, shown: str) -> ModelDoc:
    """The description of a model's object. Its contract and groups held when it was applied, and are left out."""
    metadata = body["metadata"]
    day = metadata.get("deprecation_date")
    terms = Terms(
        access=metadata.get("access", Terms().access),
        deprecation_date=None if day is None else date.fromisoformat(day),
    )
    return ModelDoc(body["name"], metadata["doc"], _columns(metadata["columns"], shown), Where(shown), terms)


def thawed_source(body: Body, at: Where, target: Target[Options]) -> SourceTable:
    """The table of a source's object, on the target."""
    table = SourceTable(
        body["source"],
        body["name"],
        body["path"],
        body["identifier"],
        body["timezone"],
        body["description"],
        _columns(body["columns"], at.path),
        at,
        body["static"],
        tuple((key, tuple(value) if isinstance(value, list) else value) for key, value in body["options"]),
    )
    return of_target(table, target)


def thawed_entity(body: Body, at: Where) -> Entity:
    """The entity of an object."""
    return Entity(body["name"], tuple(Key(*key) for key in body["keys"]), body["description"], at)


def _columns(listed: list[list[Any]], shown: str) -> tuple[ColumnDoc, ...]:
    return tuple(ColumnDoc(name, description, kind, Where(shown)) for name, description, kind in listed)


def thawed_service(body: Body) -> Service:
    """The feature service of an object."""
    at = Where(f"service {body['name']}")
    lines = tuple(
        ServiceFeatures(view, None if features is None else tuple(features), alias, dict(keys), at)
        for view, features, alias, keys in body["features"]
    )
    production = body.get("status") != "development"
    return Service(body["name"], lines, body["description"], at, body.get("owner", ""), production)


def changed_parts(old: str, new: str, objects: Objects) -> list[tuple[str, str, str]]:
    """The differences between two models' closures: kind, name and file of each part that itself changed."""
    found: dict[tuple[str, str, str], None] = {}
    waiting = [(old, new)]
    while waiting:
        before, after = (objects[digest] for digest in waiting.pop())
        if canonical(_own(before)) != canonical(_own(after)):  # one is from JSON, with lists for tuples
            found[after["kind"], _name(after), str(after.get("file", ""))] = None
        for part in _PARTS:
            earlier = {tuple(named[:-1]): named[-1] for named in before.get(part, ())}
            waiting += [
                (earlier[tuple(named[:-1])], named[-1])
                for named in after.get(part, ())
                if earlier.get(tuple(named[:-1]), named[-1]) != named[-1]
            ]
    return list(found)


def _own(body: Body) -> Body:
    return {key: value for key, value in body.items() if key not in _PARTS}


def _name(body: Body) -> str:
    return f"{body['source']}.{body['name']}" if body["kind"] == "source" else str(body["name"])
