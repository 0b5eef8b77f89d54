"""The models of a project by name, rendered and parsed when they are needed, and their order by references."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import replace

from asknown.errors import AsknownError, Where, did_you_mean
from asknown.model.nodes import Model
from asknown.model.parse import literal_tables, parse_model
from asknown.model.windows import has_trailing_windows
from asknown.project.nodes import Project, Terms
from asknown.render import Rendered, Renderer


class Catalog:
    """The models of a project. The error of a broken model is raised when it, or a model downstream, is needed.

    ``rendered`` has the models that are rendered already, by name: those of a frozen closure.
    """

    def __init__(self, project: Project, rendered: Mapping[str, Rendered] | None = None) -> None:
        self.project = project
        self.renderer = Renderer(project)
        self._rendered = rendered or {}
        self._models: dict[str, Model] = {}

    @property
    def names(self) -> list[str]:
        """The names of the project's own models. Those of pinned views are not among them."""
        return sorted(name for name, file in self.project.models.items() if file.frozen is None)

    def model(self, name: str) -> Model:
        """The model called ``name``. Raises ``unknown-model``, or what is wrong with its template or SQL."""
        if name not in self._models:
            if name not in self.project.models:
                raise AsknownError(
                    "unknown-model",
                    f"there is no model '{name}'",
                    hint=did_you_mean(name, self.names, what="models"),
                )
            rendered = self._rendered.get(name) or self.renderer.render_model(self.project.models[name])
            model = parse_model(rendered, self.project.settings.dialect)
            self._refuse_literal_references(model)
            self._models[name] = model
        return self._models[name]

    def is_view(self, name: str) -> bool:
        """Whether ``name`` is a feature view."""
        return name in self.project.models and self.model(name).is_feature_view

    def is_asked(self, name: str) -> bool:
        """Whether ``name`` has features: it is a feature view or an on-demand view."""
        return self.is_view(name) or (name in self.project.models and self.model(name).is_on_demand)

    def on_demand_views(self) -> list[str]:
        """The names of the on-demand views that render and parse. Renders the whole project."""
        return self._sound(lambda name: self.model(name).is_on_demand)

    def views(self) -> list[str]:
        """The names of all feature views of the project itself. Renders the whole project."""
        return [name for name in self.names if self.model(name).is_feature_view]

    def served_pins(self) -> list[str]:
        """The pinned views that are loaded with the project's own: those that its services and on-demand views read."""
        if not self.project.pins:
            return []
        read = {line.view for service in self.project.services.values() for line in service.features}
        waiting = [*self.on_demand_views(), *(name for name in read if name in self.project.models)]
        while waiting:
            request = self.model(waiting.pop()).rendered.request
            below = {name.partition(":")[0] for name in (() if request is None else request.names)} - read
            read |= below
            waiting += [name for name in below if name in self.project.models]
        return sorted(name for name in read if name in self.project.models and self.project.models[name].frozen)

    def view_names(self) -> list[str]:
        """The names of the feature views that render and parse, for hints. Errors of other models are ignored."""
        return self._sound(self.is_view)

    def asked_names(self) -> list[str]:
        """The names of the feature views and on-demand views that render and parse, for hints."""
        return self._sound(self.is_asked)

    def _sound(self, chosen: Callable[[str], bool]) -> list[str]:
        sound = []
        for name in self.names:
            with suppress(AsknownError):
                if chosen(name):
                    sound.append(name)
        return sound

    def closure(self, names: Iterable[str]) -> list[Model]:
        """The models called ``names`` and all they refer to, each after those it refers to.

        Raises ``cycle`` with the models that refer to each other, and ``windows-below``.
        """
        done: dict[str, Model] = {}
        path: list[str] = []

        def visit(name: str) -> None:
            if name in done:
                return
            if name in path:
                circle = [*path[path.index(name) :], name]
                raise AsknownError(
                    "cycle",
                    "models refer to each other in a cycle: " + " → ".join(circle),
                    at=self.model(name).rendered.where(1),
                    hint="remove one of these references",
                )
            path.append(name)
            model = self.model(name)
            for ref in model.rendered.refs:
                visit(ref)
            self._refuse_on_demand_below(model)
            self._refuse_private_below(model)
            self.refuse_windows_below(model)
            path.pop()
            done[name] = model

        for name in names:
            visit(name)
        return list(done.values())

    def is_repeatable(self, name: str) -> bool:
        """Whether a second read of the model, and of everything upstream down to the tables, gives the same rows."""
        return all(m.repeatable or m.rendered.config.materialized == "table" for m in self.closure([name]))

    def refuse_windows_below(self, model: Model) -> None:
        """Raises ``windows-below`` where a model refers to a view with trailing windows (rule 4)."""
        for ref in model.rendered.refs:
            if self._has_windows(ref):
                raise AsknownError(
                    "windows-below",
                    f"'{model.name}' refers to feature view '{ref}', whose trailing windows would end at each event, "
                    "not at the instant asked for",
                    at=_reference(model, ref),
                    hint=f"request the features of '{ref}' separately, as in {ref}:…; or by another view's feature, "
                    f"with lookup('{ref}', key='column') in the request() of an on-demand view; or move the SQL that "
                    "both need into a model that both refer to",
                )

    def refuse_windows_of_spine(self, name: str) -> None:
        """Raises ``windows-below`` where the model that is a spine has trailing windows (rule 4)."""
        if self._has_windows(name):
            raise AsknownError(
                "windows-below",
                f"the spine is feature view '{name}', whose trailing windows would end at each event, not at the "
                "instant asked for",
                hint=f"select its keys and times from the model that '{name}' reads, and request '{name}' as features",
            )

    def _has_windows(self, name: str) -> bool:
        model = self.model(name)
        return model.is_feature_view and has_trailing_windows(model)

    def _refuse_on_demand_below(self, model: Model) -> None:
        for ref in model.rendered.refs:
            if self.model(ref).is_on_demand:
                raise AsknownError(
                    "bad-model",
                    f"'{model.name}' refers to on-demand view '{ref}', which has no rows before somebody asks",
                    at=_reference(model, ref),
                    hint=f"ask for its features beside this, as in {ref}:…, or name them in request('{ref}')",
                )

    def _refuse_private_below(self, model: Model) -> None:
        docs = self.project.docs
        own = docs[model.name].terms.group if model.name in docs else None
        for ref in model.rendered.refs:
            terms = docs[ref].terms if ref in docs else Terms()
            if terms.access == "private" and terms.group != own:
                of = f"private to group '{terms.group}'" if terms.group is not None else "private, and has no group"
                group = None if terms.group is None else self.project.groups.get(terms.group)
                asked = f"ask {group.owner} to make it protected" if group is not None and group.owner else ""
                raise AsknownError(
                    "private-model",
                    f"'{model.name}' reads '{ref}', which is {of}",
                    at=_reference(model, ref),
                    hint=asked or "make it protected (access: protected), or put both models into one group",
                )

    def _refuse_literal_references(self, model: Model) -> None:
        if model.is_on_demand:  # it reads the relation `request` alone, whatever models are called
            return
        # A model named without ref() would silently be a CTE or a table of that name, depending on what is compiled.
        refs = {ref.casefold() for ref in model.rendered.refs}
        others = {name.casefold(): name for name in self.project.models}
        for table in literal_tables(model):
            other = others.get(table.name.casefold())
            if other is not None and table.name.casefold() not in refs:
                raise AsknownError(
                    "literal-table",
                    f"'{model.name}' reads from '{table.name}', which is a model, without ref()",
                    at=model.rendered.where(*_line_of(model, table.name)),
                    hint=f"write {{{{ ref('{other}') }}}}, or schema.{table.name} for a table of that name",
                )


def _reference(model: Model, ref: str) -> Where:
    """Where the template calls ``ref()`` with this name."""
    at = model.rendered.where(*_line_of(model, ref))
    call = re.search(rf"ref\(\s*['\"]{re.escape(ref)}['\"]", at.text)
    return at if call is None else replace(at, column=call.start() + 1)


def _line_of(model: Model, name: str) -> tuple[int, int]:
    for number, line in enumerate(model.sql.splitlines(), start=1):
        column = line.casefold().find(name.casefold())
        if column >= 0:
            return number, column + 1
    return 1, 0
