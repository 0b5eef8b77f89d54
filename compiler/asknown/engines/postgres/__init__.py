"""Postgres: a server by its address."""

from asknown.engines.postgres.session import Postgres

__all__ = ["Postgres"]
