"""A small world to test in: views with their rows, a spine, what is asked, and the project that says the same.

A world knows its answer by the oracle (:func:`expected`), and can be written down as a project with a DuckDB warehouse
(:func:`write_project`), so that a test compares the two.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

import oracle

ARROW = {
    "HUGEINT": pa.decimal128(38, 0),
    "DECIMAL(38,2)": pa.decimal128(38, 2),
    "BOOLEAN": pa.bool_(),
    "INTEGER": pa.int32(),
    "BIGINT": pa.int64(),
    "DOUBLE": pa.float64(),
    "VARCHAR": pa.string(),
    "DECIMAL(10,2)": pa.decimal128(10, 2),
    "DATE": pa.date32(),
    "TIMESTAMP": pa.timestamp("us"),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
}


def arrow_type(name: str) -> pa.DataType:
    """The Arrow type of an SQL type: one of :data:`ARROW`, or a list of one."""
    return pa.list_(arrow_type(name.removesuffix("[]"))) if name.endswith("[]") else ARROW[name]


@dataclass(frozen=True)
class Column:
    """A column and its SQL type, as :func:`arrow_type` knows it."""

    name: str
    type: str


@dataclass(frozen=True)
class WindowItem:
    """A feature over trailing windows: its SQL, as it stands in the template, and what the oracle makes of it.

    ``exact`` is False where the feature need only agree to 1e-12 (rule 5).
    """

    name: str
    type: str
    sql: str
    feature: oracle.WindowFeature
    exact: bool = True


@dataclass(frozen=True)
class ViewData:
    """A feature view with its rows, its columns in select order, its entities, and how its SQL is written.

    ``style`` is one of "named", "aliased", "star", "ref": the same columns, said in different SQL. A view with
    ``windows`` says in ``select`` which columns and windows its SQL selects, in order; ``named_windows`` are the
    definitions in its WINDOW clause.
    """

    view: oracle.View
    columns: tuple[Column, ...]
    entities: tuple[tuple[str, tuple[str, ...]], ...]
    rows: tuple[dict[str, Any], ...]
    style: str = "named"
    windows: tuple[WindowItem, ...] = ()
    select: tuple[str, ...] = ()
    named_windows: tuple[str, ...] = ()
    max_ahead: int = oracle.MAX_AHEAD

    def types(self) -> dict[str, str]:
        """The SQL type of each column and each feature."""
        return {column.name: column.type for column in self.columns} | {item.name: item.type for item in self.windows}

    def feature_names(self) -> tuple[str, ...]:
        """All features, in select order."""
        if not self.windows:
            return self.view.features
        others = (*self.view.keys, self.view.event_time, self.view.known_at, self.view.created_at)
        return tuple(name for name in self.select if name not in others)


@dataclass(frozen=True)
class World:
    """Views, a spine over all their keys, and the features asked for, as a user writes them."""

    views: tuple[ViewData, ...]
    spine_columns: tuple[Column, ...]
    spine: tuple[dict[str, Any], ...]
    timestamp: str
    asked: tuple[str, ...]
    full_names: bool = False
    shuffle: int = 0  # the order in which the rows are inserted
    start: datetime = datetime(2024, 1, 1)  # most of its times lie in the hours after this

    def view_named(self, name: str) -> ViewData:
        """The view of this name."""
        return next(data for data in self.views if data.view.name == name)

    def with_rows(self, rows: Mapping[str, Sequence[dict[str, Any]]]) -> World:
        """The same world with other rows in its views."""
        return replace(self, views=tuple(replace(d, rows=tuple(rows[d.view.name])) for d in self.views))


# --- what is asked, and what must come out ----------------------------------------------------------------------------


def asked_features(world: World) -> list[tuple[ViewData, str, str]]:
    """(view, feature, name in the result) for every feature asked for, in the order of the result."""
    answer: list[tuple[ViewData, str, str]] = []
    for reference in world.asked:
        name, _, feature = reference.partition(":")
        data = world.view_named(name)
        features = (feature,) if feature else data.feature_names()
        answer += [(data, each, f"{name}__{each}" if world.full_names else each) for each in features]
    return answer


def expected(world: World) -> list[dict[str, Any]]:
    """The training set by the oracle."""
    requests = [oracle.Request(d.view, d.rows, {feature: name}) for d, feature, name in asked_features(world)]
    return oracle.training_set(world.spine, requests, world.timestamp)


def expected_types(world: World) -> list[tuple[str, pa.DataType]]:
    """Names and Arrow types of the training set's columns, in order."""
    spine = [(column.name, arrow_type(column.type)) for column in world.spine_columns]
    return spine + [(name, arrow_type(data.types()[feature])) for data, feature, name in asked_features(world)]


def inexact_features(world: World) -> set[str]:
    """The names in the result of the features that need only agree to 1e-12."""
    return {
        name
        for data, feature, name in asked_features(world)
        if any(item.name == feature and not item.exact for item in data.windows)
    }


# --- exact comparison -------------------------------------------------------------------------------------------------


def exact(value: Any) -> Any:
    """A value as something that equals only the same value of the same type: NaN is NaN, -0.0 is not 0.0.

    An aware timestamp equals the same instant in any zone, and no naive one. A whole Decimal is an integer: Arrow has
    no other type for those of 128 bits.
    """
    match value:
        case float():
            return ("float", "nan" if math.isnan(value) else value.hex())
        case Decimal():
            return ("int", int(value)) if value.as_tuple().exponent == 0 else ("Decimal", str(value))
        case list():
            return ("list", [exact(item) for item in value])
    return (type(value).__name__, value)


def exact_rows(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as :func:`exact` sees them."""
    return [{name: exact(value) for name, value in row.items()} for row in rows]


def agrees(have: Any, wanted: Any) -> bool:
    """Whether an inexact feature has the value wanted, to 1e-12 of it."""
    if isinstance(have, float) and isinstance(wanted, float):
        return math.isclose(have, wanted, rel_tol=1e-12, abs_tol=0) or (math.isnan(have) and math.isnan(wanted))
    return have is wanted is None


def settled(have: Sequence[dict[str, Any]], wanted: Sequence[dict[str, Any]], names: set[str]) -> list[dict[str, Any]]:
    """``have``, with the wanted value of each inexact feature that agrees with it."""
    return [
        {name: right[name] if name in names and agrees(value, right[name]) else value for name, value in left.items()}
        for left, right in zip(have, wanted, strict=True)
    ]


def same_type(have: pa.DataType, wanted: pa.DataType) -> bool:
    """Whether two Arrow types are one SQL type: strings in any layout, instants in any zone, a list by its elements."""
    strings = {pa.string(), pa.large_string(), pa.string_view()}
    if wanted in strings:
        return have in strings
    if pa.types.is_timestamp(wanted) and wanted.tz is not None:
        return bool(pa.types.is_timestamp(have) and have.unit == wanted.unit and have.tz is not None)
    if pa.types.is_list(wanted):
        lists = pa.types.is_list(have) or pa.types.is_large_list(have)
        return bool(lists and same_type(have.value_type, wanted.value_type))
    return bool(have == wanted)


def assert_equals(table: pa.Table, world: World) -> None:
    """Asserts that a training set is the world's: its columns, their types, its rows in order, every value exact."""
    wanted = expected_types(world)
    assert table.column_names == [name for name, _ in wanted]
    for field, (name, kind) in zip(table.schema, wanted, strict=True):
        assert same_type(field.type, kind), f"{name} is {field.type}, should be {kind}"
    assert table.num_rows == len(world.spine)
    answer = expected(world)
    assert exact_rows(settled(table.to_pylist(), answer, inexact_features(world))) == exact_rows(answer)


# --- a world as files -------------------------------------------------------------------------------------------------


def arrow_table(columns: Sequence[Column], rows: Sequence[dict[str, Any]]) -> pa.Table:
    """The rows as a typed Arrow table."""
    arrays = [pa.array([row[c.name] for row in rows], arrow_type(c.type)) for c in columns]
    return pa.Table.from_arrays(arrays, schema=pa.schema([(c.name, arrow_type(c.type)) for c in columns]))


def spine_table(world: World) -> pa.Table:
    """The spine as a typed Arrow table."""
    return arrow_table(world.spine_columns, world.spine)


def quote(name: str) -> str:
    """A name as a quoted SQL identifier."""
    return '"' + name.replace('"', '""') + '"'


def write_project(world: World, folder: Path, *, threads: int = 2) -> Path:
    """Writes the world as a project with its warehouse; gives the folder, ready for FeatureStore."""
    (folder / "models").mkdir(parents=True, exist_ok=True)
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "world"\n', encoding="utf-8")
    write_profile(folder, threads=threads)
    tables = [{"name": f"raw_{d.view.name}", "identifier": f"main.raw_{d.view.name}"} for d in world.views]
    entities = {name: keys for d in world.views for name, keys in d.entities}
    properties = {
        "sources": [{"name": "raw", "tables": tables}],
        "entities": [{"name": name, "keys": list(keys)} for name, keys in entities.items()],
    }
    # JSON is YAML, and quotes hostile names for us.
    (folder / "models" / "world.yml").write_text(json.dumps(properties, ensure_ascii=False), encoding="utf-8")
    for data in world.views:
        for name, text in model_files(data).items():
            (folder / "models" / f"{name}.sql").write_text(text, encoding="utf-8")
    write_warehouse(world, folder)
    return folder


def write_profile(folder: Path, *, threads: int) -> None:
    """Writes profiles.yml: the warehouse in the folder, read by this many threads."""
    profile = {"target": "dev", "outputs": {"dev": {"type": "duckdb", "path": "warehouse.duckdb", "threads": threads}}}
    (folder / "profiles.yml").write_text(json.dumps({"world": profile}), encoding="utf-8")


def write_warehouse(world: World, folder: Path) -> None:
    """Writes the rows of every view into warehouse.duckdb, replacing what was there, in the world's shuffled order."""
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        for data in world.views:
            rows = list(data.rows)
            random.Random(world.shuffle).shuffle(rows)
            table = arrow_table(data.columns, rows)
            if data.style == "aliased":
                table = table.rename_columns([f"c{i}" for i in range(len(data.columns))])
            connection.register("incoming", table)
            connection.execute(f"create or replace table {quote('raw_' + data.view.name)} as select * from incoming")
            connection.unregister("incoming")


def model_files(data: ViewData) -> dict[str, str]:
    """The view's SQL as model files: {model's name: text}."""
    source = f"{{{{ source('raw', 'raw_{data.view.name}') }}}}"
    windows = {item.name: f"{item.sql} as {quote(item.name)}" for item in data.windows}
    selected = [column for column in data.columns if not data.select or column.name in data.select]
    items = {column.name: quote(column.name) for column in selected}
    ending = "".join(f"{',' if i else ' window'} {each}" for i, each in enumerate(data.named_windows)) + "\n"
    staging: dict[str, str] = {}
    match data.style:
        case "aliased":
            places = {column.name: i for i, column in enumerate(data.columns)}
            items = {name: f"c{places[name]} as {item}" for name, item in items.items()}
        case "star":
            items = {"*": "*"}
        case "ref":
            staging = {f"stg_{data.view.name}": f"select * from {source}\n"}
            source = f"{{{{ ref('stg_{data.view.name}') }}}}"
    items |= windows
    order = data.select if data.select and data.style != "star" else tuple(items)
    body = "select\n    " + ",\n    ".join(items[name] for name in order) + f"\nfrom {source}{ending}"
    return {**staging, data.view.name: config_line(data) + body}


def config_line(data: ViewData) -> str:
    """The view's ``{{ config(...) }}``."""
    view = data.view
    given: dict[str, Any] = {"entity": [name for name, _ in data.entities], "event_time": view.event_time}
    if view.known_at is not None:
        given["known_at"] = view.known_at
    if view.created_at is not None:
        given["created_at"] = view.created_at
    if view.ttl:
        given["ttl"] = f"{view.ttl} microseconds"
    if data.max_ahead != oracle.MAX_AHEAD:
        given["max_ahead"] = f"{data.max_ahead} microseconds"
    arguments = ", ".join(f"{key}={json.dumps(value, ensure_ascii=False)}" for key, value in given.items())
    return f"{{{{ config({arguments}) }}}}\n\n"
