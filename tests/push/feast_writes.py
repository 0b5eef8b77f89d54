"""An unmodified Feast client writes one row of a view: it prints what it reads of the key afterwards.

Usage: python feast_writes.py http://127.0.0.1:6566 FOLDER < row.json, the row by columns, as Feast's frame has it.
"""

import json
import sys
from datetime import timedelta
from pathlib import Path

import pandas as pd
from feast import Entity, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Float64, Int64, String
from feast.value_type import ValueType


def main() -> None:
    """Writes the row on stdin, and prints the features of its key."""
    address, folder = sys.argv[1], Path(sys.argv[2])
    config = RepoConfig(
        project="shop",
        provider="local",
        registry=str(folder / "registry.db"),
        online_store={"type": "remote", "path": address},
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    source = FileSource(
        path=str(folder / "none.parquet"), timestamp_field="event_timestamp", created_timestamp_column="created"
    )
    customer = Entity(name="customer", join_keys=["customer_id"], value_type=ValueType.INT64)
    fields = [("customer_id", Int64), ("number", String), ("paid", Float64), ("note", String)]
    view = FeatureView(
        name="listed",
        entities=[customer],
        ttl=timedelta(days=36500),
        schema=[Field(name=name, dtype=kind) for name, kind in fields],
        source=source,
    )
    store.apply([customer, view])
    row = json.load(sys.stdin)
    frame = pd.DataFrame(row)
    frame["event_timestamp"] = pd.to_datetime(frame["event_timestamp"])
    frame["created"] = pd.to_datetime(frame["created"])
    store.write_to_online_store("listed", frame)
    rows = [{"customer_id": key} for key in row["customer_id"]]
    print(json.dumps(store.get_online_features(["listed:paid", "listed:number"], rows).to_dict()))


if __name__ == "__main__":
    main()
