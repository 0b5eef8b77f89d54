"""Compiled SQL as somebody runs it by hand: in a new session of the engine's own client, in another time zone.

The features read naive and zoned columns, of which one is kept in a zone of its own where the engine has such columns.
What comes out must be what `asknown train` gives, which must be what DuckDB gives.
"""

from __future__ import annotations

import csv
import io
import json
import os
import subprocess
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from click.testing import CliRunner

from asknown import FeatureStore
from asknown.cli.group import main
from engines.harness import Warehouse
from engines.postgres_server import PACKAGE

ZONES = ("Asia/Kolkata", "America/New_York")
FIRST = datetime(2024, 3, 8, 20, 15, 30, 250_000)
ROWS = 48
# Through the nights in which the clocks of New York and Berlin change.
AT = [FIRST + timedelta(hours=5 * row, minutes=7 * row) for row in range(ROWS)]
EVENTS = pa.table(
    {
        "shop": pa.array([row % 3 for row in range(ROWS)], pa.int64()),
        "seen": pa.array(AT, pa.timestamp("us")),
        "aware": pa.array([at.replace(tzinfo=UTC) for at in AT], pa.timestamp("us", "UTC")),
        "day": pa.array([at.date() for at in AT], pa.date32()),
        "amount": pa.array([None if row % 7 == 0 else row * 0.1 for row in range(ROWS)], pa.float64()),
        "price": pa.array([Decimal(row * 37) / 100 for row in range(ROWS)], pa.decimal128(9, 2)),
        "count": pa.array([row * 11 % 17 for row in range(ROWS)], pa.int32()),
        "word": pa.array([f"Shop {row % 5}" for row in range(ROWS)], pa.string()),
    }
)
SPINE = pa.table(
    {
        "shop": pa.array([row % 4 for row in range(40)], pa.int64()),
        "event_timestamp": pa.array([FIRST + timedelta(hours=6 * row) for row in range(40)], pa.timestamp("us")),
    }
)
CALENDAR = """
    extract(hour from aware) as hour, extract(dow from aware) as dow, extract(doy from seen) as doy,
    date_trunc('day', aware) as day_start, date_trunc('month', seen) as month_start,
    cast(aware as date) as aware_day, cast(aware as timestamp) as naive, cast(seen as timestamptz) as zoned,
    cast(aware as varchar) as spelled, aware + interval '1 day' as tomorrow,
    cast(aware + interval '1 day' as date) as d,
    aware > seen as later, aware > timestamp '2024-03-10 12:00:00' as spring,
    aware > '2024-03-10 12:00:00' as text_spring,
    day < aware as past, date_diff('day', day, seen) as days, dayname(aware) as weekday, day, amount, price
"""
WINDOWS = """
    count(*) over {{ last('2 days') }} as n, sum(amount) over {{ last('2 days') }} as total,
    avg(amount) over {{ last('3 days') }} as mean, min(price) over {{ last('2 days') }} as least,
    max(word) over {{ last('2 days') }} as word_most, avg(price) over {{ last('2 days') }} as mean_price,
    sum(count) over {{ last('36 hours') }} as counted, count(distinct word) over {{ last('4 days') }} as words,
    sum(count) filter (where extract(hour from aware) < 12) over {{ last('5 days') }} as mornings,
    min(aware) over {{ last('2 days') }} as first_aware, stddev_samp(count) over {{ last('4 days') }} as spread
"""
LOCAL = """
    extract(hour from seen) as utc_hour, extract(dow from seen) as utc_dow, cast(seen as date) as utc_day,
    date_trunc('day', seen) as utc_start, extract(hour from seen at time zone 'UTC' at time zone 'America/New_York') as
    local_hour, count, word, upper(word) as loud, coalesce(amount, 0.0) as given
"""
VIEWS = {
    "calendar": ("seen", CALENDAR, "shops"),
    "windows": ("aware", WINDOWS, "shops"),
    "local": ("seen", LOCAL, "shops_of_new_york"),
}
NAMES = ["calendar", "windows", "local"]


def write_project(folder: Path, target: dict[str, Any], identifier: str, spine: str) -> None:
    (folder / "models").mkdir(parents=True)
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "hand"\n')
    (folder / "profiles.yml").write_text(json.dumps({"hand": {"target": "dev", "outputs": {"dev": target}}}))
    zoned = {"name": "shops_of_new_york", "identifier": identifier, "timezone": "America/New_York"}
    tables = [{"name": "shops", "identifier": identifier}, zoned, {"name": "spine", "identifier": spine}]
    properties = {"sources": [{"name": "raw", "tables": tables}], "entities": [{"name": "shop", "keys": ["shop"]}]}
    (folder / "models" / "models.yml").write_text(json.dumps(properties))
    (folder / "models" / "asked.sql").write_text("select * from {{ source('raw', 'spine') }}\n")
    for name, (time, items, table) in VIEWS.items():
        also = "seen" if time == "aware" else "seen as at, aware as aware_at"
        also = "" if time == "seen" else f"{also}, "
        config = f"{{{{ config(entity='shop', event_time='{time}') }}}}\n"
        text = f"{config}select shop, {time}, {also}{items} from {{{{ source('raw', '{table}') }}}}\n"
        (folder / "models" / f"{name}.sql").write_text(text)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> pa.Table:
    """What DuckDB gives."""
    folder = tmp_path_factory.mktemp("duckdb")
    with duckdb.connect(str(folder / "warehouse.duckdb")) as connection:
        for name, data in {"shops": EVENTS, "asked_rows": SPINE}.items():
            connection.register("incoming", data)
            connection.execute(f"create table {name} as select * from incoming")
    write_project(folder, {"type": "duckdb", "path": "warehouse.duckdb"}, "main.shops", "main.asked_rows")
    return ask(folder)


def ask(folder: Path) -> pa.Table:
    with FeatureStore(folder) as store:
        table = store.get_historical_features("asked", NAMES).to_arrow()
    assert table.num_columns >= 42
    return table


@pytest.fixture(scope="module")
def folder(warehouse: Warehouse, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project over the engine's tables."""
    folder = tmp_path_factory.mktemp(warehouse.name)
    warehouse.load(folder, {"shops": EVENTS, "asked_rows": SPINE})
    if warehouse.name == "clickhouse":
        import chdb

        zoned = "ALTER TABLE main.shops MODIFY COLUMN aware Nullable(DateTime64(6, 'Asia/Kolkata'))"
        chdb.connect(":memory:").query(zoned)
    schema = warehouse.schema
    write_project(folder, warehouse.target(folder), f"{schema}.shops", f"{schema}.asked_rows")
    return folder


def test_the_engine_gives_what_duckdb_gives(folder: Path, expected: pa.Table) -> None:
    found = ask(folder)
    assert found.column_names == expected.column_names
    different = [name for name in found.column_names if plain(found[name]) != plain(expected[name])]
    assert not different, [(plain(found[name])[:5], plain(expected[name])[:5]) for name in different]


def plain(column: pa.ChunkedArray) -> list[Any]:
    values = column.to_pylist()
    return [float(f"{value:.12g}") if isinstance(value, float) else value for value in values]


@pytest.mark.parametrize("zone", ZONES)
def test_compiled_sql_runs_as_it_stands(
    warehouse: Warehouse, folder: Path, zone: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "train.sql"
    monkeypatch.chdir(folder)
    ran = CliRunner().invoke(main, ["compile", *NAMES, "--spine", "asked", "-o", str(file)])
    assert ran.exit_code == 0, ran.output
    rows = CLIENTS[warehouse.name](warehouse, file, zone)
    wanted = ask(folder)
    assert len(rows) == wanted.num_rows
    for place, name in enumerate(wanted.column_names):
        values = wanted[name].to_pylist()
        assert [row[place] for row in rows] == [spell(v, row[place]) for v, row in zip(values, rows, strict=True)], name


def spell(value: Any, found: Any) -> Any:
    """A value as the client wrote it in ``found``, if that is the value."""
    match value:
        case None:
            same = found in ("", None)
        case bool():
            same = found in (value, "t" if value else "f", "true" if value else "false")
        case int() | float() | Decimal():
            same = found != "" and type(value)(found) == value
        case datetime():
            text = str(found).replace("T", " ")
            read = datetime.fromisoformat(text if value.tzinfo is None or "+" in text else f"{text}+00")
            same = read == value
        case date():
            same = str(found) == str(value)
        case _:
            same = found == value
    return found if same else value


def in_psql(warehouse: Warehouse, file: Path, zone: str) -> list[list[Any]]:
    spec = find_spec(PACKAGE)  # an import would look for a place at run time, and warn where there is none
    assert spec is not None and spec.origin is not None
    psql = Path(spec.origin).parent / "pginstall" / "bin" / "psql"
    words = [str(psql), warehouse.options["dsn"], "--csv", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(file)]
    ran = subprocess.run(words, env={**os.environ, "PGTZ": zone}, capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return list(csv.reader(io.StringIO(ran.stdout)))


def in_chdb(warehouse: Warehouse, file: Path, zone: str) -> list[list[Any]]:
    import chdb

    client = chdb.connect(":memory:")
    client.query(f"SET session_timezone = '{zone}'")
    text = str(client.query(file.read_text(), "CSV"))
    return [["" if value == r"\N" else value for value in row] for row in csv.reader(io.StringIO(text))]


def in_spark(warehouse: Warehouse, file: Path, zone: str) -> list[list[Any]]:
    from pyspark.sql import SparkSession

    running = SparkSession.getActiveSession() or SparkSession._instantiatedSession
    session = running.newSession()
    session.conf.set("spark.sql.session.timeZone", zone)
    *before, query = file.read_text().strip().removesuffix(";").split(";\n")
    for statement in before:
        session.sql(statement)
    return [list(row.values()) for row in session.sql(query).toArrow().to_pylist()]


CLIENTS: dict[str, Callable[[Warehouse, Path, str], list[list[Any]]]] = {
    "postgres": in_psql,
    "clickhouse": in_chdb,
    "spark": in_spark,
}
