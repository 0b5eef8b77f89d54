"""The error of an expression that cannot be computed."""

from __future__ import annotations


class EvaluationError(Exception):
    """The engine refuses to compute this: a number is out of its type's range, or an integer is divided by zero."""
