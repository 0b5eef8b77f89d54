"""asknown: training sets through the library, over the views of bench/project."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

from child import Job, Watch, main, save_arrow
from sizes import MANY, many_columns

if TYPE_CHECKING:
    import pyarrow as pa

    from asknown import FeatureStore, RetrievalJob

PROJECT = Path(__file__).resolve().parents[1] / "project"
FLIGHTS = PROJECT.parents[1]

# The features of each workload, and its spine.
ASKED: dict[str, tuple[list[str], str]] = {
    "W1": (["merchant_stats"], "spine"),
    "W2": (["merchant_stats", "user_profile", "last_payment"], "spine"),
    "W3": (["spend"], "spine"),
    "W3-even": (["spend_even"], "spine_even"),
    "W3-hot": (["spend_hot"], "spine_hot"),
    "W3-whole": (["spend_whole"], "spine"),
    "W3k": (["spend_known"], "spine"),
    "W4": ([f"wide:f{n}3" for n in range(10)], "spine"),
    "W5": (["merchant_stats", "user_profile", "last_payment"], "spine"),
    **{name: ([f"many_{name[3:]}{view}" for view in range(views)], "spine") for name, (views, _) in MANY.items()},
}


def prepare(job: Job, watch: Watch) -> None:
    """Puts the project together: the views of bench/project, and where the tables lie."""
    shutil.rmtree(job.work, ignore_errors=True)
    shutil.copytree(PROJECT, job.work)
    tables = [{"name": path.stem, "path": job.rows(path.stem)} for path in sorted(job.data.glob("*.json"))]
    sources = {"sources": [{"name": "raw", "tables": tables}]}
    (job.work / "models" / "sources.yml").write_text(json.dumps(sources), encoding="utf-8")
    write_many_views(job.work / "models")
    write_profile(job)


def write_many_views(folder: Path) -> None:
    """The views of W6, all over the table ``wide``."""
    for name, (_, features) in MANY.items():
        for view, label in enumerate(ASKED[name][0]):
            columns = [
                f"{'-' if sign < 0 else ''}{column} as {feature}"
                for feature, (column, sign) in many_columns(view, features).items()
            ]
            head = "{{ config(entity='merchant', event_time='event_time') }}"
            text = (
                f"{head}\nselect merchant_id, event_time, {', '.join(columns)}\nfrom {{{{ source('raw', 'wide') }}}}\n"
            )
            (folder / f"{label}.sql").write_text(text, encoding="utf-8")


def write_profile(job: Job) -> None:
    """A target with the job's threads, and one more with its memory limit."""
    target: dict[str, Any] = {"type": "duckdb", "threads": job.threads, "temp_directory": str(job.work / "spilled")}
    outputs = {"dev": target, "limited": {**target, "memory_limit": "2GB"}}
    profile = {"target": "dev", "outputs": outputs, "online": {"type": "sqlite", "path": "online.db"}}
    (job.work / "profiles.yml").write_text(json.dumps({"bench": profile}), encoding="utf-8")


def open_store(job: Job) -> FeatureStore:
    """The store, in the form that the variant names."""
    from asknown import FeatureStore
    from asknown.plan.rules import PlanOptions

    target = "limited" if job.memory_limit else "dev"
    store = FeatureStore(FLIGHTS) if job.workload == "F" else FeatureStore(job.work, target=target)
    variant: Any = job.variant
    if variant in ("cascade", "asof", "range"):
        store._plan_options = PlanOptions(forms={"*": variant})
    elif variant in ("pairs", "bands", "tiles"):
        store._plan_options = PlanOptions(window_form=variant)
    return store


def train(job: Job, watch: Watch) -> pa.Table:
    """A training set into memory. "request" is all of it, "query" what the engine does at the end."""
    with watch.phase("request"), closing(open_store(job)) as store:
        features, spine = ASKED["W3-whole" if job.variant == "whole" else job.workload]
        training = store.get_historical_features(job.rows(spine), features)
        write_query(training)
        with watch.phase("query"):
            table = training.to_arrow()
    if job.result is not None:  # a run that is compared, and not timed
        form = job.work / f"{job.workload}-{job.variant or 'chosen'}"
        form.with_suffix(".sql").write_text(training.sql(), encoding="utf-8")
        form.with_suffix(".txt").write_text(training.explain(), encoding="utf-8")
    return table


def train_apart(job: Job, watch: Watch) -> pa.Table:
    """Each view's training set alone, one after the other; "query" is the sum of their queries."""
    with watch.phase("request"), closing(open_store(job)) as store:
        views, spine = ASKED[job.workload]
        trainings = [store.get_historical_features(job.rows(spine), view) for view in views]
        for training in trainings:
            write_query(training)
        with watch.phase("query"):
            tables = [training.to_arrow() for training in trainings]
    found, *others = tables
    for table in others:
        for name in table.column_names[len(trainings[0].plan.spine.columns) :]:
            found = found.append_column(name, table.column(name))
    return found


def train_many(job: Job, watch: Watch) -> pa.Table:
    """The training set of many views: of all together, or of each apart."""
    return train_apart(job, watch) if job.variant == "apart" else train(job, watch)


def write_query(training: RetrievalJob) -> None:
    """Has the SQL written, as any of the `to_…` methods does first: so "query" is the engine's part alone."""
    _ = training._written  # sql() would read it back, too, for people to rely on


def train_to_file(job: Job, watch: Watch) -> None:
    """A training set into a Parquet file."""
    path = job.result or job.work / "out.parquet"
    with watch.phase("request"), closing(open_store(job)) as store:
        features, spine = ASKED[job.workload]
        training = store.get_historical_features(job.rows(spine), features)
        write_query(training)
        with watch.phase("query"):
            training.to_parquet(path)


def train_flights(job: Job, watch: Watch) -> pa.Table:
    """The flights project's training set: the repository's own example, 336,776 rows of real data."""
    import pyarrow as pa

    with watch.phase("request"), closing(open_store(job)) as store:
        training = store.get_historical_features("flights_spine", "flight_delay_v1")
        write_query(training)
        with watch.phase("query"):
            table = training.to_arrow()
    return table.add_column(0, "row_id", pa.array(range(table.num_rows), pa.int64()))


ACTS: dict[str, Callable[[Job, Watch], Any]] = {
    "prepare": prepare,
    "F": train_flights,
    "W5": train_to_file,
    **dict.fromkeys(MANY, train_many),
    "*": train,
}

if __name__ == "__main__":
    main(ACTS, save_arrow)
