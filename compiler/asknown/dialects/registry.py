"""The dialects there are, by name."""

from __future__ import annotations

from asknown.dialects.bigquery import BIGQUERY
from asknown.dialects.clickhouse import CLICKHOUSE
from asknown.dialects.databricks import DATABRICKS
from asknown.dialects.dialect import Dialect
from asknown.dialects.duckdb import DUCKDB
from asknown.dialects.postgres import POSTGRES
from asknown.dialects.redshift import REDSHIFT
from asknown.dialects.snowflake import SNOWFLAKE
from asknown.dialects.spark import SPARK
from asknown.dialects.sqlite import SQLITE
from asknown.dialects.trino import TRINO
from asknown.errors import AsknownError

_RUN = (CLICKHOUSE, DUCKDB, POSTGRES, SPARK, SQLITE)
_WRITTEN = (BIGQUERY, DATABRICKS, REDSHIFT, SNOWFLAKE, TRINO)  # and never run by us
DIALECTS: dict[str, Dialect] = {dialect.name: dialect for dialect in (*_RUN, *_WRITTEN)}


def find_dialect(name: str) -> Dialect:
    """The dialect called ``name``. Raises ``not-yet`` for an engine that asknown knows of and does not write for."""
    if name in DIALECTS:
        return DIALECTS[name]
    raise AsknownError(
        "not-yet",
        f"asknown does not write SQL for '{name}' yet",
        hint=f"use a target of type {' or '.join(sorted(DIALECTS))}",
    )
