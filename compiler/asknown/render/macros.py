"""The macros of a project: read once from the standard library and the project's own files, found by name."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from types import CodeType
from typing import Any

from jinja2 import Template, TemplateSyntaxError, nodes
from jinja2.utils import missing

from asknown.errors import AsknownError
from asknown.project.nodes import MacroFile
from asknown.render.environment import BoundedEnvironment
from asknown.render.errors import Origin
from asknown.render.nodes import MacroUse
from asknown.render.rewrite import rewrite

_NAME = re.compile(r"\{%-?\s*macro\s+(\w+)")


@dataclass(frozen=True)
class MacroSource:
    """One macro and the file that it stands in."""

    tree: nodes.Macro
    origin: Origin

    @property
    def name(self) -> str:
        return self.tree.name


class MacroLibrary:
    """The macros of ``files`` by name. A macro of the project hides a standard one of the same name.

    The project's files are parsed at once, so that every mistake is found. A standard file is parsed when one of its
    macros is used. Each file is noted in ``origins`` under the path that messages show. Raises ``duplicate-name`` if
    the project, or the standard library, defines two macros of one name, or one whose name is ``reserved``.
    """

    def __init__(
        self,
        environment: BoundedEnvironment,
        files: Iterable[MacroFile],
        reserved: frozenset[str],
        origins: dict[str, Origin],
    ) -> None:
        self._environment = environment
        self._reserved = reserved
        self._templates: dict[str, Template] = {}
        self._uses: dict[str, MacroUse] = {}
        self._sources: dict[str, MacroSource] = {}
        self._standard: dict[str, tuple[MacroFile, Origin]] = {}
        for file in files:
            origin = origins[file.shown] = Origin(file.shown, file.text, file.standard)
            if file.standard:
                self._standard |= dict.fromkeys(_NAME.findall(file.text), (file, origin))
            else:
                self._read(file, origin, self._sources)

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the macros."""
        return tuple(self._standard | self._sources)

    def use(self, name: str) -> MacroUse | None:
        """The macro ``name``, if it was made."""
        return self._uses.get(name)

    def make(self, name: str) -> Any:
        """The macro ``name``, for the model that is rendering, or Jinja's marker for a missing value.

        Each macro becomes a template of its own, so that it finds the macros that it calls in any file.
        """
        if name not in self._sources and name in self._standard:
            layer: dict[str, MacroSource] = {}
            self._read(*self._standard.pop(name), layer)
            self._sources = layer | self._sources
        if name not in self._sources:
            return missing
        if name not in self._templates:
            source = self._sources[name]
            text = hashlib.sha256(repr(source.tree).encode()).hexdigest()  # before the compilation changes the tree
            self._uses[name] = MacroUse(name, source.origin.shown, text)
            self._templates[name] = Template.from_code(self._environment, _code_of(source, self._environment), {})
        template = self._templates[name]
        context = template.new_context(self._environment.run.names, shared=True)
        for _ in template.root_render_func(context):
            pass
        return context.vars[name]

    def _read(self, file: MacroFile, origin: Origin, layer: dict[str, MacroSource]) -> None:
        trees: Iterable[nodes.Macro] = (
            _read_standard_file(file.text, file.shown)
            if file.standard
            else _read_file(self._environment, file.text, file.shown)
        )
        for tree in trees:
            macro = MacroSource(tree, origin)
            _refuse_taken_name(macro, self._reserved, layer)
            layer[macro.name] = macro


def _code_of(source: MacroSource, environment: BoundedEnvironment) -> CodeType:
    """The code of a macro, as a template of its own."""
    if source.origin.standard:
        return _code_of_standard(source.tree, source.origin.shown)
    return _compile(source.tree, source.origin.shown, environment)


@cache  # of every project in the process: the standard library is the same for all
def _code_of_standard(tree: nodes.Macro, shown: str) -> CodeType:
    environment = tree.environment  # of which a copy of the tree needs none
    return _compile(deepcopy(tree, {id(environment): environment}), shown, BoundedEnvironment())


def _compile(tree: nodes.Macro, shown: str, environment: BoundedEnvironment) -> CodeType:
    template = nodes.Template([tree], lineno=1)
    template.set_environment(environment)
    rewrite(template, shown)
    return environment.make_code(template, shown)


def _refuse_taken_name(macro: MacroSource, reserved: frozenset[str], layer: dict[str, MacroSource]) -> None:
    place = macro.origin.place(macro.tree.lineno, rf"\b{macro.name}\b")
    if macro.name in reserved:
        raise AsknownError(
            "duplicate-name",
            f"a macro cannot have the name '{macro.name}': the name is reserved",
            at=place,
            hint="give the macro another name",
        )
    if macro.name in layer:
        first = layer[macro.name]
        raise AsknownError(
            "duplicate-name",
            f"macro '{macro.name}' is defined twice: {first.origin.place(first.tree.lineno)} and {place}",
            at=place,
            hint="give one of them another name, or delete it",
        )


@cache  # as above
def _read_standard_file(text: str, shown: str) -> tuple[nodes.Macro, ...]:
    return tuple(_read_file(BoundedEnvironment(), text, shown))


def _read_file(environment: BoundedEnvironment, text: str, shown: str) -> Iterator[nodes.Macro]:
    for node in environment.parse(text, shown, shown).body:
        if isinstance(node, nodes.Macro):
            yield node
        elif not isinstance(node, nodes.Output) or not _is_blank(node):
            message = "a macro file may contain only {% macro %} blocks and {# comments #}"
            raise TemplateSyntaxError(message, _first_visible_line(node), shown)


def _first_visible_line(node: nodes.Node) -> int:
    first = node.nodes[0] if isinstance(node, nodes.Output) else node
    if isinstance(first, nodes.TemplateData):
        lead = first.data[: len(first.data) - len(first.data.lstrip())]
        return first.lineno + lead.count("\n")
    return node.lineno


def _is_blank(node: nodes.Output) -> bool:
    return all(isinstance(child, nodes.TemplateData) and not child.data.strip() for child in node.nodes)
