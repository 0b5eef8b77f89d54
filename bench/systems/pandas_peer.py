"""pandas: merge_asof, frames sorted first; what breaks ties is the last key of the sort."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from child import Job, Watch, main

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
    "payment": ("transactions", "user_id", "ts", ["known_at"], 7, ["merchant_id", "amount", "units"]),
    "wide": ("wide", "merchant_id", "event_time", [], 2, [f"f{n}3" for n in range(10)]),
}
JOINED = {"W1": ["stats"], "W2": ["stats", "profile", "payment"], "W4": ["wide"]}


def join(job: Job, watch: Watch) -> Any:
    """As-of joins, one view after the other."""
    with watch.phase("request"):
        import pandas as pd

        with watch.phase("query"):
            found = read(job, "spine").sort_values("event_timestamp", kind="stable")
            for name in JOINED[job.workload]:
                table, key, when, ties, days, wanted = VIEWS[name]
                view = read(job, table, [key, when, *ties, *wanted])
                if table == "transactions":
                    view = view.rename(columns={"merchant_id": "paid_to"})
                view = view.sort_values([when, *ties], kind="stable").drop(columns=ties)
                found = pd.merge_asof(
                    found,
                    view,
                    left_on="event_timestamp",
                    right_on=when,
                    by=key,
                    tolerance=None if days is None else pd.Timedelta(days=days),
                )
            return found.sort_values("row_id")


def read(job: Job, table: str, columns: list[str] | None = None) -> Any:
    """A table as a frame."""
    import pandas as pd

    return pd.read_parquet(job.data / table, columns=columns)


def save(frame: Any, path: Path) -> None:
    """Writes the frame to a Parquet file."""
    frame.to_parquet(path, index=False)


ACTS: dict[str, Callable[[Job, Watch], Any]] = {"*": join}

if __name__ == "__main__":
    main(ACTS, save)
