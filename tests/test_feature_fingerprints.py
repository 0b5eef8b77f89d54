"""Fingerprints of features: what moves them, and that no two features with one fingerprint differ on any rows."""

from __future__ import annotations

from functools import cache
from typing import Any

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asknown.catalog import resolve
from asknown.catalog.features import FeatureFingerprint, fingerprint_features
from asknown.errors import Where
from asknown.model.nodes import FeatureView
from asknown.model.parse import parse_model
from asknown.project.nodes import SourceTable
from asknown.render import Rendered, ViewConfig
from asknown.types import Column, parse_type

TYPES = {"k": "BIGINT", "ts": "TIMESTAMP", "x": "DOUBLE", "y": "DOUBLE", "z": "DOUBLE", "l": "DOUBLE[]"}
COLUMNS = [Column(name, parse_type(kind)) for name, kind in TYPES.items()]
SOURCE = SourceTable("s", "t", "t.csv", None, None, "", (), Where("s.yml"))
FIRST = 'select k, ts, x as a, y as b from "s.t"'


def fingerprints(sql: str, features: tuple[str, ...] = ("a", "b"), *, ttl: int | None = None) -> dict[str, str]:
    """The ``values`` fingerprint of each feature of a view with this SQL, over one source."""
    return {name: found.values for name, found in _found(sql, features, ttl).items()}


@cache
def _found(sql: str, features: tuple[str, ...], ttl: int | None) -> dict[str, FeatureFingerprint]:
    view = make_view(sql, features, ttl)
    return fingerprint_features(view, [view.model], {("s", "t"): SOURCE}, {("s", "t"): COLUMNS})


def make_view(sql: str, features: tuple[str, ...], ttl: int | None = None) -> FeatureView:
    """A view with this SQL over one source."""
    model = parse_model(
        Rendered("v", "v.sql", sql, sql, ViewConfig(entity=("e",), event_time="ts", ttl=ttl), (), (("s", "t"),), (1,)),
        "duckdb",
    )
    double = parse_type("DOUBLE")
    listed = tuple(Column(name, double) for name in features)
    columns = (*COLUMNS[:2], *listed)
    return FeatureView("v", model, (COLUMNS[0],), COLUMNS[1], None, None, listed, listed, columns, ttl, repeatable=True)


@pytest.mark.parametrize("few", [1, 3])
def test_the_size_of_a_view_is_no_part_of_its_fingerprints(few: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Features are taken from ever narrower queries; each must come out as from the query of all."""
    names = tuple(f"g{i}" for i in range(40))
    windows = ", ".join(f"sum(x) filter (where y > {i}) over ({DAY}) + z as {name}" for i, name in enumerate(names))
    made = ", ".join(f"x * {i} + y as {name}" for i, name in enumerate(names))
    listed = ", ".join(names)
    below = f"with c as (select k, ts, {made} from {T}), d as (select distinct k, ts, {listed} from c)"
    stacked = f"select k, ts, {listed} from d union all select k, ts, {listed} from c order by g7"
    for sql in (f"select k, ts, {windows} from {T}", f"{below} select k, ts, {listed} from ({stacked})"):
        view = make_view(sql, names)
        given = view, [view.model], {("s", "t"): SOURCE}, {("s", "t"): COLUMNS}
        monkeypatch.setattr(resolve, "_FEW", 1_000)
        at_once = fingerprint_features(*given)
        monkeypatch.setattr(resolve, "_FEW", few)
        assert fingerprint_features(*given) == at_once
        assert all(found.sql and not found.whole for found in at_once.values())


# -- what moves `a` though only `b` was edited -----------------------------------------------------------------------

T = '"s.t"'
NAMED = "window w as (partition by k order by b) qualify row_number() over w = 1"
DAY = "partition by k order by ts range between interval 1 day preceding and current row"
HOURS = DAY.replace("1 day", "'24 hours'")


def _stack(value: str, second: str = "b") -> str:
    """A view over a stack of two CTEs, of which the second alone gives `p`."""
    ctes = f"with a as (select k, ts, y as q from {T}), {second} as (select k, ts, {value} as p, y as q from {T})"
    union = f"select *, 'a' as source from a union all by name select *, '{second}' as source from {second}"
    return f"{ctes} select k, ts, case source when 'b' then p end as a, q as b from ({union})"


MOVES = {
    "distinct": (f"select distinct k, ts, x as a, y as b from {T}", f"select distinct k, ts, x as a, z as b from {T}"),
    "distinct in a CTE": (
        f"with c as (select distinct k, ts, x, y as b from {T}) select k, ts, x as a, b from c",
        f"with c as (select distinct k, ts, x, z as b from {T}) select k, ts, x as a, b from c",
    ),
    "distinct on": (
        f"select distinct on (b) k, ts, x as a, y as b from {T}",
        f"select distinct on (b) k, ts, x as a, z as b from {T}",
    ),
    "union": (
        f"select k, ts, x as a, y as b from {T} union select k, ts, x, y from {T}",
        f"select k, ts, x as a, z as b from {T} union select k, ts, x, y from {T}",
    ),
    "except": (
        f"select k, ts, x as a, y as b from {T} except select k, ts, x, z from {T}",
        f"select k, ts, x as a, z as b from {T} except select k, ts, x, z from {T}",
    ),
    "intersect": (
        f"select k, ts, x as a, y as b from {T} intersect select k, ts, x, z from {T}",
        f"select k, ts, x as a, z as b from {T} intersect select k, ts, x, z from {T}",
    ),
    "group by the alias": (
        f"select k, ts, max(x) as a, y as b from {T} group by k, ts, b",
        f"select k, ts, max(x) as a, z as b from {T} group by k, ts, b",
    ),
    "group by ordinal": (
        f"select k, ts, max(x) as a, y as b from {T} group by 1, 2, 4",
        f"select k, ts, max(x) as a, z as b from {T} group by 1, 2, 4",
    ),
    "group by all": (
        f"select k, ts, max(x) as a, y as b from {T} group by all",
        f"select k, ts, max(x) as a, z as b from {T} group by all",
    ),
    "group by all in a CTE": (
        f"with c as (select k, ts, max(x) as a, y as b from {T} group by all) select k, ts, a, b from c",
        f"with c as (select k, ts, max(x) as a, z as b from {T} group by all) select k, ts, a, b from c",
    ),
    "having on the alias": (
        f"select k, ts, max(x) as a, max(y) as b from {T} group by k, ts having b > 1",
        f"select k, ts, max(x) as a, max(z) as b from {T} group by k, ts having b > 1",
    ),
    "qualify": (
        f"select k, ts, x as a, y as b from {T} qualify row_number() over (partition by k order by b) = 1",
        f"select k, ts, x as a, z as b from {T} qualify row_number() over (partition by k order by b) = 1",
    ),
    "qualify through a named window": (
        f"select k, ts, x as a, y as b from {T} {NAMED}",
        f"select k, ts, x as a, z as b from {T} {NAMED}",
    ),
    "where on the alias": (
        f"select k, ts, x as a, y as b from {T} where b > 3",
        f"select k, ts, x as a, z as b from {T} where b > 3",
    ),
    "order by and limit": (
        f"select k, ts, x as a, y as b from {T} order by b limit 3",
        f"select k, ts, x as a, z as b from {T} order by b limit 3",
    ),
    "order by ordinal and limit": (
        f"select k, ts, x as a, y as b from {T} order by 4 limit 3",
        f"select k, ts, x as a, z as b from {T} order by 4 limit 3",
    ),
    "order by, limit and offset": (
        f"select k, ts, x as a, y as b from {T} order by b limit 3 offset 1",
        f"select k, ts, x as a, z as b from {T} order by b limit 3 offset 1",
    ),
    "order by over a set operation": (
        f"select k, ts, x as a, y as b from {T} union all select k, ts, x, y from {T} order by b limit 3",
        f"select k, ts, x as a, z as b from {T} union all select k, ts, x, y from {T} order by b limit 3",
    ),
    "order by and limit in a CTE": (
        f"with c as (select k, ts, x, y as b from {T} order by b limit 3) select k, ts, x as a, b from c",
        f"with c as (select k, ts, x, z as b from {T} order by b limit 3) select k, ts, x as a, b from c",
    ),
    "unnest": (
        f"select k, ts, x as a, unnest(l) as b from {T}",
        f"select k, ts, x as a, unnest([y, z]) as b from {T}",
    ),
    "unnest in an expression": (
        f"select k, ts, x as a, unnest(l) + 1 as b from {T}",
        f"select k, ts, x as a, unnest([y, z, x]) + 1 as b from {T}",
    ),
    "a function that sqlglot does not know": (
        f"select k, ts, x as a, generate_subscripts(l, 1) as b from {T}",
        f"select k, ts, x as a, generate_subscripts([y, z], 1) as b from {T}",
    ),
    "unnest in a list": (
        f"select k, ts, x as a, list_reverse([unnest(l)]) as b from {T}",
        f"select k, ts, x as a, list_reverse([unnest([y, z])]) as b from {T}",
    ),
    "a function's number in a group": (
        f"select k, ts, max(x) as a, list_slice(l, 1, 2) as b from {T} group by k, ts, list_slice(l, 1, 2)",
        f"select k, ts, max(x) as a, list_slice(l, 1, 3) as b from {T} group by k, ts, list_slice(l, 1, 3)",
    ),
    "unnest in a CTE": (
        f"with c as (select k, ts, x, unnest(l) as b from {T}) select k, ts, x as a, b from c",
        f"with c as (select k, ts, x, unnest([y, z]) as b from {T}) select k, ts, x as a, b from c",
    ),
    "the condition of a left join": (
        f"select t.k, t.ts, t.x as a, u.y as b from {T} t left join {T} u on t.k = u.k and u.y > 1",
        f"select t.k, t.ts, t.x as a, u.y as b from {T} t left join {T} u on t.k = u.k and u.y > 2",
    ),
    "the condition of a semi join": (
        f"select t.k, t.ts, t.x as a, t.y as b from {T} t semi join {T} u on t.k = u.k and u.y > 1",
        f"select t.k, t.ts, t.x as a, t.y as b from {T} t semi join {T} u on t.k = u.k and u.y > 2",
    ),
    "the condition of an asof join": (
        f"select t.k, t.ts, t.x as a, u.y as b from {T} t asof left join {T} u on t.k = u.k and t.ts >= u.ts",
        f"select t.k, t.ts, u.x as a, u.y as b from {T} t asof left join {T} u on t.k = u.k and t.ts > u.ts",
    ),
    "a lateral join": (
        f"select t.k, t.ts, t.x as a, u.b from {T} t, lateral (select t.y as b where t.y > 1) u",
        f"select t.k, t.ts, t.x as a, u.b from {T} t, lateral (select t.y as b where t.y > 2) u",
    ),
    "an alias reused sideways": (
        f"select k, ts, y as b, b + 1 as a from {T}",
        f"select k, ts, z as b, b + 1 as a from {T}",
    ),
    "union all by position": (
        f"select k, ts, x as a, y as b from {T} union all select k, ts, x, y from {T}",
        f"select k, ts, x as a, y as b from {T} union all select k, ts, y, x from {T}",
    ),
    "union all by name": (
        f"select k, ts, x as a, y as b from {T} union all by name select k, ts, y as b, x as a from {T}",
        f"select k, ts, x as a, y as b from {T} union all by name select k, ts, x as b, y as a from {T}",
    ),
    "what a stack has in one of its relations": (_stack("z"), _stack("z + 1")),
    "the name of a relation in a stack": (_stack("z"), _stack("z", "c")),
    "where below": (f"select k, ts, x as a, y as b from {T}", f"select k, ts, x as a, y as b from {T} where y > 0"),
}
STAYS = {
    "another item": (FIRST, f"select k, ts, x as a, y + 1 as b from {T}"),
    "an appended item": (FIRST, f"select k, ts, x as a, y as b, z as c from {T}"),
    "an aggregate of a cross-joined subquery": (
        f"select k, ts, x as a, m.b from {T} cross join (select max(y) as b from {T}) m",
        f"select k, ts, x as a, m.b from {T} cross join (select max(z) as b from {T}) m",
    ),
    "a scalar subquery": (
        f"select k, ts, x as a, (select max(y) from {T}) as b from {T}",
        f"select k, ts, x as a, (select max(z) from {T}) as b from {T}",
    ),
    "layout and letter case": (FIRST, f"SELECT K, Ts,\n  -- why\n X AS a, y AS b\nFROM {T}"),
    "parentheses and quotes": (FIRST, f'select "k", (ts) as ts, ((x)) as a, y as b from {T}'),
    "an alias of a table": (FIRST, f"select o.k, o.ts, o.x as a, o.y as b from {T} as o"),
    "the name of a CTE": (
        f"with one as (select * from {T}) select k, ts, x as a, y as b from one",
        f"with two as (select * from {T}) select k, ts, x as a, y as b from two",
    ),
    "a column that nothing reads": (
        f"with c as (select k, ts, x, y from {T}) select k, ts, x as a, y as b from c",
        f"with c as (select k, ts, x, y, z * 2 as more from {T}) select k, ts, x as a, y as b from c",
    ),
    "a frame in other units": (
        f"select k, ts, avg(x) over ({DAY}) as a, y as b from {T}",
        f"select k, ts, avg(x) over ({HOURS}) as a, y as b from {T}",
    ),
    "what a stack has beside": (
        _stack("z").replace("y as q from", "x as q from"),
        _stack("z"),
    ),
    "another item with a function of lists": (
        f"select k, ts, x as a, list_reverse(l) as b from {T}",
        f"select k, ts, x as a, list_sort(list_reverse(l)) as b from {T}",
    ),
    "another item with a frame of the calendar": (
        f"select k, ts, x as a, sum(y) over (partition by k order by ts range between to_hours(1) preceding and "
        f"current row) as b from {T}",
        f"select k, ts, x as a, sum(y) over (partition by k order by ts range between to_hours(2) preceding and "
        f"current row) as b from {T}",
    ),
    "a window by its name": (
        f"select k, ts, avg(x) over ({DAY}) as a, y as b from {T}",
        f"select k, ts, avg(x) over w as a, y as b from {T} window w as ({DAY})",
    ),
}


@pytest.mark.parametrize("pair", MOVES.values(), ids=MOVES)
def test_an_edit_that_can_reach_a_feature_moves_it(pair: tuple[str, str]) -> None:
    before, after = (fingerprints(sql)["a"] for sql in pair)
    assert before != after


@pytest.mark.parametrize("pair", STAYS.values(), ids=STAYS)
def test_an_edit_that_cannot_reach_a_feature_leaves_it(pair: tuple[str, str]) -> None:
    before, after = (_found(sql, ("a", "b"), None)["a"] for sql in pair)
    assert before.values == after.values
    assert not before.whole and not after.whole


def test_a_column_named_in_a_frame_of_its_own_moves() -> None:
    day = f"select k, ts, sum(x) over (partition by k order by ts rows 2 preceding) as a, y as b from {T}"
    assert fingerprints(day)["a"] != fingerprints(day.replace("rows 2", "rows 3"))["a"]


def test_the_order_of_features_is_told_from_their_values() -> None:
    one, two = (_found(sql, names, None) for sql, names in (
        (FIRST, ("a", "b")), (f"select k, ts, y as b, x as a from {T}", ("b", "a")),
    ))  # fmt: skip
    assert one["a"].values == two["a"].values and one["b"].values == two["b"].values
    assert one["a"].order != two["a"].order and one["b"].order != two["b"].order
    appended = _found(f"select k, ts, x as a, y as b, z as c from {T}", ("a", "b", "c"), None)
    assert [appended[name].order for name in "ab"] == [one[name].order for name in "ab"]


def test_a_ttl_counts_apart() -> None:
    short, long = (_found(FIRST, ("a", "b"), ttl)["a"] for ttl in (1, 2))
    assert short.values != long.values and short.rows == long.rows


def test_a_name_that_cannot_be_resolved_stands_for_the_whole_view() -> None:
    sql = f"select k, ts, x as a, nobody as b from {T}"
    found = _found(sql, ("a", "b"), None)
    assert found["a"].whole and fingerprints(sql.replace("nobody", "somebody"))["a"] != found["a"].values


# -- against data ----------------------------------------------------------------------------------------------------

EXPRESSIONS = st.sampled_from(["x", "y", "z", "x + y", "y * 2", "coalesce(x, z)", "case when y > 0 then x else z end"])
CONDITIONS = st.sampled_from(
    ["", " where x > 0", " where a > 0", " where b > 0", " where y is not null", " where z < x"]
)
FROMS = st.sampled_from(
    [
        T,
        f"(select k, ts, x, y, z from {T} where y > 0) as d",
        f"(select k, ts, z as x, y, x as z from {T}) as d",
        f"(select distinct k, ts, x, y, z from {T}) as d",
        f"(select k, ts, x, y, z from {T} order by y, x, z, k, ts limit 4) as d",
        f"(select k, ts, max(x) as x, max(y) as y, z from {T} group by k, ts, z) as d",
        f"(select t.k, t.ts, t.x, u.y, u.z from {T} t join {T} u on t.k = u.k and t.x > u.x) as d",
        f"(select k, ts, x, y, z from {T} union all select k, ts, y, x, z from {T}) as d",
        f"(select k, ts, x, y, z from {T} union select k, ts, y, x, x from {T}) as d",
    ]
)
ENDS = st.sampled_from(
    [
        "",
        " qualify row_number() over (partition by k order by ts, a, b) = 1",
        " qualify row_number() over w = 1 window w as (partition by k order by ts, b, a)",
        " qualify row_number() over (partition by k order by ts, x, y, z) = 1",
        " order by b, a, k, ts limit 3",
        " order by a, x, y, z, k, ts limit 3",
    ]
)


PARTS = {
    "distinct": st.sampled_from(["", "distinct "]),
    "a": EXPRESSIONS,
    "b": EXPRESSIONS,
    "from": FROMS,
    "where": CONDITIONS,
    "end": ENDS,
}


def written(parts: dict[str, str]) -> str:
    """The SQL of a view of these parts. DuckDB wants the definitions of windows before QUALIFY."""
    end = parts["end"]
    if " window " in end:
        condition, window = end.split(" window ")
        end = f" window {window}{condition}"
    if parts["distinct"]:  # which of several equal rows gives the others' order is left open
        end = end.replace("order by a, x, y, z, k, ts limit", "order by a, b, k, ts limit")
    items = f"{parts['distinct']}k, ts, {parts['a']} as a, {parts['b']} as b"
    return f"select {items} from {parts['from']}{parts['where']}{end}"


@st.composite
def edits(draw: st.DrawFn) -> tuple[str, str]:
    """A view, and the same with one part replaced."""
    before = {part: draw(values) for part, values in PARTS.items()}
    part = draw(st.sampled_from(sorted(PARTS)))
    return written(before), written(before | {part: draw(PARTS[part])})


ROWS = st.lists(
    st.tuples(
        st.integers(1, 2),
        st.integers(0, 2),
        *[st.sampled_from([None, -1.0, 0.0, 1.0, 2.0])] * 3,
    ),
    max_size=8,
)


@settings(max_examples=300)
@given(edit=edits(), rows=ROWS)
def test_features_with_one_fingerprint_are_equal_on_any_rows(
    edit: tuple[str, str], rows: list[tuple[Any, ...]]
) -> None:
    one, two = map(fingerprints, edit)
    same = [name for name in one if one[name] == two[name]]
    if not same:
        return
    with duckdb.connect() as connection:
        connection.execute('create table "s.t" (k bigint, ts timestamp, x double, y double, z double, l double[])')
        for k, day, *values in rows:
            connection.execute(
                "insert into \"s.t\" values (?, timestamp '2024-01-01' + to_days(?), ?, ?, ?, [])", [k, day, *values]
            )
        for name in same:
            found = [
                sorted(connection.execute(f"select k, ts, {name} from ({sql})").fetchall(), key=repr) for sql in edit
            ]
            assert found[0] == found[1], name
