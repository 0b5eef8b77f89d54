"""Spark 4, in its ANSI mode."""

from __future__ import annotations

from asknown.dialects.dialect import Dialect
from asknown.dialects.spark.aggregates import AGGREGATES, FINISHES, ORDER
from asknown.dialects.spark.snippets import TYPES, WORDS
from asknown.dialects.spark.sums import EXACT_SUMS
from asknown.dialects.spark.translation import REFUSED, REWRITES

# The engine sets them on its session; whoever runs what was compiled for another has to.
_SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",
}

SPARK = Dialect(
    name="spark",
    sqlglot="spark",
    forms=("range", "union"),
    window_forms=("pairs", "bands"),
    words=WORDS,
    aggregates=AGGREGATES,
    finishes=FINISHES,
    order=ORDER,
    types=TYPES,
    rewrites=REWRITES,
    refused=REFUSED,
    exact_sums=EXACT_SUMS,
    readers={".parquet": "parquet.", "/": "parquet."},
    values_name_columns=True,
    files_in_order=False,
    quotes_all=True,
    session=tuple(f"SET {name} = {value}" for name, value in _SETTINGS.items()),
)
