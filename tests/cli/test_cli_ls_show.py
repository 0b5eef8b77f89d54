"""`asknown ls` and `asknown show`: what the project has."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

from typed import asknown, fail, succeed, write

# --- ls ---------------------------------------------------------------------------------------------------------------


def test_ls_lists_everything_by_kind(project: Path) -> None:
    found = [(row["kind"], row["name"]) for row in succeed("ls", "--format", "json").objects()]
    assert found == [
        ("source", "shop.customers"),
        ("source", "shop.orders"),
        ("model", "orders_spine"),
        ("model", "stg_orders"),
        ("entity", "customer"),
        ("view", "customer_orders"),
        ("view", "customer_profile"),
        ("on-demand", "this_order"),
        ("service", "return_risk_v1"),
    ]


def test_ls_of_each_kind(project: Path) -> None:
    views = succeed("ls", "views", "--format", "json").objects()
    assert views[0] == {
        "name": "customer_orders",
        "entity": ["customer"],
        "keys": ["customer_id"],
        "features": 3,
        "ttl": "120 days",
        "online": True,
        "description": "The customer's last settled order, up to 120 days ago.",
    }
    assert views[1]["ttl"] is None
    (service,) = succeed("ls", "services", "--format", "json").objects()
    assert service["views"] == ["customer_orders", "customer_profile"]
    (entity,) = succeed("ls", "entities", "--format", "csv").records()
    assert entity == {"name": "customer", "keys": "customer_id bigint", "description": "Somebody who orders."}
    models = {row["name"]: row for row in succeed("ls", "models", "--format", "json").objects()}
    assert models["orders_spine"]["reads"] == ["stg_orders"]
    assert models["customer_orders"]["file"] == "models/features/customer_orders.sql"
    sources = succeed("ls", "sources").stdout
    assert re.search(r"^shop\.orders +data/orders\.csv", sources, re.MULTILINE)
    features = succeed("ls", "features", "--format", "json").objects()
    assert [(row["view"], row["name"], row["type"]) for row in features] == [
        ("customer_orders", "last_amount", "DECIMAL(10,2)"),
        ("customer_orders", "last_items", "BIGINT"),
        ("customer_orders", "last_returned", "BOOLEAN"),
        ("customer_profile", "city", "VARCHAR"),
        ("customer_profile", "plan", "VARCHAR"),
        ("this_order", "days_since_last_order", "DOUBLE"),
        ("this_order", "amount_against_last", "DOUBLE"),
    ]
    (on_demand,) = succeed("ls", "on-demand", "--format", "json").objects()
    assert on_demand["inputs"] == ["amount DOUBLE"]
    assert on_demand["reads"] == ["customer_orders", "customer_orders:ordered_at"]


def test_ls_needs_no_data_but_for_types(project: Path) -> None:
    shutil.rmtree(project / "data")
    for kind in ([], ["views"], ["models"], ["services"], ["entities"], ["sources"]):
        assert succeed("ls", *kind).stderr == ""
    output = asknown("ls", "features")
    assert output.code == 1
    assert "error[no-data]" in output.stderr


def test_ls_lists_the_rest_beside_a_broken_model(project: Path) -> None:
    write(project / "models" / "broken.sql", "select {{ nothing }}")
    output = asknown("ls", "models", "--format", "json")
    assert output.code == 1
    assert [row["name"] for row in output.objects()] == [
        "customer_orders",
        "customer_profile",
        "orders_spine",
        "stg_orders",
        "this_order",
    ]
    assert output.stderr.startswith("error[undefined]: ")
    assert "models/broken.sql:1" in output.stderr


def test_ls_of_a_kind_there_is_not(project: Path) -> None:
    assert "'view' is not one of 'models', 'views'" in fail("ls", "view", code=2)


# --- show -------------------------------------------------------------------------------------------------------------


def test_show_a_view(project: Path) -> None:
    text = succeed("show", "customer_orders").stdout
    assert text.startswith("view customer_orders\nThe customer's last settled order, up to 120 days ago.\n\n")
    for line in (
        r"file +models/features/customer_orders\.sql",
        r"keys +customer_id BIGINT",
        r"event time +ordered_at",
        r"known at +settled_at",
        r"ttl +120 days",
        r"reads +stg_orders",
        r"services +return_risk_v1",
        r"last_amount +DECIMAL\(10,2\) +What it cost, in euros\.",
    ):
        assert re.search(rf"^{line}$", text, re.MULTILINE), line
    (facts,) = succeed("show", "customer_orders", "--format", "json").objects()
    assert (facts["kind"], facts["known_at"]) == ("view", "settled_at")
    assert facts["features"][1] == {
        "feature": "last_items",
        "type": "BIGINT",
        "description": "How many things were in it.",
        "words": "items of the newest row, if it is at most 120 days old",
    }


def test_show_the_other_kinds(project: Path) -> None:
    (model,) = succeed("show", "orders_spine", "--format", "json").objects()
    assert model["columns"][0] == {"column": "order_id", "type": "BIGINT", "description": ""}
    (service,) = succeed("show", "return_risk_v1", "--format", "json").objects()
    assert (service["keys"], service["inputs"]) == (["customer_id BIGINT"], [])
    (view,) = succeed("show", "this_order", "--format", "json").objects()
    assert (view["kind"], view["keys"], view["inputs"]) == ("on-demand", ["customer_id BIGINT"], ["amount DOUBLE"])
    assert view["features"][0]["type"] == "DOUBLE"
    assert service["features"][1] == {"features": "customer_profile:plan"}
    (entity,) = succeed("show", "customer", "--format", "json").objects()
    assert entity["views"] == ["customer_orders", "customer_profile"]
    (table,) = succeed("show", "shop.orders", "--format", "json").objects()
    assert (table["reads"], table["read_by"]) == ("data/orders.csv", ["stg_orders"])
    (source,) = succeed("show", "shop", "--format", "json").objects()
    assert [row["table"] for row in source["tables"]] == ["orders", "customers"]
    assert succeed("show", "orders_spine", "--format", "csv").records()[3]["column"] == "returned"


def test_show_all_that_have_one_name(project: Path) -> None:
    write(project / "models" / "customer.sql", "select 1 as x")
    found = succeed("show", "customer", "--format", "json").objects()
    assert [facts["kind"] for facts in found] == ["model", "entity"]


def test_show_the_first_rows_of_a_model(project: Path) -> None:
    output = succeed("show", "stg_orders", "--limit", "2", "--format", "json")
    assert [row["order_id"] for row in output.objects()] == [1001, 1002]
    assert output.objects()[0]["amount"] == "54.52"
    assert len(succeed("show", "stg_orders", "--limit", "3").stdout.splitlines()) == 5
    assert succeed("show", "stg_orders", "--limit", "0", "--format", "json").objects() == []


def test_show_has_rows_for_models_only(project: Path) -> None:
    assert "'customer' is not a model" in fail("show", "customer", "--limit", "2", code=2)
    assert fail("show", "custmer", "--limit", "2").startswith("error[unknown-model]")
    assert "--limit" in fail("show", "stg_orders", "--limit", "-1", code=2)


def test_show_an_unknown_name_asks_over_all_kinds(project: Path) -> None:
    assert "did you mean 'customer_orders'" in fail("show", "custmer_orders")
    assert "'return_risk_v1'" in fail("show", "return_risk")
    assert "'shop.orders'" in fail("show", "shop.order")


def test_show_says_what_it_can_without_the_data(project: Path) -> None:
    shutil.rmtree(project / "data")
    output = asknown("show", "customer_orders")
    assert output.code == 1
    assert re.search(r"^keys +customer_id$", output.stdout, re.MULTILINE)
    assert re.search(r"^last_items +How many", output.stdout, re.MULTILINE)
    assert "error[no-data]" in output.stderr
