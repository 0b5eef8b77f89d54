"""DuckDB 2.0: the embedded default."""

from __future__ import annotations

from asknown.dialects.dialect import Dialect

DUCKDB = Dialect(
    name="duckdb",
    sqlglot="duckdb",
    readers={
        ".parquet": "read_parquet",
        ".csv": "read_csv",
        ".csv.gz": "read_csv",
        ".tsv": "read_csv",
        ".json": "read_json",
        ".jsonl": "read_json",
        ".ndjson": "read_json",
    },
    pins_ctes=True,
    session=(
        "set TimeZone = 'UTC'",
        "set default_null_order = 'nulls_last'",
        "set default_order = 'asc'",
        "set default_collation = ''",
        "set preserve_insertion_order = true",
    ),
)
