"""`asknown train`: the training set, printed or written."""

from __future__ import annotations

import csv
import json
import re
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from typed import fail, succeed

SERVICE_FEATURES = ["last_amount", "last_items", "last_returned", "plan", "city"]


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def expected_training_set(project: Path) -> list[dict[str, Any]]:
    """The training set of the scaffold by plain loops over its CSV files."""
    orders = read_csv(project / "data" / "orders.csv")
    customers = read_csv(project / "data" / "customers.csv")
    rows = []
    for order in sorted(orders, key=lambda o: (o["ordered_at"], int(o["order_id"]))):
        if not order["settled_at"]:
            continue
        now = order["ordered_at"]  # text order is time order
        oldest = str(datetime.fromisoformat(now) - timedelta(days=120))
        mine = [o for o in orders if o["customer_id"] == order["customer_id"] and oldest <= o["ordered_at"] <= now]
        known = [o for o in mine if o["settled_at"] and o["settled_at"] <= now]
        last = max(known, key=lambda o: (o["ordered_at"], o["settled_at"]), default=None)
        changes = [c for c in customers if c["customer_id"] == order["customer_id"] and c["changed_at"] <= now]
        profile = max(changes, key=lambda c: c["changed_at"], default=None)
        rows.append(
            {
                "order_id": int(order["order_id"]),
                "customer_id": int(order["customer_id"]),
                "event_timestamp": now.replace(" ", "T"),
                "returned": order["returned"] == "true",
                "last_amount": last and last["amount"],
                "last_items": last and int(last["items"]),
                "last_returned": last and last["returned"] == "true",
                "plan": profile and profile["plan"],
                "city": profile and profile["city"],
            }
        )
    return rows


def test_train_gives_the_training_set(project: Path) -> None:
    output = succeed("train", "return_risk_v1", "--spine", "orders_spine", "--format", "json")
    expected = expected_training_set(project)
    assert output.objects() == expected
    assert sum(row["last_amount"] is not None for row in expected) > 20
    assert re.fullmatch(r"58 rows × 9 columns in \d+\.\d s\n", output.stderr)


def test_train_prints_a_table_of_the_first_rows(project: Path) -> None:
    output = succeed("train", "return_risk_v1", "--spine", "orders_spine")
    lines = output.stdout.splitlines()
    assert lines[0].split() == ["order_id", "customer_id", "event_timestamp", "returned", *SERVICE_FEATURES]
    assert len(lines) == 12
    assert lines[2].split() == ["1001", "12", "2024-01-07", "08:21:00", "false", *["NULL"] * 3, "free", "Braga"]
    assert output.stderr.startswith("the first 10 of 58 rows × 9 columns in ")


def test_train_limits_what_it_prints(project: Path) -> None:
    words = ["train", "customer_profile", "--spine", "orders_spine"]
    assert len(succeed(*words, "--limit", "3", "--format", "json").objects()) == 3
    assert len(succeed(*words, "--limit", "3", "--format", "csv").records()) == 3
    output = succeed(*words, "--limit", "100")
    assert len(output.stdout.splitlines()) == 60
    assert output.stderr.startswith("58 rows × 6 columns")
    assert succeed(*words, "--limit", "0", "--format", "json").objects() == []


def test_train_in_csv_tells_null_from_nothing(project: Path) -> None:
    spine = "select 1::bigint as customer_id, '' as nothing, null::varchar as missing, 'a \"b\",c' as text, "
    spine += "timestamp '2024-06-01' as event_timestamp"
    output = succeed("train", "customer_profile", "--spine", spine, "--format", "csv")
    assert output.stdout == (
        'customer_id,nothing,missing,text,event_timestamp,city,plan\n1,"",,"a ""b"",c",2024-06-01 00:00:00,Porto,plus\n'
    )


@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_train_writes_a_file(project: Path, ending: str) -> None:
    output = succeed("train", "return_risk_v1", "--spine", "orders_spine", "-o", f"train.{ending}")
    assert output.stdout == ""
    assert output.stderr.startswith(f"train.{ending}: 58 rows × 9 columns in ")
    path = project / f"train.{ending}"
    if ending == "parquet":
        assert pq.read_table(path).column("last_items").to_pylist() == [
            row["last_items"] for row in expected_training_set(project)
        ]
    else:
        printed = succeed("train", "return_risk_v1", "--spine", "orders_spine", "--format", "csv")
        assert path.read_text() == printed.stdout
    assert not list(project.glob(".*.part"))


def test_train_writes_json_to_a_file_of_any_name(project: Path) -> None:
    words = ["train", "return_risk_v1", "--spine", "orders_spine", "--format", "json"]
    assert succeed(*words, "-o", "train.txt").stdout == ""
    assert json.loads((project / "train.txt").read_text()) == succeed(*words).objects()


def test_train_full_names_and_another_instant(project: Path) -> None:
    spine = "select customer_id, ordered_at, settled_at from {{ ref('stg_orders') }} order by all"
    words = ["train", "customer_profile:plan", "--spine", spine, "--format", "json"]
    assert "which one is the instant?" in fail(*words)
    (first, *_) = succeed(*words, "--timestamp", "settled_at", "--full-names").objects()
    assert list(first) == ["customer_id", "ordered_at", "settled_at", "customer_profile__plan"]


def test_train_explains_instead_of_building(project: Path) -> None:
    output = succeed("train", "return_risk_v1", "--spine", "orders_spine", "--explain")
    assert "known_at settled_at" in output.stdout
    assert output.stderr == ""


def test_train_counts_what_hindsight_would_see(project: Path) -> None:
    output = succeed("train", "return_risk_v1", "--spine", "orders_spine", "--hindsight", "--format", "csv")
    assert len(output.records()) == 58
    # Every order is its customer's newest at its own moment, and its outcome is not known.
    assert "hidden by known_at: for 58 of 58 rows (100.0%)" in output.stderr
    output = succeed("train", "customer_profile", "--spine", "orders_spine", "--hindsight")
    assert "hidden by known_at: nothing" in output.stderr


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (["return_risk_v1"], 2, "Missing option '--spine'"),
        (["--spine", "orders_spine"], 2, "Missing argument"),
        (["return_risk", "--spine", "orders_spine"], 1, "did you mean 'return_risk_v1'"),
        (["return_risk_v1", "--spine", "order_spine"], 1, "did you mean 'orders_spine'"),
        (["return_risk_v1", "--spine", "orders_spine", "-o", "x.txt"], 1, ".parquet or .csv"),
        (["return_risk_v1", "--spine", "orders_spine", "-o", "no/x.csv"], 1, "the folder no does not exist"),
        (["return_risk_v1", "--spine", "orders_spine", "-o", "x.d/"], 1, "duckdb writes one file"),
        (["return_risk_v1", "--spine", "orders_spine", "-o", "x.d/", "--format", "csv"], 2, "contradicts"),
        (["return_risk_v1", "--spine", "orders_spine", "-o", "s3a://b/x.parquet"], 1, "not on this machine"),
        (["return_risk_v1", "--spine", "orders_spine", "-o", "x.csv", "--limit", "3"], 2, "writes every row"),
        (["return_risk_v1", "--spine", "orders_spine", "-o", "x.parquet", "--format", "csv"], 2, "contradicts"),
        (["return_risk_v1", "--spine", "orders_spine", "-o", "x.csv", "--format", "table"], 2, "contradicts"),
        (["return_risk_v1", "--spine", "orders_spine", "--format", "yaml"], 2, "'yaml' is not one of"),
    ],
)
def test_train_refuses(project: Path, words: list[str], code: int, says: str) -> None:
    assert says in fail("train", *words, code=code)
    assert not list(project.glob("*x.*"))
