"""What the registry keeps of loads and training sets, and the hash of a table's content."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asknown import FeatureStore
from asknown.registry.schema import TABLES
from asknown.store.content import hash_batches, hash_file
from test_registry import FILES, VIEW_FILE, edit, run

__all__ = ["FILES"]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def runs(*arguments: str) -> list[dict[str, object]]:
    found: list[dict[str, object]] = json.loads(run("history", *arguments, "--runs", "--format", "json"))
    return found


def test_without_a_registry_nothing_is_kept(shop: Path) -> None:
    run("materialize")
    run("train", "churn", "--spine", "moments", "-o", "a.parquet")
    assert not (shop / "registry.db").exists()
    assert runs() == []


def test_loads_and_training_sets_are_kept_with_their_versions(shop: Path) -> None:
    run("apply", "--yes")
    run("materialize", "--until", "2024-02-01")
    run("train", "churn", "--spine", "moments", "-o", "a.parquet")
    trained, loaded = runs()
    assert (loaded["kind"], loaded["views"], loaded["rows"]) == ("load", ["orders@v1"], 2)
    assert (loaded["watermark"], loaded["read"]) == ("2024-02-01T00:00:00Z", "full")
    assert (trained["kind"], trained["views"], trained["rows"]) == ("train", ["orders@v1"], 4)
    assert trained["file"] == "a.parquet"
    assert hash_file(Path("a.parquet")).startswith(str(trained["content"]))
    run("train", "churn", "--spine", "moments", "-o", "b.parquet")
    assert runs()[0]["content"] == trained["content"]
    edit(VIEW_FILE, "amount as last_amount", "amount + 1 as last_amount")
    run("train", "churn", "--spine", "moments", "-o", "c.parquet")
    assert runs()[0]["views"] == ["orders"]  # as in the files, which were not applied
    assert runs()[0]["content"] != trained["content"]
    run("train", "orders@v1", "--spine", "moments", "-o", "d.parquet")
    assert (runs()[0]["views"], runs()[0]["content"]) == (["orders@v1"], trained["content"])
    assert runs("nothing") == []
    assert len(runs("orders")) == 5


def test_a_load_has_a_digest_of_what_is_online(shop: Path) -> None:
    run("apply", "--yes")
    run("materialize", "--until", "2024-02-01")
    first = runs()[0]["content"]
    assert first
    run("materialize", "--until", "2024-02-01")
    run("materialize", "--until", "2024-02-01", "--full-refresh")
    assert [one["content"] for one in runs()] == [first] * 3
    orders = Path("orders.csv")
    orders.write_text(orders.read_text(encoding="utf-8").replace("1.0", "1.5"), encoding="utf-8")
    run("materialize", "--until", "2024-02-01")
    assert runs()[0]["content"] != first
    orders.write_text(orders.read_text(encoding="utf-8").replace("1.5", "1.0"), encoding="utf-8")
    run("materialize", "--until", "2024-02-01")
    assert runs()[0]["content"] == first
    Path("online.db").unlink()
    run("materialize", "--until", "2024-02-01")
    assert runs()[0]["content"] == first, "a table of its own"


def test_a_registry_of_the_first_layout_is_read_and_gets_its_tables(shop: Path) -> None:
    run("apply", "--yes")
    with sqlite3.connect("registry.db") as connection:
        connection.execute("drop table run")
        connection.execute("drop table pin")
        connection.execute("drop table meaning")
        connection.execute("drop table result")
        connection.execute("pragma user_version = 1")
    assert "run" not in TABLES
    assert runs() == []
    assert "Nothing to do" in run("plan")
    run("materialize")
    assert len(runs()) == 1


def test_a_registry_that_cannot_be_written_fails_no_load(shop: Path) -> None:
    run("apply", "--yes")
    Path("registry.db").write_bytes(b"not a database at all, but long enough to be read as one" * 30)
    assert "warning: the registry does not know of this" in run("materialize")


# -- the hash of a table's content -------------------------------------------------------------------------------------

COLUMNS = pa.table(
    {
        "i": pa.array([1, None, -3], pa.int64()),
        "f": pa.array([1.5, float("nan"), None]),
        "d": pa.array([1, 2, None], pa.decimal128(10, 2)),
        "t": pa.array(["ab", "", None]),
        "x": pa.array([b"\0", None, b"b"]),
        "b": pa.array([True, None, False]),
        "at": pa.array([0, None, 5], pa.timestamp("us")),
        "day": pa.array([0, None, 5], pa.date32()),
        "l": pa.array([[1, None], [], None], pa.list_(pa.int64())),
        "s": pa.array([{"a": 1, "b": "x"}, None, {"a": None, "b": ""}]),
        "k": pa.array(["p", "q", "q"]).dictionary_encode(),
        "n": pa.nulls(3),
    }
)


def hashed(table: pa.Table, size: int | None = None) -> str:
    return hash_batches(table.schema, table.to_batches(max_chunksize=size))


@given(st.integers(1, 3))
def test_the_hash_does_not_depend_on_batches(size: int) -> None:
    assert hashed(COLUMNS, size) == hashed(COLUMNS)
    sliced = pa.concat_tables([COLUMNS, COLUMNS]).slice(2, 3)
    assert hashed(sliced, size) == hashed(pa.concat_tables([COLUMNS.slice(2), COLUMNS.slice(0, 2)]))


@pytest.mark.parametrize("name", COLUMNS.column_names)
def test_the_hash_depends_on_every_value_and_its_order(name: str) -> None:
    column = COLUMNS.select([name])
    turned = column.take([2, 1, 0])
    if name != "n":
        assert hashed(turned) != hashed(column)
    assert hashed(column.slice(1)) != hashed(column)
    assert hashed(column.rename_columns(["other"])) != hashed(column)


def test_what_looks_alike_has_other_hashes() -> None:
    def of(values: list[object], kind: pa.DataType | None = None) -> str:
        return hashed(pa.table({"c": pa.array(values, kind)}))

    assert of(["ab", "c"]) != of(["a", "bc"])
    assert of([0.0]) != of([-0.0])
    assert of([None], pa.int64()) != of([0], pa.int64())
    assert of([[1], [2, 3]]) != of([[1, 2], [3]])
    assert of([[]], pa.list_(pa.int64())) != of([None], pa.list_(pa.int64()))
    assert of([1], pa.int64()) != of([1], pa.int32())


def test_the_hash_of_a_file_is_that_of_its_table(tmp_path: Path) -> None:
    pq.write_table(COLUMNS, tmp_path / "t.parquet", row_group_size=2)
    read = pq.read_table(tmp_path / "t.parquet")
    assert hash_file(tmp_path / "t.parquet") == hashed(read)


def test_the_library_keeps_what_it_did_as_the_commands_do(shop: Path) -> None:
    run("apply", "--yes")
    with FeatureStore(".") as store:
        store.materialize()
        spine = store.preview("moments", None)
        job = store.get_historical_features(spine, ["orders@v1:last_amount"])
        job.to_parquet("first.parquet")
        store.get_historical_features("moments", ["churn"]).to_parquet("second.parquet")
        store.get_historical_features("moments", ["churn"]).to_parquet("third.csv")  # has no types to hash
        assert (store.unrecorded, job.unrecorded) == (None, None)
    second, first, loaded = runs()
    assert (second["views"], first["views"], loaded["views"]) == (["orders@v1"], ["orders@v1"], ["orders@v1"])
    assert (loaded["kind"], first["kind"], first["file"]) == ("load", "train", "first.parquet")
