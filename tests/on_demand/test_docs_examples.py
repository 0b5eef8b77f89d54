"""The examples of docs/on-demand.md run as they stand, and give the same in training and in serving."""

from __future__ import annotations

import math
import re
from datetime import datetime
from pathlib import Path

import pyarrow as pa

from on_demand.conftest import Make

PAGE = Path(__file__).parents[2] / "docs" / "on-demand.md"
NOON = datetime(2024, 3, 9, 12)  # a Saturday
NAMES = ("order_check", "recency", "order_review", "referral", "against_rows")


def test_the_examples_run_at_both_ends(make: Make) -> None:
    blocks = re.findall(r"```sql\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    examples = [block for block in blocks if "config(inputs=" in block]
    assert len(examples) == len(NAMES)
    (rows,) = [block for block in blocks if "config(entity=" in block]
    store = make([], order_rows=rows, **dict(zip(NAMES, examples, strict=True)))
    assert [found for found in store.check() if found.severity != "information"] == []
    store.materialize(NOON)
    row = {"customer_id": 1, "amount": 100.0, "to_city": " Rome ", "coupons": ["WELCOME", None], "referred_by": 1}
    spine = pa.Table.from_pylist([{**row, "event_timestamp": NOON}])
    offline = store.get_historical_features(spine, list(NAMES)).to_arrow().to_pylist()[0]
    online = store.get_online_features(list(NAMES), [row], at=NOON).rows()[0]
    expected = {
        "amount_against_usual": 100 / 30,
        "has_ordered": True,
        "days_since_last_order": 4 - 30 / 60 / 24,
        "midnights_since_last_order": 4,
        "asked_on_a_weekend": True,
        "has_gone_quiet": False,
        "sent_elsewhere": True,
        "welcome_coupon": True,
        "size": "high",
        "review": True,
        "referrer_spends_more": False,
        "referrer_is_near": True,
        "larger_orders": 0,
        "spent_in_this_city": None,
        "usual_at_this_hour": 40.0,
        "faded_spend": math.fsum(
            amount * math.exp(-(NOON - at).total_seconds() / 259200)
            for amount, at in ((20.0, datetime(2024, 3, 1, 10)), (40.0, datetime(2024, 3, 5, 12, 30)))
        ),
    }
    assert {name: offline[name] for name in expected} == expected
    assert {name: online[name] for name in expected} == expected
