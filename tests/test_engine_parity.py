"""The engine in use computes the edges of every portable operation as the online table does, or is found out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner

from asknown import AsknownError, FeatureStore
from asknown.aggregates import AGGREGATES
from asknown.cli.group import main
from asknown.engines.duckdb import DuckDB
from asknown.model.expressions.edges import Edge, read_edges
from asknown.model.window_edges import COUNT, WindowEdge, read_window_edges, window_operation
from asknown.store.parity import compare_engine, edge_inputs, exactly, finalize, window_input
from asknown.types import parse_type
from asknown.values import arithmetic, conversions, expressions

NOON = datetime(2024, 3, 9, 12)
VIEW = """{{ config(entity='shop', event_time='ts') }}
select shop, ts, amount as last_amount,
  sum(amount) over {{ last('1 day') }} as total,
  floor(avg(amount) over {{ last('1 day') }}) as whole,
  1 + floor(avg(amount) over {{ last('2 days') }}) as one_more,
  round(avg(amount) over {{ last('1 day') }}, 1) as rounded
from {{ source('raw', 'sales') }}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "models").mkdir()
    sales = "select 1 as shop, timestamp '2024-03-09 10:00:00' as ts, unnest([1.25e0, 2.5e0]) as amount"
    duckdb.sql(f"copy ({sales}) to '{tmp_path / 'sales.parquet'}'")
    (tmp_path / "pyproject.toml").write_text('[tool.asknown]\nname = "shops"\n', encoding="utf-8")
    outputs = {"dev": {"type": "duckdb"}}
    (tmp_path / "profiles.yml").write_text(json.dumps({"shops": {"target": "dev", "outputs": outputs}}))
    properties = {
        "sources": [{"name": "raw", "tables": [{"name": "sales", "path": "sales.parquet"}]}],
        "entities": [{"name": "shop", "keys": ["shop"]}],
    }
    (tmp_path / "models" / "models.yml").write_text(json.dumps(properties), encoding="utf-8")
    (tmp_path / "models" / "sales_now.sql").write_text(VIEW, encoding="utf-8")
    return tmp_path


@contextmanager
def another_engine(macro: str = "floor(x) as ceil(x)") -> Iterator[None]:
    """Every DuckDB session is one with this macro; by default its floor() rounds up."""
    begin = DuckDB.__init__

    def begin_otherwise(self: DuckDB, *given: Any, **options: Any) -> None:
        begin(self, *given, **options)
        self._con.execute(f"create macro {macro}")

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(DuckDB, "__init__", begin_otherwise)
        yield


def load_otherwise(folder: Path) -> AsknownError:
    """What is raised by a load on such a session."""
    with another_engine(), closing(FeatureStore(folder)) as store, pytest.raises(AsknownError) as refused:
        store.materialize(NOON)
    return refused.value


def read(folder: Path, *features: str) -> dict[str, list[object]]:
    with closing(FeatureStore(folder)) as store:
        return store.get_online_features(list(features), [{"shop": 1}], at=NOON).to_dict()


def test_this_engine_computes_every_edge_as_the_online_table_does(folder: Path) -> None:
    with closing(FeatureStore(folder)) as store:
        comparison = compare_engine(store._engine)
    assert comparison.compared == len(read_edges()) + len(read_window_edges()) > 300
    assert [str(difference) for difference in comparison.differences.values()] == []


def test_a_feature_that_the_engine_computes_otherwise_is_left_out(folder: Path) -> None:
    refused = load_otherwise(folder)
    assert refused.code == "not-online"
    assert "everything was loaded except: sales_now:whole, sales_now:one_more, because duckdb" in refused.message
    assert f"{duckdb.__version__} computes floor(x) as 3.0 where x = 2.5; asknown has 2.0" in refused.message
    found = read(folder, "sales_now:total", "sales_now:rounded", "sales_now:last_amount")
    assert found["total"] == [3.75]
    assert found["rounded"] == [1.9]
    with pytest.raises(AsknownError, match="whole"):
        read(folder, "sales_now:whole")


def test_with_another_version_the_feature_is_there_again(folder: Path) -> None:
    load_otherwise(folder)
    with closing(FeatureStore(folder)) as store:
        assert not store.doctor().healthy  # the definitions are others than those that were loaded
        store.materialize(NOON)
        assert store.doctor().healthy
    assert read(folder, "sales_now:whole", "sales_now:one_more")["one_more"] == [2.0]


def test_nothing_is_loaded_of_a_view_that_has_nothing_else(folder: Path) -> None:
    (folder / "models" / "sales_now.sql").write_text(
        VIEW.replace("amount as last_amount,", "").replace("sum(amount) over {{ last('1 day') }} as total,", "")
        .replace("round(", "floor(").replace(", 1) as", ") as"),
        encoding="utf-8",
    )  # fmt: skip
    assert "'sales_now' cannot be loaded: sales_now:whole" in load_otherwise(folder).message


def test_doctor_names_the_expression_and_the_version(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load_otherwise(folder)
    with another_engine():
        with closing(FeatureStore(folder)) as store:
            check, of_decimals = store.doctor().findings
        monkeypatch.chdir(folder)
        result = CliRunner().invoke(main, ["doctor"])
    assert (check.check, check.of, check.state) == ("parity", "duckdb", "act")
    assert check.found.startswith(f"floor of float: duckdb v{duckdb.__version__} computes floor(x) as 3.0")
    assert of_decimals.found.startswith(f"floor of decimal: duckdb v{duckdb.__version__} computes floor(p) as")
    assert result.exit_code == 1
    assert "parity" in result.output


def test_every_operation_and_conversion_has_an_edge() -> None:
    """An operation that is added to the evaluator needs an edge that would show an engine that differs."""
    trees = [edge.tree for edge in read_edges()]
    names = {tree[0] for tree in trees}
    assert names >= {*expressions._STRICT, *expressions._WITH_NULLS, *expressions._LAZY} - {"cast"}
    operations = {edge.operation for edge in read_edges()}
    for kind, table in (
        ("integer", arithmetic._INTEGERS),
        ("float", arithmetic._FLOATS),
        ("decimal", arithmetic._DECIMALS),
    ):
        assert {f"{name} of {kind}" for name in table} <= operations
    plain = {name.replace("wide ", "") for name in operations}
    assert {f"cast of {given} to {kind}" for given, kind in conversions._CASTS} <= plain
    wide = {"cast of wide integer to float", "cast of wide decimal to float", "cast of wide integer to wide decimal"}
    assert wide <= operations


def test_an_aggregate_that_the_engine_computes_otherwise_is_left_out(folder: Path) -> None:
    any_large = "bool_or(amount > 2) over {{ last('1 day') }} as any_large"
    text = VIEW.replace("amount as last_amount,", f"amount as last_amount, not {any_large},")
    (folder / "models" / "sales_now.sql").write_text(text, encoding="utf-8")
    with (
        another_engine("bool_or(x) as bool_and(x)"),
        closing(FeatureStore(folder)) as store,
        pytest.raises(AsknownError) as refused,
    ):
        store.materialize(NOON)
    assert "everything was loaded except: sales_now:any_large, because duckdb" in refused.value.message
    assert "computes bool_or(b) as False where the values are [False, True, True]" in refused.value.message
    assert read(folder, "sales_now:total", "sales_now:whole") == {"shop": [1], "total": [3.75], "whole": [1.0]}


def test_every_aggregate_has_an_edge_for_every_kind_that_it_takes() -> None:
    """A kind without an edge cannot show an engine that differs; the kinds left out here compare as text or time."""
    operations = {edge.operation for edge in read_window_edges()}
    kinds = ("BIGINT", "HUGEINT", "DOUBLE", "DECIMAL(10,2)", "DECIMAL(38,0)", "VARCHAR", "BOOLEAN", "DATE", "TIMESTAMP")
    for name, aggregate in AGGREGATES.items():
        assert any(operation.startswith(f"window {name}") for operation in operations)
        for kind in kinds:
            if aggregate.arguments not in ("none", "condition") and aggregate.refuses(parse_type(kind)) is None:
                assert window_operation(name, parse_type(kind)) in operations


@pytest.mark.parametrize("edge", read_window_edges(), ids=str)
def test_every_window_edge_tells_another_function_from_its_own(edge: WindowEdge) -> None:
    values = [finalize(edge, window_input(edge, number)) for number in range(COUNT)]
    assert len({exactly(value) for value in values}) > 1
    assert values[-1] == edge.call.aggregate.empty  # the last window has no rows


@pytest.mark.parametrize("edge", read_edges(), ids=lambda edge: edge.sql)
def test_every_edge_tells_another_function_from_its_own(edge: Edge) -> None:
    """The values of an edge are not all one value, so an engine that gave a constant would be found out."""
    evaluate = expressions.compile_expression(edge.tree, {})
    assert len({exactly(evaluate((), row)) for row in edge_inputs()}) > 1
