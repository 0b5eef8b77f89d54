"""On-demand expressions on each engine, over rows of edges: what the reader computes, or a listed gap."""

from __future__ import annotations

import json
import math
import random
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
import sqlglot

from asknown import AsknownError, FeatureStore
from asknown.model.expressions.write import portable
from asknown.types import parse_type
from asknown.values.errors import EvaluationError
from asknown.values.expressions import compile_expression
from engines.harness import Warehouse
from on_demand.grammar import COLUMNS, make_rows
from on_demand.test_on_demand_expressions import APPENDIX

LISTS = ("tags", "codes")  # inputs of a spine that not every engine keeps
NEARLY = ("asin", "ln(", "log10", "exp(", "pow(", "sin(", "cos(")
"""What comes from the engine's own library of mathematics agrees to 1e-12."""
GAPS = {
    "postgres": {
        "amount/nullif(n,0)": "a quotient below the least double stops the query",
        "2*6371*asin(sqrt(pow(sin(radians(lat-40.7)/2),2)+cos(radians(lat))*cos(radians(40.7))"
        "*pow(sin(radians(amount+74)/2),2)))": "infinity stops sin()",
        "trim(name)": "strips U+0020 alone, and no other space",
        "ln(amount+1)": "a negative number stops ln()",
        "log10(amount)": "zero stops log()",
        "exp(-amount)": "a result below the least double stops exp()",
        "pow(amount,2)": "a result below the least double stops power()",
        "name::int": "texts such as 1e3 stop the cast",
        "try_cast(name as int)": "refused: there is no TRY_CAST",
        "contains(lower(name),'x')": "the collation of lower() does not parse there",
        "sqrt(amount)": "a negative number stops sqrt()",
    }
}
"""By engine: what it does not compute as the reader does, and why. Only engines that are listed here are asked."""


def test_an_engine_computes_what_the_reader_does(warehouse: Warehouse, tmp_path: Path) -> None:
    if warehouse.name not in GAPS:
        pytest.skip("nobody has listed the gaps of this engine yet")
    asked = [sql for sql in APPENDIX if not any(name in sql for name in LISTS)]
    rows = [{name: row[name] for name in COLUMNS if name not in LISTS} for row in make_rows(random.Random(2), 30)]
    project = write_project(warehouse, asked, tmp_path)
    with closing(FeatureStore(project)) as store:
        reasons = {sql: gap_of(store, f"v{place}", sql, rows) for place, sql in enumerate(asked)}
    gaps = {sql: reason for sql, reason in reasons.items() if reason is not None}
    assert gaps.keys() == GAPS[warehouse.name].keys(), gaps


def gap_of(store: FeatureStore, view: str, sql: str, rows: list[dict[str, Any]]) -> str | None:
    """How the engine's values differ from the reader's, over the rows that the reader can compute."""
    tree = portable(sqlglot.parse_one(sql, read="duckdb"), (), {n: parse_type(k) for n, (k, _) in COLUMNS.items()})
    evaluate = compile_expression(tree, {})
    kept, expected = [], []
    for row in rows:
        try:
            expected.append(evaluate((), row))
        except EvaluationError:
            continue
        kept.append(row)
    try:
        found = train(store, view, kept)
    except AsknownError as error:
        return str(error)
    nearly = any(name in sql for name in NEARLY)
    return next((f"{a} and {b}" for a, b in zip(expected, found, strict=True) if not same(a, b, nearly)), None)


def write_project(warehouse: Warehouse, asked: list[str], folder: Path) -> Path:
    (folder / "models").mkdir()
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "edges"\n', encoding="utf-8")
    output = {"type": warehouse.name, **warehouse.options}
    (folder / "profiles.yml").write_text(json.dumps({"edges": {"target": "dev", "outputs": {"dev": output}}}))
    inputs = {name: kind for name, (kind, _) in COLUMNS.items() if name not in LISTS}
    for place, sql in enumerate(asked):
        text = f"{{{{ config(inputs={inputs!r}) }}}} select {sql} as value from {{{{ request() }}}}"
        (folder / "models" / f"v{place}.sql").write_text(text, encoding="utf-8")
    return folder


def train(store: FeatureStore, view: str, rows: list[dict[str, Any]]) -> list[Any]:
    kinds = {"DOUBLE": pa.float64(), "BIGINT": pa.int64(), "INTEGER": pa.int32(), "VARCHAR": pa.string(),
             "BOOLEAN": pa.bool_(), "TIMESTAMP": pa.timestamp("us"), "DATE": pa.date32(),
             "DECIMAL(10,2)": pa.decimal128(10, 2), "DECIMAL(4,4)": pa.decimal128(4, 4)}  # fmt: skip
    columns = {n: pa.array([row[n] for row in rows], kinds[k]) for n, (k, _) in COLUMNS.items() if n not in LISTS}
    spine = pa.table({"event_timestamp": pa.array([datetime(2024, 1, 1)] * len(rows), pa.timestamp("us")), **columns})
    job = store.get_historical_features(spine, [f"{view}:value"])
    found: list[Any] = job.to_arrow()["value"].to_pylist()
    return found


def same(ours: Any, theirs: Any, nearly: bool) -> bool:
    if isinstance(ours, float) and isinstance(theirs, float):
        if nearly and math.isfinite(ours):
            return math.isclose(ours, theirs, rel_tol=1e-12, abs_tol=1e-12)
        return ours == theirs or (math.isnan(ours) and math.isnan(theirs))
    return type(ours) is type(theirs) and ours == theirs
