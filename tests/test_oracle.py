"""The oracle itself: worked by hand, and against the plainest query that DuckDB can run.

The query here shares no idea with asknown's plans: for every spine row it numbers all the rows it may see.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import oracle
import strategies
from oracle_values import ordered
from worlds import Column, World, arrow_table, asked_features, exact_rows, expected, quote, spine_table

NOON = datetime(2024, 1, 1, 12)
MICROSECOND = timedelta(microseconds=1)
VIEW = oracle.View(
    "v", keys=("k",), event_time="e", known_at="n", created_at="c", features=("f", "g"), ttl=3_600_000_000
)


def row(e: Any, *, n: Any = NOON, c: Any = None, f: Any = 1, g: Any = 1, k: Any = 1) -> dict[str, Any]:
    """A row of VIEW."""
    return {"k": k, "e": e, "n": n, "c": c, "f": f, "g": g}


@pytest.mark.parametrize(
    ("candidate", "seen"),
    [
        (row(NOON), True),
        (row(NOON + MICROSECOND), False),
        (row(NOON, n=NOON + MICROSECOND), False),
        (row(None), False),
        (row(NOON, n=None), False),
        (row(NOON, c=NOON + timedelta(days=1)), True),
        (row(NOON - timedelta(hours=1)), True),
        (row(NOON.replace(tzinfo=UTC)), True),
    ],
)
def test_what_is_visible_at_noon(candidate: dict[str, Any], seen: bool) -> None:
    assert oracle.visible(candidate, NOON, VIEW) is seen


@pytest.mark.parametrize(("older", "found"), [(timedelta(hours=1), True), (timedelta(hours=1) + MICROSECOND, False)])
def test_the_ttl_includes_its_end(older: timedelta, found: bool) -> None:
    rows = [row(NOON - older)]
    assert (oracle.as_of(rows, [1], NOON, VIEW) is not None) is found


def test_ties_are_broken_by_every_time_then_by_the_features_in_select_order() -> None:
    earlier = NOON - MICROSECOND
    rising = [
        row(earlier, n=NOON, c=NOON, f=9, g=9),
        row(NOON, n=earlier, c=NOON, f=9, g=9),
        row(NOON, c=None, f=9, g=9),
        row(NOON, c=earlier, f=9, g=9),
        row(NOON, c=NOON, f=None, g=9),
        row(NOON, c=NOON, f=1, g=None),
        row(NOON, c=NOON, f=1, g=9),
        row(NOON, c=NOON, f=2, g=None),
    ]
    for last in range(len(rising)):
        for rows in (rising[: last + 1], rising[last::-1]):
            assert oracle.as_of(rows, [1], NOON, VIEW) is rising[last]


def test_null_and_true_match_no_integer_key() -> None:
    assert oracle.as_of([row(NOON, k=None)], [None], NOON, VIEW) is None
    assert oracle.as_of([row(NOON, k=1)], [True], NOON, VIEW) is None


def test_statuses_online() -> None:
    watermark = NOON
    rows = [row(NOON, f=None, g=Decimal("1.10")), row(NOON + MICROSECOND, k=2)]
    when = NOON.replace(tzinfo=UTC)
    found = oracle.online(rows, [1], NOON + timedelta(hours=1), watermark, VIEW)
    assert found == {"f": (None, "NULL_VALUE", when), "g": (Decimal("1.10"), "PRESENT", when)}
    late = oracle.online(rows, [1], NOON + timedelta(hours=1) + MICROSECOND, watermark, VIEW)
    assert late["g"] == (None, "OUTSIDE_MAX_AGE", when)
    assert oracle.online(rows, [2], NOON, watermark, VIEW)["g"] == (None, "NOT_FOUND", None)
    assert oracle.online(rows, [2], NOON + MICROSECOND, watermark, VIEW)["g"][1] != "NOT_FOUND"
    assert oracle.beyond(rows, watermark, VIEW) is None
    assert oracle.beyond(rows, watermark, VIEW, max_ahead=0) == oracle.microseconds(NOON + MICROSECOND)
    with pytest.raises(ValueError, match="before the watermark"):
        oracle.online(rows, [1], NOON - MICROSECOND, watermark, VIEW)


@pytest.mark.parametrize("kind", sorted(strategies.VALUES))
@given(data=st.data())
@settings(max_examples=20)
def test_values_are_ordered_as_duckdb_orders_them(kind: str, data: st.DataObject) -> None:
    pool = [None, *strategies.VALUES[kind]]
    if kind.startswith("DOUBLE"):
        pool = [value for value in pool if "-0.0" not in str(value)]  # equal to 0.0 in the engine's order
    values = data.draw(st.lists(st.sampled_from(pool), min_size=2, max_size=8))
    table = pa.table({"x": pa.array(values, arrow_table([Column("x", kind)], []).schema.field("x").type)})
    with duckdb.connect() as connection:
        connection.register("incoming", table)
        rows = connection.execute("select x from incoming order by x nulls first").fetchall()
    assert exact_rows([{"x": x} for (x,) in rows]) == exact_rows([{"x": x} for x in sorted(values, key=ordered)])


@given(world=strategies.worlds())
@settings(max_examples=settings().max_examples)
def test_the_plainest_query_agrees(world: World) -> None:
    with duckdb.connect() as connection:
        answer = plain_training_set(connection, world)
    assert exact_rows(answer) == exact_rows(expected(world))


def plain_training_set(connection: duckdb.DuckDBPyConnection, world: World) -> list[dict[str, Any]]:
    """The training set by a cross join and row_number, one query for each feature asked for."""
    connection.execute("set TimeZone = 'UTC'")
    connection.register("spine", spine_table(world).append_column("#", pa.array(range(len(world.spine)), pa.int64())))
    answer = [dict(each) for each in world.spine]
    for data, feature, name in asked_features(world):
        view = data.view
        connection.register("history", arrow_table(data.columns, data.rows))
        t = f"epoch_us(cast(s.{quote(world.timestamp)} as timestamptz))"
        event, *rest = [f"epoch_us(cast(r.{quote(c)} as timestamptz))" for c in (view.event_time, view.known_at) if c]
        conditions = [f"{at} <= {t}" for at in (event, *rest)]
        conditions += [f"s.{quote(key)} = r.{quote(key)}" for key in view.keys]
        if view.ttl:
            conditions.append(f"{event} + {view.ttl} >= {t}")
        order = [column for column in (view.event_time, view.known_at, view.created_at) if column] + list(view.features)
        ordering = ", ".join(
            # The text tells -0.0 from 0.0, and nothing else that the value does not.
            f"r.{quote(column)} desc nulls last, cast(r.{quote(column)} as varchar) desc nulls last"
            for column in order
        )
        found = connection.execute(
            f"""select s."#", r.{quote(feature)} from spine s join history r on {" and ".join(conditions)}
            qualify row_number() over (partition by s."#" order by {ordering}) = 1"""
        )
        values = dict(found.fetchall())
        for number, out in enumerate(answer):
            out[name] = values.get(number)
    return answer
