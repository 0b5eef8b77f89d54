"""The Jinja environment of models and macros: sandboxed, strict about names, and bounded."""

from __future__ import annotations

from collections.abc import Callable
from types import BuiltinMethodType, CodeType
from typing import Any

from jinja2 import Template, nodes
from jinja2.defaults import DEFAULT_NAMESPACE
from jinja2.runtime import Context, LoopContext, Macro, Undefined
from jinja2.sandbox import MAX_RANGE, ImmutableSandboxedEnvironment
from jinja2.utils import missing as nothing

from asknown.errors import did_you_mean
from asknown.render.budget import Budget, measure, weigh
from asknown.render.failures import Missing, RenderError
from asknown.render.filters import make_filters
from asknown.render.texts import TEXT_METHODS, BoundedFormatter, call_builtin, join, operate

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
