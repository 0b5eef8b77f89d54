"""The Jinja environment of models and macros: sandboxed, strict about names, and bounded."""

from __future__ import annotations

import functools
import operator
import re
from collections.abc import Callable, Iterable, Mapping
from string import Formatter
from types import BuiltinMethodType, CodeType
from typing import Any

from jinja2 import Template, nodes, pass_environment
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.filters import do_indent, do_round, do_sum, make_attrgetter
from jinja2.runtime import Context, LoopContext, Macro, Undefined
from jinja2.sandbox import MAX_RANGE, ImmutableSandboxedEnvironment, SandboxedFormatter
from jinja2.utils import missing as nothing

from asknown.errors import did_you_mean
from asknown.render.budget import ELEMENT, MAX_BITS, Budget, measure, weigh
from asknown.render.errors import Missing, RenderError

_PLAIN_GLOBALS = ("cycler", "dict", "joiner", "namespace")
_OF_JINJA = ("_block_vars", "_loop_vars")  # arguments that Jinja adds to a call


class Run:
    """One rendering: what is left to it, the names it sees, and the template line that is being written."""

    def __init__(self) -> None:
        self.budget = Budget()
        self.names: dict[str, Any] = {}
        self.find_macro: Callable[[str], Any] = lambda _name: nothing
        self.line = 1
        self.verbatim = True  # the text being written stands in the template as it is


class RunContext(Context):
    """The names of a template: its own, the run's, then the macros."""

    environment: BoundedEnvironment

    def resolve_or_missing(self, key: str) -> Any:
        """The value of ``key``, or Jinja's mark for none."""
        value = super().resolve_or_missing(key)
        return self.environment.run.find_macro(key) if value is nothing else value


class BoundedEnvironment(ImmutableSandboxedEnvironment):
    """Compiles and runs templates. ``run`` is the one rendering that uses it at a time."""

    context_class = RunContext
    intercepted_binops = frozenset({"+", "*", "**", "%"})

    def __init__(self) -> None:
        super().__init__(undefined=Missing, autoescape=False, cache_size=0, extensions=["jinja2.ext.do"])
        self.run = Run()
        self.finalize = self.write
        self.filters = make_filters(self)
        self.globals = {name: DEFAULT_NAMESPACE[name] for name in _PLAIN_GLOBALS} | {"range": _range}

    @property
    def budget(self) -> Budget:
        """What is left to the rendering."""
        return self.run.budget

    # What the rewritten templates call: see rewrite.py.

    def mark(self, line: int, verbatim: bool) -> str:
        """Notes where the text that is written next comes from."""
        self.run.line, self.run.verbatim = line, verbatim
        return ""

    def count(self, size: int) -> str:
        """Counts template text that goes into a captured text."""
        self.budget.spend(size)
        return ""

    def step(self) -> bool:
        """Counts one round of a loop."""
        self.budget.step()
        return True

    def concatenate(self, *values: Any) -> str:
        """What ``a ~ b`` gives."""
        return join(self.budget, "", values)

    def write(self, value: Any) -> str:
        """The text of an expression's value."""
        self.budget.spend(measure(value))
        return str(value)

    def cut(self, value: Any, start: Any, stop: Any, step: Any) -> Any:
        """What ``value[start:stop:step]`` gives."""
        self.budget.spend(weigh(value))
        return value[start:stop:step]

    # What the sandbox asks.

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Closes methods that make much out of little."""
        if isinstance(obj, str):
            return attr in TEXT_METHODS
        return not isinstance(obj, int | float) and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """What a counted operator gives."""
        return operate(self.budget, operator, left, right)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """``format`` of a text, counted."""
        if super().wrap_str_format(value) is None or value.__name__ != "format":
            return None
        text: str = value.__self__

        def format(*args: Any, **kwargs: Any) -> str:  # noqa: A001 - the name that messages show
            return str(BoundedFormatter(self).vformat(text, args, kwargs))

        return format

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as in Jinja
        """The result of a call, counted where it is a macro's or a counted method's."""
        if isinstance(__obj, Macro | LoopContext):
            if isinstance(__obj, Macro):
                _check_arguments(__obj, kwargs)
            budget, failed = __self.budget, True
            budget.step()
            try:
                budget.enter(f"macro '{__obj.name}'" if isinstance(__obj, Macro) else "a recursive loop")
                result = super().call(__context, __obj, *args, **kwargs)
                failed = False
                return result
            finally:
                budget.leave(failed=failed)
        for given in (*args, *kwargs.values()):
            if isinstance(given, Undefined):
                str(given)  # tells what is missing
        if isinstance(__obj, BuiltinMethodType | type):
            return call_builtin(__self.budget, __obj, args, {n: v for n, v in kwargs.items() if n not in _OF_JINJA})
        return super().call(__context, __obj, *args, **kwargs)

    def make_template(self, tree: nodes.Template, shown: str) -> Template:
        """The runnable template of a rewritten ``tree``. ``shown``, its file, finds its origin when it fails."""
        try:
            code = self.compile(tree, shown, shown)
        except SyntaxError as error:  # Python's own limit on blocks in blocks
            raise RenderError("template", "the tags of the template nest too deep") from error
        assert isinstance(code, CodeType)
        return Template.from_code(self, code, {})


def _range(*args: int) -> range:
    numbers = range(*args)
    if len(numbers) > MAX_RANGE:
        raise RenderError("output-limit", f"range makes at most {MAX_RANGE:,} numbers, not {len(numbers):,}")
    return numbers


def _check_arguments(macro: Macro, given: dict[str, Any]) -> None:
    for name in given:
        if not (macro.catch_kwargs or name in macro.arguments or name == "caller" or name in _OF_JINJA):
            raise RenderError(
                "template",
                f"macro '{macro.name}' has no argument '{name}'",
                hint=did_you_mean(name, macro.arguments, what="its arguments"),
                needle=rf"\b{name}\s*=",
            )


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


# The methods of a text that make no more than they are given; format, join and replace are counted below.
TEXT_METHODS = frozenset(
    """
    capitalize casefold count endswith find format index isalnum isalpha isascii isdecimal isdigit isidentifier islower
    isnumeric isspace istitle isupper join lower lstrip partition removeprefix removesuffix replace rfind rindex
    rpartition rsplit rstrip split splitlines startswith strip swapcase title upper
    """.split()  # noqa: SIM905 - a list of quoted words would hide the words
)
_DIRECTIVE = re.compile(r"%(?:\([^)]*\))?[#0\- +]*(\*|\d*)(?:\.(\*|\d*))?")
_SEQUENCES = (str, list, tuple)


def operate(budget: Budget, sign: str, left: Any, right: Any) -> Any:
    """``left sign right`` for the signs that can make much out of little: ``+``, ``*``, ``**``, ``%``."""
    if isinstance(left, str) and sign == "%":
        return format_percent(budget, left, right)
    if sign == "*":
        for sequence, times in ((left, right), (right, left)):
            if isinstance(sequence, _SEQUENCES) and isinstance(times, int):
                budget.spend(weigh(sequence) * max(times, 0))
    elif sign == "+" and isinstance(left, _SEQUENCES) and isinstance(right, _SEQUENCES):
        budget.spend(weigh(left) + weigh(right))
    if isinstance(left, int) and isinstance(right, int):
        bits = left.bit_length() * right if sign == "**" else left.bit_length() + right.bit_length()
        if bits > MAX_BITS:
            raise RenderError("output-limit", f"a number would grow to more than {MAX_BITS} bits")
    signs = {"+": operator.add, "*": operator.mul, "**": operator.pow, "%": operator.mod}
    return signs[sign](left, right)


def join(budget: Budget, separator: str, values: Iterable[Any]) -> str:
    """The texts of ``values`` with ``separator`` between them."""
    parts = list(values)
    budget.step()
    budget.spend(sum(map(measure, parts)) + len(separator) * len(parts))
    return separator.join(map(str, parts))


def replace(budget: Budget, text: str, old: str, new: str, count: int = -1) -> str:
    """``text`` with ``old`` replaced by ``new``."""
    found = text.count(old) if count < 0 else min(count, text.count(old))
    budget.spend(len(text) + found * max(len(new) - len(old), 0))
    return text.replace(old, new, count)


def format_percent(budget: Budget, text: str, values: Any) -> str:
    """``text % values``."""
    given = values.values() if isinstance(values, Mapping) else values if isinstance(values, tuple) else [values]
    largest = max(map(measure, given), default=0)
    size = len(text)
    for directive in _DIRECTIVE.finditer(text):
        if "*" in directive.groups():
            raise RenderError("template", "'*' cannot be the width of a format", hint="write the width as a number")
        # Nine digits are past every limit already.
        size += largest + sum(int(number[:9]) for number in directive.groups() if number)
    budget.spend(size)
    return str(text % values)


def call_builtin(budget: Budget, function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """What a method of a text, list or mapping, or a type such as ``dict`` gives."""
    given = getattr(function, "__self__", None)
    budget.step()
    for value in (given, *args):
        budget.spend(weigh(value))
    if isinstance(given, str) and function.__name__ == "replace" and len(args) >= 2:
        return replace(budget, given, *args, **kwargs)
    if isinstance(given, str) and function.__name__ == "join" and len(args) == 1:
        return _join_texts(budget, given, list(args[0]))
    if isinstance(given, str) and function.__name__ in ("split", "rsplit", "splitlines"):
        budget.spend(len(given) // 2 * ELEMENT)  # at most so many parts
    return function(*args, **kwargs)


def _join_texts(budget: Budget, separator: str, parts: list[Any]) -> str:
    for part in parts:
        if not isinstance(part, str):
            raise TypeError(f"join puts texts together, and {part!r:.40} is not one")
    return join(budget, separator, parts)


class BoundedFormatter(SandboxedFormatter):
    """What ``'{} {}'.format(…)`` does, counted field by field."""

    _env: BoundedEnvironment

    def convert_field(self, value: Any, conversion: str | None) -> Any:
        """The value as its conversion (``!r``) asks for it."""
        self._env.budget.spend(measure(value))
        return super().convert_field(value, conversion)

    def format_field(self, value: Any, format_spec: str) -> str:
        """One field as text."""
        widths = re.findall(r"\d+", format_spec)
        self._env.budget.spend(measure(value) + sum(int(width[:9]) for width in widths))
        return str(Formatter.format_field(self, value, format_spec))
