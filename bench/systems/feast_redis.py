"""Feast over a Redis or Valkey server: makes a repository over Parquet files, loads it, and reads when it is told to.

`python feast_redis.py FOLDER PORT` prints a line when it is ready. Each line that it then reads is a JSON list of
reads, each a list of keys; it prints the nanoseconds of each.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

VIEWS = ("a", "b", "c")
TYPES = ["Float64"] * 6 + ["Int64"] * 2 + ["String", "Bool"]


def make_store(folder: Path, port: int) -> Any:
    """The store, with its views applied and loaded."""
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, types
    from feast.data_format import ParquetFormat
    from feast.value_type import ValueType

    repository = folder / "feast"
    repository.mkdir(exist_ok=True)
    settings: dict[str, Any] = {"project": "bench", "provider": "local", "registry": "registry.db"}
    settings |= {"entity_key_serialization_version": 3, "offline_store": {"type": "dask"}}
    settings["online_store"] = {"type": "redis", "connection_string": f"127.0.0.1:{port},db=1"}
    (repository / "feature_store.yaml").write_text(json.dumps(settings), encoding="utf-8")
    customer = Entity(name="customer", join_keys=["id"], value_type=ValueType.INT64)
    views = [
        FeatureView(
            name=view,
            entities=[customer],
            ttl=timedelta(days=36_500),
            schema=[Field(name=f"{view}{n}", dtype=getattr(types, kind)) for n, kind in enumerate(TYPES)],
            source=FileSource(
                name=f"rows_{view}",
                path=str(folder / f"{view}.parquet"),
                file_format=ParquetFormat(),
                timestamp_field="seen_at",
            ),
        )
        for view in VIEWS
    ]
    store = FeatureStore(str(repository))
    store.apply([customer, *views])
    store.materialize(datetime(2023, 12, 31), datetime(2024, 3, 1))
    return store


def main() -> None:
    folder, port = Path(sys.argv[1]), int(sys.argv[2])
    store = make_store(folder, port)
    features = [f"{view}:{view}{n}" for view in VIEWS for n in range(len(TYPES))]
    found = store.get_online_features(features, [{"id": 1}]).to_dict()
    print(json.dumps({name: values[0] for name, values in found.items()}), flush=True)
    for line in sys.stdin:
        times = []
        for keys in json.loads(line):
            began = time.perf_counter_ns()
            store.get_online_features(features, [{"id": key} for key in keys]).to_dict()
            times.append(time.perf_counter_ns() - began)
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
