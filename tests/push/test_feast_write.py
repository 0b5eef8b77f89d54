"""An unmodified Feast client writes a row. `make test-feast` installs it in an environment of its own."""

from __future__ import annotations

import json
import os
import subprocess
from contextlib import closing
from pathlib import Path

import pytest
from shop import offline_ids, order, write_file, write_shop

from asknown import FeatureStore
from http_calls import serving

if "ASKNOWN_FEAST" not in os.environ:
    pytest.skip("make test-feast runs these; the shapes on the wire are in test_http_write", allow_module_level=True)

LISTED = """
{{ config(entity='customer', event_time='bought_at', known_at='_arrived') }}
select customer_id, ordered_at as bought_at, _arrived, order_id as number, amount as paid, note
from {{ source('shop', 'orders') }}
"""


def test_a_row_that_feast_writes_is_read_and_kept(tmp_path: Path) -> None:
    shop = write_shop(tmp_path / "shop", views={"listed": LISTED})
    first = order("first", 1, ago=3600, amount=10.0)
    write_file(shop, "history.parquet", [first | {"_arrived": first["ordered_at"]}])
    with closing(FeatureStore(shop)) as store:
        store.materialize()
    (tmp_path / "feast").mkdir()
    at = order("w1")["ordered_at"].isoformat()
    row = {"customer_id": [1], "number": ["w1"], "paid": [2.5], "note": ["n"], "event_timestamp": [at], "created": [at]}
    with serving("--push", folder=shop, first="'") as server:
        program = Path(__file__).with_name("feast_writes.py")
        done = subprocess.run(
            [os.environ["ASKNOWN_FEAST"], program, f"http://127.0.0.1:{server.port}", tmp_path / "feast"],
            input=json.dumps(row),
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        assert server.stop() == 0
    answer = json.loads(done.stdout.splitlines()[-1])
    assert answer == {"customer_id": [1], "paid": [2.5], "number": ["w1"]}
    assert offline_ids(shop) == ["ofirst", "w1"]
