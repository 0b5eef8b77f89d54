"""polars: join_asof for what is newest, rolling windows over spine and events for the windows. Its usual shape: eager
frames, sorted first.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from child import Job, Watch, main
from sizes import MANY, many_columns

# For each view: table, key, event time, what breaks ties, ttl in days, columns.
VIEWS: dict[str, tuple[str, str, str, list[str], int | None, list[str]]] = {
    "stats": (
        "merchant_stats",
        "merchant_id",
        "event_time",
        ["created"],
        1,
        ["rating", "orders", "revenue", "refund_rate", "is_open"],
    ),
    "profile": (
        "profiles",
        "user_id",
        "changed_at",
        [],
        None,
        ["country", "tier", "age", "credit_limit", "is_verified"],
    ),
    "payment": ("transactions", "user_id", "ts", ["known_at"], 7, ["paid_to", "amount", "units"]),
    "wide": ("wide", "merchant_id", "event_time", [], 2, [f"f{n}3" for n in range(10)]),
}
JOINED = {"W1": ["stats"], "W2": ["stats", "profile", "payment"], "W4": ["wide"]}
SPINES = {"W3-even": "_even", "W3-hot": "_hot"}


def join(job: Job, watch: Watch) -> Any:
    """As-of joins. Rows are sorted by what breaks ties too; join_asof then takes the last of equal times."""
    with watch.phase("request"):
        import polars as pl

        with watch.phase("query"):
            found = pl.read_parquet(job.rows("spine")).sort("event_timestamp")
            for name in JOINED[job.workload]:
                table, key, when, ties, days, wanted = VIEWS[name]
                rows = pl.scan_parquet(job.rows(table))
                if "paid_to" in wanted:
                    rows = rows.rename({"merchant_id": "paid_to"})
                view = rows.select(key, when, *ties, *wanted).sort(when, *ties).collect().drop(ties)
                found = found.join_asof(
                    view,
                    left_on="event_timestamp",
                    right_on=when,
                    by=key,
                    strategy="backward",
                    tolerance=None if days is None else timedelta(days=days),
                    coalesce=True,
                    check_sortedness=False,
                )
            return found.sort("row_id")


def join_many(job: Job, watch: Watch) -> Any:
    """An as-of join for each view of W6; no two rows of their table have the same time."""
    views, features = MANY[job.workload]
    with watch.phase("request"):
        import polars as pl

        with watch.phase("query"):
            found = pl.read_parquet(job.rows("spine")).sort("event_timestamp")
            for number in range(views):
                columns = [
                    (pl.col(column) * sign).alias(name)
                    for name, (column, sign) in many_columns(number, features).items()
                ]
                rows = pl.scan_parquet(job.rows("wide")).select("merchant_id", "event_time", *columns)
                found = found.join_asof(
                    rows.sort("event_time").collect(),
                    left_on="event_timestamp",
                    right_on="event_time",
                    by="merchant_id",
                    strategy="backward",
                    check_sortedness=False,
                ).drop("event_time")
            return found.sort("row_id")


def roll(job: Job, watch: Watch) -> Any:
    """Windows over spine and events in one frame, so that each spine row has a window that ends at it."""
    with watch.phase("request"):
        import polars as pl

        with watch.phase("query"):
            suffix = SPINES.get(job.workload, "")
            spine = pl.read_parquet(job.rows(f"spine{suffix}"))
            events = pl.read_parquet(job.rows(f"transactions{suffix}"), columns=["user_id", "ts", "amount"])
            asked = spine.select("user_id", pl.col("event_timestamp").alias("ts"), "row_id")
            events = events.join(asked.select("user_id").unique(), on="user_id", how="semi")
            both = pl.concat([events, asked], how="diagonal").sort("user_id", "ts")
            found = spine
            for days in (1, 7, 30):
                rolled = both.rolling("ts", period=f"{days}d", closed="both", group_by="user_id").agg(
                    pl.col("row_id").last().alias("last"),
                    pl.col("amount").sum().alias("sum"),
                    pl.col("amount").mean().alias("avg"),
                    pl.col("amount").count().alias("count"),
                    pl.col("amount").max().alias("max"),
                )
                rolled = rolled.with_columns(both["row_id"]).filter(pl.col("row_id").is_not_null())
                empty = pl.col("count") == 0
                found = found.join(
                    rolled.select(
                        "row_id",
                        pl.when(~empty).then("sum").alias(f"sum_amount_{days}d"),
                        pl.col("avg").alias(f"avg_amount_{days}d"),
                        pl.col("count").cast(pl.Int64).alias(f"count_amount_{days}d"),
                        pl.col("max").alias(f"max_amount_{days}d"),
                    ),
                    on="row_id",
                    how="left",
                )
            return found


def save(frame: Any, path: Path) -> None:
    """Writes the frame to a Parquet file."""
    frame.write_parquet(path)


ACTS: dict[str, Callable[[Job, Watch], Any]] = {
    **dict.fromkeys(("W3", "W3-even", "W3-hot"), roll),
    **dict.fromkeys(MANY, join_many),
    "*": join,
}

if __name__ == "__main__":
    main(ACTS, save)
