"""`plan --since` compares with an older revision, `search` narrows down by facets, `enforce` loads what was applied."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from asknown import FeatureStore
from asknown.cli.group import main

VIEW = """{{ config(entity='customer', event_time='ordered_at', owner='growth', tags=['money', 'orders']) }}
select customer_id, ordered_at, amount as last_amount, amount * 2 as twice from {{ source('raw', 'orders') }}
"""
OTHER = """{{ config(entity='shop', event_time='ordered_at', owner='ops') }}
select shop_id, ordered_at, note as last_note, amount as shop_amount from {{ source('raw', 'orders') }}
"""
FILES = {
    "pyproject.toml": '[tool.asknown]\nname = "shop"\n',
    "orders.csv": "customer_id,shop_id,ordered_at,amount,note\n1,7,2024-01-01 00:00,5.5,a\n",
    "models/orders.sql": VIEW,
    "models/shops.sql": OTHER,
    "models/shop.yml": "sources: [{name: raw, tables: [{name: orders, path: orders.csv}]}]\n"
    "entities: [{name: customer, keys: [customer_id]}, {name: shop, keys: [shop_id]}]\n"
    "feature_services: [{name: churn, features: ['orders:twice', shops]}]\n",
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, arguments, prog_name="asknown")
    assert done.exit_code == code, f"{arguments}: {done.output}"
    return done.stdout if "json" in arguments else done.output


def edit(before: str, after: str) -> None:
    path = Path("models/orders.sql")
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after), encoding="utf-8")


def plan(*options: str) -> list[tuple[Any, ...]]:
    records = json.loads(run("plan", "--format", "json", *options))
    return [(r["feature"], r["kind"], r["from"], r["to"]) for r in records if "view" in r]


@pytest.fixture
def revisions(shop: Path) -> None:
    """Three revisions: of the view as it was, with another value, and with a feature more."""
    run("apply", "--yes")
    edit("amount * 2", "amount * 3")
    run("apply", "--yes")
    edit(" from {{", ", note from {{")
    run("apply", "--yes")


def test_an_older_revision_is_compared_with(revisions: None) -> None:
    assert plan() == plan("--since", "3") == []
    assert plan("--since", "2") == [("note", "new", 2, 3)]
    assert plan("--since", "1") == [("twice", "values", 1, 3), ("note", "new", 1, 3)]
    assert "Against revision 1 of shop" in run("plan", "--since", "1")


def test_files_that_are_not_applied_are_a_version_of_their_own(revisions: None) -> None:
    edit("amount as last_amount", "amount + 1 as last_amount")
    assert {row[0]: row[1:] for row in plan("--since", "1")} == {
        "last_amount": ("values", 1, 4),
        "twice": ("values", 1, 4),
        "note": ("new", 1, 4),
    }


def test_a_view_that_is_again_as_it_was_is_unchanged(revisions: None) -> None:
    edit("amount * 3", "amount * 2")
    edit(", note from {{", " from {{")
    assert plan("--since", "1") == []
    assert [row[:2] for row in plan()] == [("twice", "values"), ("note", "removed")]


def test_services_are_those_of_the_revision(revisions: None) -> None:
    Path("models/shop.yml").write_text(
        Path("models/shop.yml").read_text(encoding="utf-8").replace("orders:twice", "orders:note"), encoding="utf-8"
    )
    assert "service churn  loses  orders:twice" in run("plan", "--since", "1")
    run("apply", "--yes", "--accept", "churn")
    assert "service churn" not in run("plan")
    assert "service churn  loses  orders:twice" in run("plan", "--since", "1")
    assert run("plan", "--since", "1", "--check", code=1)


def test_an_instant_or_a_duration_names_the_newest_revision_then(revisions: None) -> None:
    with sqlite3.connect("registry.db") as registry:  # as if they had been applied on three days
        registry.execute("drop trigger revision_stays")
        registry.execute("update revision set at = '2024-01-0' || n || 'T12:00:00Z'")
    assert plan("--since", "2024-01-01 12:00") == plan("--since", "2024-01-02") == plan("--since", "1")
    assert plan("--since", "2024-01-02T14:00:00+02:00") == plan("--since", "2")
    assert plan("--since", "1 hour") == []
    for asked in ("2024-01-01", "99999 days"):
        assert "its revisions: 1 of 2024-01-01T12:00:00Z to 3 of" in run("plan", "--since", asked, code=1)
    assert "no revision 4 of 'shop'" in run("plan", "--since", "4", code=1)
    said = run("plan", "--since", "v1", code=1)
    assert "is not an instant" in said and "or the number of a revision" in said
    with FeatureStore(".") as store:
        assert len(store.registry.changes(since=1).views) == 1


def test_there_must_be_a_revision(shop: Path) -> None:
    assert "asknown apply records the first" in run("plan", "--since", "1", code=1)


def found(*words: str) -> set[str]:
    return {hit["feature"] for hit in json.loads(run("search", *words, "--format", "json"))}


def test_a_search_is_narrowed_by_facets(shop: Path) -> None:
    run("apply", "--yes")
    assert found("amount") == {"orders:last_amount", "orders:twice", "shops:shop_amount"}
    assert found("amount", "--owner", "ops") == {"shops:shop_amount"}
    assert found("amount", "--tag", "orders", "--entity", "customer") == {"orders:last_amount", "orders:twice"}
    assert found("--type", "varchar") == {"shops:last_note"}
    assert found("--service", "churn") == {"orders:twice", "shops:last_note", "shops:shop_amount"}
    assert found("--service", "churn", "--all", "--owner", "growth", "--limit", "1") == {"orders:twice"}
    assert found("twice", "--owner", "ops") == set()
    assert "has all these words" in run("search", "twice", "--owner", "ops")


def test_an_unknown_value_of_a_facet_names_those_that_there_are(shop: Path) -> None:
    run("apply", "--yes")
    for option, value, said in (
        ("--owner", "oops", "did you mean 'ops'"),
        ("--owner", "OPS", "did you mean 'ops'"),
        ("--tag", "moneys", "did you mean 'money'"),
        ("--entity", "costumer", "did you mean 'customer'"),
        ("--type", "dobule", "DOUBLE"),
        ("--service", "chrun", "did you mean 'churn'"),
    ):
        assert said in run("search", option, value, code=1)
    assert "takes no words and no other condition" in run("search", "--like", "orders:twice", "--tag", "x", code=2)


def test_only_what_was_applied_is_loaded(shop: Path) -> None:
    Path("profiles.yml").write_text(
        "shop:\n  outputs: {dev: {type: duckdb}}\n  registry: {enforce: true}\n", encoding="utf-8"
    )
    assert "nobody has applied v1 of 'orders', v1 of 'shops'" in run("materialize", code=1)
    assert not Path("online.db").exists()
    run("apply", "--yes")
    run("materialize")
    edit("owner='growth'", "owner='ops'")
    edit("select customer_id", "-- whose\nselect customer_id")
    run("materialize")
    edit("amount * 2", "amount * 3")
    assert "nobody has applied v2 of 'orders'\n  hint: asknown plan" in run("materialize", code=1)
    run("materialize", "shops")
    run("apply", "--yes")
    run("materialize")


def test_enforce_is_true_or_false(shop: Path) -> None:
    Path("profiles.yml").write_text(
        "shop:\n  outputs: {dev: {type: duckdb}}\n  registry: {enforce: oui}\n", encoding="utf-8"
    )
    assert "'enforce' of 'registry'" in run("plan", code=1)


def test_two_revisions_are_compared_without_the_files(revisions: None) -> None:
    Path("models/orders.sql").write_text("this is no SQL", encoding="utf-8")
    assert plan("--since", "1", "--until", "2") == [("twice", "values", 1, 2)]
    assert plan("--since", "2", "--until", "3") == [("note", "new", 2, 3)]
    said = run("plan", "--since", "1", "--until", "2")
    assert "From revision 1 of shop" in said and " to revision 2 " in said
    assert "models/orders.sql" in said, "the cause"
    assert "1 view changed (1 with other values), 1 is unchanged." in said
    assert "Nothing changed: 2 views are unchanged." in run("plan", "--since", "2", "--until", "2")


def test_an_until_without_a_since_or_before_it_is_refused(revisions: None) -> None:
    assert "say with --since where it begins" in run("plan", "--until", "2", code=2)
    said = run("plan", "--since", "3", "--until", "2", code=1)
    assert "revision 2 came before revision 3" in said and "--since 2 --until 3" in said


def test_the_values_of_two_revisions_are_counted(revisions: None) -> None:
    spine = Path("spine.csv")
    spine.write_text("customer_id,event_timestamp\n1,2024-01-02 00:00\n1,2024-01-03 00:00\n", encoding="utf-8")
    edit("amount * 3", "amount * 4")
    records = json.loads(run("plan", "--since", "1", "--until", "2", "--diff", str(spine), "--format", "json"))
    found = {r["feature"]: (r["changed"], r["first"]) for r in records if r["kind"] == "diff"}
    assert found["last_amount"] == (0, None)
    assert found["twice"][0] == 2 and (found["twice"][1]["before"], found["twice"][1]["after"]) == (11.0, 16.5)


def test_a_single_revision_is_named_alone(shop: Path) -> None:
    run("apply", "--yes")
    said = run("plan", "--since", "7", code=1)
    assert "its only revision is 1 of " in said and " to 1" not in said
