"""The Postgres engine on a real server: types to the bit, errors, a large spine, Ctrl-C, nothing left behind."""

from __future__ import annotations

import math
import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime
from datetime import time as clock
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from asknown.engines.postgres import Postgres
from asknown.engines.postgres.options import address, hide_secrets
from asknown.errors import AsknownError, Where, keep_secret
from asknown.project.loader import load_project
from asknown.project.nodes import Target
from asknown.project.options import PostgresOptions
from engines.postgres_server import PostgresServer, run_postgres

SECRET = "p@ss word"
LEFT = (
    "SELECT relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace "
    "WHERE relname LIKE '%asknown%' OR nspname = 'scratch'"
)


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    with run_postgres() as started:
        yield started


def target(**options: Any) -> Target[PostgresOptions]:
    return Target("prod", PostgresOptions(**options), Where("profiles.yml", 4))


@pytest.fixture
def engine(server: PostgresServer) -> Iterator[Postgres]:
    opened = Postgres(target(dsn=server.dsn()), Path())
    yield opened
    opened.close()


@pytest.fixture
def writer(server: PostgresServer) -> Iterator[Postgres]:
    opened = Postgres(target(dsn=server.dsn(), schema="scratch"), Path(), writable=True)
    yield opened
    opened.close()
    cleaner = Postgres(target(dsn=server.dsn()), Path(), writable=True)
    cleaner._do("DROP SCHEMA scratch CASCADE")
    cleaner.close()


def naive(*parts: int) -> datetime:
    return datetime(*parts)  # type: ignore[arg-type]


# The SQL of a type, the name that describing it gives, its Arrow type, and values in Python and in SQL.
TYPES: list[tuple[str, str, pa.DataType, list[tuple[Any, str]]]] = [
    ("boolean", "BOOLEAN", pa.bool_(), [(True, "true"), (False, "false")]),
    ("smallint", "SMALLINT", pa.int16(), [(-(2**15), "-32768"), (2**15 - 1, "32767")]),
    ("int", "INTEGER", pa.int32(), [(-(2**31), "-2147483648"), (2**31 - 1, "2147483647")]),
    ("bigint", "BIGINT", pa.int64(), [(-(2**63), "'-9223372036854775808'"), (2**63 - 1, "9223372036854775807")]),
    ("numeric", "HUGEINT", pa.decimal128(38, 0), [(Decimal(10**38 - 1), "9" * 38), (Decimal(-1), "-1.000")]),
    ("numeric(38, 0)", "DECIMAL(38,0)", pa.decimal128(38, 0), [(Decimal(-(10**38) + 1), "-" + "9" * 38)]),
    ("numeric(18, 3)", "DECIMAL(18,3)", pa.decimal128(18, 3), [(Decimal("-0.001"), "-0.001")]),
    ("numeric(5, 5)", "DECIMAL(5,5)", pa.decimal128(5, 5), [(Decimal("0.99999"), "0.99999")]),
    ("real", "FLOAT", pa.float32(), [(2.0**-149, "'1e-45'"), (math.inf, "'inf'"), (-0.0, "'-0'")]),
    (
        "double precision",
        "DOUBLE",
        pa.float64(),
        [
            (5e-324, "'5e-324'"),
            (0.1, "0.1"),
            (-0.0, "'-0'"),
            (math.nan, "'nan'"),
            (-math.inf, "'-inf'"),
            (1e308, "1e308"),
        ],
    ),
    ("text", "VARCHAR", pa.string(), [("", "''"), ("é\U0001f600\n\"'", "'é\U0001f600\n\"'''"), ("\\N", r"'\N'")]),
    ("varchar(3)", "VARCHAR", pa.string(), [("a  ", "'a  '")]),
    ("bytea", "BLOB", pa.binary(), [(b"\0\xff", r"'\x00ff'"), (b"", "''")]),
    ("uuid", "UUID", pa.string(), [("00000000-0000-0000-0000-0000000000ff", "'00000000-0000-0000-0000-0000000000FF'")]),
    ("date", "DATE", pa.date32(), [(date(1, 1, 1), "'0001-01-01'"), (date(9999, 12, 31), "'9999-12-31'")]),
    ("time", "TIME", pa.time64("us"), [(clock(23, 59, 59, 999999), "'23:59:59.999999'")]),
    (
        "timestamp",
        "TIMESTAMP",
        pa.timestamp("us"),
        [
            (naive(1969, 12, 31, 23, 59, 59, 999999), "'1969-12-31 23:59:59.999999'"),
            (naive(1, 1, 1), "'0001-01-01'"),
            (naive(9999, 12, 31, 23, 59, 59, 999999), "'9999-12-31 23:59:59.999999'"),
        ],
    ),
    (
        "timestamptz",
        "TIMESTAMP WITH TIME ZONE",
        pa.timestamp("us", "UTC"),
        [(datetime(2024, 3, 10, 7, 30, 0, 1, tzinfo=UTC), "'2024-03-10 02:30:00.000001-05'")],
    ),
    ("int[]", "INTEGER[]", pa.list_(pa.int32()), [([1, None, 3], "array[1, null, 3]"), ([], "'{}'")]),
    ("text[]", "VARCHAR[]", pa.list_(pa.string()), [(["", None, 'é,"{'], "array['', null, 'é,\"{']")]),
    (
        "uuid[]",
        "UUID[]",
        pa.list_(pa.string()),
        [(["0" * 8 + "-0000-0000-0000-" + "0" * 12], "array[('0'||repeat('0', 31))::uuid]")],
    ),
    (
        "timestamp[]",
        "TIMESTAMP[]",
        pa.list_(pa.timestamp("us")),
        [([naive(1969, 12, 31, 0, 0)], "array['1969-12-31'::timestamp]")],
    ),
]


@pytest.mark.parametrize(("kind", "name", "arrow", "values"), TYPES, ids=[kind for kind, *_ in TYPES])
def test_values_come_back_to_the_bit(
    engine: Postgres, kind: str, name: str, arrow: pa.DataType, values: list[tuple[Any, str]]
) -> None:
    rows = ", ".join(f"({place}, CAST({text} AS {kind}))" for place, (_, text) in enumerate(values))
    sql = f"SELECT x FROM (VALUES {rows}, (99, CAST(NULL AS {kind}))) v(place, x) ORDER BY place"
    ((column, described),) = engine.describe(sql)
    assert (column, described.name) == ("x", name)
    table = engine.stream(sql).read_all()
    assert table.schema == pa.schema([("x", arrow)])
    expected = [*(value for value, _ in values), None]
    assert list(map(repr, map(_plain, table["x"].to_pylist()))) == list(map(repr, map(_plain, expected)))


def test_a_query_without_rows_has_its_types(engine: Postgres) -> None:
    columns = ", ".join(f"NULL::{kind} AS c{place}" for place, (kind, *_) in enumerate(TYPES))
    table = engine.stream(f"SELECT {columns} WHERE false").read_all()
    assert (table.num_rows, table.schema.types) == (0, [arrow for _, _, arrow, _ in TYPES])


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("1.5::numeric", "holds 1.5"),
        ("'nan'::numeric", "holds nan"),
        ("1e38::numeric", "holds 1000000000"),
        ("'infinity'::timestamp", "infinite time"),
        ("'-infinity'::timestamptz", "infinite time"),
        ("'infinity'::date", "infinite time"),
        ("array[array[1], array[2]]", "lists of lists"),
        ("'a'::char(3)", "character(n)"),
        ("interval '1 month'", "interval"),
        ("row(1, 2)", "record"),
        ("'{}'::jsonb", "jsonb"),
        ("1::numeric(40, 2)", "numeric(40,2)"),
        ("array[1.5::numeric(4, 1)]", "numeric[]"),
    ],
)
def test_what_cannot_be_kept_is_an_error_that_says_what_to_write(engine: Postgres, value: str, said: str) -> None:
    with pytest.raises(AsknownError) as caught:
        engine.rows(f"SELECT {value} AS amount")
    assert said in caught.value.message
    assert "amount" in caught.value.message
    assert "lists" in said or "amount" in (caught.value.hint or "")


def test_sums_of_bigints_are_whole_numbers(engine: Postgres) -> None:
    sql = "SELECT sum(x) AS total FROM (VALUES (9223372036854775807), (9223372036854775807)) v(x)"
    assert engine.describe(sql)[0][1].name == "HUGEINT"
    assert engine.rows(sql) == [(Decimal(2**64 - 2),)]


# -- errors ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sql", "code", "said", "hint"),
    [
        ("SELECT * FROM nope", "no-data", "'nope' does not exist", "ref("),
        ("SELECT foo FROM (SELECT 1 AS fooo) q", "engine", 'column "foo"', "q.fooo"),
        ("SELECT 1 / 0 AS x", "engine", "division by zero", None),
        ("SELEC 1", "engine", "syntax error", None),
        ("SELECT 1 AS a; SELECT 2 AS b", "engine", "multiple commands", None),
        ("CREATE TABLE x (a int)", "engine", "read-only transaction", "asknown run"),
        ("SELECT CAST(CONCAT('asknown: in v: ', x) AS INT) AS a FROM (VALUES (true)) v(x)", "engine", "in v", None),
    ],
)  # fmt: skip
def test_errors_are_in_the_users_words(engine: Postgres, sql: str, code: str, said: str, hint: str | None) -> None:
    with pytest.raises(AsknownError) as caught:
        engine.rows(sql)
    assert (caught.value.code, said in caught.value.message) == (code, True)
    assert (hint or "") in (caught.value.hint or "")
    assert "\n" not in caught.value.message
    assert engine.rows("SELECT 1 AS a") == [(1,)]  # the session goes on


def test_a_query_may_end_in_a_comment(engine: Postgres) -> None:
    assert engine.rows("SELECT 1 AS a -- one") == [(1,)]


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        ({}, "missing-key", "lacks 'dsn' or 'host'"),
        ({"dsn": "x", "host": "y"}, "wrong-type", "both 'dsn' and 'host'"),
        ({"host": "127.0.0.1", "port": 1, "password": SECRET}, "engine", "cannot be reached"),
        ({"dsn": "postgresql://me:p%40ss word@127.0.0.1:1/db"}, "engine", "cannot be reached"),
        ({"dsn": f"host=127.0.0.1 port=1 password='{SECRET}' nonsense"}, "engine", "cannot be reached"),
        ({"dsn": f"{SECRET}"}, "engine", "cannot be reached"),
    ],
)
def test_a_server_that_is_not_there_is_an_error_without_secrets(options: dict[str, Any], code: str, said: str) -> None:
    with pytest.raises(AsknownError) as caught:
        Postgres(target(**options), Path())
    error = caught.value
    assert (error.code, said in error.message) == (code, True)
    assert error.hint
    assert error.at == Where("profiles.yml", 4)
    assert not any(part in str(error) for part in (SECRET, "p%40ss", "ss word"))


def read_options(folder: Path, text: str) -> PostgresOptions:
    (folder / "models").mkdir()
    (folder / "pyproject.toml").write_text('[tool.asknown]\nname = "shop"\n')
    (folder / "profiles.yml").write_text(f"shop:\n  outputs:\n    dev: {text}\n")
    options = load_project(folder).profile.target.options
    assert isinstance(options, PostgresOptions)
    return options


@pytest.mark.parametrize(
    ("text", "code", "said"),
    [
        ("{type: postgres, hots: x}", "unknown-key", "no key 'hots'"),
        ("{type: postgres, host: x, port: five}", "wrong-type", "'port'"),
        ("{type: postgres, host: x, password: [a]}", "wrong-type", "'password'"),
        ("{type: postgres, dsn: '', host: x}", "bad-name", "'dsn'"),
        ("{type: postgres, host: x, settings: {work mem: 1MB}}", "wrong-type", "'work mem' is no name of a setting"),
    ],
)
def test_options_are_read_where_they_stand(tmp_path: Path, text: str, code: str, said: str) -> None:
    with pytest.raises(AsknownError) as caught:
        read_options(tmp_path, text)
    assert (caught.value.code, said in caught.value.message) == (code, True)
    assert caught.value.at is not None
    assert caught.value.at.line == 3


def test_options_become_an_address(tmp_path: Path) -> None:
    options = read_options(
        tmp_path, "{type: postgres, host: /a b, port: 5433, user: u@x, password: 'p&=%', schema: s, sslmode: require}"
    )
    assert options.schema == "s"
    assert address(options) == "postgresql://?host=%2Fa%20b&port=5433&user=u%40x&password=p%26%3D%25&sslmode=require"


@pytest.mark.parametrize(
    "dsn", ["postgresql://me:s3cr3t@h/db", "host=h password=s3cr3t", "postgresql://h/db?password=s3cr3t"]
)
def test_secrets_are_hidden_wherever_they_stand(dsn: str) -> None:
    assert "s3cr3t" not in hide_secrets(f'at "{dsn}", and s3cr3t', PostgresOptions(dsn=dsn))


def test_a_database_that_is_not_there_is_named(server: PostgresServer) -> None:
    with pytest.raises(AsknownError, match='database "nope" does not exist'):
        Postgres(target(host=str(server.folder), user="postgres", dbname="nope"), Path())


def test_settings_and_session(server: PostgresServer) -> None:
    options = {"host": str(server.folder), "user": "postgres", "dbname": "postgres"}
    engine = Postgres(target(**options, settings={"work_mem": "7MB", "timezone": "Asia/Tokyo", "jit": "on"}), Path())
    shown = (
        "SELECT current_setting('work_mem') AS a, current_setting('jit') AS b, current_setting('enable_nestloop') AS c"
    )
    assert engine.rows(shown) == [("7MB", "on", "off")]
    assert dict(engine.check().facts)["session zone"] == "UTC"  # results depend on it, so nobody sets it
    assert engine.rows("SELECT '2024-01-01 00:00'::timestamp::timestamptz::text AS t") == [("2024-01-01 00:00:00+00",)]
    assert engine.check().missing == ()
    engine.close()
    with pytest.raises(AsknownError, match="work_memm"):
        Postgres(target(**options, settings={"work_memm": "7MB"}), Path())


# -- the spine ---------------------------------------------------------------------------------------------------------

SPINE = pa.table(
    {
        "I8": pa.array([-128, 127, None], pa.int8()),
        "u8": pa.array([255, 0, None], pa.uint8()),
        "u16": pa.array([2**16 - 1, 0, None], pa.uint16()),
        "u32": pa.array([2**32 - 1, 0, None], pa.uint32()),
        "u64": pa.array([2**64 - 1, 0, None], pa.uint64()),
        "i64": pa.array([-(2**63), 2**63 - 1, None], pa.int64()),
        "f": pa.array([math.nan, -0.0, None], pa.float64()),
        "f4": pa.array([0.5, -math.inf, None], pa.float32()),
        "d": pa.array([Decimal("-99.99"), Decimal("0.01"), None], pa.decimal128(4, 2)),
        "_ASKNOWN_ROW": pa.array(["", 'é"\n\\N', None], pa.large_string()),
        'quo"ted, ': pa.array(["b", "a", None]).dictionary_encode(),
        "select": pa.array([True, False, None]),
        "b": pa.array([b"\0", b"", None], pa.large_binary()),
        "day": pa.array([date(1, 1, 1), date(9999, 12, 31), None]),
        "t": pa.array([naive(1969, 12, 31, 23, 59, 59, 999999), naive(9999, 12, 31), None], pa.timestamp("us")),
        "s": pa.array([-1, 0, None], pa.timestamp("s")),
        "tz": pa.array([1, 0, None], pa.timestamp("ms", "America/New_York")),
        "l": pa.array([[1, None], [], None], pa.list_(pa.int64())),
        "n": pa.array([None, None, None], pa.null()),
    }
)  # fmt: skip


def test_a_spine_comes_back_as_it_was_given(engine: Postgres) -> None:
    loaded = engine.load_spine(SPINE)
    table = engine.stream(f"SELECT * FROM {loaded.relation} ORDER BY {loaded.row}").read_all()
    assert table.column_names == [*SPINE.column_names, loaded.row]
    assert table[loaded.row].to_pylist() == [1, 2, 3]
    for name in SPINE.column_names:
        given, got = SPINE[name].to_pylist(), table[name].to_pylist()
        assert list(map(repr, map(_plain, got))) == list(map(repr, map(_plain, given))), name


def _plain(value: Any) -> Any:
    if isinstance(value, datetime) and value.tzinfo:
        return value.astimezone(UTC).replace(tzinfo=None)
    return int(value) if isinstance(value, Decimal) and value == int(value) else value


def test_a_spine_without_rows(engine: Postgres) -> None:
    loaded = engine.load_spine(SPINE.slice(0, 0))
    assert engine.rows(f"SELECT count(*) AS n FROM {loaded.relation}") == [(0,)]


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([1], pa.timestamp("ns")), "timestamp[ns]"),
        (pa.array([{"a": 1}]), "struct"),
        (pa.array([[[1]]]), "list"),
        (pa.array([Decimal(1)], pa.decimal256(50, 0)), "decimal256"),
        (pa.array(["a\0b"]), "the character NUL"),
    ],
)
def test_a_spine_that_cannot_be_kept_is_an_error(engine: Postgres, column: pa.Array, said: str) -> None:
    with pytest.raises(AsknownError) as caught:
        engine.load_spine(pa.table({"x": column}))
    assert said in caught.value.message
    assert engine.rows(LEFT) == []
    assert engine.rows("SELECT 1 AS a") == [(1,)]


def test_a_spine_of_a_million_rows_keeps_its_order(engine: Postgres) -> None:
    order = list(range(1_000_000))
    random.Random(5).shuffle(order)
    started = time.monotonic()
    loaded = engine.load_spine(pa.table({"k": order, "s": [f"key {k % 1000}" for k in order]}))
    assert time.monotonic() - started < 60  # seconds on a busy machine; usually 3
    table = engine.stream(f"SELECT k FROM {loaded.relation} ORDER BY {loaded.row}").read_all()
    assert table["k"].to_pylist() == order


# -- results -----------------------------------------------------------------------------------------------------------


def test_a_result_comes_in_batches(engine: Postgres) -> None:
    reader = engine.stream("SELECT g::int AS g, repeat('x', 200) AS t FROM generate_series(1, 400000) g")
    first = reader.read_next_batch()
    assert 0 < first.num_rows < 400_000
    with pytest.raises(AsknownError, match="still being read"):
        engine.rows("SELECT 1 AS a")
    assert first.num_rows + sum(batch.num_rows for batch in reader) == 400_000
    assert engine.rows("SELECT 1 AS a") == [(1,)]


def test_a_result_that_is_let_go_of_stops_on_the_server(engine: Postgres) -> None:
    reader = engine.stream("SELECT generate_series(1, 1000000000) AS g, repeat('x', 1000) AS t")
    reader.read_next_batch()
    started = time.monotonic()
    del reader
    assert engine.rows("SELECT 1 AS a") == [(1,)]
    assert time.monotonic() - started < 20


def test_an_error_in_the_middle_of_a_result(engine: Postgres) -> None:
    reader = engine.stream("SELECT repeat('x', 1000) || 1 / (300000 - g) AS t FROM generate_series(1, 400000) g")
    with pytest.raises(AsknownError, match="division by zero"):
        for _ in reader:
            pass
    assert engine.rows("SELECT 1 AS a") == [(1,)]


@pytest.mark.parametrize("suffix", [".parquet", ".csv"])
def test_a_file_is_written_whole_or_not_at_all(engine: Postgres, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"out{suffix}"
    assert engine.write_file("SELECT g AS a FROM generate_series(1, 3) g", path) == 3
    before = path.read_bytes()
    with pytest.raises(AsknownError, match="division by zero"):
        engine.write_file("SELECT 1 / (2 - g) AS a FROM generate_series(1, 3) g", path)
    assert path.read_bytes() == before
    assert [found.name for found in tmp_path.iterdir()] == [path.name]


SLOW = {
    "before the first row": "SELECT count(*) AS n FROM (SELECT generate_series(1, 100000000000)) g",
    "between rows": "SELECT generate_series(1, 1000000000) AS g, pg_sleep(0.001)::text AS s",
}


@pytest.mark.parametrize("sql", SLOW.values(), ids=SLOW)
def test_ctrl_c_stops_the_query_on_the_server(engine: Postgres, server: PostgresServer, sql: str) -> None:
    timer = threading.Timer(1.0, lambda: os.kill(os.getpid(), signal.SIGINT))
    started = time.monotonic()
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        engine.rows(sql)
    assert time.monotonic() - started < 20
    other = Postgres(target(dsn=server.dsn()), Path())
    running = "SELECT count(*) AS n FROM pg_stat_activity WHERE state = 'active' AND pid <> pg_backend_pid()"
    assert other.rows(running) == [(0,)]
    other.close()
    assert engine.rows("SELECT 1 AS a") == [(1,)]


WAITING = """
import sys
from pathlib import Path
from asknown.engines.postgres import Postgres
from asknown.errors import Where
from asknown.project.nodes import Target
from asknown.project.options import PostgresOptions
engine = Postgres(Target("prod", PostgresOptions(dsn=sys.argv[1]), Where("profiles.yml", 4)), Path())
print("connected", flush=True)
engine.rows("SELECT count(*) AS n FROM (SELECT generate_series(1, 100000000000)) g")
"""


def test_a_query_whose_reader_was_killed_stops_on_the_server(engine: Postgres, server: PostgresServer) -> None:
    reader = subprocess.Popen([sys.executable, "-c", WAITING, server.dsn()], stdout=subprocess.PIPE)
    assert reader.stdout is not None and reader.stdout.readline() == b"connected\n"
    assert _until(lambda: _others_running(engine) == 1)
    reader.kill()
    reader.wait()
    assert _until(lambda: _others_running(engine) == 0)


def _others_running(engine: Postgres) -> int:
    ((count,),) = engine.rows(
        "SELECT count(*) AS n FROM pg_stat_activity WHERE query LIKE '%100000000000%' AND state = 'active' "
        "AND backend_type = 'client backend' AND pid <> pg_backend_pid()"
    )
    return int(count)


def _until(holds: Callable[[], bool]) -> bool:
    """Whether something comes to hold within seconds."""
    deadline = time.monotonic() + 20
    while not holds() and time.monotonic() < deadline:
        time.sleep(0.05)
    return holds()


def test_nothing_is_left_behind(server: PostgresServer) -> None:
    engine = Postgres(target(dsn=server.dsn()), Path())
    engine.load_spine(SPINE)
    engine.load_spine(SPINE)
    assert len(engine.rows(LEFT)) == 2
    engine.stream("SELECT generate_series(1, 1000000000) AS g").read_next_batch()
    engine.close()
    other = Postgres(target(dsn=server.dsn()), Path())
    deadline = time.monotonic() + 20  # the server cleans up after the connection is gone
    while other.rows(LEFT) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert other.rows(LEFT) == []
    other.close()


# -- building ----------------------------------------------------------------------------------------------------------


def test_tables_and_views_are_built_and_built_again(writer: Postgres) -> None:
    writer.build("Of us", "SELECT 1 AS a", kind="table")
    writer.build("v", 'SELECT a FROM "Of us"', kind="view")
    writer.build("Of us", "SELECT 2 AS a", kind="table")  # under the view, which stays
    assert writer.rows("SELECT a FROM v") == [(2,)]
    writer.build("v", "SELECT 3 AS b, 'x' AS c", kind="table")
    assert writer.rows("SELECT * FROM v") == [(3, "x")]
    assert sorted(writer.built()) == ["Of us", "v"]
    with pytest.raises(AsknownError, match="division by zero"):
        writer.build("v", "SELECT 1 / 0 AS a", kind="table")
    assert writer.rows("SELECT * FROM v") == [(3, "x")]


def test_a_view_that_others_stand_on_is_not_pulled_from_under_them(writer: Postgres) -> None:
    writer.build("t", "SELECT 1 AS a", kind="table")
    writer.build("v", "SELECT a FROM t", kind="view")
    with pytest.raises(AsknownError, match="view v depends on table t"):
        writer.build("t", "SELECT 'other' AS a", kind="table")
    assert writer.rows("SELECT a FROM v") == [(1,)]


def test_a_schema_is_read_by_those_who_only_read(writer: Postgres, server: PostgresServer) -> None:
    writer.build("seen", "SELECT 1 AS a", kind="table")
    reader = Postgres(target(dsn=server.dsn(), schema="scratch"), Path())
    assert reader.built() == ["seen"]
    assert reader.rows("SELECT a FROM seen") == [(1,)]
    with pytest.raises(AsknownError, match="read-only"):
        reader._do("DROP TABLE seen")
    reader.close()


def test_a_password_that_is_a_piece_of_another_secret_does_not_keep_it_from_being_hidden() -> None:
    keep_secret("db-x.example.com")
    said = hide_secrets("connection to db-x.example.com failed", PostgresOptions(host="db-x.example.com", password="x"))
    assert "example.com" not in said
