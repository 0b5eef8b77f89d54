"""An exact sum as columns of a pass, and how much it takes to round it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sqlglot import exp

from asknown.dialects.dialect import Dialect, ExactSums
from asknown.emit.snippets import fill
from asknown.emit.sql import ident


@dataclass(frozen=True)
class ExactSum:
    """A sum, or an average: the columns of its parts, the column to divide by (None: a sum), a decimal's scale."""

    parts: Mapping[str, str]
    count: str | None
    scale: int

    def is_float(self, dialect: Dialect) -> bool:
        """Whether floats were added up; else, whole numbers."""
        return set(self.parts) != {exact_sums(dialect).wholes}

    def may_be_short(self, dialect: Dialect) -> bool:
        return bool(exact_sums(dialect).short) and not self.scale

    def may_be_long(self, dialect: Dialect) -> bool:
        return self.is_float(dialect) or not self.may_be_short(dialect)

    def is_short(self, dialect: Dialect) -> exp.Expr:
        """Whether a sum of floats is short: its parts say it."""
        return fill(dialect, exact_sums(dialect).is_short, **{part: column(name) for part, name in self.parts.items()})


def column(name: str) -> exp.Expr:
    return exp.column(ident(name))


def exact_sums(dialect: Dialect) -> ExactSums:
    """How the dialect adds exactly: only one that does leaves sums to be rounded."""
    assert dialect.exact_sums is not None
    return dialect.exact_sums
