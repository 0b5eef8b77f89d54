"""Tables, JSON and CSV: every value comes back, and every line fits."""

from __future__ import annotations

import csv
import io
import json
import math
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest

from asknown.cli.output import FORMATS, write_rows
from asknown.cli.table import display_width, lay_out
from asknown.cli.values import as_text
from asknown.engines.json_values import as_json

ODD_VALUES: list[tuple[Any, Any, str]] = [
    (math.nan, "NaN", "nan"),
    (math.inf, "Infinity", "inf"),
    (-0.0, -0.0, "-0.0"),
    (0.1, 0.1, "0.1"),
    (2**70, 2**70, str(2**70)),
    (Decimal("1E+3"), "1000", "1000"),
    (True, True, "true"),
    (datetime(2024, 1, 2, 3, 4, 5, 6), "2024-01-02T03:04:05.000006", "2024-01-02 03:04:05.000006"),
    (datetime(2024, 1, 2, tzinfo=UTC), "2024-01-02T00:00:00+00:00", "2024-01-02 00:00:00+00:00"),
    (date(2024, 1, 2), "2024-01-02", "2024-01-02"),
    (timedelta(hours=1), "1:00:00", "1:00:00"),
    (b"\x00\xff", "00ff", "00ff"),
    ([1, None, math.nan], [1, None, "NaN"], '[1, null, "NaN"]'),
    ({"a": Decimal("1.50")}, {"a": "1.50"}, '{"a": "1.50"}'),
    (("a", "b"), ["a", "b"], "a, b"),
    ("é\n", "é\n", "é\n"),
]


@pytest.mark.parametrize(("value", "in_json", "text"), ODD_VALUES)
def test_a_value_in_each_format(value: Any, in_json: Any, text: str) -> None:
    assert repr(as_json(value)) == repr(in_json)
    assert json.loads(json.dumps(as_json(value), allow_nan=False)) == in_json
    assert as_text(value) == text


@pytest.mark.parametrize("kind", FORMATS)
def test_rows_written_come_back(kind: str, tmp_path: Path) -> None:
    columns = ["n", 'odd "name", too', "text"]
    rows = [(1, None, "a,b"), (-20, "", 'say "x"'), (None, " padded ", "two\nlines")]
    path = tmp_path / "out"
    assert write_rows(kind, columns, iter(rows), path=path) == 3  # type: ignore[arg-type]
    text = path.read_text(encoding="utf-8")
    if kind == "json":
        assert json.loads(text) == [dict(zip(columns, row, strict=True)) for row in rows]
    elif kind == "csv":
        head, *found = csv.reader(io.StringIO(text, newline=""))
        assert head == columns
        assert found == [[("" if v is None else str(v)) for v in row] for row in rows]
        assert duckdb.sql(f"select count(*), count(n) from read_csv('{path}')").fetchall() == [(3, 2)]
    else:
        assert text.splitlines()[2:] == [
            "   1  NULL             a,b",
            ' -20                   say "x"',
            "NULL   padded          two\\nlines",
        ]


def test_a_single_null_is_still_a_row_of_csv(tmp_path: Path) -> None:
    path = tmp_path / "out"
    write_rows("csv", ["x"], [(None,), (1,)], path=path)
    assert list(csv.reader(path.open())) == [["x"], [""], ["1"]]


def test_a_table_lines_up_wide_characters() -> None:
    lines = lay_out(["city", "n"], [("東京", 1), ("Zürich", 20), ("e\u0301", None)])
    assert {display_width(line) for line in lines} == {12}
    assert lines[2] == "東京       1"


def test_a_table_lets_no_value_move_the_cursor() -> None:
    assert lay_out(["x"], [("\x1b[2Ja\tb",)])[2] == "\\x1b[2Ja\\tb"


def test_a_table_too_wide_is_cut_or_turned() -> None:
    rows = [(f"name{i}", "x" * 50) for i in range(3)]
    cut = lay_out(["name", "description"], rows, width=40, shorten=True)
    assert all(display_width(line) <= 40 for line in cut)
    assert cut[2].endswith("…")
    turned = lay_out([f"column{i}" for i in range(9)], [tuple(range(100, 109)), (None,) * 9, (1,) * 9], width=20)
    assert all(display_width(line) <= 20 for line in turned)
    assert turned[0] == "column0  100  NULL"
    assert turned[10:12] == ["column0  1", "column1  1"]
    assert sum(line.startswith("column8") for line in turned) == 2
    assert lay_out(["a" * 30, "b"], [], width=20) == ["a" * 30, "b"]
