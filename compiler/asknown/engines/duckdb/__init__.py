"""DuckDB: embedded, in memory or over a database file."""

from asknown.engines.duckdb.session import DuckDB

__all__ = ["DuckDB"]
