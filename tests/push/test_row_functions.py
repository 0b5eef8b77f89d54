"""The rows that Python computes for a view are those that its SQL gives on DuckDB, to the bit."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
from shop import order, write_shop

from asknown import AsknownError, FeatureStore
from asknown.model.expressions.types import NotPortableError
from asknown.model.row_program import read_program
from asknown.store.push_writes import Definitions
from asknown.store.row_functions import RowFunction, find_difference, probe_rows
from asknown.types import Column, SqlType, parse_type
from worlds import exact

duckdb = pytest.importorskip("duckdb")
pa = pytest.importorskip("pyarrow")

TYPES: Mapping[str, SqlType] = {
    name: parse_type(kind)
    for name, kind in {
        "k": "BIGINT",
        "i": "INTEGER",
        "x": "DOUBLE",
        "s": "VARCHAR",
        "b": "BOOLEAN",
        "p": "DECIMAL(10,2)",
        "t": "TIMESTAMP",
        "d": "DATE",
    }.items()
}

VIEW = """
{{ config(entity='customer', event_time='ordered_at', known_at='_arrived') }}
select customer_id, ordered_at, _arrived, %s from {{ source('shop', 'orders') }}
"""

COMPUTED = (
    "select * from t",
    "select t.* from t where x > 0",
    "select k, i + 1 as more, x * 2 as twice from t where b",
    "select k, case when x > 0 then 'up' when x < 0 then 'down' end as way from t",
    "with a as (select * from t where not x is null), b as (select k, x + 1 as y from a) select * from b where y > 0",
    "with a as (select *, x * 2 as y from t) select k, y * 2 as z from (select * from a where y <> 0) as q",
    "select * exclude (x, s) from t",
    "select * replace (x + 1 as x) from t where x > 1",
    "select k, x as y, y + 1 as z from t",
    "select k, x + 1 as x from t where x > 2",
    "select k, upper(s) as s, length(s) as n, s || '!' as loud, substr(s, 2, 3) as part from t",
    "select K, T.X as Y from T as t",
    'select k as "Odd name", "s" as "select" from t',
    "select k, coalesce(x, 0.0) as x, nullif(i, 7) as i, greatest(i, 3) as g from t",
    "select k, p * 2 as p, p + 0.005 as q from t where p between -1 and 1",
    "select k, t + interval '2 hours' as u, date_trunc('day', t) as v, extract(hour from t) as h from t",
    "select k, d + 1 as e, date_diff('day', d, date '2024-01-01') as n from t",
    "select k, try_cast(s as integer) as n from t",
    "select k, x > 0 and b as both, x is null or not b as either from t",
    "select k from t where 10 / i > 1 and i <> 0",
    "select k, [i, 2] as l, list_transform([i, 3], lambda e_: e_ + 1) as m from t",
    "with unused as (select cast(s as integer) as n, k from t) select k from unused",
)

REFUSED = {
    "select k, round(x, 2) as r from t": "engines differ about",
    "select k, random() as r from t": "is not supported",
    "select k from t order by k": "ORDER is not supported",
    "select distinct k from t": "DISTINCT is not supported",
    "select k, null as n from t": "has no type",
    "select k, k from t": "two columns are called k",
    "select k, i + 1 from t": "has no name",
    "select k, columns('x') as y from t": "is not supported",
    "select k from t, t as u": "JOINS is not supported",
    "with recursive a as (select k from t) select k from a": "WITH RECURSIVE is not supported",
    "with a(z) as (select k from t) select z as k from a": "names for its columns",
    "select z as k from t as u(z)": "something else than one relation",
    "select k from elsewhere": "something else than one relation",
    "select k, list_transform([i], i -> i + 1) as m from t": "the parameter i is the name of a column",
    "select k from t union all select k from t": "is not a select",
    "select k, u.x as x from t": "is not a column of the relation",
}


def typed(sql: str) -> list[Column]:
    """The columns of a query over a table of these types."""
    connection = duckdb.connect()
    connection.execute(f"CREATE TABLE t ({', '.join(f'{name} {kind.name}' for name, kind in TYPES.items())})")
    described = connection.execute(f"DESCRIBE {sql}").fetchall()
    return [Column(name, parse_type(kind)) for name, kind, *_ in described]


def function_of(sql: str) -> tuple[RowFunction, list[Column]]:
    columns = typed(sql)
    program = read_program(sql, "t", TYPES, columns)
    return RowFunction(program, TYPES, columns), columns


def on_duckdb(sql: str, rows: Sequence[Mapping[str, Any]]) -> Any:
    connection = duckdb.connect()
    connection.execute("SET threads = 1")
    connection.execute(f"CREATE TABLE t ({', '.join(f'{name} {kind.name}' for name, kind in TYPES.items())})")
    connection.executemany(f"INSERT INTO t VALUES ({', '.join('?' * len(TYPES))})", [list(r.values()) for r in rows])
    try:
        return connection.sql(sql).to_arrow_table()
    except duckdb.Error as error:
        raise AsknownError("engine", str(error)) from None


@pytest.mark.parametrize("sql", COMPUTED)
def test_python_computes_what_duckdb_does(sql: str) -> None:
    function, columns = function_of(sql)
    assert find_difference(function, lambda rows: on_duckdb(sql, rows), TYPES, columns) is None
    pick = random.Random(7)
    probes = probe_rows(TYPES)
    rows = [{name: pick.choice(probes)[name] for name in TYPES} for _ in range(40)]
    rows = [row for row in rows if not _is_extreme(row)]
    there, here = on_duckdb(sql, rows), function.rows(rows)
    assert here.num_rows == there.num_rows
    for column in columns:
        ours, theirs = here.column(column.name), there.column(column.name).to_pylist()
        assert list(map(exact, ours)) == list(map(exact, theirs)), column.name


def _is_extreme(row: Mapping[str, Any]) -> bool:
    """Whether the engine may stop at the row, which the comparison of edge rows covers."""
    days = (row["d"], row["t"])
    big = abs(row["i"] or 0) > 1000 or abs(row["k"] or 0) > 1000 or abs(row["p"] or 0) > 1000
    return big or any(day is not None and day.year in (1, 9999) for day in days)


@pytest.mark.parametrize(("sql", "why"), REFUSED.items())
def test_what_only_the_engine_computes_is_refused(sql: str, why: str) -> None:
    with pytest.raises(NotPortableError, match=why):
        read_program(sql, "t", TYPES, [Column("k", TYPES["k"])])


def test_an_unread_column_is_not_computed() -> None:
    function, _ = function_of("with a as (select k, cast(s as integer) as n from t) select k from a")
    assert function.rows([{**dict.fromkeys(TYPES), "k": 3, "s": "no number"}]).columns == {"k": [3]}


def test_a_difference_is_found() -> None:
    function, columns = function_of("select k, x * 2 as y from t")
    found = find_difference(function, lambda rows: on_duckdb("select k, x * 3 as y from t", rows), TYPES, columns)
    assert found is not None and "'x': 0.1" in found


def test_views_that_follow_pushes_run_in_python(tmp_path: Path) -> None:
    folder = write_shop(tmp_path / "shop")
    (folder / "models" / "hashed.sql").write_text(VIEW % "md5(note) as hashed")
    with FeatureStore(folder) as store:
        definitions = Definitions(store)
        followers = definitions.followers
        assert {name for name, follower in followers.items() if follower.function is None} == {"hashed"}
        shown = [str(path) for path in definitions.paths if path.view == "hashed"]
        assert shown == [
            "'hashed' follows pushes into shop.orders; DuckDB computes its rows: MD5(note) is not supported"
        ]
        definitions.engine.close()


def test_a_row_that_python_cannot_compute_is_the_engines(tmp_path: Path) -> None:
    """The engine may still compute it; if not, its reason reaches the caller."""
    folder = write_shop(tmp_path / "shop")
    (folder / "models" / "counted.sql").write_text(VIEW % "cast(note as integer) as n")
    with FeatureStore(folder) as store:
        store.push("orders", [order(1, 1, note="12")])
        store.materialize(views="counted")
        store.push("orders", [order(2, 1, note="13")])
        assert store.get_online_features("counted:n", [{"customer_id": 1}]).to_dict()["n"] == [13]
        with pytest.raises(AsknownError, match=r"the SQL of 'counted' fails for a pushed row: .*twelve"):
            store.push("orders", [order(3, 1, note="twelve")])
