"""Compares the flights' training set and online answers under two Pythons, which may have other versions of DuckDB.

`python bench/engine_versions.py .venv/bin/python /path/to/other/bin/python` prints for each which version it has, how
long it took, and how many cells differ to the bit; it fails where one does. Both need asknown and its dependencies.
"""

from __future__ import annotations

import json
import math
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
SERVICE, SPINE = "flight_delay_v1", "flights_spine"
UNTIL = "2013-12-30 17:42"
KEYS = ("carrier", "tailnum", "origin", "dest")
ASKED = 5_000


def main(pythons: list[str]) -> int:
    with tempfile.TemporaryDirectory() as scratch:
        folders = [Path(scratch) / str(place) for place in range(len(pythons))]
        for python, folder in zip(pythons, folders, strict=True):
            _copy_project(folder)
            subprocess.run([python, __file__, "--worker", str(folder)], check=True)
        return sum(_compare(folders[0], other) for other in folders[1:])


def _copy_project(folder: Path) -> None:
    folder.mkdir()
    for name in ("models", "macros"):
        shutil.copytree(ROOT / name, folder / name)
    for name in ("pyproject.toml", "profiles.yml"):
        shutil.copy(ROOT / name, folder / name)
    (folder / "data").symlink_to(ROOT / "data")


def work(folder: Path) -> None:
    """Writes the training set and the online answers of this Python."""
    from datetime import datetime

    import duckdb
    import pyarrow.parquet as pq

    from asknown import FeatureStore

    started = time.perf_counter()
    with FeatureStore(folder) as store:
        store.get_historical_features(SPINE, SERVICE).to_parquet(folder / "train.parquet")
        trained = time.perf_counter()
        until = datetime.fromisoformat(UNTIL)
        store.materialize(until)
        loaded = time.perf_counter()
        rows = pq.read_table(folder / "train.parquet", columns=[*KEYS, "event_timestamp"]).to_pylist()
        asked = [{key: row[key] for key in KEYS} for row in rows if row["event_timestamp"] >= until][:ASKED]
        answers = store.get_online_features(SERVICE, asked, at=until).to_dict()
    online = {name: [_exactly(value) for value in values] for name, values in answers.items()}
    (folder / "online.json").write_text(json.dumps(online), encoding="utf-8")
    took = f"train {trained - started:.1f} s, materialize {loaded - trained:.1f} s"
    print(
        f"DuckDB {duckdb.__version__}: {len(rows):,} training rows, {len(asked):,} online answers; {took}", flush=True
    )


def _compare(one: Path, other: Path) -> int:
    import pyarrow.parquet as pq

    differ = 0
    tables = [pq.read_table(folder / "train.parquet") for folder in (one, other)]
    assert tables[0].schema.equals(tables[1].schema), "the training sets have other columns"
    for name in tables[0].column_names:
        differ += _differing(*(map(_exactly, table.column(name).to_pylist()) for table in tables))
    print(f"training set: {tables[0].num_rows * tables[0].num_columns:,} cells, {differ} differ")
    left, right = (json.loads((folder / "online.json").read_text(encoding="utf-8")) for folder in (one, other))
    assert left.keys() == right.keys()
    wrong = sum(_differing(left[name], right[name]) for name in left)
    print(f"online: {sum(map(len, left.values())):,} cells, {wrong} differ")
    return int(differ + wrong > 0)


def _differing(one: Iterable[Any], other: Iterable[Any]) -> int:
    return sum(left != right for left, right in zip(one, other, strict=True))


def _exactly(value: Any) -> str:
    """A text that two values share only if they are the same to the bit."""
    if isinstance(value, float):
        return "nan" if math.isnan(value) else value.hex()
    return f"{type(value).__name__} {value}"


if __name__ == "__main__":
    if sys.argv[1:2] == ["--worker"]:
        work(Path(sys.argv[2]))
    elif len(sys.argv) < 3:
        print(__doc__)
        sys.exit(2)
    else:
        sys.exit(main(sys.argv[1:]))
