"""Spark 4, in its ANSI mode."""

from __future__ import annotations

from asknown.dialects.cautious import COUNTS
from asknown.dialects.dialect import AggregateRules, Dialect, NameRules, PlanRules, RelationRules, Translation
from asknown.dialects.spark.aggregates import AGGREGATES, FINALIZERS, ORDER
from asknown.dialects.spark.snippets import SNIPPETS, TYPES
from asknown.dialects.spark.sums import EXACT_SUMS
from asknown.dialects.spark.translation import REFUSED, REWRITES

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.ansi.enabled": "true",
    "spark.sql.ansi.doubleQuotedIdentifiers": "false",
    "spark.sql.caseSensitive": "false",
    "spark.sql.parser.quotedRegexColumnNames": "false",
    "spark.sql.decimalOperations.allowPrecisionLoss": "false",  # an overflow is an error, not a rounder number
    "spark.sql.groupByOrdinal": "true",
    "spark.sql.orderByOrdinal": "true",
    "spark.sql.parquet.inferTimestampNTZ.enabled": "true",
    "spark.sql.parquet.datetimeRebaseModeInRead": "CORRECTED",
    "spark.sql.parquet.int96RebaseModeInRead": "CORRECTED",
}
"""The settings that values depend on."""

SPARK = Dialect(
    name="spark",
    sqlglot="spark",
    snippets=SNIPPETS,
    plans=PlanRules(forms=("range", "union"), window_forms=("pairs", "bands")),
    aggregates=AggregateRules(templates=AGGREGATES, finalizers=FINALIZERS, nearest=COUNTS, order=ORDER),
    types=TYPES,
    exact_sums=EXACT_SUMS,
    translation=Translation(rewrites=REWRITES, refused=REFUSED),
    names=NameRules(quotes_all=True),
    relations=RelationRules(
        readers={".parquet": "parquet.", "/": "parquet."}, files_in_order=False, values_name_columns=True
    ),
    session=tuple(f"SET {name} = {value}" for name, value in SETTINGS.items()),
)
