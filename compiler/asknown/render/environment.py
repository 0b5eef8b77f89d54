"""The Jinja environment of models and macros: sandboxed, strict about names, and bounded."""

from __future__ import annotations

import functools
import operator
from collections.abc import Callable, Iterable
from types import CodeType
from typing import Any

from jinja2 import Template, nodes, pass_environment
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.filters import FILTERS as JINJA_FILTERS
from jinja2.filters import make_attrgetter
from jinja2.runtime import Context, LoopContext, Macro, Undefined
from jinja2.sandbox import MAX_RANGE, ImmutableSandboxedEnvironment
from jinja2.utils import missing as nothing

from asknown.errors import did_you_mean
from asknown.render.budget import Budget, check_bits, measure, weigh
from asknown.render.errors import Missing, RenderError
from asknown.render.scope import ThisModel

_PLAIN_GLOBALS = ("cycler", "dict", "joiner", "namespace")
_OF_JINJA = ("_block_vars", "_loop_vars")  # arguments that Jinja adds to a call


class Run:
    """The state of one rendering: its budget, the names that it sees, and the template line that is being written."""

    def __init__(self) -> None:
        self.budget = Budget()
        self.names: dict[str, Any] = {}
        self.find_macro: Callable[[str], Any] = lambda _name: nothing
        self.line = 1
        self.verbatim = True  # the text that is being written is the template's own


class RunContext(Context):
    """Looks a name up among the template's own, then the run's, then the macros."""

    environment: BoundedEnvironment

    def resolve_or_missing(self, key: str) -> Any:
        """The value of ``key``, or Jinja's marker for a missing one."""
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
        """The budget of the current rendering."""
        return self.run.budget

    # Rewritten templates call these methods: see rewrite.py.

    def mark(self, line: int, verbatim: bool) -> str:
        """Notes which template line the next piece of text comes from."""
        self.run.line, self.run.verbatim = line, verbatim
        return ""

    def count(self, size: int) -> str:
        """Counts template text that is captured, as in ``{% set %}…{% endset %}``."""
        self.budget.spend(size)
        return ""

    def step(self) -> bool:
        """Counts one round of a loop."""
        self.budget.step()
        return True

    def concatenate(self, *values: Any) -> str:
        """The result of ``a ~ b``."""
        return join(self.budget, "", values)

    def write(self, value: Any) -> str:
        """The text of an expression's value."""
        self.budget.spend(measure(value))
        return str(value)

    def cut(self, value: Any, start: Any, stop: Any, step: Any) -> Any:
        """The result of ``value[start:stop:step]``."""
        return self.budget.limit(value[start:stop:step])

    # The sandbox calls these methods.

    def is_safe_attribute(self, obj: Any, attr: str, value: Any) -> bool:
        """Whether templates may use an attribute. Of texts they may use :data:`TEXT_METHODS`, of numbers none."""
        if isinstance(obj, str):
            return attr in TEXT_METHODS
        return not isinstance(obj, int | float) and super().is_safe_attribute(obj, attr, value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """The result of one of :attr:`intercepted_binops`, counted."""
        return operate(self.budget, operator, left, right)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:
        """``format`` of a text, or None for any other value. Its arguments become text, so they are measured."""
        made = super().wrap_str_format(value)
        if made is None or value.__name__ != "format":
            return None

        @functools.wraps(made)
        def format(*args: Any, **kwargs: Any) -> str:  # noqa: A001 - the name that messages show
            _check_texts(self.budget, (*args, *kwargs.values()))
            return made(*args, **kwargs)

        return format

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805 - as in Jinja
        """The result of a call, counted as a step. Of a macro's result the text has been counted as it was written."""
        budget = __self.budget
        budget.step()
        if isinstance(__obj, ThisModel):
            __obj = __self.run.find_macro(__obj.macro)
        if isinstance(__obj, Macro | LoopContext):
            failed = True
            if isinstance(__obj, Macro):
                _check_arguments(__obj, kwargs)
            try:
                budget.enter(f"macro '{__obj.name}'" if isinstance(__obj, Macro) else "a recursive loop")
                result = super().call(__context, __obj, *args, **kwargs)
                failed = False
                return result
            finally:
                budget.leave(failed=failed)
        for argument in (*args, *kwargs.values()):
            if isinstance(argument, Undefined):
                str(argument)  # raises the error that names the missing value
        return budget.limit(super().call(__context, __obj, *args, **kwargs))

    def make_template(self, tree: nodes.Template, shown: str) -> Template:
        """The runnable template of a rewritten ``tree``. An error in it is traced to the file ``shown``."""
        return Template.from_code(self, self.make_code(tree, shown), {})

    def make_code(self, tree: nodes.Template, shown: str) -> CodeType:
        """The code of a rewritten ``tree``, from which any such environment can make the template."""
        try:
            code = self.compile(tree, shown, shown)
        except SyntaxError as error:  # Python's own limit on blocks in blocks
            raise RenderError("template", "the tags of the template are nested too deep") from error
        assert isinstance(code, CodeType)
        return code


def _range(*args: int) -> range:
    numbers = range(*args)
    if len(numbers) > MAX_RANGE:
        raise RenderError("output-limit", f"range makes at most {MAX_RANGE:,} numbers, not {len(numbers):,}")
    return numbers


def _check_arguments(macro: Macro, keywords: dict[str, Any]) -> None:
    for name in keywords:
        if not (macro.catch_kwargs or name in macro.arguments or name == "caller" or name in _OF_JINJA):
            raise RenderError(
                "template",
                f"macro '{macro.name}' has no argument '{name}'",
                hint=did_you_mean(name, macro.arguments, what="its arguments"),
                needle=rf"\b{name}\s*=",
            )


# Jinja's filters that help to write SQL. Left out on purpose: HTML (``escape``, ``safe``, ``tojson``, …), padding
# (``center``, ``wordwrap``), and ``random``, because a model renders to the same SQL every time.
_FILTERS = (
    *("abs", "capitalize", "count", "d", "default", "dictsort", "first", "float", "format", "groupby", "indent", "int"),
    *("items", "join", "last", "length", "list", "lower", "map", "max", "min", "reject", "rejectattr", "replace"),
    *("reverse", "round", "select", "selectattr", "sort", "string", "sum", "title", "trim", "truncate", "unique"),
    *("upper", "wordcount"),
)
# Those that turn their value and their arguments into text.
_TEXT_FILTERS = frozenset(
    ("capitalize", "format", "indent", "lower", "replace", "string", "title", "trim", "truncate", "upper", "wordcount")
)


def make_filters(environment: BoundedEnvironment) -> dict[str, Callable[..., Any]]:
    """The filters by name. They count against the budget that ``environment`` has when they run."""
    return {name: _counted(environment, name) for name in _FILTERS} | {"join": _join}


def _counted(environment: BoundedEnvironment, name: str) -> Callable[..., Any]:
    function = JINJA_FILTERS[name]
    # Jinja puts its environment or context before the value where the function is marked so; wraps keeps the mark.
    position = 1 if hasattr(function, "jinja_pass_arg") else 0

    @functools.wraps(function)
    def counted(*args: Any, **kwargs: Any) -> Any:
        budget = environment.budget
        budget.step()
        if name in _TEXT_FILTERS:
            budget.spend(measure(args[position]))
            _check_texts(budget, (*args[position + 1 :], *kwargs.values()))
        return budget.limit(function(*args, **kwargs))

    return counted


@pass_environment
def _join(environment: BoundedEnvironment, value: Iterable[Any], d: Any = "", attribute: Any = None) -> str:
    # Jinja's own turns values into text before anything can measure them.
    get = make_attrgetter(environment, attribute) if attribute is not None else None
    return join(environment.budget, str(d), [get(item) if get else item for item in value])


def join(budget: Budget, separator: str, values: Iterable[Any]) -> str:
    """The texts of ``values`` with ``separator`` between them."""
    parts = list(values)
    budget.step()
    budget.spend(sum(map(measure, parts)))
    return budget.limit(separator.join(map(str, parts)))


def _check_texts(budget: Budget, values: Iterable[Any]) -> None:
    """Refuses ``values`` whose texts are too long, before a format or a filter makes texts of them."""
    for value in values:
        if value is not None:
            budget.spend(measure(value))


# The methods of a text that templates may call. Left out are those that pad or encode.
TEXT_METHODS = frozenset(
    """
    capitalize casefold count endswith find format index isalnum isalpha isascii isdecimal isdigit isidentifier islower
    isnumeric isspace istitle isupper join lower lstrip partition removeprefix removesuffix replace rfind rindex
    rpartition rsplit rstrip split splitlines startswith strip swapcase title upper
    """.split()  # noqa: SIM905 - a list of quoted words would hide the words
)
_OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "*": operator.mul,
    "**": operator.pow,
    "%": operator.mod,
}


def operate(budget: Budget, sign: str, left: Any, right: Any) -> Any:
    """``left sign right`` for the operators whose results can be larger than what they are given."""
    if isinstance(left, str) and sign == "%":
        _check_texts(budget, right if isinstance(right, tuple) else [right])
    if sign == "*":
        for sequence, times in ((left, right), (right, left)):
            if isinstance(sequence, str | list | tuple) and isinstance(times, int):
                budget.check(weigh(sequence) * times)
    if sign in ("*", "**") and isinstance(left, int) and isinstance(right, int):
        check_bits(left.bit_length() * right if sign == "**" else left.bit_length() + right.bit_length())
    return budget.limit(_OPERATORS[sign](left, right))
