"""Renders a project's models: Jinja in; out comes plain SQL, with the template's line of each line of SQL."""

from __future__ import annotations

import re
import threading
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from jinja2 import nodes

from asknown.errors import AsknownError
from asknown.project.nodes import ModelFile, Project
from asknown.render.environment import BoundedEnvironment, Run
from asknown.render.errors import TEMPLATE_ERRORS, Known, Origin, explain, is_own_bug
from asknown.render.frozen import rendered_from
from asknown.render.macros import MacroLibrary
from asknown.render.nodes import Rendered, ViewConfig
from asknown.render.rewrite import first_line, rewrite
from asknown.render.scope import NAMES, ModelScope

_LINE = re.compile(r"(.*?)(?:\r\n|\r|\n|\Z)", re.DOTALL)


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece of rendered text. ``verbatim`` text is the template's own, from ``line`` on."""

    line: int
    verbatim: bool
    text: str


def put_together(pieces: Sequence[Piece]) -> tuple[str, tuple[int, ...]]:
    """The SQL without blank lines around it, and for each of its lines the line of the template that it came from.

    The first visible character of a line decides where the line came from.
    """
    text = "".join(piece.text for piece in pieces)
    starts: list[int] = []
    position = 0
    for piece in pieces:
        starts.append(position)
        position += len(piece.text)
    # Jinja writes every line end of the template's own text as one \n.
    ends = [match.start() for match in re.finditer("\n", text)]

    def origin(offset: int) -> int:
        index = bisect_right(starts, offset) - 1
        piece = pieces[index]
        if not piece.verbatim:
            return piece.line
        return piece.line + bisect_left(ends, offset) - bisect_left(ends, starts[index])

    spans = [match.span(1) for match in _LINE.finditer(text)]
    visible = [number for number, (start, end) in enumerate(spans) if not _is_blank(text, start, end)]
    if not visible:
        return "", ()
    kept = spans[visible[0] : visible[-1] + 1]
    return text[kept[0][0] : kept[-1][1]], tuple(origin(_first_visible(text, *span)) for span in kept)


def _is_blank(text: str, start: int, end: int) -> bool:
    return not text[start:end].strip()


def _first_visible(text: str, start: int, end: int) -> int:
    line = text[start:end]
    return start + len(line) - len(line.lstrip()) if line.strip() else start


class Renderer:
    """Renders the models of ``project``. Macro files are read once, at the first model. Safe to use from threads.

    With ``unpinned`` a template may name views of other projects that are not pinned yet.
    """

    def __init__(self, project: Project, *, unpinned: bool = False) -> None:
        self._project = project
        self._unpinned = unpinned
        self._environment = BoundedEnvironment()
        self._library: MacroLibrary | None = None
        self._origins: dict[str, Origin] = {}
        self._lock = threading.Lock()

    def render_model(self, model: ModelFile) -> Rendered:
        """The model as plain SQL, with its config and the names that it refers to.

        Raises AsknownError that points at the template's line: ``template``, ``undefined``, ``output-limit``,
        ``unknown-model``, ``unknown-source``, ``unknown-entity``, ``unknown-key``, ``wrong-type``, ``bad-config``,
        ``bad-duration``, ``missing-env``, ``cycle``, or ``duplicate-name`` for macros.
        """
        if model.frozen is not None:
            return rendered_from(model.frozen, model.shown)
        with self._lock:
            try:
                return self._render(model)
            except TEMPLATE_ERRORS as error:
                self._fail(error, model)

    def _render(self, model: ModelFile) -> Rendered:
        environment = self._environment
        environment.run = Run()
        if self._library is None:
            reserved = frozenset([*NAMES, *environment.globals])
            self._library = MacroLibrary(environment, self._project.macros, reserved, self._origins)
        origin = self._origins[model.shown] = Origin(model.shown, model.text)
        tree = environment.parse(model.text, model.shown, model.shown)
        config_calls = _config_calls(tree)
        rewrite(tree, model.shown)
        template = environment.make_template(tree, model.shown)

        run = environment.run = Run()
        scope = ModelScope(self._project, model, lambda: run.line, unpinned=self._unpinned)
        run.names.update(environment.globals, **scope.names())
        made: dict[str, Any] = {}
        run.find_macro = _finder(self._library, made)
        pieces = []
        for text in template.root_render_func(template.new_context(run.names, shared=True)):
            if text:
                run.budget.write(len(text))
                pieces.append(Piece(run.line, run.verbatim, text))
        scope.finish()
        sql, lines = put_together(pieces)
        if not sql:
            raise AsknownError(
                "template",
                f"model '{model.name}' renders to no SQL",
                at=origin.place(1),
                hint="write a select",
            )
        return Rendered(
            model.name,
            model.shown,
            model.text,
            sql,
            scope.config or ViewConfig(),
            tuple(scope.refs),
            tuple(scope.sources),
            lines,
            _config_line(scope, config_calls),
            scope.request,
            tuple(scope.foreign),
            tuple(use for use in map(self._library.use, made) if use is not None),
        )

    def _fail(self, error: Exception, model: ModelFile) -> NoReturn:
        if is_own_bug(error):
            raise error
        project, environment = self._project, self._environment
        known = Known(
            (*NAMES, *environment.globals, *(self._library.names if self._library else ())),
            project.settings.vars,
            project.models,
            environment.filters,
            environment.tests,
        )
        otherwise = Origin(model.shown, model.text).place(environment.run.line)
        explained = explain(error, self._origins, environment.budget.failed_in, known, otherwise)
        raise explained from (None if isinstance(error, AsknownError) else error)


def _finder(library: MacroLibrary, made: dict[str, Any]) -> Callable[[str], Any]:
    """A function that finds the macros of one rendering by name, and makes each at its first use into ``made``."""

    def find(name: str) -> Any:
        if name not in made:
            made[name] = library.make(name)
        return made[name]

    return find


def _config_calls(tree: nodes.Template) -> list[int]:
    """The lines on which the template calls ``config()`` itself."""
    return [
        first_line(call)
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name == "config"
    ]


def _config_line(scope: ModelScope, calls: list[int]) -> int:
    # Inside {% do %}, {% set %} or a macro, the line that is being written is not the line of the call.
    if scope.config is None or scope.config_line in calls:
        return scope.config_line
    return calls[0] if calls else scope.config_line
