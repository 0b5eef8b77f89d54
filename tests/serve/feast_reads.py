"""What an unmodified Feast client does, in an environment of its own: it reads from the server at an address.

Usage: python feast_reads.py http://127.0.0.1:6566 FOLDER < requests.json, where FOLDER is an empty one for Feast's own
registry. Each request is {"features": […] or a service's name, "rows": […], "full": …}; it prints the answers in JSON.
"""

import json
import sys
from datetime import timedelta
from pathlib import Path

from feast import Entity, FeatureService, FeatureStore, FeatureView, Field, FileSource, RepoConfig
from feast.types import Bool, Float64, Int64, String
from feast.value_type import ValueType

KINDS = {"d": Float64, "i": Int64, "s": String, "b": Bool}


def make_store(address: str, folder: Path) -> FeatureStore:
    """A store of the features that the test's table has, with the server as its remote online store."""
    config = RepoConfig(
        project="shop",
        provider="local",
        registry=str(folder / "registry.db"),
        online_store={"type": "remote", "path": address},
        entity_key_serialization_version=3,
    )
    store = FeatureStore(config=config)
    source = FileSource(path=str(folder / "none.parquet"), timestamp_field="event_timestamp")
    customer = Entity(name="customer", join_keys=["id"], value_type=ValueType.INT64)
    shop = Entity(name="shop", join_keys=["place"], value_type=ValueType.STRING)
    views = [
        FeatureView(
            name=name,
            entities=entities,
            ttl=timedelta(days=36500),
            schema=[*keys, *(Field(name=f"{name}_{kind}", dtype=KINDS[kind]) for kind in KINDS)],
            source=source,
        )
        for name, entities, keys in (
            ("one", [customer], [Field(name="id", dtype=Int64)]),
            ("two", [customer, shop], [Field(name="id", dtype=Int64), Field(name="place", dtype=String)]),
        )
    ]
    service = FeatureService(name="both", features=[views[0][["one_d", "one_s"]], views[1]])
    store.apply([customer, shop, *views, service])
    return store


def main() -> None:
    """Prints the answer to each request on stdin."""
    store = make_store(sys.argv[1], Path(sys.argv[2]))
    answers = []
    for request in json.load(sys.stdin):
        asked = request["features"]
        features = store.get_feature_service(asked) if isinstance(asked, str) else asked
        response = store.get_online_features(
            features=features, entity_rows=request["rows"], full_feature_names=request["full"]
        )
        answers.append(response.to_dict())
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
