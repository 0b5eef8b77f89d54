"""Each engine through the command line, each command a process of its own: all print and write the same.

The project brings its own rows: a model with literals is built as a table, and another is read back as a source.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import pytest

from engines.conftest import named_engines
from engines.harness import Warehouse, kept_target, run_asknown

FILES = {
    "pyproject.toml": '[tool.asknown]\nname = "shop"\n',
    "models/shop.yml": """
sources:
  - name: shop
    tables:
      - name: orders
        identifier: main.all_orders
        timezone: UTC
        columns: [{name: fee, data_type: 'decimal(9,2)'}]
entities: [{name: customer, keys: [customer_id]}]
""",
    "models/all_orders.sql": """{{ config(materialized='table') }}
select 1 as customer_id, timestamp '2024-01-01 10:00:00' as ordered_at, timestamp '2024-01-01 10:00:00.5' as paid_at,
       0.1::double as amount, 'a, "b"' as note, true as gift, date '2024-02-29' as due, 1.50::decimal(9,2) as fee
union all
select 1, timestamp '2024-01-01 11:00:00', timestamp '2024-01-01 13:00:00', 0.2::double,
       '', false, date '2024-03-01', 2.25::decimal(9,2)
union all
select 1, timestamp '2024-01-01 12:00:00', timestamp '2024-01-01 12:00:00', 1e20::double, null, null, null, null
union all
select 2, timestamp '2024-01-01 09:00:00', timestamp '2024-01-01 09:00:00', 3.0::double,
       ' é', true, date '2024-01-01', 0.05::decimal(9,2)
""",
    "models/orders.sql": """{{ config(materialized='view') }}
select customer_id, ordered_at, paid_at, amount, note, gift, due, fee, amount * 2 as twice from {{ ref('all_orders') }}
""",
    "models/paid_orders.sql": """{{ config(materialized='table') }}
select customer_id, ordered_at, amount from {{ source('shop', 'orders') }} where amount < 10
""",
    "models/customer_orders.sql": """{{ config(entity='customer', event_time='ordered_at', known_at='paid_at') }}
select customer_id, ordered_at, paid_at, amount as last_amount, note, gift, due, fee, twice,
       count(*) over {{ last('2 hours') }} as orders_2h,
       avg(amount) over {{ last('2 hours') }} as average_2h
from {{ ref('orders') }}
""",
    "models/decisions.sql": """
select 7 as decision, 1 as customer_id, timestamp '2024-01-01 12:00:00' as event_timestamp
union all select 8, 1, timestamp '2024-01-01 13:00:00'
union all select 9, 2, timestamp '2024-01-01 10:00:00'
union all select 10, 3, timestamp '2024-01-01 10:00:00'
order by decision
""",
}
BUILT = [["all_orders", "table"], ["orders", "view"], ["paid_orders", "table"]]
TRAINED = """\
decision,customer_id,event_timestamp,last_amount,note,gift,due,fee,twice,orders_2h,average_2h
7,1,2024-01-01 12:00:00,1e+20,,,,,2e+20,2,5e+19
8,1,2024-01-01 13:00:00,1e+20,,,,,2e+20,2,5e+19
9,2,2024-01-01 10:00:00,3.0," é",true,2024-01-01,0.05,6.0,1,3.0
10,3,2024-01-01 10:00:00,,,,,,,0,
"""
READ = [
    {"last_amount": 1e20, "note": None, "gift": None, "due": None, "fee": None, "twice": 2e20, "orders_2h": 1},
    {"last_amount": 3.0, "note": " é", "gift": True, "due": "2024-01-01", "fee": "0.05", "twice": 6.0, "orders_2h": 0},
]


@pytest.fixture(params=["duckdb", *named_engines()])
def project(request: pytest.FixtureRequest, tmp_path: Path, running: dict[str, Warehouse]) -> Path:
    """The project's folder, with the engine as its target."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    profile = {"target": "dev", "outputs": {"dev": kept_target(request.param, running)}}
    (tmp_path / "profiles.yml").write_text(json.dumps({"shop": profile}), encoding="utf-8")
    return tmp_path


def asknown(folder: Path, *arguments: str, code: int = 0) -> str:
    """What a command prints on stdout."""
    done = run_asknown(arguments, folder)
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    return done.stdout


def records(text: str) -> list[list[str]]:
    """The rows of a command's CSV, without its head."""
    return list(csv.reader(io.StringIO(text)))[1:]


def test_every_command_gives_the_same(project: Path) -> None:
    for _ in range(2):  # what is there is built anew
        assert [row[:2] for row in records(asknown(project, "run", "--format", "csv"))] == BUILT

    asknown(project, "train", "customer_orders", "--spine", "decisions", "-o", "train.csv")
    assert (project / "train.csv").read_text(encoding="utf-8") == TRAINED

    shown = records(asknown(project, "show", "paid_orders", "--limit", "9", "--format", "csv"))
    assert sorted(row[2] for row in shown) == ["0.1", "0.2", "3.0"]

    loaded = json.loads(asknown(project, "materialize", "--until", "2024-01-01 12:30", "--format", "json"))
    assert [(view["view"], view["new"]) for view in loaded] == [("customer_orders", 2)]
    (project / "rows.jsonl").write_text('{"customer_id": 1}\n{"customer_id": 2}\n')
    read = ["get", "customer_orders", "--rows", "rows.jsonl", "--at", "2024-01-01 12:30", "--format", "json"]
    answers: list[dict[str, Any]] = json.loads(asknown(project, *read))
    assert [{name: answer["values"][name] for name in READ[0]} for answer in answers] == READ

    checks = records(asknown(project, "doctor", "--target", "dev", "--format", "csv"))
    found = {check: (state, what) for state, check, _, what, _ in checks}
    assert found["session zone"] == ("ok", "UTC")
    assert found["sources"] == ("ok", "1 found")
    assert [row for row in checks if row[0] != "ok" and row[1] != "sqlite"] == []  # but what this SQLite is known for
    assert found["owner"] == ("ok", "target 'dev' of project 'shop'")
    assert {"connection", "version"} <= set(found)
