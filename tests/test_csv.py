"""CSV files have one form, whatever the engine: DuckDB's text of each value, and quotes where readers need them."""

from __future__ import annotations

import csv
import math
import random
import struct
from datetime import UTC, date, datetime, time
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import duckdb
import pyarrow as pa
import pytest

from asknown.engines.csv_output import text_of
from asknown.engines.duckdb import DuckDB
from asknown.engines.output_files import write_batches
from asknown.errors import Where
from asknown.project.nodes import Target
from asknown.project.options import DuckDBOptions

FLOATS = [
    *(0.0, -0.0, 1.0, 0.1, -1.5, 1e-4, 1e-5, 1e-6, 1e-7, 123456.789e-9, 1e14, 1e15, 1e16, 1e17, 1e21, 1e22, 1e100),
    *(5e-324, 2.0**53, 9999999999999998.0, 123456789012345680.0, 1.7976931348623157e308, 2.0**-149, 3.4e38),
    *(math.nan, math.inf, -math.inf),
]
DAY = datetime(2013, 1, 31, 23, 59, 59)


def shuffled(width: str, many: int = 2000) -> list[float]:
    """Floats of any bits."""
    draw = random.Random(7)
    size = struct.calcsize(width)
    return [struct.unpack(width, draw.randbytes(size))[0] for _ in range(many)]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([*FLOATS, *shuffled("d")]),
        pa.array([True, False, None]),
        pa.array([-(2**63), 2**63 - 1, None]),
        pa.array([2**64 - 1], pa.uint64()),
        pa.array([Decimal("0E-10"), Decimal("-0.0000000001"), Decimal("1.50")], pa.decimal128(38, 10)),
        pa.array([Decimal(10) ** 37], pa.decimal128(38, 0)),
        pa.array([date(2013, 1, 31), date(1, 1, 1)]),
        pa.array(
            [DAY, DAY.replace(microsecond=500), DAY.replace(second=0, minute=0, hour=0), None], pa.timestamp("us")
        ),
        pa.array([DAY, DAY.replace(hour=10, minute=0, second=0)], pa.timestamp("s")),
        pa.array([DAY.replace(tzinfo=UTC), DAY.replace(microsecond=7, tzinfo=UTC)], pa.timestamp("us", "UTC")),
        pa.array([time(10), time(23, 59, 59, 250_000)], pa.time64("us")),
        pa.array(["a", "", "é,\n", None]),
        pa.array(["x", "y", None, "x"]).dictionary_encode(),
        pa.array([b"", b"a\\'\" b", bytes(range(256)), None]),
    ],
    ids=lambda column: str(column.type),
)
def test_scalars_stand_as_duckdb_writes_them(column: pa.Array) -> None:
    with duckdb.connect() as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.register("t", pa.table({"x": column}))
        wanted = [text for (text,) in connection.execute("select cast(x as varchar) from t").fetchall()]
    assert text_of(column).to_pylist() == ["nan" if text == "-nan" else text for text in wanted]


def test_single_floats_have_the_fewest_digits() -> None:
    column = pa.array([*FLOATS, *shuffled("f")]).cast(pa.float32())
    texts = text_of(column)
    assert texts.cast(pa.float32()).cast(pa.string()).equals(column.cast(pa.string()))
    assert texts.to_pylist()[:7] == ["0.0", "-0.0", "1.0", "0.1", "-1.5", "0.0001", "1e-05"]
    assert max(map(len, texts.to_pylist())) <= len("-1234567890123456.0")


def test_lists_and_structs_are_json() -> None:
    column = pa.array([[1.5, None, math.nan], None, []])
    assert text_of(column).to_pylist() == ['[1.5, null, "NaN"]', None, "[]"]
    fields = pa.struct({"at": pa.timestamp("us"), "n": pa.decimal128(3, 2), "b": pa.binary()})  # 18 would sort them
    nested = pa.array([{"at": DAY, "n": Decimal("1.50"), "b": b"\xab"}], fields)
    assert text_of(nested).to_pylist() == ['{"at": "2013-01-31T23:59:59", "n": "1.50", "b": "ab"}']


def written(path: Path, table: pa.Table) -> str:
    """The text of the file that is written for a table, in batches of two rows."""
    reader = pa.RecordBatchReader.from_batches(table.schema, table.to_batches(max_chunksize=2))
    assert write_batches(reader, path) == table.num_rows
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]
    return path.read_bytes().decode()


def test_fields_are_quoted_where_readers_need_it(tmp_path: Path) -> None:
    texts = ["a,b", 'a"b', "", None, " a", "a ", "#a", "a\nb", "a\rb", "null", "é", "a'b", "a;b", "\u3000a"]
    rows = list(range(len(texts)))
    text = written(tmp_path / "x.csv", pa.table({"n, of it": rows, "s": texts}))
    head, *lines = text.splitlines(keepends=True)
    assert head == '"n, of it",s\n'
    assert lines[:7] == ['0,"a,b"\n', '1,"a""b"\n', '2,""\n', "3,\n", '4," a"\n', '5,"a "\n', '6,"#a"\n']
    with (tmp_path / "x.csv").open(newline="", encoding="utf-8") as file:
        assert list(csv.reader(file))[1:] == [[str(row), value or ""] for row, value in zip(rows, texts, strict=True)]


def test_a_column_alone_has_no_empty_line(tmp_path: Path) -> None:
    assert written(tmp_path / "x.csv", pa.table({"s": pa.array([None, "a"])})) == 's\n""\na\n'


def test_no_rows_are_a_line_of_names(tmp_path: Path) -> None:
    assert (
        written(tmp_path / "x.csv", pa.table({"s": pa.array([], pa.string()), "n": pa.array([], pa.null())})) == "s,n\n"
    )


def test_what_arrow_has_no_text_for_is_text_of_duckdb(tmp_path: Path) -> None:
    engine = DuckDB(Target("dev", DuckDBOptions(), Where("profiles.yml")), tmp_path)
    sql = "SELECT INTERVAL 1 DAY AS i, '101'::BIT AS b, MAP {'k': 1} AS m, NULL AS u"
    assert engine.write_file(sql, tmp_path / "x.csv") == 1
    engine.close()
    assert (tmp_path / "x.csv").read_text() == "i,b,m,u\n1 day,101,{k=1},\n"


def test_uuids_of_arrow() -> None:
    value: Any = UUID(int=10)
    column = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([value.bytes, None], pa.binary(16)))
    assert text_of(column).to_pylist() == [str(value), None]
