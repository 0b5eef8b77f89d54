"""`asknown test --accept` changes the values that a test expects, and no other byte of its file."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from asknown import FeatureStore
from asknown.project.expectations import spell_value, unit_test_of, with_rows, with_values
from asknown.project.values import to_plain
from asknown.project.yaml import read_yaml
from asknown.store import accepting, unit_tests

YML = """sources: [{name: raw, tables: [{name: orders, path: orders.csv}]}]
entities: [{name: customer, keys: [{name: customer_id, data_type: bigint}]}]
unit_tests:
  - name: newest
    view: orders
    given:
      - input: source('raw', 'orders')
        rows: [{customer_id: 1, ordered_at: '2024-01-01', amount: 5.5, note: ä}]
    spine: {rows: [{customer_id: 1, event_timestamp: '2024-01-02'}]}
    expect: {rows: [{last_amount: 5, last_note: b}]}   # the newest
"""
FILES = {
    "pyproject.toml": '[tool.asknown]\nname = "shop"\n',
    "orders.csv": "customer_id,ordered_at,amount,note\n1,2024-01-01 00:00,5.5,a\n",
    "models/orders.sql": "{{ config(entity='customer', event_time='ordered_at') }}\n"
    "select customer_id, ordered_at, amount as last_amount, note as last_note from {{ source('raw', 'orders') }}\n",
    "models/shop.yml": YML,
}


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text, encoding="utf-8")
    return tmp_path


def accept(shop: Path) -> accepting.Acceptance:
    with FeatureStore(shop) as store:
        (accepted,) = store.checks.accept_unit_tests()
    return accepted


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_all_other_bytes_stay(shop: Path, end: str, mark: bytes) -> None:
    file = shop / "models" / "shop.yml"
    file.write_bytes(mark + YML.replace("\n", end).encode())
    file.chmod(0o640)
    accepted = accept(shop)
    assert accepted.changes == ("row 1: last_amount was 5.0, is 5.5", "row 1: last_note was 'b', is 'ä'")
    assert accepted.result.outcome == "pass"
    written = YML.replace("last_amount: 5, last_note: b", "last_amount: 5.5, last_note: 'ä'")
    assert file.read_bytes() == mark + written.replace("\n", end).encode()
    assert file.stat().st_mode & 0o777 == 0o640
    assert accept(shop).changes == ()


def test_nothing_is_written_where_the_ends_differ(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = unit_tests.load_views

    def stale(catalog: Any, views: Any, options: Any) -> Any:
        for name in views:
            catalog._views[name] = replace(catalog.view(name), ttl=1)
        return real(catalog, views, options)

    monkeypatch.setattr(unit_tests, "load_views", stale)
    accepted = accept(shop)
    assert accepted.result.outcome == "error"
    assert "the ends of unit test 'newest' differ" in accepted.result.details[0]
    assert (shop / "models" / "shop.yml").read_text(encoding="utf-8") == YML


def test_a_file_that_is_edited_meanwhile_stays(shop: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = shop / "models" / "shop.yml"
    real = accepting.with_values

    def editing(*arguments: Any) -> str:
        file.write_text(YML + "# more\n", encoding="utf-8")
        return real(*arguments)

    monkeypatch.setattr(accepting, "with_values", editing)
    assert "edited meanwhile" in accept(shop).result.details[0]
    assert file.read_text(encoding="utf-8") == YML + "# more\n"


VALUES = [
    None,
    True,
    0,
    -(2**63),
    10**38,
    0.1 + 0.2,
    1e-7,
    1e300,
    -0.0,
    Decimal("0.10000000000000000001"),
    Decimal("12.50"),
    Decimal("1E-9"),
    "plain",
    "it's",
    "null",
    "12",
    "",
    " a: b # c",
    'quo"te\\',
    "two\nlines\ttab\r",
    "\x07bell\u2028\ufeff😀\x85",
    date(2024, 1, 31),
    datetime(2024, 1, 31, 12, 0, 0, 1),
    time(12, 30),
    [1, None, "a, b", [0.5]],
    {"a b": 1, "null": "x", "n": [{"c": None}]},
]


def plainly(value: Any) -> Any:
    """The value as a YAML file can hold it: texts of instants, and of numbers with too many digits."""
    match value:
        case datetime() | date() | time():
            return str(value)
        case Decimal():
            short = float(value)
            return short if Decimal(repr(short)) == value and "e" not in repr(short) else format(value, "f")
        case int() if not isinstance(value, bool) and abs(value) >= 10**30:
            return str(value)
    return value


@pytest.mark.parametrize("value", VALUES, ids=repr)
@pytest.mark.parametrize("text", ["a: VALUE\n", "a: {b: [VALUE], c: 1}\n", "a:\n  - VALUE # why\n"])
def test_a_value_is_read_as_it_was(value: Any, text: str) -> None:
    document = read_yaml(text.replace("VALUE", spell_value(value)).encode(), "t.yml")
    assert document is not None
    expected: Any = {"a: V": plainly(value), "a: {": {"b": [plainly(value)], "c": 1}, "a:\n ": [plainly(value)]}
    assert repr(to_plain(document)) == repr({"a": expected[text[:4]]})


BLOCKS = """unit_tests:
  - name: one
    model: m
    expect:
      rows:
        - a:
          b: |
            text
        - {a: [1,
               2], b: "x"}   # two

  - {name: two, model: m, expect: {rows: }}
"""


def test_values_of_every_layout() -> None:
    test = unit_test_of(BLOCKS, "t.yml", "one")
    edited = with_values(BLOCKS, test, {(0, "a"): 1, (1, "a"): None, (1, "b"): [2]})
    assert unit_test_of(edited, "t.yml", "one").expect.rows == ({"a": 1, "b": "text\n"}, {"a": None, "b": [2]})
    assert edited == BLOCKS.replace("- a:", "- a: 1").replace("[1,\n               2]", "null").replace('"x"', "[2]")


def test_rows_of_every_layout() -> None:
    rows = ({"a": 1}, {"a": "x"})
    one, two = (unit_test_of(BLOCKS, "t.yml", name) for name in ("one", "two"))
    edited = with_rows(with_rows(BLOCKS, one, rows), two, rows)
    assert [unit_test_of(edited, "t.yml", name).expect.rows for name in ("one", "two")] == [rows, rows]
    assert "        - {a: 1}\n        - {a: 'x'}   # two\n" in edited
