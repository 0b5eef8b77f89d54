"""The Spark engine, in this process, over Spark Connect and on a cluster: types, spines, errors, interrupts."""

from __future__ import annotations

import json
import math
import os
import signal
import socket
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
import pyarrow.parquet as pq
import pytest

from asknown.engines.duckdb import DuckDB
from asknown.engines.engine import open_engine
from asknown.engines.spark import Spark
from asknown.errors import AsknownError, Where
from asknown.project.nodes import Target
from asknown.project.options import DuckDBOptions

pytest.importorskip("pyspark")

from engines import spark_cluster
from engines.harness import read_options
from engines.spark_server import local_options, one_warehouse, run_connect

SLOW = "SELECT SUM(a.id * b.id % 7) FROM RANGE(3000000) AS a JOIN RANGE(100000) AS b ON a.id % 3 = b.id % 3"
SLOW_ROWS = "SELECT id, AGGREGATE(SEQUENCE(1, 200000), 0L, (s, x) -> s + x + id % 3) AS y FROM RANGE(4000)"
TOKEN = "sesame-93"


def open_target(options: dict[str, Any], root: Path = Path(), *, writable: bool = False) -> Spark:
    opened = open_engine(read_options("spark", options, root, name="cluster"), root, writable=writable)
    assert isinstance(opened, Spark)
    return opened


@pytest.fixture(scope="session")
def warehouse_folder() -> Path:
    return one_warehouse()


@pytest.fixture(scope="session")
def connect(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    with run_connect(tmp_path_factory.mktemp("connect")) as port:
        yield port


@pytest.fixture(params=["in this process", "spark connect"])
def engine(request: pytest.FixtureRequest, warehouse_folder: Path) -> Iterator[Spark]:
    options = local_options(warehouse_folder)
    if request.param == "spark connect":
        options = {"remote": f"sc://127.0.0.1:{request.getfixturevalue('connect')}"}
    opened = open_target(options)
    yield opened
    opened.close()


@pytest.fixture
def local(warehouse_folder: Path) -> Iterator[Spark]:
    opened = open_target(local_options(warehouse_folder), writable=True)
    yield opened
    opened.close()


# ---------------------------------------------------------------- types

COLUMNS: dict[str, tuple[pa.DataType, list[Any]]] = {
    "flag": (pa.bool_(), [True, False, None]),
    "tiny": (pa.int8(), [-128, 127, None]),
    "small": (pa.int16(), [-(2**15), 2**15 - 1, None]),
    "int": (pa.int32(), [-(2**31), 2**31 - 1, None]),
    "big": (pa.int64(), [-(2**63), 2**63 - 1, None]),
    "float": (pa.float32(), [1.5, -0.0, None]),
    "double": (pa.float64(), [math.nan, -math.inf, None]),
    "zero": (pa.float64(), [-0.0, 5e-324, 1.7976931348623157e308]),
    "money": (pa.decimal128(18, 3), [Decimal("-999999999999999.999"), Decimal("0.001"), None]),
    "wide": (pa.decimal128(38, 0), [Decimal(10**38 - 1), Decimal(1 - 10**38), None]),
    "fine": (pa.decimal128(38, 38), [Decimal(1).scaleb(-38), Decimal(-1).scaleb(-38), None]),
    "text": (pa.string(), ["", "naïve \U0001f600\n'\"`\\", None]),
    "bytes": (pa.binary(), [b"", b"\x00\xff", None]),
    "day": (pa.date32(), [date(1, 1, 1), date(9999, 12, 31), None]),
    "old": (pa.timestamp("us"), [datetime(1, 1, 1), datetime(1969, 12, 31, 23, 59, 59, 999999), None]),
    "late": (pa.timestamp("us"), [datetime(9999, 12, 31, 23, 59, 59, 999999), datetime(1582, 10, 10), None]),
    "aware": (pa.timestamp("us", "UTC"), [datetime(1900, 1, 1, 0, 0, 0, 1), datetime(2262, 4, 12), None]),
    "clock": (pa.time64("us"), [time_of_day(0), time_of_day(23, 59, 59, 999999), None]),
    "list": (pa.list_(pa.int32()), [[1, None], [], None]),
    "struct": (
        pa.struct([("a", pa.int32()), ("B c", pa.string())]),
        [{"a": 1, "B c": "x"}, {"a": None, "B c": ""}, None],
    ),
    'odd `name` "of" .a; column': (pa.int32(), [1, 2, 3]),
}


def hostile() -> pa.Table:
    return pa.table({name: pa.array(values, kind) for name, (kind, values) in COLUMNS.items()})


def bits(table: pa.Table) -> list[list[Any]]:
    """The values, floats to the bit."""

    def bit(value: Any) -> Any:
        return value.hex() if isinstance(value, float) else value

    return [[bit(value) for value in column.to_pylist()] for column in table.columns]


def test_every_type_comes_back_as_it_went_in(engine: Spark) -> None:
    data = hostile()
    if engine._remote:
        with pytest.raises(AsknownError, match="'clock'"):
            engine.load_spine(data)
        data = data.drop_columns(["clock"])
    loaded = engine.load_spine(data)
    back = engine.stream(f"SELECT * EXCEPT ({loaded.row}) FROM {loaded.relation} ORDER BY {loaded.row}").read_all()
    assert bits(back) == bits(data)
    assert back.column_names == data.column_names


def test_the_schema_is_what_duckdb_gives(engine: Spark, tmp_path: Path) -> None:
    data = hostile().drop_columns(["clock"])
    loaded = engine.load_spine(data)
    sql = f"SELECT * EXCEPT ({loaded.row}) FROM {loaded.relation}"
    embedded = DuckDB(Target("dev", DuckDBOptions(), Where("profiles.yml")), tmp_path)
    relation = embedded.load_spine(data).relation
    assert engine.describe(sql) == embedded.describe(f"SELECT * FROM {relation}")
    assert engine.stream(sql).schema == embedded.stream(f"SELECT * FROM {relation}").schema
    embedded.close()


def test_unsigned_integers_are_widened(engine: Spark) -> None:
    kinds = {"u8": pa.uint8(), "u16": pa.uint16(), "u32": pa.uint32(), "u64": pa.uint64()}
    most = {"u8": 2**8 - 1, "u16": 2**16 - 1, "u32": 2**32 - 1, "u64": 2**64 - 1}
    loaded = engine.load_spine(pa.table({name: pa.array([most[name]], kind) for name, kind in kinds.items()}))
    assert engine.rows(f"SELECT u8, u16, u32, CAST(u64 AS STRING) FROM {loaded.relation}") == [
        (255, 65535, 2**32 - 1, str(2**64 - 1))
    ]


@pytest.mark.parametrize(
    ("sql", "said"),
    [
        ("MAP(1, 2)", "map"),
        ("INTERVAL '1' DAY", "interval"),
        ("PARSE_JSON('1')", "variant"),
    ],
)
def test_what_cannot_be_kept_exactly_is_refused(engine: Spark, sql: str, said: str) -> None:
    with pytest.raises(AsknownError) as caught:
        engine.stream(f"SELECT {sql} AS odd")
    assert caught.value.code == "unsupported-type"
    assert "'odd'" in caught.value.message and said in caught.value.message
    assert caught.value.hint == "cast it, as in: cast(odd as string) as odd"


def test_a_spine_in_nanoseconds_is_refused_where_they_would_be_lost(engine: Spark) -> None:
    with pytest.raises(AsknownError) as caught:
        engine.load_spine(pa.table({"t": pa.array([1_000_000_001], pa.timestamp("ns"))}))
    assert caught.value.code == "unsupported-type"
    assert "microseconds" in str(caught.value.hint)


def test_the_session_is_pinned(engine: Spark) -> None:
    assert dict(engine.check().facts)["session zone"] == "UTC"
    assert engine.check().version.startswith("4.")
    (row,) = engine.rows("SELECT TYPEOF(TIMESTAMP '2020-01-01'), CAST('2020-01-01' AS TIMESTAMP_LTZ)")
    assert row[0] == "timestamp_ntz"
    assert row[1].utcoffset() == timedelta(0)
    with pytest.raises(AsknownError, match="Division by zero"):
        engine.rows("SELECT 1 / 0")


# ---------------------------------------------------------------- spines and results


def test_a_spine_of_a_million_rows_keeps_its_rows_and_their_order(engine: Spark) -> None:
    rows = 1_000_000
    data = pa.table(
        {
            "k": pa.array((i * 7919 % 1000 for i in range(rows)), pa.int32(), size=rows),
            "t": pa.array(range(rows), pa.timestamp("us")),
        }
    )
    begun = time.monotonic()
    loaded = engine.load_spine(data)
    assert time.monotonic() - begun < 60  # a few seconds on a machine of one's own
    assert loaded.row == "_asknown_row"
    back = engine.stream(f"SELECT k, t FROM {loaded.relation} ORDER BY {loaded.row}").read_all()
    assert back.equals(data)


def test_the_row_column_gives_way_to_a_users(engine: Spark) -> None:
    loaded = engine.load_spine(pa.table({"_asknown_row": [7], "_ASKNOWN_ROW_": [8]}))
    assert loaded.row == "_asknown_row__"
    assert engine.rows(f"SELECT * FROM {loaded.relation}") == [(7, 8, 1)]


def test_an_empty_spine(engine: Spark) -> None:
    loaded = engine.load_spine(pa.table({"k": pa.array([], pa.int32())}))
    reader = engine.stream(f"SELECT k FROM {loaded.relation}")
    assert reader.schema.field("k").type == pa.int32()
    assert reader.read_all().num_rows == 0


def test_ordering_is_not_done_in_one_partition(local: Spark) -> None:
    loaded = local.load_spine(pa.table({"k": range(1000)}))
    plan = local.explain(f"SELECT k FROM {loaded.relation} ORDER BY {loaded.row}")
    assert "rangepartitioning" in plan and "SinglePartition" not in plan
    # …as it would be for a number given to rows without an order.
    assert "SinglePartition" in local.explain(f"SELECT ROW_NUMBER() OVER (ORDER BY 1) FROM {loaded.relation}")


def test_a_result_is_streamed(local: Spark) -> None:
    reader = local.stream("SELECT id, REPEAT('x', 100) AS text FROM RANGE(0, 400000, 1, 8)")
    sizes = [batch.num_rows for batch in reader]
    assert sum(sizes) == 400_000
    assert max(sizes) <= 65_536


@pytest.mark.parametrize("name", ["train.parquet", "train.csv"])
def test_a_file_is_written_whole_or_not_at_all(engine: Spark, tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    assert engine.write_file("SELECT id, 'a' AS text FROM RANGE(0, 1000, 1, 2) ORDER BY id", path) == 1000
    written = path.read_bytes()
    with pytest.raises(AsknownError, match="too many"):
        engine.write_file("SELECT IF(id > 900, RAISE_ERROR('too many'), id) AS id FROM RANGE(0, 1000, 1, 2)", path)
    assert path.read_bytes() == written
    assert [entry.name for entry in tmp_path.iterdir()] == [name]


def test_a_folder_is_written_by_the_executors(engine: Spark, tmp_path: Path) -> None:
    folder = tmp_path / "train"
    sql = "SELECT id, TIMESTAMP_NTZ'2020-01-01' AS t FROM RANGE(0, 1000, 1, 4) ORDER BY id DESC"
    assert engine.write_folder(sql, str(folder)) == 1000
    parts = sorted(folder.glob("*.parquet"))
    assert (folder / "_SUCCESS").exists()
    back = pa.concat_tables(pq.read_table(part) for part in parts)
    assert back.column("id").to_pylist() == list(range(999, -1, -1))
    assert back.schema.field("t").type == pa.timestamp("us")
    with pytest.raises(AsknownError) as caught:
        engine.write_folder(sql, str(folder))
    assert caught.value.code == "output"


# ---------------------------------------------------------------- tables


def test_a_table_takes_the_place_of_an_older_one(local: Spark) -> None:
    for kind, value in (("table", 1), ("table", 2), ("view", 3), ("view", 4), ("table", 5)):
        local.build("made", f"-- a comment\nWITH a AS (SELECT {value} AS x) SELECT x FROM a", kind=kind)
        assert local.rows("SELECT x FROM made") == [(value,)]
        assert list(local.built()) == ["made"]
    with pytest.raises(AsknownError):
        local.build("made", "SELECT nope", kind="table")
    with pytest.raises(AsknownError):
        local.build("made", "SELECT CAST(CONCAT('x', id) AS INT) AS x FROM RANGE(9)", kind="table")
    assert local.rows("SELECT x FROM made") == [(5,)]
    assert list(local.built()) == ["made"]
    local._command("DROP TABLE made")


def test_tables_outlive_the_process_that_built_them(tmp_path: Path, pytestconfig: pytest.Config) -> None:
    if not pytestconfig.getoption("--soak"):
        pytest.skip("two starts of Spark with a metastore take a minute: pytest --soak 1 runs it")
    script = (
        "import sys; from pathlib import Path; from asknown.engines.spark import Spark;"
        "from asknown.errors import Where; from asknown.project.nodes import Target;"
        "from asknown.project.options import SparkOptions;"
        "root = Path(sys.argv[1]); settings = {'spark.driver.memory': '1g'};"
        "options = SparkOptions(master='local[1]', warehouse=str(root / 'kept'), settings=settings);"
        "engine = Spark(Target('t', options, Where('profiles.yml')), root, writable=True);"
        "sys.argv[2] == 'build' and engine.build('made', 'SELECT 7 AS x', kind='table');"
        "print(list(engine.built()), engine.rows('SELECT x FROM made')); engine.close()"
    )
    for what in ("build", "read"):
        ran = subprocess.run(
            [sys.executable, "-c", script, str(tmp_path), what],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ran.stdout.strip() == "['made'] [(7,)]", ran.stderr[-2000:]
    assert [entry.name for entry in tmp_path.iterdir()] == ["kept"]


def test_a_session_without_a_place_for_tables_cannot_build(tmp_path: Path) -> None:
    script = (
        "from pathlib import Path; from asknown.engines.spark import Spark; from asknown.errors import *;"
        "from asknown.project.nodes import Target\n"
        "from asknown.project.options import SparkOptions\n"
        "try: Spark(Target('t', SparkOptions(master='local[1]'), Where('profiles.yml')), Path(), writable=True)\n"
        "except AsknownError as error: print(error.code, error.hint)"
    )
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert ran.stdout.strip() == "missing-key warehouse: spark-warehouse", ran.stderr[-2000:]


# ---------------------------------------------------------------- errors


@pytest.mark.parametrize(
    ("sql", "code", "said", "hint"),
    [
        ("SELEC 1", "engine", "Syntax error", ""),
        ("SELECT a FROM (SELECT 1 AS ab)", "engine", '"a" cannot be resolved', 'did you mean "ab"'),
        ("SELECT * FROM nope", "no-data", '"nope" cannot be found', "is it a model? then write {{ ref('…') }}"),
        ("SELECT * FROM parquet.`/no/such.parquet`", "no-data", "Path does not exist", "correct the path"),
        ("SELECT CAST(CONCAT('x', id) AS INT) AS i FROM RANGE(9)", "engine", "cannot be cast", ""),
        (
            "SELECT IF(id > 1, RAISE_ERROR('asknown: too large'), id) AS i FROM RANGE(9)",
            "engine",
            "asknown: too large",
            "",
        ),
    ],
)
def test_errors_are_told_in_one_line(engine: Spark, sql: str, code: str, said: str, hint: str) -> None:
    with pytest.raises(AsknownError) as caught:
        engine.rows(sql)
    error = caught.value
    assert error.code == code
    assert said in error.message
    assert "\n" not in error.message and "SQLSTATE" not in error.message and "Exception" not in error.message
    assert (error.hint or "").startswith(hint)


def test_an_error_is_not_told_twice(local: Spark, capfd: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(AsknownError):
        local.rows("SELECT nope FROM RANGE(1)")
    with pytest.raises(AsknownError):
        local.rows("SELECT CAST(CONCAT('x', id) AS INT) AS i FROM RANGE(9)")
    assert capfd.readouterr() == ("", "")


def refusal(options: dict[str, Any]) -> AsknownError:
    with pytest.raises(AsknownError) as caught:
        open_target(options)
    assert TOKEN not in str(caught.value)
    assert str(caught.value.at).startswith("profiles.yml:3")
    return caught.value


def test_what_a_target_says_is_checked(local: Spark) -> None:
    assert "did you mean 'master'" in str(refusal({"mater": "local[2]"}).hint)
    assert refusal({"remote": f"sc://localhost/;token={TOKEN}", "master": "local"}).hint == "remove one of them"
    assert refusal({"remote": f"http://127.0.0.1:1/;token={TOKEN}"}).hint == "remote: sc://host:15002"
    assert refusal({"settings": "fast"}).code == "wrong-type"
    assert refusal({"schema": "nope"}).code == "no-data"
    assert "already runs" in str(refusal({"settings": {"spark.executor.memory": "3g"}}).hint)
    assert "does not take" in refusal({"settings": {"spark.sql.shuffle.partitions": TOKEN}}).message
    assert "another master already runs" in refusal({"master": "local[7]"}).message


def test_a_server_that_is_not_there_is_named_without_the_token() -> None:
    error = refusal({"remote": f"sc://127.0.0.1:1/;token={TOKEN}"})
    assert "'cluster' does not reach Spark Connect at 127.0.0.1:1" in error.message


def test_a_server_that_is_something_else_is_told_soon() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        begun = time.monotonic()
        error = refusal({"remote": f"sc://127.0.0.1:{server.getsockname()[1]}/;token={TOKEN}"})
        assert time.monotonic() - begun < 60
    assert "something else answers there" in error.message


def test_a_missing_library_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    from asknown.engines.spark import session

    monkeypatch.setattr(session.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(AsknownError) as caught:
        open_target({})
    assert caught.value.code == "missing-extra"
    assert caught.value.hint == "pip install 'asknown[spark]'"


# ---------------------------------------------------------------- interrupts, and what is left behind


def interrupt_soon(seconds: float) -> None:
    threading.Timer(seconds, lambda: os.kill(os.getpid(), signal.SIGINT)).start()


def running(engine: Spark) -> list[Any]:
    """What runs on the cluster, once what ends has had a second to end."""
    found: list[Any] = []
    for _ in range(20):
        found = list(engine._session.sparkContext.statusTracker().getActiveJobsIds())
        if not found:
            break
        time.sleep(0.1)
    return found


def test_an_interrupt_ends_the_query_on_the_cluster(local: Spark) -> None:
    begun = time.monotonic()
    interrupt_soon(2)
    with pytest.raises(KeyboardInterrupt):
        local.rows(SLOW)
    assert time.monotonic() - begun < 20
    assert running(local) == []
    assert local.rows("SELECT 1") == [(1,)]


def test_an_interrupt_ends_a_stream(local: Spark, tmp_path: Path) -> None:
    interrupt_soon(2)
    with pytest.raises(KeyboardInterrupt):
        local.write_file(SLOW_ROWS, tmp_path / "train.parquet")
    assert running(local) == []
    assert list(tmp_path.iterdir()) == []
    assert local.rows("SELECT 1") == [(1,)]


def test_an_interrupt_ends_the_query_on_a_server(connect: int) -> None:
    engine = open_target({"remote": f"sc://127.0.0.1:{connect}"})
    begun = time.monotonic()
    interrupt_soon(2)
    with pytest.raises(KeyboardInterrupt):
        engine.rows(SLOW)
    assert time.monotonic() - begun < 20
    assert engine.rows("SELECT 1") == [(1,)]
    engine.close()


def test_a_stream_that_is_left_ends_on_the_cluster(local: Spark) -> None:
    reader = local.stream(SLOW_ROWS.replace("200000", "20000"))
    reader.read_next_batch()
    reader.close()
    del reader
    assert running(local) == []


def test_nothing_is_left_behind(warehouse_folder: Path) -> None:
    engine = open_target(local_options(warehouse_folder))
    other = open_target(local_options(warehouse_folder))
    relation = engine.load_spine(pa.table({"k": [1]})).relation
    with pytest.raises(AsknownError):
        other.rows(f"SELECT * FROM {relation}")  # a session of one's own
    folder = engine._folder
    assert folder is not None and folder.exists()
    engine.close()
    assert not folder.exists()
    assert other.rows("SELECT 1") == [(1,)]  # Spark itself runs on
    other.close()


# ---------------------------------------------------------------- a cluster


def test_two_executors_do_the_work(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "engines.spark_cluster", str(tmp_path)],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
        cwd=Path(__file__).parents[1],
    )
    assert ran.returncode == 0, ran.stderr[-3000:]
    found = json.loads(ran.stdout)
    events, moments = spark_cluster.tables()
    embedded = DuckDB(Target("dev", DuckDBOptions(), Where("profiles.yml")), tmp_path)
    names = {"events": embedded.load_spine(events).relation, "moments": embedded.load_spine(moments).relation}
    rows = embedded.rows(spark_cluster.UNION.format(**names).replace("TIMESTAMP_NTZ", "TIMESTAMP"))
    assert found["rows"] == len(rows)
    assert found["answered"] == sum(seen is not None for *_, seen in rows)
    assert found["ages"] == sum((t - seen).total_seconds() for _, t, seen in rows if seen is not None)
    assert len(found["work"]) == 2 and all(tasks > 0 for tasks in found["work"].values())
    assert found["one partition"] is False
