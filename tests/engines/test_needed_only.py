"""A request translates only what it needs: no sibling column, and nothing upstream that it does not read."""

from __future__ import annotations

import json

import pytest
from sqlglot import exp, parse_one

from asknown import AsknownError, FeatureStore
from asknown.emit.translate.prune import prune

COLUMNS = "customer bigint, seen timestamp, amount double, cents bigint, word varchar, vip boolean"
MODELS = {
    "cleaned": "select customer, seen, cents, word, vip, levenshtein(word, 'a') as far, amount "
    "from {{ source('s', 'o') }}",
    "starred": "with all_of as (select * from {{ ref('cleaned') }}) select *, hash(word) as hashed from all_of",
    "joined": "select a.customer, a.seen, a.cents, b.cents as other, b.far from {{ ref('cleaned') }} as a "
    "join {{ ref('cleaned') }} as b using (customer, seen)",
    "stacks": "select customer, seen, cents, bar(cents, 0, 10) as drawn from {{ ref('cleaned') }} "
    "union all select customer, seen, cents + 1, word from {{ ref('cleaned') }}",
    "one_of": "select distinct customer, seen, cents, hash(word) as hashed from {{ ref('cleaned') }}",
}
VIEWS = {
    "plain": "select customer, seen, cents, hash(word) as hashed from {{ ref('cleaned') }}",
    "through": "select customer, seen, cents, hashed from {{ ref('starred') }}",
    "merged": "select customer, seen, cents, other, far from {{ ref('joined') }}",
    "stacked": "select customer, seen, cents, drawn from {{ ref('stacks') }}",
    "unlike": "select customer, seen, cents, hashed from {{ ref('one_of') }}",
    "windows": "select customer, seen, sum(cents) over {{ last('1 day') }} as cents, "
    "entropy(word) over {{ last('1 day') }} as mixed, "
    "max(hash(word)) over {{ last('1 day') }} as hashed from {{ ref('cleaned') }}",
    "first_refused": "select customer, seen, hash(word) as hashed, cents from {{ ref('cleaned') }}",
}
DIALECTS = ("snowflake", "bigquery", "redshift", "trino", "postgres", "spark", "clickhouse")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> FeatureStore:
    folder = tmp_path_factory.mktemp("needed")
    (folder / "models").mkdir()
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "needed"\n')
    (folder / "profiles.yml").write_text(json.dumps({"needed": {"outputs": {"dev": {"type": "snowflake"}}}}))
    columns = [dict(zip(("name", "data_type"), each.split(" "), strict=True)) for each in COLUMNS.split(", ")]
    table = {"name": "o", "identifier": "shop.orders", "columns": columns}
    properties = {"sources": [{"name": "s", "tables": [table]}], "entities": [{"name": "customer"}]}
    (folder / "models" / "m.yml").write_text(json.dumps(properties))
    for name, text in MODELS.items():
        (folder / "models" / f"{name}.sql").write_text(text)
    for name, text in VIEWS.items():
        config = "{{ config(entity='customer', event_time='seen') }}\n"
        (folder / "models" / f"{name}.sql").write_text(config + text)
    return FeatureStore(folder)


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("view", ["plain", "through", "merged", "stacked", "windows"])
def test_a_sibling_or_an_unread_column_is_not_translated(store: FeatureStore, view: str, dialect: str) -> None:
    sql = store.compile_service([f"{view}:cents"], dialect=dialect).lower()
    assert "levenshtein" not in sql and "hash(" not in sql and "bar(" not in sql and "entropy" not in sql
    with pytest.raises(AsknownError) as caught:
        store.compile_service([view], dialect=dialect)
    assert caught.value.code == "not-in-dialect"


@pytest.mark.parametrize("view", ["unlike", "first_refused"])
def test_what_a_row_or_a_tie_depends_on_is_needed(store: FeatureStore, view: str) -> None:
    with pytest.raises(AsknownError) as caught:
        store.compile_service([f"{view}:cents"], dialect="postgres")
    assert caught.value.code == "not-in-dialect"


@pytest.mark.parametrize(
    ("query", "kept"),
    [
        ("select a, b, c from t", "SELECT a FROM t"),
        ("select distinct a, b from t", "SELECT DISTINCT a, b FROM t"),
        ("select a, b from t order by b", "SELECT a, b FROM t ORDER BY b"),
        ("select a, b from t order by 2", "SELECT a, b FROM t ORDER BY 2"),
        ("select a, b + 1 as c, c * 2 as d from t where c > 1", "SELECT a, b + 1 AS c FROM t WHERE c > 1"),
        ("select a, count(*) as n from t group by a", "SELECT a FROM t GROUP BY a"),
        ("select max(a) as a, count(*) as n from t", "SELECT MAX(a) AS a, COUNT(*) AS n FROM t"),
        ("select a, unnest(l) as n from t", "SELECT a, UNNEST(l) AS n FROM t"),
        ("select b, c from t", "SELECT b FROM t"),
        ("select a, b from t union select a, c from u", "SELECT a, b FROM t UNION SELECT a, c FROM u"),
        ("select a, b from t union all select c, d from u", "SELECT a FROM t UNION ALL SELECT c FROM u"),
        ("with x as (select a, b from t) select * from x", "WITH x AS (SELECT a FROM t) SELECT * FROM x"),
        (
            "with x as (select a, b from t) select distinct * from x",
            "WITH x AS (SELECT a, b FROM t) SELECT DISTINCT * FROM x",
        ),
        (
            "with x as (select a, b from t) select * exclude (b) from x",
            "WITH x AS (SELECT a, b FROM t) SELECT * EXCLUDE (b) FROM x",
        ),
        ("select a, lag(b) over (order by c) as d from t", "SELECT a FROM t"),
    ],
)
def test_prune(query: str, kept: str) -> None:
    tree = parse_one(query, read="duckdb")
    assert isinstance(tree, exp.Query)
    assert prune(tree, frozenset(("a",))).sql("duckdb") == kept
