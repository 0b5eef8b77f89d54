"""Windows whose argument or filter reads the request, and decay from the moment of asking: against loops, both ends."""

from __future__ import annotations

import json
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from asknown import AsknownError, FeatureStore
from asknown.cli.group import main
from features.data import START, Row, as_table, make_row
from features.loops import added, days, decayed, inside
from features.test_features import write_project

SOURCE = "{{ source('shop', 'payments') }}"
PAYMENTS = f"""{{{{ config(entity='card', event_time='ts', known_at='known', max_ahead='90 days') }}}}
select card, ts, known,
    {{{{ rows_of(['ts', 'amount', 'cents', 'merchant'], '10 days') }}}} as rows_10d,
    {{{{ rows_of('amount', '1 day', closed='left', delay='1 day') }}}} as day_before,
    {{{{ decaying_sum('amount', '6 hours') }}}} as amount_6h,
    {{{{ decaying_sum('cents', '90 minutes') }}}} as cents_90min
from {SOURCE}"""
ASKED = """{{ config(inputs={'amount': 'double', 'merchant': 'varchar', 'hours': 'integer'}) }}
select
    {{ count_of('rows_10d') }} as all_rows,
    {{ count_of('rows_10d', where='row_.amount > amount') }} as larger,
    {{ sum_of('rows_10d', 'row_.amount', where='row_.merchant = merchant') }} as spent_here,
    {{ sum_of('rows_10d', 'row_.cents - amount', where='row_.merchant is distinct from merchant') }} as elsewhere,
    {{ sum_of('rows_10d', 'row_.cents', where='epoch(asked_at - row_.ts) <= 3600 * hours') }}::bigint as recent,
    {{ avg_of('rows_10d', 'row_.amount', where='hour(row_.ts) = hour(asked_at)') }} as same_hour,
    {{ max_of('rows_10d', 'row_.amount * amount') }} as most,
    {{ min_of('day_before', 'row_.amount', where='row_.amount >= amount') }} as least_before,
    {{ decayed('amount_6h') }} as amount_decayed,
    {{ decayed('cents_90min') }} as cents_decayed
from {{ request('payments') }}"""
FEATURES = (
    *("all_rows", "larger", "spent_here", "elsewhere", "recent", "same_hour", "most", "least_before"),
    *("amount_decayed", "cents_decayed"),
)
WATERMARK = START + timedelta(days=12)


def expected(rows: list[Row], asked: dict[str, Any], t: datetime) -> list[Any]:
    """The features of one request, in the order of :data:`FEATURES`."""
    amount, merchant, hours = asked["amount"], asked["merchant"], asked["hours"]
    seen = [r for r in rows if r["card"] == asked["card"] and r["ts"] <= t and r["known"] <= t]
    near = inside(seen, t, days(10))
    there = [r["amount"] for r in near if r["amount"] is not None]
    before = [r["amount"] for r in inside(seen, t, days(1), days(1), "left") if r["amount"] is not None]
    other = [r["cents"] - amount for r in near if r["merchant"] != merchant and None not in (r["cents"], amount)]
    recent = [
        r["cents"] for r in near
        if r["cents"] is not None and hours is not None and t - r["ts"] <= timedelta(hours=hours)
    ]  # fmt: skip
    hour = [r["amount"] for r in near if r["ts"].hour == t.hour and r["amount"] is not None]
    return [
        len(near),
        sum(x > amount for x in there) if amount is not None else 0,
        total([r["amount"] for r in near if merchant is not None and r["merchant"] == merchant]),
        total(other),
        sum(recent) if recent else None,
        total(hour) / len(hour) if hour else None,
        # The least and the greatest number have no sign where they are zero.
        max((x * amount + 0.0 for x in there), default=None) if amount is not None else None,
        min((x + 0.0 for x in before if x >= amount), default=None) if amount is not None else None,
        decayed([(r["ts"], r["amount"]) for r in seen], t, timedelta(hours=6)),
        decayed([(r["ts"], r["cents"]) for r in seen], t, timedelta(minutes=90)),
    ]  # fmt: skip


def total(numbers: list[float | None]) -> float | None:
    return added([x for x in numbers if x is not None])


# Windows add numbers from 2^-147 to 2^98, and decay multiplies them by up to 2^32.
amounts = st.one_of(
    st.none(),
    st.sampled_from([0.0, 0.1, 2.5, -3.0, 1e-30, 1e19]),
    st.floats(-1000, 1000).map(lambda x: x if abs(x) > 1e-30 else 0.0),
)
merchants = st.sampled_from(["m1", "é", None])
moments = st.one_of(
    st.integers(0, 30 * 86_400).map(lambda seconds: START + timedelta(seconds=seconds)),
    st.sampled_from(
        [START + timedelta(hours=192 * n) + timedelta(microseconds=m) for n in (0, 1, 2) for m in (-1, 0, 1)]
    ),
)
payments = st.builds(
    lambda card, ts, late, amount, cents, merchant: {
        **make_row(NOBODY, card, ts), "known": ts + timedelta(hours=late), "amount": amount, "cents": cents,
        "merchant": merchant,
    },
    st.integers(1, 2), moments, st.sampled_from([0, 0, 5, 100]), amounts,
    st.one_of(st.none(), st.integers(-500, 500)), merchants,
)  # fmt: skip
requests = st.fixed_dictionaries(
    {
        "card": st.integers(1, 3), "amount": amounts, "merchant": merchants,
        "hours": st.one_of(st.none(), st.integers(0, 300)),
    }
)  # fmt: skip


class _Nobody:
    """Chooses the first of all, for columns that these tests do not read."""

    def choice(self, choices: Any) -> Any:
        return choices[0]


NOBODY: Any = _Nobody()


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("requests") / "shop"
    write_project(folder, [])
    (folder / "models" / "payments.sql").write_text(PAYMENTS, encoding="utf-8")
    (folder / "models" / "asked.sql").write_text(ASKED, encoding="utf-8")
    pq.write_table(as_table([make_row(NOBODY, 1, START)]), folder / "payments.parquet")
    return folder


def exactly(values: list[Any]) -> list[Any]:
    """Values of which equality means the same bits."""
    return [value.hex() if isinstance(value, float) else value for value in values]


@settings(max_examples=15, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    rows=st.lists(payments, min_size=1, max_size=25),
    asked=st.lists(st.tuples(requests, moments), min_size=1, max_size=8),
)
def test_both_ends_give_what_the_loops_give(
    project: Path, rows: list[Row], asked: list[tuple[dict[str, Any], datetime]]
) -> None:
    pq.write_table(as_table(rows), project / "payments.parquet")
    spine = pa.table(
        {
            "card": [request["card"] for request, _ in asked],
            "event_timestamp": pa.array([t for _, t in asked], pa.timestamp("us")),
            "amount": pa.array([request["amount"] for request, _ in asked], pa.float64()),
            "merchant": pa.array([request["merchant"] for request, _ in asked], pa.string()),
            "hours": pa.array([request["hours"] for request, _ in asked], pa.int32()),
        }
    )
    names = [f"asked:{name}" for name in FEATURES]
    with FeatureStore(project) as store:
        offline = store.get_historical_features(spine, names).to_arrow()
        for (request, t), found in zip(asked, offline.select(FEATURES).to_pylist(), strict=True):
            assert exactly(list(found.values())) == exactly(expected(rows, request, t)), (request, t)
        store.materialize(WATERMARK, full_refresh=True, allow_shrink=True)
        for request, t in asked:
            at = max(t, WATERMARK)
            answer = store.get_online_features(names, [request], at=at).to_dict()
            assert exactly([answer[name][0] for name in FEATURES]) == exactly(expected(rows, request, at)), (
                request,
                at,
            )


def test_the_command_line_and_errors(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    row = {**make_row(NOBODY, 1, START), "amount": 2.5, "cents": 5, "merchant": "m1", "known": START}
    pq.write_table(as_table([row]), project / "payments.parquet")
    with FeatureStore(project) as store:
        store.materialize(WATERMARK - timedelta(days=5), full_refresh=True, allow_shrink=True)
        with pytest.raises(AsknownError, match="merchant"):
            store.get_online_features("asked:spent_here", [{"card": 1}])
        with pytest.raises(AsknownError, match="2\\^960"):
            asked = {"card": 1, "amount": -1e300, "merchant": "m2", "hours": 1}
            store.get_online_features("asked:elsewhere", [asked], at=WATERMARK - timedelta(days=5))
    monkeypatch.chdir(project)
    at = (WATERMARK - timedelta(days=5)).isoformat()
    words = ["get", "asked:larger", "asked:spent_here", "card=1", "amount=2", "merchant=m1", "--at", at]
    done = CliRunner().invoke(main, [*words, "--format", "json"])
    assert done.exit_code == 0, done.output
    assert json.loads(done.stdout)[0]["values"] == {"larger": 1, "spent_here": 2.5}
