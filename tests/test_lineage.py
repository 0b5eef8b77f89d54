"""Lineage: every column that can move a feature is an edge of it; tried by moving each column of many views."""

from __future__ import annotations

import json
import random
from functools import cache
from pathlib import Path
from typing import Any

import duckdb
import pytest
from click.testing import CliRunner
from hypothesis import given, settings

from asknown.catalog.lineage import Edge, feature_lineage
from asknown.cli.group import main
from test_feature_fingerprints import COLUMNS, MOVES, SOURCE, STAYS, edits, make_view

VIEWS = {f"{name}, {place}": sql for name, pair in (MOVES | STAYS).items() for place, sql in enumerate(pair)}
VALUES = ("k", "ts", "x", "y", "z", "l")


def lineage(sql: str) -> tuple[Edge, ...]:
    view = make_view(sql, ("a", "b"))
    return feature_lineage(view, [view.model], {("s", "t"): SOURCE}, {("s", "t"): COLUMNS})["a"]


@cache
def connected() -> duckdb.DuckDBPyConnection:
    """One database for all: to open one takes longer than to ask it. With one thread, it chooses among the rows that a
    LIMIT may keep in the same way each time.
    """
    connection = duckdb.connect(config={"threads": 1})
    connection.execute('create table "s.t" (k bigint, ts timestamp, x double, y double, z double, l double[])')
    return connection


def moving_columns(sql: str, seed: int) -> set[str]:
    """The columns whose values, changed at random, change what the view says of `a`."""
    lottery = random.Random(seed)
    floats = (None, -1.0, 0.0, 1.0, 2.0, 3.0)
    made = {
        "k": lambda: lottery.randint(1, 2),
        "ts": lambda: f"2024-01-0{lottery.randint(1, 5)}",
        "x": lambda: lottery.choice(floats),
        "y": lambda: lottery.choice(floats),
        "z": lambda: lottery.choice(floats),
        "l": lambda: [lottery.choice(floats) for _ in range(lottery.randint(0, 2))],
    }
    rows = [[made[name]() for name in VALUES] for _ in range(7)]

    def answer(given: list[list[Any]]) -> list[Any]:
        connection = connected()
        connection.execute('delete from "s.t"')
        places = ", ".join(["(?, ?, ?, ?, ?, ?)"] * len(given))
        connection.execute(f'insert into "s.t" values {places}', [value for row in given for value in row])
        return sorted(connection.execute(f"select k, ts, a from ({sql})").fetchall(), key=repr)

    before = answer(rows)
    found = set()
    for place, name in enumerate(VALUES):
        changed = [[made[name]() if at == place else value for at, value in enumerate(row)] for row in rows]
        if answer(changed) != before:
            found.add(name)
    return found


@pytest.mark.parametrize("sql", VIEWS.values(), ids=VIEWS)
def test_a_column_that_moves_a_feature_is_an_edge(sql: str) -> None:
    edges = lineage(sql)
    moving = set.union(*(moving_columns(sql, seed) for seed in range(4)))
    assert moving <= {edge.column for edge in edges}


@settings(max_examples=40)
@given(edit=edits())
def test_a_column_that_moves_a_generated_feature_is_an_edge(edit: tuple[str, str]) -> None:
    edges = {edge.column for edge in lineage(edit[0])}
    assert moving_columns(edit[0], len(edit[0])) <= edges


@pytest.mark.parametrize(
    ("sql", "edges"),
    [
        ('select k, ts, x + y as a, z as b from "s.t"', "k:key ts:time x:value y:value"),
        ('select k, ts, x as a, z as b from "s.t" where y > 0', "k:key ts:time x:value y:filter"),
        ('select k, ts, count(*) filter (where y > 0) as a, 1 as b from "s.t" group by k, ts',
         "k:group k:key ts:group ts:time y:filter"),
        ('select k, ts, avg(x) over (partition by z order by y) as a, 1 as b from "s.t"',
         "k:key ts:time x:value y:time z:key"),
        ('select t.k, t.ts, u.x as a, 1 as b from "s.t" t join "s.t" u on t.y = u.y', "k:key ts:time x:value y:join"),
        ('select k, ts, x as a, 1 as b from "s.t" order by y limit 2', "k:key ts:time x:value y:row"),
        ('select k, ts, x as a, (select max(z) from "s.t") as b from "s.t"', "k:key ts:time x:value"),
    ],
)  # fmt: skip
def test_each_edge_has_its_role(sql: str, edges: str) -> None:
    assert " ".join(sorted(f"{edge.column}:{edge.role}" for edge in lineage(sql))) == edges


def test_nothing_is_dropped_where_the_sql_is_not_understood() -> None:
    edges = lineage('select k, ts, x as a, nobody as b from "s.t"')
    assert {edge.column for edge in edges} == set(VALUES)
    assert all(edge.reason for edge in edges)


def run(*arguments: str, code: int = 0) -> str:
    done = CliRunner().invoke(main, ["--project", str(Path(__file__).parents[1]), *arguments], prog_name="asknown")
    assert done.exit_code == code, done.output
    return done.output


def test_the_command_on_the_flights() -> None:
    edges = json.loads(run("lineage", "carrier_delays:last_arrived_late", "--format", "json"))
    assert {(edge["role"], edge["column"]) for edge in edges} >= {("value", "arr_delay"), ("key", "carrier")}
    down = json.loads(run("lineage", "nyc.flights.arr_delay", "--down", "--format", "json"))
    assert {"carrier_delays:last_arrived_late", "route_history:route_last_arr_delay"} <= {e["feature"] for e in down}
    assert run("lineage", "origin_weather:temp", "--mermaid").startswith("flowchart LR\n")
    assert run("lineage", "origin_weather:temp", "--format", "mermaid").startswith("flowchart LR\n")


def test_events_of_openlineage() -> None:
    (event,) = json.loads(run("lineage", "carrier_delays", "--format", "openlineage"))
    # What DatasetEvent and ColumnLineageDatasetFacet of OpenLineage require.
    assert set(event) == {"eventTime", "producer", "schemaURL", "dataset"}
    assert (event["dataset"]["namespace"], event["dataset"]["name"]) == ("asknown://flights", "carrier_delays")
    facet = event["dataset"]["facets"]["columnLineage"]
    assert facet["_producer"] and facet["_schemaURL"].endswith("ColumnLineageDatasetFacet.json")
    rows = json.loads(run("lineage", "carrier_delays", "--format", "json"))
    assert list(facet["fields"]) == list(dict.fromkeys(row["feature"].partition(":")[2] for row in rows))
    inputs = [one for field in facet["fields"].values() for one in field["inputFields"]]
    assert {one["namespace"] for one in inputs} == {"file"} and all(one["name"] and one["field"] for one in inputs)
    kinds = {(t["description"], t["type"]) for one in inputs for t in one["transformations"]}
    assert kinds >= {("value", "DIRECT"), ("key", "INDIRECT"), ("time", "INDIRECT")}
    assert sum(len(one["transformations"]) for one in inputs) == len(rows)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("lineage", "carrier_delay"), "did you mean 'carrier_delays'?"),
        (("lineage", "carrier_delays:last_arrived"), "did you mean 'last_arrived_late'"),
        (("lineage", "nyc.flight", "--down"), "did you mean 'nyc.flights'?"),
    ],
)
def test_a_name_that_is_not_there(arguments: tuple[str, ...], said: str) -> None:
    assert said in run(*arguments, code=1)
