"""On-demand views in training: values, what is brought and not returned, inputs and their types."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import CliRunner

from asknown import AsknownError
from asknown.cli.group import main
from on_demand.conftest import Make

SPINE = pa.table(
    {
        "customer_id": [1, 1, 2, 3, None, 1],
        "event_timestamp": [
            datetime(2024, 3, 2, 10),
            datetime(2024, 3, 7),
            datetime(2024, 3, 7),
            datetime(2024, 3, 7),
            datetime(2024, 3, 7),
            None,
        ],
        "amount": [50.0, 100.0, 1.0, None, 2.0, 3.0],
        "to_city": ["Oslo", "Rome", None, "Rome", "Rome", "Rome"],
    }
)


def rows(make: Make, features: Any, spine: Any = SPINE, **models: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = make(**models).get_historical_features(spine, features).to_arrow().to_pylist()
    return found


def test_a_service_mixes_kinds_and_brings_what_it_needs(make: Make) -> None:
    found = rows(make, "order_check")
    features = ("amount_against_usual", "unusual", "elsewhere", "has_ordered", "last_amount")
    assert list(found[0]) == [*SPINE.column_names, *features]
    assert [tuple(row[name] for name in features) for row in found] == [
        (50.0 / 20.0, False, False, True, 20.0),
        (100.0 / 30.0, True, True, True, 40.0),
        (1.0 / 7.5, False, False, True, 7.5),
        (None, False, True, None, None),  # its order is older than the ttl, and in no window
        (None, False, False, None, None),  # a NULL key has no row: counts are 0
        (None, None, None, None, None),  # a NULL instant gives NULL features
    ]


def test_the_oracle_of_unusual_is_sql_s_three_valued_logic(make: Make) -> None:
    found = rows(make, ["basket:unusual", "customer_orders:orders_7d"])
    assert [(row["unusual"], row["orders_7d"]) for row in found] == [
        (False, 1), (True, 2), (False, 1), (False, 0), (False, 0), (None, None),
    ]  # fmt: skip


def test_one_feature_brings_only_what_it_reads(make: Make) -> None:
    sql = make().get_historical_features(SPINE, ["basket:has_ordered"]).sql()
    assert "customer_profile" not in sql
    assert "avg_amount" not in sql.split("SELECT\n  s.customer_id")[1]


def test_an_on_demand_view_may_read_another_and_its_own_earlier_items(make: Make) -> None:
    again = """
    {{ config(inputs={'items': 'bigint'}) }}
    select items - last_items as more, more * 2 as twice, unusual or twice > 3 as odd, not has_ordered as is_new
    from {{ request('basket', 'customer_orders:last_items') }}
    """
    spine = SPINE.append_column("items", pa.array([4, 4, 4, 4, 4, 4], pa.int32()))
    found = rows(make, ["again"], spine, again=again)
    assert [(row["more"], row["twice"], row["odd"], row["is_new"]) for row in found[:4]] == [
        (1, 2, False, False), (3, 6, True, False), (2, 4, True, False), (None, None, None, None),
    ]  # fmt: skip
    assert make(again=again).feature_view("customer_orders").name == "customer_orders"
    assert rows(make, ["again"], spine.drop(["to_city"]), again=again)[1]["odd"]  # to_city is of features not read
    with pytest.raises(AsknownError, match="no column 'amount', an input \\(DOUBLE\\) of on-demand view 'basket'"):
        rows(make, ["again"], spine.drop(["amount"]), again=again)


def test_a_view_by_two_keys(make: Make) -> None:
    spine = pa.table(
        {
            "giver_id": [1, 2],
            "taker_id": [2, 1],
            "event_timestamp": [datetime(2024, 3, 7)] * 2,
            "amount": [100.0, 100.0],
            "to_city": ["Rome", "Rome"],
        }
    )
    job = make().get_historical_features(spine, "gift_check", full_feature_names=True)
    found = job.to_arrow().to_pylist()
    assert [(row["giver__unusual"], row["taker__unusual"]) for row in found] == [(True, False), (False, True)]


def test_full_names_tell_features_apart(make: Make) -> None:
    both = """
    {{ config(inputs={}) }}
    select customer_orders__last_amount > customer_profile__credit as grown, customer_id + 1 as next_id,
        request.asked_at = asked_at as same
    from {{ request('customer_orders:last_amount', 'customer_profile:credit', full_names=true) }}
    """
    found = rows(make, "both", both=both)
    assert [(row["grown"], row["next_id"], row["same"]) for row in found[:3]] == [
        (False, 2, True), (True, 2, True), (None, 3, True),
    ]  # fmt: skip


def test_a_request_of_inputs_alone(make: Make) -> None:
    alone = "{{ config(inputs={'amount': 'double'}) }} select amount * 2 as doubled from {{ request() }}"
    found = rows(make, "alone", SPINE.drop(["customer_id", "to_city"]), alone=alone)
    assert [row["doubled"] for row in found] == [100.0, 200.0, 2.0, None, 4.0, None]


def test_a_view_s_times_are_asked_for_by_name(make: Make) -> None:
    found = rows(make, ["customer_orders:ordered_at", "customer_orders:paid_at", "customer_orders:last_amount"])
    assert [row["ordered_at"] for row in found[:2]] == [datetime(2024, 3, 1, 10), datetime(2024, 3, 5, 12, 30)]
    assert [row["paid_at"] for row in found[:2]] == [datetime(2024, 3, 2, 10), datetime(2024, 3, 6, 12, 30)]


@pytest.mark.parametrize(
    ("declared", "column", "result"),
    [
        ("double", pa.array([1, 2, 3], pa.int64()), [1.0, 2.0, 3.0]),
        ("bigint", pa.array([1.0, None, -0.0]), [1, None, 0]),
        ("bigint", pa.array([1, 2, 3], pa.int32()), [1, 2, 3]),
        ("integer", pa.array([1, None, -(2**31)], pa.int64()), [1, None, -(2**31)]),
        ("double", pa.array([1.5, None, 2.0], pa.float32()), [1.5, None, 2.0]),
        ("varchar", pa.array(["a", None, ""]), ["a", None, ""]),
        ("double", pa.array([None, None, None], pa.null()), [None, None, None]),
    ],
)
def test_inputs_convert_where_nothing_is_lost(make: Make, declared: str, column: Any, result: list[Any]) -> None:
    view = f"{{{{ config(inputs={{'given': '{declared}'}}) }}}} select given as it from {{{{ request() }}}}"
    spine = pa.table({"event_timestamp": [datetime(2024, 3, 7)] * 3, "given": column})
    found = rows(make, "echo", spine, echo=view)
    assert [row["it"] for row in found] == result
    assert all(type(row["it"]) is type(value) for row, value in zip(found, result, strict=True))


@pytest.mark.parametrize(
    ("declared", "column", "said"),
    [
        ("bigint", pa.array([1.0, 2.5]), "DOUBLE 2.5 would be changed"),
        ("bigint", pa.array([1.0, float("nan")]), "DOUBLE nan would be changed"),
        ("double", pa.array([1, 2**53 + 1], pa.int64()), "BIGINT 9007199254740993 would be changed"),
        ("integer", pa.array([1, 2**31], pa.int64()), "BIGINT 2147483648 would be changed"),
        ("double", pa.array(["1", "2"]), "the spine's 'given' is VARCHAR, and the input of on-demand view 'echo' is"),
        ("varchar", pa.array([1, 2]), "is BIGINT, and the input of on-demand view 'echo' is VARCHAR"),
        ("boolean", pa.array([1, 0]), "is BIGINT, and the input"),
    ],
)
def test_inputs_that_would_change_are_refused(make: Make, declared: str, column: Any, said: str) -> None:
    view = f"{{{{ config(inputs={{'given': '{declared}'}}) }}}} select given as it from {{{{ request() }}}}"
    spine = pa.table({"event_timestamp": [datetime(2024, 3, 7)] * 2, "given": column})
    with pytest.raises(AsknownError, match=said) as caught:
        rows(make, "echo", spine, echo=view)
    assert caught.value.code == "request-input"


FAILING = """
{{ config(inputs={'n': 'bigint', 'word': 'varchar'}) }}
select n * 4611686018427387904 as product, cast(word as integer) + orders_7d as number, product > 1 as is_large
from {{ request('customer_orders') }}
"""


@pytest.mark.parametrize(
    ("given", "feature", "message"),
    [
        ([(1, "1"), (2, "2"), (1, None)], "product", "cannot be computed for row 2 of the spine: "),
        (
            [(1, "1"), (None, "2"), (1, "x")],
            "number",
            "for row 3 .*'x' cannot be read .* where word = 'x', orders_7d = 2",
        ),
        ([(1, "1"), (1, "2"), (3, "3")], "is_large", "for row 3 of the spine: .* out of the range"),
    ],
)
def test_an_error_names_feature_and_row(make: Make, tmp_path: Path, given: Any, feature: str, message: str) -> None:
    rows = [{"customer_id": 1, "event_timestamp": datetime(2024, 3, 7), "n": n, "word": word} for n, word in given]
    job = make(failing=FAILING).get_historical_features(
        pa.Table.from_pylist(rows), [f"failing:{feature}", "customer_orders:last_amount"]
    )
    for run in (job.to_arrow, lambda: list(job.to_batches()), lambda: job.to_parquet(tmp_path / "train.parquet")):
        with pytest.raises(AsknownError, match=f"feature 'failing:{feature}' .*{message}") as caught:
            run()
        assert caught.value.code == "engine"


def test_train_says_which_columns_no_feature_reads(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    store = make()
    monkeypatch.chdir(store.project.settings.root)
    pq.write_table(SPINE.append_column("label", pa.array([True] * len(SPINE))), "spine.parquet")
    for features, said in (("order_check", True), ("customer_orders", False)):
        result = CliRunner().invoke(main, ["train", features, "--spine", "spine.parquet", "--format", "json"])
        assert result.exit_code == 0, result.output
        assert ("note: no requested feature reads the spine's label\n" in result.stderr) is said


def test_the_training_query_over_a_spine_to_come(make: Make) -> None:
    store = make()
    sql = store.compile_service("order_check")
    assert "SELECT customer_id, event_timestamp, amount, to_city FROM spine" in " ".join(sql.split())
    alone = store.compile_model("basket")
    assert "CAST(NULL AS DOUBLE) AS amount" in alone
    assert store.preview("basket").to_pylist() == [
        {"amount_against_usual": None, "unusual": None, "elsewhere": False, "has_ordered": None}
    ]
