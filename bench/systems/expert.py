"""The expert: DuckDB and a query written by hand for these very tables (bench/sql), the best that we could write.

A script may take several statements; the last one gives the rows. Variants are other ways to write it, and
`floor` is no answer at all: it reads the same columns and joins them by their keys to one row each.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from child import Job, Watch, main, save_arrow

if TYPE_CHECKING:
    import duckdb
    import pyarrow as pa

SCRIPTS = Path(__file__).resolve().parents[1] / "sql"
# Workloads that share a script, over other tables.
ROUNDINGS = ("-huge", "-plain")
TABLES = {
    "W3-even": ("W3", {"spine": "spine_even", "transactions": "transactions_even"}),
    "W3-hot": ("W3", {"spine": "spine_hot", "transactions": "transactions_hot"}),
    "W5": ("W2", {}),
}


def connect(job: Job) -> duckdb.DuckDBPyConnection:
    """A session in which every table of the script is a view of its files."""
    import duckdb

    settings: dict[str, Any] = {"threads": job.threads, "temp_directory": str(job.work / "spilled")}
    if job.memory_limit:
        settings["memory_limit"] = job.memory_limit
    return duckdb.connect(config=settings)


def statements(job: Job) -> list[str]:
    """The statements of the script, each table it reads as a view first."""
    name, renamed = TABLES.get(job.workload, (job.workload, {}))
    variant = f"-{job.variant}" if job.variant else ""
    own = SCRIPTS / f"{name}{variant}.sql"
    text = (own if own.exists() else SCRIPTS / f"{name}.sql").read_text(encoding="utf-8")
    macros = ""
    if "part(" in text and "MACRO part" not in text:
        macros = (SCRIPTS / f"macros{variant if variant in ROUNDINGS else ''}.sql").read_text(encoding="utf-8")
    tables = re.search(r"^-- tables: (.+)$", text, re.MULTILINE)
    assert tables, "a script names its tables in a line of its own"
    views = [f"CREATE VIEW {table} AS FROM '{job.rows(renamed.get(table, table))}'" for table in tables[1].split(", ")]
    return [*views, *filter(None, map(str.strip, f"{macros}\n{text}".split(";\n")))]


def train(job: Job, watch: Watch) -> pa.Table:
    """A training set into memory."""
    with watch.phase("request"), connect(job) as connection:
        *first, last = statements(job)
        with watch.phase("query"):
            for statement in first:
                connection.execute(statement)
            return connection.sql(last).to_arrow_table()


def train_to_file(job: Job, watch: Watch) -> None:
    """A training set into a Parquet file."""
    path = job.result or job.work / "out.parquet"
    path.parent.mkdir(parents=True, exist_ok=True)
    with watch.phase("request"), connect(job) as connection:
        *first, last = statements(job)
        with watch.phase("query"):
            for statement in first:
                connection.execute(statement)
            connection.execute(f"COPY ({last.rstrip(';')}) TO '{path}' (FORMAT PARQUET, COMPRESSION zstd)")


ACTS: dict[str, Callable[[Job, Watch], Any]] = {"W5": train_to_file, "*": train}

if __name__ == "__main__":
    main(ACTS, save_arrow)
