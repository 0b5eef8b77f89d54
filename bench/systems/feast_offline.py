"""Feast: training sets by get_historical_features, over Parquet, by its DuckDB or its file (Dask) offline store."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

from child import Job, Watch, main

# For each view: its table, entity, event time, created time, ttl in days, and columns.
VIEWS: dict[str, tuple[str, str, str, str | None, int, list[str]]] = {
    "merchant_stats": (
        "merchant_stats",
        "merchant_id",
        "event_time",
        "created",
        1,
        ["rating", "orders", "revenue", "refund_rate", "is_open"],
    ),
    "user_profile": (
        "profiles",
        "user_id",
        "changed_at",
        None,
        0,
        ["country", "tier", "age", "credit_limit", "is_verified"],
    ),
    "last_payment": ("transactions", "user_id", "ts", "known_at", 7, ["paid_to", "amount", "units"]),
    "wide": ("wide", "merchant_id", "event_time", None, 2, [f"f{n:02}" for n in range(100)]),
}
ASKED = {
    "W1": ["merchant_stats"],
    "W2": ["merchant_stats", "user_profile", "last_payment"],
    "W4": ["wide"],
}
TYPES = {"country": "String", "tier": "String", "is_open": "Bool", "is_verified": "Bool", "age": "Int32",
         "orders": "Int32", "units": "Int32", "paid_to": "Int64"}  # fmt: skip


def prepare(job: Job, watch: Watch) -> None:
    """Registers the views."""
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, types
    from feast.data_format import ParquetFormat
    from feast.value_type import ValueType

    shutil.rmtree(folder(job), ignore_errors=True)
    folder(job).mkdir(parents=True)
    offline = {"duckdb": "duckdb", "file": "dask"}[job.variant]
    settings = {
        "project": "bench",
        "provider": "local",
        "registry": "registry.db",
        "entity_key_serialization_version": 3,
    }
    lines = [f"{key}: {value}" for key, value in settings.items()]
    lines += ["offline_store:", f"  type: {offline}", "online_store:", "  type: sqlite", "  path: online.db"]
    (folder(job) / "feature_store.yaml").write_text("\n".join(lines), encoding="utf-8")
    entities = {
        name: Entity(name=name.removesuffix("_id"), join_keys=[name], value_type=ValueType.INT64)
        for name in ("merchant_id", "user_id")
    }
    views = []
    for name, (table, key, when, created, days, columns) in VIEWS.items():
        renamed = {"merchant_id": "paid_to"} if name == "last_payment" else {}
        source = FileSource(
            name=f"{name}_rows",
            path=job.rows(table) if job.variant == "duckdb" else str(job.data / table),
            file_format=ParquetFormat(),
            timestamp_field=when,
            created_timestamp_column=created or "",
            field_mapping=renamed,
        )
        floats = "Int32" if table == "wide" else "Float64"
        schema = [Field(name=column, dtype=getattr(types, TYPES.get(column, floats))) for column in columns]
        views.append(
            FeatureView(name=name, entities=[entities[key]], ttl=timedelta(days=days), schema=schema, source=source)
        )
    FeatureStore(str(folder(job))).apply([*entities.values(), *views])


def folder(job: Job) -> Path:
    """The repository of a variant."""
    return job.work / job.variant


def train(job: Job, watch: Watch) -> Any:
    """A training set into memory."""
    with watch.phase("request"):
        import pyarrow.parquet as pq
        from feast import FeatureStore

        store = FeatureStore(str(folder(job)))
        columns = {"W4": [f"f{n}3" for n in range(10)]}.get(job.workload)
        features = [f"{view}:{name}" for view in ASKED[job.workload] for name in columns or VIEWS[view][-1]]
        spine = pq.read_table(job.data / "spine").to_pandas()
        spine["event_timestamp"] = spine["event_timestamp"].dt.tz_localize("UTC")
        with watch.phase("query"):
            return store.get_historical_features(entity_df=spine, features=features).to_arrow()


def save(table: Any, path: Path) -> None:
    """Writes the rows to a Parquet file, instants in UTC without a zone as in the tables."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    place = table.column_names.index("event_timestamp")
    times = table["event_timestamp"].cast(pa.timestamp("us", "UTC")).cast(pa.timestamp("us"))
    pq.write_table(table.set_column(place, "event_timestamp", times), path)


ACTS: dict[str, Callable[[Job, Watch], Any]] = {"prepare": prepare, "*": train}

if __name__ == "__main__":
    main(ACTS, save)
