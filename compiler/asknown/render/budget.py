"""How much a template may do, so that a mistake in a model ends with an error and not with a full memory.

Models are written by the owner of the project, who can run SQL anyway: these limits stop mistakes, not attackers. So
an operation's result is checked after the operation, by ``Budget.limit``; only ``*``, ``**`` and ``range``, where a
small mistake makes a value without end, are checked before it.

===================  ==========================  ==================================================================
what is limited      limit                       how
===================  ==========================  ==================================================================
rendered text        ``MAX_TEXT`` characters     ``write`` counts as text is written; ``count`` as it is captured
one value            ``MAX_TEXT``, ``MAX_BITS``  ``limit`` on each result of an operator, filter, call, slice or ``~``
all values           ``MAX_WORK`` characters     ``limit`` adds them up; stops loops that keep what they make
text of containers   ``MAX_TEXT`` characters     ``measure`` on each value that becomes text: a list that is doubled 60
                                                 times is small until it is printed
steps                ``MAX_WORK / STEP``         ``step`` at each round of a loop, call and filter
recursion            ``MAX_DEPTH``               ``enter`` and ``leave`` around macros and recursive loops
time                 ``MAX_SECONDS``             the clock, at each step
memory               –                           ``MemoryError``, ``OverflowError`` and ``RecursionError`` become
                                                 ``output-limit``
===================  ==========================  ==================================================================

The time of a single operation, such as the sorting of a list, is not limited.
"""

from __future__ import annotations

import datetime
import decimal
from collections.abc import KeysView, Mapping, ValuesView
from time import monotonic
from typing import Any, TypeVar

from jinja2 import Undefined

from asknown.render.errors import RenderError

MAX_TEXT = 2_000_000  # characters of a rendered model, and of any one value on the way there
MAX_WORK = 100_000_000  # characters made in all; steps and elements of lists and mappings count as so many of them
STEP = 400
ELEMENT = 16
ENTRY = 64
MAX_DEPTH = 50  # macros within macros
MAX_SECONDS = 30.0
MAX_BITS = 4096  # of an integer

_Value = TypeVar("_Value")
_HINT = "a model is SQL that a person can read: look for a loop or a macro that repeats itself"


class Budget:
    """Counts what one rendering uses up. ``calls`` are the macros that are running, outermost first."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.failed_in: tuple[str, ...] = ()
        self._work = MAX_WORK
        self._text = MAX_TEXT
        self._end = monotonic() + MAX_SECONDS

    def limit(self, value: _Value) -> _Value:
        """Returns ``value``, the result of an operation, and counts it; refuses it if it is too large."""
        if isinstance(value, int):
            check_bits(value.bit_length())
        self.spend(weigh(value))
        return value

    def check(self, size: int) -> None:
        """Refuses a value of ``size`` characters if that is too much for one value."""
        if size > MAX_TEXT:
            raise RenderError(
                "output-limit", f"a single value would grow to more than {MAX_TEXT:,} characters", hint=_HINT
            )

    def spend(self, size: int) -> None:
        """Counts a value of ``size`` characters; refuses it if it, or all values together, are too large."""
        self.check(size)
        self._work -= size
        if self._work < 0:
            raise RenderError("output-limit", f"the template produces more than {MAX_WORK:,} characters", hint=_HINT)

    def step(self) -> None:
        """Counts one round of a loop, one call, or one filter."""
        self._work -= STEP
        if self._work < 0:
            raise RenderError(
                "output-limit", f"the template does not end: it took {MAX_WORK // STEP:,} steps", hint=_HINT
            )
        if monotonic() > self._end:
            raise RenderError(
                "output-limit", f"the template does not end: it took {MAX_SECONDS:.0f} seconds", hint=_HINT
            )

    def write(self, size: int) -> None:
        """Counts ``size`` characters of the rendered model."""
        self._text -= size
        if self._text < 0:
            raise RenderError("output-limit", f"the model renders to more than {MAX_TEXT:,} characters", hint=_HINT)

    def enter(self, macro: str) -> None:
        """Starts a call of ``macro`` (its name as messages show it) inside those that are running."""
        self.calls.append(macro)
        if len(self.calls) > MAX_DEPTH:
            again = macro in self.calls[:-1]
            others = [other for other in dict.fromkeys(self.calls[-MAX_DEPTH // 2 :]) if other != macro]
            through = f" through {', '.join(others)}" if again and others else ""
            raise RenderError(
                "output-limit",
                f"{macro} calls itself without end{through}"
                if again
                else f"{macro} is nested too deep in other macros",
                hint=f"macros may nest at most {MAX_DEPTH} deep",
            )

    def leave(self, *, failed: bool) -> None:
        """Ends the innermost call, and remembers where the first failure happened."""
        if failed and not self.failed_in:
            self.failed_in = tuple(self.calls)
        self.calls.pop()


def check_bits(bits: int) -> None:
    """Refuses an integer of ``bits`` bits if that is too much."""
    if bits > MAX_BITS:
        raise RenderError("output-limit", f"a number would grow to more than {MAX_BITS} bits")


def weigh(value: Any) -> int:
    """The size of a copy of ``value``, in characters: its elements count, but not what is in them."""
    if not hasattr(value, "__len__") or isinstance(value, range | type | Undefined):
        return 0
    return len(value) * (1 if isinstance(value, str) else ENTRY if isinstance(value, Mapping) else ELEMENT)


def measure(value: Any) -> int:
    """The length of ``value`` as text, roughly and never too small; stops counting beyond the limit.

    Raises ``template`` for values whose text no SQL could use: macros, functions, generators, none.
    """
    size = 0
    waiting = [value]
    while waiting and size <= MAX_TEXT:
        item = waiting.pop()
        match item:
            case str():
                size += len(item) if item is value else 2 * len(item) + 2  # quoted and escaped
            case int():
                size += item.bit_length() // 3 + 6
            case float() | decimal.Decimal() | datetime.date() | datetime.time() | range():
                size += 64
            case Undefined():
                size += len(str(item))  # raises, unless it stands for the missing else of {{ x if y }}
            case None if item is not value:
                size += 4
            case list() | tuple() | set() | frozenset() | KeysView() | ValuesView():
                size += 2 + 2 * len(item)
                waiting.extend(item)
            case Mapping():
                size += 2 + 4 * len(item)
                waiting.extend(item.keys())
                waiting.extend(item.values())
            case _:
                raise _no_text(item)
    return size


def _no_text(value: Any) -> RenderError:
    if value is None:
        return RenderError(
            "template",
            "the value is none, which cannot be written as text",
            hint="skip the tag with {% if … is not none %}, or write 'null' for SQL's NULL",
        )
    if callable(value):
        name = str(getattr(value, "name", None) or getattr(value, "__name__", "")).removeprefix("_")
        return RenderError(
            "template",
            f"'{name}' is a function that is not called",
            hint=f"write its arguments: {name}(…)",
            needle=rf"\b{name}\b",
        )
    if hasattr(value, "__next__"):
        return RenderError("template", "a sequence cannot be written as text", hint="write … | join(', ')")
    return RenderError("template", f"a {type(value).__name__.lower()} cannot be written as text")
