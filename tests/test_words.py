"""Features in words, as `show` and the catalogue print them."""

from __future__ import annotations

import pytest

from asknown import FeatureStore
from asknown.model.words import describe_features

WEEK = "over (partition by k order by ts range interval '7 days' preceding)"
AT_MOST = ", if it is at most 3 days old"
# A select item, and what it is in words.
ITEMS = {
    "amount": f"amount of the newest row{AT_MOST}",
    "amount * 2": f"amount * 2 of the newest row{AT_MOST}",
    f"avg(amount) {WEEK}": "average of amount over the 7 days up to the asking instant",
    f"sum(amount * 2) {WEEK}": "sum of amount * 2 over the 7 days up to the asking instant",
    f"count(*) {WEEK}": "number of rows over the 7 days up to the asking instant",
    f"count(amount) {WEEK}": "number of rows that have amount over the 7 days up to the asking instant",
    f"count_if(amount > 3) {WEEK}": "number of rows with amount > 3 over the 7 days up to the asking instant",
    f"count(distinct name) {WEEK}": "number of different values of name over the 7 days up to the asking instant",
    f"count(*) filter (where amount > 1) {WEEK}": "number of rows with amount > 1 over the 7 days up to the asking "
    "instant",
    f"sum(amount) filter (where name = 'a') {WEEK}": "sum of amount in rows with name = 'a', over the 7 days up to the "
    "asking instant",
    f"arg_max(name, amount) {WEEK}": "name where amount is greatest over the 7 days up to the asking instant",
    f"quantile_cont(amount, 0.9) {WEEK}": "quantile 0.9 of amount over the 7 days up to the asking instant",
    f"bool_or(amount > 3) {WEEK}": "whether amount > 3 holds in any row over the 7 days up to the asking instant",
    f"(list(name) {WEEK})[-3:]": "the last 3 values of name over the 7 days up to the asking instant",
    "max(amount) over (partition by k order by ts range between interval '2 days' preceding "
    "and interval '1 hour' preceding)": "greatest amount from 2 days to 1 hour before the asking instant",
    f"min(amount) {WEEK.replace('7 days', '1 hour')}": "least amount over the hour up to the asking instant",
    f"amount - min(amount) {WEEK}": "amount - a, where a is the least amount over the 7 days up to the asking instant",
}


@pytest.fixture(scope="module")
def words(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("words")
    (folder / "models").mkdir()
    items = ", ".join(f"{item} as f{place}" for place, item in enumerate(ITEMS))
    files = {
        "pyproject.toml": "[tool.asknown]\nname = 'w'\n",
        "rows.csv": "k,ts,amount,name\n1,2024-01-01,1.5,a\n",
        "models/all.yml": "sources: [{name: raw, tables: [{name: rows, path: rows.csv}]}]\n"
        "entities: [{name: e, keys: [k]}]\n",
        "models/v.sql": "{{ config(entity='e', event_time='ts', ttl='3 days') }}\n"
        f"select k, ts, {items} from {{{{ source('raw', 'rows') }}}}\n",
        "models/asked.sql": "{{ config(inputs={'paid': 'double'}) }}\n"
        "select (paid - f0) as more from {{ request('v:f0') }}\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
    with FeatureStore(folder) as store:
        found = describe_features(store.feature_view("v")) | describe_features(store.on_demand_view("asked"))
    return {item: found[f"f{place}"] for place, item in enumerate(ITEMS)} | {"asked": found["more"]}


@pytest.mark.parametrize("item", ITEMS)
def test_a_feature_in_words(words: dict[str, str], item: str) -> None:
    assert words[item] == ITEMS[item]


def test_an_on_demand_feature_in_words(words: dict[str, str]) -> None:
    assert words["asked"] == "paid - f0, computed at the moment of asking"
