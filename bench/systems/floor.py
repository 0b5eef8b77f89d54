"""The floor: DuckDB reads the columns that a workload needs and joins them to the spine by a hash join, with no rule.

The instant is cut to the hour (or day) and must be equal, so the rows are no answer; they are not compared.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from child import Job, Watch, main
from expert import connect

if TYPE_CHECKING:
    import pyarrow as pa

# For each view: its table, the spine's key, its event time, the unit of time that is equal, and its columns.
VIEWS = {
    "stats": ("merchant_stats", "merchant_id", "event_time", "hour", "rating, orders, revenue, refund_rate, is_open"),
    "profile": ("profiles", "user_id", "changed_at", "day", "country, tier, age, credit_limit, is_verified"),
    "payment": ("transactions", "user_id", "ts", "second", "merchant_id AS paid_to, amount, units"),
    "wide": ("wide", "merchant_id", "event_time", "hour", ", ".join(f"f{n}3" for n in range(10))),
    "amounts": ("transactions", "user_id", "ts", "second", "amount"),
}
JOINED = {"W1": ["stats"], "W2": ["stats", "profile", "payment"], "W3": ["amounts"], "W4": ["wide"]}


def query(job: Job) -> str:
    """The spine with each view's columns."""
    joins, columns = [], []
    for name in JOINED[job.workload]:
        table, key, when, unit, wanted = VIEWS[name]
        reached = f"SELECT row_id, {key}, date_trunc('{unit}', event_timestamp) AS instant FROM spine"
        rows = f"SELECT {key} AS k, {when} AS instant, {wanted} FROM '{job.rows(table)}'"
        joins.append(
            f"LEFT JOIN (SELECT r.row_id AS id, v.* EXCLUDE (k, instant) FROM ({reached}) r "
            f"JOIN ({rows}) v ON v.k = r.{key} AND v.instant = r.instant) {name} ON {name}.id = s.row_id"
        )
        columns.append(f"{name}.* EXCLUDE (id)")
    return f"SELECT s.*, {', '.join(columns)} FROM spine s {' '.join(joins)}"


def read(job: Job, watch: Watch) -> pa.Table:
    """Reads, joins, and gives the rows."""
    with watch.phase("request"), connect(job) as connection, watch.phase("query"):
        connection.execute(f"CREATE VIEW spine AS FROM '{job.rows('spine')}'")
        return connection.sql(query(job)).to_arrow_table()


ACTS: dict[str, Callable[[Job, Watch], Any]] = {"*": read}

if __name__ == "__main__":
    main(ACTS)
