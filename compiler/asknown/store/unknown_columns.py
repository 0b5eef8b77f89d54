"""Refuses models that compute with columns of types that only their engine knows, and says what to write."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence

from asknown.emit.probe import compile_digits
from asknown.emit.statement import Body, Cte, write
from asknown.emit.unknown_types import Misuse, find_misuse, is_unknown, is_unsized, unknown_columns
from asknown.engines.engine import Engine
from asknown.errors import AsknownError, Where
from asknown.types import Column

Digits = tuple[int, int]
"""The most digits of a column's values before the point, and after it."""

_MOST = 38  # digits of a decimal
_LONG = 18  # digits of a decimal, or of an integer, in 64 bits


def refuse_misuse(tree: Body, tables: Mapping[str, Sequence[Column]], error: Callable[[Misuse], AsknownError]) -> None:
    """Raises the ``error`` for the first column of an unknown type that a query computes with.

    ``tables`` has the columns of the sources and models that it reads, by name.
    """
    unknown = {name.casefold(): unknown_columns(name, columns) for name, columns in tables.items()}
    misuse = find_misuse(tree, unknown)
    if misuse is not None:
        raise error(misuse)


def unknown_features(name: str, columns: Sequence[Column]) -> list[Misuse]:
    """The columns of a view that have an unknown type."""
    return [Misuse(column.name, column.type, name) for column in columns if is_unknown(column.type)]


def unknown_error(misuse: Misuse, said: str, at: Where | None, digits: Digits | None, engine: str) -> AsknownError:
    """The error for a column of an unknown type. ``said`` names its model; ``digits`` are of a number's values."""
    name, kind = misuse.column, misuse.type
    if not is_unsized(kind):
        return AsknownError(
            "unsupported-type",
            f"{said}column '{name}' has the type {kind}, which only {engine} knows",
            at=at,
            hint=f"cast it before anything else: cast({name} as varchar)",
        )
    scale = re.search(r", *(\d+)\)$", kind.name)
    if scale is not None and digits is not None:
        digits = digits[0], int(scale[1])
    fitting = fitting_type(digits)
    seen = "" if digits is None else f"its values have {_spell(digits)}: "
    return AsknownError(
        "unsupported-type",
        f"{said}column '{name}' of '{misuse.relation}' has the type {kind}, "
        + ("which has more digits than a decimal" if "(" in kind.name else "which does not say how many digits it has"),
        at=at,
        hint=f"{seen}declare data_type: {fitting} for it among the columns of its source, "
        f"or write cast({name} as {fitting})" + (f", or cast({name} as varchar)" if scale is not None else ""),
    )


def fitting_type(digits: Digits | None) -> str:
    """The type to declare for a number whose values have these digits.

    >>> fitting_type((4, 2)), fitting_type((12, 0)), fitting_type((20, 4)), fitting_type((40, 0)), fitting_type(None)
    ('decimal(18,2)', 'bigint', 'decimal(38,4)', 'varchar', 'decimal(18,2)')
    """
    before, after = digits or (1, 2)
    if before + after > _MOST:
        return "varchar"
    if not after and before <= _LONG:
        return "bigint"
    return f"decimal({_LONG if before + after <= _LONG else _MOST},{after})"


def _spell(digits: Digits) -> str:
    before, after = digits
    return f"up to {before} digits before the point and {after} after it"


def count_digits(misuse: Misuse, ctes: Sequence[Cte], engine: Engine) -> Digits | None:
    """The digits of a number's values in a sample; None if the engine does not say, or there is no value."""
    dialect = engine.dialect
    if "digits.before" not in dialect.snippets:
        return None
    (found,) = engine.rows(write(compile_digits(misuse.relation, misuse.column, ctes, dialect), dialect))
    before, after = found
    return None if before is None or after is None else (int(before), int(after))
