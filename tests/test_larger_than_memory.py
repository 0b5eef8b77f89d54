"""Training sets whose events are several times the engine's memory limit: they finish, spill, and are the same rows.

Each runs in a process of its own, whose peak memory is its own too.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import duckdb
import pyarrow.parquet as pq
import pytest

EVENTS, KEYS, SPINE = 5_000_000, 4_000, 80_000
LIMIT_MB = 200

AS_OF = """{{ config(entity='card', event_time='paid_at', created_at='written_at') }}

select card_id, paid_at, written_at, amount, shop, note from {{ source('raw', 'payments') }}
"""
WINDOWS = """{{ config(entity='card', event_time='paid_at') }}

select
    card_id, paid_at,
    {{ trailing('amount', ['sum', 'avg', 'max'], ['1 hour', '1 day']) }},
    max(note) over {{ last('1 day') }} as max_note_1d
from {{ source('raw', 'payments') }}
"""

# Trains, and says how many bytes were spilled at the most, and by how many MB the peak of memory rose.
TRAIN = """
import json, resource, sys, threading, time
from pathlib import Path
from asknown import FeatureStore

root, target, view, out = sys.argv[1:]
spilled, done = [0], threading.Event()

def peak():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024

def watch():
    folder = Path(root) / "spilled"
    while not done.is_set():
        sizes = [path.stat().st_blocks * 512 for path in folder.glob("*") if path.exists()]
        spilled[0] = max(spilled[0], sum(sizes))
        time.sleep(0.002)

watcher = threading.Thread(target=watch)
watcher.start()
try:
    with FeatureStore(root, target=target) as store:
        training = store.get_historical_features("spine.parquet", [view])
        training.sql()
        before = peak()
        training.to_parquet(out)
finally:
    done.set()
    watcher.join()
print(json.dumps([spilled[0], peak() - before]))
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project over payments that are several times the limit, and a spine in no order."""
    root = tmp_path_factory.mktemp("large")
    (root / "models").mkdir()
    (root / "pyproject.toml").write_text('[tool.asknown]\nname = "large"\n', encoding="utf-8")
    unlimited = {"type": "duckdb", "threads": 2, "temp_directory": str(root / "spilled")}
    # Four threads have no room in the limit: it must be kept all the same.
    outputs = {"unlimited": unlimited, "limited": {**unlimited, "threads": 4, "memory_limit": f"{LIMIT_MB}MB"}}
    profiles = {"large": {"target": "limited", "outputs": outputs}}
    (root / "profiles.yml").write_text(json.dumps(profiles), encoding="utf-8")
    tables = [{"name": "payments", "path": "payments.parquet"}]
    entities = [{"name": "card", "keys": ["card_id"]}]
    properties = {"sources": [{"name": "raw", "tables": tables}], "entities": entities}
    (root / "models" / "models.yml").write_text(json.dumps(properties), encoding="utf-8")
    for name, text in {"newest": AS_OF, "windows": WINDOWS}.items():
        (root / "models" / f"{name}.sql").write_text(text, encoding="utf-8")
    with duckdb.connect() as connection:
        connection.execute(
            "CREATE MACRO instant(i, n) AS make_timestamp(1704067200000000 + "
            "CAST(hash(i) % CAST(n * 86400000000 AS UBIGINT) AS BIGINT))"
        )
        connection.execute(
            f"""COPY (SELECT CAST(hash(i + 7) % {KEYS} AS BIGINT) AS card_id, instant(i, 30) AS paid_at,
                    instant(i, 30) + INTERVAL (i % 50) SECOND AS written_at, (hash(i + 9) % 100000) / 100 AS amount,
                    'shop ' || (i % 977) AS shop, repeat(chr(CAST(97 + i % 26 AS INTEGER)), 80) || i AS note
                FROM range({EVENTS}) r(i)) TO '{root}/payments.parquet' (FORMAT PARQUET)"""
        )
        connection.execute(
            f"""COPY (SELECT i AS row_id, CAST(hash(i + 3) % {KEYS + 9} AS BIGINT) AS card_id,
                    instant(i + {EVENTS}, 31) AS event_timestamp,
                    repeat(chr(CAST(97 + i % 26 AS INTEGER)), 400) || i AS told
                FROM range({SPINE}) r(i)) TO '{root}/spine.parquet' (FORMAT PARQUET, ROW_GROUP_SIZE 10000)"""
        )
        (size,) = connection.execute(
            f"SELECT sum(40 + len(shop) + len(note)) FROM '{root}/payments.parquet'"
        ).fetchall()
    assert size[0] > 3 * LIMIT_MB * 1_000_000
    return root


def train(folder: Path, target: str, view: str) -> tuple[Path, int, int]:
    """(the training set's file, the most bytes that were spilled at one time, MB by which the peak of memory rose)."""
    out = folder / f"{view}_{target}.parquet"
    command = [sys.executable, "-c", TRAIN, str(folder), target, view, str(out)]
    done = subprocess.run(
        command, capture_output=True, text=True, check=False, cwd=folder, env={**os.environ, "TZ": "UTC"}
    )
    assert done.returncode == 0, done.stderr
    spilled, risen = json.loads(done.stdout.splitlines()[-1])
    return out, spilled, risen


@pytest.mark.parametrize("view", ["newest", "windows"])
def test_events_larger_than_memory(folder: Path, view: str) -> None:
    limited, spilled, risen = train(folder, "limited", view)
    unlimited, _, _ = train(folder, "unlimited", view)
    assert risen < 1.5 * LIMIT_MB  # the limit is the engine's; the process holds a little more
    if view == "windows":  # the pairs that it sorts are larger than the limit
        assert spilled
    assert spilled or risen < LIMIT_MB
    here, there = pq.read_table(limited), pq.read_table(unlimited)
    assert here["row_id"].to_pylist() == list(range(SPINE))
    assert here.equals(there)
