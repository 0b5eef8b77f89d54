"""Columns of types that only Postgres knows: unread they do not matter, enums are text, the rest wants a cast."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pyarrow as pa
import pytest

from asknown import FeatureStore
from asknown.engines.postgres import Postgres
from asknown.errors import AsknownError
from engines.conftest import named_engines
from engines.harness import Warehouse, read_options

if "postgres" not in named_engines():
    pytest.skip("ASKNOWN_ENGINES does not name postgres", allow_module_level=True)

COLUMNS = {
    "mood": ("odd_mood", "'ok'"),
    "moods": ("odd_mood[]", "'{ok}'"),
    "enum_like": ("enum_state", "'on'"),
    "pair": ("odd_pair", "(1, 'x')"),
    "code": ("char(4)", "'ab'"),
    "price": ("money", "1.5"),
    "span": ("int4range", "'[1,3)'"),
    "words": ("tsvector", "'a'"),
    "ip": ("inet", "'10.0.0.1'"),
    "mac": ("macaddr", "'08:00:2b:01:02:03'"),
    "wide": ("numeric(50,3)", "1.5"),
    "doc": ("jsonb", "'{\"a\": 1}'"),
    "page": ("xml", "null"),
    "lasts": ("interval", "'1 day'"),
    "clock": ("timetz", "'10:00+01'"),
    "bits": ("bit(3)", "b'101'"),
    "place": ("point", "'(1,2)'"),
    "object": ("oid", "7"),
}
PROJECT = {
    "pyproject.toml": '[tool.asknown]\nname = "shop"\n',
    "models/shop.yml": """
sources: [{name: shop, tables: [{name: odd, identifier: scratch.odd}]}]
entities: [{name: customer, keys: [customer_id]}]
""",
    "models/everything.sql": "select * from {{ source('shop', 'odd') }}",
}
SPINE = pa.table({"customer_id": [1], "event_timestamp": pa.array([10**15 * 2], pa.timestamp("us"))})


@pytest.fixture(scope="module")
def options(running: dict[str, Warehouse]) -> Iterator[dict[str, str]]:
    """How to reach a table with every odd column."""
    found = dict(running["postgres"].options) | {"schema": "scratch"}
    engine = Postgres(read_options("postgres", found, Path()), Path(), writable=True)  # type: ignore[arg-type]
    engine._do("CREATE TYPE odd_mood AS ENUM ('sad', 'ok')")
    engine._do("CREATE TYPE enum_state AS ENUM ('on')")
    engine._do("CREATE TYPE odd_pair AS (a INT, b TEXT)")
    columns = ", ".join(f"{value}::{kind} AS {name}" for name, (kind, value) in COLUMNS.items())
    first = "1::bigint AS customer_id, timestamp '2024-01-01' AS seen_at"
    engine._do(f"CREATE TABLE odd AS SELECT {first}, 0.5::float8 AS amount, {columns}")
    yield found
    engine._do("DROP SCHEMA scratch CASCADE")
    engine.close()


Features = Callable[[str], dict[str, object]]


@pytest.fixture
def features(options: dict[str, str], tmp_path: Path) -> Features:
    """The features of a view with these items of its select, as of later."""
    for name, text in PROJECT.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    profile = {"outputs": {"dev": {"type": "postgres", **options}}}
    (tmp_path / "profiles.yml").write_text(json.dumps({"shop": profile}))

    def train(items: str) -> dict[str, object]:
        head = "{{ config(entity='customer', event_time='seen_at') }}\n"
        (tmp_path / "models" / "v.sql").write_text(
            f"{head}select customer_id, seen_at, {items} from {{{{ ref('everything') }}}}"
        )
        with FeatureStore(tmp_path) as store:
            (row,) = store.get_historical_features(SPINE, ["v"]).to_arrow().drop(SPINE.column_names).to_pylist()
            return dict(row)

    return train


def test_unread_columns_do_not_matter(features: Features) -> None:
    assert features("amount, avg(amount) over {{ last('400 days') }} as a") == {"amount": 0.5, "a": None}


def test_enums_and_char_are_text(features: Features) -> None:
    found = features("mood, enum_like, code, length(code) as n, mood = 'ok' as fine, upper(enum_like) as state")
    assert found == {"mood": "ok", "enum_like": "on", "code": "ab", "n": 2, "fine": True, "state": "ON"}


def test_a_cast_to_text_is_what_the_engine_says(features: Features) -> None:
    casts = ("pair", "span", "words", "ip", "mac", "bits", "place", "wide", "object")
    found = features(", ".join(f"cast({name} as varchar) as {name}" for name in casts) + ", price is null as free")
    assert found == {
        **{"pair": "(1,x)", "span": "[1,3)", "words": "'a'", "ip": "10.0.0.1/32", "mac": "08:00:2b:01:02:03"},
        **{"bits": "101", "place": "(1,2)", "wide": "1.500", "object": "7", "free": False},
    }


@pytest.mark.parametrize("name", ["moods", "pair", "price", "span", "words", "ip", "mac", "wide", "clock", "page"])
def test_anything_else_says_to_cast(features: Features, name: str) -> None:
    for items in (
        name,
        f"{name} = '1' as x",
        f"coalesce({name}, null) as x",
        f"max({name}) over {{{{ last('1 day') }}}} as x",
    ):
        with pytest.raises(AsknownError) as caught:
            features(items)
        assert caught.value.code == "unsupported-type", caught.value
        assert f"cast({name} as varchar)" in (caught.value.hint or "")
        assert items == name or caught.value.at is not None


def test_json(features: Features) -> None:
    found = features("json_extract_string(doc, '$.a') as a, doc ->> 'a' as b, doc is null as none, doc")
    assert found == {"a": "1", "b": "1", "none": False, "doc": '{"a": 1}'}
