"""States of parts of a window: finished from older values, a state and newer ones, an aggregate is that of all values.

Aggregates that are recognized in an expression around a list are what the expression is.
"""

from __future__ import annotations

import json
import math
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asknown import FeatureStore
from asknown.aggregates import AGGREGATES, RECOGNIZED, find_aggregate
from asknown.model.expressions.write import portable
from asknown.model.list_patterns import around_list, written_pattern
from asknown.online.codec import full_column_decoder, stored_value
from asknown.online.nodes import StoredCall
from asknown.online.windows import finalizer_of, state_of
from asknown.store.stored_view import stored_view
from asknown.types import parse_type
from asknown.values.expressions import compile_expression
from asknown.values.states import finisher, summary
from features.catalogue import Feature
from features.data import as_table, make_rows
from features.test_features import write_project

DOUBLES = st.sampled_from([0.0, -0.0, 1.0, 0.1, -2.5, 1e308, -1e308, math.inf, -math.inf, math.nan]) | st.floats()
VALUES: dict[str, st.SearchStrategy[Any]] = {
    "DOUBLE": DOUBLES,
    "BOOLEAN": st.booleans(),
    "BIGINT": st.integers(-3, 3),
    "HUGEINT": st.integers(-(2**100), 2**100),
    "DECIMAL(10,2)": st.integers(-99, 99).map(lambda v: Decimal(v).scaleb(-2)),
    "VARCHAR": st.sampled_from(["", "a", "é", '"', "b"]),
    "ENUM('b', 'a', 'é')": st.sampled_from(["b", "a", "é"]),
    "UUID": st.uuids(),
    "DATE": st.dates(),
    "TIMESTAMP": st.integers(0, 200).map(lambda n: datetime(2024, 1, 1) + timedelta(minutes=n)),
    "DOUBLE[]": st.lists(DOUBLES, max_size=2),
}
MERGING = sorted(
    name for name, aggregate in {**AGGREGATES, **RECOGNIZED}.items() if aggregate.family and name != "count_if"
)
GAP = 1_800_000_000


def exactly(value: Any) -> Any:
    """A form of the value in which equality is identity: of type and of bits."""
    match value:
        case float():
            return "nan" if math.isnan(value) else value.hex()
        case list() | tuple():
            return [exactly(part) for part in value]
        case dict():
            return {name: exactly(part) for name, part in value.items()}
    return (type(value).__name__, value)


@st.composite
def calls(draw: st.DrawFn) -> tuple[StoredCall, dict[str, Any]]:
    """A call of an aggregate that has states, and the types of its columns."""
    name = draw(st.sampled_from(MERGING))
    aggregate = find_aggregate(name)
    types = {"v": draw(st.sampled_from([kind for kind in VALUES if not aggregate.refuses(parse_type(kind))]))}
    if aggregate.paired:
        types["y"] = draw(st.sampled_from([kind for kind in VALUES if "[" not in kind]))
    number = GAP if name == "session" else draw(st.integers(1, 4))
    return StoredCall(name, "v", "y" if aggregate.paired else None, None, number, 0, 0), types


@settings(max_examples=600, deadline=None)
@given(given_call=calls(), data=st.data())
def test_states_merge_at_every_cut(given_call: tuple[StoredCall, dict[str, Any]], data: st.DataObject) -> None:
    call, spelled = given_call
    types = {name: parse_type(kind) for name, kind in spelled.items()}
    state = state_of(call, types)
    if state is None:
        return
    kinds = [types[name] for name in state.columns]
    rows = [VALUES[kind] for kind in spelled.values()]
    values = data.draw(st.lists(rows[0] if len(rows) == 1 else st.tuples(*rows), max_size=9))
    if call.aggregate == "session":
        values.sort()
    make = summary(state, kinds, [stored_value(kind) for kind in kinds])
    aggregate = find_aggregate(call.aggregate)
    finish = finisher(aggregate.finalizer, state, kinds, [full_column_decoder(kind) for kind in kinds], call.number)
    wanted = exactly(finalizer_of(call, types)(values))
    first, second, third = sorted(data.draw(st.integers(0, len(values))) for _ in range(3))
    held = make.nothing()
    try:
        for begin, end in ((second, third), (first, second)):
            held = None if held is None else make.before(values[begin:end], held)
    except OverflowError:
        return  # the tile has no states
    if held is None:
        assert call.aggregate == "drawdown" and not all(map(math.isfinite, values[first:third]))
        return
    written = json.loads(json.dumps(make.write(held)))
    assert exactly(finish(values[:first], written, values[third:])) == wanted


# ---------------------------------------------------------------- expressions around lists

ELEMENTS = {
    "streak": ["BOOLEAN"], "longest_streak": ["BOOLEAN"], "since": ["BOOLEAN"], "drawdown": ["DOUBLE"],
    "session": ["TIMESTAMP"], "last_distinct": ["DOUBLE", "VARCHAR", "DATE", "BOOLEAN"],
}  # fmt: skip


@pytest.mark.parametrize(("name", "kind"), [(name, kind) for name, kinds in ELEMENTS.items() for kind in kinds])
@settings(max_examples=80, deadline=None)
@given(data=st.data())
def test_states_are_what_the_expression_around_a_list_is(name: str, kind: str, data: st.DataObject) -> None:
    values = data.draw(st.lists(VALUES[kind], max_size=9))
    if name == "session":
        values.sort()
    number = {"session": GAP, "last_distinct": 2}.get(name)
    expression = written_pattern(name, number)
    around = around_list(expression)
    assert around is not None and around.aggregate.name == name
    assert around.number == number
    evaluate = compile_expression(portable(expression, [parse_type(f"{kind}[]")], {}), {0: 0})
    call = StoredCall(name, "v", None, None, around.number, 0, 0)
    found = finalizer_of(call, {"v": parse_type(kind)})(values)
    assert exactly(found) == exactly(evaluate([values or None], {}))


MACROS = {
    "streak": "{{ streak('declined', '30 days') }}",
    "longest_streak": "{{ streak('declined', '30 days', longest=true) }} + 1",
    "since": "{{ since(\"kind = 'refund'\", 'ever') }} + 1",
    "drawdown": "{{ drawdown('balance', '30 days', closed='left') }}",
    "session": "{{ session('90 minutes', '1 day') }}",
    "last_distinct": "{{ last_distinct('merchant', 3, '30 days') }}",
}


def test_states_are_what_the_macros_become(tmp_path: Path) -> None:
    features = [Feature(n, "", sql, lambda r, t: None, "") for n, sql in enumerate(MACROS.values())]
    write_project(tmp_path / "shop", features)
    pq.write_table(as_table(make_rows()), tmp_path / "shop" / "payments.parquet")
    with FeatureStore(tmp_path / "shop") as store:
        typed = store.typed_catalog
        for number, name in enumerate(MACROS):
            windows = stored_view(store.feature_view(f"v{number}"), typed).windows
            assert windows is not None
            (feature,) = windows.derived
            assert [windows.calls[place].aggregate for place in feature.calls] == [name]


LIFETIMES = {
    "count(*) over {{ last('ever') }}": (True, True),
    "mode(category) over {{ last('ever') }} || '!'": (True, True),
    "(list(category) over {{ last('ever') }})[-5:]": (True, False),
    "{{ streak('declined', 'ever') }}": (True, False),
    "median(amount) over {{ last('ever') }}": (False, False),
    "list(amount) over {{ last('ever') }}": (False, False),
    "sum(cents) over {{ last('30 days') }}": (False, False),
    "count(*) over {{ last('ever') }} - count(*) over {{ last('1 day') }}": (False, False),
    "sum(cents) over {{ last('ever', closed='left') }}": (False, False),
    "sum(cents) over {{ last('ever', delay='1 day') }}": (False, False),
}


def test_states_are_kept_without_events_where_they_are_enough(tmp_path: Path) -> None:
    known = [(sql, with_known) for sql in LIFETIMES for with_known in (False, True)]
    features = [
        Feature(n, "", sql, lambda r, t: None, "", known=with_known) for n, (sql, with_known) in enumerate(known)
    ]
    write_project(tmp_path / "shop", features)
    pq.write_table(as_table(make_rows()), tmp_path / "shop" / "payments.parquet")
    with FeatureStore(tmp_path / "shop") as store:
        for number, (sql, with_known) in enumerate(known):
            windows = stored_view(store.feature_view(f"v{number}"), store.typed_catalog).windows
            assert windows is not None
            assert windows.lifetime == LIFETIMES[sql][with_known], (sql, with_known)
