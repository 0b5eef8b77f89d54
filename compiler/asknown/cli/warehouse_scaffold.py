"""Turns the scaffold, which reads CSV files on DuckDB, into one whose tables are in a warehouse."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Start:
    """How a new project reaches a warehouse: its output in profiles.yml, and what must be there before."""

    label: str
    output: str
    before: str


STARTS: Mapping[str, Start] = {
    "postgres": Start(
        "Postgres",
        """\
      type: postgres
      dsn: "{{ env_var('WAREHOUSE_DSN') }}"
      schema: my_features # `asknown run` makes it
""",
        "`pip install 'asknown[postgres]'`, and the server's address in the environment: "
        "`export WAREHOUSE_DSN=postgresql://user:password@host:5432/database`",
    ),
    "clickhouse": Start(
        "ClickHouse",
        """\
      type: clickhouse
      dsn: "{{ env_var('WAREHOUSE_DSN') }}"
      database: default
""",
        "`pip install 'asknown[clickhouse]'`, and the server's address in the environment: "
        "`export WAREHOUSE_DSN=clickhouse://user:password@host:8123/default`",
    ),
    "spark": Start(
        "Spark on this machine",
        """\
      type: spark
      master: local[2] # or remote: sc://host:15002, without master and warehouse
      warehouse: spark-warehouse
      schema: my_features # `asknown run` makes it
""",
        "`pip install 'asknown[spark]'`, and Java 17 or newer",
    ),
}
"""By the type of the target."""

_ORDERS = ("bigint", "bigint", "timestamp", "decimal(10, 2)", "bigint", "timestamp", "boolean")
_CUSTOMERS = ("bigint", "timestamp", "varchar", "varchar")
_TABLES = {"orders": _ORDERS, "customers": _CUSTOMERS}
_RELATIONSHIPS = "            data_tests: [relationships: {to: \"source('shop', 'customers')\", field: customer_id}]\n"
_README = (
    ("asknown ls\n", "asknown ls\nasknown run\nasknown doctor --target dev\n"),
    ("(DuckDB, in memory)", "({label})"),
    ("here two CSV files in `data/`", "here two that `asknown run` makes of `models/raw/`"),
    (
        "Next: put your own files into `models/sources.yml`, or name a database of yours in `profiles.yml`: there, a "
        "source is the table `shop.orders`, and `asknown doctor --target NAME` reports missing tables.",
        "Next: name your own tables in `models/sources.yml`, and remove `models/raw/`; `asknown doctor --target dev` "
        "reports which of them are missing or cannot be read.",
    ),
)


def for_warehouse(texts: Mapping[str, str], kind: str) -> dict[str, str]:
    """The scaffold's files for a target of the type ``kind``: rows of its CSV files are models that become tables."""
    start = STARTS[kind]
    kept = {name: text for name, text in texts.items() if not name.startswith("data/")}
    for table, types in _TABLES.items():
        kept[f"models/raw/raw_{table}.sql"] = _table(table, texts[f"data/{table}.csv"], types)
        path, identifier = f"path: data/{table}.csv", f"identifier: raw_{table}"
        kept["models/sources.yml"] = _put(kept["models/sources.yml"], path, identifier)
    kept["models/sources.yml"] = _put(
        kept["models/sources.yml"], "  - name: shop\n", '  - name: shop\n    schema: "{{ target.schema }}"\n'
    )
    if kind != "postgres":  # the test reads IN over a query, which these engines read in another way
        kept["models/sources.yml"] = _put(kept["models/sources.yml"], _RELATIONSHIPS, "")
    first, _, rest = kept["profiles.yml"].partition("      type: duckdb")
    kept["profiles.yml"] = first + start.output + rest.partition("\n")[2]
    readme = kept["README.md"]
    for old, new in _README:
        readme = _put(readme, old, new.replace("{label}", start.label))
    kept["README.md"] = _put(readme, "\n```bash\n", f"\nBefore the first command: {start.before}.\n\n```bash\n")
    return dict(sorted(kept.items()))


def _put(text: str, old: str, new: str) -> str:
    assert old in text, f"the scaffold has no {old!r}"
    return text.replace(old, new, 1)


def _table(name: str, text: str, types: tuple[str, ...]) -> str:
    """A model that is built as a table of the rows in a CSV file."""
    head, *rows = csv.reader(io.StringIO(text))
    written = ",\n    ".join(f"({', '.join(map(_literal, row, types))})" for row in rows)
    columns = ",\n    ".join(head)
    return (
        f"-- Rows to begin with, as a table: `asknown run` makes it. Your own {name} are in your warehouse already.\n"
        f"{{{{ config(materialized='table') }}}}\n\nselect\n    {columns}\nfrom (values\n    {written}\n"
        f") as given({', '.join(head)})\n"
    )


def _literal(value: str, kind: str) -> str:
    if value == "":
        return f"cast(null as {kind})"
    if kind == "varchar":
        return "'" + value.replace("'", "''") + "'"
    return f"timestamp '{value}'" if kind == "timestamp" else f"cast({value} as {kind})"
