"""Databricks: Spark's SQL, which runs on Spark; compiled for Databricks, read back by sqlglot, never run there by us.

The language manual (docs.databricks.com/sql/language-manual, parameters/ansi_mode.html) has no as-of join. Databricks
does not let a session set all of Spark's settings, but its SQL warehouses have them by default: ANSI mode, and
TIMESTAMP_NTZ by its name. The manual does not say whether Photon reads a hexadecimal float, by which we round exact
sums.
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
