"""Texts of every code point: lower(), upper() and trim() give on each engine what DuckDB gives."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest

from asknown import AsknownError, FeatureStore
from engines.harness import Warehouse

# U+F0000 to U+F01FF are refused on ClickHouse and Spark; UTF-8 has no surrogates, and Postgres no NUL.
POINTS = [p for p in range(1, 0x110000) if not 0xD800 <= p <= 0xDFFF and not 0xF0000 <= p <= 0xF01FF]
WORDS = [
    "ΟΔΟΣ",
    "ΣΑΣ ΣΑΣ",
    "İstanbul",
    "Straße",
    "ŉ ǰ ΐ",
    "ﬁﬂ",
    "ĲSSEL",
    "i̇I",
    "ǅ",
    "ΑΙ ᾳ",
    " \u00a0x\u3000 ",
    "\tx\n",
    "",
]
EXPRESSIONS = {
    "low": "lower(s)",
    "up": "upper(s)",
    "both": "trim(s)",
    "left_side": "ltrim(s)",
    "right_side": "rtrim(s)",
    "of_letters": "trim(s, 'xX')",
    "turned": "upper(lower(s))",
}


@pytest.fixture(scope="module")
def rows() -> pa.Table:
    """Sixteen letters a row, alone and between others, and some words."""
    texts = ["".join(map(chr, POINTS[start : start + 16])) for start in range(0, len(POINTS), 16)]
    texts = [*texts, *(" ".join(text) for text in texts[:900]), *(f"x{text[:1]}X" for text in texts), *WORDS]
    ids = pa.array(range(len(texts)), pa.int64())
    return pa.table({"id": ids, "seen": pa.array([datetime(2024, 1, 1)] * len(texts), pa.timestamp("us")), "s": texts})


def ask(folder: Path, target: dict[str, Any], identifier: str) -> pa.Table:
    (folder / "models").mkdir()
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "letters"\n')
    (folder / "profiles.yml").write_text(json.dumps({"letters": {"outputs": {"dev": target}}}))
    tables = [{"name": "texts", "identifier": identifier}]
    properties = {"sources": [{"name": "raw", "tables": tables}], "entities": [{"name": "id"}]}
    (folder / "models" / "models.yml").write_text(json.dumps(properties))
    items = ", ".join(f"{expression} as {name}" for name, expression in EXPRESSIONS.items())
    config = "{{ config(entity='id', event_time='seen') }}\n"
    (folder / "models" / "v.sql").write_text(f"{config}select id, seen, {items} from {{{{ source('raw', 'texts') }}}}")
    spine = "select id, seen as event_timestamp from {{ source('raw', 'texts') }}"
    with FeatureStore(folder) as store:
        return store.get_historical_features(spine, ["v"]).to_arrow().sort_by("id")


def test_every_letter(warehouse: Warehouse, rows: pa.Table, tmp_path: Path) -> None:
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    with duckdb.connect(str(tmp_path / "here" / "warehouse.duckdb")) as connection:
        connection.register("incoming", rows)
        connection.execute("create table texts as select * from incoming")
    warehouse.load(tmp_path, {"texts": rows})
    expected = ask(tmp_path / "here", {"type": "duckdb", "path": "warehouse.duckdb"}, "main.texts")
    found = ask(tmp_path / "there", warehouse.target(tmp_path), f"{warehouse.schema}.texts")
    for name in EXPRESSIONS:
        pairs = zip(expected[name].to_pylist(), found[name].to_pylist(), rows["s"].to_pylist(), strict=True)
        wrong = [(text, here, there) for here, there, text in pairs if here != there]
        assert not wrong, f"{name}: {len(wrong)}: {wrong[:5]}"


def test_a_private_letter_is_refused_or_kept(warehouse: Warehouse, tmp_path: Path) -> None:
    times = pa.array([datetime(2024, 1, 1)], pa.timestamp("us"))
    warehouse.load(tmp_path, {"texts": pa.table({"id": [1], "seen": times, "s": ["a\U000f0001İ"]})})
    try:
        found = ask(tmp_path, warehouse.target(tmp_path), f"{warehouse.schema}.texts")
    except AsknownError as error:
        assert "private use" in error.message, error
    else:
        assert found["low"].to_pylist() == ["a\U000f0001i"]
