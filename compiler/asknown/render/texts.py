"""The operations of templates that can make much out of little, each counted before it makes its result."""

from __future__ import annotations

import operator
import re
from collections.abc import Iterable, Mapping
from string import Formatter
from typing import TYPE_CHECKING, Any

from jinja2.sandbox import SandboxedFormatter

from asknown.render.budget import ELEMENT, MAX_BITS, Budget, measure, weigh
from asknown.render.failures import RenderError

if TYPE_CHECKING:
    from asknown.render.sandbox import BoundedEnvironment

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
