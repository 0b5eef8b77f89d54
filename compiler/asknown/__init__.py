"""asknown: SQL-first features, as known at the moment of the decision."""

from __future__ import annotations

__version__ = "0.1.0"

TYPE_CHECKING = False  # type checkers know the name; importing typing takes longer than all the rest of --help

if TYPE_CHECKING:
    from typing import Any

    from asknown.errors import AsknownError, Where
    from asknown.online.answer import OnlineResponse
    from asknown.online.reader import OnlineReader
    from asknown.store import FeatureStore, RetrievalJob

__all__ = ["AsknownError", "FeatureStore", "OnlineReader", "OnlineResponse", "RetrievalJob", "Where", "__version__"]

_HOMES = {
    "AsknownError": "asknown.errors",
    "Where": "asknown.errors",
    "FeatureStore": "asknown.store",
    "RetrievalJob": "asknown.store",
    "OnlineReader": "asknown.online.reader",
    "OnlineResponse": "asknown.online.answer",
}


def __getattr__(name: str) -> Any:
    # Loaded when asked for: reading the online table must not pay for the compiler.
    if name not in _HOMES:
        raise AttributeError(f"module 'asknown' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
