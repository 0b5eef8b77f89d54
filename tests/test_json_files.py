"""An integer in a JSON file is read as it is written, or named in an error; it never becomes another number."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from asknown import FeatureStore
from asknown.errors import AsknownError

BIG = 2**64 - 1
UUID = "550e8400-e29b-41d4-a716-44665544000f"


def read(folder: Path, text: str) -> list[dict[str, Any]]:
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "j"\n')
    (folder / "models").mkdir(exist_ok=True)
    source = "sources: [{name: s, tables: [{name: t, path: t.jsonl}]}]"
    (folder / "models" / "s.yml").write_text(source)
    (folder / "models" / "m.sql").write_text("select * from {{ source('s', 't') }}\n")
    (folder / "t.jsonl").write_text(text)
    with FeatureStore(folder) as store:
        return store.preview("m").to_pylist()


@pytest.mark.parametrize(
    ("text", "values"),
    [
        (f'{{"v": {BIG}}}\n{{"v": -1}}\n', [BIG, -1]),
        ('{"v": 1234567890123456}\n{"v": 0.5}\n', [1234567890123456.0, 0.5]),
        ('{"v": 9007199254740992}\n{"v": 0.5}\n', [2.0**53, 0.5]),
        ('{"v": 9007199254740993.5}\n{"v": 1e300}\n', [9007199254740993.5, 1e300]),
        ('{"v": [1.5, 12]}\n{"v": null}\n', [[1.5, 12.0], None]),
        (f'{{"v": "{BIG}"}}\n', [str(BIG)]),
        ('{"v": 1}\n{"v": "a"}\n{"v": true}\n{"v": null}\n', ["1", "a", "true", None]),
        ('{"v": {"a": 1}}\n{"v": {"a": "b"}}\n', [{"a": "1"}, {"a": "b"}]),
        ('{"v": [1, "a"]}\n{"v": [2]}\n', [["1", "a"], ["2"]]),
        ('{"v": {"a": 1}}\n{"v": "none"}\n', ['{"a":1}', "none"]),
        (f'{{"v": "{UUID}"}}\n{{"v": "{UUID.upper()}"}}\n', [UUID, UUID.upper()]),
    ],
)
def test_what_can_be_kept_is_kept(tmp_path: Path, text: str, values: list[Any]) -> None:
    assert [row["v"] for row in read(tmp_path, text)] == values


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (f'{{"v": 1}}\n{{"v": {10**39}}}\n', 10**39),
        (f'{{"v": {BIG + 2}}}\n{{"v": -1}}\n', BIG + 2),
        ('{"v": 9007199254740993}\n{"v": 0.5}\n', 2**53 + 1),
        ('{"v": -9007199254740993}\n{"v": 1e3}\n', -(2**53) - 1),
        ('{"v": {"a": [1.5, 9007199254740993]}}\n', 2**53 + 1),
        ('{"v": [1, 9007199254740992, 9007199254740993, 0.5]}\n', 2**53 + 1),
    ],
)
def test_what_a_float_would_change_is_named(tmp_path: Path, text: str, value: int) -> None:
    with pytest.raises(AsknownError) as caught:
        read(tmp_path, text)
    assert caught.value.code == "file-value"
    assert "t.jsonl: column 'v' has the integer " in caught.value.message
    assert f"integer {value}, which" in caught.value.message


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"v": "01-06-2024"}\n', "column 'v' has a date in an ambiguous order: 01-06-2024"),
        ('{"v": {"at": "2024-01-01T10:00:00.1234567Z"}}\n', "column 'v' has a time that is not a whole microsecond"),
        ('{"v": "10:00:00.1234567"}\n', "column 'v' has a time that is not a whole microsecond"),
        ('{"v": 0.12345678901234567890123}\n', "has the number 0.12345678901234567890123, which would be"),
        ('{"v": 1e400}\n', "has the number 1e400, which would be"),
        ('{"v": 1e-400}\n', "has the number 1e-400, which would be"),
        ('{"v": 1, "v": 2}\n', "t.jsonl, line 1: an object has the key 'v' twice"),
        (
            '{"v": 9007199254740993.5}\n{"v": "a"}\n{"v": 36893488147419103233}\n',
            "has the integer 36893488147419103233",
        ),
        ('{"v": 1}\n{"V": 2}\n', "has the keys 'V' and 'v', which are one name in SQL"),
    ],
)
def test_what_would_be_read_otherwise_is_named(tmp_path: Path, text: str, message: str) -> None:
    with pytest.raises(AsknownError) as caught:
        read(tmp_path, text)
    assert caught.value.code == "file-value" and message in caught.value.message and caught.value.hint


def test_numbers_in_texts_are_none(tmp_path: Path) -> None:
    text = '{"v": 1.5, "note": "pi: 3.14159265358979323846, \\"e\\": 1e999", "v_1": 2}\n'
    (row,) = read(tmp_path, text)
    assert row["v"] == 1.5 and row["v_1"] == 2 and "3846" in row["note"]
