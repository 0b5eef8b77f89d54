"""The macros of a project: read once from the standard library and the project's own files, found by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from jinja2 import Template, TemplateSyntaxError, nodes

from asknown.errors import AsknownError
from asknown.project.nodes import MacroFile, Project
from asknown.render.failures import Origin
from asknown.render.rewrite import rewrite
from asknown.render.sandbox import BoundedEnvironment


@dataclass(frozen=True)
class MacroSource:
    """One macro, compiled on its own, so that the macros it calls are found by name, in whatever file they stand."""

    name: str
    template: Template
    origin: Origin
    line: int


def read_macros(
    environment: BoundedEnvironment, project: Project, reserved: frozenset[str], origins: dict[str, Origin]
) -> dict[str, MacroSource]:
    """The project's macros by name; its own stand before those of the standard library.

    Notes each file under its name in ``origins``. Raises ``duplicate-name`` for two macros of one name in one layer, or
    of a name in ``reserved``.
    """
    layers: dict[bool, dict[str, MacroSource]] = {True: {}, False: {}}
    for file in project.macros:
        layer = layers[file.standard]
        for macro in _read_file(environment, file, origins):
            place = macro.origin.place(macro.line, rf"\b{macro.name}\b")
            if macro.name in reserved:
                raise AsknownError(
                    "duplicate-name",
                    f"a macro cannot have the name '{macro.name}': it is asknown's own",
                    at=place,
                    hint="give the macro another name",
                )
            if macro.name in layer:
                first = layer[macro.name]
                raise AsknownError(
                    "duplicate-name",
                    f"macro '{macro.name}' is defined twice: {first.origin.place(first.line)} and {place}",
                    at=place,
                    hint="give one of them another name, or delete it",
                )
            layer[macro.name] = macro
    return layers[True] | layers[False]


def _read_file(environment: BoundedEnvironment, file: MacroFile, origins: dict[str, Origin]) -> Iterator[MacroSource]:
    origin = Origin(file.shown, file.text, file.standard)
    key = f"macros {file.shown}"
    origins[key] = origin
    tree = environment.read_template(file.text, key, file.shown)
    for node in tree.body:
        if isinstance(node, nodes.Macro):
            single = nodes.Template([node], lineno=1)
            single.set_environment(environment)
            rewrite(single, key)
            yield MacroSource(node.name, environment.make_template(single, key, file.shown), origin, node.lineno)
        elif not isinstance(node, nodes.Output) or not _is_blank(node):
            raise TemplateSyntaxError("a macro file holds {% macro %} blocks and {# comments #} only", _line(node), key)


def _line(node: nodes.Node) -> int:
    """The first line of ``node`` that is not blank."""
    first = node.nodes[0] if isinstance(node, nodes.Output) else node
    if isinstance(first, nodes.TemplateData):
        lead = first.data[: len(first.data) - len(first.data.lstrip())]
        return first.lineno + lead.count("\n")
    return node.lineno


def _is_blank(node: nodes.Output) -> bool:
    return all(isinstance(child, nodes.TemplateData) and not child.data.strip() for child in node.nodes)
