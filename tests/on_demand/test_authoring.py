"""What is refused in an on-demand view: one clear error for each mistake, at its place."""

from __future__ import annotations

import pytest

from asknown import AsknownError
from on_demand.conftest import Make

AMOUNT = "{{ config(inputs={'amount': 'double'}) }}\n"

MISTAKES = {
    "unknown view": (AMOUNT + "select amount from {{ request('basket', 'nothing') }}", "unknown-service", "'nothing'"),
    "unknown feature": (
        AMOUNT + "select amount as x from {{ request('customer_orders:nothing') }}",
        "unknown-feature",
        "'nothing'",
    ),
    "unknown column": (
        AMOUNT + "select amount / last_amont as x from {{ request('customer_orders') }}",
        "bad-model",
        "no column 'last_amont' in its request\n(.*\n)*.*did you mean 'last_amount'",
    ),
    "window": (
        AMOUNT + "select avg(amount) over (order by asked_at) as x from {{ request() }}",
        "bad-model",
        "a window in 'x'",
    ),
    "aggregate": (AMOUNT + "select sum(amount) as x from {{ request() }}", "bad-model", "an aggregate in 'x'"),
    "subquery": (AMOUNT + "select (select 1) as x from {{ request() }}", "bad-model", "a subquery in 'x'"),
    "where": (AMOUNT + "select amount + 1 as x from {{ request() }} where amount > 1", "bad-model", "has WHERE"),
    "join": (AMOUNT + "select amount + 1 as x from {{ request() }} join t on true", "bad-model", "has a JOIN"),
    "star": (AMOUNT + "select * from {{ request() }}", "bad-model", "selects \\*"),
    "no name": (AMOUNT + "select amount + 1 from {{ request() }}", "bad-model", "an item without a name"),
    "two of one name": (
        AMOUNT + "select amount + 1 as x, 2 as X from {{ request() }}",
        "duplicate-column",
        "'x' and 'X'",
    ),
    "a key again": (
        AMOUNT + "select customer_id, amount + 1 as x from {{ request('basket') }}",
        "name-clash",
        "the name of a key",
    ),
    "an input again": (AMOUNT + "select amount, 1 as x from {{ request() }}", "name-clash", "the name of an input"),
    "now": (AMOUNT + "select now() > asked_at as x from {{ request() }}", "clock", "write asked_at"),
    "current_date": (AMOUNT + "select current_date as x from {{ request() }}", "clock", "current_date"),
    "random": (AMOUNT + "select random() as x from {{ request() }}", "chance", "random"),
    "regular expression": (
        "{{ config(inputs={'word': 'varchar'}) }} select regexp_matches(word, 'a') as x from {{ request() }}",
        "not-online",
        "like",
    ),
    "not the same in serving": (
        "{{ config(inputs={'word': 'varchar'}) }} select md5(word) as x from {{ request() }}",
        "not-online",
        "feature 'x' of on-demand view 'wrong' would not be the same in serving",
    ),
    "ref": (
        AMOUNT + "select amount + 1 as x from {{ ref('customer_profile') }}",
        "bad-model",
        "reads a model or a source",
    ),
    "no request": (AMOUNT + "select 1 as x", "bad-model", "does not read the request"),
    "itself": (AMOUNT + "select amount + 1 as x from {{ request('wrong') }}", "cycle", "wrong → wrong"),
    "name clash": (
        AMOUNT + "select last_amount > 1 as x from {{ request('customer_orders:last_amount', 'other:last_amount') }}",
        "name-clash",
        "request\\(…, full_names=true\\)",
    ),
    "input clash": (
        "{{ config(inputs={'last_amount': 'double'}) }} select 1 as x from {{ request('customer_orders') }}",
        "name-clash",
        "rename the input",
    ),
    "two types of an input": (
        "{{ config(inputs={'amount': 'bigint'}) }} select unusual as x from {{ request('basket') }}",
        "name-clash",
        "of two types, BIGINT and DOUBLE",
    ),
    "an input that is a key": (
        "{{ config(inputs={'customer_id': 'bigint'}) }} select unusual as x from {{ request('basket') }}",
        "name-clash",
        "the key 'customer_id' and the input 'customer_id'",
    ),
    "two requests": (
        AMOUNT + "select 1 as x from {{ request() }}, {{ request() }}",
        "bad-model",
        "calls request\\(\\) twice",
    ),
    "no config": ("select 1 as x from {{ request() }}", "bad-model", "is not an on-demand view"),
    "entity too": (
        "{{ config(entity='customer', inputs={}) }} select 1 as x from {{ request() }}",
        "bad-config",
        "entity and inputs",
    ),
    "a ttl": ("{{ config(inputs={}, ttl='3 days') }} select 1 as x from {{ request() }}", "bad-config", "ttl"),
    "materialized": (
        "{{ config(inputs={}, materialized='table') }} select 1 as x from {{ request() }}",
        "bad-config",
        "no rows",
    ),
    "an unknown type": (
        "{{ config(inputs={'a': 'money'}) }} select a as x from {{ request() }}",
        "unsupported-type",
        "'money'",
    ),
    "asked_at as an input": (
        "{{ config(inputs={'asked_at': 'timestamp'}) }} select 1 as x from {{ request() }}",
        "bad-config",
        "asked_at",
    ),
    "inputs as a list": ("{{ config(inputs=['a']) }} select 1 as x from {{ request() }}", "wrong-type", "a mapping"),
    "request of no text": (AMOUNT + "select 1 as x from {{ request(1) }}", "wrong-type", "names in quotes"),
}

OTHER = "{{ config(inputs={'amount': 'double'}) }} select amount as last_amount from {{ request() }}"


@pytest.mark.parametrize("name", MISTAKES)
def test_each_mistake_has_one_clear_error(make: Make, name: str) -> None:
    text, code, said = MISTAKES[name]
    with make(wrong=text, other=OTHER) as store:
        with pytest.raises(AsknownError, match=said) as caught:
            store.columns("wrong")
        assert caught.value.code == code
        assert caught.value.at is not None
        assert caught.value.at.path == "models/wrong.sql"
        assert caught.value.at.line
        findings = [finding for finding in store.check() if finding.model == "wrong"]
        assert [finding.code for finding in findings] == [code]


def test_views_that_read_each_other_in_a_circle(make: Make) -> None:
    one = "{{ config(inputs={}) }} select b as a from {{ request('two') }}"
    two = "{{ config(inputs={}) }} select a as b from {{ request('one') }}"
    with pytest.raises(AsknownError, match="circle: one → two → one") as caught:
        make(one=one, two=two).columns("one")
    assert caught.value.code == "cycle"


def test_a_model_cannot_refer_to_an_on_demand_view(make: Make) -> None:
    with pytest.raises(AsknownError, match="refers to on-demand view 'basket', which has no rows") as caught:
        make(plain="select * from {{ ref('basket') }}").columns("plain")
    assert caught.value.at is not None
    assert caught.value.at.column


def test_a_model_called_request_is_none_of_its_business(make: Make) -> None:
    store = make(request="select 1 as one")
    assert [name for name, _ in store.columns("basket")] == [
        "amount_against_usual", "unusual", "elsewhere", "has_ordered",
    ]  # fmt: skip


def test_the_project_is_clean(make: Make) -> None:
    assert [finding for finding in make().check() if finding.severity != "information"] == []
