"""Databricks: Spark's SQL, which runs on Spark; compiled for Databricks, read back by sqlglot, never run there by us.

The language manual has no as-of join. Settings of a session that Databricks does not let one set are its defaults in
SQL warehouses: ANSI mode, and TIMESTAMP_NTZ by its name (docs.databricks.com/sql/language-manual,
parameters/ansi_mode.html). Not said there: that Photon reads a hexadecimal float, by which exact sums are rounded.
"""

from __future__ import annotations

from dataclasses import replace

from asknown.dialects.spark import SPARK

DATABRICKS = replace(
    SPARK,
    name="databricks",
    sqlglot="databricks",
    executed=False,
    session=("SET TIME ZONE 'UTC'", "SET ANSI_MODE = true"),
)
