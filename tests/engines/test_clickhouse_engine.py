"""The ClickHouse engine, in this process and over HTTP: types, spines, errors, interrupts, and nothing left behind."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from datetime import time as time_of_day
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

from asknown.engines.clickhouse import ClickHouse
from asknown.engines.clickhouse.errors import translate
from asknown.engines.clickhouse.options import WISHED
from asknown.engines.duckdb import DuckDB
from asknown.engines.engine import open_engine
from asknown.errors import AsknownError, Where
from asknown.project.nodes import Target
from asknown.project.options import DuckDBOptions
from engines.clickhouse_server import run_server
from engines.conftest import named_engines
from engines.harness import read_options

if "clickhouse" not in named_engines():
    pytest.skip("ASKNOWN_ENGINES does not name clickhouse", allow_module_level=True)

PASSWORD = "sesame-93"
SLOW = "SELECT count() FROM numbers_mt(400000000000) WHERE cityHash64(number) % 7 = 1"
EPOCH = datetime(1970, 1, 1)


def open_target(options: dict[str, Any], root: Path = Path()) -> ClickHouse:
    opened = open_engine(read_options("clickhouse", options, root, name="warehouse"), root)
    assert isinstance(opened, ClickHouse)
    return opened


@pytest.fixture(scope="session")
def port() -> Iterator[int]:
    with run_server(PASSWORD) as number:
        yield number


@pytest.fixture(params=["in this process", "a server"])
def engine(request: pytest.FixtureRequest) -> Iterator[ClickHouse]:
    options: dict[str, Any] = {"path": ":memory:"}
    if request.param == "a server":
        options = {"host": "127.0.0.1", "port": request.getfixturevalue("port"), "password": PASSWORD}
    opened = open_target(options)
    yield opened
    opened.close()


# ---------------------------------------------------------------- types

INTEGERS = [pa.int8(), pa.int16(), pa.int32(), pa.int64(), pa.uint8(), pa.uint16(), pa.uint32(), pa.uint64()]
FLOATS = [0.1, -0.0, 0.0, math.nan, math.inf, -math.inf, 5e-324, 1.7976931348623157e308, None]
INSTANTS = [
    EPOCH,
    EPOCH - timedelta(microseconds=1),
    datetime(1900, 1, 1) - timedelta(microseconds=1),
    datetime(2299, 12, 31, 23, 59, 59, 999999),
    datetime(2300, 1, 1),
    datetime(1, 1, 1),
    datetime(9999, 12, 31, 23, 59, 59, 999999),
    None,
]


def most(kind: pa.DataType) -> list[int | None]:
    signed = pa.types.is_signed_integer(kind)
    bits = kind.bit_width
    return [-(2 ** (bits - 1)) if signed else 0, 2 ** (bits - signed) - 1, 0, None]


COLUMNS: dict[str, pa.Array] = {
    **{str(kind): pa.array(most(kind), kind) for kind in INTEGERS},
    "bool": pa.array([True, False, None]),
    "float32": pa.array([0.1, -0.0, math.nan, math.inf, None], pa.float32()),
    "float64": pa.array(FLOATS, pa.float64()),
    "text": pa.array(["", " ", "ä€😀", "a\tb\nc\\d'e\"f`g", "NULL", "\x00", None]),
    "large text": pa.array(["a", None], pa.large_string()),
    "categories": pa.array(["b", "a", None, "b"]).dictionary_encode(),
    "decimal(4,1)": pa.array([Decimal("-999.9"), Decimal("0.1"), None], pa.decimal128(4, 1)),
    "decimal(18,3)": pa.array([Decimal("999999999999999.999"), None], pa.decimal128(18, 3)),
    "decimal(38,0)": pa.array([Decimal("-" + "9" * 38), Decimal("9" * 38), None], pa.decimal128(38, 0)),
    "decimal(38,38)": pa.array([Decimal("0." + "9" * 38), None], pa.decimal128(38, 38)),
    "date": pa.array([date(1970, 1, 1), date(1, 1, 1), date(9999, 12, 31), None]),
    "time": pa.array([time_of_day(0), time_of_day(23, 59, 59, 999999), None]),
    "timestamp": pa.array(INSTANTS, pa.timestamp("us")),
    "timestamptz": pa.array(INSTANTS, pa.timestamp("us", "UTC")),
    "elsewhere": pa.array(INSTANTS[:2], pa.timestamp("us", "America/New_York")),
    "nanoseconds": pa.array([1, -1, None], pa.timestamp("ns")),
    "list": pa.array([[1, None], []], pa.list_(pa.int64())),
    "list of lists": pa.array([[["a"], []], []], pa.list_(pa.list_(pa.string()))),
    "struct": pa.array([{"a b": 1, "t": EPOCH}, {"a b": None, "t": None}, None]),
    "nothing": pa.array([None, None]),
}


def typed(column: pa.ChunkedArray | pa.Array) -> list[Any]:
    """Values that are equal only if they are the same: NaN is itself, -0.0 is not 0.0."""
    return [repr(value) for value in column.to_pylist()]


@pytest.mark.parametrize("name", COLUMNS)
def test_a_spine_comes_back_as_from_duckdb(engine: ClickHouse, name: str) -> None:
    table = pa.table({name: COLUMNS[name], "n": list(range(len(COLUMNS[name])))})
    duck = DuckDB(Target("", DuckDBOptions(), Where("")), Path())
    theirs = duck.stream(f"SELECT * FROM {duck.load_spine(table).relation} ORDER BY n").read_all()
    spine = engine.load_spine(table)
    every = f"SELECT * EXCEPT {spine.row} FROM {spine.relation}"
    ours = engine.stream(f"{every} ORDER BY {spine.row}").read_all()
    assert ours.column_names == [name, "n"]
    if name != "nothing":
        assert engine.describe(every) == duck.describe("SELECT * FROM memory.main._asknown_spine_1")
        if name != "categories":
            assert ours.schema == theirs.schema
    assert typed(ours[name]) == typed(theirs[name])


TYPES = {  # a value of ClickHouse's: what it is here, and what comes
    "true": ("BOOLEAN", True),
    "toInt128('-170141183460469231731687303715884105728')": ("HUGEINT", Decimal(-(2**127))),
    "toInt128(-1)": ("HUGEINT", Decimal(-1)),
    "toUInt128(1)": ("UHUGEINT", Decimal(1)),
    "toFloat32(0.5)": ("FLOAT", 0.5),
    "toLowCardinality('a')": ("VARCHAR", "a"),
    "toNullable(toLowCardinality('a'))": ("VARCHAR", "a"),
    "NULL": ("INTEGER", None),
    "toDecimal32('1.5', 2)": ("DECIMAL(9,2)", Decimal("1.50")),
    "toUUID('9d7dbf38-32b7-4d8a-aef8-bcfcf9ad16b2')": ("UUID", "9d7dbf38-32b7-4d8a-aef8-bcfcf9ad16b2"),
    "toDate('2149-06-06')": ("DATE", date(2149, 6, 6)),
    "toDate32('1900-01-01')": ("DATE", date(1900, 1, 1)),
    "toDateTime('2020-01-01 00:00:01')": ("TIMESTAMP", datetime(2020, 1, 1, 0, 0, 1)),
    "toDateTime64('1969-12-31 23:59:59.999', 3)": ("TIMESTAMP", datetime(1969, 12, 31, 23, 59, 59, 999000)),
    "toDateTime64('1969-12-31 23:59:59.999999', 6)": ("TIMESTAMP", datetime(1969, 12, 31, 23, 59, 59, 999999)),
    "CAST('a' AS Enum8('b' = 1, 'a' = -2))": ("ENUM('a', 'b')", "a"),
    "CAST('it''s' AS Enum16('it\\'s' = 1000))": ("ENUM('it''s')", "it's"),
    "[1, NULL]": ("UTINYINT[]", [1, None]),
    "CAST([1, 2] AS Array(Int64))": ("BIGINT[]", [1, 2]),
    "if(number = 0, NULL, CAST(['a'] AS Variant(Array(String))))": ("VARCHAR[]", None),
    "CAST((1, 'x') AS Tuple(`a b` Int8, c String))": ('STRUCT("a b" TINYINT, c VARCHAR)', {"a b": 1, "c": "x"}),
    "toTime64('12:34:56.789012', 6)": ("TIME", time_of_day(12, 34, 56, 789012)),
}


@pytest.mark.parametrize("value", TYPES)
def test_types_of_clickhouse(engine: ClickHouse, value: str) -> None:
    kind, expected = TYPES[value]
    sql = f"SELECT {value} AS x FROM numbers(1)"
    ((_, described),) = engine.describe(sql)
    assert described.name == kind
    assert engine.rows(sql) == [(expected,)]


def test_a_zone_of_its_own_makes_an_aware_timestamp(engine: ClickHouse) -> None:
    sql = "SELECT toDateTime64('2020-07-01 00:00:00.5', 6, 'America/New_York') AS a, toDateTime(0, 'UTC') AS b"
    assert [kind.name for _, kind in engine.describe(sql)] == ["TIMESTAMP WITH TIME ZONE"] * 2
    assert [str(kind) for kind in engine.stream(sql).schema.types] == ["timestamp[us, tz=UTC]"] * 2
    ((a, b),) = engine.rows(sql)
    assert (a.replace(tzinfo=None), b.replace(tzinfo=None)) == (datetime(2020, 7, 1, 4, 0, 0, 500000), EPOCH)


REFUSED = {
    "toInt256(1)": "cast(x as HUGEINT) as x",
    "toDecimal256(1, 50)": "cast(x as DECIMAL(38,38)) as x",
    "toDateTime64(1, 7)": "cast(x as TIMESTAMP) as x",
    "toFixedString('a', 3)": "cast(x as VARCHAR) as x",
    "map('a', 1)": "cast(x as VARCHAR) as x",
    "(1, 'a')": "cast(x as VARCHAR) as x",
    "toIPv4('1.2.3.4')": "cast(x as VARCHAR) as x",
    "[toInt256(1)]": "cast(x as VARCHAR) as x",
    "unhex('ff')": "hex(x)",
}


@pytest.mark.parametrize("value", REFUSED)
def test_what_cannot_be_kept_is_refused_with_a_cast(engine: ClickHouse, value: str) -> None:
    with pytest.raises(AsknownError) as raised:
        engine.rows(f"SELECT {value} AS x")
    assert raised.value.code == "unsupported-type"
    assert "'x'" in raised.value.message
    assert REFUSED[value] in (raised.value.hint or "")


REFUSED_IN_SPINES = {
    "binary": pa.array([b"\xff"]),
    "duration": pa.array([1], pa.duration("us")),
    "decimal256": pa.array([Decimal(1)], pa.decimal256(50, 0)),
    "missing list": pa.array([[1], None]),
    "map": pa.array([[("a", 1)]], pa.map_(pa.string(), pa.int8())),
    "time in nanoseconds": pa.array([1], pa.time64("ns")),
}


@pytest.mark.parametrize("name", REFUSED_IN_SPINES)
def test_spines_that_would_not_come_back(engine: ClickHouse, name: str) -> None:
    with pytest.raises(AsknownError, match=f"unsupported-type: the spine's column '{name}'"):
        engine.load_spine(pa.table({name: REFUSED_IN_SPINES[name]}))


def test_the_session_is_pinned(engine: ClickHouse) -> None:
    assert engine.rows("SELECT timezone(), toDateTime('2020-07-01 12:00:00')") == [("UTC", datetime(2020, 7, 1, 12))]
    joined = "SELECT b.y FROM (SELECT 1 AS x) AS a LEFT JOIN (SELECT 2 AS x, 5 AS y) AS b ON a.x = b.x"
    assert engine.rows(joined) == [(None,)]
    assert engine.rows("SELECT sum(number), count() FROM numbers(0)") == [(None, 0)]
    assert engine.rows("SELECT 1 AS x UNION SELECT 1 AS x") == [(1,)]
    assert engine.rows("SELECT number + 1 AS number FROM numbers(3) WHERE number = 2") == [(3,)]


# ---------------------------------------------------------------- spines and results


def test_a_million_rows_in_order(engine: ClickHouse) -> None:
    count = 1_000_000
    instants = pa.array(range(0, count * 1_000_003, 1_000_003), pa.int64()).cast(pa.timestamp("us"))
    table = pa.table(
        {"key": pa.array(range(count, 0, -1)), "t": instants, "name": [f"n{i % 999}" for i in range(count)]}
    )
    started = time.monotonic()
    spine = engine.load_spine(table)
    assert time.monotonic() - started < 30
    row, relation = spine.row, spine.relation
    assert engine.rows(f"SELECT count(), min({row}), max({row}) FROM {relation}") == [(count, 1, count)]
    assert engine.stream(f"SELECT * EXCEPT {row} FROM {relation} ORDER BY {row}").read_all().equals(table)


def test_two_spines_and_an_empty_one(engine: ClickHouse) -> None:
    first = engine.load_spine(pa.table({"x": [1, 2]})).relation
    second = engine.load_spine(pa.table({"x": pa.array([], pa.int64())})).relation
    assert engine.rows(f"SELECT x FROM {first} ORDER BY x") == [(1,), (2,)]
    assert engine.rows(f"SELECT x FROM {second}") == []
    assert engine.stream(f"SELECT x FROM {second}").schema.types == [pa.int64()]


@pytest.mark.parametrize("name", ["a b", 'q"', "b`t", "back\\slash\\n", "ä", "select", "$1", "new\nline", "x'"])
def test_names_of_columns(engine: ClickHouse, name: str) -> None:
    spine = engine.load_spine(pa.table({name: [1]}))
    assert engine.describe(f"SELECT * FROM {spine.relation}")[0][0] == name
    assert engine.stream(f"SELECT * FROM {spine.relation}").read_all().column_names == [name, spine.row]


def test_a_column_of_our_own_name_stays(engine: ClickHouse) -> None:
    spine = engine.load_spine(pa.table({"_asknown_row": [5, 6], "_asknown_row_": ["a", "b"]}))
    assert spine.row == "_asknown_row__"
    assert engine.rows(f"SELECT * FROM {spine.relation} ORDER BY {spine.row}") == [(5, "a", 1), (6, "b", 2)]


def test_a_stream_is_batches(engine: ClickHouse) -> None:
    sizes = [batch.num_rows for batch in engine.stream("SELECT number FROM numbers(1000000) ORDER BY number")]
    assert sum(sizes) == 1_000_000
    assert max(sizes) < 500_000


def test_one_result_at_a_time(engine: ClickHouse) -> None:
    reader = engine.stream("SELECT number FROM numbers(3000000)")
    reader.read_next_batch()
    with pytest.raises(AsknownError, match="still being read"):
        engine.rows("SELECT 1")
    reader.close()
    del reader
    assert engine.rows("SELECT 1") == [(1,)]


def test_an_error_in_the_middle_is_no_short_result(engine: ClickHouse) -> None:
    sql = "SELECT number, throwIf(number = 2500000, 'asknown: so far') AS x FROM numbers(3000000)"
    with pytest.raises(AsknownError, match=r"^engine: asknown: so far$"):
        engine.stream(sql).read_all()
    assert engine.rows("SELECT 7") == [(7,)]  # and what had been written does not come before the next result


def test_files_whole_or_not_at_all(engine: ClickHouse, tmp_path: Path) -> None:
    sql = (
        "SELECT number AS n, toDateTime64(number / 2, 6) AS t, if(number = 1, NULL, 'a,\"b') AS s "
        "FROM numbers(3) ORDER BY n"
    )
    assert engine.write_file(sql, tmp_path / "x.parquet") == 3
    assert pa.parquet.read_table(tmp_path / "x.parquet").equals(engine.stream(sql).read_all())
    assert engine.write_file(sql, tmp_path / "x.csv") == 3
    lines = (tmp_path / "x.csv").read_text().splitlines()
    assert lines[1:3] == ['0,1970-01-01 00:00:00,"a,""b"', "1,1970-01-01 00:00:00.5,"]
    (tmp_path / "y.parquet").write_text("as it was")
    with pytest.raises(AsknownError, match="stop"):
        engine.write_file(
            "SELECT number, throwIf(number = 900000, 'stop') FROM numbers(1000000)", tmp_path / "y.parquet"
        )
    assert (tmp_path / "y.parquet").read_text() == "as it was"
    with pytest.raises(AsknownError, match=r"^output"):
        engine.write_file(sql, tmp_path / "none" / "z.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["x.csv", "x.parquet", "y.parquet"]


def test_building_tables_and_views(engine: ClickHouse) -> None:
    name = "my 'model`"
    quoted = "`my 'model\\``"
    try:
        for kind, number in (("table", 1), ("view", 2), ("view", 3), ("table", 4)):
            engine.build(
                name, f"WITH q AS (SELECT {number} AS x, CAST(NULL AS Nullable(Int8)) AS y) SELECT * FROM q", kind=kind
            )
            assert engine.rows(f"SELECT * FROM {quoted}") == [(number, None)]
            assert list(engine.built()) == [name]
        with pytest.raises(AsknownError, match="nosuch"):
            engine.build(name, "SELECT * FROM nosuch", kind="table")
        with pytest.raises(AsknownError, match="half"):
            engine.build(name, "SELECT throwIf(number = 5, 'half') AS x FROM numbers(9)", kind="table")
        assert engine.rows(f"SELECT * FROM {quoted}") == [(4, None)]
        assert list(engine.built()) == [name]
    finally:
        for other in engine.built():
            engine._drop(other)


# ---------------------------------------------------------------- errors

ERRORS = {
    "SELECT * FROM nosuch": ("no-data", "Unknown table expression identifier 'nosuch'"),
    "SELECT * FROM nodb.t": ("no-data", "Database nodb does not exist"),
    "SELECT * FROM file('/none/x.parquet')": ("no-data", "/none/x.parquet"),
    "SELECT nocol FROM numbers(1)": ("engine", "Unknown expression identifier `nocol`"),
    "SELECT nofunc(1)": ("engine", "Function with name `nofunc` does not exist"),
    "SELECT 1 +": ("engine", "Syntax error"),
    "SELECT number % 0 FROM numbers(1)": ("engine", "Division by zero"),
    "SELECT toUInt8(materialize('x'))": ("engine", "Cannot parse"),
    "SELECT throwIf(number = 1, 'asknown: too large: (A) In B') FROM numbers(2)": ("engine", "asknown: too large"),
}


@pytest.mark.parametrize("sql", ERRORS)
def test_errors_are_ours(engine: ClickHouse, sql: str) -> None:
    code, message = ERRORS[sql]
    for ask in (engine.rows, lambda sql: engine.stream(sql).read_all()):
        with pytest.raises(AsknownError) as raised:
            ask(sql)
        assert raised.value.code == code
        assert message in raised.value.message
        assert "DB::" not in str(raised.value)
        assert "\n" not in raised.value.message
    assert engine.rows("SELECT 1") == [(1,)]


def test_guesses_become_hints() -> None:
    said = "Unknown identifier `x`. Maybe you meant: ['y']. In scope SELECT x. (UNKNOWN_IDENTIFIER)"
    error = translate(f"Code: 47. DB::Exception: {said}")
    assert (error.message, error.hint) == ("Unknown identifier `x`", "did you mean `y`")


TARGETS: list[tuple[dict[str, Any], str, str]] = [
    ({}, "missing-key", "must have one of 'dsn', 'host' and 'path'"),
    ({"path": "x", "host": "h"}, "wrong-type", "has path and host"),
    ({"path": ":memory:", "pasword": PASSWORD}, "unknown-key", "pasword"),
    ({"path": ":memory:", "settings": {"a b": 1}}, "wrong-type", "'a b' is no name of a setting"),
    ({"path": ":memory:", "settings": {"no_such_setting": 1}}, "engine", "no_such_setting"),
    ({"path": "no/folder"}, "no-data", "does not exist"),
    ({"host": "127.0.0.1", "port": 1, "user": "u", "password": PASSWORD}, "engine", "Connection refused"),
    ({"dsn": f"http://u:{PASSWORD}@127.0.0.1:1/db"}, "engine", "Connection refused"),
    ({"host": "no.such.host.invalid", "password": PASSWORD}, "engine", "of target 'warehouse'"),
]


@pytest.mark.parametrize(("options", "code", "message"), TARGETS)
def test_targets_that_do_not_open(options: dict[str, Any], code: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(AsknownError) as raised:
        open_target(options, tmp_path)
    assert raised.value.code == code
    assert message in raised.value.message
    assert PASSWORD not in str(raised.value)


def test_a_wrong_password(port: int) -> None:
    with pytest.raises(AsknownError, match="user or the password is wrong") as raised:
        open_target({"dsn": f"http://default:not-{PASSWORD}@127.0.0.1:{port}/default"})
    assert PASSWORD not in str(raised.value)


def test_a_dsn(port: int) -> None:
    engine = open_target({"dsn": f"http://default:{PASSWORD}@127.0.0.1:{port}/default", "settings": {"max_threads": 1}})
    assert engine.rows("SELECT getSetting('max_threads')") == [(1,)]
    assert dict(engine.check().facts)["session zone"] == "UTC"
    assert PASSWORD not in str(engine.check())
    engine.close()


def test_a_setting_that_is_missing_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(WISHED, "a_setting_to_come", "1")
    engine = open_target({"path": ":memory:"})
    assert engine.check().missing == ("settings that it is too old for: a_setting_to_come",)
    assert not engine.keeps_builds
    engine.close()


@pytest.mark.parametrize(
    ("package", "options"), [("chdb", {"path": ":memory:"}), ("clickhouse_connect", {"host": "h"})]
)
def test_a_missing_package(monkeypatch: pytest.MonkeyPatch, package: str, options: dict[str, Any]) -> None:
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(AsknownError, match=r"missing-extra: .* is not installed") as raised:
        open_target(options)
    assert "pip install 'asknown[" in (raised.value.hint or "")


# ---------------------------------------------------------------- interrupts, and what is left


def interrupt_soon() -> None:
    threading.Timer(0.7, os.kill, (os.getpid(), signal.SIGINT)).start()


@pytest.mark.parametrize("work", ["rows", "read_all", "write_file", "load_spine"])
def test_an_interrupt_ends_the_query(engine: ClickHouse, work: str, tmp_path: Path) -> None:
    spine = engine.load_spine(pa.table({"x": [1]})).relation
    started = time.monotonic()
    interrupt_soon()
    with pytest.raises(KeyboardInterrupt):
        match work:
            case "rows":
                engine.rows(SLOW)
            case "read_all":
                engine.stream(SLOW).read_all()
            case "write_file":
                engine.write_file(SLOW, tmp_path / "x.parquet")
            case "load_spine":
                table = pa.table({"x": pa.array(range(3_000_000))})
                while True:
                    engine.load_spine(table)
    assert time.monotonic() - started < 20
    running = engine.rows("SELECT count() FROM system.processes WHERE query LIKE '%numbers' || '_mt%'")
    assert running == [(0,)]
    assert engine.rows(f"SELECT x FROM {spine}") == [(1,)]
    assert list(tmp_path.iterdir()) == []


def test_closing_leaves_nothing(port: int) -> None:
    options: dict[str, Any] = {"host": "127.0.0.1", "port": port, "password": PASSWORD}
    first = open_target(options)
    spine = first.load_spine(pa.table({"x": [1]})).relation
    reader = first.stream("SELECT number FROM numbers(100000000)")
    reader.read_next_batch()
    del reader
    assert first.rows(f"SELECT count() FROM {spine}") == [(1,)]
    first.close()
    second = open_target(options)
    assert second.rows("SELECT count() FROM system.tables WHERE name LIKE '%asknown%'") == [(0,)]
    assert second.rows("SELECT count() FROM system.processes") == [(1,)]
    second.close()


FOLDER = """
import sys
from pathlib import Path
from asknown.engines.clickhouse import ClickHouse
from asknown.errors import Where
from asknown.project.nodes import Target
from asknown.project.options import ClickHouseOptions

root = Path(sys.argv[1])
target = Target("t", ClickHouseOptions(path=str(root / "warehouse")), Where("profiles.yml"))
engine = ClickHouse(target, root, writable=sys.argv[2] == "write")
if sys.argv[2] == "write":
    engine.build("m", "SELECT 5 AS x", kind="table")
print(list(engine.built()), engine.rows("SELECT x FROM m"))
engine.close()
"""


def test_a_folder_is_kept(tmp_path: Path) -> None:
    for what in ("write", "read"):
        run = subprocess.run(
            [sys.executable, "-c", FOLDER, str(tmp_path), what], capture_output=True, text=True, check=False
        )
        assert run.stdout == "['m'] [(5,)]\n", run.stderr
