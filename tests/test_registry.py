"""The registry: kinds of changes, versions that compile without their files, and revisions that are never lost."""

from __future__ import annotations

import json
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import forked
from asknown import AsknownError, FeatureStore
from asknown.cli.group import main

VIEW = """{{ config(entity='customer', event_time='ordered_at', ttl='30 days', owner='growth') }}
select
    customer_id,
    ordered_at,
    amount as last_amount,
    {{ doubled('amount') }} as twice,
    avg(amount) over {{ last('7 days') }} as avg_amount_7d
from {{ ref('stg_orders') }}
"""
FILES = {
    "pyproject.toml": '[tool.asknown]\nname = "shop"\n',
    "models/shop.yml": """sources:
  - name: raw
    tables:
      - {name: orders, path: orders.csv}
entities:
  - {name: customer, keys: [customer_id]}
feature_services:
  - {name: churn, features: [orders]}
models:
  - name: orders
    description: What a customer ordered.
    columns: [{name: last_amount, description: The newest amount.}]
""",
    "models/stg_orders.sql": "select customer_id, ordered_at, amount, note from {{ source('raw', 'orders') }}\n",
    "models/orders.sql": VIEW,
    "macros/double.sql": "{% macro doubled(column) %}{{ column }} * 2{% endmacro %}\n",
    "models/moments.sql": "with days as (select timestamp '2024-01-10' as event_timestamp)\n"
    "select customer_id, event_timestamp from {{ ref('stg_orders') }}, days\n",
    "orders.csv": "customer_id,ordered_at,amount,note\n1,2024-01-01 00:00,5.5,a\n1,2024-01-02 00:00,7.25,b\n"
    "1,2024-01-02 00:00,9.5,b\n2,2024-01-05 00:00,1.0,c\n",
}


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small project as the current folder."""
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*arguments: str, code: int = 0) -> str:
    """What a command prints, and what it says where it prints no data; it must end with this exit code."""
    done = CliRunner().invoke(main, arguments, prog_name="asknown")
    assert done.exit_code == code, f"{arguments}: {done.output}"
    return done.stdout if "csv" in arguments or "json" in arguments else done.output


def run_without(libraries: set[str], *arguments: str) -> str:
    """What a command prints in a process of its own, which must not import these libraries."""
    program = "import sys\nfrom asknown.cli import main\ntry:\n    main()\nexcept SystemExit as end:\n"
    program += f"    assert not end.code\nassert not {libraries} & set(sys.modules), {libraries} & set(sys.modules)"
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def edit(file: str, before: str, after: str) -> None:
    text = Path(file).read_text(encoding="utf-8")
    assert before in text
    Path(file).write_text(text.replace(before, after), encoding="utf-8")


def kinds() -> dict[str, str]:
    """The kind of each change by the name of its feature; '' is the view's own, ``service`` the service's."""
    found: dict[str, str] = {}
    for record in json.loads(run("plan", "--format", "json")):
        name = "service" if "service" in record else record["feature"] or ""
        found[name] = record["kind"]
    return found


# -- kinds -----------------------------------------------------------------------------------------------------------

VIEW_FILE, BELOW, YAML = "models/orders.sql", "models/stg_orders.sql", "models/shop.yml"
EVERY = {"last_amount": "values", "twice": "values", "avg_amount_7d": "values"}
# By a name: the file, a text in it, what takes its place, and the kind of each change that follows.
EDITS: dict[str, tuple[str, str, str, dict[str, str]]] = {
    "layout": (VIEW_FILE, "amount as last_amount,", "amount   as last_amount , -- newest", {"": "text"}),
    "upstream comment": (BELOW, "select ", "-- staging\nselect ", {"": "text"}),
    "unread upstream column": (BELOW, ", note", ", upper(note) as note", {"": "text"}),
    "owner": (VIEW_FILE, "growth", "ops", {"": "metadata"}),
    "view's description": (YAML, "What a customer ordered.", "Orders.", {"": "metadata"}),
    "feature's description": (YAML, "The newest amount.", "Newest.", {"last_amount": "metadata"}),
    "online": (VIEW_FILE, "owner=", "online=false, owner=", {"": "online"}),
    "ttl": (VIEW_FILE, "30 days", "40 days", {"": "ttl"}),
    "macro": ("macros/double.sql", "* 2", "* 3", {"twice": "values"}),
    "frame": (VIEW_FILE, "last('7 days')", "last('8 days')", {"avg_amount_7d": "values"}),
    "upstream filter": (BELOW, "') }}", "') }} where amount > 0", EVERY),
    "upstream expression": (BELOW, "ordered_at, amount,", "ordered_at, amount + 1 as amount,", EVERY),
    "type": (
        VIEW_FILE,
        "amount as last_amount",
        "cast(amount as float) as last_amount",
        {"last_amount": "type", "twice": "order"},
    ),
    "appended": (
        VIEW_FILE,
        "as avg_amount_7d",
        "as avg_amount_7d, amount + 1 as more",
        {"more": "new", "service": "gains"},
    ),
    "put first": (
        VIEW_FILE,
        "    amount as last_amount",
        "    amount + 1 as more, amount as last_amount",
        {"more": "new", "last_amount": "order", "twice": "order", "service": "gains"},
    ),
    "renamed": (VIEW_FILE, "as twice", "as double_amount", {"double_amount": "renamed", "service": "loses"}),
    "removed": (
        VIEW_FILE,
        "    {{ doubled('amount') }} as twice,\n",
        "",
        {"twice": "removed", "service": "loses"},
    ),
    "source": (YAML, "path: orders.csv", "path: other.csv", EVERY),
    "timezone": (YAML, "path: orders.csv", "path: orders.csv, timezone: Europe/Paris", EVERY),
    "created_at": (
        VIEW_FILE,
        "owner='growth') }}\nselect",
        "owner='growth', created_at='made_at') }}\nselect ordered_at + interval 1 day as made_at,",
        {"": "times"},
    ),
    "service": (YAML, "[orders]", "['orders:twice', 'orders:last_amount']", {"service": "loses"}),
    "service's order": (
        YAML,
        "[orders]",
        "['orders:twice', 'orders:last_amount', 'orders:avg_amount_7d']",
        {"service": "reordered"},
    ),
    # -- the words change, and no value can --
    "letter case of keywords": (VIEW_FILE, "select\n", "SELECT\n", {"": "text"}),
    "a comment in the select": (VIEW_FILE, "    customer_id,", "    customer_id,  -- whose it is", {"": "text"}),
    "parentheses around a column": (VIEW_FILE, "    amount as last", "    (amount) as last", {"": "text"}),
    "a quoted name": (VIEW_FILE, "    amount as last", '    "amount" as last', {"": "text"}),
    "an alias of the table": (
        VIEW_FILE,
        "from {{ ref('stg_orders') }}",
        "from {{ ref('stg_orders') }} as o",
        {"": "text"},
    ),
    "a column more below": (BELOW, "note from", "note, 1 as more from", {"": "text"}),
    "an unread column less below": (BELOW, ", note from", " from", {"": "text"}),
    "the same frame in hours": (VIEW_FILE, "last('7 days')", "last('168 hours')", {"": "text"}),
    "an unused macro": ("macros/double.sql", "{% macro", "{% macro unused() %}1{% endmacro %}{% macro", {}),
    "a macro written in other words": ("macros/double.sql", "{{ column }} * 2", "{{ column }}  *  2", {"": "text"}),
    # -- no value can change, and yet it is called a change: that is allowed, the opposite never --
    "a CTE around the model below": (
        BELOW,
        "select customer_id, ordered_at, amount, note from {{ source('raw', 'orders') }}",
        "with r as (select * from {{ source('raw', 'orders') }})\nselect customer_id, ordered_at, amount, note from r",
        EVERY,
    ),
    "other order below": (BELOW, "customer_id, ordered_at, amount", "amount, ordered_at, customer_id", EVERY),
    # -- what is said of it --
    "a tag": (VIEW_FILE, "owner='growth'", "owner='growth', tags=['money']", {"": "metadata"}),
    "meta": (VIEW_FILE, "owner='growth'", "owner='growth', meta={'team': 'a'}", {"": "metadata"}),
    "max_ahead": (VIEW_FILE, "owner='growth'", "owner='growth', max_ahead='35 days'", {"": "metadata"}),
    "max_ahead as it is anyway": (VIEW_FILE, "owner='growth'", "owner='growth', max_ahead='400 days'", {"": "text"}),
    "description in config()": (VIEW_FILE, "owner='growth'", "owner='growth', description='X'", {"": "metadata"}),
    "service's description": (YAML, "name: churn,", "name: churn, description: X,", {"service": "metadata"}),
    "service's owner": (YAML, "name: churn,", "name: churn, owner: X,", {"service": "metadata"}),
    # -- one feature --
    "a feature's sign": (
        VIEW_FILE,
        "    amount as last",
        "    -amount as last",
        {"last_amount": "values", "twice": "order"},
    ),
    "a second macro call": (VIEW_FILE, "{{ doubled('amount') }}", "{{ doubled('1 + amount') }}", {"twice": "values"}),
    "another aggregate": (VIEW_FILE, "avg(amount) over", "max(amount) over", {"avg_amount_7d": "values"}),
    "what it aggregates": (VIEW_FILE, "avg(amount)", "avg(amount + 1)", {"avg_amount_7d": "values"}),
    "a filter of a window": (
        VIEW_FILE,
        "avg(amount)",
        "avg(amount) filter (where amount > 2)",
        {"avg_amount_7d": "values"},
    ),
    "a count in place of an average": (VIEW_FILE, "avg(amount)", "count(amount)", {"avg_amount_7d": "type"}),
    "a cast of a part": (VIEW_FILE, "}} as twice", "}}::bigint as twice", {"twice": "values"}),
    "a window more": (
        VIEW_FILE,
        "as avg_amount_7d",
        "as avg_amount_7d, sum(amount) over {{ last('1 day') }} as more",
        {"more": "new", "service": "gains"},
    ),
    "renamed window": (VIEW_FILE, "avg_amount_7d", "mean_7d", {"mean_7d": "renamed", "service": "loses"}),
    "removed window": (
        VIEW_FILE,
        "as twice,\n    avg(amount) over {{ last('7 days') }} as avg_amount_7d",
        "as twice",
        {"avg_amount_7d": "removed", "service": "loses"},
    ),
    "two features change places": (
        VIEW_FILE,
        "    amount as last_amount,\n    {{ doubled('amount') }} as twice,",
        "    {{ doubled('amount') }} as twice,\n    amount as last_amount,",
        {"last_amount": "order", "twice": "order", "service": "reordered"},
    ),
    # -- which rows there are --
    "a filter of the view": (
        VIEW_FILE,
        "from {{ ref('stg_orders') }}",
        "from {{ ref('stg_orders') }} where amount > 2",
        EVERY,
    ),
    "distinct below": (BELOW, "select ", "select distinct ", EVERY),
    "a limit below": (BELOW, "') }}", "') }} limit 3", EVERY),
    "a union below": (
        BELOW,
        "from {{ source('raw', 'orders') }}",
        "from {{ source('raw', 'orders') }} union all select 9, date '2024-01-01', 1.0, 'z'",
        EVERY,
    ),
    "another key below": (BELOW, "select customer_id,", "select customer_id + 1 as customer_id,", EVERY),
    "known_at": (
        VIEW_FILE,
        "owner='growth') }}\nselect",
        "owner='growth', known_at='seen_at') }}\nselect ordered_at + interval 1 hour as seen_at,",
        {"": "times"},
    ),
    "no ttl": (VIEW_FILE, ", ttl='30 days'", "", {"": "ttl"}),
    "the same ttl in hours": (VIEW_FILE, "ttl='30 days'", "ttl='720 hours'", {}),
    "another key's type": (BELOW, "select customer_id,", "select customer_id::integer as customer_id,", {"": "keys"}),
    "nothing": (VIEW_FILE, "select", "select", {}),
}


@pytest.mark.parametrize("name", EDITS)
def test_each_edit_has_its_kind(shop: Path, name: str) -> None:
    run("apply", "--yes")
    file, before, after, expected = EDITS[name]
    shutil.copy("orders.csv", "other.csv")
    edit(file, before, after)
    assert kinds() == expected


def test_plan_tells_cause_consumer_and_what_to_do(shop: Path) -> None:
    run("apply", "--yes", "-m", "first")
    edit("models/stg_orders.sql", "ordered_at, amount,", "ordered_at, amount + 1 as amount,")
    edit("models/orders.sql", "    amount as last_amount", "    amount as newest, amount as last_amount")
    shown = run("plan")
    for line in (
        "  orders  v1 → v2  models/orders.sql, models/stg_orders.sql",
        "    ~ last_amount    values  through a model below it",
        "    reload the online table: asknown materialize orders",
        "    retrain: churn",
    ):
        assert line in shown.splitlines(), shown


def test_a_macro_is_named_as_the_cause_for_the_views_that_use_it(shop: Path) -> None:
    Path("macros/other.sql").write_text(
        "{% macro tripled(column) %}{{ column }} * 3{% endmacro %}\n"
        "{% macro applied(macro, column) %}{{ macro(column) }}{% endmacro %}\n"
    )
    for name, item in (("by_value", "{{ applied(tripled, 'amount') }}"), ("without", "amount")):
        Path(f"models/{name}.sql").write_text(
            "{{ config(entity='customer', event_time='ordered_at') }}\n"
            f"select customer_id, ordered_at, {item} as {name}_amount from {{{{ ref('stg_orders') }}}}\n"
        )
    run("apply", "--yes")
    edit("macros/other.sql", "* 3", "* 4")
    records = json.loads(run("plan", "--format", "json"))
    assert {(r["view"], r["feature"]) for r in records} == {("by_value", "by_value_amount")}
    assert records[0]["causes"] == [{"kind": "macro", "name": "tripled", "file": "macros/other.sql"}]
    edit("macros/double.sql", "* 2", "* 2.5")
    edit("models/orders.sql", "'7 days'", "'8 days'")
    planned = run("plan")
    assert "by_value  v1 → v2  macros/other.sql" in planned
    assert "orders  v1 → v2  models/orders.sql, macros/double.sql" in planned


def test_features_are_found_by_their_meaning(shop: Path) -> None:
    Path("models/again.sql").write_text(
        "{{ config(entity='customer', event_time='ordered_at', ttl='30 days') }}\n"
        "select customer_id, ordered_at, o.amount as newest, amount + 1 as more from {{ ref('stg_orders') }} as o\n"
    )
    assert "already exists" not in run("plan")  # nothing was applied yet
    Path("models/again.sql").rename("again.away")
    run("apply", "--yes")
    Path("again.away").rename("models/again.sql")
    planned = run("plan")
    assert "+ newest  new  already exists as orders:last_amount" in planned
    assert "+ more    new\n" in planned
    run("apply", "--yes")
    found = json.loads(run("search", "--like", "orders:last_amount", "--format", "json"))
    assert [(one["feature"], one["like it in"]) for one in found] == [
        ("again:newest", "same values"),
        ("again:more", "same columns"),
        ("orders:twice", "same columns"),
        ("orders:avg_amount_7d", "same columns"),
    ]
    edit("models/again.sql", "ttl='30 days'", "ttl='31 days'")
    run("apply", "--yes")
    assert "same values" not in run("search", "--like", "orders:last_amount")
    run("rollback", "2", "--yes")
    assert "same values" in run("search", "--like", "orders:last_amount")
    assert "did you mean 'last_amount'" in run("search", "--like", "orders:last_amont", code=1)
    assert "did you mean 'orders'" in run("search", "--like", "order:last_amount", code=1)
    assert "give words" in run("search", code=2)
    assert "give words" in run("search", "amount", "--like", "orders:last_amount", code=2)


def test_order_counts_the_tied_rows(shop: Path) -> None:
    run("apply", "--yes")
    edit("models/orders.sql", "    amount as last_amount", "    note as last_note, amount as last_amount")
    assert "may change: 2 tied rows" in run("plan")
    edit("orders.csv", "1,2024-01-02 00:00,9.5,b\n", "")
    assert "unchanged: no tied rows" in run("plan")


def test_a_project_as_it_was_applied_asks_no_engine(shop: Path) -> None:
    run("apply", "--yes")
    (shop / "orders.csv").unlink()  # with an engine, this would be an error
    assert "Nothing to do" in run_without({"duckdb", "sqlite_utils"}, "plan", "--check")
    assert "nothing to do" in run("apply", "--yes")
    with sqlite3.connect("registry.db") as connection:
        assert connection.execute("select count(*) from revision").fetchone() == (1,)


def test_plan_counts_the_values_that_differ(shop: Path) -> None:
    run("apply", "--yes")
    edit("models/orders.sql", "amount as last_amount", "case when amount > 3 then amount end as last_amount")
    edit("models/orders.sql", "{{ doubled('amount') }}", "case when amount < 3 then amount * 2 else amount + 10 end")
    records = {
        r["feature"]: r for r in json.loads(run("plan", "--diff", "moments", "--format", "json")) if r["kind"] == "diff"
    }
    assert {
        name: [r[key] for key in ("rows", "changed", "null_to_value", "value_to_null")] for name, r in records.items()
    } == {
        "last_amount": [4, 1, 0, 1],
        "twice": [4, 3, 0, 0],
        "avg_amount_7d": [4, 0, 0, 0],
    }
    assert records["twice"]["first"]["before"] == 19.0 and records["twice"]["first"]["after"] == 19.5
    shown = run("plan", "--diff", "moments", "--rows", "2")
    assert "On 2 rows of the spine:" in shown and "19.0 → 19.5" in shown


# -- applying --------------------------------------------------------------------------------------------------------


def test_what_breaks_must_be_accepted(shop: Path) -> None:
    run("apply", "--yes")
    edit("models/orders.sql", "    {{ doubled('amount') }} as twice,\n", "")
    assert run("plan", "--check", code=1)
    refused = run("apply", "--yes", code=1)
    assert "breaking" in refused and "--accept orders:twice --accept churn" in refused
    run("apply", "--yes", "--accept", "orders", "--accept", "churn")
    assert "Nothing to do" in run("plan")


def test_apply_without_a_terminal_asks_for_yes(shop: Path) -> None:
    assert "--yes" in run("apply", code=2)
    assert not (shop / "registry.db").exists()


def test_a_change_of_words_keeps_the_version(shop: Path) -> None:
    run("apply", "--yes")
    edit("models/orders.sql", "owner='growth'", "owner='ops'")
    run("apply", "--yes")
    assert "Nothing to do" in run("plan")
    assert "ops" in run("show", "orders@v1")  # the object under the number is the new one
    with sqlite3.connect("registry.db") as connection:
        assert connection.execute("select view, v, revision from version").fetchall() == [("orders", 1, 2)]


def test_a_secret_is_not_stored(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CANARY", "zebra-of-the-north")
    edit(
        "models/orders.sql", "    amount as last_amount", "    '{{ env_var('CANARY') }}' as tag, amount as last_amount"
    )
    shown = run("apply", "--yes", code=1)
    assert "environment variable" in shown and "zebra" not in shown
    assert not (shop / "registry.db").exists()


def test_two_projects_share_a_registry(
    shop: Path, tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = tmp_path_factory.mktemp("other")
    for name, text in FILES.items():
        (other / name).parent.mkdir(parents=True, exist_ok=True)
        (other / name).write_text(text.replace('"shop"', '"other"'), encoding="utf-8")
    (other / "profiles.yml").write_text(
        f"other:\n  registry: {{path: {shop / 'registry.db'}}}\n  outputs: {{dev: {{type: duckdb}}}}\n",
        encoding="utf-8",
    )
    run("apply", "--yes")
    before = rows_of(shop / "registry.db", "shop")
    monkeypatch.chdir(other)
    run("apply", "--yes")
    edit("models/orders.sql", "as avg_amount_7d", "as avg_amount_7d, amount + 1 as more")
    run("apply", "--yes")
    assert rows_of(shop / "registry.db", "shop") == before
    found = run("search", "amount", "--format", "json")
    assert {hit["project"] for hit in json.loads(found)} == {"other"}
    assert {hit["project"] for hit in json.loads(run("search", "amount", "--all", "--format", "json"))} == {
        "shop",
        "other",
    }


def rows_of(path: Path, project: str) -> list[Any]:
    with sqlite3.connect(path) as connection:
        tables = (
            "project where name = ?",
            *(f"{t} where project = ?" for t in ("revision", "version", "view", "feature", "service", "search")),
        )
        return [connection.execute(f"select * from {table}", (project,)).fetchall() for table in tables]


# -- versions --------------------------------------------------------------------------------------------------------


def test_a_version_compiles_and_trains_without_its_files(shop: Path) -> None:
    compiled, trained = run("compile", "orders"), run("train", "orders", "--spine", "moments", "--format", "csv")
    run("apply", "--yes")
    (shop / "macros/double.sql").unlink()
    edit("models/orders.sql", "{{ doubled('amount') }}", "-amount")
    edit("models/stg_orders.sql", "note from", "note, 1 as one from")
    assert run("compile", "orders@v1") == compiled
    assert run("train", "orders", "--spine", "moments", "--format", "csv") != trained
    spine = "select customer_id, timestamp '2024-01-10' as event_timestamp from {{ source('raw', 'orders') }}"
    assert run("train", "orders@v1", "--spine", spine, "--format", "csv") == trained
    assert run("train", "orders@v1:twice", "--spine", spine, "--format", "csv").splitlines()[0] == (
        "customer_id,event_timestamp,twice"
    )
    with FeatureStore(".") as store:
        frame = store.get_historical_features(spine, ["orders@v1:last_amount"]).to_df()
        assert list(frame["last_amount"]) == [9.5, 9.5, 9.5, 1.0]


def test_versions_that_do_not_fit_together_are_an_error(shop: Path) -> None:
    run("apply", "--yes")
    edit("models/orders.sql", "{{ doubled('amount') }}", "-amount")
    run("apply", "--yes")
    assert "two versions of 'orders'" in run("compile", "orders@v1", "orders@v2:twice", code=1)
    assert "two versions of 'orders'" in run("compile", "orders@v1", "orders:twice", code=1)
    assert run("compile", "orders@v2:twice", "orders:last_amount")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "orders@v9"), "its versions: orders@v1"),
        (("compile", "ordrs@v1"), "did you mean 'orders'?"),
        (("history", "ordrs"), "did you mean 'orders'?"),
        (("rollback", "7", "--yes"), "no revision 7"),
    ],
)
def test_a_version_that_is_not_there(shop: Path, arguments: tuple[str, ...], said: str) -> None:
    run("apply", "--yes")
    assert said in run(*arguments, code=1)


def test_rollback_says_again_what_was(shop: Path) -> None:
    run("apply", "--yes")
    original = (shop / "models/orders.sql").read_text(encoding="utf-8")
    edit("models/orders.sql", "{{ doubled('amount') }}", "-amount")
    run("apply", "--yes")
    run("rollback", "1", "--yes", "-m", "wrong")
    assert kinds() == {"twice": "values"}
    (shop / "models/orders.sql").write_text(original, encoding="utf-8")
    assert "Nothing to do" in run("plan")
    edit("models/orders.sql", "{{ doubled('amount') }}", "amount * 4")
    run("apply", "--yes")
    assert "v1 → v3: values" in run("history", "--format", "csv")  # v2 is taken
    listed = json.loads(run("history", "orders", "--format", "json"))
    assert [(one["revision"], one["kind"], one["message"]) for one in listed] == [
        (4, "apply", ""),
        (3, "rollback", "wrong"),
        (2, "apply", ""),
        (1, "apply", ""),
    ]


def test_on_demand_views_have_versions(shop: Path) -> None:
    (shop / "models/against.sql").write_text(
        "{{ config(inputs={'paid': 'double'}) }}\nselect paid / last_amount as against_last\n"
        "from {{ request('orders:last_amount') }}\n",
        encoding="utf-8",
    )
    run("apply", "--yes")
    spine = "select 1 as customer_id, timestamp '2024-01-10' as event_timestamp, 19.0::double as paid"
    assert run("train", "against@v1", "--spine", spine, "--format", "csv").splitlines()[-1].endswith(",2.0")
    edit("models/stg_orders.sql", "ordered_at, amount,", "ordered_at, amount + 1 as amount,")
    assert kinds()["against_last"] == "values"


# -- searching -------------------------------------------------------------------------------------------------------


def test_any_text_may_be_searched_for(shop: Path) -> None:
    run("apply", "--yes")
    for words in ('carrier:delay "x C++ weath', "user's", "foo-bar", "*", '"', "a AND", "NEAR(", "-x", "\0", "(", ""):
        run("search", "--", words)


def test_search_finds_by_name_description_and_sql(shop: Path) -> None:
    assert "nothing was applied yet" in run("search", "amount")
    run("apply", "--yes")

    def found(*words: str) -> list[str]:
        return [hit["feature"] for hit in json.loads(run("search", *words, "--format", "json"))]

    assert found("newest") == ["orders:last_amount"]
    assert found("last", "am")[0] == "orders:last_amount"
    assert found("avg") == ["orders:avg_amount_7d"]
    assert found("orders", "twice") == ["orders:twice"]


def test_search_is_quick_to_start(shop: Path) -> None:
    run("apply", "--yes")
    heavy = {"duckdb", "sqlite_utils", "pandas", "sqlglot", "pyarrow", "jinja2"}
    assert "twice" in run_without(heavy, "search", "amount")


# -- nothing is lost ---------------------------------------------------------------------------------------------------

APPLIER = """
import sys
from pathlib import Path
from asknown import AsknownError, FeatureStore
view, name = Path("models/orders.sql"), sys.argv[1]
text = view.read_text()
done = 0
while done < int(sys.argv[2]):
    view_text = text.replace("amount as last_amount", f"amount + {done} as last_amount")
    store = FeatureStore(".")
    store.project.models["orders"] = store.project.models["orders"].__class__("orders", view, "orders.sql", view_text)
    try:
        if store.registry.apply(message=f"{name}:{done}", accept=["orders", "churn"]) is not None:
            print(f"{name}:{done}", flush=True)
        done += 1
    except AsknownError as error:
        assert error.code in ("registry-moved", "registry-write"), error
"""


def test_applies_side_by_side_and_kills_lose_nothing(shop: Path) -> None:
    run("apply", "--yes")
    logs = [(shop / f"log{n}").open("w+", encoding="utf-8") for n in range(4)]
    workers = [
        subprocess.Popen([forked.python(), "-c", APPLIER, f"w{n}", "6"], stdout=log, stderr=subprocess.PIPE, text=True)
        for n, log in enumerate(logs)
    ]
    lottery = random.Random(7)
    victim = workers[0]
    while victim.poll() is None and not logs_text(logs[0]):
        time.sleep(0.01)
    time.sleep(lottery.random() / 2)
    victim.send_signal(signal.SIGKILL)
    for worker in workers:
        _, said = worker.communicate()
        assert worker.returncode == 0 or worker is victim, said
    told = {line for log in logs for line in logs_text(log).split()}
    with sqlite3.connect("registry.db") as connection:
        chain = connection.execute("select n, parent, message from revision order by n").fetchall()
        assert [(n, parent) for n, parent, _ in chain] == [(n, n - 1) for n in range(1, len(chain) + 1)]
        assert told <= {message for _, _, message in chain}
        assert connection.execute("pragma integrity_check").fetchone() == ("ok",)
        connection.execute("insert into search (search) values ('integrity-check')")
    run("plan")


def logs_text(log: Any) -> str:
    log.flush()
    return Path(log.name).read_text(encoding="utf-8")


def test_a_first_apply_that_was_killed_leaves_no_registry(shop: Path) -> None:
    Path("registry.db").touch()  # as SQLite does before the first commit
    assert "Nothing of shop was applied yet" in run("plan")
    run("search", "amount")
    run("materialize")
    run("apply", "--yes")
    assert "Nothing to do" in run("plan")


def interrupt_write(path: Path) -> None:
    """Leaves the file as a process does that is killed while it writes: half written, with a journal beside it."""
    journal = path.with_name(f"{path.name}-journal")
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("pragma cache_size = 1")
    connection.execute("begin immediate")
    rows = "with recursive t (n) as (values (1) union all select n + 1 from t limit 9000) select n from t"
    connection.execute(f"create table half as {rows}")
    halves = path.read_bytes(), journal.read_bytes()
    connection.close()
    path.write_bytes(halves[0])
    journal.write_bytes(halves[1])


@pytest.mark.parametrize("command", [("plan",), ("history",), ("apply", "--yes"), ("search", "amount")])
def test_what_a_killed_apply_wrote_is_undone(shop: Path, command: tuple[str, ...]) -> None:
    run("apply", "--yes")
    interrupt_write(shop / "registry.db")
    run(*command)
    with sqlite3.connect("registry.db") as connection:
        assert connection.execute("select count(*) from revision").fetchone() == (1,)
        assert connection.execute("select count(*) from sqlite_schema where name = 'half'").fetchone() == (0,)


def test_a_killed_apply_before_a_reader_that_may_not_write(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run("apply", "--yes")
    interrupt_write(shop / "registry.db")
    connect = sqlite3.connect
    monkeypatch.setattr(
        sqlite3, "connect", lambda where, **more: connect(str(where).replace("mode=rw", "mode=ro"), **more)
    )
    shown = run("plan", code=1)
    assert "was interrupted and has to be undone" in shown
    assert "as a user who may write" in shown


def test_a_plan_that_was_overtaken_is_refused(shop: Path) -> None:
    run("apply", "--yes")
    edit("models/orders.sql", "owner='growth'", "owner='ops'")

    def overtake(_: object) -> bool:
        edit("models/orders.sql", "owner='ops'", "owner='sales'")
        run("apply", "--yes")
        return True

    with FeatureStore(".") as store, pytest.raises(AsknownError) as caught:
        store.registry.apply(confirm=overtake)
    assert caught.value.code == "registry-moved" and caught.value.hint == "asknown plan"


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to be read as one" * 30])
def test_a_file_that_is_no_registry(shop: Path, content: bytes) -> None:
    (shop / "registry.db").write_bytes(content)
    shown = run("plan", code=1)
    assert "registry" in shown and "Traceback" not in shown


def test_a_registry_that_cannot_be_written(shop: Path) -> None:
    (shop / "profiles.yml").write_text(
        "shop:\n  registry: {path: nowhere/registry.db}\n  outputs: {dev: {type: duckdb}}\n", encoding="utf-8"
    )
    assert "registry-write" in run("apply", "--yes", code=1)
    assert not (shop / "nowhere").exists()


def test_plan_shows_where_two_long_expressions_differ(shop: Path) -> None:
    run("apply", "--yes")
    edit(VIEW_FILE, "last('7 days')", "last('8 days')")
    (line,) = [line for line in run("plan").splitlines() if "~ avg_amount_7d" in line]
    before, after = line.split("values")[1].split("→")
    assert "7" in before
    assert "8" in after
