"""Finds a dialect by its name."""

from __future__ import annotations

from importlib import import_module

from asknown.dialects.dialect import Dialect
from asknown.errors import AsknownError, did_you_mean

# The dialect `name` is NAME in asknown.dialects.name: one line here, and imported when it is asked for.
NAMES = (
    "bigquery",
    "clickhouse",
    "databricks",
    "duckdb",
    "postgres",
    "redshift",
    "snowflake",
    "spark",
    "trino",
)


def find_dialect(name: str) -> Dialect:
    """The dialect called ``name``. Raises ``not-yet`` if there is none."""
    if name not in NAMES:
        raise AsknownError(
            "not-yet",
            f"asknown writes no SQL for '{name}'",
            hint=did_you_mean(name, NAMES, what="dialects"),
        )
    dialect: Dialect = getattr(import_module(f"asknown.dialects.{name}"), name.upper())
    return dialect
