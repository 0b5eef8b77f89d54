"""On-demand views in serving: values as in training, statuses, inputs and their errors."""

from __future__ import annotations

import json
import math
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import CliRunner

from asknown import AsknownError, FeatureStore, OnlineReader
from asknown.cli.group import main
from on_demand.conftest import Make

NOON = datetime(2024, 3, 7, 12)
ROWS = [
    {"customer_id": 1, "amount": 100.0, "to_city": "Rome"},
    {"customer_id": 2, "amount": 1.0, "to_city": None},
    {"customer_id": 3, "amount": None, "to_city": "Rome"},
    {"customer_id": 9, "amount": 3.5, "to_city": "Oslo"},
    {"customer_id": None, "amount": math.inf, "to_city": ""},
]
AGAIN = """
{{ config(inputs={'items': 'bigint'}) }}
select items - last_items as more, unusual or more > 3 as odd, customer_id * 2 as doubled, asked_at as at_once
from {{ request('basket', 'customer_orders:last_items') }}
"""


def loaded(make: Make, **models: str) -> FeatureStore:
    store = make(**models)
    store.materialize(NOON)
    return store


def both(store: FeatureStore, features: Any, rows: list[dict[str, Any]], **options: Any) -> tuple[Any, Any]:
    """The training set and the online answer of the same rows at noon, features alone."""
    spine = pa.Table.from_pylist([{**row, "event_timestamp": NOON} for row in rows])
    offline = store.get_historical_features(spine, features, **options).to_arrow()
    online = store.get_online_features(features, rows, at=NOON, **options).to_dict()
    names = [name for name in offline.column_names if name not in spine.column_names]
    return {name: offline[name].to_pylist() for name in names}, {name: online[name] for name in names}


def test_serving_gives_what_training_gives(make: Make) -> None:
    store = loaded(make)
    offline, online = both(store, "order_check", ROWS)
    assert online == offline
    assert online["amount_against_usual"] == [100 / 30, 1 / 7.5, None, None, None]
    assert online["unusual"] == [True, False, False, False, False]
    for row, place in zip(ROWS, range(len(ROWS)), strict=True):  # one row goes another way
        single = store.get_online_features("order_check", [row], at=NOON).to_dict()
        assert [single[name][0] for name in online] == [online[name][place] for name in online]


def test_views_that_read_others_are_written_out(make: Make) -> None:
    store = loaded(make, again=AGAIN)
    rows = [{**row, "items": n} for n, row in enumerate(ROWS)]
    offline, online = both(store, ["again", "basket:elsewhere"], rows)
    assert online == offline
    assert online["at_once"] == [NOON] * len(rows)
    assert store.get_online_features("again:more", [{"customer_id": 1, "items": 3}], at=NOON).to_dict()["more"] == [2]


def test_an_input_that_no_requested_feature_reads_may_be_given(make: Make) -> None:
    store = loaded(make)
    for rows in (ROWS[:1], ROWS):
        assert store.get_online_features("basket:has_ordered", rows, at=NOON).to_dict()["has_ordered"][0] is True
    row = [{"customer_id": 1, "note": "as it was"}]  # of features that no request can change, columns come back
    assert store.get_online_features("customer_orders", row, at=NOON).to_dict()["note"] == ["as it was"]


def test_a_view_by_two_keys(make: Make) -> None:
    store = loaded(make)
    rows = [{"giver_id": 1, "taker_id": 2, "amount": 100.0}, {"giver_id": 2, "taker_id": 1, "amount": 100.0}]
    offline, online = both(store, "gift_check", rows, full_feature_names=True)
    assert online == offline == {"giver__unusual": [True, False], "taker__unusual": [False, True]}


def test_statuses_are_present_or_null(make: Make) -> None:
    response = loaded(make).get_online_features("order_check", ROWS[2:4], at=NOON)
    statuses = response.statuses()
    assert statuses["amount_against_usual"] == ["NULL_VALUE", "NULL_VALUE"]
    assert statuses["unusual"] == ["PRESENT", "PRESENT"]
    assert statuses["last_amount"] == ["OUTSIDE_MAX_AGE", "NOT_FOUND"]
    times = response.event_timestamps()
    assert times["unusual"] == [None, None]
    assert times["last_amount"] == [datetime(2024, 1, 1, 8, tzinfo=UTC), None]
    assert [str(kind) for kind in response.to_df().dtypes[3:]] == [
        "float64",
        "boolean",
        "boolean",
        "boolean",
        "float64",
    ]


def test_a_request_of_inputs_alone_reads_no_view(make: Make) -> None:
    alone = """
    {{ config(inputs={'amount': 'double'}) }} select amount * 2 as doubled, asked_at as at_once from {{ request() }}
    """
    store = loaded(make, alone=alone)
    earlier = datetime(2020, 1, 1)  # before every watermark
    for rows in ([{"amount": 2.0}], [{"amount": 2.0}, {"amount": None}], []):
        found = store.get_online_features("alone", rows, at=earlier).to_dict()
        assert found["doubled"] == [4.0, None][: len(rows)]
        assert found["at_once"] == [earlier] * len(rows)


def test_the_times_of_a_view_by_name(make: Make) -> None:
    store = loaded(make)
    offline, online = both(store, ["customer_orders:ordered_at", "customer_orders:paid_at"], ROWS)
    assert online == offline
    assert online["ordered_at"][0] == datetime(2024, 3, 5, 12, 30)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([{"customer_id": 1}], "the request has no input 'amount' \\(DOUBLE\\), which 'basket' needs"),
        ([{"customer_id": 1}] * 2, "the request has no input 'amount'"),
        ([{"customer_id": 1, "amount": 1.0, "to_city": ""}, {"customer_id": 1, "amount": 1.0}],
         "row 2 of the request has no input 'to_city' \\(VARCHAR\\)"),
        ([{"customer_id": 1, "amount": "12.5", "to_city": ""}], "is DOUBLE, and the str '12.5' was given"),
        ([{"customer_id": 1, "amount": True, "to_city": ""}], "is DOUBLE, and the bool True was given"),
        ([{"customer_id": 1, "amount": 2**53 + 1, "to_city": ""}], "the int 9007199254740993 was given"),
        ([{"customer_id": 1, "amount": 1.0, "to_city": "", "amonut": 1.0}],
         "none of the requested features has a key or an input 'amonut'"),
        ([{"customer_id": 1, "amount": 1.0, "to_city": "", "price": 1}] * 2, "has a key or an input 'price'"),
        ([{"customer_id": 1, "amount": 1.0, "to_city": 7}], "is VARCHAR, and the int 7 was given"),
    ],
)  # fmt: skip
def test_an_input_is_missing_or_of_another_type(make: Make, rows: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(AsknownError, match=said) as caught:
        loaded(make).get_online_features("order_check", rows, at=NOON)
    assert caught.value.code == "request-input"


@pytest.mark.parametrize(
    ("declared", "given", "value"),
    [
        ("bigint", 7.0, 7), ("bigint", Decimal("7.00"), 7), ("integer", 7, 7), ("double", 7, 7.0),
        ("double", Decimal("12.1"), 12.1), ("decimal(10,2)", Decimal("1.5"), Decimal("1.50")),
        ("decimal(10,2)", 3, Decimal("3.00")),
        ("boolean", True, True), ("date", date(2024, 2, 29), date(2024, 2, 29)),
        ("timestamp", datetime(2024, 2, 29, 1, tzinfo=UTC), datetime(2024, 2, 29, 1)),
        ("timestamp", date(2024, 2, 29), datetime(2024, 2, 29)), ("varchar[]", ["a", None], ["a", None]),
    ],
)  # fmt: skip
def test_inputs_convert_where_nothing_is_lost(make: Make, declared: str, given: Any, value: Any) -> None:
    echo = f"{{{{ config(inputs={{'given': '{declared}'}}) }}}} select given as it from {{{{ request() }}}}"
    found = loaded(make, echo=echo).get_online_features("echo", [{"given": given}], at=NOON).to_dict()["it"][0]
    assert (type(found), found) == (type(value), value)


@pytest.mark.parametrize(
    ("declared", "given"),
    [
        ("bigint", 7.5), ("bigint", math.nan), ("bigint", 2**63), ("integer", 2**31), ("bigint", "7"),
        ("decimal(10,2)", Decimal("1.005")), ("decimal(10,2)", 10**8), ("boolean", 1), ("date", NOON),
        ("timestamp", "2024-02-29"), ("varchar", b"a"), ("varchar", "\ud800"), ("varchar[]", "a"), ("varchar[]", [1]),
    ],
)  # fmt: skip
def test_inputs_that_would_change_are_refused(make: Make, declared: str, given: Any) -> None:
    echo = f"{{{{ config(inputs={{'given': '{declared}'}}) }}}} select given as it from {{{{ request() }}}}"
    with pytest.raises(AsknownError, match="the input 'given' of 'echo' is") as caught:
        loaded(make, echo=echo).get_online_features("echo", [{"given": given}], at=NOON)
    assert caught.value.code == "request-input"


def test_an_evaluation_error_names_feature_row_and_values(make: Make) -> None:
    big = """
    {{ config(inputs={'n': 'bigint'}) }}
    select n * 4611686018427387904 as product, 7 // n as part from {{ request() }}
    """
    store = loaded(make, big=big)
    assert store.get_online_features("big", [{"n": 1}], at=NOON).to_dict()["part"] == [7]
    with pytest.raises(
        AsknownError, match=r"feature 'big:product' cannot be computed: .* out of the range.*where n = 4"
    ):
        store.get_online_features("big", [{"n": 4}], at=NOON)
    with pytest.raises(AsknownError, match=r"feature 'big:product' cannot be computed for row 2 of the request"):
        store.get_online_features("big", [{"n": 1}, {"n": 3}], at=NOON)


def test_the_reader_knows_what_a_request_needs(make: Make) -> None:
    store = loaded(make, again=AGAIN)
    with OnlineReader(store.project.profile.online.address) as reader:
        view = reader.on_demand()["again"]
    assert [(column.name, str(column.type)) for column in view.inputs] == [
        ("items", "BIGINT"), ("amount", "DOUBLE"), ("to_city", "VARCHAR"),
    ]  # fmt: skip
    assert [column.name for column in view.keys] == ["customer_id"]


def test_a_view_that_was_loaded_in_another_type_is_stale(make: Make) -> None:
    store = loaded(make)
    path = store.project.settings.root / "models" / "customer_profile.sql"
    path.write_text(path.read_text().replace("city, cast", "7 as city, cast"), encoding="utf-8")
    basket = store.project.settings.root / "models" / "basket.sql"
    basket.write_text(basket.read_text().replace("to_city <> city", "city > 7"), encoding="utf-8")
    with FeatureStore(store.project.settings.root) as again:
        again.materialize(NOON, views=["customer_orders"])
        with pytest.raises(AsknownError, match=r"'customer_profile:city' as INTEGER.* is VARCHAR") as caught:
            again.get_online_features("basket", ROWS, at=NOON)
        assert caught.value.code == "online-stale"
        again.materialize(NOON)
        assert again.get_online_features("basket", ROWS, at=NOON).to_dict()["elsewhere"][0] is False
        assert again.doctor().healthy


def test_doctor_compares_on_demand_views_with_the_project(make: Make) -> None:
    store = loaded(make, again=AGAIN)
    models = store.project.settings.root / "models"
    assert store.doctor().healthy
    basket = (models / "basket.sql").read_text()
    (models / "basket.sql").write_text(basket.replace("3 * avg", "4 * avg"), encoding="utf-8")
    (models / "again.sql").unlink()
    (models / "other.sql").write_text("{{ config(inputs={}) }} select hour(asked_at) as h from {{ request() }}")
    with FeatureStore(store.project.settings.root) as edited:
        found = {check.of: (check.found, check.run) for check in edited.doctor().findings}
        assert found == {
            "basket": ("was loaded from another definition than the project's", "asknown materialize"),
            "again": ("the project has no such on-demand view", "asknown materialize"),
            "other": ("is not loaded yet", "asknown materialize"),
        }
        edited.materialize(NOON)
        assert edited.doctor().healthy


# ---------------------------------------------------------------- the command line


@pytest.fixture
def run(make: Make, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Runs a command in the loaded shop and gives its exit code and output."""
    monkeypatch.chdir(loaded(make).project.settings.root)

    def invoke(*words: str, given: str | None = None) -> tuple[int, str]:
        result = CliRunner().invoke(main, list(words), input=given)
        return result.exit_code, result.output

    return invoke


def test_get_takes_inputs_beside_the_keys(run: Any) -> None:
    code, shown = run("get", "order_check", "customer_id=1", "amount=100", "to_city=Rome", "--at", "2024-03-07 12:00",
                      "--format", "json")  # fmt: skip
    assert code == 0
    assert json.loads(shown)[0]["values"] == {
        "amount_against_usual": 100 / 30, "unusual": True, "elsewhere": True, "has_ordered": True, "last_amount": 40.0,
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("customer_id=1",), "error[request-input]: the request has no input 'amount' (DOUBLE), which 'basket' needs"),
        (("amount=1", "to_city=a"), "error[spine-key]: key 'customer_id' is missing"),
        (("customer_id=1", "amount=x", "to_city=a"), "'x' cannot be read as the DOUBLE that 'amount' is"),
        (("customer_id=1", "amount=1", "to_city=a", "price=3"), "has a key or an input 'price'"),
    ],
)
def test_get_says_what_is_missing(run: Any, words: tuple[str, ...], said: str) -> None:
    code, shown = run("get", "order_check", *words, "--at", "2024-03-07 12:00")
    assert code == 1
    assert said in " ".join(shown.split())


def test_get_reads_inputs_from_files(run: Any, tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("customer_id,amount,to_city\n1,100,Rome\n2,,\n", encoding="utf-8")
    options = ("--at", "2024-03-07 12:00", "--format", "csv")
    code, shown = run("get", "order_check", "--rows", str(tmp_path / "rows.csv"), *options)
    assert code == 0
    lines = (
        '{"customer_id": 1, "amount": 100, "to_city": "Rome"}\n{"customer_id": 2, "amount": null, "to_city": null}\n'
    )
    assert run("get", "order_check", "--rows", "-", *options, given=lines) == (
        0,
        shown.replace("100.0,Rome", "100,Rome"),
    )
