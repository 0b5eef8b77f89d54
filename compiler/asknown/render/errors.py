"""Turns whatever goes wrong while a template renders into one error that points at the template's line."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from traceback import walk_tb
from typing import cast

from jinja2 import StrictUndefined, Template, TemplateError, TemplateSyntaxError, UndefinedError
from jinja2.utils import missing

from asknown.errors import AsknownError, Where, did_you_mean
from asknown.render.nodes import split_lines

# The exceptions that a mistake in a template can raise. Any other is our own bug, and shows its traceback.
TEMPLATE_ERRORS = (
    AsknownError,
    TemplateError,
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    RecursionError,
    TypeError,
    ValueError,
)
_ENDLESS = (MemoryError, OverflowError, RecursionError)
_NO_SUCH = re.compile(r"No (filter|test) named '(\w+)'")
_UNKNOWN_TAG = re.compile(r"Encountered unknown tag '(\w+)'")
_UNSAFE = re.compile(r"access to attribute '(\w+)' of '(\w+)' object is unsafe")
_TAGS = ("call", "do", "filter", "for", "if", "macro", "raw", "set", "with")
_OWN_FOLDER = Path(__file__).parent
# The files in which a template's own operations run: if these raise, the template is at fault.
_RUN_BY_TEMPLATES = {"budget.py", "environment.py"}


class RenderError(AsknownError):
    """An error whose place is not known yet. ``needle`` is a pattern that finds it, from the failing line on."""

    def __init__(self, code: str, message: str, *, hint: str | None = None, needle: str | None = None) -> None:
        super().__init__(code, message, hint=hint)
        self.needle = needle


class UnknownNameError(UndefinedError):
    """A template uses a name that nothing defines."""

    def __init__(self, name: str) -> None:
        super().__init__(f"'{name}' is not defined")
        self.name = name


class Missing(StrictUndefined):
    """The value of an undefined name. Every use of it except ``is defined`` raises an error."""

    __slots__ = ()

    def __init__(
        self, hint: str | None = None, obj: object = missing, name: str | None = None, exc: object = UndefinedError
    ) -> None:
        if hint is None and obj is missing and name is not None:
            exc = lambda _message: UnknownNameError(name)  # noqa: E731 - Jinja calls it with its own message
        super().__init__(hint, obj, name, cast(type[UndefinedError], exc))


@dataclass(frozen=True)
class Origin:
    """The file of a template. ``standard`` marks the standard library, whose files the user does not write."""

    shown: str
    text: str
    standard: bool = False

    def place(self, line: int, needle: str | None = None) -> Where:
        """The line, or the nearest after it in the same tag where ``needle`` (a pattern) stands."""
        lines = split_lines(self.text)
        if not 1 <= line <= len(lines):
            return Where(self.shown)
        for number in range(line, len(lines) + 1) if needle else ():
            text = lines[number - 1]
            found = re.search(needle or "", text)
            if found:
                return Where(self.shown, number, found.start() + 1, text)
            if "}}" in text or "%}" in text:
                break
        return Where(self.shown, line, 0, lines[line - 1])


@dataclass(frozen=True)
class Known:
    """The names that a suggestion may offer."""

    names: Sequence[str]
    variables: Iterable[str]
    models: Iterable[str]
    filters: Iterable[str]
    tests: Iterable[str]


def is_own_bug(error: BaseException) -> bool:
    """Whether a line of this package raised ``error`` by mistake. Such an error must show its traceback."""
    if isinstance(error, AsknownError | TemplateError):
        return False
    frames = [frame for frame, _ in walk_tb(error.__traceback__)]
    innermost = Path(frames[-1].f_code.co_filename)
    return innermost.parent == _OWN_FOLDER and innermost.name not in _RUN_BY_TEMPLATES


def explain(
    error: Exception, origins: dict[str, Origin], calls: Sequence[str], known: Known, otherwise: Where
) -> AsknownError:
    """The error that the user reads in place of ``error``.

    ``calls`` are the macros that were running, outermost first. ``otherwise`` is the place to show if none is known.
    """
    refused = _describe(error, known)
    if refused.at is not None:
        return refused
    needle = refused.needle if isinstance(refused, RenderError) else None
    if isinstance(error, TemplateSyntaxError):
        origin = origins.get(error.name or "")
        at = origin.place(error.lineno, needle) if origin else otherwise
        return AsknownError(refused.code, refused.message, at=at, hint=refused.hint)

    frames = _template_frames(error, origins)
    if isinstance(error, RecursionError) and not frames:
        return AsknownError("template", "the expressions or tags of the template are nested too deep", at=otherwise)
    own = [frame for frame in frames if not frame[0].standard] or frames
    at = own[-1][0].place(own[-1][1], needle) if own else otherwise
    message = refused.message
    if calls and calls[-1] not in message:
        message += f", in {calls[-1]}"
    if calls and own and own[0] != own[-1]:
        message += f", called from {own[0][0].place(own[0][1])}"
    return AsknownError(refused.code, message, at=at, hint=refused.hint)


def _template_frames(error: Exception, origins: dict[str, Origin]) -> list[tuple[Origin, int]]:
    found = []
    for frame, line in walk_tb(error.__traceback__):
        template = frame.f_globals.get("__jinja_template__")
        if isinstance(template, Template) and template.name in origins:
            found.append((origins[template.name], template.get_corresponding_lineno(line)))
    return found


def _describe(error: Exception, known: Known) -> AsknownError:
    if isinstance(error, AsknownError):
        return error
    if isinstance(error, UnknownNameError):
        return _unknown_name(error.name, known)
    message = ((error.message if isinstance(error, TemplateError) else str(error)) or type(error).__name__).rstrip(".")
    if isinstance(error, _ENDLESS):
        return RenderError("output-limit", f"the template is too large to render: {message}")
    return _by_message(message, known) or RenderError(
        "undefined" if isinstance(error, UndefinedError) else "template", message
    )


def _by_message(message: str, known: Known) -> RenderError | None:
    """The error for one of Jinja's that can only be recognised by its message, or None."""
    if found := _NO_SUCH.search(message):
        kind, name = found.groups()
        hint = did_you_mean(name, known.filters if kind == "filter" else known.tests, what=f"{kind}s")
        return RenderError("undefined", f"there is no {kind} '{name}'", hint=hint, needle=rf"\b{name}\b")
    if found := _UNKNOWN_TAG.search(message):
        hint = did_you_mean(found[1], _TAGS, what="tags")
        return RenderError("template", f"there is no tag '{found[1]}'", hint=hint, needle=rf"\b{found[1]}\b")
    if found := _UNSAFE.search(message):
        name, kind = found.groups()
        hint = (
            "templates cannot change the values they are given; build a new value: {% set xs = xs + [x] %}"
            if kind in ("list", "dict", "set")
            else "templates cannot use it"
        )
        return RenderError("template", f"'{name}' of a {kind} cannot be used here", hint=hint, needle=rf"\b{name}\b")
    return None


ROWS_AND_REQUEST = (
    "keep the rows of the window in this view, {{ rows_of(['amount'], '30 days') }} as rows_30d, and compare them "
    "with the request in an on-demand view: {{ count_of('rows_30d', where='row_.amount > amount') }}"
)
"""The hint where a feature view reads the request, which on-demand views do."""

# What dbt's templates know of the run that renders them.
_OF_A_RUN = ("run_started_at", "invocation_id", "modules")


def _unknown_name(name: str, known: Known) -> RenderError:
    if name in known.variables:
        hint = f"a variable of the project is read with var('{name}')"
    elif name in known.models:
        hint = f"a model is named with ref('{name}')"
    elif name in _OF_A_RUN:
        hint = "a model has the same SQL in every run: docs/leaks.md says what to write instead of the clock"
    elif name in ("input", "inputs", "asked_at"):
        hint = (
            f"inputs of the request and asked_at are columns of an on-demand view; in a feature view {ROWS_AND_REQUEST}"
        )
    else:
        hint = did_you_mean(name, known.names, what="macros and functions")
    return RenderError("undefined", f"'{name}' is not defined", hint=hint, needle=rf"\b{re.escape(name)}\b")
