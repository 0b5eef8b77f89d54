"""The feature store: the only place that joins the stages."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from asknown.store.feature_store import FeatureStore
    from asknown.store.retrieval import RetrievalJob

__all__ = ["FeatureStore", "RetrievalJob"]

_HOMES = {"FeatureStore": "asknown.store.feature_store", "RetrievalJob": "asknown.store.retrieval"}


def __getattr__(name: str) -> Any:
    # A job needs the whole compiler. A store opens, and reads the online table, without importing it.
    if name not in _HOMES:
        raise AttributeError(f"module 'asknown.store' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
