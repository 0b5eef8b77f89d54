"""Hypothesis strategies for worlds with trailing windows: every aggregate, frame and way to write them.

Window lengths are whole steps of the grid that times come from, or a microsecond more or less, so that events lie
exactly on the ends of frames, and just beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

from hypothesis import strategies as st

import oracle
import strategies
from oracle import Row, Window, WindowFeature
from window_frames import Frame, Names, frames
from worlds import Column, ViewData, WindowItem, World, quote

STEPS = (timedelta(minutes=30), timedelta(minutes=30), timedelta(hours=12), timedelta(days=7))
NAN, INF = float("nan"), float("inf")
VALUES: dict[str, tuple[Any, ...]] = strategies.VALUES | {
    "INTEGER": (1, 2, 0, -3, 2**31 - 1, -(2**31)),
    "BIGINT": (1, 2**53 + 1, 0, -1, 2**63 - 1, -(2**63)),
    "DOUBLE": (0.1, 0.2, 1e17, 0.3, -1e17, 1e-20, -0.0, 1e8 + 1, -1.5, 2.0**-60, 1e17 + 16),
    "NOT FINITE": (0.1, NAN, INF, -INF, 1e17, 0.0, -0.0),
    "BOOLEAN": (True, False),
    "VARCHAR": ("", "a", "é", "Z", "\uffff", "𝄞"),
    "DECIMAL(10,2)": (Decimal("0.10"), Decimal("0.20"), Decimal("-0.01"), Decimal("99999999.99")),
}
NUMBERS = ("INTEGER", "BIGINT", "DOUBLE", "DECIMAL(10,2)")
SCALARS = (*NUMBERS, "BOOLEAN", "VARCHAR", "TIMESTAMP", "DATE")
NAMES = ("_1", "_2", "__at", "window", "frame", "over", *strategies.HOSTILE_NAMES)
SEPARATORS = (",", "", "\n", "é; ", "_1 :x")
FRACTIONS = ("0.5", "0.25", "0.9", "0.07", "0", "1")


@dataclass(frozen=True)
class Taking:
    """What an aggregate takes and gives: types of its value, its spellings, its result's type (None: the value's)."""

    takes: tuple[str, ...]
    spelled: tuple[str, ...]
    gives: str | None = None
    exact: bool = True


AGGREGATES: dict[str, Taking] = {
    "count": Taking(SCALARS, ("count",), "BIGINT"),
    "count_distinct": Taking(SCALARS, ("count",), "BIGINT"),
    "count_if": Taking(("BOOLEAN",), ("count_if", "countif"), "BIGINT"),
    "sum": Taking((*NUMBERS, "BOOLEAN"), ("sum",)),
    "avg": Taking(NUMBERS, ("avg", "mean"), "DOUBLE"),
    "min": Taking(SCALARS, ("min", "MIN")),
    "max": Taking(SCALARS, ("max",)),
    "bool_and": Taking(("BOOLEAN",), ("bool_and",), "BOOLEAN"),
    "bool_or": Taking(("BOOLEAN",), ("bool_or",), "BOOLEAN"),
    "stddev_samp": Taking(NUMBERS, ("stddev_samp", "stddev"), "DOUBLE", exact=False),
    "stddev_pop": Taking(NUMBERS, ("stddev_pop",), "DOUBLE", exact=False),
    "var_samp": Taking(NUMBERS, ("var_samp", "variance"), "DOUBLE", exact=False),
    "var_pop": Taking(NUMBERS, ("var_pop",), "DOUBLE", exact=False),
    "first": Taking(SCALARS, ("first",)),
    "last": Taking(SCALARS, ("last",)),
    "arg_min": Taking(SCALARS, ("arg_min", "min_by")),
    "arg_max": Taking(SCALARS, ("arg_max", "max_by")),
    "max_k": Taking(SCALARS, ("max",)),
    "min_k": Taking(SCALARS, ("min",)),
    "arg_max_k": Taking(SCALARS, ("arg_max", "max_by")),
    "arg_min_k": Taking(SCALARS, ("arg_min",)),
    "median": Taking(NUMBERS, ("median",)),
    "quantile_cont": Taking(NUMBERS, ("quantile_cont",)),
    "quantile_disc": Taking((*NUMBERS, "VARCHAR", "DATE"), ("quantile_disc",)),
    "list": Taking(SCALARS, ("list", "array_agg")),
    "list_distinct": Taking(SCALARS, ("list", "array_agg")),
    "first_k": Taking(SCALARS, ("list",)),
    "last_k": Taking(SCALARS, ("array_agg",)),
    "top_k": Taking(SCALARS, ("histogram",)),
    "mode": Taking(SCALARS, ("mode",)),
    "entropy": Taking(SCALARS, ("entropy",), "DOUBLE", exact=False),
    "string_agg": Taking(("VARCHAR",), ("string_agg", "listagg")),
}
SELDOM = (  # other engines refuse worlds with most of them
    "mode", "entropy", "top_k", "first_k", "last_k", "max_k", "min_k", "arg_max_k", "arg_min_k",
)  # fmt: skip
UNFILTERED = ("first", "last")  # DuckDB has no FILTER for these over a window
SUMS = {"DOUBLE": "DOUBLE", "DECIMAL(10,2)": "DECIMAL(38,2)", "BIGINT": "HUGEINT"}
"""The types of sums, for columns of other types BIGINT; those of BIGINT do not fit there, and are cast."""


def around(aggregate: str, over: str, number: int) -> str:
    """The SQL around a window that makes it another aggregate."""
    match aggregate:
        case "first_k":
            return f"({over})[1:{number}]"
        case "last_k":
            return f"({over})[-{number}:]"
        case "top_k":
            pairs = f"list_transform(map_entries({over}), lambda p_: {{'n': -cast(p_.value as bigint), 'v': p_.key}})"
            return f"list_transform(list_sort({pairs})[1:{number}], lambda q_: q_.v)"
    return over


def result_type(aggregate: str, kind: str) -> str:
    """The type of an aggregate over a column of type ``kind``: DuckDB's, but sums of integers are BIGINT (rule 7)."""
    match aggregate:
        case "sum":
            return SUMS.get(kind, "BIGINT")
        case "median" | "quantile_cont":
            return kind if kind.startswith("DECIMAL") else "DOUBLE"
        case "list" | "list_distinct" | "first_k" | "last_k" | "top_k" | "max_k" | "min_k" | "arg_max_k" | "arg_min_k":
            return f"{kind}[]"
    return AGGREGATES[aggregate].gives or kind


# --- calls ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Call:
    """One aggregate over one frame: its SQL, its type, what the oracle calls it."""

    sql: str
    type: str
    window: Window
    exact: bool = True


@dataclass(frozen=True)
class Scope:
    """What the items of one view may use: its value columns, its frames, and how it calls columns."""

    columns: tuple[Column, ...]
    frames: tuple[Frame, ...]
    names: Names
    online: bool  # only what the online table offers as well

    def takes(self, aggregate: str, kind: str) -> bool:
        """Whether an aggregate may be called on a column of this type."""
        if self.online and kind.startswith("DECIMAL") and aggregate in ("median", "quantile_cont"):
            return False
        return kind in AGGREGATES[aggregate].takes

    def of_type(self, *types: str) -> list[Column]:
        """The columns of these types."""
        return [column for column in self.columns if column.type in types]


Condition = Callable[[Row], bool | None]


@st.composite
def conditions(draw: st.DrawFn, scope: Scope) -> tuple[str, Condition]:
    """A FILTER's condition in SQL and in Python, NULL (None) where it is unknown."""
    column = draw(st.sampled_from(scope.columns))
    name, sql = column.name, scope.names.columns[column.name]
    if column.type not in (*NUMBERS, "BOOLEAN", "VARCHAR") or draw(st.integers(0, 3)) == 0:
        return f"{sql} is not null", lambda row: row[name] is not None
    if column.type == "BOOLEAN":
        return sql, lambda row: row[name]
    bound, text = {"VARCHAR": ("", "''"), "DOUBLE": (0.15, "0.15::double")}.get(column.type, (0, "0"))
    return (
        f"{sql} > {text}",
        lambda row: None if row[name] is None else oracle.ordered(row[name]) > oracle.ordered(bound),
    )


@st.composite
def calls(draw: st.DrawFn, scope: Scope, aggregates: Sequence[str], columns: Sequence[Column]) -> Call:
    """A call of one of these aggregates on one of these columns, which it must be able to take."""
    column = draw(st.sampled_from(columns))
    aggregate = draw(st.sampled_from([name for name in aggregates if scope.takes(name, column.type)]))
    facts, frame = AGGREGATES[aggregate], draw(st.sampled_from(scope.frames))
    value: str | None = column.name
    order, fraction, separator, number = None, Fraction(1, 2), ",", draw(st.integers(1, 3))
    arguments = scope.names.columns[column.name]
    match aggregate:
        case "count" if draw(st.booleans()):
            value, arguments = None, "*"
        case "count_distinct" | "list_distinct":
            arguments = f"distinct {arguments}"
        case "string_agg":
            separator = draw(st.sampled_from(SEPARATORS))
            arguments += f", '{separator}'"
        case "arg_min" | "arg_max" | "arg_min_k" | "arg_max_k":
            order = draw(st.sampled_from(scope.of_type(*SCALARS))).name
            arguments += f", {scope.names.columns[order]}"
            arguments += f", {number}" if aggregate.endswith("_k") else ""
        case "min_k" | "max_k":
            arguments += f", {number}"
        case "quantile_cont" | "quantile_disc":
            share = draw(st.sampled_from(FRACTIONS))
            fraction = Fraction(share)
            arguments += f", {share}"
    sql, where = f"{draw(st.sampled_from(facts.spelled))}({arguments})", None
    if aggregate not in UNFILTERED and draw(st.integers(0, 3)) == 0:
        condition, where = draw(conditions(scope))
        sql += f" filter (where {condition})"
    ends = (frame.length, frame.closed, frame.delay)
    window = Window(aggregate, value, *ends, order, fraction, separator, number, where, frame.period)
    over = f"{sql} over {frame.sql}"
    return Call(around(aggregate, over, number), result_type(aggregate, column.type), window, facts.exact)


# --- items ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Made:
    """A feature's SQL, type and meaning, and the as-of columns that it reads."""

    sql: str
    type: str
    feature: WindowFeature
    exact: bool = True
    columns: tuple[str, ...] = ()


@st.composite
def single_items(draw: st.DrawFn, scope: Scope) -> Made:
    """One aggregate over one window."""
    names = tuple(name for name in AGGREGATES if name not in SELDOM or draw(st.integers(0, 3)) == 0)
    call = draw(calls(scope, names, scope.columns))
    sql = f"cast({call.sql} as hugeint)" if call.type == "HUGEINT" else call.sql
    return Made(sql, call.type, WindowFeature((call.window,)), call.exact)


@st.composite
def expressions(draw: st.DrawFn, scope: Scope, *, mixed: bool) -> Made:
    """An expression over several windows, or (if ``mixed``) over windows and the view's own columns."""
    whole, doubles = scope.of_type("INTEGER"), scope.of_type("DOUBLE")
    makers = [ratios(scope), differences(scope), guarded(scope)]
    makers += [fallbacks(scope)] if whole else []
    makers += [against_average(scope)] if mixed and (whole or doubles) else []
    makers += [comparisons(scope)] if mixed and doubles else []
    makers += [texts(scope)] if scope.of_type("VARCHAR") else []
    return draw(st.one_of(makers))


def unless_null(function: Callable[..., Any]) -> Callable[[Sequence[Any], Row], Any]:
    """A function of the windows' values that gives NULL where one of them is NULL."""
    return lambda values, _row: None if None in values else function(*values)


@st.composite
def ratios(draw: st.DrawFn, scope: Scope) -> Made:
    """`a / nullif(count(*), 0)`."""
    top = draw(calls(scope, ("count", "sum", "avg"), scope.of_type("INTEGER", "DOUBLE") or scope.columns[:1]))
    count = draw(calls(scope, ("count",), scope.columns))
    feature = WindowFeature(
        (top.window, count.window),
        lambda values, _: None if values[0] is None or not values[1] else float(values[0]) / values[1],
    )
    if top.type.startswith("DECIMAL") or (top.type == "HUGEINT" and not scope.of_type("INTEGER")):
        return Made(count.sql, count.type, WindowFeature((count.window,)))
    return Made(f"{top.sql} / nullif({count.sql}, 0)", "DOUBLE", feature)


@st.composite
def differences(draw: st.DrawFn, scope: Scope) -> Made:
    """`count(…) over one - count(…) over another`, or of the sums of integers."""
    whole = scope.of_type("INTEGER")
    names, columns = (("sum",), whole) if whole and draw(st.booleans()) else (("count",), scope.columns)
    left, right = draw(calls(scope, names, columns)), draw(calls(scope, names, columns))
    feature = WindowFeature((left.window, right.window), unless_null(lambda a, b: a - b))
    return Made(f"{left.sql} - {right.sql}", left.type, feature)


@st.composite
def guarded(draw: st.DrawFn, scope: Scope) -> Made:
    """`case when count(…) > 1 then max(x) end`."""
    count = draw(calls(scope, ("count",), scope.columns))
    value = draw(calls(scope, ("min", "max", "avg"), scope.of_type("INTEGER", "DOUBLE", "BIGINT") or scope.columns[:1]))
    feature = WindowFeature((count.window, value.window), lambda values, _: values[1] if values[0] > 1 else None)
    return Made(f"case when {count.sql} > 1 then {value.sql} end", value.type, feature)


@st.composite
def fallbacks(draw: st.DrawFn, scope: Scope) -> Made:
    """`coalesce(sum(i), 0)`."""
    total = draw(calls(scope, ("sum",), scope.of_type("INTEGER")))
    feature = WindowFeature((total.window,), lambda values, _: values[0] or 0)
    return Made(f"coalesce({total.sql}, 0)", total.type, feature)


@st.composite
def texts(draw: st.DrawFn, scope: Scope) -> Made:
    """`coalesce(last(s), 'none')`: an empty text is no NULL."""
    text = draw(calls(scope, ("last", "min", "arg_max"), scope.of_type("VARCHAR")))
    feature = WindowFeature((text.window,), lambda values, _: "none" if values[0] is None else values[0])
    return Made(f"coalesce({text.sql}, 'none')", "VARCHAR", feature)


@st.composite
def against_average(draw: st.DrawFn, scope: Scope) -> Made:
    """`x - avg(x)`: the newest row's own value (rule 3) against a window's (rule 4)."""
    column = draw(st.sampled_from(scope.of_type("INTEGER", "DOUBLE")))
    mean = draw(calls(scope, ("avg",), (column,)))
    sql = scope.names.columns[column.name]

    def combine(values: Sequence[Any], row: Row) -> float | None:
        own = row.get(column.name)
        return None if own is None or values[0] is None else float(own) - values[0]

    return Made(f"{sql} - {mean.sql}", "DOUBLE", WindowFeature((mean.window,), combine), columns=(column.name,))


@st.composite
def comparisons(draw: st.DrawFn, scope: Scope) -> Made:
    """`x >= max(x)`: NaN is greatest, NULL unknown."""
    column = draw(st.sampled_from(scope.of_type("DOUBLE")))
    most = draw(calls(scope, ("max", "min", "sum"), (column,)))
    sql = scope.names.columns[column.name]

    def combine(values: Sequence[Any], row: Row) -> bool | None:
        own = row.get(column.name)
        return None if own is None or values[0] is None else oracle.ordered(own) >= oracle.ordered(values[0])

    return Made(f"{sql} >= {most.sql}", "BOOLEAN", WindowFeature((most.window,), combine), columns=(column.name,))


# --- views and worlds -------------------------------------------------------------------------------------------------


@st.composite
def value_columns(draw: st.DrawFn, taken: set[str]) -> tuple[tuple[Column, ...], dict[str, tuple[Any, ...]]]:
    """The columns that windows aggregate, and the values of each type in this view."""
    pool = [name for name in strategies.PLAIN_NAMES + NAMES if name.casefold() not in taken]
    names = draw(st.lists(st.sampled_from(pool), min_size=1, max_size=4, unique_by=str.casefold))
    columns = tuple(Column(name, draw(st.sampled_from(("INTEGER", "DOUBLE", *SCALARS)))) for name in names)
    values = VALUES | ({"DOUBLE": VALUES["NOT FINITE"]} if draw(st.integers(0, 3)) == 0 else {})
    return columns, values


@st.composite
def windowed_views(
    draw: st.DrawFn, name: str, world_keys: Sequence[Column], taken: set[str], grid: Sequence[datetime], **options: bool
) -> ViewData:
    """A view with windows over some of the world's keys (seldom over none), without the ``taken`` feature names."""
    keys = tuple(key for key in world_keys if draw(st.integers(0, 4)) > 0)
    times, parts = draw(strategies.time_columns())
    own = taken | {column.name.casefold() for column in (*keys, *times)}
    values, pools = draw(value_columns(own))
    own |= {column.name.casefold() for column in values}
    rows = draw(strategies.row_lists(keys, times, values, grid, values=pools))
    columns = tuple(draw(st.permutations((*draw(strategies.any_width(keys)), *times, *values))))
    style = draw(st.sampled_from(("named", "named", "aliased", "star", "ref")))
    called = {c.name: f"c{i}" if style == "aliased" else quote(c.name) for i, c in enumerate(columns)}
    key_names = tuple(key.name for key in keys)
    named: list[str] = []
    names = Names(tuple(called[key] for key in key_names), called[parts["event_time"]], called)
    step = grid[1] - grid[0]
    some = tuple(draw(frames(names, step, number, named)) for number in range(draw(st.integers(1, 3))))
    scope = Scope(values, some, names, options["online"])
    item = st.one_of(single_items(scope), single_items(scope), expressions(scope, mixed=options["mixed"]))
    made = draw(st.lists(item, min_size=1, max_size=5))
    fresh = st.sampled_from([each for each in (*strategies.PLAIN_NAMES, *NAMES) if each.casefold() not in own])
    called_so = draw(st.lists(fresh, min_size=len(made), max_size=len(made), unique_by=str.casefold))
    windows = dict(zip(called_so, made, strict=True))
    selected = [*keys, *times, *(v for v in values if style == "star" or draw(st.booleans()))]
    names_of_columns = [column.name for column in columns if column.name in {c.name for c in selected}]
    select = (*names_of_columns, *windows)
    if style == "aliased":  # the macro's windows name the columns by their new names, which must come first
        select = (*draw(st.permutations(names_of_columns)), *windows)
    elif style != "star":
        select = tuple(draw(st.permutations(select)))
    others = {*key_names, *(time.name for time in times)}
    as_of = [c for n in select if n not in others for c in (windows[n].columns if n in windows else (n,))]
    return ViewData(
        view=oracle.View(
            name=name,
            keys=key_names,
            features=tuple(dict.fromkeys(as_of)),
            ttl=draw(st.sampled_from(strategies.TTLS)),
            windows={each: item.feature for each, item in windows.items()},
            **parts,
        ),
        columns=columns,
        entities=((f"e_{name}", key_names),) if keys else (),
        rows=tuple(rows),
        style=style,
        windows=tuple(
            WindowItem(each, item.type, item.sql, item.feature, item.exact) for each, item in windows.items()
        ),
        select=select,
        named_windows=tuple(named),
    )


@st.composite
def worlds(draw: st.DrawFn, max_views: int = 2, *, mixed: bool = True, online: bool = False) -> World:
    """A world whose first view has windows; the others may have none.

    ``mixed``: also with items of windows and columns; ``online``: only with what the online table offers.
    """
    start, step = draw(st.sampled_from(strategies.STARTS)), draw(st.sampled_from(STEPS))
    grid = [start + i * step for i in range(draw(st.sampled_from((2, 4, 8))))]
    world_keys = draw(strategies.key_columns())
    timestamp = draw(st.sampled_from(("event_timestamp", "event_timestamp", "decided at")))
    taken = {name.casefold() for name in (timestamp, "label", *(key.name for key in world_keys))}
    datas: list[ViewData] = []
    names = draw(st.lists(st.sampled_from(strategies.VIEW_NAMES), min_size=1, max_size=max_views, unique=True))
    for name in names:
        plain = bool(datas) and draw(st.booleans())
        one = (name, world_keys, taken, grid)
        data = draw(strategies.views(*one) if plain else windowed_views(*one, mixed=mixed, online=online))
        datas.append(data)
        taken |= {feature.casefold() for feature in data.feature_names()}
    columns, rows = draw(strategies.spines(world_keys, timestamp, ("label",), grid))
    return World(
        views=tuple(datas),
        spine_columns=columns,
        spine=tuple(rows),
        timestamp=timestamp,
        asked=draw(strategies.requests(datas)),
        full_names=draw(st.booleans()),
        shuffle=draw(st.integers(0, 1000)),
        start=start,
    )
