"""Feast: materialize and get_online_features, with its SQLite or its Redis online store."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from child import Job, Watch, main
from sizes import scattered

PORT = 6389
READS = 1_000
VIEWS = (0, 10, 20)
START, UNTIL, LATER = datetime(2024, 3, 1), datetime(2024, 3, 24, 13), datetime(2024, 3, 25)
TYPES = ["Float64"] * 5 + ["Int32"] * 3 + ["String"] * 2


@contextmanager
def server(job: Job) -> Iterator[None]:
    """A Redis of its own while the block runs, over what it kept of the last one."""
    if job.variant != "redis":
        yield
        return
    command = ["redis-server", "--port", str(PORT), "--dir", str(folder(job)), "--save", "", "--appendonly", "no"]
    process = subprocess.Popen([*command, "--dbfilename", "kept.rdb"], stdout=subprocess.DEVNULL)
    try:
        import redis

        client = redis.Redis(port=PORT)
        for _ in range(600):
            try:
                client.ping()
                break
            except redis.exceptions.RedisError:
                time.sleep(0.1)
        yield
        client.save()
    finally:
        process.terminate()
        process.wait()


def folder(job: Job) -> Path:
    """The repository of a variant, another for loads."""
    return job.work / f"{job.variant}{'-load' if job.workload == 'O5' else ''}"


def prepare(job: Job, watch: Watch) -> None:
    """Registers the views, and loads them where reads are to be measured."""
    if job.variant == "redis" and not shutil.which("redis-server"):
        raise SystemExit("there is no redis-server; on Debian or Ubuntu: apt install redis-server")
    if job.workload != "O5" and (folder(job) / "loaded").exists():
        return
    shutil.rmtree(folder(job), ignore_errors=True)
    folder(job).mkdir(parents=True)
    apply(job)
    if job.workload != "O5":
        from feast import FeatureStore

        with server(job):
            FeatureStore(str(folder(job))).materialize(START, LATER)
        (folder(job) / "loaded").write_text("", encoding="utf-8")


def apply(job: Job, suffix: str = "") -> None:
    """Writes the configuration and applies the views; ``suffix`` names the later rows."""
    from feast import Entity, FeatureStore, FeatureView, Field, FileSource, types
    from feast.data_format import ParquetFormat
    from feast.value_type import ValueType

    kinds = {"sqlite": {"type": "sqlite", "path": "online.db"}}
    kinds["redis"] = {"type": "redis", "connection_string": f"localhost:{PORT}"}
    settings: dict[str, Any] = {"project": "bench", "provider": "local", "registry": "registry.db"}
    settings |= {"entity_key_serialization_version": 3, "offline_store": {"type": "duckdb"}}
    settings["online_store"] = kinds[job.variant]
    (folder(job) / "feature_store.yaml").write_text(json.dumps(settings), encoding="utf-8")
    account = Entity(name="account", join_keys=["account_id"], value_type=ValueType.INT64)
    views = []
    for view in VIEWS if job.workload != "O5" else VIEWS[:1]:
        source = FileSource(
            name=f"rows_{view}",
            path=job.rows(f"accounts_{view}{suffix}"),
            file_format=ParquetFormat(),
            timestamp_field="updated_at",
        )
        schema = [Field(name=f"x{view + n}", dtype=getattr(types, kind)) for n, kind in enumerate(TYPES)]
        name = f"accounts_{view}"
        views.append(
            FeatureView(name=name, entities=[account], ttl=timedelta(days=30_000), schema=schema, source=source)
        )
    FeatureStore(str(folder(job))).apply([account, *views])


def read(job: Job, watch: Watch) -> None:
    """Random keys that are there, one or a hundred in a read."""
    from feast import FeatureStore

    numbers = range(30) if job.workload == "O3" else (0, 1, 5, 6, 8)
    features = [f"accounts_{n // 10 * 10}:x{n}" for n in numbers]
    with server(job):
        store = FeatureStore(str(folder(job)))
        for count in {"O1": [1], "O2": [100], "O3": [1, 100]}[job.workload]:
            asked = [[{"account_id": scattered(i * count + j, job.size)} for j in range(count)] for i in range(200)]
            watch.microseconds(
                f"{count} key{'s' if count > 1 else ''}",
                lambda i, asked=asked: store.get_online_features(features, asked[i % 200]).to_dict(),  # type: ignore[misc]
                READS if count == 1 else READS // 10,
            )


def load(job: Job, watch: Watch) -> None:
    """The first load, and the second of the rows that are newer: the 1 % that changed."""
    from feast import FeatureStore

    with server(job):
        with watch.phase("load"):
            FeatureStore(str(folder(job))).materialize(START, UNTIL)
        apply(job, "_later")
        with watch.phase("again"):
            FeatureStore(str(folder(job))).materialize(UNTIL, LATER)


ACTS: dict[str, Callable[[Job, Watch], Any]] = {"prepare": prepare, "O5": load, "*": read}

if __name__ == "__main__":
    main(ACTS)
