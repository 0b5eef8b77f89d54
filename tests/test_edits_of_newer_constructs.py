"""Edits of stacks, frames of the calendar, windows of history, lookups and windows over rows.

What `plan` says of each feature is compared with what training gives before and after the edit, on rows with ties.
"""

from __future__ import annotations

import random
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from asknown import FeatureStore

FILES = {
    "pyproject.toml": '[tool.asknown]\nname = "shop"\n',
    "shop.yml": """sources:
  - name: raw
    tables:
      - {name: pays, path: pays.parquet, timezone: UTC}
      - {name: reports, path: reports.parquet, timezone: UTC}
entities: [{name: card, keys: [card]}, {name: device, keys: [device]}]
""",
    "below.sql": "select card, ts, known, cents, kind, device, amount, upper(kind) as loud "
    "from {{ source('raw', 'pays') }}\n",
    "stacked.sql": """{{ config(entity='card', event_time='ts', known_at='known') }}
with paid as (
    select card, ts, known, cents, kind from {{ source('raw', 'pays') }}
), reported as (
    select card, ts, known, severity from {{ source('raw', 'reports') }}
)
select
    card, ts, known,
    count(*) filter (where source = 'reported') over {{ last('7 days') }} as reports_7d,
    last(severity) over {{ last('ever') }} as last_severity,
    {{ streak("kind = 'a'", '3 days') }} as run_a,
    kind as newest_kind,
    source as newest_source
from {{ stack('paid', 'reported') }}
""",
    "rows.sql": """{{ config(entity='card', event_time='ts', created_at='known', ttl='5 days') }}
select
    card, ts, known,
    sum(cents) over {{ this('month') }} as month_cents,
    count(*) over {{ previous('day', 'Europe/Berlin') }} as yesterday,
    count(distinct device) over {{ last('4 days') }} as devices,
    lag(cents) over (partition by card order by ts) as before,
    kind as last_kind
from {{ ref('below') }}
""",
    "history.sql": """{{ config(entity='card', event_time='ts') }}
with each as (
    select *, count(*) over {{ last('1 hour') }} as in_hour, sum(cents) over {{ last('1 day') }} as spent
    from {{ ref('below') }}
), lagged as (
    select *, lag(cents) over (partition by card order by ts) as prev from {{ ref('below') }}
)
select card, ts,
    max(in_hour) over {{ last('7 days') }} as busiest,
    max(spent) over {{ last('7 days') }} as most_spent,
    cents as history_cents
from each
""",
    "lagged.sql": """{{ config(entity='card', event_time='ts') }}
with rows_ as (select *, lag(cents) over (partition by card order by ts) as prev from {{ ref('below') }})
select card, ts, prev as p, sum(prev) over {{ last('2 days') }} as prev_2d, device as d from rows_
""",
    "gadgets.sql": """{{ config(entity='device', event_time='ts') }}
select device, ts, count(distinct card) over {{ last('7 days') }} as cards_7d,
    cents as gadget_cents, kind as gadget_kind
from {{ source('raw', 'pays') }}
""",
    "plain.sql": """{{ config(entity='card', event_time='ts') }}
select card, ts, device as last_device, cents as plain_cents from {{ ref('below') }}
""",
    "ask.sql": """{{ config(inputs={'amount': 'double', 'given': 'varchar'}) }}
select
    amount / nullif(plain_cents, 0) as against,
    cards_7d as cards_of_last_device,
    in_gadget_cents + amount as gadget_sum,
    epoch(asked_at - ts) as since_last
from {{ request('plain', 'plain:ts', lookup('gadgets:cards_7d', device='last_device'),
                lookup('gadgets', device='given', prefix='in_')) }}
""",
}
VIEWS = ("stacked", "rows", "history", "lagged", "gadgets", "plain", "ask")
START = datetime(2024, 1, 1)
# The edit: a file, a text in it, what takes its place; and the kind that plan must say of each feature that changes.
V, T, N = "values", "order", "new"
EDITS: list[tuple[str, str, str, dict[str, str]]] = [
    ("stacked", "severity from", "severity + 1 as severity from", {"last_severity": V}),
    ("stacked", "known, cents, kind", "known, cents, kind, note", {}),
    ("stacked", "known, severity", "known, severity, kind", {"run_a": V, "newest_kind": V, "newest_source": T}),
    ("stacked", "last('ever')", "last('9 days')", {"last_severity": V}),
    ("stacked", "'3 days')", "'3 days', longest=true)", {"run_a": "type"}),
    ("stacked", "    kind as", "    max(severity) over {{ last('1 day') }} as worst,\n    kind as", {"worst": N}),
    ("stacked", "    kind as", "    cents as c,\n    kind as", {"c": N, "newest_kind": T, "newest_source": T}),
    ("stacked", "cents, kind", "cents, upper(kind) as kind", {"run_a": V, "newest_kind": V, "newest_source": T}),
    ("rows", "this('month')", "this('week')", {"month_cents": V, "last_kind": T}),
    ("rows", "'Europe/Berlin'", "'UTC'", {"yesterday": V, "last_kind": T}),
    ("rows", "previous(", "this(", {"yesterday": V, "last_kind": T}),
    ("rows", "distinct device", "device", {"devices": V, "last_kind": T}),
    ("rows", "order by ts)", "order by ts, kind)", {"before": V, "last_kind": T}),
    (
        "rows",
        "    sum(",
        "    max(amount) over {{ last('1 day') }} as m,\n    sum(",
        {"m": N, "before": V, "last_kind": T},
    ),
    ("rows", "    kind as", "    max(amount) over {{ last('1 day') }} as m,\n    kind as", {"m": N, "last_kind": T}),
    ("rows", "last_kind", "last_kind, amount as last_amount", {"last_amount": N}),
    ("rows", "ttl='5 days'", "ttl='1 day'", {"": "ttl"}),
    ("history", "last('1 hour')", "last('6 hours')", {"busiest": V}),
    ("history", "sum(cents)", "sum(cents + 1)", {"most_spent": V}),
    ("history", "as spent", "as spent, max(cents) over {{ last('2 days') }} as more", {}),
    ("history", "from each", "from each where cents > 0", {"busiest": V, "most_spent": V, "history_cents": V}),
    ("lagged", "d from", "d, amount as a from", {"a": N}),
    ("lagged", "*, lag", "card, ts, amount, cents, device, lag", {"p": V, "prev_2d": V, "d": T}),
    ("below", "card, ts, known, cents", "card, ts, amount as z, known, cents", {"p": V, "prev_2d": V, "d": T}),
    ("below", "upper(kind)", "lower(kind)", {"p": V, "prev_2d": V, "d": T}),
    ("gadgets", "distinct card", "card", {"cards_7d": V, "cards_of_last_device": V}),
    (
        "gadgets",
        "cents as gadget_cents, kind as gadget_kind",
        "kind as gadget_kind, cents as gadget_cents",
        {"gadget_kind": T, "gadget_cents": T, "gadget_sum": T},
    ),
    ("gadgets", "event_time='ts'", "event_time='ts', ttl='2 days'", {"": "ttl", "gadget_sum": V}),
    (
        "plain",
        "device as",
        "upper(device) as",
        {"last_device": V, "plain_cents": T, "against": T} | {"cards_of_last_device": V, "since_last": V},
    ),
    ("ask", "device='last_device'", "device='given'", {"cards_of_last_device": V}),
    ("ask", "device='given', prefix", "device='last_device', prefix", {"gadget_sum": V}),
    ("ask", "amount / nullif", "2 * amount / nullif", {"against": V}),
    ("ask", "asked_at - ts", "ts - asked_at", {"since_last": V}),
]


def make_rows(count: int, draw: random.Random) -> list[dict[str, Any]]:
    """Payments with ties in the time, NULLs, and times at which they became known."""
    rows = []
    for _ in range(count):
        ts = START + timedelta(hours=6 * draw.randrange(60), minutes=draw.choice((0, 0, 10)))
        rows.append(
            {
                "card": draw.choice((1, 2, None)),
                "ts": ts,
                "known": ts + timedelta(hours=draw.choice((0, 0, 1, 40))),
                "cents": draw.choice((None, 0, 100, 250)),
                "kind": draw.choice(("a", "a", "b", None)),
                "device": draw.choice(("d1", "d2", None)),
                "amount": draw.choice((None, 1.5, -2.0)),
                "severity": draw.choice((None, 1, 2)),
                "note": "x",
            }
        )
    return rows


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, pa.Table, dict[str, list[str]]]:
    """An applied project, a spine for all of its views, and what training gives on it."""
    root, draw = tmp_path_factory.mktemp("shop"), random.Random(5)
    for name, text in FILES.items():
        path = root / name if name == "pyproject.toml" else root / "models" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
    rows = pa.Table.from_pylist(make_rows(260, draw))
    pq.write_table(rows.drop_columns("severity"), root / "pays.parquet")
    reports = pa.Table.from_pylist(make_rows(100, draw))
    pq.write_table(reports.select(["card", "ts", "known", "severity", "kind"]), root / "reports.parquet")
    spine = pa.Table.from_pylist(
        [
            {
                "card": draw.choice((1, 2)),
                "device": draw.choice(("d1", "d2")),
                "event_timestamp": START + timedelta(hours=draw.randrange(400), minutes=draw.choice((0, 10, 13))),
                "amount": draw.choice((1.0, 300.5, None)),
                "given": draw.choice(("d1", "d2", "none", None)),
            }
            for _ in range(400)
        ]
    )
    FeatureStore(root).registry.apply()
    return root, spine, train(root, spine)


def train(root: Path, spine: pa.Table) -> dict[str, list[str]]:
    """The values of each feature, as text, which tells apart what is equal and not the same."""
    table = FeatureStore(root).get_historical_features(spine, list(VIEWS)).to_arrow()
    return {name: [repr(value) for value in table.column(name).to_pylist()] for name in table.column_names}


@pytest.mark.parametrize("edit", EDITS, ids=[f"{file}-{number}" for number, (file, *_) in enumerate(EDITS)])
def test_what_plan_says_of_an_edit_is_what_training_gives(
    edit: tuple[str, str, str, dict[str, str]], shop: tuple[Path, pa.Table, dict[str, list[str]]]
) -> None:
    root, spine, before = shop
    file, old, new, expected = edit
    path = root / "models" / f"{file}.sql"
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new), encoding="utf-8")
    try:
        changes = FeatureStore(root).registry.changes()
        after = train(root, spine)
    finally:
        path.write_text(text, encoding="utf-8")
    said = {change.feature: change.kind for view in changes.views for change in view.features}
    if kinds := {kind for view in changes.views for kind in view.kinds} - {"text"}:
        (said[""],) = kinds
    assert said == expected
    moved = {name for name in before if name in after and before[name] != after[name]}
    fresher = [view.view for view in changes.views if "ttl" in view.kinds]
    expired = {column.name for view in fresher for column in FeatureStore(root)._typed.asked(view).features}
    assert moved <= {name for name, kind in said.items() if kind != "new"} | expired
