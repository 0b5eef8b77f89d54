"""What Spark makes of compiled training queries: nothing sorts in one partition, and a key of many rows is spread.

The plans are asked of Spark for queries over files, as they would run on a cluster.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asknown import FeatureStore
from engines.harness import Warehouse
from stores import open_store

pytestmark = pytest.mark.skipif(
    "spark" not in os.environ.get("ASKNOWN_ENGINES", ""), reason="needs pyspark and Java: make test-engines"
)
START = datetime(2024, 1, 1)
ROWS, KEYS, HOT = 6_000, 50, 7
OVER = "over (partition by k order by t range between interval {0} preceding and current row)"
MODELS = {
    "newest": "select k, t, x, i from {{ source('raw', 'events') }}",
    "late": "select k, t, t + interval 5 minute as known, x as late_x from {{ source('raw', 'events') }}",
    "sums": f"select k, t, sum(x) {OVER.format('1 hour')} as s, avg(i) {OVER.format('1 day')} as a, "
    f"count(*) {OVER.format('1 day')} as n from {{{{ source('raw', 'events') }}}}",
    "medians": f"select k, t, median(x) {OVER.format('1 hour')} as m from {{{{ source('raw', 'events') }}}}",
}
SPINES = {
    "a frame": None,
    "sql": "select k, t + interval 1 second as event_timestamp from {{ source('raw', 'events') }}",
}
FORMS = {"newest": ("range", "union"), "late": ("range", "union"), "sums": ("pairs", "bands"), "medians": ("pairs",)}


def events() -> pa.Table:
    """Rows of which every other is of one key."""
    keys = [HOT if place % 2 else place % KEYS for place in range(ROWS)]
    times = [START + timedelta(seconds=place * 7919 % 1_000_003) for place in range(ROWS)]
    columns = {"k": pa.array(keys, pa.int32()), "t": pa.array(times, pa.timestamp("us"))}
    return pa.table({**columns, "x": [place / 7 for place in range(ROWS)], "i": range(ROWS)})


@pytest.fixture(scope="module")
def project(running: dict[str, Warehouse], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project over a folder of Parquet files."""
    folder = tmp_path_factory.mktemp("plans")
    (folder / "events").mkdir()
    (folder / "models").mkdir()
    pq.write_table(events().slice(0, ROWS // 2), folder / "events" / "1.parquet")
    pq.write_table(events().slice(ROWS // 2), folder / "events" / "2.parquet")
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "plans"\n', encoding="utf-8")
    target = {key: value for key, value in running["spark"].target(folder).items() if key != "schema"}
    profile = {"plans": {"target": "dev", "outputs": {"dev": target, "here": {"type": "duckdb"}}}}
    (folder / "profiles.yml").write_text(json.dumps(profile), encoding="utf-8")
    properties = {
        "sources": [{"name": "raw", "tables": [{"name": "events", "path": "events/*.parquet"}]}],
        "entities": [{"name": "thing", "keys": ["k"]}],
    }
    (folder / "models" / "models.yml").write_text(json.dumps(properties), encoding="utf-8")
    for name, text in MODELS.items():
        known = ", known_at='known'" if name == "late" else ""
        config = f"{{{{ config(entity='thing', event_time='t'{known}) }}}}"
        (folder / "models" / f"{name}.sql").write_text(f"{config}\n{text}\n", encoding="utf-8")
    return folder


def frame() -> pa.Table:
    """A spine that comes from here."""
    table = events().slice(0, 1_000)
    times = [at + timedelta(minutes=1) for at in table.column("t").to_pylist()]
    return pa.table({"k": table.column("k"), "event_timestamp": pa.array(times, pa.timestamp("us"))})


def plan_of(project: Path, view: str, form: str, spine: str | None) -> str:
    """The physical plan of a training query."""
    forms = {"window_form": form} if form in ("pairs", "bands") else {"form": form}
    with closing(open_store(project, **forms)) as store:
        job = store.get_historical_features(frame() if spine is None else spine, [view])
        return str(job._engine.explain(job.sql()))


def exchanges(plan: str) -> list[tuple[str, list[str]]]:
    """How rows are sent between tasks: by what, and with which columns."""
    found = re.findall(
        r"^\(\d+\) Exchange *\n(?:Output|Input) \[\d+\]: \[(.*)\]\nArguments: (.*?), [A-Z_]+,", plan, re.MULTILINE
    )
    return [(by, [column.partition("#")[0] for column in columns.split(", ")]) for columns, by in found]


@pytest.mark.parametrize("spine", SPINES)
@pytest.mark.parametrize(("view", "form"), [(view, form) for view, forms in FORMS.items() for form in forms])
def test_nothing_sorts_in_one_partition(project: Path, view: str, form: str, spine: str) -> None:
    plan = plan_of(project, view, form, SPINES[spine])
    sent = exchanges(plan)
    assert len(sent) >= 3, plan
    assert len(sent) == len(re.findall(r"^\(\d+\) Exchange", plan, re.MULTILINE))
    assert "SinglePartition" not in plan
    assert all(by.startswith(("hashpartitioning(", "rangepartitioning(", "RoundRobin")) for by, _ in sent), sent


def test_one_partition_would_be_seen(project: Path) -> None:
    """Without keys there is one history, and one task sorts it (docs/dialects.md says so)."""
    with closing(FeatureStore(project)) as store:
        job = store.get_historical_features(frame(), ["newest"])
        plan = job._engine.explain("SELECT ROW_NUMBER() OVER (ORDER BY id) AS n FROM RANGE(9)")
    assert "SinglePartition" in plan


@pytest.mark.parametrize(("view", "form"), [("sums", "pairs"), ("sums", "bands"), ("medians", "pairs")])
def test_a_windows_pairs_are_sent_by_key_and_time(project: Path, view: str, form: str) -> None:
    """So that the rows of one key are the work of many tasks."""
    by_key_alone = [sent for sent in exchanges(plan_of(project, view, form, SPINES["sql"])) if by_one(sent[0])]
    assert not by_key_alone


@pytest.mark.parametrize("view", ["newest", "late"])
def test_only_keys_and_times_are_sorted_by_key(project: Path, view: str) -> None:
    """Of the running maximum, one key is one task: it holds no feature, and what does not fit goes to disk."""
    by_key_alone = [columns for by, columns in exchanges(plan_of(project, view, "union", SPINES["sql"])) if by_one(by)]
    assert by_key_alone
    assert all(len(columns) <= 4 and not {"x", "i", "late_x"} & set(columns) for columns in by_key_alone), by_key_alone


def by_one(by: str) -> bool:
    """Whether rows are sent by one column's value: the key."""
    return re.fullmatch(r"hashpartitioning\(\w+#\d+L?, \d+\)", by) is not None


def test_a_folder_of_files_trains_as_on_duckdb(project: Path) -> None:
    views = ["newest", "late", "sums", "medians"]
    found = []
    for target in ("dev", "here"):
        with closing(FeatureStore(project, target=target)) as store:
            found.append(store.get_historical_features(frame(), views).to_arrow())
    assert found[0].equals(found[1])


def test_a_training_set_is_written_by_the_executors(project: Path, tmp_path: Path) -> None:
    with closing(FeatureStore(project)) as store:
        job = store.get_historical_features(frame(), ["newest"])
        assert job.to_parquet(f"{tmp_path}/train/") == 1_000
        parts = [pq.read_table(part) for part in sorted((tmp_path / "train").glob("*.parquet"))]
        assert pa.concat_tables(parts).equals(job.to_arrow())
