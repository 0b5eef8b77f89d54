"""The limit of a lookup by a list of keys: how many, and the error beyond it. Engine and reader share it."""

from __future__ import annotations

from asknown.errors import AsknownError

MOST_KEYS = 256
"""The greatest number of keys in a list that a view is looked up by."""

RAISED = "lookup-too-many: "
"""How the message begins that an engine's SQL raises for a longer list."""


def message_around(label: str) -> tuple[str, str]:
    """The words of the error before the number of keys in the list, and after it."""
    before = f"'{label}' is looked up by a list of "
    return before, f" keys, and at most {MOST_KEYS} are looked up at once"


def too_many(message: str) -> AsknownError:
    """The error for a list of more keys."""
    hint = f"cut the list in the view that gives it, as in (list(x) over …)[-{MOST_KEYS}:]"
    return AsknownError("lookup-too-many", message, hint=hint)
