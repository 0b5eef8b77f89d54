"""Contracts, access, groups, deprecation dates and exposures: what a project declares is kept, or it is an error."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from asknown import AsknownError, FeatureStore
from asknown.cli.group import main

COLUMNS = """      - {name: last_amount, data_type: double}
      - {name: orders_7d, data_type: bigint}
      - {name: sum_7d, data_type: double}
"""
YML = """groups: [{{name: money, owner: {{name: Ann, email: ann@example.com}}}}]
sources: [{{name: raw, tables: [{{name: orders, path: orders.csv}}]}}]
entities: [{{name: customer, keys: [customer_id]}}]
feature_services: [{{name: churn, owner: growth, features: [orders]}}]
exposures:
  - name: revenue
    type: dashboard
    owner: {{name: Bo}}
    url: https://example.com/revenue
    depends_on: ["ref('orders')", "orders:sum_7d", churn]
models:
  - name: orders
{terms}    columns:
{columns}"""
ENFORCED = "    contract: {enforced: true}\n"
FILES = {
    "pyproject.toml": '[tool.asknown]\nname = "shop"\n',
    "models/stg.sql": "select customer_id, ordered_at, amount from {{ source('raw', 'orders') }}\n",
    "models/orders.sql": "{{ config(entity='customer', event_time='ordered_at', ttl='30 days') }}\n"
    "select customer_id, ordered_at, amount as last_amount, count(*) over {{ last('7 days') }} as orders_7d,\n"
    "    sum(amount) over {{ last('7 days') }} as sum_7d\nfrom {{ ref('stg') }}\n",
    "models/moments.sql": "select 1::bigint as customer_id, timestamp '2024-01-10' as event_timestamp\n",
    "orders.csv": "customer_id,ordered_at,amount\n1,2024-01-01,5.5\n1,2024-01-02,\n2,2024-01-05,1.0\n",
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    declare()(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


class declare:  # noqa: N801 - reads as a verb
    """Writes the properties with these terms and columns of the view."""

    def __init__(self, terms: str = ENFORCED, columns: str = COLUMNS) -> None:
        self.text = YML.format(terms=terms, columns=columns)

    def __call__(self, folder: Path) -> None:
        (folder / "models" / "shop.yml").write_text(self.text, encoding="utf-8")


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, arguments, prog_name="asknown")
    assert done.exit_code == code, f"{arguments}: {done.output}"
    return done.stdout if "json" in arguments else done.output


def findings() -> dict[str, str]:
    """The severity of each finding of `check`, by its code."""
    done = CliRunner().invoke(main, ["check", "--format", "json"], prog_name="asknown")
    return {record["code"]: record["severity"] for record in json.loads(done.stdout)}


# Columns of the contract in place of those that are right, and a part of the error.
BREACHES = {
    "type": (COLUMNS.replace("bigint", "integer"), "says that 'orders_7d' is INTEGER, and it is BIGINT"),
    "not listed": (COLUMNS.partition("\n")[0], "does not list the column 'orders_7d'"),
    "not there": (COLUMNS + "      - {name: sum_8d, data_type: double}\n", "which the model does not have"),
    "no type": (COLUMNS.replace(", data_type: bigint", ""), "has no data_type for 'orders_7d'"),
    "key": (COLUMNS + "      - {name: customer_id, data_type: varchar}\n", "says that 'customer_id' is VARCHAR"),
    "null": (COLUMNS.replace("sum_7d,", "sum_7d, constraints: [{type: not_null}],"), "gives NULL over no rows"),
}


@pytest.mark.parametrize("breach", BREACHES)
@pytest.mark.parametrize(
    "command",
    [("check",), ("apply", "--yes"), ("materialize",), ("train", "orders", "--spine", "moments")],
    ids=lambda command: str(command[0]),
)
def test_a_contract_is_kept_or_it_is_an_error(shop: Path, breach: str, command: tuple[str, ...]) -> None:
    columns, message = BREACHES[breach]
    declare(columns=columns)(shop)
    output = run(*command, code=1)
    assert message in output
    assert "models/shop.yml:" in output


def test_a_contract_that_holds_changes_nothing(shop: Path) -> None:
    with FeatureStore(shop) as store:
        kept = store.compile_service(["orders"])
    declare(terms="")(shop)
    with FeatureStore(shop) as store:
        assert store.compile_service(["orders"]) == kept
    declare(terms="    config: {contract: {enforced: true}, access: public, group: money}\n")(shop)
    assert findings() == {"undocumented": "warning", "untested": "warning"}  # and nothing about the contract


def test_a_column_that_is_never_null_is_counted_before_a_load(shop: Path) -> None:
    columns = COLUMNS.replace("last_amount,", "last_amount, constraints: [{type: not_null}],")
    declare(columns=columns)(shop)
    assert findings() == {}  # no row is read
    assert "'last_amount' of 'orders' is NULL in 1 rows" in run("materialize", code=1)
    assert not (shop / "online.db").exists()
    (shop / "orders.csv").write_text("customer_id,ordered_at,amount\n1,2024-01-01,5.5\n", encoding="utf-8")
    run("materialize")


def test_a_count_may_be_promised_never_to_be_null(shop: Path) -> None:
    declare(columns=COLUMNS.replace("orders_7d,", "orders_7d, constraints: [{type: not_null}],"))(shop)
    run("materialize")


def test_a_plain_model_has_a_contract_too(shop: Path) -> None:
    yml = shop / "models" / "shop.yml"
    more = "  - name: stg\n    contract: {enforced: true}\n    columns:\n"
    columns = "      - {name: customer_id, data_type: bigint}\n      - {name: ordered_at, data_type: date}\n"
    good = YML.format(terms="", columns=COLUMNS) + more + columns
    yml.write_text(good + "      - {name: amount, data_type: double}\n", encoding="utf-8")
    assert findings() == {}
    yml.write_text(good, encoding="utf-8")
    assert "does not list the column 'amount'" in run("train", "orders", "--spine", "moments", code=1)


def test_a_type_without_a_contract_is_a_warning(shop: Path) -> None:
    declare(terms="", columns=BREACHES["type"][0])(shop)
    assert findings() == {"data-type": "warning"}
    run("train", "orders", "--spine", "moments")


def test_a_version_is_not_held_to_the_contract_of_today(shop: Path) -> None:
    run("apply", "--yes")
    declare(columns=BREACHES["type"][0])(shop)
    run("train", "orders@v1", "--spine", "moments")


def test_a_private_model_is_read_by_its_group_alone(shop: Path) -> None:
    yml = shop / "models" / "shop.yml"
    private = YML.format(terms="", columns=COLUMNS) + "  - {name: stg, access: private, group: money}\n"
    yml.write_text(private, encoding="utf-8")
    for command in (("check",), ("train", "orders", "--spine", "moments"), ("plan",)):
        output = run(*command, code=1)
        assert "error[private-model]: 'orders' reads 'stg', which is private to group 'money'" in output
        assert "ask Ann" in output
        assert "models/orders.sql:4" in output
    yml.write_text(private.replace("  - name: orders\n", "  - name: orders\n    group: money\n"), encoding="utf-8")
    assert findings() == {}


def test_a_deprecated_view_warns_and_then_is_an_error(shop: Path) -> None:
    run("apply", "--yes")
    declare(terms="    deprecation_date: 2999-01-01\n")(shop)
    assert "warning: 'orders' is deprecated from 2999-01-01 on" in run("train", "churn", "--spine", "moments")
    assert findings() == {"deprecated": "warning"}
    declare(terms="    deprecation_date: 2020-01-01\n")(shop)
    assert "ask for a version of it, as in orders@v1" in run("train", "churn", "--spine", "moments", code=1)
    assert findings() == {"deprecated": "error"}
    run("train", "orders@v1", "--spine", "moments")


WRONG = {
    "group: nobody": "unknown-group",
    "access: secret": "wrong-type",
    "deprecation_date: soon": "wrong-type",
    "contract: {enforced: maybe}": "wrong-type",
    "contract: {forced: true}": "unknown-key",
    "contract: true": "wrong-type",
    "config: {materialized: table}": "unknown-key",
}


@pytest.mark.parametrize("terms", WRONG)
def test_wrong_terms_are_errors_with_their_place(shop: Path, terms: str) -> None:
    declare(terms=f"    {terms}\n")(shop)
    with pytest.raises(AsknownError) as caught:
        FeatureStore(shop)
    assert caught.value.code == WRONG[terms]
    assert caught.value.at is not None
    assert caught.value.at.line == 13


def test_an_exposure_names_what_there_is(shop: Path) -> None:
    yml = shop / "models" / "shop.yml"
    text = yml.read_text(encoding="utf-8")
    yml.write_text(text.replace("ref('orders')", "ref('order')"), encoding="utf-8")
    assert "depends on 'order'" in run("check", code=1)
    yml.write_text(text.replace("orders:sum_7d", "orders:sum_8d"), encoding="utf-8")
    assert findings() == {"unknown-feature": "error"}
    yml.write_text(text.replace("type: dashboard", "type: board"), encoding="utf-8")
    assert "'type' of exposure 'revenue'" in run("check", code=1)


# -- who is hit ------------------------------------------------------------------------------------------------------


def edit(before: str, after: str, file: str = "models/orders.sql") -> None:
    text = Path(file).read_text(encoding="utf-8")
    assert before in text
    Path(file).write_text(text.replace(before, after), encoding="utf-8")


@pytest.fixture
def applied(shop: Path) -> Path:
    """The project, applied: the dashboard reads sum_7d alone, the service all features of the view."""
    declare(terms="", columns=COLUMNS)(shop)
    edit('"ref(\'orders\')", "orders:sum_7d", churn', '"orders:sum_7d"', "models/shop.yml")
    run("apply", "--yes")
    return shop


def effects() -> dict[str, str]:
    """What a change means for each consumer, by its name."""
    records = json.loads(run("plan", "--format", "json"))
    return {f"{one['kind']} {one['name']}": one["effect"] for record in records for one in record.get("consumers", ())}


def test_a_change_names_who_reads_the_feature(applied: Path) -> None:
    edit("sum(amount)", "sum(amount + 1)")
    assert effects() == {"service churn": "retrain", "dashboard revenue": "retrain"}
    assert "retrain: churn (owner growth), dashboard revenue (owner Bo)" in run("plan")


def test_a_change_of_another_feature_is_none_of_the_dashboards_concern(applied: Path) -> None:
    edit("count(*)", "1 + count(*)")
    assert effects() == {"service churn": "retrain"}


def test_apply_shows_who_breaks_and_refuses(applied: Path) -> None:
    edit(",\n    sum(amount) over {{ last('7 days') }} as sum_7d", "")
    edit("      - {name: sum_7d, data_type: double}\n", "", "models/shop.yml")
    edit("orders:sum_7d", "orders:orders_7d", "models/shop.yml")
    output = run("apply", "--yes", code=1)
    assert "    - sum_7d  removed" in output  # the plan stands before the refusal
    assert "breaks: churn (owner growth)" in output
    assert "error[breaking]" in output
    assert "nothing to do" not in run("plan", "--check", code=1)
    run("apply", "--yes", "--accept", "orders:sum_7d", "--accept", "churn")
    run("plan", "--check")


def test_a_service_in_development_may_lose_a_feature(applied: Path) -> None:
    edit("owner: growth,", "owner: growth, status: development,", "models/shop.yml")
    edit("features: [orders]", "features: ['orders:sum_7d']", "models/shop.yml")
    run("apply", "--yes")
    edit("owner: growth, status: development,", "owner: growth,", "models/shop.yml")
    edit("features: ['orders:sum_7d']", "features: ['orders:orders_7d']", "models/shop.yml")
    assert "service churn  loses  orders:sum_7d  → breaking" in run("plan")


def test_an_exposure_alone_is_applied_too(applied: Path) -> None:
    edit("owner: {name: Bo}", "owner: {name: Cy}", "models/shop.yml")
    assert "exposures: revenue" in run("plan")
    run("apply", "--yes")
    assert "Nothing to do" in run("plan")
    assert "exposure revenue" in run("history")


def test_a_removed_exposure_is_still_a_consumer_until_it_is_applied(applied: Path) -> None:
    text = Path("models/shop.yml").read_text(encoding="utf-8")
    before, _, rest = text.partition("exposures:")
    Path("models/shop.yml").write_text(before + rest[rest.index("models:") :], encoding="utf-8")
    edit("sum(amount)", "sum(amount + 1)")
    assert effects() == {"service churn": "retrain", "dashboard revenue": "retrain"}
    run("apply", "--yes")
    edit("sum(amount + 1)", "sum(amount)")
    assert effects() == {"service churn": "retrain"}
