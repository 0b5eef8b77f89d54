"""Puts the frozen closures of pinned views into a project, under names that no other model or source has.

The view is called as its pin is, ``flights.carrier_delays@v3``, and each model, source and entity below it has its
project's name before its own: ``flights.stg_flights``. Its SQL is the one that was applied, with these names in it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from sqlglot import exp

from asknown.catalog.closure import Body, reach, thawed_doc, thawed_entity, thawed_service, thawed_source
from asknown.errors import AsknownError, Where
from asknown.model.parse import parse_model
from asknown.project.nodes import Entity, ModelDoc, ModelFile, Pin, Project, SourceTable
from asknown.project.pins import LOCK, read_object, with_pinned_uses
from asknown.render.frozen import rendered_from
from asknown.render.scope import quote_name


def with_pins(project: Project) -> Project:
    """The project with the models, sources and entities of its pinned views; its services name these views in full.

    Raises ``bad-lock`` if a closure is missing or damaged, ``private-view``, and ``not-pinned``.
    """
    if not project.pins:
        return with_pinned_uses(project)
    roots = {pin.name: read_object(project, pin.hash) for pin in project.pins}
    objects = reach((body["model"] for body in roots.values()), lambda digest: read_object(project, digest))
    merged = _Merged(project, objects, roots)
    for pin in project.pins:
        merged.add(pin)
    return with_pinned_uses(
        replace(
            project,
            models={**project.models, **merged.models},
            docs={**project.docs, **merged.docs},
            sources={**project.sources, **merged.sources},
            entities={**project.entities, **merged.entities},
        )
    )


def refuse_private(project: str, name: str, owner: str, model: Body) -> None:
    """Raises ``private-view`` if the view ``name`` of another project is not public, and names its ``owner``."""
    if model["metadata"].get("access") == "public" or name.partition(".")[0] == project:
        return
    access = model["metadata"].get("access", "protected")
    raise AsknownError(
        "private-view",
        f"'{name}' is {access}, so other projects may not use it",
        hint=f"ask {owner or 'its owner'} to declare access: public, and to apply it",
    )


class _Merged:
    """The models, sources, entities and properties of pinned views, by the names that they have in this project."""

    def __init__(self, project: Project, objects: Mapping[str, Body], roots: Mapping[str, Body]) -> None:
        self._project = project
        self._objects = objects
        self._roots = roots
        self.models: dict[str, ModelFile] = {}
        named = [(str(body["model"]), name) for name, body in roots.items()]
        self._names = dict(reversed(named))
        self._digests: dict[tuple[str, ...], str] = {}  # what a name stands for that was given
        self.docs: dict[str, ModelDoc] = {}
        self.sources: dict[tuple[str, str], SourceTable] = {}
        self.entities: dict[str, Entity] = {}

    def add(self, pin: Pin) -> None:
        """Adds the closure of a pinned view."""
        root = self._roots[pin.name]["model"]
        body = self._objects[root]
        refuse_private(self._project.settings.name, pin.name, str(body["metadata"]["owner"]), body)
        for digest, below in reach([root], self._objects.__getitem__).items():
            if below["kind"] == "source":
                table = thawed_source(below, Where(pin.name), self._project.profile.target)
                key = self._source(pin, digest)
                self.sources[key] = replace(table, source=key[0])
            elif below["kind"] == "entity":
                name = self._given(pin, digest)
                self.entities[name] = replace(thawed_entity(below, Where(pin.name)), name=name)
            elif below["kind"] == "model":
                self._add_model(pin, pin.name if digest == root else self._given(pin, digest), below)

    def _add_model(self, pin: Pin, name: str, body: Body) -> None:
        if body["dialect"] != self._project.settings.dialect:
            raise AsknownError(
                "not-in-dialect",
                f"'{pin.name}' is written in {body['dialect']}, and this project in {self._project.settings.dialect}",
                at=Where(LOCK),
            )
        renamed = self._renamed(pin, name, body)
        self.models[name] = ModelFile(name, Path(body["file"]), name, renamed["sql"], renamed)
        self.docs[name] = thawed_doc(renamed, name)

    def _renamed(self, pin: Pin, name: str, body: Body) -> Body:
        """The object of a model with the names that everything has here. What A materializes, B reads from SQL."""
        refs = [[self._given(pin, digest), digest] for _, digest in body["refs"]]
        sources = [[*self._source(pin, digest), digest] for *_, digest in body["sources"]]
        entities = [[self._given(pin, digest), digest] for _, digest in body["entities"]]
        here = {ref: new for (ref, _), (new, _) in zip(body["refs"], refs, strict=True)}
        here |= {
            f"{source}.{table}": f"{new}.{name}"
            for (source, table, _), (new, name, _) in zip(body["sources"], sources, strict=True)
        }
        names = {entity: new for (entity, _), (new, _) in zip(body["entities"], entities, strict=True)}
        config = body["config"] | {"materialized": "ephemeral"}
        if config["entity"] is not None:
            config["entity"] = [names[entity] for entity in config["entity"]]
        renamed = body | {
            "name": name,
            "sql": rename_tables(body, here),
            "config": config,
            "refs": refs,
            "sources": sources,
            "entities": entities,
        }
        if "request" in body:
            renamed |= self._requests(pin, body)
        return renamed

    def _requests(self, pin: Pin, body: Body) -> Body:
        """The request of an on-demand view, with the names that the views have here, and without services."""
        views = [[self._given(pin, digest), digest] for _, digest in body["views"]]
        here = {view: new for (view, _), (new, _) in zip(body["views"], views, strict=True)}
        services = {name: thawed_service(self._objects[digest]) for name, digest in body["services"]}
        references, full_names, line = body["request"]
        if full_names:
            raise AsknownError(
                "not-yet",
                f"'{pin.name}' reads features by their full names, which no other project can name yet",
                hint=f"in {pin.project}: request(…) without full_names",
            )
        found: list[str] = []
        for reference in references:
            parts = services[reference].features if reference in services else ()
            if any(part.alias or part.keys for part in parts):
                raise AsknownError(
                    "not-yet",
                    f"'{pin.name}' asks for the service '{reference}', whose aliases no other project can use yet",
                    hint=f"in {pin.project}: name the views in request(…)",
                )
            for part in parts:
                found += (
                    [here[part.view]] if part.features is None else [f"{here[part.view]}:{f}" for f in part.features]
                )
            if reference not in services:
                view, colon, feature = reference.partition(":")
                found.append(here[view] + colon + feature)
        return {"request": [found, full_names, line], "views": views, "services": []}

    def _given(self, pin: Pin, digest: str) -> str:
        """The name of a model or entity: its own behind its project's, and a part of its hash if there is another."""
        if digest in self._names:
            return self._names[digest]
        body = self._objects[digest]
        name: str = f"{pin.project}.{body['name']}"
        if self._digests.setdefault((body["kind"], name), digest) != digest:
            name = f"{name}@{digest[:8]}"
        self._names[digest] = name
        return name

    def _source(self, pin: Pin, digest: str) -> tuple[str, str]:
        body = self._objects[digest]
        source, table = f"{pin.project}.{body['source']}", str(body["name"])
        if self._digests.setdefault(("source", source, table), digest) != digest:
            source = f"{source}@{digest[:8]}"
        return source, table


def rename_tables(body: Body, names: Mapping[str, str]) -> str:
    """The SQL of a model in which other models and sources have other names, and their old ones as aliases."""
    sql = str(body["sql"])
    model = parse_model(rendered_from(body, body["name"]), body["dialect"])
    here = {old.casefold(): new for old, new in names.items()}
    edits = []
    for table in _tables(model.tree):
        new = here.get(table.name.casefold())
        if new is None:
            continue
        start, end = table.this.meta["start"], table.this.meta["end"] + 1
        alias = "" if table.alias else f" as {sql[start:end]}"
        edits.append((start, end, quote_name(new) + alias))
    for start, end, text in sorted(edits, reverse=True):
        sql = sql[:start] + text + sql[end:]
    return sql


def _tables(tree: exp.Expr) -> Iterator[exp.Table]:
    """The tables of a query that no CTE of its own stands for."""
    for table in tree.find_all(exp.Table):
        if isinstance(table.this, exp.Identifier) and not table.db and not _is_cte(table):
            yield table


def _is_cte(table: exp.Table) -> bool:
    """Whether a CTE that the table can see has its name: one before it, of the queries that it stands in."""
    inside: exp.Expr | None = table
    while inside is not None:
        outer = inside.parent
        ctes: Sequence[exp.CTE] = (
            outer.args["with_"].expressions if outer is not None and outer.args.get("with_") else ()
        )
        if isinstance(outer, exp.With):
            recursive = bool(outer.args.get("recursive"))
            place = next(n for n, cte in enumerate(outer.expressions) if cte is inside)
            ctes = outer.expressions[: place + recursive]
        if any(cte.alias.casefold() == table.name.casefold() for cte in ctes):
            return True
        inside = outer
    return False
