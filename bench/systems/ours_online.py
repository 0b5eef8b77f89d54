"""asknown's online table: reads of one key and of many, of windows, and loads."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import ours
from child import Job, Watch, main
from sizes import CLICKS, scattered

UNTIL = datetime(2024, 3, 24, 12)
LATER = datetime(2024, 3, 25)
READS = 2_000

FEATURES = {
    "O1": [f"accounts_0:x{n}" for n in (0, 1, 5, 6, 8)],
    "O2": [f"accounts_0:x{n}" for n in (0, 1, 5, 6, 8)],
    "O3": ["accounts_0", "accounts_10", "accounts_20"],
}


def prepare(job: Job, watch: Watch) -> None:
    """The project, its online table loaded where reads are to be measured."""
    loaded = job.work / f"loaded-{job.workload}"
    if job.workload == "O5" or not loaded.exists():
        ours.prepare(job, watch)
        views = {"O4": ["clicks"], "O5": []}.get(job.workload, ["accounts_0", "accounts_10", "accounts_20"])
        if views:
            with closing(ours.open_store(job)) as store:
                store.materialize(until=LATER, views=views)
            loaded.write_text("", encoding="utf-8")


def read(job: Job, watch: Watch) -> None:
    """Random keys that are there, one or a hundred in a read."""
    counts = {"O1": [1], "O2": [100], "O3": [1, 100]}[job.workload]
    with closing(ours.open_store(job)) as store:
        for count in counts:
            asked = [[{"account_id": scattered(i * count + j, job.size)} for j in range(count)] for i in range(200)]
            name = f"{count} key{'s' if count > 1 else ''}"
            watch.microseconds(
                name,
                lambda i, asked=asked: store.get_online_features(  # type: ignore[misc]
                    features=FEATURES[job.workload], entity_rows=asked[i % 200], at=LATER
                ).to_dict(),
                READS if count == 1 else READS // 10,
            )


def read_windows(job: Job, watch: Watch) -> None:
    """Windows of one key, at the watermark: all sixteen features of the view, and the sums of its four windows."""
    sums = [f"clicks:sum_price_{length}" for length in ("1h", "1d", "7d", "30d")]
    with closing(ours.open_store(job)) as store:
        for events in CLICKS:
            for name, features in ((f"{events} events", ["clicks"]), (f"{events} events, sums alone", sums)):
                watch.microseconds(
                    name,
                    lambda i, features=features, events=events: store.get_online_features(  # type: ignore[misc]
                        features=features, entity_rows=[{"clicker_id": events}], at=LATER
                    ).to_dict(),
                    READS,
                )


def load(job: Job, watch: Watch) -> None:
    """The first load, and the second with 1 % changed."""
    for path in Path(job.work).glob("online.db*"):
        path.unlink()
    point_to(job, "accounts_0")
    with closing(ours.open_store(job)) as store, watch.phase("load"):
        store.materialize(until=UNTIL, views=["accounts_0"])
    point_to(job, "accounts_0_later")
    with closing(ours.open_store(job)) as store, watch.phase("again"):
        store.materialize(until=LATER, views=["accounts_0"])


def point_to(job: Job, table: str) -> None:
    """Puts a table's rows where the view looks. The view stays as it is: another path would make it another view."""
    place = job.work / "accounts"
    place.unlink(missing_ok=True)
    place.symlink_to(job.data / table)
    sources = job.work / "models" / "sources.yml"
    text = sources.read_text(encoding="utf-8")
    sources.write_text(text.replace(job.rows("accounts_0"), f"{place}/*.parquet"), encoding="utf-8")


ACTS: dict[str, Callable[[Job, Watch], Any]] = {
    "prepare": prepare,
    "O1": read,
    "O2": read,
    "O3": read,
    "O4": read_windows,
    "O5": load,
}

if __name__ == "__main__":
    main(ACTS)
