"""Spark 4: a local session, a cluster's, or a server's over Spark Connect."""

from __future__ import annotations

from asknown.engines.spark.engine import Spark

__all__ = ["Spark"]
