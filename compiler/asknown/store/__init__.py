"""The feature store: the only place that joins the stages."""

from asknown.store.feature_store import FeatureStore
from asknown.store.retrieval import RetrievalJob

__all__ = ["FeatureStore", "RetrievalJob"]
