"""The filters that templates have: those of Jinja that help to write SQL, each counted before it makes its result.

Left out on purpose: HTML (``escape``, ``safe``, ``tojson``, …), padding (``center``, ``wordwrap``), and ``random``,
because a model renders to the same SQL every time.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from jinja2 import pass_environment
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.filters import do_indent, do_round, do_sum, make_attrgetter

from asknown.render.budget import ELEMENT, Budget, measure, weigh
from asknown.render.failures import RenderError
from asknown.render.texts import format_percent, join, replace

if TYPE_CHECKING:
    from asknown.render.sandbox import BoundedEnvironment

# Filters that make no more than they are given.
_AS_IN_JINJA = (
    *("abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "groupby", "int", "items", "last"),
    *("length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "reverse", "select", "selectattr"),
    *("sort", "string", "title", "trim", "truncate", "unique", "upper", "wordcount"),
)
# Of these, the ones that turn whatever they are given into text.
_OF_TEXT = {"capitalize", "lower", "string", "title", "trim", "truncate", "upper", "wordcount"}
# The ones that make a list of whatever they are given, a text's characters too.
_OF_LISTS = {"list", "sort", "unique"}


def make_filters(environment: BoundedEnvironment) -> dict[str, Callable[..., Any]]:
    """The filters by name. They count against the budget that ``environment`` has when they run."""
    return {name: _counted(environment, name) for name in _AS_IN_JINJA} | {
        "format": _format,
        "indent": _indent,
        "join": _join,
        "replace": _replace,
        "round": _round,
        "sum": _sum,
    }


def _counted(environment: BoundedEnvironment, name: str) -> Callable[..., Any]:
    function = JINJA_FILTERS[name]
    # Jinja puts its environment or context before the value where the function is marked so; wraps keeps the mark.
    position = 1 if hasattr(function, "jinja_pass_arg") else 0

    @functools.wraps(function)
    def counted(*args: Any, **kwargs: Any) -> Any:
        budget, value = environment.budget, args[position]
        budget.step()
        if name in _OF_TEXT:
            budget.spend(measure(value))
        elif name in _OF_LISTS and isinstance(value, str):
            budget.spend(len(value) * ELEMENT)
        else:
            budget.spend(weigh(value))
        return function(*args, **kwargs)

    return counted


def _text(budget: Budget, value: Any) -> str:
    budget.step()
    budget.spend(measure(value))
    return str(value)


@pass_environment
def _format(environment: BoundedEnvironment, value: Any, *args: Any, **kwargs: Any) -> str:
    if args and kwargs:
        raise RenderError("template", "format takes values or named values, not both")
    return format_percent(environment.budget, _text(environment.budget, value), kwargs or args)


@pass_environment
def _indent(
    environment: BoundedEnvironment, value: Any, width: int | str = 4, first: bool = False, blank: bool = False
) -> str:
    text = _text(environment.budget, value)
    environment.budget.spend((text.count("\n") + 1) * (len(width) if isinstance(width, str) else width))
    return do_indent(text, width, first, blank)


@pass_environment
def _join(environment: BoundedEnvironment, value: Iterable[Any], d: Any = "", attribute: Any = None) -> str:
    get = make_attrgetter(environment, attribute) if attribute is not None else None
    return join(environment.budget, str(d), [get(item) if get else item for item in value])


@pass_environment
def _replace(environment: BoundedEnvironment, value: Any, old: Any, new: Any, count: int = -1) -> str:
    return replace(environment.budget, _text(environment.budget, value), str(old), str(new), count)


@pass_environment
def _round(environment: BoundedEnvironment, value: float, precision: int = 0, method: Any = "common") -> float:
    environment.budget.step()
    if abs(precision) > 300:
        raise RenderError("template", f"round keeps at most 300 digits, not {precision}")
    return do_round(value, precision, method)


@pass_environment
def _sum(environment: BoundedEnvironment, iterable: Iterable[Any], attribute: Any = None, start: Any = 0) -> Any:
    environment.budget.step()
    if not isinstance(start, int | float):
        raise RenderError("template", "sum adds numbers; lists are put together with +")
    items = list(iterable)
    environment.budget.spend(weigh(items))
    return do_sum(environment, items, attribute, start)
