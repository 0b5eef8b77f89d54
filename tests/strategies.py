"""Hypothesis strategies for whole worlds: views, rows, spines and requests made to hurt.

Times come from a small grid (so that ties happen) plus or minus a microsecond (so that bounds are hit and just
missed); values come from small pools of awkward ones; names are sometimes words that SQL or a query generator uses.
"""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

import oracle
from worlds import Column, ViewData, World

STEP = timedelta(minutes=30)
MICROSECOND = timedelta(microseconds=1)
STARTS = (
    datetime(2024, 3, 10, 5),  # the night New York's clocks go forward
    datetime(1969, 12, 31, 22),  # across the epoch: negative numbers of microseconds
    datetime(2023, 12, 31, 23, 15),
)
FAR = (datetime(1, 1, 1), datetime(2099, 1, 1), datetime(9999, 12, 31, 23, 59, 59, 999999))
TTLS = tuple(
    length // MICROSECOND
    for length in (timedelta(), MICROSECOND, STEP, 3 * STEP, 3 * STEP + MICROSECOND, timedelta(days=1))
)

VALUES: dict[str, tuple[Any, ...]] = {
    "INTEGER": (0, 1, -1, 2**31 - 1, -(2**31)),
    "BIGINT": (0, 1, 2**63 - 1, -(2**63), 2**53 + 1),
    "DOUBLE": (-0.0, 0.0, float("nan"), float("inf"), float("-inf"), 1e17, 0.1, 0.1 + 0.2, 5e-324, -1.5),
    "VARCHAR": ("", "a", "A", "a ", "é", "z", "\uffff", "𝄞", "line\nbreak", "it's"),
    "BOOLEAN": (False, True),
    "DECIMAL(10,2)": (Decimal("0.00"), Decimal("1.10"), Decimal("-0.01"), Decimal("99999999.99")),
    "TIMESTAMP": (datetime(2024, 1, 1), datetime(1969, 12, 31, 23, 59, 59, 999999), datetime(2262, 1, 1)),
    "DATE": (date(2024, 2, 29), date(1900, 1, 1), date(9999, 12, 31)),
    "DOUBLE[]": ([0.0], [-0.0], [-0.0, 5.0], [0.0, 3.0], [float("nan")], [None, 1.5], [0.1, 1e17, 5e-324]),
    "INTEGER[]": ([], [1], [1, 2], [1, None], [None], [2], [-1, 5]),
}
KEY_VALUES: dict[str, tuple[Any, ...]] = {
    "VARCHAR": ("a", "A", "", "a ", "é"),
    "INTEGER": (0, 1, -7, 2**31 - 1),
    "BIGINT": (0, 1, -7, 2**31 - 1),
    "DATE": (date(2024, 3, 10), date(1970, 1, 1)),
    "BOOLEAN": (False, True),
}
KEY_NAMES = {
    "VARCHAR": ("carrier", "from"),
    "INTEGER": ("user_id", "user id"),
    "DATE": ("day", "date"),
    "BOOLEAN": ("is_new", "ключ"),
}
PLAIN_NAMES = ("amount", "balance", "colour", "clicks", "score")
HOSTILE_NAMES = (
    *("y", "rn", "t", "r", "select", "with space", 'quote"inside', "it's", "ünïcode", "co:lon", "semi;colon", "1st"),
    *("bucket", "rows", "match", "__row", "__moment", "_asknown", "moment", "spine", "event_time", "known", "age"),
    *("rowid", "value", "null", "true", "Order", "a.b", "--", "{}", "%s", "$1", "?", "event_timestamp"),
)
VIEW_NAMES = ("v", "v_keys", "orders", "spine", "moments", "result", "select_", "matches")
TIME_TYPES = ("TIMESTAMP",) * 6 + ("TIMESTAMP WITH TIME ZONE", "DATE")

# --- values -----------------------------------------------------------------------------------------------------------


def instants(grid_points: Sequence[datetime]) -> st.SearchStrategy[datetime]:
    """Instants: mostly on the grid, sometimes a microsecond beside it, seldom far away."""
    grid = list(grid_points)
    beside = [at + by * MICROSECOND for at in grid for by in (-1, 1)]
    return st.sampled_from([*grid * 6, *beside, *FAR])


def as_type(instant: datetime | None, kind: str) -> date | datetime | None:
    """The instant as a value of this SQL type."""
    match kind, instant:
        case _, None:
            return None
        case "DATE", datetime():
            return instant.date()
        case "TIMESTAMP WITH TIME ZONE", datetime():
            return instant.replace(tzinfo=UTC)
    return instant


def nullable(values: st.SearchStrategy[Any], often: int = 5) -> st.SearchStrategy[Any]:
    """``values``, and NULL about once in ``often``."""
    return st.sampled_from([False] * (often - 1) + [True]).flatmap(lambda null: st.none() if null else values)


@st.composite
def feature_values(
    draw: st.DrawFn, kind: str, values: Mapping[str, tuple[Any, ...]] = VALUES
) -> st.SearchStrategy[Any]:
    """A strategy for the values of one feature column: of two values where ties are wanted, else of all."""
    pool = values[kind][:2] if draw(st.booleans()) else values[kind]
    return nullable(st.sampled_from(pool))


# --- views ------------------------------------------------------------------------------------------------------------


@st.composite
def key_columns(draw: st.DrawFn) -> tuple[Column, ...]:
    """The world's key columns: one to three, of different kinds."""
    kinds = draw(st.lists(st.sampled_from(tuple(KEY_NAMES)), min_size=1, max_size=3, unique=True))
    return tuple(Column(draw(st.sampled_from(KEY_NAMES[kind])), kind) for kind in kinds)


@st.composite
def any_width(draw: st.DrawFn, keys: Sequence[Column]) -> tuple[Column, ...]:
    """The keys with integers of any width: int32 in the view against int64 in the spine is one key (rule 8)."""
    return tuple(
        Column(key.name, draw(st.sampled_from(("INTEGER", "BIGINT")))) if key.type == "INTEGER" else key for key in keys
    )


@st.composite
def time_columns(draw: st.DrawFn) -> tuple[tuple[Column, ...], dict[str, Any]]:
    """The time columns of a view, and which of them plays which part (one column may play several)."""
    event = Column(draw(st.sampled_from(("ts", "event_timestamp", "happened at"))), draw(st.sampled_from(TIME_TYPES)))
    columns: list[Column] = [event]
    parts: dict[str, Any] = {"event_time": event.name}
    for part, name in (("known_at", "seen_at"), ("created_at", "made")):
        match draw(st.sampled_from(("own", "none", "own", "shared"))):
            case "own":
                columns.append(Column(name, draw(st.sampled_from(TIME_TYPES))))
                parts[part] = name
            case "shared":
                parts[part] = draw(st.sampled_from(columns)).name
    return tuple(columns), parts


@st.composite
def row_lists(
    draw: st.DrawFn,
    keys: Sequence[Column],
    times: Sequence[Column],
    features: Sequence[Column],
    grid: Sequence[datetime],
    *,
    values: Mapping[str, tuple[Any, ...]] = VALUES,
) -> list[dict[str, Any]]:
    """The rows of a view: few and hand-picked by hypothesis, duplicates exact and not, seldom a hot key's many."""
    columns: dict[str, st.SearchStrategy[Any]] = {}
    for column in keys:
        columns[column.name] = nullable(
            st.sampled_from(KEY_VALUES[column.type][: draw(st.sampled_from((1, 1, 1, 2, 3)))]), 8
        )
    for column in times:
        columns[column.name] = nullable(
            st.builds(as_type, instants(grid), st.just(column.type)), draw(st.sampled_from((4, 16, 16)))
        )
    for column in features:
        columns[column.name] = draw(feature_values(column.type, values))
    most = draw(st.sampled_from((0, 4, 12, 12, 24, 24)))
    rows: list[dict[str, Any]] = draw(st.lists(st.fixed_dictionaries(columns), min_size=most // 2, max_size=most))
    if rows:
        rows += draw(st.lists(st.sampled_from(rows), max_size=3))
        only_features = st.fixed_dictionaries({column.name: columns[column.name] for column in features})
        rows += draw(st.lists(st.builds(dict.__or__, st.sampled_from(rows), only_features), max_size=4))
        if draw(st.integers(0, 11)) == 11:
            rows += hot_rows(rows, keys, draw(st.integers(500, 3000)), draw(st.integers(0, 2**32 - 1)))
    return rows


def hot_rows(rows: Sequence[dict[str, Any]], keys: Sequence[Column], count: int, seed: int) -> list[dict[str, Any]]:
    """``count`` rows of one key, their other columns mixed from ``rows``."""
    mix = random.Random(seed)
    hot = {column.name: rows[0][column.name] for column in keys}
    return [{name: mix.choice(rows)[name] for name in rows[0]} | hot for _ in range(count)]


@st.composite
def feature_names(draw: st.DrawFn, taken: set[str]) -> list[str]:
    """One to four names that are neither taken nor the same but for case."""
    pool = [name for name in PLAIN_NAMES + HOSTILE_NAMES if name.casefold() not in taken]
    plain = [name for name in pool if name in PLAIN_NAMES]
    use_plain = len(plain) >= 3 and draw(st.booleans())
    names = st.sampled_from(plain if use_plain else pool)
    least = draw(st.sampled_from((1, 2, 3)))
    return draw(st.lists(names, min_size=least, max_size=4, unique_by=lambda name: name.casefold()))


@st.composite
def views(
    draw: st.DrawFn, name: str, world_keys: Sequence[Column], taken: set[str], grid: Sequence[datetime]
) -> ViewData:
    """A view over some of the world's keys (seldom over none), without the ``taken`` feature names."""
    keys = tuple(key for key in world_keys if draw(st.integers(0, 3)) > 0)
    times, parts = draw(time_columns())
    own = {column.name.casefold() for column in (*keys, *times)}
    features = tuple(Column(each, draw(st.sampled_from(tuple(VALUES)))) for each in draw(feature_names(taken | own)))
    rows = draw(row_lists(keys, times, features, grid))
    keys = draw(any_width(keys))
    columns = tuple(draw(st.permutations((*keys, *times, *features))))
    entity_keys = tuple(key.name for key in keys)
    entities: tuple[tuple[str, tuple[str, ...]], ...]
    if len(keys) == 0 or (len(keys) > 1 and draw(st.booleans())):  # an entity for each key column, or none at all
        entities = tuple((f"e{[k.name for k in world_keys].index(key)}", (key,)) for key in entity_keys)
    else:
        entities = ((f"e_{name}", entity_keys),)
    return ViewData(
        view=oracle.View(
            name=name,
            keys=entity_keys,
            features=tuple(column.name for column in columns if column in features),
            ttl=draw(st.sampled_from(TTLS)),
            **parts,
        ),
        columns=columns,
        entities=entities,
        rows=tuple(rows),
        style=draw(st.sampled_from(("named", "aliased", "star", "ref"))),
    )


# --- spines -----------------------------------------------------------------------------------------------------------


@st.composite
def spines(
    draw: st.DrawFn, world_keys: Sequence[Column], timestamp: str, extra: Sequence[str], grid: Sequence[datetime]
) -> tuple[tuple[Column, ...], list[dict[str, Any]]]:
    """A spine's columns and rows: duplicates, NULL keys, NULL instants, keys nobody has, extra columns."""
    when = Column(timestamp, draw(st.sampled_from(("TIMESTAMP", "TIMESTAMP", "TIMESTAMP WITH TIME ZONE"))))
    keys = draw(any_width(world_keys))
    labels = tuple(Column(name, draw(st.sampled_from(tuple(VALUES)))) for name in extra)
    values: dict[str, st.SearchStrategy[Any]] = {
        when.name: nullable(st.builds(as_type, instants(grid), st.just(when.type)), 12)
    }
    values |= {
        key.name: nullable(st.sampled_from(KEY_VALUES[key.type][: draw(st.sampled_from((1, 1, 2, 4)))]), 16)
        for key in keys
    }
    values |= {label.name: nullable(st.sampled_from(VALUES[label.type])) for label in labels}
    most = draw(st.sampled_from((0, 4, 12, 12, 20, 20)))
    rows: list[dict[str, Any]] = draw(st.lists(st.fixed_dictionaries(values), min_size=most // 2, max_size=most))
    if rows:
        rows += draw(st.lists(st.sampled_from(rows), max_size=4))
    columns = tuple(draw(st.permutations((when, *keys, *labels))))
    return columns, [{column.name: row[column.name] for column in columns} for row in rows]


# --- worlds -----------------------------------------------------------------------------------------------------------


@st.composite
def requests(draw: st.DrawFn, datas: Sequence[ViewData]) -> tuple[str, ...]:
    """What is asked: whole views and single features, in any order, also mixed between views."""
    asked: list[str] = []
    for data in datas:
        features = data.feature_names()
        match draw(st.sampled_from(("last", "some", "all"))):
            case "last":  # those before it break ties all the same
                some = list(features[-1:])
            case "some":
                some = draw(st.lists(st.sampled_from(features), min_size=1, max_size=len(features), unique=True))
            case _:
                asked.append(data.view.name)
                continue
        asked += [f"{data.view.name}:{feature}" for feature in some]
    return tuple(draw(st.permutations(asked)))


@st.composite
def worlds(draw: st.DrawFn, max_views: int = 3) -> World:
    """A whole world."""
    start = draw(st.sampled_from(STARTS))
    grid = [start + i * STEP for i in range(draw(st.sampled_from((2, 4, 8))))]
    world_keys = draw(key_columns())
    timestamp = draw(st.sampled_from(("event_timestamp", "event_timestamp", "decided at")))
    extra = draw(st.lists(st.sampled_from(("label", "Y2", "__row_number", "weird name")), max_size=2, unique=True))
    full_names = draw(st.booleans())
    spine_names = {name.casefold() for name in (timestamp, *extra, *(key.name for key in world_keys))}
    taken = set(spine_names)
    datas: list[ViewData] = []
    for name in draw(st.lists(st.sampled_from(VIEW_NAMES), min_size=1, max_size=max_views, unique=True)):
        data = draw(views(name, world_keys, taken, grid))
        datas.append(data)
        if not full_names:  # else two views may have one feature name
            taken |= {feature.casefold() for feature in data.view.features}
    columns, rows = draw(spines(world_keys, timestamp, extra, grid))
    return World(
        views=tuple(datas),
        spine_columns=columns,
        spine=tuple(rows),
        timestamp=timestamp,
        asked=draw(requests(datas)),
        full_names=full_names,
        shuffle=draw(st.integers(0, 1000)),
        start=start,
    )
